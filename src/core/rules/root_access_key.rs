//! ## What it does
//! Reports an active access key of an account's root user.
//!
//! ## Why it matters
//! Nothing in the account can limit the root user: not a policy, not a boundary. Whoever has this
//! key has the account, its bills and its backups, from anywhere and without a second factor.
//!
//! ## How it is found
//! On AWS, from the row `<root_account>` of `iam:GetCredentialReport`; the report does not show the
//! key's id. Fields: `kind`, `parent`, `status`.
//!
//! ## Not reported
//! - A root key that is switched off: delete it all the same.
//! - A key whose user is not in the inventory: the verdict is "unknown".
//! - A root password, or a missing second factor of the root user.
//!
//! ## Severity
//! Critical. The confidence is high; medium if the source does not tell whether the key is active.
//!
//! ## Fix
//! Find what uses it, give that a role of its own, and delete the key. In an organisation, take
//! the root credentials of member accounts away altogether.
//!
//! ### CLI
//! ```sh
//! # in the management account; then, with the credentials it prints, in the member account
//! aws sts assume-root --target-principal ACCOUNT_ID \
//!   --task-policy-arn arn=arn:aws:iam::aws:policy/root-task/IAMDeleteRootUserCredentials
//! aws iam list-access-keys
//! aws iam delete-access-key --access-key-id KEY_ID
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "aws_iam_organizations_features" "root" {
//!   enabled_features = ["RootCredentialsManagement", "RootSessions"]
//! }
//! ```

use super::subject::kind;
use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict};
use crate::findings::Severity;

static META: Meta = Meta {
    id: "root-access-key",
    title: "Access key of the root user",
    severity: Severity::Critical,
    judges: Judges::Records,
    owasp: &["NHI4:2025", "NHI5:2025", "NHI7:2025"],
    controls: &[
        "CIS-AWS-7.0:2.4",
        "ISO-27001-2022:A.8.2",
        "NIST-800-53r5:AC-6(7)",
        "NIST-CSF-2.0:PR.AA-05",
        "SOC2:CC6.1",
    ],
    settings: &[],
    source: include_str!("root_access_key.rs"),
};

pub(super) struct RootAccessKey;

impl Rule for RootAccessKey {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, _cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        Judgement::steady(verdict(subject))
    }
}

fn verdict(subject: &Subject<'_>) -> Verdict {
    if !subject.is_credential() || subject.record.observation.kind != kind::ACCESS_KEY {
        return Verdict::NotApplicable;
    }
    if let Some(missing) = subject.parent_missing() {
        return missing;
    }
    if subject.parent.is_none_or(|parent| parent.observation.kind != kind::ROOT_USER) {
        return Verdict::NotApplicable;
    }
    let Some(usable) = subject.usable() else {
        return Verdict::Clear;
    };
    let title = format!("The root user of {} has an access key", subject.record.scope.place);
    subject.violation(META.severity, usable, title).into()
}
