//! OCSF 1.6.0 Detection Finding (class 2004) with the profiles `cloud` and `datetime`, as far as
//! Headcount fills it. Types only; [`super::finding`] decides what goes in.
//!
//! Field names and enumerations follow <https://schema.ocsf.io/1.6.0/classes/detection_finding>.
//! Every `*_time` is in milliseconds since the epoch; `*_dt` is the same instant in RFC 3339.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

pub const VERSION: &str = "1.6.0";
pub const SCHEMA: &str = "https://schema.ocsf.io/1.6.0/classes/detection_finding";

/// One of OCSF's enumerations: the number and the caption that must stand beside it.
pub type Coded = (u8, &'static str);

#[derive(Debug, Serialize)]
pub struct DetectionFinding {
    pub class_uid: u32,
    pub class_name: &'static str,
    pub category_uid: u32,
    pub category_name: &'static str,
    pub activity_id: u8,
    pub activity_name: &'static str,
    /// `class_uid * 100 + activity_id`.
    pub type_uid: u32,
    pub type_name: String,
    pub severity_id: u8,
    pub severity: &'static str,
    pub confidence_id: u8,
    pub confidence: &'static str,
    pub status_id: u8,
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_detail: Option<String>,
    pub is_alert: bool,
    pub time: i64,
    pub time_dt: Timestamp,
    pub message: String,
    pub metadata: Metadata,
    pub finding_info: FindingInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud: Option<Cloud>,
    pub resources: Vec<Resource>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidences: Vec<EvidenceArtifact>,
    pub remediation: Remediation,
    pub unmapped: Unmapped,
}

#[derive(Debug, Serialize)]
pub struct Metadata {
    pub version: &'static str,
    pub uid: String,
    pub correlation_uid: String,
    /// The rule.
    pub event_code: String,
    pub log_name: &'static str,
    /// The configured source.
    pub log_provider: String,
    pub sequence: u64,
    pub profiles: Vec<&'static str>,
    pub product: Product,
    /// Set when a text or a list was cut to keep the message small.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_truncated: Option<bool>,
}

#[derive(Debug, Serialize)]
pub struct Product {
    pub uid: &'static str,
    pub name: &'static str,
    pub vendor_name: &'static str,
    pub version: String,
}

#[derive(Debug, Serialize)]
pub struct FindingInfo {
    pub uid: String,
    pub title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desc: Option<String>,
    pub types: Vec<String>,
    pub created_time: i64,
    pub created_time_dt: Timestamp,
    pub modified_time: i64,
    pub modified_time_dt: Timestamp,
    pub analytic: Analytic,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<KeyValues>,
}

#[derive(Debug, Serialize)]
pub struct Analytic {
    pub uid: String,
    pub name: String,
    pub type_id: u8,
    #[serde(rename = "type")]
    pub type_name: &'static str,
}

#[derive(Debug, Serialize)]
pub struct KeyValues {
    pub name: &'static str,
    pub values: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct KeyValue {
    pub name: String,
    pub value: String,
}

#[derive(Debug, Serialize)]
pub struct Cloud {
    pub provider: &'static str,
    pub cloud_partition: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
}

#[derive(Debug, Serialize)]
pub struct Account {
    pub uid: String,
    pub type_id: u8,
    #[serde(rename = "type")]
    pub type_name: &'static str,
}

#[derive(Debug, Serialize)]
pub struct Resource {
    pub uid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid_alt: Option<String>,
    pub name: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    pub role_id: u8,
    pub role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_time_dt: Option<Timestamp>,
    pub labels: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<KeyValue>,
    /// Left out when nobody is known: OCSF refuses a user without a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<User>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<ResourceData>,
}

#[derive(Debug, Serialize)]
pub struct User {
    pub name: String,
}

/// What OCSF has no field for: Headcount's own view of the resource.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ResourceData {
    Record(Box<RecordData>),
    Scope(Box<ScopeData>),
}

/// `headcount.record.v1`.
#[derive(Debug, Serialize)]
pub struct RecordData {
    pub schema: &'static str,
    pub class: &'static str,
    pub kind: String,
    pub status: &'static str,
    pub usage: headcount_sdk::Usage,
    pub expiry: headcount_sdk::Expiry,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privilege: Option<Reasoned>,
    /// `null` = no evidence names anyone; left out when that could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Option<OwnerData>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<PurposeData>,
    pub diff: DiffData,
    /// Fields that the scan could not read, with the permission that is missing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unread: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
pub struct Reasoned {
    pub level: &'static str,
    pub reason: String,
}

#[derive(Debug, Serialize)]
pub struct OwnerData {
    #[serde(rename = "ref")]
    pub reference: String,
    pub kind: headcount_sdk::OwnerKind,
    pub basis: &'static str,
    pub locator: String,
    /// From 0 to 1.
    pub confidence: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inherited_from: Option<String>,
    /// The records over which it was inherited, nearest first; the last one carries the evidence.
    /// Left out where that is `inherited_from` alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inherited_via: Vec<String>,
    /// `left` = the one it names is no longer in the organisation; left out when nobody asked.
    #[serde(skip_serializing_if = "headcount_sdk::Standing::is_not_known")]
    pub standing: headcount_sdk::Standing,
}

#[derive(Debug, Serialize)]
pub struct PurposeData {
    pub text: String,
    pub locator: String,
}

/// How the record stands to the snapshots before.
#[derive(Debug, Serialize)]
pub struct DiffData {
    pub origin: headcount_core::inventory::Origin,
    pub first_seen_at: Timestamp,
    pub changed_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// `headcount.scope.v1`.
#[derive(Debug, Serialize)]
pub struct ScopeData {
    pub schema: &'static str,
    pub place: String,
    pub kind: String,
    pub coverage: &'static str,
    /// What the last reading did not see.
    pub gaps: Vec<Gap>,
    pub last_read_at: Timestamp,
    /// `null` = never read to its end.
    pub last_complete_at: Option<Timestamp>,
    pub records: u64,
}

/// Something that a reading did not see.
#[derive(Debug, Serialize)]
pub struct Gap {
    /// The field of the records; left out when it is the whole scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    pub operation: String,
    /// `denied`, `throttled`, `unavailable`, `malformed` or `not_supported`.
    pub cause: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_permission: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct EvidenceArtifact {
    pub name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<Api>,
    pub data: EvidenceData,
}

#[derive(Debug, Serialize)]
pub struct Api {
    pub operation: String,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum EvidenceData {
    /// The facts behind the verdict, by stable names.
    Facts(BTreeMap<String, String>),
    Observed {
        object: String,
        at: Timestamp,
    },
}

#[derive(Debug, Serialize)]
pub struct Remediation {
    pub desc: String,
}

#[derive(Debug, Serialize)]
pub struct Unmapped {
    /// Rule and subject: what a receiver groups by.
    pub dedup_key: String,
    /// Number of this transition within the finding.
    pub transition: u32,
    pub change: &'static str,
}
