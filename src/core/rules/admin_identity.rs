//! ## What it does
//! Reports identities that are administrators, or hold powers with which they can make themselves
//! administrators.
//!
//! ## Why it matters
//! A machine rarely needs everything. One that has it turns any leak of its credential, or any
//! flaw in the workload that uses it, into the loss of the whole account.
//!
//! ## How it is found
//! The policies of each identity are reduced to one level. On AWS: attached and inline policies
//! and groups from `iam:GetAccountAuthorizationDetails`. The fact `reason` names the policy that
//! decided. Fields: `privilege`.
//!
//! ## Not reported
//! - Identities whose policies could not be read or understood: the verdict is "unknown".
//! - Whether a permissions boundary, a service control policy or a session policy takes the power
//!   away again: the level is that of the identity's own policies. A boundary stands in `reason`.
//! - Powers granted by the policy of a resource (a bucket, a key) instead of the identity's own.
//! - Service-linked roles, whose policy is the vendor's; roles of IAM Identity Center, which people
//!   use; root users, which cannot be less.
//!
//! ## Severity
//! High with high confidence for an administrator. Medium with medium confidence for one that can
//! become it: a condition may be in the way.
//!
//! ## Fix
//! See what it did in the last months, write a policy for that, attach it, and take the broad one
//! away. What really must administrate belongs to few people, behind an approval.
//!
//! ### CLI
//! ```sh
//! aws accessanalyzer start-policy-generation \
//!   --policy-generation-details principalArn=ROLE_ARN
//! aws iam detach-role-policy --role-name NAME \
//!   --policy-arn arn:aws:iam::aws:policy/AdministratorAccess
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "aws_iam_role_policy" "least" {
//!   role   = "NAME"
//!   policy = data.aws_iam_policy_document.what_it_needs.json
//! }
//! ```

use headcount_sdk::model::Level;

use super::subject::trust_class;
use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict};
use crate::findings::{Certainty, Severity};

static META: Meta = Meta {
    id: "admin-identity",
    title: "Identity with the powers of an administrator",
    severity: Severity::High,
    judges: Judges::Records,
    owasp: &["NHI5:2025"],
    controls: &[
        "CSA-CCM-4:IAM-09",
        "FedRAMP-20x:KSI-IAM-ELP",
        "ISO-27001-2022:A.8.2",
        "NIST-800-53r5:AC-6(7)",
        "NIST-CSF-2.0:PR.AA-05",
        "PCI-DSS-4.0.1:7.2.5",
        "SOC2:CC6.3",
    ],
    settings: &[],
    source: include_str!("admin_identity.rs"),
};

pub(super) struct AdminIdentity;

impl Rule for AdminIdentity {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, _cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        Judgement::steady(verdict(subject))
    }
}

fn verdict(subject: &Subject<'_>) -> Verdict {
    if !subject.is_identity() || subject.is_root() {
        return Verdict::NotApplicable;
    }
    let managed = [trust_class::SERVICE_LINKED, trust_class::IDENTITY_CENTER];
    if let Some(verdict) = subject.exempt(&managed).or_else(|| subject.unread("privilege")) {
        return verdict;
    }
    let Some(privilege) = &subject.record.observation.privilege else {
        return Verdict::unknown("privilege");
    };
    let label = subject.label();
    let (severity, certainty, title) = match privilege.level {
        Level::None | Level::Read | Level::Write => return Verdict::Clear,
        Level::Unknown => return Verdict::unknown(format!("privilege ({})", privilege.reason)),
        Level::Escalating => {
            let title = format!("{label} can make itself an administrator");
            (Severity::Medium, Certainty::Medium, title)
        }
        Level::Admin => (META.severity, Certainty::High, format!("{label} is an administrator")),
    };
    subject
        .violation(severity, certainty, title)
        .fact("level", privilege.level.as_str())
        .fact("reason", &privilege.reason)
        .into()
}
