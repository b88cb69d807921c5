//! `headcount exceptions`: findings that somebody takes on, with a reason and an end.

use std::io::Write;

use clap::{Args, Subcommand};
use comfy_table::Cell;
use headcount_core::findings::exceptions::{Draft, Exception, Selection};
use jiff::Timestamp;

use super::session::Session;
use super::style::{Style, lines, safe, short};
use super::time::Until;
use super::{Exit, Globals, UsageError};
use crate::api::v1::exceptions::make;
use crate::store::access::{AuditEntry, AuditOutcome, Written};
use crate::view::time;

const EXAMPLES: &str = "\
Examples:
  headcount exceptions add ownerless-identity --subject aws:123456789012:iam-user/AIDAEXAMPLE \\
      --reason \"replaced in May, PLAT-1234\" --author ana --expires 60d
  headcount exceptions add stale-identity --place aws:123456789012 --name 'dr-*' \\
      --reason \"disaster recovery, used once a year\" --author ana --expires 366d
  headcount exceptions end exc_…  --author ben

The finding becomes `suppressed`, and open again when the exception expires or is ended; both are
events. The agent acts within seconds; without an agent, the next scan does.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExceptionsArgs {
    #[command(subcommand)]
    command: Option<ExceptionsCommand>,
}

#[derive(Debug, Subcommand)]
enum ExceptionsCommand {
    /// List exceptions (the same as no subcommand)
    List {
        /// Also those that expired or were ended
        #[arg(long)]
        all: bool,
    },
    /// Accept findings of one rule on some subjects
    Add(AddArgs),
    /// End an exception before it expires
    End {
        /// Its id
        id: String,
        /// Who ends it
        #[arg(long, value_name = "NAME")]
        author: String,
    },
}

#[derive(Debug, Args)]
struct AddArgs {
    /// The rule whose findings are accepted
    rule: String,
    /// Why it is accepted
    #[arg(long)]
    reason: String,
    /// Who accepts it
    #[arg(long, value_name = "NAME")]
    author: String,
    /// Until when: a time, a day, or for how long (`90d`); a year at most
    #[arg(long, value_name = "TIME", value_parser = Until::parse)]
    expires: Until,
    // The last: its heading would stand over what comes after it.
    #[command(flatten)]
    subjects: Subjects,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "On which subjects (all that are given must fit)")]
struct Subjects {
    /// This record id, or `<place>/<scope kind>`
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Sources of this name; `*` stands for any text here and below
    #[arg(long, value_name = "PATTERN")]
    source: Option<String>,
    /// Records of this kind
    #[arg(long, value_name = "PATTERN")]
    kind: Option<String>,
    /// Records in this place, e.g. `aws:123456789012`
    #[arg(long, value_name = "PATTERN")]
    place: Option<String>,
    /// Records of this name
    #[arg(long, value_name = "PATTERN")]
    name: Option<String>,
    /// Records of this owner
    #[arg(long, value_name = "PATTERN")]
    owner: Option<String>,
}

impl From<&Subjects> for Selection {
    fn from(given: &Subjects) -> Self {
        Self {
            subject: given.subject.clone(),
            source: given.source.clone(),
            kind: given.kind.clone(),
            place: given.place.clone(),
            name: given.name.clone(),
            owner: given.owner.clone(),
        }
    }
}

pub async fn run(
    args: &ExceptionsArgs,
    globals: &Globals,
    style: &Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    match &args.command {
        None => list(Which::Valid, globals, *style, out).await?,
        Some(ExceptionsCommand::List { all }) => {
            let which = if *all { Which::All } else { Which::Valid };
            list(which, globals, *style, out).await?;
        }
        Some(ExceptionsCommand::Add(args)) => add(args, globals, out).await?,
        Some(ExceptionsCommand::End { id, author }) => {
            let session = Session::to_note(globals).await?;
            let entry = entry(author, "exception.end", id, session.now);
            if session.store.end_exception(id, &entry).await? != Written::Done {
                let text = format!("there is no valid exception `{id}`");
                return Err(UsageError(text).into());
            }
            writeln!(out, "`{id}` is ended; what it accepted is open again once it is judged.")?;
        }
    }
    Ok(Exit::Ok)
}

fn entry(author: &str, action: &str, object: &str, at: Timestamp) -> AuditEntry {
    AuditEntry {
        at,
        actor: format!("cli:{author}"),
        role: None,
        action: action.to_owned(),
        object: object.to_owned(),
        outcome: AuditOutcome::Done,
        detail: None,
    }
}

async fn add(
    args: &AddArgs,
    globals: &Globals,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let session = Session::to_note(globals).await?;
    let draft = Draft {
        rule: args.rule.clone(),
        selection: (&args.subjects).into(),
        reason: args.reason.clone(),
        author: format!("cli:{}", args.author),
        expires_at: args.expires.resolve(session.now),
    };
    let exception = make(draft, session.now).map_err(UsageError)?;
    let mut entry = entry(&args.author, "exception.add", &exception.id, session.now);
    entry.detail = Some(format!("{} until {}", exception.rule, exception.expires_at));
    session.store.add_exception(&exception, &entry).await?;
    writeln!(out, "{}", exception.id)?;
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Valid,
    All,
}

async fn list(
    which: Which,
    globals: &Globals,
    style: Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let session = Session::to_read(globals).await?;
    let mut exceptions = session.store.exceptions().await?;
    exceptions.retain(|exception| which == Which::All || exception.is_valid(session.now));
    if exceptions.is_empty() {
        writeln!(out, "Nothing is accepted.")?;
        return Ok(());
    }
    let mut table = style.table(&["RULE", "ON", "REASON", "BY", "STATUS", "ID"]);
    for exception in &exceptions {
        table.add_row([
            Cell::new(&exception.rule),
            Cell::new(short(&subjects(&exception.selection), 60)),
            Cell::new(short(&exception.reason, 60)),
            Cell::new(safe(&exception.author)),
            Cell::new(status(exception, session.now)),
            Cell::new(&exception.id),
        ]);
    }
    write!(out, "{}", lines(table, 0))?;
    Ok(())
}

fn status(exception: &Exception, now: Timestamp) -> String {
    match &exception.ended {
        Some(ended) => format!("ended by {}", safe(&ended.by)),
        None if exception.is_valid(now) => format!("until {}", time::minute(exception.expires_at)),
        None => format!("expired {}", time::minute(exception.expires_at)),
    }
}

fn subjects(selection: &Selection) -> String {
    let Selection { subject, source, kind, place, name, owner } = selection;
    let fields = [
        ("subject", subject),
        ("source", source),
        ("kind", kind),
        ("place", place),
        ("name", name),
        ("owner", owner),
    ];
    let given = fields
        .into_iter()
        .filter_map(|(field, value)| value.as_ref().map(|value| format!("{field} {value}")));
    given.collect::<Vec<_>>().join(", ")
}
