//! ## What it does
//! Reports credentials that never expire although they could have been given an expiry.
//!
//! ## Why it matters
//! A token is text: it ends up in a script, a log, a chat. One that expires is worth nothing a few
//! weeks later. One that does not is found years later by whoever looks, and still works.
//!
//! ## How it is found
//! From the expiry that the source states, for credentials of which it is known that they could
//! have one. On GitHub: fine-grained tokens from `GET /orgs/ORG/personal-access-tokens`; classic
//! tokens, OAuth tokens and tokens of apps from `GET /orgs/ORG/credential-authorizations`, which only
//! organisations with SAML have. On sources that a description reads: what carries the attribute
//! `can_expire`, for example tokens and deploy keys of GitLab, keys of Google service accounts,
//! secret ids of Vault. It is reported from its first day. Fields: `expiry`, `attributes.can_expire`,
//! `status`.
//!
//! ## Not reported
//! - Credentials of which the source did not tell the expiry: the verdict is "unknown".
//! - Credentials with an expiry, however far: see `long-lived-credential`.
//! - Credentials that cannot be given an expiry at all (access keys of AWS, deploy keys of GitHub,
//!   API keys of Datadog): `long-lived-credential` counts their age instead. In return it leaves out
//!   what is reported here. Tokens of Kubernetes service accounts: see `legacy-token`.
//! - Credentials that are switched off, and requests for a token.
//!
//! ## Severity
//! Medium, and high if the credential is or can make itself an administrator. Low for OAuth tokens
//! of GitHub, whose app and not whose holder decides. The confidence is high; medium if the source
//! does not tell whether the credential is active.
//!
//! ## Fix
//! Replace it by an identity that proves itself anew each time (a GitHub App, workload identity
//! federation), or by a credential with an expiry. Then revoke it. Limit the life of credentials by
//! a policy of the organisation, so that nobody can make the next one.
//!
//! ### CLI
//! ```sh
//! gh api "/orgs/ORG/personal-access-tokens?owner[]=LOGIN"
//! gh api -X POST /orgs/ORG/personal-access-tokens/PAT_ID -f action=revoke
//! gh api -X DELETE /orgs/ORG/credential-authorizations/CREDENTIAL_ID
//! glab api -X POST "groups/GROUP/service_accounts/ID/personal_access_tokens/TOKEN_ID/rotate?expires_at=DATE"
//! gcloud iam service-accounts keys delete KEY_ID --iam-account=EMAIL
//! ```
//!
//! ### Terraform
//! ```hcl
//! # keys of Google service accounts end by themselves from now on
//! resource "google_org_policy_policy" "key_expiry" {
//!   name   = "projects/PROJECT/policies/iam.serviceAccountKeyExpiryHours"
//!   parent = "projects/PROJECT"
//!   spec {
//!     rules {
//!       values { allowed_values = ["2160h"] }
//!     }
//!   }
//! }
//!
//! # tokens of people: let automation authenticate as an app instead
//! provider "github" {
//!   owner = "ORG"
//!   app_auth {} # GITHUB_APP_ID, GITHUB_APP_INSTALLATION_ID, GITHUB_APP_PEM_FILE
//! }
//! ```

use headcount_sdk::model::Expiry;

use super::subject::{attribute, kind};
use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict};
use crate::findings::Severity;

static META: Meta = Meta {
    id: "non-expiring-credential",
    title: "Credential never expires",
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
    source: include_str!("non_expiring_credential.rs"),
};

pub(super) struct NonExpiringCredential;

impl Rule for NonExpiringCredential {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, _cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        Judgement::steady(verdict(subject))
    }
}

/// Whether it could have been given an expiry; for all that is not said of, it could not.
pub(super) fn could_expire(subject: &Subject<'_>) -> Result<bool, Verdict> {
    if subject.is_one_of(&kind::TOKENS) {
        return Ok(true);
    }
    subject.flag(attribute::CAN_EXPIRE).map(|flag| flag == Some(true))
}

fn verdict(subject: &Subject<'_>) -> Verdict {
    if !subject.is_credential() {
        return Verdict::NotApplicable;
    }
    let could_expire = could_expire(subject);
    if could_expire == Ok(false) {
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
    if let Err(unknown) = could_expire {
        return unknown;
    }
    let severity = match subject.is_powerful() {
        true => Severity::High,
        false if subject.is_kind(kind::OAUTH_TOKEN) => Severity::Low,
        false => META.severity,
    };
    subject.violation(severity, usable, format!("{} never expires", subject.label())).into()
}
