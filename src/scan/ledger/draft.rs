//! What one commit gathers before it is written, and the small decisions on the way.

use std::collections::BTreeMap;

use headcount_core::findings::Transition;
use headcount_core::inventory::{Look, Record, ScopeState};
use headcount_core::reconcile::{self, Change, Drift};
use headcount_sdk::{Observation, RecordId};
use jiff::Timestamp;

use super::{Done, Place};
use crate::deliver::filter::Matter;
use crate::store::{Commit, Written};

/// Everything that is gathered for one commit.
pub(super) struct Draft<'a> {
    pub(super) place: Place<'a>,
    /// Whether transitions stay inside, because the scope's baseline is being taken.
    pub(super) quiet: bool,
    /// When the scope was last read to its end before this.
    pub(super) looked_before: Option<Timestamp>,
    pub(super) commit: Commit,
    /// Records as they are after this commit, to be judged.
    pub(super) touched: BTreeMap<RecordId, Record>,
    /// Records as they were: those that go, and those whose links or handles change.
    pub(super) before: Vec<Record>,
    /// Transitions and what they are about, for rendering.
    pub(super) rendered: Vec<(Transition, Rendered)>,
}

pub(super) enum Rendered {
    Record(Box<Record>, Option<Box<Record>>),
    Scope(Box<ScopeState>),
}

impl Rendered {
    /// Whose source it is about.
    pub(super) fn source(&self) -> &str {
        match self {
            Self::Record(record, _) => &record.source,
            Self::Scope(state) => &state.source,
        }
    }

    /// The step as filters see it.
    pub(super) fn matter<'a>(&'a self, transition: &'a Transition) -> Matter<'a> {
        let owner = match self {
            Self::Record(record, _) => record.owner.as_ref(),
            Self::Scope(_) => None,
        };
        Matter {
            rule: Some(&transition.finding.rule),
            severity: transition.finding.severity,
            source: self.source(),
            owner: owner.map(|owner| owner.reference.as_str()),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) appeared: u64,
    pub(super) changed: u64,
    /// Known records that another source or scope had before.
    pub(super) moved_in: u64,
}

impl Counts {
    pub(super) fn done(&self, transitions: u64) -> Done {
        Done { appeared: self.appeared, changed: self.changed, transitions }
    }

    pub(super) fn add(&mut self, change: Option<&Change>) {
        match change {
            Some(Change::Appeared | Change::Reappeared) => self.appeared += 1,
            Some(Change::Changed { .. }) => self.changed += 1,
            Some(Change::Disappeared) | None => {}
        }
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(place: Place<'a>, quiet: bool) -> Self {
        let commit = Commit {
            at: place.now,
            scan: place.scan.to_owned(),
            source: place.source.to_owned(),
            ..Commit::default()
        };
        let (touched, before, rendered) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { place, quiet, looked_before: None, commit, touched, before, rendered }
    }

    pub(super) fn look(&self) -> Look {
        Look { now: self.place.now, before: self.looked_before }
    }

    pub(super) fn touch(&mut self, record: Record) {
        self.touched.insert(record.id().clone(), record);
    }

    pub(super) fn write(&mut self, record: Record, fingerprint: u128, change: Option<Change>) {
        if let Some(change) = change {
            self.commit.drift.push(Drift {
                record: record.id().clone(),
                name: record.observation.name.clone(),
                kind: record.observation.kind.clone(),
                scope: record.scope.clone(),
                change,
            });
        }
        let usage_hash = reconcile::usage_hash(&record.observation);
        self.commit.written.push(Written { record: record.clone(), fingerprint, usage_hash });
        self.touch(record);
    }
}

/// A known record under a new observation. No drift when the report differs but the merged facts
/// do not (a field could not be read, or can be read again).
pub(super) fn changed_record(
    old: Record,
    observation: Observation,
    look: Look,
) -> (Record, Option<Change>) {
    let merged = reconcile::merge(&old.observation, observation);
    let fields = reconcile::changes(&old.observation, &merged);
    let history = old.history.after(&old.observation, &merged, look);
    if fields.is_empty() {
        return (Record { observation: merged, history, ..old }, None);
    }
    let record = Record { observation: merged, history, changed_at: look.now, ..old };
    (record, Some(Change::Changed { fields }))
}
