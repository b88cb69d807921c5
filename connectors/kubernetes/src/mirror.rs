//! What is watched, as it is now: one mirror per kind of object.
//!
//! A mirror answers only while it is [`Phase::Ready`], which is to say: listed to the end, and
//! heard of every change since. `Init` clears nothing; what is known is exchanged for what was
//! listed when that list has ended, and what differs between both is what changed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use headcount_sdk::ScanError;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::id::Place;
use crate::keep::Object;
use crate::kinds::Kind;
use crate::world::{Objects, World};

/// Whether a mirror may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not listed to its end yet, or no longer sure to have heard of everything.
    Filling,
    Ready,
    Failed(ScanError),
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Whether a list has ended ever.
    was_filled: bool,
    /// Whether it failed since the last list ended.
    has_failed: bool,
    /// Shared with whoever reads; copied only when it changes while somebody does.
    objects: Arc<Objects>,
}

/// An object before and after.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) old: Option<Arc<Object>>,
    pub(crate) new: Option<Arc<Object>>,
}

/// What the end of a list brought.
#[derive(Debug)]
pub(crate) struct Swapped {
    pub(crate) changes: Vec<Change>,
    /// There was nothing to compare with.
    pub(crate) is_first: bool,
    /// The watch had failed before.
    pub(crate) has_recovered: bool,
}

/// The mirrors of one cluster.
#[derive(Debug)]
pub(crate) struct Mirrors {
    pub(crate) place: Place,
    states: Mutex<BTreeMap<Kind, State>>,
    /// Answers that are no lists, as the last scan or the start of the feed read them.
    pub(crate) issuer: Mutex<Result<String, ScanError>>,
    pub(crate) tracked_since: Mutex<Result<Timestamp, ScanError>>,
    settled: Notify,
    /// A scan listed for itself before the mirrors were full: changes since then made no hint.
    was_bypassed: Arc<AtomicBool>,
}

impl Mirrors {
    pub(crate) fn new(
        place: Place,
        kinds: impl Iterator<Item = Kind>,
        issuer: Result<String, ScanError>,
        tracked_since: Result<Timestamp, ScanError>,
    ) -> Self {
        let empty = || State {
            phase: Phase::Filling,
            was_filled: false,
            has_failed: false,
            objects: Arc::default(),
        };
        Self {
            place,
            states: Mutex::new(kinds.map(|kind| (kind, empty())).collect()),
            issuer: Mutex::new(issuer),
            tracked_since: Mutex::new(tracked_since),
            settled: Notify::new(),
            was_bypassed: Arc::default(),
        }
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<Kind, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn phase(&self, kind: Kind) -> Phase {
        self.states().get(&kind).map_or(Phase::Filling, |state| state.phase.clone())
    }

    /// The objects of a kind, if they are known to be all.
    pub(crate) fn ready(&self, kind: Kind) -> Option<Arc<Objects>> {
        let states = self.states();
        let state = states.get(&kind).filter(|state| state.phase == Phase::Ready)?;
        Some(Arc::clone(&state.objects))
    }

    /// What is known now, sure or not: to find out what a change touches.
    pub(crate) fn guess(&self, now: Timestamp) -> World {
        let mut world = World::new(self.place.clone(), now);
        for (kind, state) in self.states().iter() {
            world.put(*kind, Ok(Arc::clone(&state.objects)));
        }
        world
    }

    /// An object was made or changed. `None`: nothing that matters.
    pub(crate) fn apply(&self, kind: Kind, object: Object) -> Option<Change> {
        let mut states = self.states();
        let state = states.get_mut(&kind)?;
        let uid = object.meta().uid.clone();
        let old = state.objects.get(&uid).cloned();
        if old.as_deref() == Some(&object) {
            return None;
        }
        let new = Arc::new(object);
        Arc::make_mut(&mut state.objects).insert(uid, Arc::clone(&new));
        Some(Change { old, new: Some(new) })
    }

    /// An object was deleted.
    pub(crate) fn remove(&self, kind: Kind, uid: &str) -> Option<Change> {
        let mut states = self.states();
        let state = states.get_mut(&kind)?;
        if !state.objects.contains_key(uid) {
            return None;
        }
        let old = Arc::make_mut(&mut state.objects).remove(uid);
        Some(Change { old, new: None })
    }

    /// The watch lost its thread; until the next list ends nobody may rely on it.
    pub(crate) fn refill(&self, kind: Kind) {
        if let Some(state) = self.states().get_mut(&kind) {
            state.phase = Phase::Filling;
        }
    }

    /// A list has ended: this is all there is.
    pub(crate) fn swap(&self, kind: Kind, objects: Objects) -> Swapped {
        let fresh = State {
            phase: Phase::Ready,
            was_filled: true,
            has_failed: false,
            objects: Arc::new(objects),
        };
        let swapped = {
            let mut states = self.states();
            let objects = Arc::clone(&fresh.objects);
            match states.insert(kind, fresh) {
                Some(old) => Swapped {
                    changes: differences(&old.objects, &objects),
                    is_first: !old.was_filled,
                    has_recovered: old.has_failed,
                },
                None => Swapped { changes: Vec::new(), is_first: true, has_recovered: false },
            }
        };
        self.settled.notify_waiters();
        swapped
    }

    /// The watch failed. What is known stays, to compare with. `false`: it had failed like that
    /// before.
    pub(crate) fn fail(&self, kind: Kind, error: ScanError) -> bool {
        let is_news = {
            let mut states = self.states();
            let Some(state) = states.get_mut(&kind) else { return false };
            let failed = Phase::Failed(error);
            state.has_failed = true;
            std::mem::replace(&mut state.phase, failed.clone()) != failed
        };
        self.settled.notify_waiters();
        is_news
    }

    /// Waits until none of these kinds is still being filled.
    pub(crate) async fn settled(&self, kinds: &[Kind]) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            // Registered before the phases are looked at, so that no change in between is missed.
            settled.as_mut().enable();
            if !kinds.iter().any(|kind| self.phase(*kind) == Phase::Filling) {
                return;
            }
            settled.await;
        }
    }

    /// The same, told of scans by whoever makes them, since before there were mirrors.
    pub(crate) fn told_by(self, was_bypassed: &Arc<AtomicBool>) -> Self {
        Self { was_bypassed: Arc::clone(was_bypassed), ..self }
    }

    pub(crate) fn was_bypassed(&self) -> bool {
        self.was_bypassed.load(Ordering::Relaxed)
    }
}

fn differences(old: &Objects, new: &Objects) -> Vec<Change> {
    let gone = old.iter().filter(|(uid, _)| !new.contains_key(*uid));
    let gone = gone.map(|(_, object)| Change { old: Some(Arc::clone(object)), new: None });
    let come = new.iter().filter_map(|(uid, object)| {
        let known = old.get(uid);
        (known != Some(object))
            .then(|| Change { old: known.cloned(), new: Some(Arc::clone(object)) })
    });
    gone.chain(come).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::normalize::accounts::tests::meta;

    fn mirrors() -> Mirrors {
        let unread = || ScanError::NotSupported { operation: String::new(), reason: String::new() };
        let kinds = [Kind::Namespaces].into_iter();
        Mirrors::new(Place::new("c"), kinds, Err(unread()), Err(unread()))
    }

    fn namespace(uid: &str, name: &str) -> Object {
        Object::Namespace(meta(uid, "", name))
    }

    fn objects(all: &[(&str, &str)]) -> Objects {
        let all = all.iter();
        all.map(|(uid, name)| ((*uid).into(), Arc::new(namespace(uid, name)))).collect()
    }

    #[test]
    fn a_mirror_answers_only_when_its_list_has_ended_and_its_watch_is_whole() {
        let mirrors = mirrors();
        let kind = Kind::Namespaces;
        mirrors.apply(kind, namespace("1", "shop"));
        assert!(mirrors.ready(kind).is_none(), "before the end of the list");
        mirrors.swap(kind, objects(&[("1", "shop")]));
        assert_eq!(mirrors.ready(kind).unwrap().len(), 1);
        mirrors.refill(kind);
        assert!(mirrors.ready(kind).is_none(), "after the watch expired");
        mirrors.swap(kind, objects(&[("1", "shop")]));
        let denied =
            ScanError::Denied { operation: "watch".to_owned(), permission: "watch".to_owned() };
        assert!(mirrors.fail(kind, denied.clone()), "the first time is news");
        assert!(!mirrors.fail(kind, denied), "the second is not");
        assert!(mirrors.ready(kind).is_none(), "after it was denied");
        assert_eq!(mirrors.guess(Timestamp::UNIX_EPOCH).namespaces().count(), 1, "nothing went");
    }

    #[test]
    fn what_a_new_list_lacks_is_gone_although_no_event_said_so() {
        let mirrors = mirrors();
        let kind = Kind::Namespaces;
        mirrors.swap(kind, objects(&[("1", "a"), ("2", "b"), ("3", "c")]));
        let swapped = mirrors.swap(kind, objects(&[("1", "a"), ("3", "z"), ("4", "d")]));
        assert!(!swapped.is_first);
        let told: Vec<(Option<String>, Option<String>)> = swapped
            .changes
            .iter()
            .map(|change| {
                let name = |object: &Option<Arc<Object>>| {
                    object.as_ref().map(|object| object.meta().name.to_string())
                };
                (name(&change.old), name(&change.new))
            })
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(told, [(text("b"), None), (text("c"), text("z")), (None, text("d"))]);
    }

    #[test]
    fn what_did_not_change_is_no_change() {
        let mirrors = mirrors();
        assert!(mirrors.apply(Kind::Namespaces, namespace("1", "a")).is_some());
        assert!(mirrors.apply(Kind::Namespaces, namespace("1", "a")).is_none());
        assert!(mirrors.remove(Kind::Namespaces, "2").is_none());
        assert!(mirrors.remove(Kind::Namespaces, "1").is_some());
    }
}
