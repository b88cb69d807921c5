//! What people who work through the inventory and its findings ask, a page at a time: which
//! findings wait for whom, and the records behind one of the counts.

use headcount_core::findings::{Finding, FindingStatus, Severity};
use headcount_core::inventory::{Owner, Record};
use jiff::Timestamp;

/// Whose findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Whose {
    #[default]
    Anyones,
    /// Of subjects for which nobody is named, and of scopes, which nobody owns.
    Nobodys,
    /// Of subjects with this owner, letter by letter.
    Of(String),
}

/// Which findings; every field that is given must match.
#[derive(Clone, Debug, Default)]
pub struct WorkFilter {
    pub status: Option<FindingStatus>,
    pub rule: Option<String>,
    pub source: Option<String>,
    pub at_least: Option<Severity>,
    pub whose: Whose,
}

/// A finding and who answers for its subject now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    pub finding: Finding,
    /// `None` = nobody is named, the subject is gone, or it is a scope.
    pub owner: Option<Owner>,
    /// Whether the evidence of an owner could not be read, so that `None` says nothing.
    pub is_owner_unread: bool,
}

/// How much waits for one owner at one severity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkCount {
    /// `None` as in [`Work::owner`].
    pub owner: Option<String>,
    pub severity: Severity,
    pub count: u64,
    pub oldest: Timestamp,
}

/// A record with its place in the list of those that are counted together.
#[derive(Clone, Debug)]
pub struct Listed {
    pub row: i64,
    pub record: Record,
}
