//! What an inventory of a moment can be relied on for: per scope, whether it was read to its end,
//! when, and if not, why not.
//!
//! Absence needs proof: a record that is not in the inventory of that moment did not exist only
//! where this says `complete`.

use std::collections::BTreeSet;

use headcount_core::inventory::{Coverage, ScopeState};
use headcount_sdk::{ScanError, Scope};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::over_time::{CountsAt, PastCoverage};
use crate::store::{Result, SourceState, Store};

/// A reading proves nothing of a moment that lies further behind it.
pub const PROVES: SignedDuration = SignedDuration::from_hours(24);

/// The coverage of an inventory as of a moment.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = CoverageManifest)]
pub struct Manifest {
    pub at: Timestamp,
    /// Whether every scope that was known then had been read to its end within the day before.
    pub complete: bool,
    /// Records of the inventory, of all classes.
    pub records: u64,
    pub scopes: Vec<ScopeCoverage>,
    /// Sources of whose readings nothing was recorded by then.
    pub not_recorded: Vec<String>,
}

/// How one scope stood.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ScopeCoverage {
    pub source: String,
    pub place: String,
    /// The kind of scope.
    pub scope: String,
    /// `complete`, `sweeping`, `incomplete`, `held`, `not_supported` or `not_recorded`.
    pub coverage: &'static str,
    /// Whether what is not listed of this scope did not exist.
    pub complete: bool,
    /// Why it is not complete.
    pub reason: Option<String>,
    pub missing_permission: Option<String>,
    /// Fields that no record of the scope could be asked for, and why.
    pub unread_fields: Vec<UnreadField>,
    /// The first of the readings that ended like this.
    pub read_from: Option<Timestamp>,
    /// The last of them, or the moment if there was one as late as that.
    pub read_until: Option<Timestamp>,
    /// Records that the inventory has of it.
    pub records: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct UnreadField {
    pub field: String,
    pub reason: String,
    pub missing_permission: Option<String>,
}

/// Puts together how everything stood at a moment.
pub async fn manifest(store: &dyn Store, at: Timestamp) -> Result<Manifest> {
    let past = store.coverage_at(at).await?;
    let counts = store.counts_at(at).await?;
    let sources = store.source_states().await?;
    Ok(assemble(at, &past, &counts, &sources))
}

fn assemble(
    at: Timestamp,
    past: &[PastCoverage],
    counts: &CountsAt,
    sources: &[SourceState],
) -> Manifest {
    let mut scopes: Vec<ScopeCoverage> =
        past.iter().map(|past| scope_at(past, counts, at)).collect();
    let recorded: BTreeSet<(&str, &Scope)> =
        past.iter().map(|past| (past.state.source.as_str(), &past.state.scope)).collect();
    for ((source, scope), records) in counts {
        if !recorded.contains(&(source.as_str(), scope)) {
            scopes.push(unrecorded(source, scope, *records));
        }
    }
    let heard: BTreeSet<&str> = past.iter().map(|past| past.state.source.as_str()).collect();
    let not_recorded: Vec<String> = sources
        .iter()
        .filter(|source| !heard.contains(source.name.as_str()))
        .map(|source| source.name.clone())
        .collect();
    let complete = !scopes.is_empty()
        && not_recorded.is_empty()
        && scopes.iter().all(|scope| scope.complete || scope.coverage == "not_supported");
    Manifest { at, complete, records: counts.values().sum(), scopes, not_recorded }
}

fn scope_at(past: &PastCoverage, counts: &CountsAt, at: Timestamp) -> ScopeCoverage {
    let state = &past.state;
    let read_until = past.last_at.min(at);
    let is_fresh = at.duration_since(read_until) <= PROVES;
    let (reason, missing_permission) = why_short(state);
    let is_complete = state.coverage == Coverage::Complete;
    let records = counts.get(&(state.source.clone(), state.scope.clone())).copied();
    ScopeCoverage {
        source: state.source.clone(),
        place: state.scope.place.clone(),
        scope: state.scope.kind.clone(),
        coverage: state.coverage.as_str(),
        complete: is_complete && is_fresh,
        reason: reason.or_else(|| {
            (!is_fresh).then(|| "it was not read in the day before the moment".to_owned())
        }),
        missing_permission,
        unread_fields: state
            .degradations
            .iter()
            .map(|degradation| UnreadField {
                field: degradation.field.clone(),
                reason: degradation.error.to_string(),
                missing_permission: permission(&degradation.error),
            })
            .collect(),
        read_from: Some(past.first_at),
        read_until: Some(read_until),
        records: records.unwrap_or_default(),
    }
}

/// Why a scope was not complete, and the permission that would mend it.
pub fn why_short(state: &ScopeState) -> (Option<String>, Option<String>) {
    match &state.coverage {
        Coverage::Complete => (None, None),
        Coverage::Sweeping { outstanding } => {
            (Some(format!("{outstanding} of its parents are still to be read")), None)
        }
        Coverage::Incomplete { error } => (Some(error.to_string()), permission(error)),
        Coverage::Held { would_remove, of } => {
            (Some(format!("a removal of {would_remove} of {of} records is held")), None)
        }
        Coverage::NotSupported { reason } => (Some(reason.clone()), None),
    }
}

fn permission(error: &ScanError) -> Option<String> {
    match error {
        ScanError::Denied { permission, .. } => Some(permission.clone()),
        _ => None,
    }
}

fn unrecorded(source: &str, scope: &Scope, records: u64) -> ScopeCoverage {
    ScopeCoverage {
        source: source.to_owned(),
        place: scope.place.clone(),
        scope: scope.kind.clone(),
        coverage: "not_recorded",
        complete: false,
        reason: Some("how its readings ended was not recorded by then".to_owned()),
        missing_permission: None,
        unread_fields: Vec::new(),
        read_from: None,
        read_until: None,
        records,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn hour(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_hours(hour)).unwrap()
    }

    fn past(kind: &str, coverage: Coverage, first: i64, last: i64) -> PastCoverage {
        let scope = Scope::new("aws:1", kind);
        let state = ScopeState { coverage, ..ScopeState::unread("prod", &scope, hour(first)) };
        PastCoverage { state, first_at: hour(first), last_at: hour(last) }
    }

    fn denied() -> Coverage {
        let (operation, permission) = ("iam:ListRoles".to_owned(), "iam:ListRoles".to_owned());
        Coverage::Incomplete { error: ScanError::Denied { operation, permission } }
    }

    #[test]
    fn moment_is_covered_where_every_scope_was_read_to_its_end_in_the_day_before() {
        let counts = |kinds: &[&str]| -> CountsAt {
            kinds.iter().map(|k| (("prod".to_owned(), Scope::new("aws:1", k)), 2)).collect()
        };
        let none = Coverage::NotSupported { reason: "no such thing".to_owned() };
        let rows: [(&str, Vec<PastCoverage>, CountsAt, i64, bool); 7] = [
            ("read before", vec![past("roles", Coverage::Complete, 1, 2)], counts(&[]), 5, true),
            ("between two", vec![past("roles", Coverage::Complete, 1, 9)], counts(&[]), 5, true),
            ("a day ago", vec![past("roles", Coverage::Complete, 1, 2)], counts(&[]), 26, true),
            ("longer ago", vec![past("roles", Coverage::Complete, 1, 2)], counts(&[]), 27, false),
            ("denied", vec![past("roles", denied(), 1, 2)], counts(&["roles"]), 5, false),
            (
                "never there",
                vec![past("roles", Coverage::Complete, 1, 2), past("x", none, 1, 2)],
                counts(&["roles"]),
                5,
                true,
            ),
            (
                "unrecorded",
                vec![past("roles", Coverage::Complete, 1, 2)],
                counts(&["roles", "users"]),
                5,
                false,
            ),
        ];
        for (name, past, counts, at, complete) in rows {
            let manifest = assemble(hour(at), &past, &counts, &[]);
            assert_eq!(manifest.complete, complete, "{name}: {manifest:#?}");
            assert!(manifest.scopes.iter().all(|s| s.complete || s.reason.is_some()), "{name}");
        }
    }

    #[test]
    fn nothing_recorded_is_nothing_proven() {
        assert!(!assemble(hour(1), &[], &CountsAt::new(), &[]).complete);
    }

    #[test]
    fn missing_permission_has_its_name() {
        let manifest = assemble(hour(5), &[past("roles", denied(), 1, 2)], &CountsAt::new(), &[]);
        assert_eq!(manifest.scopes[0].missing_permission.as_deref(), Some("iam:ListRoles"));
    }
}
