//! What stands around the records that a commit judges, as it will be after the commit.
//!
//! The store still holds what was before; the records of the commit lie over it. Candidates come
//! from the store's keys and from a small index of the commit's own records, and the graph decides
//! who is linked. Everything is loaded once, and bounded: a key leads to at most [`FAR_ENDS`]
//! records, and a rule sees at most [`NEIGHBOURS`] on either side and [`CHILDREN`] below.

use std::collections::{BTreeMap, BTreeSet};

use headcount_core::graph::{self, Connection, Key};
use headcount_core::inventory::{Neighbour, Record, ScopeState, Surroundings};
use headcount_sdk::{Class, RecordId};
use jiff::Timestamp;

use super::CHUNK;
use crate::store::{Result, Store};

/// Records that a rule sees on one side of its subject, the surest first.
const NEIGHBOURS: usize = 100;
/// Credentials and grants that a rule sees of one identity. A client that a large organisation
/// consented to, each person alone, has more; it is judged by these.
const CHILDREN: usize = 1_000;
/// Records that one key leads to, where each of them must be judged again.
const FAR_ENDS: u32 = 10_000;
/// The same where they are only looked at. A first scan of many far ends comes in blocks, each of
/// which looks around the hub once more.
const LOOKED_AT: u32 = 1_000;

/// Keys of the commit's own records, which the store does not have yet.
#[derive(Default)]
struct Index {
    sought: BTreeMap<Key, Vec<RecordId>>,
    /// Made when something looks for anything; most commits never need it.
    answered: Option<BTreeMap<Key, Vec<RecordId>>>,
}

/// The far ends of a record's links and of links to it.
#[derive(Clone, Debug, Default)]
struct Ends {
    outgoing: Vec<(RecordId, Connection)>,
    incoming: Vec<(RecordId, Connection)>,
}

pub(super) struct World<'a> {
    store: &'a dyn Store,
    /// Everything at hand, as it is after the commit.
    records: BTreeMap<RecordId, Record>,
    gone: BTreeSet<RecordId>,
    /// The commit's own.
    own: BTreeSet<RecordId>,
    index: Index,
    ends: BTreeMap<RecordId, Ends>,
    met: BTreeSet<RecordId>,
    children: BTreeMap<RecordId, BTreeSet<RecordId>>,
    /// Of every source, once somebody asked.
    scopes: Option<Vec<ScopeState>>,
    /// The scope's state after the commit.
    read: Option<ScopeState>,
}

impl<'a> World<'a> {
    pub(super) fn new(
        store: &'a dyn Store,
        own: BTreeMap<RecordId, Record>,
        gone: BTreeSet<RecordId>,
        read: Option<ScopeState>,
    ) -> Self {
        let mut index = Index::default();
        let mut children: BTreeMap<RecordId, BTreeSet<RecordId>> = BTreeMap::new();
        for record in own.values() {
            for key in graph::sought(record) {
                index.sought.entry(key).or_default().push(record.id().clone());
            }
            if let Some(parent) = &record.observation.parent {
                children.entry(parent.clone()).or_default().insert(record.id().clone());
            }
        }
        Self {
            store,
            own: own.keys().cloned().collect(),
            records: own,
            gone,
            index,
            ends: BTreeMap::new(),
            met: BTreeSet::new(),
            children,
            scopes: None,
            read,
        }
    }

    pub(super) fn get(&self, id: &RecordId) -> Option<&Record> {
        self.records.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &RecordId) -> Option<&mut Record> {
        self.records.get_mut(id)
    }

    pub(super) fn parent(&self, record: &Record) -> Option<&Record> {
        self.records.get(record.observation.parent.as_ref()?)
    }

    /// Gets records to hand; those that are gone or not there are left out.
    pub(super) async fn load(&mut self, ids: impl IntoIterator<Item = RecordId>) -> Result<()> {
        let missing: BTreeSet<RecordId> = ids
            .into_iter()
            .filter(|id| !self.records.contains_key(id) && !self.gone.contains(id))
            .collect();
        let missing: Vec<RecordId> = missing.into_iter().collect();
        for chunk in missing.chunks(CHUNK) {
            for record in self.store.records(chunk).await? {
                self.records.insert(record.id().clone(), record);
            }
        }
        Ok(())
    }

    /// Gets to hand what stands around these records: parents, and both ends of links.
    pub(super) async fn meet(&mut self, ids: &BTreeSet<RecordId>) -> Result<()> {
        self.load(ids.iter().cloned()).await?;
        let new: Vec<RecordId> = ids.difference(&self.met).cloned().collect();
        let parents: Vec<RecordId> =
            new.iter().filter_map(|id| self.records.get(id)?.observation.parent.clone()).collect();
        self.load(parents).await?;
        let (own, others): (Vec<RecordId>, Vec<RecordId>) =
            new.iter().cloned().partition(|id| self.own.contains(id));
        for (ids, limit) in [(own, FAR_ENDS), (others, LOOKED_AT)] {
            for chunk in ids.chunks(CHUNK) {
                let records: Vec<Record> =
                    chunk.iter().filter_map(|id| self.records.get(id)).cloned().collect();
                let ends = self.ends_of(&records, limit).await?;
                self.ends.extend(ends);
            }
        }
        if new.iter().any(|id| self.names_places(id)) {
            self.load_scopes().await?;
        }
        self.met.extend(new);
        Ok(())
    }

    /// Everything at the other ends of these records, which need not be there any more.
    pub(super) async fn far_ends(&mut self, records: &[Record]) -> Result<BTreeSet<RecordId>> {
        let mut far = BTreeSet::new();
        for chunk in records.chunks(CHUNK) {
            for ends in self.ends_of(chunk, FAR_ENDS).await?.into_values() {
                far.extend(ends.outgoing.into_iter().chain(ends.incoming).map(|(id, _)| id));
            }
        }
        Ok(far)
    }

    /// The neighbours of a record that was met.
    pub(super) fn neighbours(&self, id: &RecordId) -> impl Iterator<Item = &RecordId> {
        let ends = self.ends.get(id).into_iter();
        ends.flat_map(|ends| ends.outgoing.iter().chain(&ends.incoming)).map(|(id, _)| id)
    }

    /// Records that belong to one of these and may inherit from it.
    pub(super) async fn children(&mut self, of: &BTreeSet<RecordId>) -> Result<BTreeSet<RecordId>> {
        let parents: Vec<RecordId> = of
            .iter()
            .filter(|id| self.records.get(id).is_none_or(can_be_parent))
            .cloned()
            .collect();
        for chunk in parents.chunks(CHUNK) {
            for child in self.store.children(chunk).await? {
                let id = child.id().clone();
                let Some(parent) = child.observation.parent.clone() else { continue };
                if !self.gone.contains(&id) {
                    self.children.entry(parent).or_default().insert(id.clone());
                    self.records.entry(id).or_insert(child);
                }
            }
        }
        Ok(of.iter().filter_map(|id| self.children.get(id)).flatten().cloned().collect())
    }

    /// Records whose links name this place; given a moment, those that changed after it.
    pub(super) async fn naming(
        &mut self,
        place: &str,
        changed_after: Option<Timestamp>,
    ) -> Result<BTreeSet<RecordId>> {
        let found = self.store.linking(&[graph::of_place(place)], FAR_ENDS).await?;
        let ids: Vec<RecordId> = found.into_iter().map(|(_, id)| id).collect();
        let mut naming = BTreeSet::new();
        for chunk in ids.chunks(CHUNK) {
            for record in self.store.records(chunk).await? {
                let is_meant = changed_after.is_none_or(|moment| record.changed_at > moment);
                if is_meant && !self.gone.contains(record.id()) {
                    naming.insert(record.id().clone());
                    self.records.entry(record.id().clone()).or_insert(record);
                }
            }
        }
        Ok(naming)
    }

    /// What a rule sees around a record that was met.
    pub(super) fn surroundings(&self, record: &Record) -> Surroundings {
        let children = self.below(record);
        let Some(ends) = self.ends.get(record.id()) else {
            let scopes = self.scopes_named(record);
            return Surroundings { children, scopes, ..Surroundings::default() };
        };
        let side = |ends: &[(RecordId, Connection)]| {
            let there = ends.iter().filter_map(|(id, connection)| {
                Some(Neighbour {
                    record: self.records.get(id)?.clone(),
                    kind: connection.kind,
                    confidence: connection.confidence,
                    basis: connection.basis.clone(),
                })
            });
            there.take(NEIGHBOURS).collect()
        };
        Surroundings {
            outgoing: side(&ends.outgoing),
            incoming: side(&ends.incoming),
            children,
            scopes: self.scopes_named(record),
        }
    }

    /// What belongs to an identity, as far as [`Self::children`] was asked for it.
    fn below(&self, record: &Record) -> Vec<Record> {
        if !record.observation.class.is_identity() {
            return Vec::new();
        }
        let ids = self.children.get(record.id()).into_iter().flatten();
        // The store may still say so of one that this commit gives to another.
        let is_below = |child: &&Record| {
            child.observation.class.is_counted()
                && child.observation.parent.as_ref() == Some(record.id())
        };
        ids.filter_map(|id| self.records.get(id)).filter(is_below).take(CHILDREN).cloned().collect()
    }

    fn names_places(&self, id: &RecordId) -> bool {
        self.records.get(id).is_some_and(|record| !graph::places(record).is_empty())
    }

    async fn load_scopes(&mut self) -> Result<()> {
        if self.scopes.is_some() {
            return Ok(());
        }
        let mut states = self.store.scope_states(None).await?;
        if let Some(read) = &self.read {
            states.retain(|state| state.source != read.source || state.scope != read.scope);
            states.push(read.clone());
            states.sort_by(|a, b| (&a.source, &a.scope).cmp(&(&b.source, &b.scope)));
        }
        self.scopes = Some(states);
        Ok(())
    }

    fn scopes_named(&self, record: &Record) -> Vec<ScopeState> {
        let places = graph::places(record);
        if places.is_empty() {
            return Vec::new();
        }
        let states = self.scopes.iter().flatten();
        states.filter(|state| places.contains(state.scope.place.as_str())).cloned().collect()
    }

    /// Both ends of the links of some records, the surest first. Records without any are left out.
    async fn ends_of(
        &mut self,
        records: &[Record],
        limit: u32,
    ) -> Result<BTreeMap<RecordId, Ends>> {
        let wanted: Vec<Wanted<'_>> = records.iter().map(Wanted::of).collect();
        let sought: Vec<Key> = wanted.iter().flat_map(|w| &w.sought).copied().collect();
        let answered: Vec<Key> = wanted.iter().flat_map(|w| &w.answered).copied().collect();
        let mut behind = by_key(self.store.answering(&sought, limit).await?);
        let mut before = by_key(self.store.linking(&answered, limit).await?);
        if !sought.is_empty() {
            self.index_answers();
        }
        for key in &sought {
            let ours = self.index.answered.as_ref().and_then(|answered| answered.get(key));
            behind.entry(*key).or_default().extend(ours.into_iter().flatten().cloned());
        }
        for key in &answered {
            if let Some(ids) = self.index.sought.get(key) {
                before.entry(*key).or_default().extend(ids.iter().cloned());
            }
        }
        let candidates: Vec<RecordId> =
            behind.values().chain(before.values()).flatten().cloned().collect();
        let named = records.iter().flat_map(graph::named).cloned();
        self.load(candidates.into_iter().chain(named)).await?;
        let mut ends = BTreeMap::new();
        for wanted in &wanted {
            let outgoing = self.outgoing(wanted, &behind);
            let incoming = self.incoming(wanted, &before);
            if !(outgoing.is_empty() && incoming.is_empty()) {
                ends.insert(wanted.record.id().clone(), Ends { outgoing, incoming });
            }
        }
        Ok(ends)
    }

    fn outgoing(&self, wanted: &Wanted<'_>, behind: &ByKey) -> Vec<(RecordId, Connection)> {
        let ids = wanted.sought.iter().filter_map(|key| behind.get(key)).flatten();
        let ids: BTreeSet<&RecordId> = ids.chain(graph::named(wanted.record)).collect();
        self.connected(wanted, ids, |far| graph::connect(wanted.record, far))
    }

    fn incoming(&self, wanted: &Wanted<'_>, before: &ByKey) -> Vec<(RecordId, Connection)> {
        let ids = wanted.answered.iter().filter_map(|key| before.get(key)).flatten().collect();
        self.connected(wanted, ids, |far| graph::connect(far, wanted.record))
    }

    fn connected(
        &self,
        wanted: &Wanted<'_>,
        ids: BTreeSet<&RecordId>,
        connect: impl Fn(&Record) -> Vec<Connection>,
    ) -> Vec<(RecordId, Connection)> {
        let far = ids.into_iter().filter(|id| *id != wanted.record.id());
        let mut connected: Vec<(RecordId, Connection)> = far
            .filter_map(|id| self.records.get(id))
            .flat_map(|far| connect(far).into_iter().map(|c| (far.id().clone(), c)))
            .collect();
        connected.sort_by(|(a, one), (b, other)| {
            let surest = other.confidence.cmp(&one.confidence);
            surest.then_with(|| a.cmp(b)).then_with(|| one.kind.cmp(&other.kind))
        });
        connected
    }

    fn index_answers(&mut self) {
        if self.index.answered.is_some() {
            return;
        }
        let mut answered: BTreeMap<Key, Vec<RecordId>> = BTreeMap::new();
        for record in self.own.iter().filter_map(|id| self.records.get(id)) {
            for key in graph::answered(record) {
                answered.entry(key).or_default().push(record.id().clone());
            }
        }
        self.index.answered = Some(answered);
    }
}

type ByKey = BTreeMap<Key, Vec<RecordId>>;

fn by_key(found: Vec<(Key, RecordId)>) -> ByKey {
    let mut by_key = ByKey::new();
    for (key, id) in found {
        by_key.entry(key).or_default().push(id);
    }
    by_key
}

/// A record and the keys that it is looked up by.
struct Wanted<'a> {
    record: &'a Record,
    sought: BTreeSet<Key>,
    answered: BTreeSet<Key>,
}

impl<'a> Wanted<'a> {
    fn of(record: &'a Record) -> Self {
        Self { record, sought: graph::sought(record), answered: graph::answered(record) }
    }
}

fn can_be_parent(record: &Record) -> bool {
    let class = record.observation.class;
    class.is_identity() || matches!(class, Class::Principal | Class::Workload)
}
