//! What watches and the owner of the server tell one another.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::resource::Resource;

/// Kept beside the cluster. Whoever waits takes a receiver out of the lock first.
#[derive(Debug, Default)]
pub struct Signals {
    /// Counts the changes of the script; watches wait for the next.
    pub(crate) moved: watch::Sender<u64>,
    /// Open watches.
    pub(crate) watches: watch::Sender<BTreeMap<Resource, usize>>,
}

impl Signals {
    /// Counts a watch for as long as the guard lives.
    pub(crate) fn open(&self, resource: Resource) -> Open {
        self.watches.send_modify(|open| *open.entry(resource).or_default() += 1);
        Open { watches: self.watches.clone(), resource }
    }
}

/// An open watch.
#[derive(Debug)]
pub(crate) struct Open {
    watches: watch::Sender<BTreeMap<Resource, usize>>,
    resource: Resource,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.watches.send_modify(|open| {
            if let Some(count) = open.get_mut(&self.resource) {
                *count = count.saturating_sub(1);
            }
        });
    }
}
