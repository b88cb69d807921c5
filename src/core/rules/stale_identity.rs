//! ## What it does
//! Reports identities that can still act but have not done so for more than `days` days. One that
//! was never used is idle since it was made, or since its source began to record use, whichever
//! is later; if its source does not tell when it was made, since the agent first saw it.
//!
//! ## Why it matters
//! Nobody misses an identity that nobody uses, so nobody notices when somebody else uses it. It
//! keeps its powers all the same.
//!
//! ## How it is found
//! From the last use that the source records. On AWS: `RoleLastUsed` of
//! `iam:GetAccountAuthorizationDetails` for roles; for users the latest use of any of their
//! credentials in `iam:GetCredentialReport`. On GitHub: the last request of an app or a machine
//! user, where the organisation's API insights can be read. The time by which a source may lag
//! behind is added to the threshold. Exactly `days` days is not yet too long. Fields: `usage`,
//! `created_at`, `status`.
//!
//! ## Not reported
//! - Identities whose use the source does not record, or whose use could not be read: the verdict
//!   is "unknown", and a finding that is open stays open.
//! - Identities that are switched off: the danger is gone, and switching off is a fix.
//! - Service-linked roles, which only their service can use; root users; people.
//! - Service accounts of Kubernetes, whose use no cluster records: see `unused-service-account`.
//! - Use that the source does not count. AWS keeps the last use of a role for 400 days, so a
//!   longer threshold than that reports less than it seems to.
//!
//! ## Severity
//! Medium, and high for an identity that is or can make itself an administrator. The confidence is
//! high; medium if the source does not tell when the identity was made, or whether it is active.
//!
//! ## Fix
//! Ask the owner. Take away its power first, so that it can be given back, and delete it when
//! nothing broke for a while.
//!
//! ### CLI
//! ```sh
//! # a policy that denies everything is easy to undo
//! aws iam put-role-policy --role-name NAME --policy-name quarantine --policy-document \
//!   '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
//! aws iam delete-role --role-name NAME
//! # suspend or uninstall it: https://github.com/organizations/ORG/settings/installations/ID
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "aws_iam_role_policy_attachment" "quarantine" {
//!   role       = "NAME"
//!   policy_arn = "arn:aws:iam::aws:policy/AWSDenyAll"
//! }
//! ```

use super::idle::{self, Limit};
use super::subject::{kind, trust_class};
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
use crate::findings::Severity;

static META: Meta = Meta {
    id: "stale-identity",
    title: "Identity is no longer used",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI1:2025"],
    controls: &[
        "CIS-AWS-7.0:2.11",
        "CIS-Controls-8.1:5.3",
        "FedRAMP-20x:KSI-IAM-AAM",
        "ISO-27001-2022:A.5.18",
        "NIS2:11.5.4",
        "NIST-800-53r5:AC-2(3)",
        "SOC2:CC6.3",
    ],
    settings: &[Setting::Days { default: 90, about: "The longest idle time that is accepted." }],
    source: include_str!("stale_identity.rs"),
};

pub(super) struct StaleIdentity;

impl Rule for StaleIdentity {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        let is_judged = subject.is_identity() && !subject.is_kind(kind::SERVICE_ACCOUNT);
        if !is_judged || subject.is_root() {
            return Judgement::steady(Verdict::NotApplicable);
        }
        if let Some(verdict) = subject.exempt(&[trust_class::SERVICE_LINKED]) {
            return Judgement::steady(verdict);
        }
        let severity = if subject.is_powerful() { Severity::High } else { META.severity };
        let limit = Limit { days: cx.settings.days, ends_after: None };
        idle::judge(cx.now, subject, severity, limit)
    }
}
