//! What requests, watches and the script share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::cluster::Cluster;
use super::resource::Resource;
use crate::calls::Calls;
use crate::fault::FaultPlan;

/// Everything behind the lock.
#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) cluster: Cluster,
    pub(crate) faults: Vec<FaultPlan>,
    pub(crate) calls: Calls,
    /// Pages hold at most so many objects, whatever was asked for.
    pub(crate) most: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    inside: Mutex<Inside>,
    /// Counts the changes of the script; watches wait for the next.
    moved: watch::Sender<u64>,
    stop: watch::Receiver<bool>,
    /// Open watches.
    watches: watch::Sender<BTreeMap<Resource, usize>>,
}

impl Shared {
    pub(crate) fn new(cluster: Cluster, stop: watch::Receiver<bool>) -> Self {
        let inside = Inside { cluster, faults: Vec::new(), calls: Calls::default(), most: None };
        Self {
            inside: Mutex::new(inside),
            moved: watch::Sender::new(0),
            stop,
            watches: watch::Sender::default(),
        }
    }

    /// A panic in one test thread must not take the server away from the others.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the watches.
    pub(crate) fn wake(&self) {
        self.moved.send_modify(|moves| *moves += 1);
    }

    pub(crate) fn moved(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    pub(crate) fn stopped(&self) -> watch::Receiver<bool> {
        self.stop.clone()
    }

    pub(crate) fn watches(&self) -> watch::Receiver<BTreeMap<Resource, usize>> {
        self.watches.subscribe()
    }

    /// Counts a watch for as long as the guard lives.
    pub(crate) fn open(self: &Arc<Self>, resource: Resource) -> Open {
        self.watches.send_modify(|open| *open.entry(resource).or_default() += 1);
        Open { shared: Arc::clone(self), resource }
    }
}

/// An open watch.
#[derive(Debug)]
pub(crate) struct Open {
    shared: Arc<Shared>,
    resource: Resource,
}

impl Drop for Open {
    fn drop(&mut self) {
        let resource = self.resource;
        self.shared.watches.send_modify(|open| {
            if let Some(count) = open.get_mut(&resource) {
                *count = count.saturating_sub(1);
            }
        });
    }
}
