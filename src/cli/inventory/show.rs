//! `headcount inventory show`: one record in full.

use std::io::Write;

use comfy_table::Cell;
use headcount_core::findings::{Finding, FindingStatus};
use headcount_core::inventory::{Origin, Record};
use headcount_sdk::{Expiry, Observation, RecordId, Usage};
use jiff::Timestamp;
use serde::Serialize;

use super::ShowArgs;
use super::find::find;
use super::trail;
use crate::cli::format::PageFormat;
use crate::cli::lines::write_json;
use crate::cli::output::{FindingLine, RecordLine};
use crate::cli::session::Session;
use crate::cli::style::{self, Style, safe};
use crate::cli::time;
use crate::view::around::{Linked, meant};
use crate::view::life::{self, Found, Step};
use crate::view::trail::Trail;
use crate::view::words::{brief, endpoint, found as found_words, owner, trust, words};

pub async fn run(
    args: &ShowArgs,
    session: &Session,
    style: Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let at = args.at.map(|moment| moment.resolve(session.now));
    let found = find(session, &args.subject, at).await?;
    let record = &found.record;
    let linked = match at {
        Some(at) => Linked::then(&*session.store, record, at).await?,
        None => Linked::now(&*session.store, record).await?,
    };
    let mut findings = session.store.findings_on(&[record.id().to_string()]).await?;
    let mut steps = life::steps(&found.versions);
    if let Some(at) = at {
        findings.retain(|finding| finding.opened_at <= at);
        steps.retain(|step| step.at <= at);
    }
    match args.format {
        PageFormat::Json => json(&found, &linked, &findings, &steps, out)?,
        PageFormat::Table => {
            let page = Page { style, now: at.unwrap_or(session.now) };
            page.head(&found, out)?;
            page.facts(record, out)?;
            page.findings(&findings, out)?;
            page.links(record, &linked, out)?;
            page.trail(record, &linked, out)?;
            page.maps(&record.observation, out)?;
            page.history(record, &steps, out)?;
        }
    }
    Ok(())
}

struct Page {
    style: Style,
    now: Timestamp,
}

type Printed = std::io::Result<()>;

impl Page {
    fn head(&self, found: &Found, out: &mut dyn Write) -> Printed {
        let seen = &found.record.observation;
        let style = self.style;
        write!(out, "{}  {}  {}", style.bold(safe(&seen.name)), seen.kind, seen.status.as_str())?;
        match found.gone_since {
            Some(since) => {
                let gone = format!("gone since {}", time::minute(since));
                writeln!(out, "  {}", style.red(gone))?;
            }
            None => writeln!(out)?,
        }
        if !seen.native.is_empty() {
            writeln!(out, "{}", style.dim(safe(&seen.native)))?;
        }
        writeln!(out, "{}\n", style.dim(&seen.id))
    }

    fn facts(&self, record: &Record, out: &mut dyn Write) -> Printed {
        let seen = &record.observation;
        let mut table = self.style.table(&[]);
        let mut fact = |name: &str, value: String| {
            table.add_row(vec![Cell::new(name), Cell::new(value)]);
        };
        fact("source", format!("{} ({})", record.source, record.scope));
        if let Some(parent) = &seen.parent {
            fact("belongs to", parent.to_string());
        }
        fact("created", self.moment(seen.created_at, "the source does not tell"));
        let origin = match record.origin {
            Origin::Baseline => "in the first scan",
            Origin::Appeared => "as new",
        };
        fact("first seen", format!("{}, {origin}", time::minute(record.first_seen_at)));
        if let Some(old) = &record.replaces {
            fact("took the name of", old.to_string());
        }
        fact("last used", self.usage(&seen.usage));
        if let Some(expiry) = self.expiry(&seen.expiry) {
            fact("expires", expiry);
        }
        if let Some(privilege) = &seen.privilege {
            fact("privilege", format!("{}: {}", privilege.level.as_str(), safe(&privilege.reason)));
        }
        fact("owner", owner(record));
        if let Some(purpose) = &seen.purpose {
            fact("purpose", format!("{} (from {})", safe(&purpose.text), purpose.locator));
        }
        if let Some(nature) = &seen.nature {
            let kind = match nature.kind {
                headcount_sdk::NatureKind::Person => "a person",
                headcount_sdk::NatureKind::Machine => "a machine",
            };
            let sure = nature.confidence.as_percent();
            fact("taken for", format!("{kind}, {sure} % sure: {}", safe(&nature.basis)));
        }
        for (field, permission) in &seen.unread {
            fact("not read", format!("{field}: {permission} is missing"));
        }
        write!(out, "{}", style::lines(table, 0))
    }

    fn moment(&self, at: Option<Timestamp>, otherwise: &str) -> String {
        match at {
            Some(at) => format!("{} ({})", time::minute(at), time::ago(at, self.now)),
            None => otherwise.to_owned(),
        }
    }

    fn usage(&self, usage: &Usage) -> String {
        match usage {
            Usage::LastUsed { at, resolution_secs, .. } => format!(
                "{} ({}, exact to {} min)",
                time::ago(*at, self.now),
                time::minute(*at),
                resolution_secs.div_ceil(60)
            ),
            Usage::NeverSince { tracking_start, .. } => {
                format!("never since {}", time::minute(*tracking_start))
            }
            Usage::NotObservable { reason } => format!("not observable: {}", safe(reason)),
        }
    }

    fn expiry(&self, expiry: &Expiry) -> Option<String> {
        match expiry {
            Expiry::At { at } if *at <= self.now => {
                Some(format!("{} (expired)", time::minute(*at)))
            }
            Expiry::At { at } => Some(time::minute(*at)),
            Expiry::Never => Some("never".to_owned()),
            Expiry::Unknown => Some("the source does not tell".to_owned()),
            Expiry::NotApplicable => None,
        }
    }

    fn findings(&self, findings: &[Finding], out: &mut dyn Write) -> Printed {
        if findings.is_empty() {
            return Ok(());
        }
        self.heading("Findings", out)?;
        let mut table = self.style.table(&[]);
        for finding in findings {
            let since = match finding.status {
                FindingStatus::Resolved => "resolved".to_owned(),
                FindingStatus::Open | FindingStatus::Suppressed => {
                    format!("since {}", time::day(finding.opened_at))
                }
            };
            table.add_row(vec![
                style::severity(finding.severity),
                Cell::new(&finding.rule),
                Cell::new(safe(&finding.title)),
                Cell::new(since),
                Cell::new(&finding.id),
            ]);
        }
        write!(out, "{}", style::lines(table, 2))
    }

    fn links(&self, record: &Record, linked: &Linked, out: &mut dyn Write) -> Printed {
        if record.observation.links.is_empty() && linked.incoming.is_empty() {
            return Ok(());
        }
        self.heading("Links", out)?;
        let mut table = self.style.table(&[]);
        for link in &record.observation.links {
            let there = linked.outgoing.as_ref().map(|outgoing| {
                found_words(&link.to, &meant(record, link, outgoing), &linked.places)
            });
            table.add_row(vec![
                Cell::new("→"),
                Cell::new(words(link.kind.as_str())),
                Cell::new(endpoint(&link.to)),
                Cell::new(there.unwrap_or_default()),
                Cell::new(link.trust.as_ref().map(trust).unwrap_or_default()),
            ]);
        }
        for link in &linked.incoming {
            table.add_row(vec![
                Cell::new("←"),
                Cell::new(words(link.kind)),
                Cell::new(format!("{} {}", link.record_kind, safe(&link.name))),
                Cell::new(&link.id),
            ]);
        }
        write!(out, "{}", style::lines(table, 2))
    }

    fn trail(&self, record: &Record, linked: &Linked, out: &mut dyn Write) -> Printed {
        let Some(trail) = linked.trail.as_ref().filter(|trail| !trail.is_empty()) else {
            return Ok(());
        };
        self.heading("Trail", out)?;
        trail::print(trail, record, self.style, out)
    }

    fn maps(&self, seen: &Observation, out: &mut dyn Write) -> Printed {
        for (heading, map) in [("Tags", &seen.labels), ("Attributes", &seen.attributes)] {
            if map.is_empty() {
                continue;
            }
            self.heading(heading, out)?;
            let mut table = self.style.table(&[]);
            for (key, value) in map {
                table.add_row(vec![Cell::new(safe(key)), Cell::new(style::short(value, 200))]);
            }
            write!(out, "{}", style::lines(table, 2))?;
        }
        Ok(())
    }

    fn history(&self, record: &Record, steps: &[Step], out: &mut dyn Write) -> Printed {
        self.heading("History", out)?;
        for step in steps {
            let what = match (step.what, record.origin) {
                ("first_seen", Origin::Baseline) => "first seen, already there at the first scan",
                ("first_seen", Origin::Appeared) => "appeared",
                ("back", _) => "came back",
                ("gone", _) => "disappeared",
                (other, _) => other,
            };
            writeln!(out, "  {}  {what}", time::second(step.at))?;
            for change in &step.fields {
                let (from, to) = (brief(&change.from), brief(&change.to));
                writeln!(out, "      {}: {from} → {to}", safe(&change.field))?;
            }
        }
        Ok(())
    }

    fn heading(&self, text: &str, out: &mut dyn Write) -> Printed {
        writeln!(out, "\n{}", self.style.bold(text))
    }
}

/// The record line with everything that it leaves out.
#[derive(Serialize)]
struct Detail<'a> {
    #[serde(flatten)]
    line: RecordLine<'a>,
    observation: &'a Observation,
    gone_since: Option<Timestamp>,
    /// The records over which the owner was inherited, nearest first; empty = its own evidence.
    owner_path: &'a [RecordId],
    linked_from: Vec<LinkedFrom<'a>>,
    /// Left out for the past.
    #[serde(skip_serializing_if = "Option::is_none")]
    trail: Option<&'a Trail>,
    findings: Vec<FindingLine<'a>>,
    history: &'a [Step],
}

#[derive(Serialize)]
struct LinkedFrom<'a> {
    kind: &'static str,
    id: &'a str,
    name: &'a str,
    record_kind: &'a str,
}

fn json(
    found: &Found,
    linked: &Linked,
    findings: &[Finding],
    steps: &[Step],
    out: &mut dyn Write,
) -> Printed {
    let record = &found.record;
    let detail = Detail {
        line: RecordLine::from(record),
        observation: &record.observation,
        gone_since: found.gone_since,
        owner_path: record.owner.as_ref().map_or(&[][..], |owner| &owner.path),
        linked_from: linked
            .incoming
            .iter()
            .map(|l| LinkedFrom {
                kind: l.kind,
                id: &l.id,
                name: &l.name,
                record_kind: &l.record_kind,
            })
            .collect(),
        trail: linked.trail.as_ref(),
        findings: findings.iter().map(FindingLine::from).collect(),
        history: steps,
    };
    write_json(out, &detail)
}
