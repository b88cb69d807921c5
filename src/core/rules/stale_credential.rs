//! ## What it does
//! Reports credentials that still work but have not been used for more than `days` days. One that
//! was never used is idle since it was made, or since its source began to record use, whichever
//! is later; if its source does not tell when it was made, since the agent first saw it. One that
//! ends by itself when nobody uses it is reported after half of that time, if that is less.
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
//! Exactly `days` days is not yet too long. API tokens of Okta end 30 days after their last use, so
//! that they are reported after 15; the fact `expires_when_idle_days` says so. Fields: `usage`,
//! `created_at`, `status`, `attributes.expires_when_idle_days`.
//!
//! ## Not reported
//! - Credentials whose use the source does not record (AWS: service-specific credentials, signing
//!   certificates, SSH keys; GitHub: secrets of pipelines; Kubernetes: certificates), or whose use
//!   could not be read: the verdict is "unknown", and a finding that is open stays open. The same
//!   holds while it is not known after how many idle days it ends.
//! - A legacy token that the cluster has switched off: see `legacy-token`.
//! - Credentials that are switched off: the danger is gone, and switching off is a fix.
//!
//! ## Severity
//! Medium. The confidence is high; medium if the source does not tell when the credential was
//! made, or whether it is active.
//!
//! ## Fix
//! Switch it off, wait until nothing has broken for a while, then delete it. One that ends when it
//! is idle is about to do so: delete it, or find out what has stopped using it.
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

use super::idle::{self, Limit};
use super::subject::attribute;
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
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
        match limit(cx, subject) {
            Ok(limit) => idle::judge(cx.now, subject, META.severity, limit),
            Err(unknown) => Judgement::steady(unknown),
        }
    }
}

/// What dies of idleness is gone before the usual limit: half of its life is late enough.
fn limit(cx: &Context<'_>, subject: &Subject<'_>) -> Result<Limit, Verdict> {
    let name = attribute::ENDS_WHEN_IDLE;
    let usual = Limit { days: cx.settings.days, ends_after: None };
    let field = format!("attributes.{name}");
    if let Some(unread) = subject.unread(&field) {
        return Err(unread);
    }
    let Some(text) = subject.attribute(name) else {
        return Ok(usual);
    };
    let ends_after: u32 =
        text.parse().map_err(|_| Verdict::unknown(format!("{field} (no number of days)")))?;
    let half = (ends_after / 2).max(1);
    Ok(if half < usual.days { Limit { days: half, ends_after: Some(ends_after) } } else { usual })
}
