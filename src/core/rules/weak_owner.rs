//! ## What it does
//! Reports identities whose owner is known only with less than `min_confidence` percent
//! confidence: guessed from a description, a path or whoever made it.
//!
//! ## Why it matters
//! A guessed owner looks as good as a stated one in a table, until the day somebody has to
//! answer. People move, paths and descriptions do not.
//!
//! ## How it is found
//! Each kind of evidence has a confidence: an owner tag 95, a catalogue 90, the stack that manages
//! the record 60, a description 50, a path 40, the creator 30, the account around it 20. An
//! inherited owner has 5 less. Exactly `min_confidence` is enough. Fields: `owner`,
//! `owner_evidence`.
//!
//! ## Not reported
//! - Identities without any owner: see `ownerless-identity`.
//! - Identities whose owner evidence could not be read in full: a better statement may be among
//!   what is missing, so the verdict is "unknown".
//! - Service-linked roles, accounts that a cluster makes for its own controllers, roles of IAM
//!   Identity Center, root users, people and credentials.
//! - A namespace's `default` account, runners and their groups: see `ownerless-identity`.
//! - A service account whose namespace names an owner: somebody stated it, once for all of them.
//!
//! ## Severity
//! Low, with high confidence: that the owner is a guess is certain.
//!
//! ## Fix
//! Ask the presumed owner, and turn the answer into an owner tag.
//!
//! ### CLI
//! ```sh
//! aws iam tag-role --role-name NAME --tags Key=owner,Value=TEAM
//! aws iam tag-user --user-name NAME --tags Key=owner,Value=TEAM
//! kubectl -n NAMESPACE annotate serviceaccount NAME a8r.io/owner=TEAM
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "aws_iam_role" "name" {
//!   # ...
//!   tags = { owner = "TEAM" }
//! }
//! ```

use headcount_sdk::model::OwnerBasis;

use super::subject::{kind, trust_class};
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
use crate::findings::{Certainty, Severity};
use crate::inventory::Owner;

static META: Meta = Meta {
    id: "weak-owner",
    title: "Owner is only a guess",
    severity: Severity::Low,
    judges: Judges::Records,
    owasp: &["NHI1:2025"],
    controls: &["CIS-Controls-8.1:5.5", "ISO-27001-2022:A.5.9", "NIST-800-53r5:AC-2"],
    settings: &[Setting::MinConfidence {
        default: 60,
        about: "The least confidence, in percent, with which an owner must be known.",
    }],
    source: include_str!("weak_owner.rs"),
};

pub(super) struct WeakOwner;

impl Rule for WeakOwner {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        Judgement::steady(verdict(cx, subject))
    }
}

fn verdict(cx: &Context<'_>, subject: &Subject<'_>) -> Verdict {
    if !subject.is_identity() || subject.is_root() || subject.belongs_elsewhere() {
        return Verdict::NotApplicable;
    }
    let managed = [trust_class::SERVICE_LINKED, trust_class::IDENTITY_CENTER];
    if let Some(verdict) = subject.exempt(&managed) {
        return verdict;
    }
    let owner = subject.record.owner.as_ref();
    let is_stated_around =
        |o: &Owner| subject.is_kind(kind::SERVICE_ACCOUNT) && o.basis == OwnerBasis::Container;
    let is_sure = |o: &Owner| o.confidence.as_percent() >= cx.settings.min_confidence;
    if owner.is_some_and(|owner| is_sure(owner) || is_stated_around(owner)) {
        return Verdict::Clear;
    }
    if let Some(unread) = subject.unread("owner_evidence").or_else(|| subject.unread("labels")) {
        return unread;
    }
    let Some(owner) = owner else {
        return Verdict::NotApplicable;
    };
    let (name, basis) = (&owner.reference, owner.basis.as_str());
    let title = format!("The owner of {} is only a guess: {name} ({basis})", subject.label());
    subject
        .violation(META.severity, Certainty::High, title)
        .fact("owner", name)
        .fact("owner_basis", basis)
        .fact("owner_locator", &owner.locator)
        .fact("owner_confidence", owner.confidence.as_percent())
        .fact("min_confidence", cx.settings.min_confidence)
        .into()
}
