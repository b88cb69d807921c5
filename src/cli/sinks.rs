//! `headcount sinks`: where findings go, and what did not get there.

use std::io::Write;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use comfy_table::Cell;

use super::session::Session;
use super::style::{self, Style, safe};
use super::time::{self, Moment};
use super::{Exit, Globals, UsageError};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, SinkConfig};
use crate::deliver;
use crate::registry;

const EXAMPLES: &str = "\
Examples:
  headcount sinks --config org.yaml                    sinks and their queues
  headcount sinks test hook --config org.yaml          send a signed test event
  headcount sinks dead-letters hook --config org.yaml  what was given up, and why
  headcount sinks replay hook --since 24h --config org.yaml";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SinksArgs {
    #[command(subcommand)]
    command: Option<SinksCommand>,
}

#[derive(Debug, Subcommand)]
enum SinksCommand {
    /// List sinks and how their queues stand (the same as no subcommand)
    List,
    /// Send a test event now, and say how the sink answered
    Test {
        /// The sink's name
        name: String,
    },
    /// List what was given up, and why
    DeadLetters {
        /// The sink's name
        name: String,
    },
    /// Queue dead letters again; the agent, or the next scan, sends them
    Replay {
        /// The sink's name
        name: String,
        /// Only those given up since then: a time, a day, or how long ago (`24h`)
        #[arg(long, value_name = "TIME", value_parser = Moment::parse)]
        since: Option<Moment>,
    },
}

pub async fn run(
    args: &SinksArgs,
    globals: &Globals,
    style: &Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    match &args.command {
        None | Some(SinksCommand::List) => list(globals, *style, out).await?,
        Some(SinksCommand::Test { name }) => test(name, globals, *style, out).await?,
        Some(SinksCommand::DeadLetters { name }) => dead(name, globals, *style, out).await?,
        Some(SinksCommand::Replay { name, since }) => {
            let (config, now) = (globals.load()?, SystemClock.now());
            let sink = known(&config, name)?;
            // Beside the running agent, which looks at its queues once a minute.
            let store = registry::store_to_note(&config.data_dir).await?;
            let since = since.map(|moment| moment.resolve(now));
            let queued = store.replay(sink.name(), since, now).await?;
            writeln!(out, "{} queued again.", style::count(queued, "dead letter"))?;
        }
    }
    Ok(Exit::Ok)
}

fn known<'a>(config: &'a Config, name: &str) -> Result<&'a SinkConfig, UsageError> {
    config.sink(name).ok_or_else(|| {
        let known: Vec<&str> = config.sinks.iter().map(|s| s.name()).collect();
        if known.is_empty() {
            return UsageError("no sinks are configured; give one with --config FILE".to_owned());
        }
        UsageError(format!("there is no sink `{name}`; there are: {}", known.join(", ")))
    })
}

async fn list(globals: &Globals, style: Style, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let session = Session::to_read(globals).await?;
    if session.config.sinks.is_empty() {
        writeln!(out, "No sinks are configured: findings stay in the inventory.")?;
        return Ok(());
    }
    let mut table =
        style.table(&["NAME", "TYPE", "DELIVERED", "WAITING", "DEAD", "OLDEST WAITING"]);
    for sink in &session.config.sinks {
        let queue = session.store.queue(sink.name()).await?;
        let oldest = queue.oldest_pending_at.map(|at| time::ago(at, session.now));
        table.add_row(vec![
            Cell::new(sink.name()),
            Cell::new(sink.kind.as_str()),
            Cell::new(queue.delivered),
            Cell::new(queue.pending),
            Cell::new(queue.dead),
            Cell::new(oldest.as_deref().unwrap_or("–")),
        ]);
    }
    write!(out, "{}", style::lines(table, 0))?;
    Ok(())
}

async fn test(
    name: &str,
    globals: &Globals,
    style: Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let config = globals.load()?;
    let sink = known(&config, name)?;
    let built = registry::sink(sink)?;
    deliver::test_sink(&*built, config.agent.as_str(), SystemClock.now())
        .await
        .with_context(|| format!("{name} did not take the test event"))?;
    writeln!(out, "{}: the test event was delivered.", style.green(name))?;
    Ok(())
}

async fn dead(
    name: &str,
    globals: &Globals,
    style: Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let session = Session::to_read(globals).await?;
    let sink = known(&session.config, name)?;
    let letters = session.store.dead_letters(sink.name()).await?;
    if letters.is_empty() {
        writeln!(out, "No dead letters.")?;
        return Ok(());
    }
    let mut table = style.table(&["GIVEN UP", "ATTEMPTS", "EVENT", "FINDING", "ERROR"]);
    for letter in &letters {
        table.add_row(vec![
            Cell::new(time::minute(letter.failed_at)),
            Cell::new(letter.attempts),
            Cell::new(&letter.event.kind),
            Cell::new(letter.event.finding.as_deref().unwrap_or("–")),
            Cell::new(safe(&letter.error)),
        ]);
    }
    write!(out, "{}", style::lines(table, 0))?;
    let again = format!("send them again with: headcount sinks replay {name}");
    writeln!(out, "\n{}", style.dim(again))?;
    Ok(())
}
