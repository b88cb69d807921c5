//! Decides when: the timer ticks, hints arrive, verdicts fall due, the process is told to stop.
//!
//! The cron scheduler only ticks, in UTC. What it does not promise is done here: one scan of a
//! source at a time (ticks that come meanwhile fall together into one), jitter, and an orderly end.

use std::sync::Arc;
use std::time::Duration;

use headcount_sdk::{Hinted, Hints};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use super::{EngineError, ScanReport, Silent, Source};

/// How often verdicts that time alone can change are looked at.
const DUE_EVERY: Duration = Duration::from_secs(60);

/// How often exceptions that another process wrote are looked for.
const EXCEPTIONS_EVERY: Duration = Duration::from_secs(2);

mod hints;

/// A source and when to scan it.
#[derive(Clone)]
pub struct Scheduled {
    pub source: Source,
    /// Cron expression with seconds, in UTC.
    pub schedule: String,
    /// Scans of a tick start somewhere within this span, so that a fleet does not knock at once.
    pub jitter: Duration,
}

/// Told of what goes on, for metrics.
pub trait Observer: Send + Sync {
    fn scanned(&self, report: &ScanReport);
    fn failed(&self, source: &str, error: &EngineError);
    /// So many hints came in.
    fn hinted(&self, _source: &str, _count: u64) {}
    /// Hints on one scope were acted on.
    fn refreshed(&self, _source: &str, _outcome: &'static str) {}
    fn feed_ended(&self, _source: &str) {}
}

/// Where one source's hints are put, by its own feed and by messages from outside, and where it is
/// asked for a scan.
#[derive(Debug)]
pub struct Inbox {
    pub hints: Hints,
    /// Asks for a scan now; a full channel means that one is waiting already.
    pub activate: mpsc::Sender<Activation>,
    queue: mpsc::Receiver<Hinted>,
    activations: mpsc::Receiver<Activation>,
}

/// Why a source is to be scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Its schedule says so: the scan starts somewhere within the jitter.
    Due,
    /// Somebody waits for it: it starts as soon as the one before is over.
    Asked,
}

impl Default for Inbox {
    fn default() -> Self {
        let (hints, queue) = Hints::queue(hints::QUEUE);
        // One waiting activation is enough: it reads everything anyway.
        let (activate, activations) = mpsc::channel(1);
        Self { hints, activate, queue, activations }
    }
}

/// Scans every source at once and then on its schedule, until `cancel`.
///
/// Returns when every task has ended. A scan that is under way is interrupted; what it had
/// committed stays.
pub async fn run(
    engine: Arc<Engine>,
    sources: Vec<(Scheduled, Inbox)>,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) -> Result<(), JobSchedulerError> {
    let mut scheduler = JobScheduler::new().await?;
    let mut tasks = JoinSet::new();
    let mut all = Vec::with_capacity(sources.len());
    for (scheduled, inbox) in sources {
        let Inbox { hints, queue, activate, activations } = inbox;
        scheduler.add(ticking(&scheduled, activate.clone())?).await?;
        // The scan at the start; a full channel means that one is waiting already.
        let _ = activate.try_send(Activation::Asked);
        tasks.spawn(scan_on_activation(
            Arc::clone(&engine),
            scheduled.clone(),
            activations,
            Arc::clone(&observer),
            cancel.clone(),
        ));
        let source = scheduled.source.clone();
        {
            let (engine, observer, cancel) = (engine.clone(), observer.clone(), cancel.clone());
            let source = source.clone();
            tasks.spawn(async move {
                hints::feed(&engine, &source, hints, &*observer, &cancel).await;
            });
        }
        let (engine, observer, cancel) = (engine.clone(), observer.clone(), cancel.clone());
        tasks.spawn(hints::follow(engine, source, queue, observer, cancel));
        all.push(scheduled);
    }
    tasks.spawn(judge_when_due(Arc::clone(&engine), all, cancel.clone()));
    scheduler.start().await?;
    cancel.cancelled().await;
    scheduler.shutdown().await?;
    while tasks.join_next().await.is_some() {}
    Ok(())
}

fn ticking(
    scheduled: &Scheduled,
    activate: mpsc::Sender<Activation>,
) -> Result<Job, JobSchedulerError> {
    Job::new_async(scheduled.schedule.as_str(), move |_, _| {
        let activate = activate.clone();
        Box::pin(async move {
            // A full channel means that a scan is waiting already: ticks fall together.
            let _ = activate.try_send(Activation::Due);
        })
    })
}

async fn scan_on_activation(
    engine: Arc<Engine>,
    scheduled: Scheduled,
    mut activations: mpsc::Receiver<Activation>,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) {
    while let Some(Some(why)) = cancel.run_until_cancelled(activations.recv()).await {
        if why == Activation::Due {
            let wait = scheduled.jitter.mul_f64(fastrand::f64());
            // Whoever asks meanwhile does not wait for the jitter.
            let patience = tokio::time::timeout(wait, activations.recv());
            if cancel.run_until_cancelled(patience).await.is_none() {
                return;
            }
        }
        match engine.scan(&scheduled.source, &Silent).await {
            Ok(report) => {
                log_scan(&report);
                observer.scanned(&report);
            }
            Err(EngineError::Interrupted) => return,
            Err(error) => {
                tracing::error!(
                    source = scheduled.source.name, %error,
                    "the scan was given up; the next tick tries again"
                );
                observer.failed(&scheduled.source.name, &error);
            }
        }
    }
}

fn log_scan(report: &ScanReport) {
    let n_short = report.scopes.iter().filter(|s| s.coverage.is_short()).count();
    tracing::info!(
        source = report.source,
        scan = report.scan,
        complete = report.is_complete(),
        scopes = report.scopes.len(),
        scopes_incomplete = n_short,
        records = report.scopes.iter().map(|s| s.records).sum::<u64>(),
        appeared = report.scopes.iter().map(|s| s.appeared).sum::<u64>(),
        changed = report.scopes.iter().map(|s| s.changed).sum::<u64>(),
        disappeared = report.scopes.iter().map(|s| s.disappeared).sum::<u64>(),
        transitions = report.transitions(),
        "scan finished"
    );
}

/// Judges every source's records once they are due; at once when somebody wrote an exception, in
/// this process or beside it.
async fn judge_when_due(engine: Arc<Engine>, sources: Vec<Scheduled>, cancel: CancellationToken) {
    let mut seen = None;
    let mut looked_at = tokio::time::Instant::now();
    while cancel.run_until_cancelled(tokio::time::sleep(EXCEPTIONS_EVERY)).await.is_some() {
        let version = match engine.exceptions_version().await {
            Ok(version) => version,
            Err(error) => {
                tracing::error!(%error, "the exceptions could not be looked at");
                continue;
            }
        };
        let is_moved = seen.replace(version).is_some_and(|before| before != version);
        if !is_moved && looked_at.elapsed() < DUE_EVERY {
            continue;
        }
        looked_at = tokio::time::Instant::now();
        for scheduled in &sources {
            match engine.judge_due(&scheduled.source).await {
                Ok(_) => {}
                Err(EngineError::Interrupted) => return,
                Err(error) => tracing::error!(
                    source = scheduled.source.name, %error,
                    "due verdicts were not taken; they stay due"
                ),
            }
        }
    }
}
