//! The first page: how many there are, what is new, stale or without an owner, how it went over
//! time, and what could not be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::response::Response;
use headcount_core::findings::{FindingStatus, Severity};
use headcount_sdk::Class;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::address::Address;
use super::chart::{Chart, Size, draw, grouped};
use super::population::{self, COUNTED, Row as PopulationRow};
use super::shell::{Failed, Shell, Tab, show};
use super::totals::{Sums, Totals};
use super::words::{Gap, Row, gaps, more, owner_of_work, plural};
use crate::api::Face;
use crate::api::auth::Actor;
use crate::store::Store;
use crate::store::over_time::Census;
use crate::store::work::WorkFilter;
use crate::view::QUESTIONS;

/// Findings shown per question; the rest is one click away.
const SHOWN: usize = 5;
/// Coverage problems shown.
const GAPS: usize = 8;
/// Days that can be chosen.
const RANGES: [u16; 4] = [30, USUAL, 180, LONGEST];
const USUAL: u16 = 90;
const LONGEST: u16 = 365;

#[derive(Deserialize)]
pub struct Asked {
    days: Option<u16>,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    shell: Shell,
    tiles: Vec<Tile>,
    kept: String,
    questions: Vec<Question>,
    others: Vec<RuleLink>,
    days: u16,
    ranges: Vec<Range>,
    chart: Option<Chart>,
    population: Vec<PopulationRow>,
    coverage: String,
    gaps: Vec<Gap>,
    more_gaps: String,
}

struct Tile {
    href: String,
    total: String,
    name: &'static str,
    change: String,
}

struct Question {
    title: &'static str,
    count: u64,
    none: &'static str,
    findings: Vec<Row>,
    links: Vec<RuleLink>,
}

/// All open findings of a rule.
struct RuleLink {
    rule: String,
    count: u64,
    href: String,
    severity: &'static str,
}

struct Range {
    label: String,
    href: String,
    is_here: bool,
}

pub async fn page(
    State(face): State<Face>,
    Extension(actor): Extension<Actor>,
    Extension(totals): Extension<Arc<Totals>>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failed> {
    let now = face.clock.now();
    let store = &*face.store;
    let sums = totals.of(store).await?;
    let (days, counts) = counted(store, asked.days, now).await?;
    let lines = population::totals(&counts);
    let mut questions = Vec::with_capacity(QUESTIONS.len());
    for question in &QUESTIONS {
        questions.push(ask(store, &sums, question, now).await?);
    }
    let mut gaps = gaps(&sums.scopes, now);
    let more_gaps = more(gaps.len(), GAPS);
    gaps.truncate(GAPS);
    show(&Overview {
        shell: Shell::new(&actor, &sums, Tab::Overview, "Overview"),
        tiles: tiles(&sums, &lines, now),
        kept: kept(&sums),
        questions,
        others: others(&sums),
        days,
        ranges: ranges(days),
        chart: draw(&lines, Size::LARGE),
        population: population::rows(&counts, now),
        coverage: coverage(&sums),
        gaps,
        more_gaps,
    })
}

/// The counts of the days that were asked for; where nobody asked, of as many as make a line.
async fn counted(
    store: &dyn Store,
    asked: Option<u16>,
    now: Timestamp,
) -> Result<(u16, Vec<Census>), Failed> {
    let asked = asked.filter(|days| RANGES.contains(days));
    let days = asked.unwrap_or(USUAL);
    let counts = store.census(ago(days, now), now).await?;
    if asked.is_some() || draw(&population::totals(&counts), Size::LARGE).is_some() {
        return Ok((days, counts));
    }
    Ok((LONGEST, store.census(ago(LONGEST, now), now).await?))
}

fn ago(days: u16, now: Timestamp) -> Timestamp {
    let by = SignedDuration::from_hours(24 * i64::from(days));
    now.checked_sub(by).unwrap_or(Timestamp::MIN)
}

fn of_class(sums: &Sums, class: Class) -> u64 {
    sums.records.iter().filter(|count| count.class == class).map(|count| count.count).sum()
}

fn tiles(sums: &Sums, lines: &[super::chart::Series], now: Timestamp) -> Vec<Tile> {
    let tile = |class: Class| {
        let line = lines.iter().find(|line| line.class == class.as_str());
        Tile {
            href: Address::of("/inventory").with("class", class.as_str()).into_text(),
            total: grouped(of_class(sums, class)),
            name: plural(class),
            change: line.map(|line| population::week(line, now)).unwrap_or_default(),
        }
    };
    // Few sources have AI agents; a zero would sound as if somebody had looked everywhere.
    let is_shown = |class: &Class| *class != Class::AiAgent || of_class(sums, *class) > 0;
    COUNTED.into_iter().filter(is_shown).map(tile).collect()
}

fn kept(sums: &Sums) -> String {
    let (people, workloads) = (of_class(sums, Class::Principal), of_class(sums, Class::Workload));
    format!(
        "Kept because they own and use them, and not counted: {} people, {} workloads.",
        grouped(people),
        grouped(workloads)
    )
}

async fn ask(
    store: &dyn Store,
    sums: &Sums,
    (title, rules): &(&'static str, &'static [&'static str]),
    now: Timestamp,
) -> Result<Question, Failed> {
    let mut found = Vec::new();
    for rule in *rules {
        let filter = WorkFilter {
            status: Some(FindingStatus::Open),
            rule: Some((*rule).to_owned()),
            ..WorkFilter::default()
        };
        found.extend(store.list_work(&filter, None, 5).await?);
    }
    found.sort_by(|a, b| {
        let key = |w: &crate::store::work::Work| (w.finding.opened_at, w.finding.id.clone());
        b.finding.severity.cmp(&a.finding.severity).then_with(|| key(a).cmp(&key(b)))
    });
    found.truncate(SHOWN);
    let findings = found.iter().map(|work| Row::new(&work.finding, owner_of_work(work), now));
    let links: Vec<RuleLink> =
        by_rule(sums).into_iter().filter(|link| rules.contains(&link.rule.as_str())).collect();
    let none = match *title {
        "New" => "Nothing appeared that was not there before.",
        "Stale" => "Nothing is known to be unused for too long.",
        _ => "Everything has somebody who answers for it, as far as it could be read.",
    };
    Ok(Question {
        title,
        count: links.iter().map(|link| link.count).sum(),
        none,
        findings: findings.collect(),
        links,
    })
}

/// Open findings by rule, the most severe first.
fn by_rule(sums: &Sums) -> Vec<RuleLink> {
    let mut rules: BTreeMap<&str, (Severity, u64)> = BTreeMap::new();
    for ((rule, severity, _), count) in &sums.open {
        let entry = rules.entry(rule).or_insert((*severity, 0));
        entry.0 = entry.0.max(*severity);
        entry.1 += count;
    }
    let mut rules: Vec<_> = rules.into_iter().collect();
    rules.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let link = |(rule, (severity, count)): (&str, (Severity, u64))| RuleLink {
        rule: rule.to_owned(),
        count,
        href: Address::of("/findings").with("rule", rule).into_text(),
        severity: severity.as_str(),
    };
    rules.into_iter().map(link).collect()
}

fn others(sums: &Sums) -> Vec<RuleLink> {
    let is_told = |rule: &str| QUESTIONS.iter().any(|(_, rules)| rules.contains(&rule));
    by_rule(sums).into_iter().filter(|link| !is_told(&link.rule)).collect()
}

fn ranges(days: u16) -> Vec<Range> {
    let range = |range: u16| Range {
        label: format!("{range} days"),
        href: Address::of("/").with("days", &range.to_string()).into_text(),
        is_here: range == days,
    };
    RANGES.into_iter().map(range).collect()
}

fn coverage(sums: &Sums) -> String {
    let all = sums.scopes.len();
    match (all, sums.gaps()) {
        (0, _) => "No scope has been read yet: the first scan is under way, or no source is \
                   configured."
            .to_owned(),
        (_, 0) => format!("All {all} scopes were read to their ends at their last scans."),
        (_, short) => format!(
            "{} of {all} scopes were read whole at their last scans. In {short} something is \
             missing; what is known of it stays, and nothing of it is taken for gone.",
            all - short
        ),
    }
}
