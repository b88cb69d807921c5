//! What is kept so that people can look back: the population day by day, and how readings ended.

use std::collections::BTreeMap;

use headcount_core::inventory::ScopeState;
use headcount_sdk::{Class, Scope};
use jiff::Timestamp;

/// The records of one class of one source at the end of a day's last scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    pub at: Timestamp,
    pub source: String,
    pub class: Class,
    pub records: u64,
    /// Of which no owner is known.
    pub ownerless: u64,
    /// On which a rule about disuse has an open finding.
    pub stale: u64,
}

/// The rules whose open findings a census counts as stale.
pub const STALE_RULES: [&str; 3] = ["stale-credential", "stale-identity", "unused-service-account"];

/// How a scope stood at a past moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastCoverage {
    /// As the last of the readings left it that are told of together.
    pub state: ScopeState,
    /// The first of them, which is not after the moment.
    pub first_at: Timestamp,
    /// The last of them, which may be after the moment. Never on a later day than the first.
    pub last_at: Timestamp,
}

/// Records by source and scope at a past moment.
pub type CountsAt = BTreeMap<(String, Scope), u64>;

/// Days since 1970 in UTC.
#[must_use]
pub fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(86_400)
}
