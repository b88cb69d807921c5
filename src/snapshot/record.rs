//! The shape of a record outside: in the API, in NDJSON, and flat for CSV and Parquet.
//!
//! Field names are a promise; the model can change below them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use headcount_core::inventory::{Origin, Record};
use headcount_sdk::{Expiry, NatureKind};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// One record of the inventory. Metadata only: nothing in it is a secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Record)]
pub struct RecordShape {
    /// Built from keys that the vendor never uses twice; never changes.
    pub id: String,
    /// `identity`, `ai_agent`, `credential`, `grant`, `principal` (a person) or `workload`.
    pub class: &'static str,
    /// The vendor's kind in kebab case, e.g. `iam-role`.
    pub kind: String,
    pub name: String,
    /// The vendor's own handle, e.g. an ARN; empty where there is none.
    pub native: String,
    /// The configured source.
    pub source: String,
    /// E.g. `aws:123456789012`.
    pub place: String,
    /// The kind of scope that it was read in.
    pub scope: String,
    /// The record that it belongs to.
    pub parent: Option<String>,
    /// `active`, `disabled` or `unknown`.
    pub status: &'static str,
    /// `null` = the source does not tell.
    pub created_at: Option<Timestamp>,
    pub first_seen_at: Timestamp,
    /// When its present version began.
    pub changed_at: Timestamp,
    /// `baseline` = it was there when its scope was first read to the end; `appeared` = it came later.
    pub origin: &'static str,
    /// The vanished record whose name it took over.
    pub replaces: Option<String>,
    pub usage: UsageShape,
    pub expiry: ExpiryShape,
    /// `null` = it has no such thing, or it could not be read.
    pub privilege: Option<PrivilegeShape>,
    /// Person or machine, and why; `null` = nothing tells.
    pub nature: Option<NatureShape>,
    /// `null` = no evidence names anyone.
    pub owner: Option<OwnerShape>,
    /// What it is for, in its maintainers' words.
    pub purpose: Option<String>,
    /// Tags and labels as people wrote them.
    pub labels: BTreeMap<String, String>,
    /// Vendor facts by stable names.
    pub attributes: BTreeMap<String, String>,
    /// Fields that the last reading could not read, with the permission that is missing.
    pub unread: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub struct UsageShape {
    /// `last_used`, `never_since` (not since the source began to record use) or `not_observable`.
    pub state: &'static str,
    /// Last use, or the beginning of recording; `null` when use is not observable.
    pub at: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Expiry)]
pub struct ExpiryShape {
    /// `at`, `never`, `not_applicable` or `unknown`.
    pub state: &'static str,
    pub at: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Privilege)]
pub struct PrivilegeShape {
    /// `none`, `read`, `unknown`, `write`, `escalating` or `admin`.
    pub level: &'static str,
    /// The one fact that decided.
    pub reason: String,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Nature)]
pub struct NatureShape {
    /// `person` or `machine`.
    pub kind: &'static str,
    pub basis: String,
    /// From 0 to 1.
    pub confidence: f64,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Owner)]
pub struct OwnerShape {
    #[serde(rename = "ref")]
    pub reference: String,
    /// What the claim rests on: `label`, `catalog`, `stack`, `description`, `path`, `creator` or
    /// `container`.
    pub basis: &'static str,
    /// Where it was read, e.g. `tag:Owner`.
    pub locator: String,
    /// From 0 to 1.
    pub confidence: f64,
    /// The record whose owner it is, when it is inherited.
    pub inherited_from: Option<String>,
}

impl From<&Record> for RecordShape {
    fn from(record: &Record) -> Self {
        let seen = &record.observation;
        let (expiry, expires_at) = match &seen.expiry {
            Expiry::At { at } => ("at", Some(*at)),
            Expiry::Never => ("never", None),
            Expiry::NotApplicable => ("not_applicable", None),
            Expiry::Unknown => ("unknown", None),
        };
        Self {
            id: seen.id.to_string(),
            class: seen.class.as_str(),
            kind: seen.kind.clone(),
            name: seen.name.clone(),
            native: seen.native.clone(),
            source: record.source.clone(),
            place: record.scope.place.clone(),
            scope: record.scope.kind.clone(),
            parent: seen.parent.as_ref().map(ToString::to_string),
            status: seen.status.as_str(),
            created_at: seen.created_at,
            first_seen_at: record.first_seen_at,
            changed_at: record.changed_at,
            origin: match record.origin {
                Origin::Baseline => "baseline",
                Origin::Appeared => "appeared",
            },
            replaces: record.replaces.as_ref().map(ToString::to_string),
            usage: UsageShape { state: seen.usage.state(), at: seen.usage.at() },
            expiry: ExpiryShape { state: expiry, at: expires_at },
            privilege: seen.privilege.as_ref().map(|privilege| PrivilegeShape {
                level: privilege.level.as_str(),
                reason: privilege.reason.clone(),
            }),
            nature: seen.nature.as_ref().map(|nature| NatureShape {
                kind: match nature.kind {
                    NatureKind::Person => "person",
                    NatureKind::Machine => "machine",
                },
                basis: nature.basis.clone(),
                confidence: nature.confidence.as_fraction(),
            }),
            owner: record.owner.as_ref().map(|owner| OwnerShape {
                reference: owner.reference.clone(),
                basis: owner.basis.as_str(),
                locator: owner.locator.clone(),
                confidence: owner.confidence.as_fraction(),
                inherited_from: owner.inherited_from.as_ref().map(ToString::to_string),
            }),
            purpose: seen.purpose.as_ref().map(|purpose| purpose.text.clone()),
            labels: seen.labels.clone(),
            attributes: seen.attributes.clone(),
            unread: seen.unread.clone(),
        }
    }
}

/// What a flat column holds. Every column may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    Text,
    /// An instant, to the microsecond.
    Time,
    Number,
}

/// One value of a flat row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    Text(Option<Cow<'a, str>>),
    Time(Option<Timestamp>),
    Number(Option<f64>),
}

impl Cell<'_> {
    #[must_use]
    pub const fn column_type(&self) -> ColumnType {
        match self {
            Self::Text(_) => ColumnType::Text,
            Self::Time(_) => ColumnType::Time,
            Self::Number(_) => ColumnType::Number,
        }
    }
}

/// The flat columns of a record, in their order. Maps are JSON objects as text.
pub const COLUMNS: [(&str, ColumnType); 31] = [
    ("id", ColumnType::Text),
    ("class", ColumnType::Text),
    ("kind", ColumnType::Text),
    ("name", ColumnType::Text),
    ("native", ColumnType::Text),
    ("source", ColumnType::Text),
    ("place", ColumnType::Text),
    ("scope", ColumnType::Text),
    ("parent", ColumnType::Text),
    ("status", ColumnType::Text),
    ("created_at", ColumnType::Time),
    ("first_seen_at", ColumnType::Time),
    ("changed_at", ColumnType::Time),
    ("origin", ColumnType::Text),
    ("replaces", ColumnType::Text),
    ("usage_state", ColumnType::Text),
    ("usage_at", ColumnType::Time),
    ("expiry_state", ColumnType::Text),
    ("expires_at", ColumnType::Time),
    ("privilege", ColumnType::Text),
    ("privilege_reason", ColumnType::Text),
    ("nature", ColumnType::Text),
    ("owner", ColumnType::Text),
    ("owner_basis", ColumnType::Text),
    ("owner_locator", ColumnType::Text),
    ("owner_confidence", ColumnType::Number),
    ("owner_inherited_from", ColumnType::Text),
    ("purpose", ColumnType::Text),
    ("labels", ColumnType::Text),
    ("attributes", ColumnType::Text),
    ("unread", ColumnType::Text),
];

impl RecordShape {
    /// The record as one flat row, in the order of [`COLUMNS`].
    #[must_use]
    pub fn cells(&self) -> [Cell<'_>; COLUMNS.len()] {
        let (privilege, owner) = (self.privilege.as_ref(), self.owner.as_ref());
        [
            text(&self.id),
            text(self.class),
            text(&self.kind),
            text(&self.name),
            text(&self.native),
            text(&self.source),
            text(&self.place),
            text(&self.scope),
            maybe(self.parent.as_deref()),
            text(self.status),
            Cell::Time(self.created_at),
            Cell::Time(Some(self.first_seen_at)),
            Cell::Time(Some(self.changed_at)),
            text(self.origin),
            maybe(self.replaces.as_deref()),
            text(self.usage.state),
            Cell::Time(self.usage.at),
            text(self.expiry.state),
            Cell::Time(self.expiry.at),
            maybe(privilege.map(|p| p.level)),
            maybe(privilege.map(|p| p.reason.as_str())),
            maybe(self.nature.as_ref().map(|n| n.kind)),
            maybe(owner.map(|o| o.reference.as_str())),
            maybe(owner.map(|o| o.basis)),
            maybe(owner.map(|o| o.locator.as_str())),
            Cell::Number(owner.map(|o| o.confidence)),
            maybe(owner.and_then(|o| o.inherited_from.as_deref())),
            maybe(self.purpose.as_deref()),
            map(&self.labels),
            map(&self.attributes),
            map(&self.unread),
        ]
    }
}

const fn text(text: &str) -> Cell<'_> {
    Cell::Text(Some(Cow::Borrowed(text)))
}

fn maybe(text: Option<&str>) -> Cell<'_> {
    Cell::Text(text.map(Cow::Borrowed))
}

fn map(map: &BTreeMap<String, String>) -> Cell<'static> {
    // A map of texts is always JSON.
    Cell::Text(serde_json::to_string(map).ok().map(Cow::Owned))
}
