//! ## What it does
//! Reports keys of AI platforms for which nobody is known to answer.
//!
//! ## Why it matters
//! A key of an AI platform spends money by the second and takes in whatever it is given: source
//! code, mail, records of customers. Such keys are made in minutes, for a trial, and outlive it.
//! Without an owner nobody can say what is sent there, and nobody dares to switch it off.
//!
//! ## How it is found
//! The attribute `ai_provider` says that a credential opens an AI platform. On OpenAI: admin keys,
//! and keys of projects. On Anthropic: API keys of all workspaces. A key has an owner if the platform
//! names the user whose key it is or who made it. Fields: `attributes.ai_provider`, `owner`,
//! `owner_evidence`.
//!
//! ## Not reported
//! - Keys that belong to a service account or another agent's identity: whether that one has an owner
//!   is told once, at the identity, by `ownerless-identity`.
//! - Keys whose owners could not be read, or whose identity is not counted yet: the verdict is
//!   "unknown".
//! - Keys whose owner has left: see `token-of-departed-user`.
//! - Keys that are switched off or have expired.
//! - Keys of AI platforms that no source reads, such as those in a password manager.
//!
//! ## Severity
//! Medium; high for a key that administers the organisation. The confidence is high; medium if the
//! source does not tell whether the key is active.
//!
//! ## Fix
//! Ask the teams that use the platform. Replace the key by one of a service account in a project or
//! workspace of the team that answers for it, with a limit on what it may spend, and revoke it.
//!
//! ### CLI
//! ```sh
//! curl -X POST "https://api.openai.com/v1/organization/projects/PROJECT/service_accounts" \
//!   -H "Authorization: Bearer $OPENAI_ADMIN_KEY" -H "Content-Type: application/json" \
//!   -d '{"name":"TEAM-APPLICATION"}'
//! curl -X POST "https://api.anthropic.com/v1/organizations/api_keys/KEY_ID" \
//!   -H "x-api-key: $ANTHROPIC_ADMIN_KEY" -H "anthropic-version: 2023-06-01" \
//!   -H "content-type: application/json" -d '{"status":"inactive"}'
//! ```
//!
//! ### Terraform
//! ```hcl
//! # a project for each team: its name says who answers for the keys in it
//! resource "openai_project" "team" {
//!   name = "TEAM-APPLICATION"
//! }
//! ```

use super::subject::attribute;
use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict};
use crate::findings::Severity;

static META: Meta = Meta {
    id: "ai-key-without-owner",
    title: "Key of an AI platform without owner",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI1:2025"],
    controls: &[
        "CIS-Controls-8.1:5.5",
        "CSA-CCM-4:IAM-03",
        "ISO-27001-2022:A.5.9",
        "NIST-800-53r5:AC-2",
        "NIST-CSF-2.0:PR.AA-01",
        "SOC2:CC6.1",
    ],
    settings: &[],
    source: include_str!("ai_key_without_owner.rs"),
};

pub(super) struct AiKeyWithoutOwner;

impl Rule for AiKeyWithoutOwner {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        subject.until_it_ends(verdict(subject), cx.now)
    }
}

fn verdict(subject: &Subject<'_>) -> Verdict {
    if !subject.is_credential() || subject.has_parent_identity() {
        return Verdict::NotApplicable;
    }
    let platform = match subject.unread(&format!("attributes.{}", attribute::AI_PROVIDER)) {
        Some(unread) => return unread,
        None => subject.attribute(attribute::AI_PROVIDER),
    };
    let Some(platform) = platform else {
        return Verdict::NotApplicable;
    };
    let Some(usable) = subject.usable() else {
        return Verdict::Clear;
    };
    // That there is an owner needs no proof that all evidence was read; that there is none does.
    if subject.record.owner.is_some() {
        return Verdict::Clear;
    }
    let unread = subject.unread("owner_evidence").or_else(|| subject.unread("labels"));
    if let Some(unknown) = unread.or_else(|| subject.parent_missing()) {
        return unknown;
    }
    let severity = if subject.is_powerful() { Severity::High } else { META.severity };
    let title = format!("{} has no owner", subject.label());
    subject.violation(severity, usable, title).fact("ai_provider", platform).into()
}
