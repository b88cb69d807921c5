//! What can be relied on right now: per scope, whether it is read to its end.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use headcount_core::inventory::{Coverage, ScopeState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Face;
use crate::api::problem::Problem;
use crate::api::reply::{self, Asked};
use crate::snapshot::coverage::why_short;

/// Of which source.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only of this configured source.
    pub source: Option<String>,
}

/// How every scope stands.
#[derive(Serialize, ToSchema)]
pub struct CoverageNow {
    scopes: Vec<ScopeShape>,
}

/// How one scope stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Scope)]
struct ScopeShape {
    source: String,
    place: String,
    /// The kind of scope.
    scope: String,
    /// `complete`, `sweeping`, `incomplete`, `held` or `not_supported`.
    coverage: &'static str,
    complete: bool,
    /// Why it is not complete.
    reason: Option<String>,
    missing_permission: Option<String>,
    /// Fields that could not be read.
    unread_fields: Vec<String>,
    last_read_at: Timestamp,
    /// `null` = it was never read to its end.
    last_complete_at: Option<Timestamp>,
    failures_in_a_row: u32,
    records: u64,
}

impl From<&ScopeState> for ScopeShape {
    fn from(state: &ScopeState) -> Self {
        let (reason, missing_permission) = why_short(state);
        Self {
            source: state.source.clone(),
            place: state.scope.place.clone(),
            scope: state.scope.kind.clone(),
            coverage: state.coverage.as_str(),
            complete: state.coverage == Coverage::Complete,
            reason,
            missing_permission,
            unread_fields: state.degradations.iter().map(|d| d.field.clone()).collect(),
            last_read_at: state.last_read_at,
            last_complete_at: state.last_complete_at,
            failures_in_a_row: state.failures_in_a_row,
            records: state.records,
        }
    }
}

/// Which scopes are read to their end, and which permission is missing where they are not.
#[utoipa::path(get, path = "/v1/coverage", tag = "coverage", params(Wanted),
    responses((status = 200, body = CoverageNow), super::Refusals))]
pub async fn now(
    State(face): State<Face>,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let states = face.store.scope_states(wanted.source.as_deref()).await?;
    reply::json(&headers, &CoverageNow { scopes: states.iter().map(ScopeShape::from).collect() })
}
