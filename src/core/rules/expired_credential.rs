//! ## What it does
//! Reports credentials whose expiry has passed and that are still there, not switched off.
//!
//! ## Why it matters
//! An expired credential that nobody removed tells that nobody looks after its identity. Some
//! systems check the date late, or let a holder renew what has expired; and a workload that still
//! presents it is about to fail, or has already.
//!
//! ## How it is found
//! From the expiry that the source states. On AWS: `iam:ListServerCertificates`,
//! `iam:ListServiceSpecificCredentials`. On GitHub: credentials authorised for single sign-on. An
//! expiry of this very moment has passed. Fields: `expiry`, `status`.
//!
//! ## Not reported
//! - Credentials that never expire: see `long-lived-credential` and `non-expiring-credential`.
//! - Requests for certificates and tokens, which are a record of what was asked; a certificate that
//!   has expired is refused by every server.
//! - Credentials whose source did not tell an expiry: the verdict is "unknown".
//! - Credentials that are switched off, as GitHub shows fine-grained tokens that have expired.
//! - Credentials that will expire soon: see `expiring-credential`.
//!
//! ## Severity
//! Low. The confidence is high; medium if the source does not tell whether the credential is
//! active.
//!
//! ## Fix
//! If something still uses it, replace it there first. Then delete it.
//!
//! ### CLI
//! ```sh
//! aws iam delete-server-certificate --server-certificate-name NAME
//! aws iam delete-service-specific-credential --user-name USER \
//!   --service-specific-credential-id ID
//! gh api -X POST /orgs/ORG/personal-access-tokens/PAT_ID -f action=revoke
//! ```
//!
//! ### Terraform
//! ```hcl
//! # remove the block, after its replacement is in use
//! resource "aws_iam_server_certificate" "name" {
//!   # ...
//!   lifecycle { create_before_destroy = true }
//! }
//! ```

use headcount_sdk::model::Expiry;

use super::subject::kind;
use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict};
use crate::findings::Severity;

static META: Meta = Meta {
    id: "expired-credential",
    title: "Expired credential is still there",
    severity: Severity::Low,
    judges: Judges::Records,
    owasp: &["NHI1:2025"],
    controls: &["ISO-27001-2022:A.5.17", "NIST-800-53r5:AC-2(3)", "NIST-800-53r5:IA-5"],
    settings: &[],
    source: include_str!("expired_credential.rs"),
};

pub(super) struct ExpiredCredential;

impl Rule for ExpiredCredential {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        if !subject.is_credential() || subject.is_one_of(&kind::REQUESTS) {
            return Judgement::steady(Verdict::NotApplicable);
        }
        let at = match subject.record.observation.expiry {
            Expiry::At { at } => at,
            Expiry::Never | Expiry::NotApplicable => {
                return Judgement::steady(Verdict::NotApplicable);
            }
            Expiry::Unknown => return Judgement::steady(Verdict::unknown("expiry")),
        };
        let Some(usable) = subject.usable() else {
            return Judgement::steady(Verdict::Clear);
        };
        if cx.now < at {
            return Judgement::until(Verdict::Clear, at);
        }
        let title = format!("{} has expired and is still there", subject.label());
        let violation = subject.violation(META.severity, usable, title);
        Judgement::steady(violation.fact("expired_at", at))
    }
}
