//! Weighs owner evidence into one owner. Evidence is never thrown away: the losers stay on the
//! record, so that a person can see why this owner and no other.
//!
//! What a record says of itself goes first, then what its parent is, then who uses it: the
//! repository whose pipeline assumes a role, the deployment that runs as an account. Every step
//! away costs confidence. A mere candidate (who made it, whose account it is in) stands only where
//! nothing surer is inherited.
//!
//! Refuses: to choose among several. What two teams use is shared, and nobody here can say whose
//! it is; that nobody is named then is itself worth knowing.

use headcount_sdk::model::{
    Confidence, LinkKind, Observation, OwnerBasis, OwnerEvidence, RecordId,
};
use headcount_sdk::owner::names_someone;

use crate::graph::{self, By};
use crate::inventory::{Neighbour, Owner, Record, Surroundings};

#[cfg(test)]
mod tests;

/// Confidence taken off for every step away from the evidence.
const STEP: u8 = 5;
/// How sure a link must be, in percent, before an owner comes over it: a trust in one repository
/// or one namespace is, a trust in a whole organisation is not.
const SURE: u8 = 60;
/// Links that an owner may come over, at most. Longer trails are guesses.
pub const LONGEST: usize = 8;

/// The owner of a record, with the owners of those around it as they are known now.
///
/// `None` means that no evidence names anyone, or that those who use it have several owners.
/// Whether the evidence could be read at all is the caller's question (`Observation::unread`).
/// `parent` is the record that the observation names as its parent.
#[must_use]
pub fn resolve(record: &Record, parent: Option<&Record>, around: &Surroundings) -> Option<Owner> {
    let stated = evidenced(&record.observation);
    if stated.as_ref().is_some_and(|owner| !is_candidate(owner.basis)) {
        return stated;
    }
    let over_parent = parent.and_then(|parent| inherited(record, parent, Confidence::CERTAIN));
    let inherited = over_parent.or_else(|| of_users(record, around));
    match (stated, inherited) {
        (Some(candidate), Some(surer)) if surer.confidence > candidate.confidence => Some(surer),
        (Some(candidate), _) => Some(candidate),
        (None, inherited) => inherited,
    }
}

/// The owner that a record's own evidence names.
#[must_use]
pub fn evidenced(observation: &Observation) -> Option<Owner> {
    let own = observation.owner_evidence.iter().filter(|e| names_someone(&e.reference));
    // On a tie the smaller evidence wins, so that the order of tags changes nothing.
    own.min_by(|a, b| weight(b.basis).cmp(&weight(a.basis)).then_with(|| a.cmp(b))).map(owned)
}

/// Whoever made a record, or has the account around it, may be its owner and need not.
const fn is_candidate(basis: OwnerBasis) -> bool {
    matches!(basis, OwnerBasis::Creator | OwnerBasis::Container)
}

/// The one owner of all that use the record. Users without owner have no say.
fn of_users(record: &Record, around: &Surroundings) -> Option<Owner> {
    // People use much that is not theirs, and a repository is what others are owned by.
    if !record.observation.class.is_counted() {
        return None;
    }
    let mut owners = users(record, around)
        .filter(|user| user.confidence.as_percent() >= SURE)
        .filter_map(|user| inherited(record, &user.record, user.confidence));
    let mut best = owners.next()?;
    for other in owners {
        if !other.reference.eq_ignore_ascii_case(&best.reference) {
            return None;
        }
        if (best.confidence, &other.path) < (other.confidence, &best.path) {
            best = other;
        }
    }
    Some(best)
}

/// Those who act through the record: what links to it as used or mounted, and what it lets in by
/// a subject. A trust between principals of an account says who may, not who does.
fn users<'a>(record: &'a Record, around: &'a Surroundings) -> impl Iterator<Item = &'a Neighbour> {
    let linking = around
        .incoming
        .iter()
        .filter(|user| matches!(user.kind, LinkKind::Uses | LinkKind::Mounts));
    let let_in = around.outgoing.iter().filter(|user| {
        user.kind == LinkKind::Trusts
            && graph::connect(record, &user.record)
                .iter()
                .any(|c| c.kind == LinkKind::Trusts && c.by == By::Subject)
    });
    linking.chain(let_in)
}

/// The owner of `from` as it comes to `to`. Nothing comes back to where it came from.
fn inherited(to: &Record, from: &Record, sure: Confidence) -> Option<Owner> {
    let owner = from.owner.clone()?;
    let is_loop = from.id() == to.id() || owner.path.contains(to.id());
    if is_loop || owner.path.len() >= LONGEST {
        return None;
    }
    let confidence = graph::times(owner.confidence, sure).as_percent().saturating_sub(STEP);
    let path: Vec<RecordId> =
        std::iter::once(from.id().clone()).chain(owner.path.iter().cloned()).collect();
    Some(Owner {
        confidence: Confidence::percent(confidence),
        inherited_from: Some(from.id().clone()),
        path,
        ..owner
    })
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
