//! The trail of a record: who reaches it and what it reaches, over any number of sources.
//!
//! Bounded in depth and breadth, and says what it leaves out; no record stands on one way twice.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use futures::future::{BoxFuture, FutureExt as _};
use headcount_core::inventory::Record;
use headcount_sdk::{Confidence, RecordId};
use serde::Serialize;

use super::around::{Step, around};
use crate::store::{Result, Store};

/// Links away from the record.
const DEPTH: usize = 4;
/// Records behind one record.
const BREADTH: usize = 12;
/// Records on the whole of one direction.
const MOST: usize = 100;

#[derive(Clone, Copy, Debug)]
enum Way {
    Up,
    Down,
}

/// Both directions.
#[derive(Debug, Default, Serialize)]
pub struct Trail {
    /// Who can act through the record or as it.
    pub reached_by: Branches,
    /// Whom it can act through or as.
    pub reaches: Branches,
}

/// What comes next on a trail.
#[derive(Debug, Default, Serialize)]
pub struct Branches {
    pub records: Vec<Branch>,
    /// How many more there are, beyond the depth or breadth of this output.
    pub omitted: usize,
}

#[derive(Debug, Serialize)]
pub struct Branch {
    /// `uses`, `may become`, `holds`, `used by`, `trusts`, …
    pub link: &'static str,
    pub id: String,
    pub kind: String,
    pub name: String,
    pub place: String,
    /// From 0 to 1: how sure it is that the link means this record.
    pub confidence: f64,
    /// Why they belong together; `null` where one is the other's parent.
    pub basis: Option<String>,
    pub owner: Option<Accountable>,
    pub then: Branches,
}

/// Who answers for a record on the trail.
#[derive(Debug, Serialize)]
pub struct Accountable {
    #[serde(rename = "ref")]
    pub reference: String,
    /// From 0 to 1.
    pub confidence: f64,
    /// `kind name` of the record whose evidence names the owner; `null` = its own.
    pub from: Option<String>,
}

pub async fn trail(store: &dyn Store, record: &Record) -> Result<Trail> {
    let mut walk = Walk { store, names: BTreeMap::new(), left: MOST };
    let reached_by = walk.branches(record, Way::Up, &[record.id()]).await?;
    walk.left = MOST;
    let reaches = walk.branches(record, Way::Down, &[record.id()]).await?;
    Ok(Trail { reached_by, reaches })
}

struct Walk<'a> {
    store: &'a dyn Store,
    /// Names of records that owners come from.
    names: BTreeMap<RecordId, String>,
    /// How many more records may be told of.
    left: usize,
}

impl Walk<'_> {
    fn branches<'a>(
        &'a mut self,
        record: &'a Record,
        way: Way,
        passed: &'a [&'a RecordId],
    ) -> BoxFuture<'a, Result<Branches>> {
        async move {
            let mut steps = self.steps(record, way).await?;
            steps.retain(|step| !passed.contains(&step.record.id()));
            // The surest first: what is left out at the end is what may be chance.
            steps.sort_by_key(|step| {
                Reverse(step.connection.as_ref().map_or(Confidence::CERTAIN, |c| c.confidence))
            });
            let total = steps.len();
            steps.truncate(if passed.len() > DEPTH { 0 } else { BREADTH.min(self.left) });
            self.left -= steps.len();
            let mut branches = Branches { omitted: total - steps.len(), ..Branches::default() };
            for step in steps {
                let mut passed = passed.to_vec();
                passed.push(step.record.id());
                let then = self.branches(&step.record, way, &passed).await?;
                branches.records.push(self.branch(&step, then).await?);
            }
            Ok(branches)
        }
        .boxed()
    }

    async fn steps(&self, record: &Record, way: Way) -> Result<Vec<Step>> {
        let around = around(self.store, record).await?;
        match way {
            Way::Down => Ok(around.reaches(record)),
            Way::Up => {
                let parent: Vec<RecordId> = record.observation.parent.iter().cloned().collect();
                Ok(around.reached_by(self.store.records(&parent).await?.pop()))
            }
        }
    }

    async fn branch(&mut self, step: &Step, then: Branches) -> Result<Branch> {
        let seen = &step.record.observation;
        let sure = step.connection.as_ref().map_or(Confidence::CERTAIN, |c| c.confidence);
        Ok(Branch {
            link: step.verb,
            id: seen.id.to_string(),
            kind: seen.kind.clone(),
            name: seen.name.clone(),
            place: step.record.scope.place.clone(),
            confidence: sure.as_fraction(),
            basis: step.connection.as_ref().map(|c| c.basis.clone()),
            owner: self.accountable(&step.record).await?,
            then,
        })
    }

    async fn accountable(&mut self, record: &Record) -> Result<Option<Accountable>> {
        let Some(owner) = &record.owner else { return Ok(None) };
        let from = match owner.path.last() {
            Some(id) => Some(self.name(id).await?),
            None => None,
        };
        let confidence = owner.confidence.as_fraction();
        Ok(Some(Accountable { reference: owner.reference.clone(), confidence, from }))
    }

    async fn name(&mut self, id: &RecordId) -> Result<String> {
        if let Some(name) = self.names.get(id) {
            return Ok(name.clone());
        }
        let found = self.store.records(std::slice::from_ref(id)).await?;
        let name = found.first().map_or_else(|| id.to_string(), of_kind);
        self.names.insert(id.clone(), name.clone());
        Ok(name)
    }
}

fn of_kind(record: &Record) -> String {
    format!("{} {}", record.observation.kind, record.observation.name)
}

impl Trail {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reached_by.is_empty() && self.reaches.is_empty()
    }
}

impl Branches {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.omitted == 0
    }
}

/// `85 %`
#[must_use]
pub fn percent(fraction: f64) -> String {
    format!("{:.0} %", fraction * 100.0)
}
