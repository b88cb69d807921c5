//! `headcount run`: the agent.

#[cfg(feature = "open")]
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::session::Session;
use super::{Exit, Globals};
use crate::api::hooks::Hooks;
use crate::api::limits::Limits;
#[cfg(feature = "open")]
use crate::api::observations::Doors;
use crate::api::sessions::{Sessions, Transport};
use crate::api::{self, Control, Face};
use crate::clock::{Clock, SystemClock};
use crate::deliver::{Deliverer, Pace};
use crate::registry;
use crate::scan::agent::{self, Inbox, Scheduled};
use crate::scan::{Engine, Settings};
use crate::telemetry::Metrics;

/// After this long the process ends even if something does not.
const LAST_CALL: Duration = Duration::from_secs(9);

/// Scans of one tick start somewhere within this span.
const JITTER: Duration = Duration::from_secs(30);

const EXAMPLES: &str = "\
Examples:
  headcount run --config org.yaml        until it is told to stop (SIGTERM or Ctrl-C)
  curl http://127.0.0.1:9464/readyz      whether it is ready
  curl http://127.0.0.1:9464/metrics     its metrics, for Prometheus

Every source is scanned at the start and then on its schedule. Logs go to stderr: text on a
terminal, one JSON object a line otherwise.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {}

pub async fn run(_args: &RunArgs, globals: &Globals) -> anyhow::Result<Exit> {
    let session = Session::to_write(globals).await?;
    // Everything that can be wrong with the configuration is known before the first scan.
    let sinks = registry::sinks(&session.config)?;
    let sources = scheduled(&session)?;
    let address = session.config.server.listen;
    let listener = api::listen(address)
        .await
        .with_context(|| format!("the server cannot listen on {address} (server.listen)"))?;

    let cancel = CancellationToken::new();
    stop_on_signal(cancel.clone())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let settings = Settings::from(&session.config);
    let sink_names = settings.sinks.iter().map(|sink| sink.name.clone()).collect();
    let engine = Arc::new(Engine::new(
        Arc::clone(&session.store),
        settings,
        Arc::clone(&clock),
        cancel.clone(),
    ));
    let deliverer =
        Deliverer::new(Arc::clone(&session.store), sinks, Arc::clone(&clock), Pace::default());
    let metrics = Arc::new(Metrics::counting(deliverer.counters()));
    let is_ready = Arc::new(AtomicBool::new(true));
    let sources: Vec<_> = sources.into_iter().map(|s| (s, Inbox::default())).collect();
    let hooks = sources.iter().map(|(s, inbox)| (s.source.clone(), inbox.hints.clone()));
    let hooks = Arc::new(Hooks::new(Arc::clone(&engine), hooks));
    let controls = sources.iter().map(|(scheduled, inbox)| Control::new(scheduled, inbox));
    let controls = controls.map(|control| (control.source.name.clone(), control)).collect();
    #[cfg(feature = "open")]
    let observations = Arc::new(doors(&session, &engine, &sources));
    let n_sources = sources.len();
    let face = Face {
        store: Arc::clone(&session.store),
        metrics: Arc::clone(&metrics),
        sinks: sink_names,
        clock,
        is_ready: Arc::clone(&is_ready),
        hooks,
        engine: Arc::clone(&engine),
        sources: Arc::new(controls),
        sessions: Arc::new(Sessions::new(transport(address))),
        limits: Arc::new(Limits::new(&session.config.server)),
        #[cfg(feature = "open")]
        observations,
        stopping: cancel.clone(),
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        data_dir = %session.config.data_dir.display(),
        listen = %listener.local_addr().unwrap_or(address),
        sources = n_sources,
        "headcount is running"
    );

    let committed = engine.committed();
    let waking = async {
        loop {
            committed.notified().await;
            deliverer.wake();
        }
    };
    let work = async {
        tokio::join!(
            agent::run(engine, sources, metrics, cancel.clone()),
            deliverer.run(cancel.clone()),
            api::serve(listener, face, cancel.clone()),
            cancel.run_until_cancelled(waking),
        )
    };
    tokio::pin!(work);
    let (scans, (), server, _) = tokio::select! {
        ended = &mut work => ended,
        () = last_call(&cancel, &is_ready) => {
            tracing::warn!("not everything ended in time; what was committed is safe");
            return Ok(Exit::Ok);
        }
    };
    scans.context("the scheduler failed")?;
    server.context("the server failed")?;
    tracing::info!("headcount has stopped");
    Ok(Exit::Ok)
}

fn scheduled(session: &Session) -> anyhow::Result<Vec<Scheduled>> {
    let mut sources = Vec::with_capacity(session.config.sources.len());
    for config in &session.config.sources {
        sources.push(Scheduled {
            source: registry::source(config)?,
            schedule: config.schedule.as_cron().to_owned(),
            jitter: JITTER,
        });
    }
    Ok(sources)
}

/// Whoever lets others than this machine in has TLS in front, or browsers get no session.
const fn transport(address: SocketAddr) -> Transport {
    if address.ip().is_loopback() { Transport::Loopback } else { Transport::Tls }
}

/// The ways in for those who push.
#[cfg(feature = "open")]
fn doors(session: &Session, engine: &Arc<Engine>, sources: &[(Scheduled, Inbox)]) -> Doors {
    let mut doors: BTreeMap<_, _> = registry::doors(&session.config).into_iter().collect();
    let sources = sources.iter().map(|(scheduled, _)| scheduled.source.clone());
    let ways = sources.filter_map(|source| {
        let door = doors.remove(&source.name)?;
        Some((source, door))
    });
    Doors::new(Arc::clone(engine), ways)
}

/// Ends `LAST_CALL` after the order to stop.
async fn last_call(cancel: &CancellationToken, is_ready: &AtomicBool) {
    cancel.cancelled().await;
    is_ready.store(false, Ordering::Relaxed);
    tokio::time::sleep(LAST_CALL).await;
}

fn stop_on_signal(cancel: CancellationToken) -> anyhow::Result<()> {
    let mut terminate =
        signal(SignalKind::terminate()).context("SIGTERM cannot be listened for")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("told to stop");
        cancel.cancel();
    });
    Ok(())
}
