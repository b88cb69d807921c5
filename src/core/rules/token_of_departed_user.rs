//! ## What it does
//! Reports keys, tokens and other credentials that are somebody's who has left the organisation.
//!
//! ## Why it matters
//! A credential works until somebody takes it away, long after the laptop was handed in. Whoever
//! left may still hold it, and nobody who is left knows what depends on it.
//!
//! ## How it is found
//! Whose it is, or who made it, is compared with the full list of the organisation's members. On
//! GitHub: the owner of a token or SSH key, and whoever added a deploy key if its repository names
//! nobody surer, against the lists of members and outside collaborators. On Okta: the user as whom
//! an API token acts, who is gone or deprovisioned. On OpenAI, Anthropic and Datadog: the user whose
//! key it is or who made it, against the list of users; a disabled user of Datadog counts as gone. On
//! GitLab: the owner of a trigger token whose account is blocked, by the state that stands there.
//! Fields: `owner`, `owner_evidence`, `expiry`.
//!
//! ## Not reported
//! - Owners of whom no source can tell whether they are still there.
//! - Credentials whose owner's standing could not be read this time: the verdict is "unknown".
//! - Credentials that have their owner from an identity: see `orphaned-identity`, which tells it
//!   once, there.
//! - People who are only suspended: they may come back.
//! - What is switched off or has expired: that is what offboarding asks for.
//!
//! ## Severity
//! High. The confidence is high where an owner was stated outright; medium where the one who left
//! is only a candidate, such as who made it; and medium if the source does not tell whether the
//! credential is active.
//!
//! ## Fix
//! Find out what uses it, give that an identity and a credential of its own, then revoke this one.
//! Make revoking a part of offboarding.
//!
//! ### CLI
//! ```sh
//! gh api -X POST /orgs/ORG/personal-access-tokens/PAT_ID -f action=revoke
//! gh api -X DELETE /orgs/ORG/credential-authorizations/CREDENTIAL_ID
//! gh api -X DELETE /repos/OWNER/REPO/keys/KEY_ID
//! curl -X DELETE "https://DOMAIN/api/v1/api-tokens/TOKEN_ID" -H "Authorization: SSWS $OKTA_TOKEN"
//! glab api -X DELETE projects/PROJECT_ID/triggers/TRIGGER_ID
//! curl -X DELETE "https://api.openai.com/v1/organization/projects/PROJECT/api_keys/KEY_ID" \
//!   -H "Authorization: Bearer $OPENAI_ADMIN_KEY"
//! ```
//!
//! ### Terraform
//! ```hcl
//! # replace what a person made by what the organisation owns, then remove the old block
//! resource "okta_app_oauth" "name" {
//!   label                      = "NAME"
//!   type                       = "service"
//!   grant_types                = ["client_credentials"]
//!   token_endpoint_auth_method = "private_key_jwt"
//!   # jwks { ... }
//! }
//! ```

use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict, departed};
use crate::findings::Severity;

static META: Meta = Meta {
    id: "token-of-departed-user",
    title: "Credential of somebody who has left",
    severity: Severity::High,
    judges: Judges::Records,
    owasp: &["NHI1:2025"],
    controls: &[
        "CIS-Controls-8.1:5.3",
        "CSA-CCM-4:IAM-03",
        "FedRAMP-20x:KSI-IAM-AAM",
        "ISO-27001-2022:A.5.18",
        "NIS2:11.5.4",
        "NIST-800-53r5:AC-2(3)",
        "NIST-800-53r5:IA-5",
        "SOC2:CC6.2",
    ],
    settings: &[],
    source: include_str!("token_of_departed_user.rs"),
};

pub(super) struct TokenOfDepartedUser;

impl Rule for TokenOfDepartedUser {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        if !subject.is_credential() {
            return Judgement::steady(Verdict::NotApplicable);
        }
        subject.until_it_ends(departed::judge(subject, META.severity), cx.now)
    }
}
