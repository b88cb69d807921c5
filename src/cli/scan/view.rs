//! One screen about a scan: how many there are, what is new, stale or without an owner, what
//! could not be read, and what to do next.

use std::collections::BTreeMap;
use std::io::Write;

use comfy_table::Cell;
use headcount_core::findings::Finding;
use headcount_core::inventory::{Coverage, Record};
use headcount_sdk::{Class, RecordId, ScanError};

use crate::cli::format::COUNTED;
use crate::cli::inventory;
use crate::cli::session::Session;
use crate::cli::style::{self, Style};
use crate::cli::time;
use crate::deliver::Drained;
use crate::scan::{ScanReport, ScopeReport};
use crate::store::RecordCount;
use crate::view::QUESTIONS;
use crate::view::words::{gap, remedy};

/// Findings shown per section; the rest is one command away.
const SHOWN: usize = 5;

/// Coverage problems shown.
const GAPS: usize = 8;

/// Rules whose findings say what the coverage section says already.
const COVERAGE_RULES: [&str; 2] = ["coverage-lost", "mass-disappearance"];

type Printed = std::io::Result<()>;

/// What the command has seen.
pub struct Seen<'a> {
    pub reports: &'a [ScanReport],
    pub open: &'a [Finding],
    pub drained: &'a [Drained],
}

/// What the screen is made of.
struct Screen<'a> {
    style: Style,
    reports: &'a [ScanReport],
    open: &'a [Finding],
    drained: &'a [Drained],
    /// The records that the shown findings are about.
    subjects: BTreeMap<String, Record>,
    counts: Vec<RecordCount>,
}

pub async fn print(
    session: &Session,
    seen: Seen<'_>,
    style: Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let Seen { reports, open, drained } = seen;
    let shown = QUESTIONS.iter().flat_map(|(_, rules)| section(open, rules).take(SHOWN));
    let ids: Vec<RecordId> = shown.map(|f| RecordId::from_stored(f.subject.clone())).collect();
    let subjects = session.store.records(&ids).await?;
    let names: Vec<&str> = reports.iter().map(|r| r.source.as_str()).collect();
    let mut counts = session.store.count_records().await?;
    counts.retain(|c| names.contains(&c.source.as_str()));
    let screen = Screen {
        style,
        reports,
        open,
        drained,
        subjects: subjects.into_iter().map(|r| (r.id().to_string(), r)).collect(),
        counts,
    };
    screen.head(out)?;
    screen.totals(out)?;
    for (heading, rules) in QUESTIONS {
        screen.section(&heading.to_uppercase(), rules, out)?;
    }
    screen.others(out)?;
    screen.gaps(out)?;
    screen.deliveries(out)?;
    screen.next(out)?;
    Ok(())
}

/// The findings of these rules; the store lists the worst first.
fn section<'a>(open: &'a [Finding], rules: &'a [&str]) -> impl Iterator<Item = &'a Finding> {
    open.iter().filter(|f| rules.contains(&f.rule.as_str()))
}

impl Screen<'_> {
    fn head(&self, out: &mut dyn Write) -> Printed {
        for report in self.reports {
            let mut places: Vec<&str> =
                report.scopes.iter().map(|s| s.scope.place.as_str()).collect();
            places.dedup();
            let at = match places.as_slice() {
                [] => String::new(),
                [one] => format!(" · {one}"),
                many => format!(" · {}", style::count(many.len() as u64, "account")),
            };
            writeln!(
                out,
                "{}{at} · {}",
                self.style.bold(format!("Headcount of {}", report.source)),
                time::minute(report.finished_at)
            )?;
        }
        Ok(())
    }

    fn totals(&self, out: &mut dyn Write) -> Printed {
        writeln!(out)?;
        let mut table = self.style.table(&[]);
        for class in COUNTED {
            let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
            for count in self.counts.iter().filter(|c| c.class == class) {
                *kinds.entry(&count.kind).or_default() += count.count;
            }
            let total: u64 = kinds.values().sum();
            // Few sources keep identities for agents of AI; the others need no row of nought.
            if total == 0 && class == Class::AiAgent {
                continue;
            }
            let mut kinds: Vec<(&str, u64)> = kinds.into_iter().collect();
            kinds.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
            let kinds: Vec<String> = kinds.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
            table.add_row(vec![
                Cell::new(plural(class)),
                Cell::new(total).set_alignment(comfy_table::CellAlignment::Right),
                Cell::new(kinds.join(" · ")),
            ]);
        }
        write!(out, "{}", style::lines(table, 2))?;
        let sum = |of: fn(&ScopeReport) -> u64| -> u64 {
            self.reports.iter().flat_map(|r| &r.scopes).map(of).sum()
        };
        let said = if self.reports.iter().all(|r| r.is_baseline) {
            "first scan: this is the baseline, and what appears from now on is new".to_owned()
        } else {
            format!(
                "since the last scan: {} appeared, {} changed, {} disappeared",
                sum(|s| s.appeared),
                sum(|s| s.changed),
                sum(|s| s.disappeared)
            )
        };
        writeln!(out, "\n  {}", self.style.dim(said))?;
        for scope in self.reports.iter().flat_map(|r| &r.scopes) {
            if let Coverage::Sweeping { outstanding } = scope.coverage {
                let rest = format!(
                    "{}: {outstanding} parents not looked at yet; later scans go on",
                    scope.scope
                );
                writeln!(out, "  {}", self.style.dim(rest))?;
            }
        }
        Ok(())
    }

    fn section(&self, heading: &str, rules: &[&str], out: &mut dyn Write) -> Printed {
        let total = section(self.open, rules).count();
        let more = match total {
            0 => {
                return writeln!(
                    out,
                    "\n{}  {}",
                    self.style.bold(heading),
                    self.style.green("none")
                );
            }
            n if n > SHOWN => format!("{n}, the first {SHOWN}:"),
            n => n.to_string(),
        };
        writeln!(out, "\n{}  {more}", self.style.bold(heading))?;
        let mut table = self.style.table(&[]);
        for finding in section(self.open, rules).take(SHOWN) {
            let owner = match self.subjects.get(&finding.subject) {
                Some(record) if record.owner.is_some() => {
                    format!("owner {}", inventory::owner(record))
                }
                // The rules on owners say it in the title.
                Some(_) if heading != "OWNERLESS" => "no owner".to_owned(),
                _ => String::new(),
            };
            table.add_row(vec![
                style::severity(finding.severity),
                Cell::new(style::short(&finding.title, 90)),
                Cell::new(owner),
            ]);
        }
        style::unbroken(&mut table, &[0]);
        write!(out, "{}", style::lines(table, 2))
    }

    /// The other rules, as counts.
    fn others(&self, out: &mut dyn Write) -> Printed {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for finding in self.open {
            let rule = finding.rule.as_str();
            let is_told = QUESTIONS.iter().any(|(_, rules)| rules.contains(&rule))
                || COVERAGE_RULES.contains(&rule);
            if !is_told {
                *counts.entry(rule).or_default() += 1;
            }
        }
        if counts.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{}", self.style.bold("ALSO OPEN"))?;
        let counts: Vec<String> = counts.iter().map(|(rule, n)| format!("{rule} {n}")).collect();
        writeln!(out, "  {}", counts.join(" · "))
    }

    fn gaps(&self, out: &mut dyn Write) -> Printed {
        let mut gaps: Vec<(String, String)> = Vec::new();
        for report in self.reports {
            if let Some(error) = &report.unreachable {
                gaps.push((report.source.clone(), remedy(error)));
            }
            for scope in &report.scopes {
                let name = scope.scope.to_string();
                gaps.extend(gap(&scope.coverage).map(|why| (name.clone(), why)));
                gaps.extend(scope.degraded.iter().map(|why| (name.clone(), why.clone())));
            }
        }
        if gaps.is_empty() {
            return Ok(());
        }
        let title = self.style.yellow(self.style.bold("NOT READ"));
        writeln!(out, "\n{title}  what is missing here stays as it was known")?;
        let mut table = self.style.table(&[]);
        for (scope, why) in gaps.iter().take(GAPS) {
            table.add_row(vec![Cell::new(scope), Cell::new(style::safe(why))]);
        }
        write!(out, "{}", style::lines(table, 2))?;
        if gaps.len() > GAPS {
            writeln!(out, "  … and {} more: headcount check", gaps.len() - GAPS)?;
        }
        Ok(())
    }

    fn deliveries(&self, out: &mut dyn Write) -> Printed {
        if self.drained.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{}", self.style.bold("DELIVERED"))?;
        for sink in self.drained {
            let sent = style::count(sink.delivered, "event");
            write!(out, "  {}  {sent}", sink.sink)?;
            if sink.queue.pending > 0 {
                let why = style::safe(sink.error.as_deref().unwrap_or("not yet tried"));
                let waiting = format!("{} waiting: {why}", sink.queue.pending);
                write!(out, ", {}", self.style.yellow(waiting))?;
            }
            if sink.queue.dead > 0 {
                let dead = format!("{} given up", sink.queue.dead);
                write!(out, ", {}", self.style.red(dead))?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    fn next(&self, out: &mut dyn Write) -> Printed {
        writeln!(out, "\n{}", self.style.bold("NEXT"))?;
        let mut table = self.style.table(&[]);
        let mut hint = |command: String, why: &str| {
            table.add_row(vec![Cell::new(command), Cell::new(why)]);
        };
        let is_denied = |s: &ScopeReport| {
            matches!(&s.coverage, Coverage::Incomplete { error: ScanError::Denied { .. } })
        };
        if self.reports.iter().any(|r| r.unreachable.is_some() || r.scopes.iter().any(is_denied)) {
            hint("headcount check".to_owned(), "which permissions are missing");
        }
        let worst = QUESTIONS.iter().find_map(|(_, rules)| section(self.open, rules).next());
        if let Some(finding) = worst.or(self.open.first()) {
            hint(
                format!("headcount explain {}", finding.rule),
                "why it matters, and how to fix it",
            );
            if self.subjects.contains_key(&finding.subject) {
                let subject = word(&finding.subject_name).unwrap_or(&finding.subject);
                hint(format!("headcount inventory show {subject}"), "everything known of it");
            }
        }
        if self.open.is_empty() {
            hint("headcount inventory".to_owned(), "everything that was counted");
        } else {
            let all = format!("all {}", style::count(self.open.len() as u64, "open finding"));
            hint("headcount findings".to_owned(), &all);
        }
        if self.reports.iter().all(|r| r.is_baseline) {
            hint("headcount scan".to_owned(), "again later: shows what changed");
        }
        style::unbroken(&mut table, &[0]);
        write!(out, "{}", style::lines(table, 2))
    }
}

/// A name that a shell takes as one word.
fn word(name: &str) -> Option<&str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@".contains(c);
    (!name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain)).then_some(name)
}

const fn plural(class: Class) -> &'static str {
    match class {
        Class::Identity => "identities",
        Class::AiAgent => "AI agents",
        Class::Credential => "credentials",
        Class::Grant => "grants",
        Class::Principal => "people",
        Class::Workload => "workloads",
    }
}
