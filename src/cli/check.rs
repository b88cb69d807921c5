//! `headcount check`: proves everything that a scan and its deliveries need, and changes nothing.

use std::io::Write;
use std::sync::Arc;

use clap::Args;
use comfy_table::{Cell, Color};
use headcount_sdk::manifest::{Manifest, Need};
use headcount_sdk::{Memo, MemoryCache, Pass, Priority, Probe, ProbeOutcome, ScanContext};
use serde::Serialize;

use super::format::PageFormat;
use super::lines::write_json;
use super::style::{self, Style, safe};
use super::{Exit, Globals};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::registry;

const EXAMPLES: &str = "\
Examples:
  headcount check                        the ambient AWS account
  headcount check --config org.yaml      every source and sink of the configuration

Each permission is proved by the first call that a scan would make. What is missing is named; the
policy to grant it is printed by `headcount permissions aws`.

Exit code 4 says that a scan would be incomplete. A missing enrichment alone is no such case.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CheckArgs {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: PageFormat,
}

/// One thing that was tried.
#[derive(Debug, Serialize)]
struct Line {
    /// `source` or `sink`.
    part: &'static str,
    name: String,
    place: String,
    operation: String,
    permission: String,
    outcome: Outcome,
    /// What is missing without it, or why it was not tried.
    note: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Ok,
    /// A scan would be incomplete, or a sink would get nothing.
    Failed,
    /// A field would be unread.
    Degraded,
    NotTried,
}

pub async fn run(
    args: &CheckArgs,
    globals: &Globals,
    style: &Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    let config = globals.load()?;
    let mut lines = probe_sources(&config).await;
    lines.extend(probe_sinks(&config));
    match args.format {
        PageFormat::Json => write_json(out, &lines)?,
        PageFormat::Table => table(&lines, *style, out)?,
    }
    let is_short = lines.iter().any(|line| line.outcome == Outcome::Failed);
    Ok(if is_short { Exit::Incomplete } else { Exit::Ok })
}

async fn probe_sources(config: &Config) -> Vec<Line> {
    let mut lines = Vec::new();
    for source in &config.sources {
        let name = source.name.to_string();
        match registry::source(source) {
            Ok(built) => {
                let cx = context(&built.name);
                let manifest = built.connector.manifest();
                let probes = built.connector.check(&cx).await;
                lines.extend(probes.into_iter().map(|probe| probed(&name, manifest, probe)));
            }
            Err(error) => lines.push(failed("source", &name, &format!("{error:#}"))),
        }
    }
    lines
}

/// A check keeps nothing: what it learns must be asked again by the scan.
fn context(source: &str) -> ScanContext {
    ScanContext {
        scan: "check".to_owned(),
        source: source.to_owned(),
        now: SystemClock.now(),
        priority: Priority::Scan,
        pass: Pass::First,
        cache: Arc::new(MemoryCache::default()),
        memo: Memo::default(),
    }
}

fn probed(name: &str, manifest: &Manifest, probe: Probe) -> Line {
    let need = manifest.operation(&probe.operation).map(|o| o.need);
    let lacking = match need {
        Some(Need::Scopes(scopes)) => format!("incomplete without it: {}", scopes.join(", ")),
        Some(Need::Enrichment(field)) => format!("without it `{field}` is not known"),
        Some(Need::Access) | None => "nothing can be read without it".to_owned(),
    };
    let (outcome, note) = match probe.outcome {
        ProbeOutcome::Granted => (Outcome::Ok, String::new()),
        ProbeOutcome::NotTried(why) => (Outcome::NotTried, why),
        ProbeOutcome::Failed(error) => {
            let is_enrichment = matches!(need, Some(Need::Enrichment(_)));
            let outcome = if is_enrichment { Outcome::Degraded } else { Outcome::Failed };
            (outcome, format!("{error}; {lacking}"))
        }
    };
    Line {
        part: "source",
        name: name.to_owned(),
        place: probe.place,
        operation: probe.operation,
        permission: probe.permission,
        outcome,
        note,
    }
}

fn probe_sinks(config: &Config) -> Vec<Line> {
    config
        .sinks
        .iter()
        .map(|sink| match registry::sink(sink) {
            Ok(_) => Line { outcome: Outcome::Ok, ..failed("sink", sink.name(), "") },
            Err(error) => failed("sink", sink.name(), &error.to_string()),
        })
        .collect()
}

fn failed(part: &'static str, name: &str, note: &str) -> Line {
    Line {
        part,
        name: name.to_owned(),
        place: String::new(),
        operation: if part == "sink" { "configuration and secrets" } else { "configuration" }
            .to_owned(),
        permission: String::new(),
        outcome: Outcome::Failed,
        note: note.to_owned(),
    }
}

fn table(lines: &[Line], style: Style, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut table = style.table(&["", "NAME", "PLACE", "CHECKED", "NOTE"]);
    for line in lines {
        let mark = match line.outcome {
            Outcome::Ok => Cell::new("ok").fg(Color::Green),
            Outcome::Failed => Cell::new("FAILED").fg(Color::Red),
            Outcome::Degraded => Cell::new("missing").fg(Color::Yellow),
            Outcome::NotTried => Cell::new("–"),
        };
        table.add_row(vec![
            mark,
            Cell::new(&line.name),
            Cell::new(&line.place),
            Cell::new(&line.operation),
            Cell::new(safe(&line.note)),
        ]);
    }
    write!(out, "{}", style::lines(table, 0))?;
    let of = |outcome| lines.iter().filter(|l| l.outcome == outcome).count();
    let (failed, degraded) = (of(Outcome::Failed), of(Outcome::Degraded));
    let verdict = match (failed, degraded) {
        (0, 0) => style.green("A scan would be complete."),
        (0, n) => style.yellow(format!(
            "A scan would be complete; {} would know less.",
            style::count(n as u64, "enrichment")
        )),
        (n, _) => style.red(format!(
            "A scan would be incomplete: {} failed.",
            style::count(n as u64, "check")
        )),
    };
    writeln!(out, "\n{verdict}")?;
    Ok(())
}
