//! Reads the scopes of one source and hands each reading to the ledger.
//!
//! Places are read concurrently, the scopes of a place one after the other, because they share
//! bulk answers and a rate limit. A scope that fails stays as it was; its siblings go on. The file
//! is longer than most because the life of one scan is easier to follow in one place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt as _;
use headcount_core::inventory::{MassRemoval, ScopeState};
use headcount_core::reconcile::{Disappeared, Found, Reading};
use headcount_core::rules::RuleConfig;
use headcount_sdk::contract::SCOPE_DEADLINE;
use headcount_sdk::{
    Complete, Extent, Memo, Observation, Pass, Priority, RecordId, Recorder, ScanContext,
    ScanError, Scope,
};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::cache::StoredCache;
use self::commit::Finds;
use self::pile::Pile;
use self::younger::Younger;
use super::ledger::{AtEnd, Ending, Ledger, Place};
use super::{EngineError, Progress, ScanReport, ScopeReport, Settings, Source};
use crate::clock::Clock;
use crate::deliver::payload::BaselineSummary;
use crate::store::{SourceState, Store};

mod cache;
mod commit;
pub(super) mod pile;
mod pushed;
mod younger;

/// Records judged again per commit when only time has passed.
const DUE_BATCH: u32 = 1_000;

/// Parents per look-up of what belongs to them.
const PARENTS: usize = 500;

pub struct Engine {
    store: Arc<dyn Store>,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    cancel: CancellationToken,
    /// Tells apart scans that begin in the same millisecond.
    scans: AtomicU64,
    younger: Younger,
    committing: tokio::sync::Mutex<()>,
}

/// One scan as it goes on.
struct Run<'a> {
    source: &'a Source,
    scan: String,
    is_baseline: bool,
    /// Whether a hint asked for it, and not the schedule.
    is_hinted: bool,
    progress: &'a dyn Progress,
}

/// What became of hints on one scope.
#[derive(Debug)]
pub enum Refreshed {
    /// The subjects were read again.
    Subjects(ScopeReport),
    /// The whole scope was read.
    Whole(ScopeReport),
    /// The connector cannot read these subjects alone: the whole scope should be read.
    WantsWhole,
    Failed(ScanError),
}

/// One reading of one scope.
struct Read {
    finds: Finds,
    outcome: Result<Complete, ScanError>,
}

impl Engine {
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        settings: Settings,
        clock: Arc<dyn Clock>,
        cancel: CancellationToken,
    ) -> Self {
        let ledger = Ledger::new(Arc::clone(&store), settings);
        Self {
            store,
            ledger,
            clock,
            cancel,
            scans: AtomicU64::new(0),
            younger: Younger::default(),
            committing: tokio::sync::Mutex::default(),
        }
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        self.ledger.settings()
    }

    /// Wakes whoever delivers, after every commit that carries events.
    #[must_use]
    pub fn committed(&self) -> Arc<Notify> {
        self.ledger.committed()
    }

    /// The sequence number of the last event; moves with every commit that carries events.
    #[must_use]
    pub fn sequence(&self) -> tokio::sync::watch::Receiver<u64> {
        self.ledger.sequence()
    }

    /// Moves whenever somebody accepts findings or takes that back.
    pub async fn exceptions_version(&self) -> Result<u64, EngineError> {
        Ok(self.store.exceptions_version().await?)
    }

    /// Scans every scope of a source once.
    pub async fn scan(
        &self,
        source: &Source,
        progress: &dyn Progress,
    ) -> Result<ScanReport, EngineError> {
        let started_at = self.clock.now();
        let state = self.begin(source, started_at).await?;
        let run = Run {
            source,
            scan: self.scan_id(started_at),
            is_baseline: state.baselined_at.is_none(),
            is_hinted: false,
            progress,
        };
        let mut report = ScanReport {
            source: source.name.clone(),
            scan: run.scan.clone(),
            started_at,
            finished_at: started_at,
            is_baseline: run.is_baseline,
            scopes: Vec::new(),
            unreachable: None,
            due: 0,
        };
        let cx = self.context(source, &run.scan, Priority::Scan);
        match self.interruptible(source.connector.scopes(&cx)).await? {
            Ok(scopes) => self.read_all(&run, &scopes, &mut report).await?,
            Err(error) => self.fail_all(&run, &error, &mut report).await?,
        }
        report.due = self.judge_due(source).await?;
        report.finished_at = self.clock.now();
        self.end(&run, state, &report).await?;
        Ok(report)
    }

    /// Re-reads what hints name in one scope, and commits it like any reading. A hint on the scope
    /// itself reads all of it.
    pub async fn refresh(
        &self,
        source: &Source,
        scope: &Scope,
        subjects: &BTreeSet<String>,
    ) -> Result<Refreshed, EngineError> {
        let states = self.store.source_states().await?;
        let is_baseline = !states.iter().any(|s| s.name == source.name && s.baselined_at.is_some());
        let scan = self.scan_id(self.clock.now());
        let cx = self.context(source, &scan, Priority::Hint);
        let run = Run { source, scan, is_baseline, is_hinted: true, progress: &super::Silent };
        if subjects.contains("") {
            return Ok(Refreshed::Whole(self.read_scope(&run, &cx, scope).await?));
        }
        let known = self.store.known(&source.name, scope).await?;
        let mut reading = Reading::of(known);
        let outcome = {
            let mut sink = |observation: Observation| reading.accept(observation);
            let recorder = Recorder::new(scope.clone(), &mut sink);
            self.interruptible(source.connector.refresh(&cx, scope, subjects, recorder)).await?
        };
        let found = self.finish(reading, &outcome).await?;
        let finds = Finds { found, pile: Pile::default() };
        match outcome {
            Ok(proof) => {
                let gone = self.proven_gone(&finds.found, &proof).await?;
                let ending = Ending::Refreshed { gone };
                Ok(Refreshed::Subjects(self.commit(&run, scope, finds, ending).await?))
            }
            Err(ScanError::NotSupported { .. }) => Ok(Refreshed::WantsWhole),
            // A permission that is gone is news about the scope; a call that failed is not, because
            // its last complete reading stands.
            Err(error @ ScanError::Denied { .. }) => {
                self.commit(&run, scope, finds, Ending::Failed(&error)).await?;
                Ok(Refreshed::Failed(error))
            }
            Err(error) => Ok(Refreshed::Failed(error)),
        }
    }

    /// Judges the records of a source whose verdicts time alone may have changed.
    pub async fn judge_due(&self, source: &Source) -> Result<u64, EngineError> {
        let states = self.store.source_states().await?;
        let is_baseline = !states.iter().any(|s| s.name == source.name && s.baselined_at.is_some());
        let scan = self.scan_id(self.clock.now());
        let mut transitions = 0;
        loop {
            let place =
                Place { source: &source.name, scan: &scan, now: self.clock.now(), is_baseline };
            let (judged, more) = self.ledger.commit_due(place, DUE_BATCH).await?;
            transitions += more;
            if judged < u64::from(DUE_BATCH) {
                let place = Place { now: self.clock.now(), ..place };
                transitions += self.ledger.commit_scopes_due(place).await?;
                return Ok(transitions);
            }
            if self.cancel.is_cancelled() {
                return Err(EngineError::Interrupted);
            }
        }
    }

    /// Records the start of a scan, and has everything judged again if the rules have changed.
    async fn begin(&self, source: &Source, now: Timestamp) -> Result<SourceState, EngineError> {
        let states = self.store.source_states().await?;
        let mut state =
            states.into_iter().find(|s| s.name == source.name).unwrap_or_else(|| SourceState {
                name: source.name.clone(),
                connector: source.connector.manifest().connector.to_owned(),
                baselined_at: None,
                last_scan_started_at: None,
                last_scan_finished_at: None,
                last_scan_complete: None,
                last_complete_at: None,
                last_summary_at: None,
                rules_digest: None,
            });
        let digest = rules_digest(&self.settings().rules);
        if state.rules_digest.as_ref().is_some_and(|d| *d != digest) {
            self.store.mark_all_due(&source.name, now).await?;
        }
        state.rules_digest = Some(digest);
        state.last_scan_started_at = Some(now);
        let scan = self.scan_id(now);
        let place = Place { source: &source.name, scan: &scan, now, is_baseline: false };
        self.ledger.commit_source(place, state.clone(), AtEnd::default()).await?;
        Ok(state)
    }

    async fn end(
        &self,
        run: &Run<'_>,
        mut state: SourceState,
        report: &ScanReport,
    ) -> Result<(), EngineError> {
        let now = report.finished_at;
        let coverage = self.store.scope_states(Some(&run.source.name)).await?;
        // By all that is known of the source: a push may have brought one scope of many.
        let is_complete =
            report.is_complete() && !coverage.iter().any(|scope| scope.coverage.is_short());
        self.heed_other_scans(&mut state).await?;
        state.last_scan_finished_at = Some(now);
        state.last_scan_complete = Some(is_complete);
        if is_complete {
            state.last_complete_at = Some(now);
        }
        // A source that never answered has no baseline yet.
        if report.unreachable.is_none() {
            state.baselined_at = state.baselined_at.or(Some(now));
        }
        let census = self.store.take_census(&run.source.name, now).await?;
        let told_at = state.last_summary_at;
        // Read from what is stored, so that a baseline that a crash cut short is told of as well.
        let has_news =
            run.is_baseline || coverage.iter().any(|s| !s.is_swept && s.baselined_at > told_at);
        let place = Place { source: &run.source.name, scan: &run.scan, now, is_baseline: false };
        if has_news && report.unreachable.is_none() {
            state.last_summary_at = Some(now);
            let summary = self.summary(report, &coverage).await?;
            let at_end = AtEnd { summary: Some(&summary), census };
            self.ledger.commit_source(place, state, at_end).await?;
        } else {
            let at_end = AtEnd { summary: None, census };
            self.ledger.commit_source(place, state, at_end).await?;
        }
        Ok(())
    }

    async fn summary<'a>(
        &self,
        report: &ScanReport,
        coverage: &'a [ScopeState],
    ) -> Result<BaselineSummary<'a>, EngineError> {
        let mut records = BTreeMap::new();
        for count in self.store.count_records().await? {
            if count.source == report.source {
                *records.entry(count.class).or_default() += count.count;
            }
        }
        let mut findings = BTreeMap::new();
        for ((rule, severity, source), count) in self.store.count_open_findings().await? {
            if source == report.source {
                findings.insert((rule, severity), count);
            }
        }
        Ok(BaselineSummary {
            started_at: report.started_at,
            finished_at: report.finished_at,
            records,
            findings,
            coverage,
        })
    }

    async fn read_all(
        &self,
        run: &Run<'_>,
        scopes: &[Scope],
        report: &mut ScanReport,
    ) -> Result<(), EngineError> {
        run.progress.planned(scopes);
        let taken = self.taken_places(run.source).await?;
        let mut places: Vec<(String, Vec<Scope>)> = Vec::new();
        for scope in scopes {
            if let Some(owner) = taken.get(&scope.place) {
                let error = pushed::taken_by(owner, &scope.place);
                self.fail(run, scope, &error, report).await?;
                continue;
            }
            match places.iter_mut().find(|(place, _)| *place == scope.place) {
                Some((_, scopes)) => scopes.push(scope.clone()),
                None => places.push((scope.place.clone(), vec![scope.clone()])),
            }
        }
        let in_parallel = self.settings().places_in_parallel.max(1);
        let mut readings = futures::stream::iter(places)
            .map(|(_, scopes)| self.read_place(run, scopes))
            .buffered(in_parallel);
        while let Some(place) = readings.next().await {
            report.scopes.extend(place?);
        }
        drop(readings);
        self.fail_unlisted(run, scopes, report).await
    }

    /// Places that another configured source reads. Two readers of one place would take turns in
    /// finding the other's records.
    async fn taken_places(&self, source: &Source) -> Result<BTreeMap<String, String>, EngineError> {
        let configured = &self.settings().sources;
        let states = self.store.scope_states(None).await?;
        Ok(states
            .into_iter()
            .filter(|s| s.source != source.name && configured.contains(&s.source))
            .filter(|s| s.last_complete_at.is_some())
            .map(|s| (s.scope.place, s.source))
            .collect())
    }

    async fn read_place(
        &self,
        run: &Run<'_>,
        scopes: Vec<Scope>,
    ) -> Result<Vec<ScopeReport>, EngineError> {
        let place = scopes.first().map(|scope| scope.place.clone()).unwrap_or_default();
        let _reading = self.younger.watch(&run.source.name, &place);
        // One memo per place: its bulk answers are dropped when the place is done.
        let cx = self.context(run.source, &run.scan, Priority::Scan);
        let mut reports = Vec::with_capacity(scopes.len());
        for scope in scopes {
            run.progress.started(&scope);
            let report = self.read_scope(run, &cx, &scope).await?;
            run.progress.finished(&report);
            reports.push(report);
        }
        Ok(reports)
    }

    /// Scopes that were known and are not listed any more: nobody looked, so nothing is gone.
    async fn fail_unlisted(
        &self,
        run: &Run<'_>,
        listed: &[Scope],
        report: &mut ScanReport,
    ) -> Result<(), EngineError> {
        let error = ScanError::Unavailable {
            operation: "scopes".to_owned(),
            reason: "the source does not list this place any more".to_owned(),
        };
        for state in self.store.scope_states(Some(&run.source.name)).await? {
            if !listed.contains(&state.scope) {
                self.fail(run, &state.scope, &error, report).await?;
            }
        }
        Ok(())
    }

    async fn fail_all(
        &self,
        run: &Run<'_>,
        error: &ScanError,
        report: &mut ScanReport,
    ) -> Result<(), EngineError> {
        tracing::warn!(source = run.source.name, %error, "the source cannot list its scopes");
        report.unreachable = Some(error.clone());
        for state in self.store.scope_states(Some(&run.source.name)).await? {
            self.fail(run, &state.scope, error, report).await?;
        }
        Ok(())
    }

    async fn fail(
        &self,
        run: &Run<'_>,
        scope: &Scope,
        error: &ScanError,
        report: &mut ScanReport,
    ) -> Result<(), EngineError> {
        let known = self.store.known(&run.source.name, scope).await?;
        let finds = Finds { found: Reading::of(known).finish(), pile: Pile::default() };
        report.scopes.push(self.commit(run, scope, finds, Ending::Failed(error)).await?);
        Ok(())
    }

    async fn read_scope(
        &self,
        run: &Run<'_>,
        cx: &ScanContext,
        scope: &Scope,
    ) -> Result<ScopeReport, EngineError> {
        let Read { finds, outcome } = self.read(run.source, cx, scope).await?;
        let proof = match outcome {
            Ok(proof) => proof,
            Err(error) => {
                tracing::warn!(
                    source = run.source.name, scope = %scope, %error,
                    "the scope was not read to its end; what is known of it stays"
                );
                let ending = Ending::Failed(&error);
                return self.commit(run, scope, finds, ending).await;
            }
        };
        let gone = self.proven_gone(&finds.found, &proof).await?;
        if !self.settings().brake.holds(gone.len() as u64, finds.found.known) {
            let ending = Ending::Read { proof: &proof, gone, mass_removal: None };
            return self.commit(run, scope, finds, ending).await;
        }
        self.confirm(run, cx, scope, &gone).await
    }

    /// Reads a scope a second time because the first reading would remove too much of it.
    async fn confirm(
        &self,
        run: &Run<'_>,
        cx: &ScanContext,
        scope: &Scope,
        first: &[Disappeared],
    ) -> Result<ScopeReport, EngineError> {
        let would_remove = first.len() as u64;
        tracing::warn!(
            source = run.source.name, scope = %scope, would_remove,
            "the brake holds a removal; reading the scope again"
        );
        let again = ScanContext { memo: Memo::default(), pass: Pass::Confirming, ..cx.clone() };
        let Read { finds, outcome } = self.read(run.source, &again, scope).await?;
        let known = finds.found.known;
        let proof = match outcome {
            Ok(proof) => proof,
            Err(error) => {
                let ending = Ending::Failed(&error);
                return self.commit(run, scope, finds, ending).await;
            }
        };
        let second = self.proven_gone(&finds.found, &proof).await?;
        let agrees = second.len() == first.len() && second.iter().all(|g| first.contains(g));
        let is_held = self.settings().brake.holds(second.len() as u64, known);
        let ending = if agrees {
            let removal = MassRemoval { at: self.clock.now(), removed: would_remove, of: known };
            Ending::Read { proof: &proof, gone: second, mass_removal: Some(removal) }
        } else if is_held {
            Ending::Held { would_remove, of: known }
        } else {
            // The first reading was the odd one out: the second alone needs no brake.
            Ending::Read { proof: &proof, gone: second, mass_removal: None }
        };
        self.commit(run, scope, finds, ending).await
    }

    async fn read(
        &self,
        source: &Source,
        cx: &ScanContext,
        scope: &Scope,
    ) -> Result<Read, EngineError> {
        let mut reading = Reading::of(self.store.known(&source.name, scope).await?);
        let mut pile = Pile::default();
        let outcome = {
            let mut sink = |observation: Observation| {
                reading.accept(observation);
                pile.relieve(&mut reading);
            };
            let recorder = Recorder::new(scope.clone(), &mut sink);
            let deadline = SCOPE_DEADLINE.unsigned_abs();
            let observed =
                tokio::time::timeout(deadline, source.connector.observe(cx, scope, recorder));
            match self.interruptible(observed).await? {
                Ok(outcome) => outcome,
                Err(_) => Err(ScanError::Unavailable {
                    operation: "observe".to_owned(),
                    reason: format!("not done after {} minutes", SCOPE_DEADLINE.as_mins()),
                }),
            }
        };
        let found = self.finish(reading, &outcome).await?;
        Ok(Read { finds: Finds { found, pile }, outcome })
    }

    /// Ends a reading. Of a slice only what stands in it is asked about: a hint on one account of
    /// a hundred thousand must not load the others to learn that nobody looked for them.
    async fn finish(
        &self,
        reading: Reading,
        outcome: &Result<Complete, ScanError>,
    ) -> Result<Found, EngineError> {
        match outcome.as_ref().map(Complete::extent) {
            Ok(Extent::Records(ids)) => Ok(reading.finish_about(ids)),
            Ok(Extent::Parents { parents, .. }) => {
                let parents: Vec<RecordId> = parents.iter().cloned().collect();
                let mut children = BTreeSet::new();
                for chunk in parents.chunks(PARENTS) {
                    let found = self.store.children(chunk).await?;
                    children.extend(found.into_iter().map(|child| child.observation.id));
                }
                Ok(reading.finish_about(&children))
            }
            Ok(Extent::Whole | Extent::AllBut { .. }) | Err(_) => Ok(reading.finish()),
        }
    }

    async fn proven_gone(
        &self,
        found: &Found,
        proof: &Complete,
    ) -> Result<Vec<Disappeared>, EngineError> {
        let unseen: Vec<Observation> = self
            .store
            .records_by_row(&found.unseen)
            .await?
            .into_iter()
            .map(|record| record.observation)
            .collect();
        Ok(Found::proven_gone(&unseen, proof))
    }

    async fn interruptible<T>(&self, work: impl Future<Output = T>) -> Result<T, EngineError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(EngineError::Interrupted),
            done = work => Ok(done),
        }
    }

    /// The context that a connector's feed of hints gets.
    #[must_use]
    pub fn feed_context(&self, source: &Source) -> ScanContext {
        self.context(source, &self.scan_id(self.clock.now()), Priority::Hint)
    }

    fn context(&self, source: &Source, scan: &str, priority: Priority) -> ScanContext {
        ScanContext {
            scan: scan.to_owned(),
            source: source.name.clone(),
            now: self.clock.now(),
            priority,
            pass: Pass::First,
            cache: Arc::new(StoredCache {
                store: Arc::clone(&self.store),
                source: source.name.clone(),
            }),
            memo: Memo::default(),
        }
    }

    fn scan_id(&self, now: Timestamp) -> String {
        let number = self.scans.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-{number:x}-{:04x}", now.as_millisecond(), fastrand::u16(..))
    }
}

/// Changes when the settings of rules do, or the rules themselves may have.
fn rules_digest(rules: &RuleConfig) -> String {
    // Settings are plain maps and numbers; JSON takes them all.
    let settings = serde_json::to_string(rules).unwrap_or_default();
    let text = format!("{}|{settings}", env!("CARGO_PKG_VERSION"));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
