//! The inventory: what there is, narrowed down by what is counted, or searched.
//!
//! Without search and order, a page goes from one count to the next, so that it holds exactly what
//! the counts beside it say, and costs the same in a million records. With them it is read along an
//! index and looks at a bounded number of rows; then it may come back short and says so.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::response::Response;
use headcount_core::inventory::Record;
use headcount_sdk::{Class, Level, Status};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::address::{self, Address};
use super::chart::grouped;
use super::facets::{Chosen, Facet, facets, total};
use super::shell::{Failed, Shell, Tab, show};
use super::totals::Totals;
use super::words::{Said, When, owner_of, usage};
use crate::api::Face;
use crate::api::auth::Actor;
use crate::store::paging::{Direction, Ownership, RecordQuery, RecordSort};
use crate::store::{RecordCount, RecordFilter, Store};
use crate::view::text::{safe, short};

/// Rows of a page.
const ROWS: u32 = 50;

/// Orders that the store keeps an index for.
const SORTS: [(&str, &str); 5] = [
    ("", "class and kind"),
    ("name", "name"),
    ("newest", "first seen, latest first"),
    ("unused", "last use, longest ago first"),
    ("used", "last use, latest first"),
];

#[derive(Template)]
#[template(path = "inventory.html")]
struct Inventory {
    shell: Shell,
    chosen: Chosen,
    facets: Vec<Facet>,
    shows_counts: bool,
    chips: Vec<(String, String)>,
    hidden: Vec<(&'static str, String)>,
    sorts: Vec<(&'static str, &'static str, bool)>,
    found: String,
    nothing: &'static str,
    rows: Vec<RecordRow>,
    first: String,
    next: Option<String>,
}

struct RecordRow {
    href: String,
    name: String,
    full: String,
    kind: String,
    place: String,
    status: &'static str,
    privilege: Said,
    used: Said,
    owner: Said,
    first_seen: When,
}

pub async fn page(
    State(face): State<Face>,
    Extension(actor): Extension<Actor>,
    Extension(totals): Extension<Arc<Totals>>,
    Query(chosen): Query<Chosen>,
) -> Result<Response, Failed> {
    let now = face.clock.now();
    let sums = totals.of(&*face.store).await?;
    let is_plain = chosen.q.is_empty() && chosen.sort.is_empty();
    let (records, next) = match is_plain {
        true => behind_counts(&*face.store, &sums.records, &chosen).await?,
        false => along_an_index(&*face.store, &chosen).await?,
    };
    let title = if chosen.q.is_empty() { "Inventory" } else { "Search" };
    let first = Chosen { after: String::new(), ..chosen.clone() };
    let sort = |(value, label): (&'static str, &'static str)| (value, label, value == chosen.sort);
    show(&Inventory {
        shell: Shell::new(&actor, &sums, Tab::Inventory, title),
        facets: facets(&sums.records, &chosen),
        shows_counts: chosen.q.is_empty(),
        chips: chosen.chips(),
        hidden: hidden(&chosen),
        sorts: SORTS.into_iter().map(sort).collect(),
        found: found(&sums.records, &chosen, records.len(), next.is_some()),
        nothing: nothing(&sums.records, next.is_some()),
        rows: records.iter().map(|record| row(record, now)).collect(),
        first: first.with("after", ""),
        next: next.map(|after| paged(&chosen, &after)),
        chosen,
    })
}

fn found(counts: &[RecordCount], chosen: &Chosen, shown: usize, has_more: bool) -> String {
    if chosen.q.is_empty() {
        return format!("{} records", grouped(total(counts, chosen)));
    }
    match has_more {
        true => format!("{shown} found so far; the search goes on on the next page"),
        false => format!("{shown} found on this page, which is the last"),
    }
}

fn nothing(counts: &[RecordCount], has_more: bool) -> &'static str {
    match (counts.is_empty(), has_more) {
        (true, _) => "Nothing has been counted yet. The first scan fills the inventory.",
        (false, true) => {
            "Nothing that fits among those looked at for this page; go on to the next."
        }
        (false, false) => "Nothing fits. Take something of the choice away.",
    }
}

/// What the search form keeps of the choice.
fn hidden(chosen: &Chosen) -> Vec<(&'static str, String)> {
    let kept = [
        ("class", &chosen.class),
        ("source", &chosen.source),
        ("kind", &chosen.kind),
        ("status", &chosen.status),
        ("owned", &chosen.owned),
    ];
    kept.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, value.clone()))
        .collect()
}

fn paged(chosen: &Chosen, after: &str) -> String {
    let first = chosen.with("after", "");
    let separator = if first.contains('?') { '&' } else { '?' };
    let after = Address::of("").with("after", after).into_text();
    format!("{first}{separator}{}", after.trim_start_matches('?'))
}

/// The place of a page behind counts.
#[derive(Serialize, Deserialize)]
struct Place {
    class: Class,
    source: String,
    kind: String,
    status: String,
    owned: bool,
    row: i64,
}

type Listed = (Vec<Record>, Option<String>);

async fn behind_counts(
    store: &dyn Store,
    counts: &[RecordCount],
    chosen: &Chosen,
) -> Result<Listed, Failed> {
    let from: Option<Place> = place(&chosen.after)?;
    let mut fitting: Vec<&RecordCount> = counts.iter().filter(|c| chosen.takes(c)).collect();
    fitting.sort_by(|a, b| key(a).cmp(&key(b)));
    let mut records = Vec::new();
    for count in fitting {
        let mut after = 0;
        if let Some(from) = &from {
            let at = (rank(from.class), from.source.as_str(), from.kind.as_str());
            let begins = (at.0, at.1, at.2, from.status.as_str(), from.owned);
            match key(count).cmp(&begins) {
                std::cmp::Ordering::Less => continue,
                std::cmp::Ordering::Equal => after = from.row,
                std::cmp::Ordering::Greater => {}
            }
        }
        // One more than fits, to know whether there is a next page.
        let left = ROWS as usize - records.len();
        let page = store.list_counted(count, after, u32::try_from(left + 1).unwrap_or(1)).await?;
        for listed in page {
            if records.len() == ROWS as usize {
                return Ok((records, Some(written(&Place { row: after, ..at(count) })?)));
            }
            after = listed.row;
            records.push(listed.record);
        }
    }
    Ok((records, None))
}

fn at(count: &RecordCount) -> Place {
    Place {
        class: count.class,
        source: count.source.clone(),
        kind: count.kind.clone(),
        status: count.status.clone(),
        owned: count.owned,
        row: 0,
    }
}

/// The order in which counts are gone through: what people look for first stands first.
fn key(count: &RecordCount) -> (u8, &str, &str, &str, bool) {
    (rank(count.class), &count.source, &count.kind, &count.status, count.owned)
}

const fn rank(class: Class) -> u8 {
    match class {
        Class::Identity => 0,
        Class::AiAgent => 1,
        Class::Credential => 2,
        Class::Grant => 3,
        Class::Workload => 4,
        Class::Principal => 5,
    }
}

async fn along_an_index(store: &dyn Store, chosen: &Chosen) -> Result<Listed, Failed> {
    let (sort, direction) = match chosen.sort.as_str() {
        "newest" => (RecordSort::FirstSeen, Direction::Descending),
        "unused" => (RecordSort::LastUse, Direction::Ascending),
        "used" => (RecordSort::LastUse, Direction::Descending),
        _ => (RecordSort::Name, Direction::Ascending),
    };
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let page = store
        .page_records(&RecordQuery {
            filter: RecordFilter {
                source: some(&chosen.source),
                classes: classes(&chosen.class)?,
                kind: some(&chosen.kind),
                text: some(&chosen.q),
                at: None,
            },
            status: status(&chosen.status)?,
            ownership: match chosen.owned.as_str() {
                "yes" => Some(Ownership::Owned),
                "no" => Some(Ownership::Ownerless),
                _ => None,
            },
            sort,
            direction,
            after: place(&chosen.after)?,
            limit: ROWS,
        })
        .await?;
    let next = page.next.as_ref().map(written).transpose()?;
    Ok((page.items, next))
}

fn classes(class: &str) -> Result<Vec<Class>, Failed> {
    if class.is_empty() {
        return Ok(super::population::COUNTED.to_vec());
    }
    let kept = [Class::Principal, Class::Workload];
    let mut all = super::population::COUNTED.into_iter().chain(kept);
    let found = all.find(|known| known.as_str() == class);
    found.map(|class| vec![class]).ok_or_else(|| Failed::wrong("There is no such class."))
}

fn status(status: &str) -> Result<Option<Status>, Failed> {
    if status.is_empty() {
        return Ok(None);
    }
    let all = [Status::Active, Status::Disabled, Status::Unknown];
    let found = all.into_iter().find(|known| known.as_str() == status);
    found.map(Some).ok_or_else(|| Failed::wrong("There is no such status."))
}

fn place<T: serde::de::DeserializeOwned>(text: &str) -> Result<Option<T>, Failed> {
    if text.is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text)
        .map(Some)
        .map_err(|_| Failed::wrong("The address of this page is damaged; begin at the first page."))
}

fn written<T: Serialize>(place: &T) -> Result<String, Failed> {
    serde_json::to_string(place).map_err(|_| Failed::wrong("The next page has no address."))
}

fn row(record: &Record, now: Timestamp) -> RecordRow {
    let seen = &record.observation;
    RecordRow {
        href: address::record(seen.id.as_str()),
        name: short(&seen.name, 64),
        full: safe(&seen.name),
        kind: seen.kind.clone(),
        place: record.scope.place.clone(),
        status: seen.status.as_str(),
        privilege: privilege(record),
        used: usage(record, now),
        owner: owner_of(record),
        first_seen: When::new(record.first_seen_at, now),
    }
}

fn privilege(record: &Record) -> Said {
    let seen = &record.observation;
    match &seen.privilege {
        _ if seen.unread.contains_key("privilege") => {
            Said { text: "not read".to_owned(), more: String::new(), class: "unknown" }
        }
        None => Said { text: "–".to_owned(), more: String::new(), class: "" },
        Some(privilege) => Said {
            text: privilege.level.as_str().to_owned(),
            more: safe(&privilege.reason),
            class: match privilege.level {
                Level::Admin | Level::Escalating => "bad",
                Level::Unknown => "unknown",
                Level::None | Level::Read | Level::Write => "",
            },
        },
    }
}
