//! ## What it does
//! Reports identities for which nothing that was read names an accountable person or team.
//!
//! ## Why it matters
//! When an identity without owner leaks, expires or goes stale, there is nobody to ask, so the
//! finding stays and the identity too. Every register of service accounts that an auditor asks
//! for has an owner column.
//!
//! ## How it is found
//! Owner evidence is collected from tags and labels, the stack that manages the record, its
//! description, its path and the identity around it. The strongest wins; texts such as `tbd` or
//! `none` name nobody. On AWS, tags come from `iam:GetAccountAuthorizationDetails`. On Kubernetes:
//! labels and annotations of the service account, of what runs as it and of its namespace. On
//! GitHub: whoever installed the app, as the audit log tells. What uses an identity from another
//! source lends it its owner: the repository that deploys with a role, the workload behind an
//! account. Fields: `owner`, `owner_evidence`, `links`.
//!
//! ## Not reported
//! - Identities whose owner evidence could not be read and of which no owner is known: the verdict
//!   is "unknown".
//! - An owner that is only guessed: see `weak-owner`.
//! - An owner who has left: see `orphaned-identity`.
//! - Service-linked roles and roles of IAM Identity Center, which their service manages; accounts
//!   that a cluster makes for its own controllers; root users, which belong to the account; people.
//! - A namespace's `default` account, which belongs to the namespace, and runners and their groups,
//!   for which GitHub has no place to write an owner.
//! - Credentials, which have the owner of their identity.
//!
//! ## Severity
//! Medium, and high for an identity that is or can make itself an administrator. The confidence is
//! high.
//!
//! ## Fix
//! Find the team (who made it, what uses it, which repository names it) and write it down where
//! the identity is. An owner tag is read at the next scan and resolves the finding. On Kubernetes
//! one label on the namespace answers for all accounts in it, with less confidence. GitHub has no
//! field for the owner of an app or a machine user: keep the answer in your register, and switch the
//! rule off for that one by an override with `match: {kind: app-installation, name: SLUG}`.
//!
//! ### CLI
//! ```sh
//! aws iam tag-role --role-name NAME --tags Key=owner,Value=TEAM
//! aws iam tag-user --user-name NAME --tags Key=owner,Value=TEAM
//! kubectl -n NAMESPACE annotate serviceaccount NAME a8r.io/owner=TEAM
//! kubectl annotate namespace NAMESPACE a8r.io/owner=TEAM
//! ```
//!
//! ### Terraform
//! ```hcl
//! provider "aws" {
//!   default_tags {
//!     tags = { owner = "TEAM" }
//!   }
//! }
//! ```

use super::subject::trust_class;
use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict};
use crate::findings::{Certainty, Severity};

static META: Meta = Meta {
    id: "ownerless-identity",
    title: "Identity without owner",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI1:2025"],
    controls: &[
        "CIS-Controls-8.1:5.5",
        "CSA-CCM-4:IAM-03",
        "ISO-27001-2022:A.5.9",
        "NIST-800-53r5:AC-2",
        "NIST-800-53r5:AC-2(3)",
        "NIST-CSF-2.0:PR.AA-01",
        "SOC2:CC6.1",
    ],
    settings: &[],
    source: include_str!("ownerless_identity.rs"),
};

pub(super) struct OwnerlessIdentity;

impl Rule for OwnerlessIdentity {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, _cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        Judgement::steady(verdict(subject))
    }
}

fn verdict(subject: &Subject<'_>) -> Verdict {
    if !subject.is_identity() || subject.is_root() || subject.belongs_elsewhere() {
        return Verdict::NotApplicable;
    }
    let managed = [trust_class::SERVICE_LINKED, trust_class::IDENTITY_CENTER];
    if let Some(verdict) = subject.exempt(&managed) {
        return verdict;
    }
    // That there is an owner needs no proof that all evidence was read; that there is none does.
    if subject.record.owner.is_some() {
        return Verdict::Clear;
    }
    if let Some(unread) = subject.unread("owner_evidence").or_else(|| subject.unread("labels")) {
        return unread;
    }
    if let Some(missing) = subject.parent_missing() {
        return missing;
    }
    let severity = if subject.is_powerful() { Severity::High } else { META.severity };
    let title = format!("{} has no owner", subject.label());
    subject
        .violation(severity, Certainty::High, title)
        .fact("evidence_read", subject.record.observation.owner_evidence.len())
        .into()
}
