//! ## What it does
//! Reports identities whose owner has left the organisation, and credentials that nobody but
//! somebody who left answers for.
//!
//! ## Why it matters
//! The owner column is filled in, so the record looks cared for; yet nobody will answer. Worse,
//! whoever left may still hold the key: a token or deploy key works until somebody takes it away,
//! long after the laptop was handed in.
//!
//! ## How it is found
//! The owner that the evidence names is compared with the full list of the organisation's members.
//! On GitHub: the owner of a token or SSH key, and whoever added a deploy key if its repository
//! names nobody surer, against the lists of members and outside collaborators. On Kubernetes and
//! AWS: owner labels and tags, where a source can tell that the person they name has left. Fields:
//! `owner`, `owner_evidence`.
//!
//! ## Not reported
//! - Owners of whom no source can tell whether they are still there: a team's name, a tag with an
//!   address of which no directory is counted.
//! - Identities without any owner: see `ownerless-identity`. A guess at an owner who is still there:
//!   see `weak-owner`.
//! - Records whose owner's standing could not be read this time: the verdict is "unknown".
//! - What inherits its owner from another identity, and credentials of an identity: they are told
//!   once, at the identity.
//! - What is switched off or has expired: that is what offboarding asks for.
//!
//! ## Severity
//! Medium for an identity, and high for one that is or can make itself an administrator. High for
//! a credential, which may be in the hands of whoever left. The confidence is high where an owner
//! was stated outright; medium where the one who left is only a candidate, such as who made it; and
//! medium if the source does not tell whether it is active.
//!
//! ## Fix
//! Revoke what the person held. Find the team that took the work over, and write it down as owner;
//! give what it needs a credential of its own.
//!
//! ### CLI
//! ```sh
//! gh api -X POST /orgs/ORG/personal-access-tokens/PAT_ID -f action=revoke
//! gh api -X DELETE /orgs/ORG/credential-authorizations/CREDENTIAL_ID
//! gh api -X DELETE /repos/OWNER/REPO/keys/KEY_ID
//! kubectl -n NAMESPACE annotate --overwrite serviceaccount NAME a8r.io/owner=TEAM
//! aws iam tag-role --role-name NAME --tags Key=owner,Value=TEAM
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "kubernetes_service_account_v1" "name" {
//!   metadata {
//!     name        = "NAME"
//!     namespace   = "NAMESPACE"
//!     annotations = { "a8r.io/owner" = "TEAM" }
//!   }
//! }
//! ```

use headcount_sdk::model::{Class, Expiry, OwnerBasis, Standing};

use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict};
use crate::findings::{Certainty, Severity};
use crate::inventory::{Owner, Record};

static META: Meta = Meta {
    id: "orphaned-identity",
    title: "Owner has left the organisation",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI1:2025"],
    controls: &[
        "CIS-Controls-8.1:5.5",
        "CSA-CCM-4:IAM-03",
        "FedRAMP-20x:KSI-IAM-AAM",
        "ISO-27001-2022:A.5.18",
        "ISO-27001-2022:A.5.9",
        "NIS2:11.5.4",
        "NIST-800-53r5:AC-2(3)",
        "SOC2:CC6.2",
    ],
    settings: &[],
    source: include_str!("orphaned_identity.rs"),
};

pub(super) struct OrphanedIdentity;

impl Rule for OrphanedIdentity {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        let verdict = verdict(subject);
        match (&verdict, &subject.record.observation.expiry) {
            (Verdict::Violation(_), Expiry::At { at }) if *at <= cx.now => {
                Judgement::steady(Verdict::Clear)
            }
            (Verdict::Violation(_), Expiry::At { at }) => Judgement::until(verdict, *at),
            _ => Judgement::steady(verdict),
        }
    }
}

fn verdict(subject: &Subject<'_>) -> Verdict {
    let is_judged = subject.is_identity() || subject.is_credential();
    if !is_judged || subject.is_root() || subject.is_system() {
        return Verdict::NotApplicable;
    }
    let Some(usable) = subject.usable() else {
        return Verdict::Clear;
    };
    let unread = subject.unread("owner_standing").or_else(|| subject.unread("owner_evidence"));
    let Some(owner) = &subject.record.owner else {
        return unread.unwrap_or(Verdict::NotApplicable);
    };
    if is_told_elsewhere(subject, owner) {
        return Verdict::NotApplicable;
    }
    if let Some(unread) = unread.or_else(|| unread_at_the_source(subject, owner)) {
        return unread;
    }
    match owner.standing {
        Standing::Left => {}
        Standing::Present => return Verdict::Clear,
        // Nobody can say of a team's name whether it has left.
        Standing::NotKnown => return Verdict::NotApplicable,
    }
    let is_grave = subject.is_credential() || subject.is_powerful();
    let severity = if is_grave { Severity::High } else { META.severity };
    let (name, basis) = (&owner.reference, owner.basis.as_str());
    let title = format!("The owner of {} has left: {name} ({basis})", subject.label());
    subject
        .violation(severity, usable.min(certainty(owner.basis)), title)
        .fact("owner", name)
        .fact("owner_basis", basis)
        .fact("owner_locator", &owner.locator)
        .into()
}

/// Whether the owner is that of another identity, where the same is reported.
fn is_told_elsewhere(subject: &Subject<'_>, owner: &Owner) -> bool {
    source_of(subject, owner).is_some_and(|from| from.observation.class == Class::Identity)
}

/// The record that carries the evidence may have been read without the list of members.
fn unread_at_the_source(subject: &Subject<'_>, owner: &Owner) -> Option<Verdict> {
    let why = source_of(subject, owner)?.observation.unread.get("owner_standing")?;
    Some(Verdict::unknown(format!("owner_standing ({why})")))
}

/// The nearest record that the owner was inherited from, as far as it is at hand.
fn source_of<'a>(subject: &Subject<'a>, owner: &Owner) -> Option<&'a Record> {
    let from = owner.inherited_from.as_ref()?;
    let around = subject.around.incoming.iter().chain(&subject.around.outgoing);
    let at_hand = subject.parent.into_iter().chain(around.map(|neighbour| &neighbour.record));
    at_hand.into_iter().find(|record| record.id() == from)
}

/// Whoever made a record, or is named in passing, is a candidate and no owner.
fn certainty(basis: OwnerBasis) -> Certainty {
    match basis {
        OwnerBasis::Label | OwnerBasis::Catalog | OwnerBasis::Stack => Certainty::High,
        OwnerBasis::Description
        | OwnerBasis::Path
        | OwnerBasis::Creator
        | OwnerBasis::Container => Certainty::Medium,
    }
}
