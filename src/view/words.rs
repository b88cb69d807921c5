//! Owners, links, trusts and changed values in words.

use std::collections::BTreeSet;

use headcount_core::inventory::{Coverage, Owner, Record};
use headcount_sdk::{Affiliation, Endpoint, ExternalId, RecordId, ScanError, Standing, Trust};

use super::text::{safe, short};

#[must_use]
pub fn owner(record: &Record) -> String {
    let Some(owner) = &record.owner else { return "nobody is named".to_owned() };
    let left = match owner.standing {
        Standing::Left => " (has left)",
        Standing::Present | Standing::NotKnown => "",
    };
    format!(
        "{}{left}, {} % sure, from {} ({}){}",
        safe(&owner.reference),
        owner.confidence.as_percent(),
        safe(&owner.locator),
        owner.basis.as_str(),
        inherited(owner)
    )
}

/// From the record with the evidence, over those between.
fn inherited(owner: &Owner) -> String {
    let Some((from, between)) = owner.path.split_last() else { return String::new() };
    let between: Vec<&str> = between.iter().rev().map(RecordId::as_str).collect();
    let over =
        if between.is_empty() { String::new() } else { format!(" over {}", between.join(", ")) };
    format!(", inherited from {from}{over}")
}

/// Whether the record that a link names is there.
#[must_use]
pub fn found(to: &Endpoint, meant: &[&Record], counted: &BTreeSet<String>) -> String {
    if let [first, others @ ..] = meant {
        let seen = &first.observation;
        let more =
            if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
        return format!("{} {}{more}", seen.kind, safe(&seen.name));
    }
    match to {
        Endpoint::Record { .. } => "not there".to_owned(),
        Endpoint::Native { place, .. } | Endpoint::Account { place, principal: Some(_), .. } => {
            if counted.contains(place) {
                format!("not found in {place}")
            } else {
                format!("{place} is not counted")
            }
        }
        _ => String::new(),
    }
}

#[must_use]
pub fn words(name: &str) -> String {
    name.replace('_', " ")
}

#[must_use]
pub fn endpoint(to: &Endpoint) -> String {
    match to {
        Endpoint::Record { id } => id.to_string(),
        Endpoint::Native { native, .. } => safe(native).to_string(),
        Endpoint::Likely { kind, names } => {
            format!("perhaps {kind} {}", safe(names.first().map_or("", String::as_str)))
        }
        Endpoint::Account { place, principal, affiliation } => {
            let relation = match affiliation {
                Affiliation::SameAccount => "same account",
                Affiliation::SameOrganization => "same organisation",
                Affiliation::External => "outside the organisation",
                Affiliation::NotKnown => "organisation not known",
            };
            match principal {
                Some(principal) => format!("{} ({relation})", safe(principal)),
                None => format!("account {place} ({relation})"),
            }
        }
        Endpoint::Service { name } => format!("service {}", safe(name)),
        Endpoint::Federation { issuer } => format!("identity provider {}", safe(issuer)),
        Endpoint::Dangling { native } => format!("deleted principal {}", safe(native)),
        Endpoint::Anyone => "anyone".to_owned(),
    }
}

#[must_use]
pub fn trust(trust: &Trust) -> String {
    let mut parts = Vec::new();
    match trust.external_id {
        ExternalId::Required => parts.push("external id required".to_owned()),
        ExternalId::Absent => parts.push("no external id".to_owned()),
        ExternalId::NotApplicable => {}
    }
    for (name, list) in [
        ("subject", &trust.subjects),
        ("audience", &trust.audiences),
        ("narrowed by", &trust.narrowed_by),
    ] {
        if !list.is_empty() {
            parts.push(format!("{name} {}", safe(&list.join(", "))));
        }
    }
    parts.join("; ")
}

/// A value for a person: of owner evidence the names, of other structures the beginning.
#[must_use]
pub fn brief(value: &serde_json::Value) -> String {
    let named = |item: &serde_json::Value| {
        Some(format!("{} ({})", item.get("ref")?.as_str()?, item.get("locator")?.as_str()?))
    };
    match value {
        serde_json::Value::Null => "nothing".to_owned(),
        serde_json::Value::String(text) => short(text, 120),
        serde_json::Value::Array(items) if items.is_empty() => "nothing".to_owned(),
        serde_json::Value::Array(items) => {
            match items.iter().map(named).collect::<Option<Vec<String>>>() {
                Some(names) => short(&names.join(", "), 120),
                None => short(&value.to_string(), 80),
            }
        }
        other => short(&other.to_string(), 80),
    }
}

/// Why a scope was not read to its end, and what to do; `None` where nothing is missing.
#[must_use]
pub fn gap(coverage: &Coverage) -> Option<String> {
    match coverage {
        // A sweep goes on by itself; nobody has to do anything about it.
        Coverage::Complete | Coverage::Sweeping { .. } | Coverage::NotSupported { .. } => None,
        Coverage::Incomplete { error } => Some(remedy(error)),
        Coverage::Held { would_remove, of } => Some(format!(
            "{would_remove} of {of} records seemed gone, but not on a second look; all are kept"
        )),
    }
}

/// What went wrong, and what to grant where that helps.
#[must_use]
pub fn remedy(error: &ScanError) -> String {
    match error {
        ScanError::Denied { operation, permission } => {
            format!("{operation} was denied; grant {permission}")
        }
        other => other.to_string(),
    }
}
