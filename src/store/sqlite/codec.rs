//! How values stand in the file: times, enumerations, JSON, and records put together from columns.

use headcount_core::findings::{Severity, TransitionKind};
use headcount_core::inventory::{History, Origin, Record};
use headcount_sdk::{Class, Observation, RecordId, Scope, Usage};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::fault::{Fallible, Fault};

/// A time to keep. Nanoseconds end in the years 1677 and 2262; a time outside is refused, because
/// cutting it would store another time than was given.
pub(super) fn nanos(time: Timestamp) -> Fallible<i64> {
    i64::try_from(time.as_nanosecond())
        .map_err(|_| Fault::Refused(format!("{time} is outside the years 1677 to 2262")))
}

/// A time to compare with kept ones, or one that may come early.
pub(super) fn nanos_clamped(time: Timestamp) -> i64 {
    let bounded = time.as_nanosecond().clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    i64::try_from(bounded).unwrap_or(i64::MAX)
}

pub(super) fn time(nanos: i64) -> Fallible<Timestamp> {
    Timestamp::from_nanosecond(i128::from(nanos))
        .map_err(|_| Fault::damaged("time", "it is out of range"))
}

pub(super) fn maybe_time(nanos: Option<i64>) -> Fallible<Option<Timestamp>> {
    nanos.map(time).transpose()
}

/// A number that only counts up.
pub(super) fn unsigned<T: TryFrom<i64>>(what: &'static str, number: i64) -> Fallible<T> {
    T::try_from(number).map_err(|_| Fault::damaged(what, "a number is out of range"))
}

pub(super) fn signed(number: u64) -> Fallible<i64> {
    i64::try_from(number).map_err(|_| Fault::Refused("a number is out of range".to_owned()))
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Fallible<String> {
    serde_json::to_string(value)
        .map_err(|_| Fault::Refused("a value cannot be written as JSON".to_owned()))
}

/// Reads JSON back. The error says where, never what: serde quotes the value.
pub(super) fn parse<T: DeserializeOwned>(what: &'static str, text: &str) -> Fallible<T> {
    serde_json::from_str(text).map_err(|error| {
        Fault::damaged(what, format!("its JSON is not understood at column {}", error.column()))
    })
}

/// Lower case without regard to context, so that a part of a text folds like the whole.
pub(super) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

pub(super) fn class(text: &str) -> Fallible<Class> {
    [
        Class::Identity,
        Class::AiAgent,
        Class::Credential,
        Class::Grant,
        Class::Principal,
        Class::Workload,
    ]
    .into_iter()
    .find(|class| class.as_str() == text)
    .ok_or_else(|| Fault::damaged("record", "its class is not known"))
}

pub(super) const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Baseline => "baseline",
        Origin::Appeared => "appeared",
    }
}

fn origin_of(text: &str) -> Fallible<Origin> {
    [Origin::Baseline, Origin::Appeared]
        .into_iter()
        .find(|known| origin(*known) == text)
        .ok_or_else(|| Fault::damaged("record", "its origin is not known"))
}

const SEVERITIES: [Severity; 5] =
    [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

/// As a number, so that SQL can order by it.
pub(super) const fn severity(severity: Severity) -> i64 {
    match severity {
        Severity::Info => 0,
        Severity::Low => 1,
        Severity::Medium => 2,
        Severity::High => 3,
        Severity::Critical => 4,
    }
}

pub(super) fn severity_of(number: i64) -> Fallible<Severity> {
    SEVERITIES
        .into_iter()
        .find(|known| severity(*known) == number)
        .ok_or_else(|| Fault::damaged("finding", "its severity is not known"))
}

pub(super) fn transition_kind(text: &str) -> Fallible<TransitionKind> {
    TransitionKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| Fault::damaged("transition", "its kind is not known"))
}

/// An observation without its use, which is kept beside it and moves more often.
pub(super) fn document(observation: &Observation) -> Fallible<String> {
    #[derive(Serialize)]
    struct Document<'a> {
        id: &'a RecordId,
        class: Class,
        kind: &'a str,
        name: &'a str,
        native: &'a str,
        parent: &'a Option<RecordId>,
        status: headcount_sdk::Status,
        created_at: Option<Timestamp>,
        expiry: &'a headcount_sdk::Expiry,
        privilege: &'a Option<headcount_sdk::Privilege>,
        nature: &'a Option<headcount_sdk::Nature>,
        owner_evidence: &'a [headcount_sdk::OwnerEvidence],
        purpose: &'a Option<headcount_sdk::Purpose>,
        links: &'a [headcount_sdk::Link],
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        subjects: &'a [headcount_sdk::FederatedSubject],
        attributes: &'a std::collections::BTreeMap<String, String>,
        labels: &'a std::collections::BTreeMap<String, String>,
        evidence: &'a [headcount_sdk::Evidence],
        unread: &'a std::collections::BTreeMap<String, String>,
    }
    // Taken apart field by field, so that a new field cannot be forgotten here.
    let Observation {
        id,
        class,
        kind,
        name,
        native,
        parent,
        status,
        created_at,
        expiry,
        usage: _,
        privilege,
        nature,
        owner_evidence,
        purpose,
        links,
        subjects,
        attributes,
        labels,
        evidence,
        unread,
    } = observation;
    json(&Document {
        id,
        class: *class,
        kind,
        name,
        native,
        parent,
        status: *status,
        created_at: *created_at,
        expiry,
        privilege,
        nature,
        owner_evidence,
        purpose,
        links,
        subjects,
        attributes,
        labels,
        evidence,
        unread,
    })
}

/// The columns of a present record in the order in which [`record`] reads them.
pub(super) const PRESENT: &str = "d.doc, r.usage, r.owner, s.name, c.place, c.kind, r.origin, \
     r.replaces, r.first_seen, r.valid_from, r.id, r.history";

pub(super) const RECORDS: &str = "FROM records r CROSS JOIN documents d ON d.record = r.number \
     CROSS JOIN scopes c ON c.number = r.scope CROSS JOIN sources s ON s.number = r.source";

/// The same of versions that are over.
pub(super) const PAST: &str = "v.doc, v.usage, v.owner, s.name, c.place, c.kind, v.origin, \
     v.replaces, v.first_seen, v.valid_from, v.id, v.history";

pub(super) const VERSIONS: &str = "FROM versions v CROSS JOIN scopes c ON c.number = v.scope \
     CROSS JOIN sources s ON s.number = v.source";

pub(super) fn record(row: &SqliteRow) -> Fallible<Record> {
    let owner: Option<&str> = row.try_get(2)?;
    let replaces: Option<String> = row.try_get(7)?;
    let observation = observation(row.try_get(0)?, row.try_get(1)?)?;
    Ok(Record {
        history: history_of(row.try_get(11)?, &observation)?,
        observation,
        source: row.try_get(3)?,
        scope: Scope { place: row.try_get(4)?, kind: row.try_get(5)? },
        origin: origin_of(row.try_get(6)?)?,
        first_seen_at: time(row.try_get(8)?)?,
        changed_at: time(row.try_get(9)?)?,
        replaces: replaces.map(RecordId::from_stored),
        owner: owner.map(|text| parse("owner", text)).transpose()?,
    })
}

/// What is kept of a history; `None` for the many that say no more than the record's use does.
pub(super) fn history(history: &History, usage: &Usage) -> Fallible<Option<String>> {
    let mut kept = history.clone();
    if kept.last_known_use.is_some() && kept.last_known_use == last_use(usage) {
        kept.last_known_use = None;
    }
    (kept != History::default()).then(|| json(&kept)).transpose()
}

fn history_of(kept: Option<&str>, observation: &Observation) -> Fallible<History> {
    let mut history: History =
        kept.map(|text| parse("history", text)).transpose()?.unwrap_or_default();
    history.last_known_use = history.last_known_use.or_else(|| last_use(&observation.usage));
    Ok(history)
}

/// The last use in seconds, to sort by; 0 where none is known.
pub(super) fn used(usage: &Usage) -> i64 {
    last_use(usage).map_or(0, Timestamp::as_second)
}

const fn last_use(usage: &Usage) -> Option<Timestamp> {
    match usage {
        Usage::LastUsed { at, .. } => Some(*at),
        Usage::NeverSince { .. } | Usage::NotObservable { .. } => None,
    }
}

pub(super) fn records(rows: &[SqliteRow]) -> Fallible<Vec<Record>> {
    rows.iter().map(record).collect()
}

/// Puts the use back into the document.
fn observation(document: &str, usage: &str) -> Fallible<Observation> {
    let rest = document
        .strip_prefix('{')
        .ok_or_else(|| Fault::damaged("record", "its document is no JSON object"))?;
    let mut whole = String::with_capacity(document.len() + usage.len() + 12);
    whole.push_str("{\"usage\":");
    whole.push_str(usage);
    whole.push(',');
    whole.push_str(rest);
    parse("record", &whole)
}
