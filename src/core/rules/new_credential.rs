//! ## What it does
//! Reports keys, tokens, certificates and other credentials that came into being after the source
//! was first counted, for `days` days from the moment they were first seen. Those of people and
//! those that are switched off are reported as well.
//!
//! ## Why it matters
//! A second key on a known identity is the quietest way to stay: nothing else changes. It is also
//! how a rotation begins, and a rotation ends only when the old key is gone.
//!
//! ## How it is found
//! The first complete reading of a scope is its baseline. A credential that is absent from it and
//! seen later is new. On AWS, key ids come from `iam:ListAccessKeys`, which is called for users
//! whose row in `iam:GetCredentialReport` changed. On GitHub: tokens, deploy keys and the names of
//! secrets. On Kubernetes: requests for certificates, pull secrets and legacy tokens. Fields:
//! `origin`, `first_seen_at`, `expiry`.
//!
//! ## Not reported
//! - What was there when the scope was first read to its end.
//! - A credential that was made and deleted between two readings.
//! - Tokens that the source issues for a session and does not list.
//! - What ends by itself within a day of being made, certificates that the kubelet asks for on
//!   behalf of pods, and those that nodes ask for themselves: they come by the thousand.
//!
//! ## Severity
//! Medium, with high confidence. Low for a mere request of a token, which an owner of the
//! organisation has yet to approve.
//!
//! ## Fix
//! Ask the owner of the identity whether the credential was expected. If not, switch it off
//! first, look at what it was used for, then delete it. The finding resolves by itself when the
//! credential is no longer new.
//!
//! ### CLI
//! ```sh
//! aws iam update-access-key --user-name USER --access-key-id KEY_ID --status Inactive
//! aws cloudtrail lookup-events \
//!   --lookup-attributes AttributeKey=AccessKeyId,AttributeValue=KEY_ID
//! aws iam delete-access-key --user-name USER --access-key-id KEY_ID
//! gh api "/orgs/ORG/audit-log?phrase=action:public_key.create+repo:OWNER/REPO"
//! kubectl get certificatesigningrequest NAME -o yaml
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "aws_iam_access_key" "name" {
//!   user   = "USER"
//!   status = "Inactive"
//! }
//! ```

use super::subject::kind;
use super::window::open_until;
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
use crate::findings::{Certainty, Severity};
use crate::inventory::Origin;

static META: Meta = Meta {
    id: "new-credential",
    title: "New credential",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &[],
    controls: &[
        "FedRAMP-20x:KSI-IAM-SNU",
        "ISO-27001-2022:A.5.17",
        "NIST-800-53r5:AC-2(4)",
        "NIST-800-53r5:IA-5",
        "SOC2:CC6.2",
    ],
    settings: &[Setting::Days { default: 7, about: "How long a credential counts as new." }],
    source: include_str!("new_credential.rs"),
};

pub(super) struct NewCredential;

impl Rule for NewCredential {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        if !subject.is_credential() || is_routine(subject) {
            return Judgement::steady(Verdict::NotApplicable);
        }
        let record = subject.record;
        if record.origin == Origin::Baseline {
            return Judgement::steady(Verdict::Clear);
        }
        let Some(end) = open_until(record.first_seen_at, cx.settings.span(), cx.now) else {
            return Judgement::steady(Verdict::Clear);
        };
        let is_asked_for = subject.is_kind(kind::TOKEN_REQUEST);
        let severity = if is_asked_for { Severity::Low } else { META.severity };
        let violation = subject
            .violation(severity, Certainty::High, format!("New {}", subject.label()))
            .fact("status", record.observation.status.as_str())
            .fact("first_seen_at", record.first_seen_at);
        let violation = match record.observation.created_at {
            Some(created_at) => violation.fact("created_at", created_at),
            None => violation,
        };
        Judgement::until(violation, end)
    }
}

/// Under these names nodes ask for certificates of their own, whenever one joins or one runs out:
/// <https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/>
const NODES: [&str; 2] =
    ["kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"];

fn is_routine(subject: &Subject<'_>) -> bool {
    let is_of_node = subject.attribute("signer").is_some_and(|signer| NODES.contains(&signer));
    subject.is_short_lived()
        || subject.is_system()
        || subject.is_kind(kind::POD_CERTIFICATE_REQUEST)
        || (subject.is_kind(kind::CERTIFICATE_REQUEST) && is_of_node)
}
