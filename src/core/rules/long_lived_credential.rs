//! ## What it does
//! Reports credentials that work, were made more than `days` days ago, and do not expire within
//! `days` days of being made.
//!
//! ## Why it matters
//! The longer a secret lives, the more places it has been in. Rotation bounds the time for which a
//! leak is worth something; a credential that comes and goes by itself needs no rotation.
//!
//! ## How it is found
//! Age counts from the creation time that the source states, not from the agent's first sight; and
//! from the last time its value was replaced, where the source tells that. Exactly `days` days is
//! not yet too old. On AWS: `iam:ListAccessKeys`, `iam:ListServiceSpecificCredentials`,
//! `iam:ListSigningCertificates`, `iam:ListSSHPublicKeys`, `iam:ListServerCertificates`. On GitHub:
//! deploy keys, SSH keys, tokens that expire some day, and secrets of pipelines, whose `updated_at`
//! counts. On Kubernetes: pull secrets. On sources that a description reads: every credential whose
//! creation time the source tells. Fields: `created_at`, `attributes.rotated_at`, `expiry`,
//! `status`.
//!
//! ## Not reported
//! - Credentials without a creation time: the verdict is "unknown".
//! - Credentials whose whole life, from creation to expiry, is no longer than the threshold.
//! - Credentials that are switched off or have expired (see `expired-credential`).
//! - Identity providers, and other credentials that hold no secret or cannot expire.
//! - Credentials that never expire although they could (see `non-expiring-credential`), legacy tokens
//!   of service accounts (see `legacy-token`), and requests for tokens and certificates. While it
//!   could not be read whether one could expire, the verdict is "unknown".
//! - A secret that was replaced in place, where the source shows only the first creation.
//!
//! ## Severity
//! Medium; low if it expires some day, or if it is a pipeline's secret, which need not be a
//! credential. The confidence is high; medium if the source does not tell the expiry, whether the
//! credential is active, or what a pipeline's secret holds.
//!
//! ## Fix
//! Best replace it by something short-lived: a role, workload identity or OIDC federation. Else
//! make a second one, move its users over, switch the old one off, delete it. For secrets of
//! pipelines a longer limit of their own may fit: an override of `days` with `match: {kind:
//! actions-secret}`.
//!
//! ### CLI
//! ```sh
//! aws iam create-access-key --user-name USER
//! aws iam update-access-key --user-name USER --access-key-id OLD_KEY_ID --status Inactive
//! aws iam delete-access-key --user-name USER --access-key-id OLD_KEY_ID
//! gh repo deploy-key delete KEY_ID --repo OWNER/REPO
//! gh secret set NAME --repo OWNER/REPO
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "time_rotating" "key" {
//!   rotation_days = 60
//! }
//!
//! resource "aws_iam_access_key" "name" {
//!   user = "USER"
//!   lifecycle { replace_triggered_by = [time_rotating.key] }
//! }
//! ```

use headcount_sdk::model::Expiry;
use jiff::Timestamp;

use super::non_expiring_credential::could_expire;
use super::subject::kind;
use super::window::past_at;
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
use crate::findings::{Certainty, Severity};

static META: Meta = Meta {
    id: "long-lived-credential",
    title: "Credential is old",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI7:2025"],
    controls: &[
        "CIS-AWS-7.0:2.12",
        "FedRAMP-20x:KSI-IAM-SNU",
        "ISO-27001-2022:A.5.17",
        "NIST-800-53r5:IA-5",
        "PCI-DSS-4.0.1:8.6.3",
        "SOC2:CC6.1",
    ],
    settings: &[Setting::Days { default: 90, about: "The greatest age that is accepted." }],
    source: include_str!("long_lived_credential.rs"),
};

pub(super) struct LongLivedCredential;

impl Rule for LongLivedCredential {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        if !subject.is_credential() || holds_no_secret(subject) {
            return Judgement::steady(Verdict::NotApplicable);
        }
        match is_told_elsewhere(subject) {
            Ok(false) => {}
            Ok(true) => return Judgement::steady(Verdict::NotApplicable),
            Err(unknown) => return Judgement::steady(unknown),
        }
        let Some(usable) = subject.usable() else {
            return Judgement::steady(Verdict::Clear);
        };
        match made_at(subject) {
            Ok(made_at) => aged(cx, subject, usable, made_at),
            Err(unknown) => Judgement::steady(unknown),
        }
    }
}

fn holds_no_secret(subject: &Subject<'_>) -> bool {
    subject.record.observation.expiry == Expiry::NotApplicable
        || subject.is_one_of(&kind::PROVIDERS)
        || subject.is_one_of(&kind::REQUESTS)
}

/// One credential, one finding: some rules know more of what never expires.
fn is_told_elsewhere(subject: &Subject<'_>) -> Result<bool, Verdict> {
    if subject.is_kind(kind::SERVICE_ACCOUNT_TOKEN) {
        return Ok(true);
    }
    match subject.record.observation.expiry {
        Expiry::Never => could_expire(subject),
        Expiry::At { .. } | Expiry::NotApplicable | Expiry::Unknown => Ok(false),
    }
}

/// When the value that is in use now was made.
fn made_at(subject: &Subject<'_>) -> Result<Timestamp, Verdict> {
    if subject.unread("attributes.rotated_at").is_some()
        || subject.attribute("rotated_at").is_some()
    {
        let text = subject.told("rotated_at")?;
        return text.parse().map_err(|_| Verdict::unknown("attributes.rotated_at (no timestamp)"));
    }
    subject.record.observation.created_at.ok_or_else(|| Verdict::unknown("created_at"))
}

fn aged(
    cx: &Context<'_>,
    subject: &Subject<'_>,
    usable: Certainty,
    made_at: Timestamp,
) -> Judgement {
    let (ends_at, severity, certainty) = match subject.record.observation.expiry {
        Expiry::At { at } => (Some(at), Severity::Low, usable),
        // Values are never read, so it may be the address of a server.
        _ if subject.is_one_of(&kind::CI_SECRETS) => {
            (None, Severity::Low, usable.min(Certainty::Medium))
        }
        Expiry::Unknown => (None, META.severity, usable.min(Certainty::Medium)),
        Expiry::Never | Expiry::NotApplicable => (None, META.severity, usable),
    };
    let span = cx.settings.span();
    // Gone already, or so short-lived that it ends by itself before it could be called old.
    if ends_at.is_some_and(|end| end <= cx.now || past_at(made_at, span, end).is_some()) {
        return Judgement::steady(Verdict::Clear);
    }
    if let Some(crossing) = past_at(made_at, span, cx.now) {
        return Judgement::until(Verdict::Clear, crossing);
    }
    let days = cx.settings.days;
    let made = if subject.attribute("rotated_at").is_some() { "rotated_at" } else { "created_at" };
    let violation = subject
        .violation(severity, certainty, format!("{} is older than {days} days", subject.label()))
        .fact(made, made_at)
        .fact("threshold_days", days);
    match ends_at {
        Some(end) => Judgement::until(violation.fact("expires_at", end), end),
        None => Judgement::steady(violation),
    }
}
