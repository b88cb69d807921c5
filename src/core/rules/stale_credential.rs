//! ## What it does
//! Reports credentials that still work but have not been used for more than `days` days. One that
//! was never used is idle since it was made, or since its source began to record use, whichever
//! is later; if its source does not tell when it was made, since the agent first saw it.
//!
//! ## Why it matters
//! A key that nobody uses lies in an old laptop, a backup or a build log. Deleting it costs
//! nothing; finding out that somebody else used it costs a lot.
//!
//! ## How it is found
//! From the last use that the source records for this one credential, never from another one of
//! the same identity. On AWS: the `access_key_N_last_used_date` columns of
//! `iam:GetCredentialReport`, to 15 minutes. On GitHub: the last use of tokens, authorised
//! credentials and deploy keys. On Kubernetes: the label `kubernetes.io/legacy-token-last-used` of
//! legacy tokens, to one day. The time by which a source may lag behind is added to the threshold.
//! Exactly `days` days is not yet too long. Fields: `usage`, `created_at`, `status`.
//!
//! ## Not reported
//! - Credentials whose use the source does not record (AWS: service-specific credentials, signing
//!   certificates, SSH keys; GitHub: secrets of pipelines; Kubernetes: certificates), or whose use
//!   could not be read: the verdict is "unknown", and a finding that is open stays open.
//! - A legacy token that the cluster has switched off: see `legacy-token`.
//! - Credentials that are switched off: the danger is gone, and switching off is a fix.
//!
//! ## Severity
//! Medium. The confidence is high; medium if the source does not tell when the credential was
//! made, or whether it is active.
//!
//! ## Fix
//! Switch it off, wait until nothing has broken for a while, then delete it.
//!
//! ### CLI
//! ```sh
//! aws iam get-access-key-last-used --access-key-id KEY_ID
//! aws iam update-access-key --user-name USER --access-key-id KEY_ID --status Inactive
//! aws iam delete-access-key --user-name USER --access-key-id KEY_ID
//! gh repo deploy-key delete KEY_ID --repo OWNER/REPO
//! gh api -X POST /orgs/ORG/personal-access-tokens/PAT_ID -f action=revoke
//! kubectl -n NAMESPACE delete secret NAME
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "aws_iam_access_key" "name" {
//!   user   = "USER"
//!   status = "Inactive" # then remove the block
//! }
//! ```

use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict, idle};
use crate::findings::Severity;

static META: Meta = Meta {
    id: "stale-credential",
    title: "Credential is no longer used",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI1:2025"],
    controls: &[
        "CIS-AWS-7.0:2.11",
        "CIS-Controls-8.1:5.3",
        "FedRAMP-20x:KSI-IAM-SNU",
        "ISO-27001-2022:A.5.17",
        "NIST-800-53r5:AC-2(3)",
        "NIST-800-53r5:IA-5",
        "SOC2:CC6.3",
    ],
    settings: &[Setting::Days { default: 90, about: "The longest idle time that is accepted." }],
    source: include_str!("stale_credential.rs"),
};

pub(super) struct StaleCredential;

impl Rule for StaleCredential {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        let is_invalid = subject.attribute("invalid_since").is_some();
        if !subject.is_credential() || is_invalid {
            return Judgement::steady(Verdict::NotApplicable);
        }
        idle::judge(cx, subject, META.severity)
    }
}
