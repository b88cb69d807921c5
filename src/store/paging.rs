//! Lists page by page, so that no request costs more than a page does.
//!
//! A page is read along an index and looks at no more than [`WALK`] rows: where a filter lets few of
//! them through it comes back short, even empty, and says where to go on. A place in a list is a
//! sort key with the row's own number or id, so that rows that come or go meanwhile make nothing
//! appear twice or be left out.

use headcount_core::findings::Severity;
use headcount_sdk::Status;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FindingFilter, RecordFilter};

/// Rows that one page looks at, at most.
pub const WALK: u32 = 20_000;

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, P> {
    pub items: Vec<T>,
    /// Where the next part begins; `None` = this was the last.
    pub next: Option<P>,
}

/// Present records in an order. `filter.at` is not heeded.
#[derive(Clone, Debug)]
pub struct RecordQuery {
    pub filter: RecordFilter,
    pub status: Option<Status>,
    pub ownership: Option<Ownership>,
    pub sort: RecordSort,
    pub direction: Direction,
    pub after: Option<RecordPlace>,
    pub limit: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    Owned,
    Ownerless,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordSort {
    #[default]
    Name,
    FirstSeen,
    /// To the second; records of which no use is known stand before all others.
    LastUse,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    #[default]
    Ascending,
    Descending,
}

/// A place in a list of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordPlace {
    pub key: SortKey,
    /// Set by the store; means nothing elsewhere.
    pub number: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SortKey {
    Number(i64),
    Text(String),
}

/// Findings in an order.
#[derive(Clone, Debug, Default)]
pub struct FindingQuery {
    pub filter: FindingFilter,
    pub sort: FindingSort,
    pub after: Option<FindingPlace>,
    pub limit: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingSort {
    /// Most severe first, then oldest.
    #[default]
    Severity,
    /// Opened last first.
    Newest,
}

/// A place in a list of findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingPlace {
    pub severity: Severity,
    pub opened_at: Timestamp,
    pub id: String,
}
