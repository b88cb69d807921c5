//! `headcount scan`: count once, deliver what was found, print the result.

use std::io::Write;
use std::sync::Arc;

use clap::Args;
use headcount_core::findings::FindingStatus;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::findings;
use super::format::{COUNTED, Format, SeverityArg};
use super::lines::Lines;
use super::output::RecordLine;
use super::progress::Bar;
use super::session::Session;
use super::style::Style;
use super::{Exit, Globals, UsageError};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::deliver::{Deliverer, Drained, NamedSink, Pace};
use crate::registry;
use crate::scan::{Engine, ScanReport, Settings};
use crate::store::{FindingFilter, RecordFilter};

mod view;

/// How long a sink that failed may take to come back before the command ends.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

const EXAMPLES: &str = "\
Examples:
  headcount scan                                     the account of your ambient AWS credentials
  headcount scan --config org.yaml                   what the configuration names
  headcount scan --config org.yaml --format ndjson   every record, one JSON object a line
  headcount scan --fail-on high                      for a pipeline: exit code 3 on a high finding

The first scan of a source is its baseline: what it holds is not new. From the second scan on,
whatever appears is reported as new. Findings are delivered to the configured sinks before the
command ends.

Exit code 4 says that something could not be read; it wins over 3.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ScanArgs {
    /// Only this source; may be repeated
    #[arg(long, value_name = "NAME")]
    source: Vec<String>,
    /// People too, in the formats for programs
    #[arg(long)]
    people: bool,
    /// End with exit code 3 if an open finding is at or above this severity
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<SeverityArg>,
    /// How to print; `table` shows what matters, the others every record
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(
    args: &ScanArgs,
    globals: &Globals,
    style: &Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    let session = Session::to_write(globals).await?;
    let sources = chosen(&session.config, &args.source)?;
    // A sink that cannot be built is known before the scan, not after it.
    let sinks = registry::sinks(&session.config)?;
    let cancel = CancellationToken::new();
    stop_on_signal(cancel.clone());
    let reports = scan_all(&session, &sources, cancel.clone()).await?;
    let drained = deliver(&session, sinks, &cancel).await?;

    let mut open = Vec::new();
    for source in &sources {
        let filter = FindingFilter {
            status: Some(FindingStatus::Open),
            source: Some(source.clone()),
            ..FindingFilter::default()
        };
        open.extend(session.store.list_findings(&filter).await?);
    }
    match args.format.lines() {
        Some(format) => {
            let mut lines = Lines::new(format, out);
            for source in &sources {
                // No class at all means every class, people included.
                let classes = if args.people { Vec::new() } else { COUNTED.to_vec() };
                let filter =
                    RecordFilter { source: Some(source.clone()), classes, ..Default::default() };
                session
                    .each_record(&filter, |record| Ok(lines.write(&RecordLine::from(record))?))
                    .await?;
            }
            lines.finish::<RecordLine<'_>>()?;
        }
        None => {
            let seen = view::Seen { reports: &reports, open: &open, drained: &drained };
            view::print(&session, seen, *style, out).await?;
        }
    }
    if !reports.iter().all(ScanReport::is_complete) {
        return Ok(Exit::Incomplete);
    }
    Ok(findings::exit(&open, args.fail_on))
}

/// The names of the sources to scan, in the order of the configuration.
fn chosen(config: &Config, wanted: &[String]) -> Result<Vec<String>, UsageError> {
    let known: Vec<String> = config.sources.iter().map(|s| s.name.to_string()).collect();
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(name)) {
        let known = known.join(", ");
        return Err(UsageError(format!("there is no source `{unknown}`; there are: {known}")));
    }
    Ok(known.into_iter().filter(|name| wanted.is_empty() || wanted.contains(name)).collect())
}

/// One source after the other: each has its own accounts side by side already.
async fn scan_all(
    session: &Session,
    names: &[String],
    cancel: CancellationToken,
) -> anyhow::Result<Vec<ScanReport>> {
    let engine = Engine::new(
        Arc::clone(&session.store),
        Settings::from(&session.config),
        Arc::new(SystemClock),
        cancel,
    );
    let mut reports = Vec::new();
    for config in session.config.sources.iter().filter(|s| names.contains(&s.name.to_string())) {
        let source = registry::source(config)?;
        let bar = Bar::on_stderr(&source.name);
        reports.push(engine.scan(&source, &bar).await?);
    }
    Ok(reports)
}

/// Sends what is due, and what comes due while we wait. What a sink does not take stays queued
/// for the agent or the next scan, so it is a warning and no failure.
async fn deliver(
    session: &Session,
    sinks: Vec<NamedSink>,
    cancel: &CancellationToken,
) -> anyhow::Result<Vec<Drained>> {
    let (store, clock) = (Arc::clone(&session.store), Arc::new(SystemClock));
    let deliverer = Deliverer::new(store, sinks, clock, Pace::default());
    let drained = deliverer.drain_until(PATIENCE, cancel).await?;
    for sink in drained.iter().filter(|sink| sink.queue.pending > 0) {
        tracing::warn!(
            sink = sink.sink,
            waiting = sink.queue.pending,
            error = sink.error.as_deref().unwrap_or_default(),
            "the sink did not take everything; the rest waits for the agent or the next scan"
        );
    }
    Ok(drained)
}

/// Ctrl-C ends the scan in order: what was committed stays.
fn stop_on_signal(cancel: CancellationToken) {
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            cancel.cancel();
        }
    });
}
