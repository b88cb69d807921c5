//! ## What it does
//! Reports credentials that work and end within `days` days.
//!
//! ## Why it matters
//! What ends unnoticed takes down whatever uses it, mostly at night, and is then replaced in haste
//! by one that never ends. Somebody who knows in time can rotate it in peace.
//!
//! ## How it is found
//! From the expiry that the source states. It is reported from exactly `days` days before the end
//! until the end. On Entra: `endDateTime` of secrets and certificates. On GitLab: `expires_at` of
//! tokens. On GitHub: tokens and credentials authorised for single sign-on. On AWS: server
//! certificates and SAML providers. On other sources that a description reads: wherever an expiry
//! is told. Fields: `expiry`, `created_at`, `usage`, `status`.
//!
//! ## Not reported
//! - Credentials whose source did not tell an expiry: the verdict is "unknown".
//! - Credentials that never end, and those that have ended: see `non-expiring-credential` and
//!   `expired-credential`.
//! - Credentials whose whole life is no longer than `days` days: something renews them by routine,
//!   or nobody needs them to last.
//! - Credentials whose end moves with each use (API tokens of Okta): see `stale-credential`; and those
//!   that their holder renews (periodic tokens of Vault).
//! - Requests for tokens and certificates, what a cluster renews for itself, and what is switched off.
//! - Whether its successor is there already; then the finding ends by itself with the old one.
//!
//! ## Severity
//! Medium if its use is on record, because something will stop. Low if no use is on record or none
//! can be. The confidence is high; medium if the source does not tell whether the credential is
//! active.
//!
//! ## Fix
//! Make its successor, move what uses it over, and let the old one end. If nothing uses it, delete
//! it. What has to be rotated by hand each time is better replaced by a federated identity.
//!
//! ### CLI
//! ```sh
//! az ad app credential reset --id APP_ID --append --years 1
//! az ad app credential delete --id APP_ID --key-id OLD_KEY_ID
//! glab api -X POST "groups/GROUP/service_accounts/ID/personal_access_tokens/TOKEN_ID/rotate?expires_at=DATE"
//! aws iam upload-server-certificate --server-certificate-name NEW_NAME \
//!   --certificate-body file://cert.pem --private-key file://key.pem
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "time_rotating" "secret" {
//!   rotation_days = 90
//! }
//!
//! resource "azuread_application_password" "name" {
//!   application_id      = azuread_application.name.id
//!   end_date_relative   = "2880h" # a month longer than its rotation
//!   rotate_when_changed = { at = time_rotating.secret.id }
//! }
//! ```

use headcount_sdk::model::{Expiry, Usage};
use jiff::Timestamp;

use super::subject::{attribute, kind};
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
use crate::findings::{Certainty, Severity};

static META: Meta = Meta {
    id: "expiring-credential",
    title: "Credential is about to expire",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI7:2025"],
    controls: &[
        "FedRAMP-20x:KSI-IAM-SNU",
        "ISO-27001-2022:A.5.17",
        "NIST-800-53r5:IA-5",
        "SOC2:CC6.1",
    ],
    settings: &[Setting::Days { default: 14, about: "How long before its end it is reported." }],
    source: include_str!("expiring_credential.rs"),
};

pub(super) struct ExpiringCredential;

impl Rule for ExpiringCredential {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        match end_of(subject) {
            Ok((end, usable)) => near(cx, subject, end, usable),
            Err(verdict) => Judgement::steady(verdict),
        }
    }
}

/// When it ends for good, and how sure it is that it works until then.
fn end_of(subject: &Subject<'_>) -> Result<(Timestamp, Certainty), Verdict> {
    if !subject.is_credential() || subject.is_one_of(&kind::REQUESTS) || subject.is_system() {
        return Err(Verdict::NotApplicable);
    }
    let usable = subject.usable().ok_or(Verdict::Clear)?;
    if let Some(unread) = subject.unread("expiry") {
        return Err(unread);
    }
    let end = match subject.record.observation.expiry {
        Expiry::At { at } => at,
        Expiry::Never | Expiry::NotApplicable => return Err(Verdict::NotApplicable),
        Expiry::Unknown => return Err(Verdict::unknown("expiry")),
    };
    let ends_when_idle = subject.flag(attribute::ENDS_WHEN_IDLE)?.is_some();
    match ends_when_idle || subject.flag(attribute::EXPIRY_MOVES)? == Some(true) {
        true => Err(Verdict::NotApplicable),
        false => Ok((end, usable)),
    }
}

fn near(cx: &Context<'_>, subject: &Subject<'_>, end: Timestamp, usable: Certainty) -> Judgement {
    let span = cx.settings.span();
    let made = subject.record.observation.created_at;
    if made.is_some_and(|made| end.duration_since(made) <= span) {
        return Judgement::steady(Verdict::NotApplicable);
    }
    if cx.now >= end {
        return Judgement::steady(Verdict::Clear);
    }
    let start = end.checked_sub(span).unwrap_or(Timestamp::MIN);
    if cx.now < start {
        return Judgement::until(Verdict::Clear, start);
    }
    let usage = &subject.record.observation.usage;
    let severity = match usage {
        Usage::LastUsed { .. } if subject.unread("usage").is_none() => META.severity,
        _ => Severity::Low,
    };
    let days = cx.settings.days;
    let title = format!("{} expires within {days} days", subject.label());
    let violation = subject
        .violation(severity, usable, title)
        .fact("expires_at", end)
        .fact("usage", usage.state())
        .fact("threshold_days", days);
    let violation = match usage.at() {
        Some(at) if matches!(usage, Usage::LastUsed { .. }) => violation.fact("last_used_at", at),
        _ => violation,
    };
    Judgement::until(violation, end)
}
