//! Who made what, from the event until the record is read.
//!
//! IAM does not tell, and CloudTrail forgets after 90 days. The evidence goes into every reading
//! of the record from then on, by hint or by scan, so that none that is thrown away takes it
//! along; once one is committed, the inventory remembers it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use headcount_sdk::{Observation, OwnerEvidence, RecordId, Recorder};

use super::event::Creator;

/// More than an organisation makes between two scans. Beyond it the oldest go, which the
/// inventory has long had.
const MOST: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Creators(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    evidence: BTreeMap<RecordId, OwnerEvidence>,
    /// Oldest first.
    order: VecDeque<RecordId>,
}

impl Creators {
    pub(crate) fn remember(&self, creator: Creator) {
        let mut known = self.lock();
        if known.evidence.insert(creator.of.clone(), creator.evidence).is_none() {
            known.order.push_back(creator.of);
        }
        while known.order.len() > MOST {
            if let Some(oldest) = known.order.pop_front() {
                known.evidence.remove(&oldest);
            }
        }
    }

    /// Records into `outer`, with what is known of the creator.
    pub(crate) fn adding(&self, mut outer: Recorder<'_>) -> impl FnMut(Observation) + Send {
        move |mut observation| {
            if let Some(evidence) = self.lock().evidence.get(&observation.id) {
                observation.owner_evidence.push(evidence.clone());
            }
            outer.record(observation);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use headcount_sdk::{OwnerBasis, OwnerKind, Standing};

    use super::*;

    fn creator(n: usize) -> Creator {
        let evidence = OwnerEvidence {
            reference: format!("maker-{n}"),
            basis: OwnerBasis::Creator,
            locator: "cloudtrail:CreateUser".to_owned(),
            kind: OwnerKind::Technical,
            standing: Standing::NotKnown,
        };
        Creator { of: RecordId::new("aws:123456789012", "iam-user", &n.to_string()), evidence }
    }

    #[test]
    fn a_flood_pushes_out_the_oldest_and_repetition_nobody() {
        let creators = Creators::default();
        for n in 0..=MOST {
            creators.remember(creator(n));
            creators.remember(creator(MOST));
        }
        let known = creators.lock();
        assert_eq!((known.evidence.len(), known.order.len()), (MOST, MOST));
        assert!(!known.evidence.contains_key(&creator(0).of));
        assert!(known.evidence.contains_key(&creator(MOST).of));
        assert!(known.evidence.contains_key(&creator(1).of));
    }
}
