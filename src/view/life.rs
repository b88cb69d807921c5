//! A record through time: which version held, and every step of its life.

use headcount_core::inventory::Record;
use headcount_core::reconcile::{FieldChange, changes};
use headcount_sdk::Observation;
use jiff::Timestamp;
use serde::Serialize;

use crate::store::Version;

/// A record with its past.
#[derive(Debug)]
pub struct Found {
    pub record: Record,
    /// Oldest first.
    pub versions: Vec<Version>,
    /// Set when the record is not there at the moment that was asked for.
    pub gone_since: Option<Timestamp>,
}

impl Found {
    /// The version that held at the moment (`None`: now), or the last one when it is gone. Without
    /// any by then: `None`.
    #[must_use]
    pub fn among(versions: Vec<Version>, at: Option<Timestamp>) -> Option<Self> {
        let held = |v: &&Version| match at {
            Some(at) => v.valid_from <= at && v.valid_to.is_none_or(|to| at < to),
            None => v.valid_to.is_none(),
        };
        if let Some(version) = versions.iter().find(held) {
            return Some(Self { record: version.record.clone(), gone_since: None, versions });
        }
        let last = versions.iter().rfind(|v| at.is_none_or(|at| v.valid_from <= at))?;
        Some(Self { record: last.record.clone(), gone_since: last.valid_to, versions })
    }
}

/// One step in the life of a record.
#[derive(Debug, Serialize)]
pub struct Step {
    pub at: Timestamp,
    /// `first_seen`, `changed`, `gone` or `back`.
    pub what: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// Every step of a life that these versions show, oldest first.
#[must_use]
pub fn steps(versions: &[Version]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut before: Option<(&Observation, Option<Timestamp>)> = None;
    for version in versions {
        let after = &version.record.observation;
        let (what, fields) = match before {
            None => ("first_seen", Vec::new()),
            Some((old, Some(to))) if to < version.valid_from => ("back", changes(old, after)),
            Some((old, _)) => ("changed", changes(old, after)),
        };
        if let Some((_, Some(to))) = before
            && to < version.valid_from
        {
            steps.push(Step { at: to, what: "gone", fields: Vec::new() });
        }
        steps.push(Step { at: version.valid_from, what, fields });
        before = Some((after, version.valid_to));
    }
    if let Some((_, Some(to))) = before {
        steps.push(Step { at: to, what: "gone", fields: Vec::new() });
    }
    steps
}
