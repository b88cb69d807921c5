//! Decides when: the timer ticks, hints arrive, verdicts fall due, the process is told to stop.
//!
//! The cron scheduler only ticks, in UTC. What it does not promise is done here: one scan of a
//! source at a time (ticks that come meanwhile fall together into one), jitter, and an orderly end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use headcount_sdk::{Hints, Scope};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use super::{EngineError, ScanReport, Silent, Source};

/// How often verdicts that time alone can change are looked at.
const DUE_EVERY: Duration = Duration::from_secs(60);

/// How long hints are gathered before they are acted on; a burst on one subject costs one read.
const DEBOUNCE: Duration = Duration::from_millis(250);

/// Hints that may wait; more than this are dropped, and the next scan finds the same.
const HINTS: usize = 10_000;

/// A source and when to scan it.
#[derive(Clone)]
pub struct Scheduled {
    pub source: Source,
    /// Cron expression with seconds, in UTC.
    pub schedule: String,
    /// Scans of a tick start somewhere within this span, so that a fleet does not knock at once.
    pub jitter: Duration,
}

/// Told of every scan that ended, for metrics.
pub trait Observer: Send + Sync {
    fn scanned(&self, report: &ScanReport);
    fn failed(&self, source: &str, error: &EngineError);
}

/// Scans every source at once and then on its schedule, until `cancel`.
///
/// Returns when every task has ended. A scan that is under way is interrupted; what it had
/// committed stays.
pub async fn run(
    engine: Arc<Engine>,
    sources: Vec<Scheduled>,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) -> Result<(), JobSchedulerError> {
    let mut scheduler = JobScheduler::new().await?;
    let mut tasks = JoinSet::new();
    for scheduled in &sources {
        // One waiting activation is enough: it reads everything anyway.
        let (activate, activations) = mpsc::channel(1);
        scheduler.add(ticking(scheduled, activate.clone())?).await?;
        // The scan at the start; a full channel means that one is waiting already.
        let _ = activate.try_send(());
        tasks.spawn(scan_on_activation(
            Arc::clone(&engine),
            scheduled.clone(),
            activations,
            Arc::clone(&observer),
            cancel.clone(),
        ));
        tasks.spawn(follow_hints(Arc::clone(&engine), scheduled.source.clone(), cancel.clone()));
    }
    tasks.spawn(judge_when_due(Arc::clone(&engine), sources, cancel.clone()));
    scheduler.start().await?;
    cancel.cancelled().await;
    scheduler.shutdown().await?;
    while tasks.join_next().await.is_some() {}
    Ok(())
}

fn ticking(scheduled: &Scheduled, activate: mpsc::Sender<()>) -> Result<Job, JobSchedulerError> {
    Job::new_async(scheduled.schedule.as_str(), move |_, _| {
        let activate = activate.clone();
        Box::pin(async move {
            // A full channel means that a scan is waiting already: ticks fall together.
            let _ = activate.try_send(());
        })
    })
}

async fn scan_on_activation(
    engine: Arc<Engine>,
    scheduled: Scheduled,
    mut activations: mpsc::Receiver<()>,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) {
    let mut is_first = true;
    while let Some(Some(())) = cancel.run_until_cancelled(activations.recv()).await {
        if !std::mem::take(&mut is_first) {
            let wait = scheduled.jitter.mul_f64(fastrand::f64());
            if cancel.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
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
        transitions = report.transitions().count(),
        "scan finished"
    );
}

/// Acts on the connector's hints. Those that come together are gathered, so that ten events on
/// one subject cost one read.
async fn follow_hints(engine: Arc<Engine>, source: Source, cancel: CancellationToken) {
    let (sender, mut queue) = Hints::queue(HINTS);
    let cx = engine.feed_context(&source);
    let feed = {
        let (source, cancel) = (source.clone(), cancel.clone());
        async move {
            let ended = cancel.run_until_cancelled(source.connector.feed(&cx, sender)).await;
            if let Some(Err(error)) = ended {
                tracing::warn!(
                    source = source.name, %error,
                    "the feed of hints ended; scans go on by schedule"
                );
            }
        }
    };
    let follow = async {
        while let Some(first) = queue.recv().await {
            let mut gathered = vec![first];
            tokio::time::sleep(DEBOUNCE).await;
            while let Ok(more) = queue.try_recv() {
                gathered.push(more);
            }
            let mut dirty: BTreeMap<Scope, BTreeSet<String>> = BTreeMap::new();
            for hint in gathered.iter().flat_map(|hinted| &hinted.hints) {
                dirty.entry(hint.scope.clone()).or_default().insert(hint.subject.clone());
            }
            for (scope, subjects) in &dirty {
                refresh(&engine, &source, scope, subjects).await;
            }
        }
    };
    tokio::join!(feed, async {
        cancel.run_until_cancelled(follow).await;
    });
}

async fn refresh(engine: &Engine, source: &Source, scope: &Scope, subjects: &BTreeSet<String>) {
    match engine.refresh(source, scope, subjects).await {
        Ok(_) | Err(EngineError::Interrupted) => {}
        Err(error) => tracing::warn!(
            source = source.name, scope = %scope, %error,
            "a hint was not acted on; the next scan finds the same"
        ),
    }
}

async fn judge_when_due(engine: Arc<Engine>, sources: Vec<Scheduled>, cancel: CancellationToken) {
    while cancel.run_until_cancelled(tokio::time::sleep(DUE_EVERY)).await.is_some() {
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
