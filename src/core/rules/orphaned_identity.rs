//! ## What it does
//! Reports identities whose owner has left the organisation.
//!
//! ## Why it matters
//! The owner column is filled in, so the record looks cared for; yet nobody will answer when it has
//! to be rotated, cut down or switched off.
//!
//! ## How it is found
//! The owner that the evidence names is compared with the full list of the organisation's members,
//! where the same source can list them. On GitHub: the lists of members and outside collaborators.
//! On Okta and Slack: whoever set up an integration or approved an app, against the list of users.
//! On Kubernetes and AWS: owner labels and tags, where a source can tell that the person they name
//! has left. Fields: `owner`, `owner_evidence`.
//!
//! ## Not reported
//! - Owners of whom no source can tell whether they are still there: a team's name, a tag with an
//!   address of which no directory is counted.
//! - Identities without any owner: see `ownerless-identity`. A guess at an owner who is still there:
//!   see `weak-owner`.
//! - Records whose owner's standing could not be read this time: the verdict is "unknown".
//! - What inherits its owner from another identity: it is told once, there.
//! - Credentials, which may be in the hands of whoever left: see `token-of-departed-user`.
//! - What is switched off: that is what offboarding asks for.
//!
//! ## Severity
//! Medium, and high for an identity that is or can make itself an administrator. The confidence is
//! high where an owner was stated outright; medium where the one who left is only a candidate, such
//! as who made it; and medium if the source does not tell whether it is active.
//!
//! ## Fix
//! Find the team that took the work over, and write it down as owner. If nobody did, switch the
//! identity off.
//!
//! ### CLI
//! ```sh
//! kubectl -n NAMESPACE annotate --overwrite serviceaccount NAME a8r.io/owner=TEAM
//! aws iam tag-role --role-name NAME --tags Key=owner,Value=TEAM
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "kubernetes_service_account_v1" "name" {
//!   metadata {
//!     name        = "NAME"
//!     namespace   = "NAMESPACE"
//!     annotations = { "a8r.io/owner" = "TEAM" }
//!   }
//! }
//! ```

use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict, departed};
use crate::findings::Severity;

static META: Meta = Meta {
    id: "orphaned-identity",
    title: "Owner has left the organisation",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI1:2025"],
    controls: &[
        "CIS-Controls-8.1:5.5",
        "CSA-CCM-4:IAM-03",
        "FedRAMP-20x:KSI-IAM-AAM",
        "ISO-27001-2022:A.5.18",
        "ISO-27001-2022:A.5.9",
        "NIS2:11.5.4",
        "NIST-800-53r5:AC-2(3)",
        "SOC2:CC6.2",
    ],
    settings: &[],
    source: include_str!("orphaned_identity.rs"),
};

pub(super) struct OrphanedIdentity;

impl Rule for OrphanedIdentity {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        if !subject.is_identity() || subject.is_root() {
            return Judgement::steady(Verdict::NotApplicable);
        }
        let severity = if subject.is_powerful() { Severity::High } else { META.severity };
        subject.until_it_ends(departed::judge(subject, severity), cx.now)
    }
}
