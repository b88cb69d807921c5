//! ## What it does
//! Reports tokens that never expire although their kind could.
//!
//! ## Why it matters
//! A token is text: it ends up in a script, a log, a chat. One that expires is worth nothing a few
//! weeks later. One that does not is found years later by whoever looks, and still works.
//!
//! ## How it is found
//! From the expiry that the source states. On GitHub: fine-grained tokens from
//! `GET /orgs/ORG/personal-access-tokens`; classic tokens, OAuth tokens and tokens of apps from
//! `GET /orgs/ORG/credential-authorizations`, which only organisations with SAML have. It is
//! reported from its first day. Fields: `expiry`, `status`.
//!
//! ## Not reported
//! - Tokens of which the source did not tell the expiry: the verdict is "unknown".
//! - Tokens with an expiry, however far: see `long-lived-credential`.
//! - Credentials that cannot be given an expiry at all (access keys of AWS, deploy keys, SSH keys,
//!   secrets): `long-lived-credential` counts their age instead. In return it leaves out tokens
//!   that never expire. Tokens of Kubernetes service accounts: see `legacy-token`.
//! - Tokens that are switched off, and requests for a token.
//!
//! ## Severity
//! Medium, and high if the token is or can make itself an administrator. Low for OAuth tokens, whose
//! app and not whose holder decides. The confidence is high; medium if the source does not tell
//! whether the token is active.
//!
//! ## Fix
//! Replace it by a GitHub App, whose tokens live for an hour, or by a fine-grained token with an
//! expiry. Then revoke it. Set a policy for the organisation that limits the life of tokens.
//!
//! ### CLI
//! ```sh
//! gh api "/orgs/ORG/personal-access-tokens?owner[]=LOGIN"
//! gh api -X POST /orgs/ORG/personal-access-tokens/PAT_ID -f action=revoke
//! gh api -X DELETE /orgs/ORG/credential-authorizations/CREDENTIAL_ID
//! ```
//!
//! ### Terraform
//! ```hcl
//! # tokens are made by people; let automation authenticate as an app instead
//! provider "github" {
//!   owner = "ORG"
//!   app_auth {} # GITHUB_APP_ID, GITHUB_APP_INSTALLATION_ID, GITHUB_APP_PEM_FILE
//! }
//! ```

use headcount_sdk::model::Expiry;

use super::subject::kind;
use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict};
use crate::findings::Severity;

static META: Meta = Meta {
    id: "non-expiring-token",
    title: "Token never expires",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI7:2025"],
    controls: &[
        "FedRAMP-20x:KSI-IAM-SNU",
        "ISO-27001-2022:A.5.17",
        "NIST-800-53r5:IA-5",
        "PCI-DSS-4.0.1:8.6.3",
        "SOC2:CC6.1",
    ],
    settings: &[],
    source: include_str!("non_expiring_token.rs"),
};

pub(super) struct NonExpiringToken;

impl Rule for NonExpiringToken {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, _cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        Judgement::steady(verdict(subject))
    }
}

fn verdict(subject: &Subject<'_>) -> Verdict {
    if !subject.is_one_of(&kind::TOKENS) {
        return Verdict::NotApplicable;
    }
    let Some(usable) = subject.usable() else {
        return Verdict::Clear;
    };
    if let Some(unread) = subject.unread("expiry") {
        return unread;
    }
    match subject.record.observation.expiry {
        Expiry::Never => {}
        Expiry::At { .. } => return Verdict::Clear,
        Expiry::Unknown => return Verdict::unknown("expiry"),
        Expiry::NotApplicable => return Verdict::NotApplicable,
    }
    let severity = match subject.is_powerful() {
        true => Severity::High,
        false if subject.is_kind(kind::OAUTH_TOKEN) => Severity::Low,
        false => META.severity,
    };
    subject.violation(severity, usable, format!("{} never expires", subject.label())).into()
}
