//! ## What it does
//! Reports identities that came into being after the source was first counted, for `days` days
//! from the moment they were first seen.
//!
//! ## Why it matters
//! A role, user or service account that nobody announced is how an intruder stays, and how
//! ungoverned automation begins. In its first days somebody still remembers why it was made.
//!
//! ## How it is found
//! The first complete reading of a scope is its baseline. An identity that is absent from it and
//! seen later is new. On AWS, users and roles come from `iam:GetAccountAuthorizationDetails`. On
//! Kubernetes: service accounts; a namespace's `default` account from the time it is bound or used.
//! On GitHub: installed apps, machine users, self-hosted runners and their groups. Fields: `origin`,
//! `first_seen_at`.
//!
//! ## Not reported
//! - What was there when the scope was first read to its end: nobody can say since when.
//! - An identity that was gone for a while and came back under the same lasting id.
//! - Ephemeral runners, which live for one job: their group stands for them.
//! - Root users and people.
//!
//! ## Severity
//! Medium. Low for what comes by itself: service-linked roles, the accounts that a cluster makes for
//! its controllers, the `default` account of a namespace. The confidence is high.
//!
//! ## Fix
//! Find out who made it and for what, write that down as owner and purpose tags, or delete it.
//! The finding resolves by itself when the identity is no longer new.
//!
//! ### CLI
//! ```sh
//! aws cloudtrail lookup-events --region us-east-1 \
//!   --lookup-attributes AttributeKey=ResourceName,AttributeValue=NAME
//! aws iam tag-role --role-name NAME --tags Key=owner,Value=TEAM Key=purpose,Value=TEXT
//! kubectl -n NAMESPACE get serviceaccount NAME -o yaml --show-managed-fields
//! kubectl -n NAMESPACE annotate serviceaccount NAME a8r.io/owner=TEAM
//! gh api "/orgs/ORG/audit-log?phrase=action:integration_installation.create"
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "aws_iam_role" "name" {
//!   # ...
//!   tags = { owner = "TEAM", purpose = "TEXT" }
//! }
//! ```

use super::subject::trust_class;
use super::window::open_until;
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
use crate::findings::{Certainty, Severity};
use crate::inventory::Origin;

static META: Meta = Meta {
    id: "new-identity",
    title: "New identity",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &[],
    controls: &[
        "CIS-Controls-8.1:5.1",
        "CIS-Controls-8.1:5.5",
        "CSA-CCM-4:IAM-03",
        "FedRAMP-20x:KSI-PIY-GIV",
        "ISO-27001-2022:A.5.16",
        "NIST-800-53r5:AC-2",
        "NIST-800-53r5:AC-2(4)",
        "SOC2:CC6.2",
    ],
    settings: &[Setting::Days { default: 7, about: "How long an identity counts as new." }],
    source: include_str!("new_identity.rs"),
};

pub(super) struct NewIdentity;

impl Rule for NewIdentity {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        let is_ephemeral = subject.attribute("ephemeral") == Some("true");
        if !subject.is_identity() || subject.is_root() || is_ephemeral {
            return Judgement::steady(Verdict::NotApplicable);
        }
        let record = subject.record;
        if record.origin == Origin::Baseline {
            return Judgement::steady(Verdict::Clear);
        }
        let Some(end) = open_until(record.first_seen_at, cx.settings.span(), cx.now) else {
            return Judgement::steady(Verdict::Clear);
        };
        // An unread trust class is no reason for silence here: it only decides the severity.
        let vendors =
            matches!(subject.exempt(&[trust_class::SERVICE_LINKED]), Some(Verdict::NotApplicable));
        let comes_by_itself = vendors || subject.is_namespace_default();
        let severity = if comes_by_itself { Severity::Low } else { META.severity };
        let title = format!("New {}", subject.label());
        let violation = subject
            .violation(severity, Certainty::High, title)
            .fact("first_seen_at", record.first_seen_at);
        let violation = match record.observation.created_at {
            Some(created_at) => violation.fact("created_at", created_at),
            None => violation,
        };
        Judgement::until(violation, end)
    }
}
