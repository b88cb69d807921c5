//! ## What it does
//! Reports credentials that work, were made more than `days` days ago, and do not expire within
//! `days` days of being made.
//!
//! ## Why it matters
//! The longer a secret lives, the more places it has been in. Rotation bounds the time for which a
//! leak is worth something; a credential that comes and goes by itself needs no rotation.
//!
//! ## How it is found
//! Age counts from the creation time that the source states, not from the agent's first sight.
//! Exactly `days` days is not yet too old. On AWS: `iam:ListAccessKeys`,
//! `iam:ListServiceSpecificCredentials`, `iam:ListSigningCertificates`, `iam:ListSSHPublicKeys`,
//! `iam:ListServerCertificates`. Fields: `created_at`, `expiry`, `status`.
//!
//! ## Not reported
//! - Credentials without a creation time: the verdict is "unknown".
//! - Credentials whose whole life, from creation to expiry, is no longer than the threshold.
//! - Credentials that are switched off or have expired (see `expired-credential`).
//! - Identity providers, and other credentials that hold no secret or cannot expire.
//! - A secret that was replaced in place, where the source shows only the first creation.
//!
//! ## Severity
//! Medium; low if it expires some day. The confidence is high; medium if the source does not tell
//! the expiry, or whether the credential is active.
//!
//! ## Fix
//! Best replace it by something short-lived: a role, workload identity or OIDC federation. Else
//! make a second one, move its users over, switch the old one off, delete it.
//!
//! ### CLI
//! ```sh
//! aws iam create-access-key --user-name USER
//! aws iam update-access-key --user-name USER --access-key-id OLD_KEY_ID --status Inactive
//! aws iam delete-access-key --user-name USER --access-key-id OLD_KEY_ID
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
        let observation = &subject.record.observation;
        let holds_no_secret = observation.expiry == Expiry::NotApplicable
            || kind::PROVIDERS.contains(&observation.kind.as_str());
        if !subject.is_credential() || holds_no_secret {
            return Judgement::steady(Verdict::NotApplicable);
        }
        let Some(usable) = subject.usable() else {
            return Judgement::steady(Verdict::Clear);
        };
        match observation.created_at {
            Some(created_at) => aged(cx, subject, usable, created_at),
            None => Judgement::steady(Verdict::unknown("created_at")),
        }
    }
}

fn aged(
    cx: &Context<'_>,
    subject: &Subject<'_>,
    usable: Certainty,
    created_at: Timestamp,
) -> Judgement {
    let (ends_at, severity, certainty) = match subject.record.observation.expiry {
        Expiry::At { at } => (Some(at), Severity::Low, usable),
        Expiry::Unknown => (None, META.severity, usable.min(Certainty::Medium)),
        Expiry::Never | Expiry::NotApplicable => (None, META.severity, usable),
    };
    let span = cx.settings.span();
    // Gone already, or so short-lived that it ends by itself before it could be called old.
    if ends_at.is_some_and(|end| end <= cx.now || past_at(created_at, span, end).is_some()) {
        return Judgement::steady(Verdict::Clear);
    }
    if let Some(crossing) = past_at(created_at, span, cx.now) {
        return Judgement::until(Verdict::Clear, crossing);
    }
    let days = cx.settings.days;
    let violation = subject
        .violation(severity, certainty, format!("{} is older than {days} days", subject.label()))
        .fact("created_at", created_at)
        .fact("threshold_days", days);
    match ends_at {
        Some(end) => Judgement::until(violation.fact("expires_at", end), end),
        None => Judgement::steady(violation),
    }
}
