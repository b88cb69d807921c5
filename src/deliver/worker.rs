//! Makes the attempts: one task per sink, so that a sink that fails holds up no other.
//!
//! A worker loads what is due, delivers it ([`attempts`]: event by event, or in batches where a
//! sink takes several with one request), and records what came of it in one transaction. The store hands out only the first undelivered event of a finding, which keeps
//! their order. An attempt that was made but could not be recorded is made again later under the
//! same id.
//!
//! When nothing gets through, the worker stops sending whole batches at the sink and tries a
//! single event now and then, at growing intervals, until one arrives. Nothing is ever switched
//! off. A sink that has a window ([`Batch`]) is given what is due when the window ends, when a batch
//! is full or when something is urgent. The worker logs when a sink begins to fail and when it works again, not in between.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use super::DeliveryError;
use super::counters::Counters;
use super::retry;
use super::sinks::NamedSink;
use crate::clock::Clock;
use crate::store::{Attempt, Delivery, Outcome, QueueState, Store, StoreError};

mod attempts;

use attempts::Tried;

/// The first pause of a sink that takes nothing; doubles until [`LONGEST_PAUSE`].
const PAUSE: SignedDuration = SignedDuration::from_secs(5);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// The queue is looked at this often without being asked, for what another process queued again.
const LOOK: Duration = Duration::from_secs(60);

/// How a worker goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Events per transaction.
    pub batch: u32,
    /// How long attempts under way may go on after the order to stop.
    pub grace: Duration,
    /// From 0 to 1, spreads retries.
    pub dice: fn() -> f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { batch: 256, grace: Duration::from_secs(8), dice: fastrand::f64 }
    }
}

/// Delivers committed events to every sink.
pub struct Deliverer {
    workers: Vec<Arc<Worker>>,
    counters: Arc<Counters>,
}

/// What a sink's queue came to in [`Deliverer::drain`].
#[derive(Clone, Debug)]
pub struct Drained {
    pub sink: String,
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// The last failure.
    pub error: Option<String>,
    /// What remains.
    pub queue: QueueState,
}

impl Deliverer {
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        sinks: Vec<NamedSink>,
        clock: Arc<dyn Clock>,
        pace: Pace,
    ) -> Self {
        let counters = Arc::new(Counters::default());
        let workers = sinks.into_iter().map(|sink| {
            Arc::new(Worker {
                sink,
                store: Arc::clone(&store),
                clock: Arc::clone(&clock),
                pace,
                wake: Notify::new(),
                counters: Arc::clone(&counters),
                state: Mutex::default(),
            })
        });
        Self { workers: workers.collect(), counters }
    }

    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Says that something was committed, or that the clock was moved.
    pub fn wake(&self) {
        for worker in &self.workers {
            worker.wake.notify_one();
        }
    }

    /// Delivers until `stop`, and then for at most [`Pace::grace`] what is under way.
    pub async fn run(&self, stop: CancellationToken) {
        let tasks = self.workers.iter().map(|worker| {
            let (worker, stop) = (Arc::clone(worker), stop.clone());
            async move {
                let task = tokio::spawn(async move { worker.run(&stop).await });
                // A worker ends only by `stop`; a panic in one must not end the others.
                if let Err(error) = task.await {
                    tracing::error!(%error, "a delivery worker broke down");
                }
            }
        });
        join_all(tasks).await;
    }

    /// Attempts everything that is due, and again what comes due within `patience`; then says what
    /// remains.
    pub async fn drain(&self, patience: SignedDuration) -> Result<Vec<Drained>, StoreError> {
        self.drain_until(patience, &CancellationToken::new()).await
    }

    /// As [`Self::drain`], but ends early in order when told to stop.
    pub async fn drain_until(
        &self,
        patience: SignedDuration,
        stop: &CancellationToken,
    ) -> Result<Vec<Drained>, StoreError> {
        let each = self.workers.iter().map(|worker| worker.drain(patience, stop));
        join_all(each).await.into_iter().collect()
    }
}

struct Worker {
    sink: NamedSink,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    pace: Pace,
    wake: Notify,
    counters: Arc<Counters>,
    /// Held through a step, which makes sure that there is one at a time.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Attempts that were made but not yet recorded.
    unrecorded: Vec<Attempt>,
    failing: Option<Failing>,
    store_fails: bool,
}

/// A sink that took nothing of the last batch.
#[derive(Clone, Copy)]
struct Failing {
    since: Timestamp,
    pause: SignedDuration,
    until: Timestamp,
}

/// Whether a step leaves events that a sink gathers to wait for others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gathering {
    /// Until the sink's window ends.
    GoesOn,
    /// Nothing more will come.
    IsOver,
}

/// What a step came to.
enum Step {
    Attempted(Tally),
    /// Nothing to do before this time; `None` = nothing queued.
    Idle(Option<Timestamp>),
}

#[derive(Default)]
struct Tally {
    delivered: u64,
    failed: u64,
    dead: u64,
    error: Option<DeliveryError>,
    /// The longest pause that the receiver asked for.
    after: Option<SignedDuration>,
}

impl Worker {
    async fn run(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let until = match self.step(Gathering::GoesOn, stop).await {
                Ok(Step::Attempted(_)) => continue,
                Ok(Step::Idle(until)) => until,
                Err(_) => self.clock.now().checked_add(PAUSE).ok(),
            };
            self.rest(until, stop).await;
        }
    }

    async fn drain(
        &self,
        patience: SignedDuration,
        stop: &CancellationToken,
    ) -> Result<Drained, StoreError> {
        let deadline = self.clock.now().checked_add(patience).unwrap_or(Timestamp::MAX);
        let (mut delivered, mut failed, mut error) = (0, 0, None);
        while !stop.is_cancelled() {
            match self.step(Gathering::IsOver, stop).await? {
                Step::Attempted(tally) => {
                    delivered += tally.delivered;
                    failed += tally.failed;
                    error = tally.error.or(error);
                }
                Step::Idle(Some(until)) if until <= deadline => self.rest(Some(until), stop).await,
                Step::Idle(_) => break,
            }
        }
        Ok(Drained {
            sink: self.sink.name().to_owned(),
            delivered,
            failed,
            error: error.map(|error| error.to_string()),
            queue: self.store.queue(self.sink.name()).await?,
        })
    }

    /// Waits until `until`, a wake-up, or the order to stop.
    async fn rest(&self, until: Option<Timestamp>, stop: &CancellationToken) {
        let wait = until.map(|until| until.duration_since(self.clock.now()));
        let wait = wait.map_or(LOOK, |wait| Duration::try_from(wait).unwrap_or_default());
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.wake.notified() => {}
            () = tokio::time::sleep(wait.min(LOOK)) => {}
        }
    }

    /// Loads what is due, attempts it, and records what came of it.
    async fn step(
        &self,
        gathering: Gathering,
        stop: &CancellationToken,
    ) -> Result<Step, StoreError> {
        let mut state = self.state.lock().await;
        let step = self.attempt(&mut state, gathering, stop).await;
        match &step {
            Ok(_) => state.store_fails = false,
            Err(error) if !std::mem::replace(&mut state.store_fails, true) => {
                tracing::error!(
                    sink = self.sink.name(), %error,
                    "deliveries wait for the store; attempts that it misses are made again"
                );
            }
            Err(_) => {}
        }
        step
    }

    async fn attempt(
        &self,
        state: &mut State,
        gathering: Gathering,
        stop: &CancellationToken,
    ) -> Result<Step, StoreError> {
        self.record(state).await?;
        let now = self.clock.now();
        if let Some(failing) = state.failing.filter(|failing| failing.until > now) {
            return Ok(Step::Idle(Some(failing.until)));
        }
        let limit = if state.failing.is_some() { 1 } else { self.pace.batch };
        let due = self.store.due_deliveries(self.sink.name(), now, limit).await?;
        if due.is_empty() {
            let queue = self.store.queue(self.sink.name()).await?;
            return Ok(Step::Idle(queue.next_due_at));
        }
        if gathering == Gathering::GoesOn
            && state.failing.is_none()
            && let Some(until) = self.gathers_until(&due, now)
        {
            return Ok(Step::Idle(Some(until)));
        }
        let tally = {
            let tried = self.try_all(due, stop).await;
            self.judge(tried, state)
        };
        self.note_health(&tally, state);
        self.record(state).await?;
        Ok(Step::Attempted(tally))
    }

    /// Until when what is due waits for others; `None` = it goes now.
    fn gathers_until(&self, due: &[Delivery], now: Timestamp) -> Option<Timestamp> {
        let batch = self.sink.batch().filter(|batch| batch.window > SignedDuration::ZERO)?;
        let is_full = due.len() >= batch.events.min(self.pace.batch as usize);
        // What failed before has waited long enough.
        let goes_now = |d: &Delivery| d.attempts > 0 || self.sink.is_urgent(&d.event);
        if is_full || due.iter().any(goes_now) {
            return None;
        }
        let oldest = due.iter().map(|delivery| delivery.event.time).min()?;
        let until = oldest.checked_add(batch.window).unwrap_or(Timestamp::MAX);
        (until > now).then_some(until)
    }

    async fn record(&self, state: &mut State) -> Result<(), StoreError> {
        if !state.unrecorded.is_empty() {
            self.store.record_attempts(self.sink.name(), &state.unrecorded).await?;
            state.unrecorded.clear();
        }
        Ok(())
    }

    /// Turns results into attempts to record.
    fn judge(&self, tried: Vec<Tried>, state: &mut State) -> Tally {
        let mut tally = Tally::default();
        for Tried { delivery, at, result } in tried {
            let attempts = delivery.attempts.saturating_add(1);
            let outcome = retry::outcome(&result, attempts, at, (self.pace.dice)());
            self.counters.count(self.sink.name(), &outcome);
            match result {
                Ok(()) => tally.delivered += 1,
                Err(error) => {
                    tally.failed += 1;
                    tally.dead += u64::from(matches!(outcome, Outcome::Dead { .. }));
                    if let DeliveryError::Retry { after, .. } = &error {
                        tally.after = tally.after.max(*after);
                    }
                    tally.error = Some(error);
                }
            }
            state.unrecorded.push(Attempt { sequence: delivery.event.sequence, at, outcome });
        }
        tally
    }

    /// Keeps the sink's state, and logs when it changes.
    fn note_health(&self, tally: &Tally, state: &mut State) {
        let sink = self.sink.name();
        let now = self.clock.now();
        if tally.dead > 0 {
            let error = tally.error.as_ref().map(ToString::to_string);
            tracing::error!(
                sink,
                dead = tally.dead,
                error,
                "gave up deliveries; they wait in the dead letters for `headcount sinks replay`"
            );
        }
        match (tally.delivered > 0, &tally.error, state.failing) {
            (true, _, Some(failing)) => {
                tracing::info!(sink, failed_since = %failing.since, "the sink works again");
                state.failing = None;
                self.counters.works(sink);
            }
            (false, Some(error), before) => {
                if before.is_none() {
                    tracing::warn!(sink, %error, "the sink takes nothing; deliveries are kept");
                    self.counters.fails(sink);
                }
                state.failing = Some(Failing::again(before, tally.after, now));
            }
            _ => {}
        }
    }
}

impl Failing {
    fn again(before: Option<Self>, after: Option<SignedDuration>, now: Timestamp) -> Self {
        let pause = before.map_or(PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
        let wait = pause.max(after.unwrap_or_default().min(LONGEST_PAUSE));
        Self {
            since: before.map_or(now, |before| before.since),
            pause,
            until: now.checked_add(wait).unwrap_or(Timestamp::MAX),
        }
    }
}
