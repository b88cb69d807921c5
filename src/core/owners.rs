//! Weighs owner evidence into one owner. Evidence is never thrown away: the losers stay on the
//! record, so that a person can see why this owner and no other.

use headcount_sdk::model::{Confidence, Observation, OwnerBasis, OwnerEvidence};

use crate::inventory::{Owner, Record};

#[cfg(test)]
mod tests;

/// What people write where an owner belongs when there is none. Compared without case.
const NOBODY: [&str; 14] = [
    "-",
    "--",
    "?",
    "n/a",
    "na",
    "nobody",
    "none",
    "null",
    "nil",
    "tbd",
    "todo",
    "unassigned",
    "undefined",
    "unknown",
];

/// Confidence taken off when the owner is that of the parent.
const INHERITED: u8 = 5;

/// The owner of an observation: its own strongest evidence, else its parent's owner.
///
/// `None` means that no evidence names anyone. Whether the evidence could be read at all is the
/// caller's question (`Observation::unread`). `parent` is the record that the observation names
/// as its parent, with its own owner resolved.
#[must_use]
pub fn resolve(observation: &Observation, parent: Option<&Record>) -> Option<Owner> {
    let own = observation.owner_evidence.iter().filter(|e| names_someone(&e.reference));
    // On a tie the smaller evidence wins, so that the order of tags changes nothing.
    let strongest = own.min_by(|a, b| weight(b.basis).cmp(&weight(a.basis)).then_with(|| a.cmp(b)));
    match strongest {
        Some(evidence) => Some(owned(evidence)),
        None => parent.and_then(inherited),
    }
}

/// Whether an owner is named at all. `Owner: TBD` must not hide that nobody is.
#[must_use]
pub fn names_someone(reference: &str) -> bool {
    let text = reference.trim();
    !text.is_empty() && !NOBODY.iter().any(|nobody| text.eq_ignore_ascii_case(nobody))
}

fn owned(evidence: &OwnerEvidence) -> Owner {
    Owner {
        reference: evidence.reference.trim().to_owned(),
        kind: evidence.kind,
        basis: evidence.basis,
        locator: evidence.locator.clone(),
        confidence: weight(evidence.basis),
        inherited_from: None,
        path: Vec::new(),
        standing: evidence.standing,
    }
}

fn inherited(parent: &Record) -> Option<Owner> {
    let owner = parent.owner.clone()?;
    let confidence = Confidence::percent(owner.confidence.as_percent().saturating_sub(INHERITED));
    let path = std::iter::once(parent.id().clone()).chain(owner.path.iter().cloned()).collect();
    Some(Owner { confidence, inherited_from: Some(parent.id().clone()), path, ..owner })
}

/// How far each basis is trusted. An outright statement on the record is nearly certain; whoever
/// made a record, or owns the account around it, is a candidate at best.
#[must_use]
pub const fn weight(basis: OwnerBasis) -> Confidence {
    Confidence::percent(match basis {
        OwnerBasis::Label => 95,
        OwnerBasis::Catalog => 90,
        OwnerBasis::Stack => 60,
        OwnerBasis::Description => 50,
        OwnerBasis::Path => 40,
        OwnerBasis::Creator => 30,
        OwnerBasis::Container => 20,
    })
}
