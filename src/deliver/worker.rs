//! Makes the attempts: one task per sink, so that a sink that fails holds up no other.
//!
//! A worker loads what is due, delivers some at a time, and records a whole batch in one
//! transaction. The store hands out only the first undelivered event of a finding, which keeps
//! their order. An attempt that was made but could not be recorded is made again later under the
//! same id.
//!
//! When nothing gets through, the worker stops sending whole batches at the sink and tries a
//! single event now and then, at growing intervals, until one arrives. Nothing is ever switched
//! off. It logs when a sink begins to fail and when it works again, not in between.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use super::DeliveryError;
use super::counters::Counters;
use super::retry;
use super::sinks::Sink;
use crate::clock::Clock;
use crate::store::{Attempt, Delivery, Outcome, QueueState, Store, StoreError};

/// Failures in a row within a batch after which the rest of it waits.
const HOPELESS: u32 = 10;
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
        sinks: Vec<Box<dyn Sink>>,
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
    sink: Box<dyn Sink>,
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

/// One attempt that came to an end.
struct Tried {
    delivery: Delivery,
    at: Timestamp,
    result: Result<(), DeliveryError>,
}

impl Worker {
    async fn run(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let until = match self.step(stop).await {
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
            match self.step(stop).await? {
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
    async fn step(&self, stop: &CancellationToken) -> Result<Step, StoreError> {
        let mut state = self.state.lock().await;
        let step = self.attempt(&mut state, stop).await;
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
        let tally = {
            let tried = self.try_all(due, stop).await;
            self.judge(tried, state)
        };
        self.note_health(&tally, state);
        self.record(state).await?;
        Ok(Step::Attempted(tally))
    }

    async fn record(&self, state: &mut State) -> Result<(), StoreError> {
        if !state.unrecorded.is_empty() {
            self.store.record_attempts(self.sink.name(), &state.unrecorded).await?;
            state.unrecorded.clear();
        }
        Ok(())
    }

    /// Attempts each, some at a time. What is not attempted because of `stop`, or because nothing
    /// gets through, stays due.
    async fn try_all(&self, due: Vec<Delivery>, stop: &CancellationToken) -> Vec<Tried> {
        let mut waiting = due.into_iter();
        let mut under_way = FuturesUnordered::new();
        let mut tried = Vec::with_capacity(waiting.len());
        let mut in_vain = 0;
        let over = async {
            stop.cancelled().await;
            tokio::time::sleep(self.pace.grace).await;
        };
        tokio::pin!(over);
        loop {
            while under_way.len() < self.sink.concurrency()
                && in_vain < HOPELESS
                && !stop.is_cancelled()
                && let Some(delivery) = waiting.next()
            {
                under_way.push(self.try_one(delivery));
            }
            tokio::select! {
                biased;
                next = under_way.next() => match next {
                    Some(one) => {
                        in_vain = if one.result.is_ok() { 0 } else { in_vain + 1 };
                        tried.push(one);
                    }
                    None => break,
                },
                () = &mut over => break,
            }
        }
        if let Err(error) = self.sink.settle().await {
            for one in tried.iter_mut().filter(|one| one.result.is_ok()) {
                one.result = Err(error.clone());
            }
        }
        tried
    }

    async fn try_one(&self, delivery: Delivery) -> Tried {
        let result = self.sink.deliver(&delivery.event).await;
        Tried { delivery, at: self.clock.now(), result }
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
