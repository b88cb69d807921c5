//! What happened, in order: the source of watches, and of snapshots for pages.
//!
//! A list at an older version is the present with the changes since undone, so a snapshot costs
//! what changed and not what exists.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::object::{Object, Text};
use super::resource::Resource;
use super::script::Ending;

/// Changes kept; the oldest is forgotten first, as in a watch cache.
const KEPT: usize = 65_536;

/// Namespace and name. Objects are listed in this order.
pub(crate) type Key = (Text, Text);

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Counts all lines, also those that are forgotten.
    pub(crate) number: u64,
    /// The cluster's version after it.
    pub(crate) version: u64,
    pub(crate) resource: Resource,
    pub(crate) entry: Entry,
}

#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// `before` and `after` are absent when the object was made or went. It is sent to watches
    /// `copies` times.
    Change { before: Option<Arc<Object>>, after: Option<Arc<Object>>, copies: u8 },
    /// Watches that are open get a bookmark.
    Bookmark,
    /// Watches that are open end.
    End(Ending),
}

/// The history.
#[derive(Debug, Default)]
pub(crate) struct Log {
    lines: VecDeque<Line>,
    /// The number of the next line.
    next: u64,
    /// The version of the newest change that is forgotten: watches and snapshots begin there.
    oldest: u64,
}

impl Log {
    pub(crate) fn push(&mut self, version: u64, resource: Resource, entry: Entry) {
        self.lines.push_back(Line { number: self.next, version, resource, entry });
        self.next += 1;
        if self.lines.len() > KEPT
            && let Some(line) = self.lines.pop_front()
        {
            self.oldest = self.oldest.max(line.version);
        }
    }

    /// Forgets everything up to `version`, where the cluster stands now.
    pub(crate) fn forget(&mut self, version: u64) {
        self.lines.clear();
        self.oldest = version;
    }

    /// The oldest version from which a watch or a snapshot can begin.
    pub(crate) fn oldest(&self) -> u64 {
        self.oldest
    }

    /// The number of the next line.
    pub(crate) fn end(&self) -> u64 {
        self.next
    }

    /// The number of the first line after `version`.
    pub(crate) fn after(&self, version: u64) -> u64 {
        let kept = self.lines.partition_point(|line| line.version <= version) as u64;
        self.first() + kept
    }

    /// Lines from `number` on; `None` when the first of them is forgotten.
    pub(crate) fn from(&self, number: u64) -> Option<impl Iterator<Item = &Line>> {
        let skip = number.checked_sub(self.first())?;
        Some(self.lines.range(usize::try_from(skip).ok()?.min(self.lines.len())..))
    }

    /// What was different at `version`: `None` for objects that did not exist then.
    pub(crate) fn differences(
        &self,
        resource: Resource,
        version: u64,
    ) -> BTreeMap<Key, Option<Arc<Object>>> {
        let mut then = BTreeMap::new();
        for line in self.lines.iter().rev().take_while(|line| line.version > version) {
            if let Entry::Change { before, after, .. } = &line.entry
                && line.resource == resource
                && let Some(object) = before.as_ref().or(after.as_ref())
            {
                then.insert((object.namespace.clone(), object.name.clone()), before.clone());
            }
        }
        then
    }

    fn first(&self) -> u64 {
        self.next - self.lines.len() as u64
    }
}
