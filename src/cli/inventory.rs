//! `headcount inventory`: what there is, now or at any past moment.

use std::io::Write;

use clap::{Args, Subcommand};
use comfy_table::Cell;
use headcount_core::inventory::Record;
use headcount_sdk::{Class, Level};
use jiff::Timestamp;

use super::format::{COUNTED, ClassArg, Format, PageFormat};
use super::lines::Lines;
use super::output::RecordLine;
use super::session::Session;
use super::style::{self, Style};
use super::time::{self, MOMENT_HELP, Moment};
use super::{Exit, Globals};
use crate::store::RecordFilter;

mod find;
mod show;
pub(in crate::cli) mod trail;

/// Rows of a table; programs get everything.
const TABLE_ROWS: usize = 200;

const EXAMPLES: &str = "\
Examples:
  headcount inventory                              everything, as a table
  headcount inventory list --kind access-key       one kind of record
  headcount inventory list deploy --at 7d          by name, as it was a week ago
  headcount inventory list --format csv > all.csv  for a spreadsheet
  headcount inventory show deploy-bot              one record in full
  headcount inventory show AKIAIOSFODNN7EXAMPLE    … by the source's own id or ARN
  headcount inventory show acme/shop               which roles a repository may become";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct InventoryArgs {
    #[command(subcommand)]
    command: Option<InventoryCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum InventoryCommand {
    /// List records (the same as no subcommand)
    List(ListArgs),
    /// Show one record: owner, use, findings, links, its trail over all sources, every version
    Show(ShowArgs),
}

#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Part of a name, id or ARN
    text: Option<String>,
    /// Only this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only this class; may be repeated
    #[arg(long, value_name = "CLASS")]
    class: Vec<ClassArg>,
    /// Only this kind, for example `access-key`
    #[arg(long)]
    kind: Option<String>,
    /// People too; they are kept because they own identities, and not counted
    #[arg(long)]
    people: bool,
    /// The inventory as it was then
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, long_help = at_help())]
    at: Option<Moment>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// Id, ARN or key id, or a name that only one record has
    #[arg(value_name = "ID")]
    subject: String,
    /// The record as it was then, without its trail
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, long_help = at_help())]
    at: Option<Moment>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: PageFormat,
}

fn at_help() -> String {
    format!("As it was then: {MOMENT_HELP}")
}

pub async fn run(
    args: &InventoryArgs,
    globals: &Globals,
    style: &Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    let session = Session::to_read(globals).await?;
    match &args.command {
        Some(InventoryCommand::Show(args)) => show::run(args, &session, *style, out).await?,
        Some(InventoryCommand::List(list)) => run_list(list, &session, *style, out).await?,
        None => run_list(&args.list, &session, *style, out).await?,
    }
    Ok(Exit::Ok)
}

async fn run_list(
    args: &ListArgs,
    session: &Session,
    style: Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let filter = RecordFilter {
        source: args.source.clone(),
        classes: classes(args),
        kind: args.kind.clone(),
        text: args.text.clone(),
        at: args.at.map(|moment| moment.resolve(session.now)),
    };
    match args.format.lines() {
        Some(format) => {
            let mut lines = Lines::new(format, out);
            session
                .each_record(&filter, |record| Ok(lines.write(&RecordLine::from(record))?))
                .await?;
            lines.finish::<RecordLine<'_>>()?;
        }
        None => table(session, &filter, style, out).await?,
    }
    Ok(())
}

fn classes(args: &ListArgs) -> Vec<Class> {
    let mut classes: Vec<Class> = args.class.iter().map(|class| Class::from(*class)).collect();
    if classes.is_empty() {
        classes.extend(COUNTED);
    }
    if args.people && !classes.contains(&Class::Principal) {
        classes.push(Class::Principal);
    }
    classes
}

async fn table(
    session: &Session,
    filter: &RecordFilter,
    style: Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let mut table =
        style.table(&["NAME", "KIND", "PLACE", "STATUS", "PRIVILEGE", "LAST USED", "OWNER"]);
    let mut found = 0_usize;
    // Ages are told as of the moment that was asked for.
    let now = filter.at.unwrap_or(session.now);
    session
        .each_record(filter, |record| {
            found += 1;
            if found <= TABLE_ROWS {
                table.add_row(cells(record, now));
            }
            Ok(())
        })
        .await?;
    if found == 0 {
        writeln!(out, "No record fits.")?;
        return Ok(());
    }
    write!(out, "{}", style::lines(table, 0))?;
    let shown = if found > TABLE_ROWS {
        format!("{TABLE_ROWS} of {found} records; narrow it down, or take --format ndjson for all")
    } else {
        style::count(found as u64, "record")
    };
    writeln!(out, "\n{}", style.dim(shown))?;
    Ok(())
}

fn cells(record: &Record, now: Timestamp) -> Vec<Cell> {
    let seen = &record.observation;
    vec![
        Cell::new(style::short(&seen.name, 48)),
        Cell::new(&seen.kind),
        Cell::new(&record.scope.place),
        Cell::new(seen.status.as_str()),
        privilege(seen.privilege.as_ref().map(|p| p.level)),
        Cell::new(time::usage(&seen.usage, now)),
        Cell::new(owner(record)),
    ]
}

fn privilege(level: Option<Level>) -> Cell {
    let cell = Cell::new(level.map_or("–", Level::as_str));
    match level {
        Some(Level::Admin | Level::Escalating) => cell.fg(comfy_table::Color::Red),
        _ => cell,
    }
}

/// `team-payments (95 %)`, or a dash.
#[must_use]
pub fn owner(record: &Record) -> String {
    match &record.owner {
        Some(owner) => {
            format!("{} ({} %)", style::short(&owner.reference, 32), owner.confidence.as_percent())
        }
        None => "–".to_owned(),
    }
}
