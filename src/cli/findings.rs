//! `headcount findings`: what is wrong, why, and since when.

use std::io::Write;

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::Cell;
use headcount_core::findings::{Finding, FindingStatus};
use headcount_core::rules::{self, docs};
use jiff::Timestamp;
use serde::Serialize;

use super::format::{FindingFormat, PageFormat, SeverityArg};
use super::lines::{Lines, write_json};
use super::output::FindingLine;
use super::session::Session;
use super::style::{self, Style, safe};
use super::time;
use super::{Exit, Globals, UsageError, explain};
use crate::store::{FindingFilter, PastTransition};

mod ocsf;

const EXAMPLES: &str = "\
Examples:
  headcount findings                                open findings, the worst first
  headcount findings --severity high --fail-on high for a pipeline: exit code 3 if there are any
  headcount findings --rule ownerless-identity --format csv
  headcount findings --format ocsf                  OCSF Detection Findings, for a SIEM
  headcount findings show f_3b1c…                   one finding: facts, history, fix";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct FindingsArgs {
    #[command(subcommand)]
    command: Option<FindingsCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum FindingsCommand {
    /// List findings (the same as no subcommand)
    List(ListArgs),
    /// Show one finding: facts, history, and how to fix it
    Show(ShowArgs),
}

#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Which findings
    #[arg(long, value_enum, default_value_t)]
    status: StatusArg,
    /// Only this rule
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// Only this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only findings on this record id or scope
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Only this severity and above
    #[arg(long, value_enum, value_name = "SEVERITY")]
    severity: Option<SeverityArg>,
    /// End with exit code 3 if an open finding of the list is at or above this severity
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<SeverityArg>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: FindingFormat,
}

#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// The finding's id, or its beginning
    #[arg(value_name = "ID")]
    id: String,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: PageFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum StatusArg {
    #[default]
    Open,
    Resolved,
    /// Accepted by a documented exception
    Suppressed,
    All,
}

impl StatusArg {
    const fn filter(self) -> Option<FindingStatus> {
        match self {
            Self::Open => Some(FindingStatus::Open),
            Self::Resolved => Some(FindingStatus::Resolved),
            Self::Suppressed => Some(FindingStatus::Suppressed),
            Self::All => None,
        }
    }
}

pub async fn run(
    args: &FindingsArgs,
    globals: &Globals,
    style: &Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    let list = match &args.command {
        Some(FindingsCommand::Show(args)) => {
            let session = Session::to_read(globals).await?;
            show(args, &session, *style, out).await?;
            return Ok(Exit::Ok);
        }
        Some(FindingsCommand::List(list)) => list,
        None => &args.list,
    };
    if let Some(rule) = list.rule.as_deref().filter(|id| rules::find(id).is_none()) {
        return Err(explain::unknown(rule).into());
    }
    let session = Session::to_read(globals).await?;
    run_list(list, &session, *style, out).await
}

async fn run_list(
    args: &ListArgs,
    session: &Session,
    style: Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    let filter = FindingFilter {
        status: args.status.filter(),
        rule: args.rule.clone(),
        source: args.source.clone(),
        subject: args.subject.clone(),
        at_least: args.severity.map(Into::into),
    };
    let findings = session.store.list_findings(&filter).await?;
    match (args.format, args.format.lines()) {
        (_, Some(format)) => {
            let mut lines = Lines::new(format, out);
            for finding in &findings {
                lines.write(&FindingLine::from(finding))?;
            }
            lines.finish::<FindingLine<'_>>()?;
        }
        (FindingFormat::Ocsf, _) => ocsf::write(session, &findings, out).await?,
        _ => table(&findings, args.status, session.now, style, out)?,
    }
    Ok(exit(&findings, args.fail_on))
}

/// Whether an open finding is as bad as the limit.
#[must_use]
pub fn exit(findings: &[Finding], fail_on: Option<SeverityArg>) -> Exit {
    let Some(limit) = fail_on else { return Exit::Ok };
    let is_bad = |f: &Finding| f.status == FindingStatus::Open && f.severity >= limit.into();
    if findings.iter().any(is_bad) { Exit::Findings } else { Exit::Ok }
}

fn table(
    findings: &[Finding],
    status: StatusArg,
    now: Timestamp,
    style: Style,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if findings.is_empty() {
        match status {
            StatusArg::Open => writeln!(out, "No open findings.")?,
            _ => writeln!(out, "No finding fits.")?,
        }
        return Ok(());
    }
    let shows_status = status != StatusArg::Open;
    let mut header = vec!["SEVERITY", "RULE", "FINDING", "OPENED", "ID"];
    header.extend(shows_status.then_some("STATUS"));
    let mut table = style.table(&header);
    for finding in findings {
        let mut cells = vec![
            style::severity(finding.severity),
            Cell::new(&finding.rule),
            Cell::new(style::short(&finding.title, 90)),
            Cell::new(time::ago(finding.opened_at, now)),
            Cell::new(&finding.id),
        ];
        cells.extend(shows_status.then(|| Cell::new(finding.status.as_str())));
        table.add_row(cells);
    }
    style::unbroken(&mut table, &[0, 1, 4]);
    write!(out, "{}", style::lines(table, 0))?;
    let number = style::count(findings.len() as u64, "finding");
    writeln!(out, "\n{}", style.dim(format!("{number}; headcount findings show ID for one")))?;
    Ok(())
}

#[derive(Serialize)]
struct Detail<'a> {
    #[serde(flatten)]
    line: FindingLine<'a>,
    source: &'a str,
    subject_name: &'a str,
    facts: &'a std::collections::BTreeMap<String, String>,
    updated_at: Timestamp,
    resolved_at: Option<Timestamp>,
    resolution: Option<&'a str>,
    history: &'a [PastTransition],
}

async fn show(
    args: &ShowArgs,
    session: &Session,
    style: Style,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let id = full_id(&args.id, session).await?;
    let Some((finding, history)) = session.store.finding(&id).await? else {
        return Err(unknown(&args.id).into());
    };
    match args.format {
        PageFormat::Json => write_json(
            out,
            &Detail {
                line: FindingLine::from(&finding),
                source: &finding.source,
                subject_name: &finding.subject_name,
                facts: &finding.facts,
                updated_at: finding.updated_at,
                resolved_at: finding.resolved_at,
                resolution: finding.resolution.as_deref(),
                history: &history,
            },
        )?,
        PageFormat::Table => page(&finding, &history, style, out)?,
    }
    Ok(())
}

/// The one id that begins so.
async fn full_id(given: &str, session: &Session) -> anyhow::Result<String> {
    let all = session.store.list_findings(&FindingFilter::default()).await?;
    let fitting: Vec<&str> =
        all.iter().map(|f| f.id.as_str()).filter(|id| id.starts_with(given)).collect();
    match fitting.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(unknown(given).into()),
        many => Err(UsageError(format!(
            "{} findings begin with `{given}`; give more of the id",
            many.len()
        ))
        .into()),
    }
}

fn unknown(id: &str) -> UsageError {
    UsageError(format!("there is no finding `{id}`; `headcount findings --status all` lists them"))
}

fn page(
    finding: &Finding,
    history: &[PastTransition],
    style: Style,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    writeln!(out, "{}", style.bold(safe(&finding.title)))?;
    writeln!(out, "{}\n", style.dim(&finding.id))?;
    let mut table = style.table(&[]);
    let mut fact = |name: &str, value: Cell| {
        table.add_row(vec![Cell::new(name), value]);
    };
    fact("rule", Cell::new(&finding.rule));
    fact("severity", style::severity(finding.severity));
    fact("confidence", Cell::new(finding.confidence.as_str()));
    fact("status", Cell::new(finding.status.as_str()));
    fact("source", Cell::new(&finding.source));
    fact("subject", Cell::new(safe(&finding.subject_name)));
    fact("", Cell::new(safe(&finding.subject)));
    for (name, value) in &finding.facts {
        fact(&name.replace('_', " "), Cell::new(style::short(value, 200)));
    }
    write!(out, "{}", style::lines(table, 0))?;
    writeln!(out, "\n{}", style.bold("History"))?;
    for step in history {
        let why = step.resolution.as_ref().map(|r| format!(": {}", safe(r))).unwrap_or_default();
        let (at, kind, severity) =
            (time::second(step.at), step.kind.as_str(), step.severity.as_str());
        writeln!(out, "  {at}  {kind} ({severity}){why}")?;
    }
    if let Some(rule) = rules::find(&finding.rule) {
        writeln!(out, "\n{}", style.bold("Fix"))?;
        writeln!(out, "{}", docs::section(rule.meta(), docs::Section::Fix))?;
    }
    writeln!(out, "\n{}  headcount explain {}", style.dim("Next:"), finding.rule)?;
    let subject = &finding.subject;
    if !subject.contains(char::is_whitespace) {
        writeln!(out, "       headcount inventory show {subject}")?;
    }
    Ok(())
}
