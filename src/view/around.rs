//! What stands around one record: both ends of its links, asked of the store.

use std::collections::BTreeSet;

use headcount_core::graph::{self, Connection, Key};
use headcount_core::inventory::Record;
use headcount_sdk::{Class, Link, LinkKind, RecordId};
use jiff::Timestamp;

use super::each_record;
use super::trail::{Trail, trail};
use crate::store::{RecordFilter, Result, Store};

/// Records that one word may lead to.
const FAR_ENDS: u32 = 1_000;

/// Both ends of a record's links, in id order.
#[derive(Debug, Default)]
pub struct Around {
    pub outgoing: Vec<(Record, Connection)>,
    pub incoming: Vec<(Record, Connection)>,
    /// Records that belong to it.
    pub children: Vec<Record>,
}

pub async fn around(store: &dyn Store, record: &Record) -> Result<Around> {
    let mut around = Around::default();
    for far in behind(store, record).await? {
        let connections = graph::connect(record, &far);
        around.outgoing.extend(connections.into_iter().map(|c| (far.clone(), c)));
    }
    for far in before(store, record).await? {
        let connections = graph::connect(&far, record);
        around.incoming.extend(connections.into_iter().map(|c| (far.clone(), c)));
    }
    around.children = store.children(std::slice::from_ref(record.id())).await?;
    Ok(around)
}

async fn behind(store: &dyn Store, record: &Record) -> Result<Vec<Record>> {
    let keys: Vec<Key> = graph::sought(record).into_iter().collect();
    let found = store.answering(&keys, FAR_ENDS).await?.into_iter().map(|(_, id)| id);
    load(store, found.chain(graph::named(record).cloned()).collect(), record).await
}

async fn before(store: &dyn Store, record: &Record) -> Result<Vec<Record>> {
    let keys: Vec<Key> = graph::answered(record).into_iter().collect();
    let found = store.linking(&keys, FAR_ENDS).await?.into_iter().map(|(_, id)| id);
    load(store, found.collect(), record).await
}

async fn load(store: &dyn Store, mut ids: BTreeSet<RecordId>, of: &Record) -> Result<Vec<Record>> {
    ids.remove(of.id());
    store.records(&ids.into_iter().collect::<Vec<_>>()).await
}

/// A link that another record has to this one.
pub struct Incoming {
    pub kind: &'static str,
    pub id: String,
    pub name: String,
    pub record_kind: String,
}

/// How the record is linked with others.
#[derive(Default)]
pub struct Linked {
    pub incoming: Vec<Incoming>,
    /// Far ends of its own links. Not asked of the past.
    pub outgoing: Option<Vec<(Record, Connection)>>,
    pub trail: Option<Trail>,
    /// Places that some source reads.
    pub places: BTreeSet<String>,
}

impl Linked {
    pub async fn now(store: &dyn Store, record: &Record) -> Result<Self> {
        let around = around(store, record).await?;
        let linking = around.incoming.iter().map(|(from, c)| Incoming::new(c.kind.as_str(), from));
        let children = around.children.iter().map(|from| Incoming::new("belongs_to", from));
        let mut incoming: Vec<Incoming> = linking.chain(children).collect();
        incoming.sort_by(|a, b| (&a.id, a.kind).cmp(&(&b.id, b.kind)));
        incoming.dedup_by(|a, b| (&a.id, a.kind) == (&b.id, b.kind));
        let states = store.scope_states(None).await?;
        Ok(Self {
            incoming,
            outgoing: Some(around.outgoing),
            trail: Some(trail(store, record).await?),
            places: states.into_iter().map(|state| state.scope.place).collect(),
        })
    }

    /// Walks the whole inventory of the past: only present links are kept to be looked up.
    pub async fn then(store: &dyn Store, record: &Record, at: Timestamp) -> Result<Self> {
        let mut incoming = Vec::new();
        let filter = RecordFilter { at: Some(at), ..RecordFilter::default() };
        each_record(store, &filter, |other| {
            let linking = graph::connect(other, record).into_iter().map(|c| c.kind.as_str());
            let mut kinds: BTreeSet<&'static str> = linking.collect();
            if other.observation.parent.as_ref() == Some(record.id()) {
                kinds.insert("belongs_to");
            }
            incoming.extend(kinds.into_iter().map(|kind| Incoming::new(kind, other)));
            Ok(())
        })
        .await?;
        Ok(Self { incoming, ..Self::default() })
    }
}

impl Incoming {
    fn new(kind: &'static str, from: &Record) -> Self {
        let seen = &from.observation;
        Self {
            kind,
            id: seen.id.to_string(),
            name: seen.name.clone(),
            record_kind: seen.kind.clone(),
        }
    }
}

/// One step of a trail.
#[derive(Debug)]
pub struct Step {
    pub record: Record,
    /// How the trail goes on, as a verb: `uses`, `may become`, `used by`.
    pub verb: &'static str,
    pub connection: Option<Connection>,
}

impl Around {
    /// Whom the record can act through or as: downstream.
    pub fn reaches(self, of: &Record) -> Vec<Step> {
        let is_workload = of.observation.class == Class::Workload;
        let used = self.outgoing.into_iter().filter_map(|(record, connection)| {
            let verb = match connection.kind {
                LinkKind::Uses => "uses",
                LinkKind::Mounts => "mounts",
                LinkKind::Issues => "issues",
                LinkKind::Trusts | LinkKind::BelongsTo => return None,
            };
            Some(Step { record, verb, connection: Some(connection) })
        });
        let trusting = self.incoming.into_iter().filter_map(|(record, connection)| {
            let verb = match connection.kind {
                LinkKind::Trusts => "may become",
                LinkKind::BelongsTo => "holds",
                LinkKind::Uses | LinkKind::Mounts | LinkKind::Issues => return None,
            };
            Some(Step { record, verb, connection: Some(connection) })
        });
        // What belongs to an identity is its own; what belongs to a repository leads on.
        let held = self.children.into_iter().filter(|_| is_workload);
        let held = held.map(|record| Step { record, verb: "holds", connection: None });
        held.chain(used).chain(trusting).collect()
    }

    /// Who can act through or as the record: upstream. The parent is not among what links know.
    pub fn reached_by(self, parent: Option<Record>) -> Vec<Step> {
        let holder = parent.filter(|parent| parent.observation.class == Class::Workload);
        let holder = holder.map(|record| Step { record, verb: "held by", connection: None });
        let users = self.incoming.into_iter().filter_map(|(record, connection)| {
            let verb = match connection.kind {
                LinkKind::Uses => "used by",
                LinkKind::Mounts => "mounted by",
                LinkKind::Issues => "issued by",
                LinkKind::Trusts | LinkKind::BelongsTo => return None,
            };
            Some(Step { record, verb, connection: Some(connection) })
        });
        let trusted = self.outgoing.into_iter().filter_map(|(record, connection)| {
            let verb = match connection.kind {
                LinkKind::Trusts => "trusts",
                LinkKind::BelongsTo => "held by",
                LinkKind::Uses | LinkKind::Mounts | LinkKind::Issues => return None,
            };
            Some(Step { record, verb, connection: Some(connection) })
        });
        holder.into_iter().chain(users).chain(trusted).collect()
    }
}

/// The records that one link of a record means.
pub fn meant<'a>(
    record: &Record,
    link: &Link,
    outgoing: &'a [(Record, Connection)],
) -> Vec<&'a Record> {
    let mut alone = record.clone();
    alone.observation.links = vec![link.clone()];
    let ends = outgoing.iter().map(|(far, _)| far);
    let mut meant: Vec<&Record> =
        ends.filter(|far| !graph::connect(&alone, far).is_empty()).collect();
    meant.dedup_by(|a, b| a.id() == b.id());
    meant
}
