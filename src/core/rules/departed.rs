//! Whether the owner of a record has left: the judgement that `orphaned-identity` and
//! `token-of-departed-user` share. Only a full list of members can show it.

use headcount_sdk::model::{OwnerBasis, Standing};

use super::{Subject, Verdict};
use crate::findings::{Certainty, Severity};
use crate::inventory::{Owner, Record};

pub(super) fn judge(subject: &Subject<'_>, severity: Severity) -> Verdict {
    if subject.is_system() {
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
    source_of(subject, owner).is_some_and(|from| from.observation.class.is_identity())
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
