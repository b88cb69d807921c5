//! What other programs read: the shapes of records, findings and changes. Field names are a
//! promise; the model can change below them. [`super::lines`] writes them.

use headcount_core::findings::Finding;
use headcount_core::inventory::Record;
use headcount_core::reconcile::{Change, FieldChange};
use headcount_sdk::Usage;
use jiff::Timestamp;
use serde::Serialize;

use super::lines::Line;
use crate::store::PastDrift;

/// One record of the inventory.
#[derive(Debug, Serialize)]
pub struct RecordLine<'a> {
    pub id: &'a str,
    /// `identity`, `credential`, `grant`; `principal` (a person) and `workload` only on request.
    pub class: &'static str,
    pub kind: &'a str,
    pub source: &'a str,
    /// `<place>/<scope kind>`
    pub scope: String,
    pub name: &'a str,
    pub status: &'static str,
    /// `null` = the source does not tell.
    pub created_at: Option<Timestamp>,
    pub usage: UsageLine,
    /// `null` = no evidence names anyone.
    pub owner: Option<OwnerLine<'a>>,
    /// `null` = the record has no such thing, or it could not be read yet.
    pub privilege: Option<&'static str>,
    pub first_seen_at: Timestamp,
}

#[derive(Debug, Serialize)]
pub struct UsageLine {
    /// `last_used`, `never_since` or `not_observable`.
    pub state: &'static str,
    /// Last use, or since when there was none; `null` when use is not observable.
    pub at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
pub struct OwnerLine<'a> {
    #[serde(rename = "ref")]
    pub reference: &'a str,
    pub basis: &'static str,
    /// From 0 to 1.
    pub confidence: f64,
}

impl<'a> From<&'a Record> for RecordLine<'a> {
    fn from(record: &'a Record) -> Self {
        let seen = &record.observation;
        Self {
            id: seen.id.as_str(),
            class: seen.class.as_str(),
            kind: &seen.kind,
            source: &record.source,
            scope: record.scope.to_string(),
            name: &seen.name,
            status: seen.status.as_str(),
            created_at: seen.created_at,
            usage: UsageLine::from(&seen.usage),
            owner: record.owner.as_ref().map(|owner| OwnerLine {
                reference: &owner.reference,
                basis: owner.basis.as_str(),
                confidence: owner.confidence.as_fraction(),
            }),
            privilege: seen.privilege.as_ref().map(|p| p.level.as_str()),
            first_seen_at: record.first_seen_at,
        }
    }
}

impl From<&Usage> for UsageLine {
    fn from(usage: &Usage) -> Self {
        Self { state: usage.state(), at: usage.at() }
    }
}

/// One finding.
#[derive(Debug, Serialize)]
pub struct FindingLine<'a> {
    pub id: &'a str,
    pub rule: &'a str,
    pub severity: &'static str,
    pub confidence: &'static str,
    pub status: &'static str,
    pub subject: &'a str,
    pub title: &'a str,
    pub opened_at: Timestamp,
}

impl<'a> From<&'a Finding> for FindingLine<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            id: &finding.id,
            rule: &finding.rule,
            severity: finding.severity.as_str(),
            confidence: finding.confidence.as_str(),
            status: finding.status.as_str(),
            subject: &finding.subject,
            title: &finding.title,
            opened_at: finding.opened_at,
        }
    }
}

/// One change between two snapshots.
#[derive(Debug, Serialize)]
pub struct DriftLine<'a> {
    pub at: Timestamp,
    /// `appeared`, `reappeared`, `changed` or `disappeared`.
    pub change: &'static str,
    pub id: &'a str,
    pub kind: &'a str,
    pub source: &'a str,
    pub scope: String,
    pub name: &'a str,
    /// What changed; empty unless `changed`.
    pub fields: &'a [FieldChange],
}

impl<'a> From<&'a PastDrift> for DriftLine<'a> {
    fn from(past: &'a PastDrift) -> Self {
        let drift = &past.drift;
        let (change, fields): (_, &[FieldChange]) = match &drift.change {
            Change::Appeared => ("appeared", &[]),
            Change::Reappeared => ("reappeared", &[]),
            Change::Changed { fields } => ("changed", fields),
            Change::Disappeared => ("disappeared", &[]),
        };
        Self {
            at: past.at,
            change,
            id: drift.record.as_str(),
            kind: &drift.kind,
            source: &past.source,
            scope: drift.scope.to_string(),
            name: &drift.name,
            fields,
        }
    }
}

impl Line for RecordLine<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "class",
        "kind",
        "source",
        "scope",
        "name",
        "status",
        "created_at",
        "usage_state",
        "usage_at",
        "owner_ref",
        "owner_basis",
        "owner_confidence",
        "privilege",
        "first_seen_at",
    ];

    fn cells(&self) -> Vec<String> {
        let owner = self.owner.as_ref();
        let owned = |part: fn(&OwnerLine<'_>) -> String| owner.map(part).unwrap_or_default();
        vec![
            self.id.to_owned(),
            self.class.to_owned(),
            self.kind.to_owned(),
            self.source.to_owned(),
            self.scope.clone(),
            self.name.to_owned(),
            self.status.to_owned(),
            moment(self.created_at),
            self.usage.state.to_owned(),
            moment(self.usage.at),
            owned(|o| o.reference.to_owned()),
            owned(|o| o.basis.to_owned()),
            owned(|o| o.confidence.to_string()),
            self.privilege.unwrap_or_default().to_owned(),
            self.first_seen_at.to_string(),
        ]
    }
}

impl Line for FindingLine<'_> {
    const COLUMNS: &'static [&'static str] =
        &["id", "rule", "severity", "confidence", "status", "subject", "title", "opened_at"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_owned(),
            self.rule.to_owned(),
            self.severity.to_owned(),
            self.confidence.to_owned(),
            self.status.to_owned(),
            self.subject.to_owned(),
            self.title.to_owned(),
            self.opened_at.to_string(),
        ]
    }
}

impl Line for DriftLine<'_> {
    const COLUMNS: &'static [&'static str] =
        &["at", "change", "id", "kind", "source", "scope", "name", "fields"];

    fn cells(&self) -> Vec<String> {
        let fields: Vec<String> =
            self.fields.iter().map(|f| format!("{}: {} -> {}", f.field, f.from, f.to)).collect();
        vec![
            self.at.to_string(),
            self.change.to_owned(),
            self.id.to_owned(),
            self.kind.to_owned(),
            self.source.to_owned(),
            self.scope.clone(),
            self.name.to_owned(),
            fields.join("; "),
        ]
    }
}

fn moment(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}
