//! Turns one reading into one commit.
//!
//! The ledger is the only caller of [`Store::commit`] and lets one caller in at a time, so that
//! what a commit is computed from cannot change before it is written. It loads the records that a
//! reading touches and what stands around them, asks the pure core what follows, and writes it all
//! at once. [`draft`] gathers what will be written, [`world`] what stands around, [`judge`] asks the
//! rules. Past 400 lines, because what one commit is made of is read in one go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headcount_core::findings::exceptions::Exceptions;
use headcount_core::findings::{self, Transition};
use headcount_core::inventory::{History, MassRemoval, Origin, Outcome, Record, ScopeState};
use headcount_core::reconcile::{self, Change, Disappeared, Drift};
use headcount_core::rules;
use headcount_sdk::{Complete, Extent, Observation, RecordId, ScanError, Scope};
use jiff::Timestamp;
use tokio::sync::{Mutex, Notify, watch};

use self::draft::{Counts, Draft, Rendered, changed_record};
use self::judge::is_linked_otherwise;
use super::Settings;
use super::engine::pile::Block;
use crate::deliver::filter::Matter;
use crate::deliver::payload::{self, Envelope};
use crate::store::over_time::Census;
use crate::store::{Commit, Event, Result, Route, SourceState, Store, Used};

mod draft;
mod judge;
mod world;

/// Ids per look-up, so that a baseline of a large scope does not become one giant query.
const CHUNK: usize = 500;

/// Stands in for a rule that an older version had and this one has not, so that its open findings
/// can still be resolved.
static RETIRED: rules::Meta = rules::Meta {
    id: "retired",
    title: "A rule of an older version",
    judges: rules::Judges::Records,
    severity: findings::Severity::Info,
    owasp: &[],
    controls: &[],
    settings: &[],
    source: "",
};

/// Where a commit belongs.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub source: &'a str,
    pub scan: &'a str,
    pub now: Timestamp,
    /// Whether the source's first scan is still going on.
    pub is_baseline: bool,
}

/// How a reading ended, removals proven.
#[derive(Debug)]
pub enum Ending<'a> {
    Read {
        proof: &'a Complete,
        gone: Vec<Disappeared>,
        mass_removal: Option<MassRemoval>,
    },
    /// One subject was re-read for a hint; the scope around it keeps its coverage.
    Refreshed {
        gone: Vec<Disappeared>,
    },
    Held {
        would_remove: u64,
        of: u64,
    },
    Failed(&'a ScanError),
}

/// What a commit did.
#[derive(Debug)]
pub struct Committed {
    pub state: ScopeState,
    pub counts: Done,
    pub disappeared: u64,
}

/// What is told at the end of a scan; nothing at its beginning.
#[derive(Debug, Default)]
pub struct AtEnd<'a> {
    pub summary: Option<&'a payload::BaselineSummary<'a>>,
    pub census: Vec<Census>,
}

/// What the records of one commit did.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    pub appeared: u64,
    pub changed: u64,
    /// Steps that findings took.
    pub transitions: u64,
}

pub struct Ledger {
    store: Arc<dyn Store>,
    settings: Settings,
    writer: Mutex<()>,
    /// As they were when their version was last looked at.
    exceptions: Mutex<(Option<u64>, Arc<Exceptions>)>,
    /// Told after every commit that carries events.
    committed: Arc<Notify>,
    /// The sequence number of the last event that this process committed; 0 = none yet.
    sequence: watch::Sender<u64>,
}

impl Ledger {
    #[must_use]
    pub fn new(store: Arc<dyn Store>, settings: Settings) -> Self {
        let (writer, exceptions, committed, sequence) = Default::default();
        Self { store, settings, writer, exceptions, committed, sequence }
    }

    /// Wakes whoever delivers, after every commit that carries events.
    #[must_use]
    pub fn committed(&self) -> Arc<Notify> {
        Arc::clone(&self.committed)
    }

    /// Moves with every commit that carries events.
    #[must_use]
    pub fn sequence(&self) -> watch::Receiver<u64> {
        self.sequence.subscribe()
    }

    /// The exceptions as they stand, with their version.
    async fn exceptions(&self) -> Result<(u64, Arc<Exceptions>)> {
        let mut known = self.exceptions.lock().await;
        // The version first: what moves in between is looked at again next time.
        let version = self.store.exceptions_version().await?;
        if known.0 != Some(version) {
            let all = self.store.exceptions().await?;
            *known = (Some(version), Arc::new(all.into_iter().collect()));
        }
        Ok((version, Arc::clone(&known.1)))
    }

    async fn write(&self, commit: &Commit) -> Result<()> {
        self.store.commit(commit).await?;
        if let Some(last) = commit.events.last() {
            self.committed.notify_one();
            self.sequence.send_replace(last.sequence);
        }
        Ok(())
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Commits a part of one reading. Nothing is said of the scope until the reading's last commit.
    pub(super) async fn commit_block(
        &self,
        place: Place<'_>,
        scope: &Scope,
        block: Block,
        ending: &Ending<'_>,
    ) -> Result<Done> {
        let _writer = self.writer.lock().await;
        let prior = self.prior_state(place, scope).await?;
        let mut draft = self.draft(place, &prior, ending);
        let gone = ending.gone();
        let counts = self.write_records(&mut draft, &prior, scope, block.changed, gone).await?;
        self.write_usage(&mut draft, block.used).await?;
        self.judge_touched(&mut draft, &prior, &prior).await?;
        Ok(counts.done(self.finish(draft).await?))
    }

    /// Commits the last part of one reading of one scope, and what the reading means for it.
    pub(super) async fn commit_reading(
        &self,
        place: Place<'_>,
        scope: &Scope,
        block: Block,
        ending: Ending<'_>,
    ) -> Result<Committed> {
        let _writer = self.writer.lock().await;
        let prior = self.prior_state(place, scope).await?;
        let mut draft = self.draft(place, &prior, &ending);
        let gone = ending.gone();
        let counts = self.write_records(&mut draft, &prior, scope, block.changed, gone).await?;
        self.write_usage(&mut draft, block.used).await?;
        self.remove(&mut draft, scope, gone).await?;

        // Counted in the store: hints may have changed the scope since the reading began.
        let before = self.store.count_in_scope(place.source, scope).await?;
        let disappeared = draft.commit.removed.len() as u64;
        let held = (before + counts.appeared + counts.moved_in).saturating_sub(disappeared);
        let state = match ending.outcome() {
            None => ScopeState { records: held, ..prior.clone() },
            Some(outcome) => prior.clone().after(outcome, held, place.now),
        };
        self.judge_touched(&mut draft, &prior, &state).await?;
        self.judge_scope(&mut draft, &state).await?;
        draft.commit.scope = Some(state.clone());
        let counts = counts.done(self.finish(draft).await?);
        Ok(Committed { state, counts, disappeared })
    }

    fn draft<'a>(&self, place: Place<'a>, prior: &ScopeState, ending: &Ending<'_>) -> Draft<'a> {
        // What a sweep finds little by little after the first scan goes out at once: no summary
        // will tell of it.
        let is_swept = prior.is_swept || ending.is_sweep();
        let is_baseline = place.is_baseline || (prior.baselined_at.is_none() && !is_swept);
        let mut draft = Draft::new(place, is_baseline && !self.settings.emit_baseline);
        // An answer that was older than its scan was a look at that earlier time.
        draft.looked_before = prior.as_of.or(prior.last_complete_at);
        draft
    }

    /// Judges the records whose verdicts time alone may have changed.
    pub async fn commit_due(&self, place: Place<'_>, limit: u32) -> Result<(u64, u64)> {
        let _writer = self.writer.lock().await;
        let due = self.store.due(place.source, place.now, limit).await?;
        let mut draft = Draft::new(place, place.is_baseline && !self.settings.emit_baseline);
        let n_due = due.len() as u64;
        if due.is_empty() {
            return Ok((0, 0));
        }
        self.judge_due(&mut draft, due).await?;
        Ok((n_due, self.finish(draft).await?))
    }

    /// Judges the scopes whose verdict may change without a reading: those that lost many records,
    /// and all of them once somebody accepted findings on scopes.
    pub async fn commit_scopes_due(&self, place: Place<'_>) -> Result<u64> {
        let _writer = self.writer.lock().await;
        let mut draft = Draft::new(place, false);
        let (_, exceptions) = self.exceptions().await?;
        let is_any_accepted = rules::ALL
            .iter()
            .map(|rule| rule.meta())
            .any(|meta| meta.judges == rules::Judges::Scopes && exceptions.know(meta.id));
        let states = self.store.scope_states(Some(place.source)).await?;
        for state in states.iter().filter(|s| is_any_accepted || s.mass_removal.is_some()) {
            self.judge_scope(&mut draft, state).await?;
        }
        if draft.rendered.is_empty() {
            return Ok(0);
        }
        self.finish(draft).await
    }

    /// Commits a source's new state, with events that are about the whole scan.
    pub async fn commit_source(
        &self,
        place: Place<'_>,
        state: SourceState,
        at_end: AtEnd<'_>,
    ) -> Result<()> {
        let _writer = self.writer.lock().await;
        let mut draft = Draft::new(place, false);
        draft.commit.source_state = Some(state);
        let AtEnd { summary, census } = at_end;
        draft.commit.census = census;
        if let Some(summary) = summary {
            let sequence = self.store.next_sequence().await?;
            let envelope = self.envelope(place, sequence);
            draft.commit.sinks = self.routes(&[(sequence, summary_of(place.source))]);
            draft.commit.events.push(payload::baseline_event(
                &envelope,
                place.source,
                summary,
                place.now,
            ));
        }
        self.write(&draft.commit).await
    }

    /// Which events, by sequence, go to which sink.
    fn routes(&self, matters: &[(u64, Matter<'_>)]) -> Vec<Route> {
        self.settings.sinks.iter().map(|sink| sink.route(matters)).collect()
    }

    fn envelope<'a>(&'a self, place: Place<'a>, sequence: u64) -> Envelope<'a> {
        Envelope {
            agent: &self.settings.agent,
            scan: place.scan,
            sequence,
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    async fn prior_state(&self, place: Place<'_>, scope: &Scope) -> Result<ScopeState> {
        let states = self.store.scope_states(Some(place.source)).await?;
        Ok(states
            .into_iter()
            .find(|s| s.scope == *scope)
            .unwrap_or_else(|| ScopeState::unread(place.source, scope, place.now)))
    }

    /// Merges what changed with what was known, and drafts the new versions and their drift.
    async fn write_records(
        &self,
        draft: &mut Draft<'_>,
        prior: &ScopeState,
        scope: &Scope,
        changed: Vec<Observation>,
        gone: &[Disappeared],
    ) -> Result<Counts> {
        let ids: Vec<RecordId> = changed.iter().map(|o| o.id.clone()).collect();
        let mut known = self.load(&ids).await?;
        let new: Vec<&Observation> =
            changed.iter().filter(|o| !known.contains_key(&o.id)).collect();
        let mut returned = self.load_vanished(&new).await?;
        let replaced = self.names_taken_over(draft.place, scope, &new, gone).await?;
        let origin = match prior.baselined_at {
            None => Origin::Baseline,
            Some(_) => Origin::Appeared,
        };

        let mut counts = Counts::default();
        for observation in changed {
            let fingerprint = reconcile::fingerprint(&observation);
            let id = observation.id.clone();
            let (record, change) = if let Some(old) = known.remove(&id) {
                // A place may have been read under another source's name before.
                let source = draft.place.source.to_owned();
                if old.source != source || old.scope != *scope {
                    counts.moved_in += 1;
                }
                let old = Record { source, scope: scope.clone(), ..old };
                let (record, change) = changed_record(old.clone(), observation, draft.look());
                if change.is_some() && is_linked_otherwise(&old, &record) {
                    draft.before.push(old);
                }
                (record, change)
            } else if let Some(old) = returned.remove(&id) {
                let merged = reconcile::merge(&old.observation, observation);
                let history = old.history.after(&old.observation, &merged, draft.look());
                let record =
                    Record { observation: merged, history, changed_at: draft.place.now, ..old };
                (record, Some(Change::Reappeared))
            } else {
                let name = (observation.kind.clone(), observation.name.clone());
                let replaces = replaced.get(&name).filter(|old| **old != id).cloned();
                let record = Record {
                    history: History::first(&observation),
                    observation,
                    source: draft.place.source.to_owned(),
                    scope: scope.clone(),
                    origin,
                    first_seen_at: draft.place.now,
                    changed_at: draft.place.now,
                    replaces,
                    owner: None,
                };
                (record, Some(Change::Appeared))
            };
            counts.add(change.as_ref());
            draft.write(record, fingerprint, change);
        }
        Ok(counts)
    }

    /// Present records by id.
    async fn load(&self, ids: &[RecordId]) -> Result<BTreeMap<RecordId, Record>> {
        let mut records = BTreeMap::new();
        for chunk in ids.chunks(CHUNK) {
            for record in self.store.records(chunk).await? {
                records.insert(record.id().clone(), record);
            }
        }
        Ok(records)
    }

    async fn load_vanished(&self, new: &[&Observation]) -> Result<BTreeMap<RecordId, Record>> {
        let ids: Vec<RecordId> = new.iter().map(|o| o.id.clone()).collect();
        let mut records = BTreeMap::new();
        for chunk in ids.chunks(CHUNK) {
            for record in self.store.vanished(chunk).await? {
                records.insert(record.id().clone(), record);
            }
        }
        Ok(records)
    }

    /// Which vanished record each new name belonged to, those that vanish in this commit included.
    async fn names_taken_over(
        &self,
        place: Place<'_>,
        scope: &Scope,
        new: &[&Observation],
        gone: &[Disappeared],
    ) -> Result<BTreeMap<(String, String), RecordId>> {
        let names: Vec<(String, String)> =
            new.iter().map(|o| (o.kind.clone(), o.name.clone())).collect();
        let mut owners = BTreeMap::new();
        for chunk in names.chunks(CHUNK) {
            owners.extend(self.store.vanished_by_name(place.source, scope, chunk).await?);
        }
        let going: Vec<RecordId> = gone.iter().map(|g| g.record().clone()).collect();
        for (id, record) in self.load(&going).await? {
            let Observation { kind, name, .. } = record.observation;
            owners.insert((kind, name), id);
        }
        Ok(owners)
    }

    async fn write_usage(&self, draft: &mut Draft<'_>, used: Vec<Observation>) -> Result<()> {
        let ids: Vec<RecordId> = used.iter().map(|o| o.id.clone()).collect();
        let known = self.load(&ids).await?;
        for observation in used {
            let Some(old) = known.get(&observation.id) else { continue };
            let usage_hash = reconcile::usage_hash(&observation);
            let merged = reconcile::merge(&old.observation, observation);
            let history = old.history.clone().after(&old.observation, &merged, draft.look());
            draft.commit.used.push(Used {
                id: merged.id.clone(),
                usage: merged.usage.clone(),
                usage_hash,
                history: history.clone(),
            });
            draft.touch(Record { observation: merged, history, ..old.clone() });
        }
        Ok(())
    }

    async fn remove(
        &self,
        draft: &mut Draft<'_>,
        scope: &Scope,
        gone: &[Disappeared],
    ) -> Result<()> {
        let ids: Vec<RecordId> = gone.iter().map(|g| g.record().clone()).collect();
        let going = self.load(&ids).await?;
        let subjects: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let findings = self.findings_on(&subjects).await?;
        for (id, record) in going {
            draft.commit.drift.push(Drift {
                record: id.clone(),
                name: record.observation.name.clone(),
                kind: record.observation.kind.clone(),
                scope: scope.clone(),
                change: Change::Disappeared,
            });
            for finding in findings.get(id.as_str()).into_iter().flatten() {
                let reason = "the subject disappeared from its source";
                if let Some(step) = findings::resolve(Some(finding), reason, draft.place.now) {
                    draft.rendered.push((step, Rendered::Record(Box::new(record.clone()), None)));
                }
            }
            draft.commit.removed.push(id);
            draft.before.push(record);
        }
        Ok(())
    }

    /// Renders the events and writes everything; returns the number of transitions.
    async fn finish(&self, draft: Draft<'_>) -> Result<u64> {
        let silent = self.silent_sources(&draft).await?;
        let Draft { place, mut commit, rendered, .. } = draft;
        let mut sequence = self.store.next_sequence().await?;
        let mut matters = Vec::new();
        for (transition, about) in &rendered {
            if !silent.contains(about.source()) {
                commit.events.push(self.event(place, sequence, transition, about));
                matters.push((sequence, about.matter(transition)));
                sequence += 1;
            }
        }
        commit.sinks = self.routes(&matters);
        commit.transitions = rendered.into_iter().map(|(transition, _)| transition).collect();
        self.write(&commit).await?;
        Ok(commit.transitions.len() as u64)
    }

    /// Sources whose transitions stay inside because a summary of their baseline will tell them.
    /// A commit may also move findings of other sources, which are not at their first scan.
    async fn silent_sources(&self, draft: &Draft<'_>) -> Result<BTreeSet<String>> {
        let own = draft.place.source;
        let mut silent: BTreeSet<String> =
            draft.quiet.then(|| own.to_owned()).into_iter().collect();
        let others: BTreeSet<&str> =
            draft.rendered.iter().map(|(_, about)| about.source()).filter(|s| *s != own).collect();
        if others.is_empty() || self.settings.emit_baseline {
            return Ok(silent);
        }
        let states = self.store.source_states().await?;
        let young = states.into_iter().filter(|state| state.baselined_at.is_none());
        silent.extend(young.map(|state| state.name).filter(|name| others.contains(name.as_str())));
        Ok(silent)
    }

    fn event(
        &self,
        place: Place<'_>,
        sequence: u64,
        transition: &Transition,
        about: &Rendered,
    ) -> Event {
        let meta = rules::find(&transition.finding.rule).map_or(&RETIRED, |rule| rule.meta());
        let (record, parent, scope) = match about {
            Rendered::Record(record, parent) => (Some(&**record), parent.as_deref(), None),
            Rendered::Scope(state) => (None, None, Some(&**state)),
        };
        let about = payload::About { meta, record, parent, scope };
        payload::finding_event(&self.envelope(place, sequence), transition, &about)
    }
}

/// A first scan's summary, as filters see it.
const fn summary_of(source: &str) -> Matter<'_> {
    Matter { rule: None, severity: findings::Severity::Info, source, owner: None }
}

impl Ending<'_> {
    /// What is proven gone, where anything may be.
    pub(super) fn gone_mut(&mut self) -> Option<&mut Vec<Disappeared>> {
        match self {
            Self::Read { gone, .. } | Self::Refreshed { gone } => Some(gone),
            Self::Held { .. } | Self::Failed(_) => None,
        }
    }

    fn gone(&self) -> &[Disappeared] {
        match self {
            Self::Read { gone, .. } | Self::Refreshed { gone } => gone,
            Self::Held { .. } | Self::Failed(_) => &[],
        }
    }
}

impl<'a> Ending<'a> {
    fn is_sweep(&self) -> bool {
        let Self::Read { proof, .. } = self else { return false };
        matches!(proof.extent(), Extent::Parents { outstanding, .. } if *outstanding > 0)
    }

    /// What the reading means for the scope; a refresh means nothing for it.
    fn outcome(self) -> Option<Outcome<'a>> {
        match self {
            Self::Read { proof, mass_removal, .. } => Some(Outcome::Read { proof, mass_removal }),
            Self::Held { would_remove, of } => Some(Outcome::Held { would_remove, of }),
            Self::Failed(error) => Some(Outcome::Failed(error)),
            Self::Refreshed { .. } => None,
        }
    }
}
