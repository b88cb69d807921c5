//! `headcount diff`: what changed between two moments.

use std::collections::BTreeSet;
use std::io::Write;

use clap::Args;
use comfy_table::{Cell, Color};
use headcount_core::reconcile::Change;
use headcount_sdk::{Class, RecordId};

use super::format::Format;
use super::lines::Lines;
use super::output::DriftLine;
use super::session::Session;
use super::style::{self, Style, safe};
use super::time::{self, MOMENT_HELP, Moment};
use super::{Exit, Globals, UsageError};
use crate::store::PastDrift;

/// Records looked up at a time.
const BATCH: usize = 500;

const EXAMPLES: &str = "\
Examples:
  headcount diff                             the last 24 hours
  headcount diff 7d                          the last week
  headcount diff 2026-11-01 2026-11-08       one week, in UTC
  headcount diff 24h now --format ndjson     for a program";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DiffArgs {
    /// From when on
    #[arg(default_value = "24h", value_parser = Moment::parse, long_help = from_help())]
    from: Moment,
    /// Until when
    #[arg(default_value = "now", value_parser = Moment::parse)]
    to: Moment,
    /// Only this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// People too
    #[arg(long)]
    people: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn from_help() -> String {
    format!("From when on: {MOMENT_HELP}")
}

pub async fn run(
    args: &DiffArgs,
    globals: &Globals,
    style: &Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    let session = Session::to_read(globals).await?;
    let (from, to) = (args.from.resolve(session.now), args.to.resolve(session.now));
    if from >= to {
        let (from, to) = (time::second(from), time::second(to));
        return Err(UsageError(format!("FROM ({from}) is not before TO ({to})")).into());
    }
    let mut drift = session.store.drift(from, to).await?;
    if let Some(source) = &args.source {
        drift.retain(|line| line.source == *source);
    }
    if !args.people {
        let people = people(&session, &drift).await?;
        drift.retain(|line| !people.contains(&line.drift.record));
    }
    match args.format.lines() {
        Some(format) => {
            let mut lines = Lines::new(format, out);
            for past in &drift {
                lines.write(&DriftLine::from(past))?;
            }
            lines.finish::<DriftLine<'_>>()?;
        }
        None => {
            let span = format!("{} and {}", time::minute(from), time::minute(to));
            table(&drift, &span, *style, out)?;
        }
    }
    Ok(Exit::Ok)
}

/// Which of the changed records are people, whether they are still there or not.
async fn people(session: &Session, drift: &[PastDrift]) -> anyhow::Result<BTreeSet<RecordId>> {
    let ids: BTreeSet<RecordId> = drift.iter().map(|line| line.drift.record.clone()).collect();
    let ids: Vec<RecordId> = ids.into_iter().collect();
    let mut people = BTreeSet::new();
    for some in ids.chunks(BATCH) {
        let mut records = session.store.records(some).await?;
        records.extend(session.store.vanished(some).await?);
        records.retain(|record| record.observation.class == Class::Principal);
        people.extend(records.iter().map(|record| record.id().clone()));
    }
    Ok(people)
}

fn table(drift: &[PastDrift], span: &str, style: Style, out: &mut dyn Write) -> anyhow::Result<()> {
    if drift.is_empty() {
        writeln!(out, "Nothing changed between {span}.")?;
        return Ok(());
    }
    let mut table = style.table(&["WHEN", "", "NAME", "KIND", "PLACE", "WHAT"]);
    for past in drift {
        let drift = &past.drift;
        let (sign, what) = match &drift.change {
            Change::Appeared => (Cell::new("+").fg(Color::Green), "appeared".to_owned()),
            Change::Reappeared => (Cell::new("+").fg(Color::Green), "came back".to_owned()),
            Change::Changed { fields } => {
                let names: Vec<&str> = fields.iter().map(|f| f.field.as_str()).collect();
                (Cell::new("~").fg(Color::Yellow), style::short(&names.join(", "), 60))
            }
            Change::Disappeared => (Cell::new("-").fg(Color::Red), "disappeared".to_owned()),
        };
        table.add_row(vec![
            Cell::new(time::minute(past.at)),
            sign,
            Cell::new(style::short(&drift.name, 48)),
            Cell::new(&drift.kind),
            Cell::new(safe(&drift.scope.place)),
            Cell::new(what),
        ]);
    }
    write!(out, "{}", style::lines(table, 0))?;
    let of = |wanted: fn(&Change) -> bool| drift.iter().filter(|d| wanted(&d.drift.change)).count();
    let summary = format!(
        "{} appeared, {} changed, {} disappeared between {span}",
        of(|c| matches!(c, Change::Appeared | Change::Reappeared)),
        of(|c| matches!(c, Change::Changed { .. })),
        of(|c| matches!(c, Change::Disappeared)),
    );
    writeln!(out, "\n{}", style.dim(summary))?;
    Ok(())
}
