//! Sources: when each was scanned last, how far, and what could not be read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::Response;
use headcount_core::inventory::{Coverage, ScopeState};
use jiff::Timestamp;

use super::address::Address;
use super::chart::grouped;
use super::population::COUNTED;
use super::shell::{Failed, Shell, Tab, show};
use super::totals::{Sums, Totals};
use super::words::{Gap, When, gaps, more, plural};
use crate::api::Face;
use crate::api::auth::Actor;
use crate::store::SourceState;

/// Gaps and scopes of a source that are shown: an organisation has thousands of scopes.
const GAPS: usize = 100;
const SCOPES: usize = 500;

#[derive(Template)]
#[template(path = "sources.html")]
struct Sources {
    shell: Shell,
    sources: Vec<SourceCard>,
}

struct SourceCard {
    name: String,
    connector: String,
    health: &'static str,
    health_class: &'static str,
    started: Option<When>,
    finished: Option<When>,
    complete: Option<When>,
    baseline: Option<When>,
    /// Empty when the source is not configured any more.
    schedule: String,
    counts: Vec<(&'static str, String, String)>,
    gaps: Vec<Gap>,
    more_gaps: String,
    summary: String,
    scopes: Vec<ScopeRow>,
    more_scopes: String,
}

struct ScopeRow {
    name: String,
    coverage: &'static str,
    class: &'static str,
    note: String,
    records: String,
    read: When,
    complete: Option<When>,
}

pub async fn page(
    State(face): State<Face>,
    Extension(actor): Extension<Actor>,
    Extension(totals): Extension<Arc<Totals>>,
) -> Result<Response, Failed> {
    let (store, now) = (&*face.store, face.clock.now());
    let sums = totals.of(store).await?;
    let states: BTreeMap<String, SourceState> =
        store.source_states().await?.into_iter().map(|s| (s.name.clone(), s)).collect();
    let names: BTreeSet<&String> = face.sources.keys().chain(states.keys()).collect();
    let cards = names.into_iter().map(|name| {
        let control = face.sources.get(name);
        let connector = match (states.get(name), control) {
            (Some(state), _) => state.connector.clone(),
            (None, Some(control)) => control.source.connector.manifest().connector.to_owned(),
            (None, None) => String::new(),
        };
        let schedule = control.map(|control| control.schedule.clone()).unwrap_or_default();
        let about = About { name, connector, schedule, state: states.get(name) };
        card(about, &sums, now)
    });
    let sources = cards.collect();
    show(&Sources { shell: Shell::new(&actor, &sums, Tab::Sources, "Sources"), sources })
}

struct About<'a> {
    name: &'a str,
    connector: String,
    schedule: String,
    /// `None` = no scan has begun.
    state: Option<&'a SourceState>,
}

fn card(about: About<'_>, sums: &Sums, now: Timestamp) -> SourceCard {
    let of_source = || sums.scopes.iter().filter(|state| state.source == about.name);
    let mut gaps = gaps(of_source(), now);
    let more_gaps = more(gaps.len(), GAPS);
    let (health, health_class) = health(about.state, !gaps.is_empty());
    gaps.truncate(GAPS);
    let mut scopes: Vec<&ScopeState> = of_source().collect();
    let all = scopes.len();
    let short = scopes.iter().filter(|state| state.coverage.is_short()).count();
    scopes.sort_by_key(|state| !state.coverage.is_short());
    scopes.truncate(SCOPES);
    let moment = |at: fn(&SourceState) -> Option<Timestamp>| {
        about.state.and_then(at).map(|at| When::new(at, now))
    };
    SourceCard {
        health,
        health_class,
        started: moment(|s| s.last_scan_started_at),
        finished: moment(|s| s.last_scan_finished_at),
        complete: moment(|s| s.last_complete_at),
        baseline: moment(|s| s.baselined_at),
        counts: counts(about.name, sums),
        gaps,
        more_gaps,
        summary: format!("{all} scopes, {short} of them not read to their ends"),
        scopes: scopes.iter().map(|state| row(state, now)).collect(),
        more_scopes: more(all, SCOPES),
        name: about.name.to_owned(),
        connector: about.connector,
        schedule: about.schedule,
    }
}

fn health(state: Option<&SourceState>, has_gaps: bool) -> (&'static str, &'static str) {
    let Some(state) = state else { return ("never scanned", "warn") };
    let is_scanning = state.last_scan_started_at > state.last_scan_finished_at;
    match (state.last_scan_complete, has_gaps) {
        (None, _) if is_scanning => ("first scan under way", "warn"),
        (None, _) => ("not scanned to an end yet", "warn"),
        (Some(false), _) => ("last scan incomplete", "bad"),
        (Some(true), true) => ("whole, but for some fields", "warn"),
        (Some(true), false) => ("read whole", "good"),
    }
}

fn counts(source: &str, sums: &Sums) -> Vec<(&'static str, String, String)> {
    let count = |class: headcount_sdk::Class| {
        let counts = sums.records.iter().filter(|c| c.source == source && c.class == class);
        let count: u64 = counts.map(|c| c.count).sum();
        let address = Address::of("/inventory").with("source", source);
        let href = address.with("class", class.as_str()).into_text();
        (plural(class), grouped(count), href)
    };
    let is_known = sums.records.iter().any(|c| c.source == source);
    if is_known { COUNTED.into_iter().map(count).collect() } else { Vec::new() }
}

fn row(state: &ScopeState, now: Timestamp) -> ScopeRow {
    let (class, note) = match &state.coverage {
        Coverage::Complete => ("good", String::new()),
        Coverage::Sweeping { outstanding } => {
            ("warn", format!("{outstanding} not looked at yet; later scans go on"))
        }
        Coverage::NotSupported { reason } => ("", crate::view::text::safe(reason)),
        Coverage::Incomplete { .. } | Coverage::Held { .. } => {
            ("bad", super::words::why(&state.coverage).unwrap_or_default())
        }
    };
    let note = match state.as_of {
        Some(at) => format!("{note} as of {}", crate::view::time::minute(at)),
        None => note,
    };
    ScopeRow {
        name: state.scope.to_string(),
        coverage: match state.coverage {
            Coverage::NotSupported { .. } => "not there",
            ref other => other.as_str(),
        },
        class,
        note,
        records: match state.expected {
            Some(expected) if expected != state.records => {
                format!("{} (its source says {})", grouped(state.records), grouped(expected))
            }
            _ => grouped(state.records),
        },
        read: When::new(state.last_read_at, now),
        complete: state.last_complete_at.map(|at| When::new(at, now)),
    }
}
