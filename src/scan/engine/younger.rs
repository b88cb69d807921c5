//! Records that a hint had read again while a scan of their place was under way.
//!
//! A scan's bulk answers may be older than such a re-reading, so what the scan says of these
//! records is left out: a role that was made after the bulk call is not gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use headcount_sdk::RecordId;

/// By source and place, for as long as the place is being scanned.
type Watched = BTreeMap<(String, String), BTreeSet<RecordId>>;

#[derive(Debug, Default)]
pub(super) struct Younger(Mutex<Watched>);

/// A scan of a place; over when it is dropped, also by an interruption.
pub(super) struct Watch<'a> {
    younger: &'a Younger,
    key: (String, String),
}

impl Younger {
    /// Begins to remember what hints have read again at this place.
    pub(super) fn watch(&self, source: &str, place: &str) -> Watch<'_> {
        let key = (source.to_owned(), place.to_owned());
        self.lock().insert(key.clone(), BTreeSet::new());
        Watch { younger: self, key }
    }

    pub(super) fn add(&self, source: &str, place: &str, ids: impl Iterator<Item = RecordId>) {
        if let Some(known) = self.lock().get_mut(&(source.to_owned(), place.to_owned())) {
            known.extend(ids);
        }
    }

    pub(super) fn of(&self, source: &str, place: &str) -> BTreeSet<RecordId> {
        self.lock().get(&(source.to_owned(), place.to_owned())).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.younger.lock().remove(&self.key);
    }
}
