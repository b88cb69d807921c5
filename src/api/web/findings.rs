//! Findings to work on: filtered, a page at a time, or gathered by owner.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::response::Response;
use headcount_core::findings::{FindingStatus, Severity};
use headcount_core::rules;
use jiff::Timestamp;
use serde::Deserialize;

use super::address::Address;
use super::chart::grouped;
use super::shell::{Failed, Shell, Tab, show};
use super::totals::{Sums, Totals};
use super::words::{Row, SEVERITIES, owner_of_work, status as status_words};
use crate::api::Face;
use crate::api::auth::Actor;
use crate::store::Store;
use crate::store::work::{Whose, Work, WorkCount, WorkFilter};
use crate::view::text::safe;

/// Findings of a page.
const ROWS: u32 = 50;
/// Owners shown when findings are gathered, and findings of each.
const OWNERS: usize = 20;
const OF_EACH: u32 = 5;

/// What stands in the address for findings that nobody answers for. No owner is called so: an owner
/// is never empty text, and this begins with a space.
const NOBODY: &str = " nobody";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// `open` where nothing is chosen; `resolved`, `suppressed` or `all`.
    status: String,
    severity: String,
    rule: String,
    source: String,
    owner: String,
    /// `owner`, or nothing.
    group: String,
    after: String,
}

#[derive(Template)]
#[template(path = "findings.html")]
struct Findings {
    shell: Shell,
    choices: Vec<Choice>,
    owner_chip: String,
    without_owner: String,
    found: String,
    nothing: &'static str,
    groups: Vec<Group>,
    shows_status: bool,
    next: Option<String>,
}

struct Choice {
    name: &'static str,
    label: &'static str,
    options: Vec<Entry>,
}

struct Entry {
    value: String,
    label: String,
    is_chosen: bool,
}

/// Findings under one heading; without a title, all that there are.
struct Group {
    title: String,
    href: String,
    count: u64,
    by_severity: Vec<(&'static str, u64)>,
    rows: Vec<Row>,
    more: u64,
}

impl Asked {
    fn with(&self, name: &str, value: &str) -> String {
        let parts = [
            ("status", &self.status),
            ("severity", &self.severity),
            ("rule", &self.rule),
            ("source", &self.source),
            ("owner", &self.owner),
            ("group", &self.group),
        ];
        let mut address = Address::of("/findings");
        for (part, chosen) in parts {
            address = address.with(part, if part == name { value } else { chosen });
        }
        if name == "after" {
            address = address.with("after", value);
        }
        address.into_text()
    }

    fn filter(&self) -> Result<WorkFilter, Failed> {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        let status = match self.status.as_str() {
            "" | "open" => Some(FindingStatus::Open),
            "resolved" => Some(FindingStatus::Resolved),
            "suppressed" => Some(FindingStatus::Suppressed),
            "all" => None,
            _ => return Err(Failed::wrong("There is no such status.")),
        };
        let at_least = match self.severity.as_str() {
            "" => None,
            text => {
                let found = SEVERITIES.into_iter().find(|severity| severity.as_str() == text);
                Some(found.ok_or_else(|| Failed::wrong("There is no such severity."))?)
            }
        };
        let whose = match self.owner.as_str() {
            "" => Whose::Anyones,
            NOBODY => Whose::Nobodys,
            owner => Whose::Of(owner.to_owned()),
        };
        Ok(WorkFilter {
            status,
            rule: some(&self.rule),
            source: some(&self.source),
            at_least,
            whose,
        })
    }
}

pub async fn page(
    State(face): State<Face>,
    Extension(actor): Extension<Actor>,
    Extension(totals): Extension<Arc<Totals>>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failed> {
    let (store, now) = (&*face.store, face.clock.now());
    let sums = totals.of(store).await?;
    let filter = asked.filter()?;
    let gathers = asked.group == "owner" && asked.owner.is_empty();
    let (groups, found, next) = match gathers {
        true => gathered(store, &filter, &asked, now).await?,
        false => listed(store, &filter, &asked, now).await?,
    };
    show(&Findings {
        shell: Shell::new(&actor, &sums, Tab::Findings, "Findings"),
        choices: choices(&sums, &asked),
        owner_chip: match asked.owner.as_str() {
            NOBODY => "nobody is named".to_owned(),
            owner => safe(owner),
        },
        without_owner: asked.with("owner", ""),
        found,
        nothing: match filter.status {
            Some(FindingStatus::Open) if sums.open.is_empty() => {
                "No finding is open. What could not be read is on the page of sources."
            }
            _ => "No finding fits. Choose less, or another status.",
        },
        groups,
        shows_status: asked.status == "all",
        next,
    })
}

type Shown = (Vec<Group>, String, Option<String>);

async fn listed(
    store: &dyn Store,
    filter: &WorkFilter,
    asked: &Asked,
    now: Timestamp,
) -> Result<Shown, Failed> {
    let after = (!asked.after.is_empty()).then_some(asked.after.as_str());
    let mut work = store.list_work(filter, after, ROWS + 1).await?;
    let has_more = work.len() > ROWS as usize;
    work.truncate(ROWS as usize);
    let next = work.last().filter(|_| has_more).map(|last| asked.with("after", &last.finding.id));
    let counts = store.count_work(filter).await?;
    let count: u64 = counts.iter().map(|count| count.count).sum();
    let found = format!("{} findings, the most severe first", grouped(count));
    if work.is_empty() {
        return Ok((Vec::new(), found, None));
    }
    let group = Group {
        title: String::new(),
        href: String::new(),
        count,
        by_severity: Vec::new(),
        rows: rows(&work, now),
        more: 0,
    };
    Ok((vec![group], found, next))
}

/// One group for each owner, those with the most severe and most findings first.
async fn gathered(
    store: &dyn Store,
    filter: &WorkFilter,
    asked: &Asked,
    now: Timestamp,
) -> Result<Shown, Failed> {
    let counts = store.count_work(filter).await?;
    let mut owners: BTreeMap<Option<&str>, Vec<&WorkCount>> = BTreeMap::new();
    for count in &counts {
        owners.entry(count.owner.as_deref()).or_default().push(count);
    }
    let total: u64 = counts.iter().map(|count| count.count).sum();
    let found = format!("{} findings of {} owners", grouped(total), owners.len());
    let mut owners: Vec<(Option<&str>, Vec<&WorkCount>)> = owners.into_iter().collect();
    let weight = |counts: &[&WorkCount]| -> Vec<(Severity, u64)> {
        counts.iter().map(|count| (count.severity, count.count)).collect()
    };
    owners.sort_by(|a, b| weight(&b.1).cmp(&weight(&a.1)).then(a.0.cmp(&b.0)));
    let left_out = owners.len().saturating_sub(OWNERS);
    owners.truncate(OWNERS);
    let mut groups = Vec::with_capacity(owners.len());
    for (owner, counts) in owners {
        let whose = owner.map_or(Whose::Nobodys, |owner| Whose::Of(owner.to_owned()));
        let narrowed = WorkFilter { whose, ..filter.clone() };
        let work = store.list_work(&narrowed, None, OF_EACH).await?;
        let count: u64 = counts.iter().map(|count| count.count).sum();
        groups.push(Group {
            title: owner.map_or_else(|| "nobody is named".to_owned(), safe),
            href: asked.with("owner", owner.unwrap_or(NOBODY)),
            count,
            by_severity: counts.iter().map(|c| (c.severity.as_str(), c.count)).collect(),
            more: count.saturating_sub(work.len() as u64),
            rows: rows(&work, now),
        });
    }
    let found = match left_out {
        0 => found,
        more => format!("{found}; the {OWNERS} with the most severe, {more} more below those"),
    };
    Ok((groups, found, None))
}

fn rows(work: &[Work], now: Timestamp) -> Vec<Row> {
    work.iter().map(|work| Row::new(&work.finding, owner_of_work(work), now)).collect()
}

fn choices(sums: &Sums, asked: &Asked) -> Vec<Choice> {
    let option = |value: &str, label: &str, chosen: &str| Entry {
        value: value.to_owned(),
        label: label.to_owned(),
        is_chosen: value == chosen,
    };
    let statuses = [
        option("", "open", &asked.status),
        option("suppressed", status_words(FindingStatus::Suppressed), &asked.status),
        option("resolved", "resolved", &asked.status),
        option("all", "all", &asked.status),
    ];
    let mut severities = vec![option("", "any", &asked.severity)];
    severities.extend(SEVERITIES.iter().take(4).map(|severity| {
        let label = match severity {
            Severity::Critical => "critical".to_owned(),
            other => format!("{} and above", other.as_str()),
        };
        option(severity.as_str(), &label, &asked.severity)
    }));
    let mut rules = vec![option("", "any", &asked.rule)];
    rules.extend(rules::ALL.iter().map(|rule| rule.meta().id).map(|id| {
        let open = sums.open.iter().filter(|((rule, _, _), _)| rule == id);
        let open: u64 = open.map(|(_, count)| count).sum();
        option(id, &format!("{id} ({open} open)"), &asked.rule)
    }));
    let mut names: Vec<&str> = sums.records.iter().map(|count| count.source.as_str()).collect();
    names.dedup();
    let mut sources = vec![option("", "any", &asked.source)];
    sources.extend(names.into_iter().map(|name| option(name, name, &asked.source)));
    let groups =
        [option("", "nothing: one list", &asked.group), option("owner", "owner", &asked.group)];
    vec![
        Choice { name: "status", label: "Status", options: statuses.into() },
        Choice { name: "severity", label: "Severity", options: severities },
        Choice { name: "rule", label: "Rule", options: rules },
        Choice { name: "source", label: "Source", options: sources },
        Choice { name: "group", label: "Gather by", options: groups.into() },
    ]
}
