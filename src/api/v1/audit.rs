//! What was denied, and who changed what.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Face;
use crate::api::problem::Problem;
use crate::api::reply::{self, Asked, List};
use crate::store::AuditFilter;
use crate::store::access::{AuditEntry, AuditOutcome, Role};

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only of this actor, e.g. `token:ci-bot`.
    pub actor: Option<String>,
    #[param(inline)]
    pub outcome: Option<OutcomeParam>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// Entries of a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    pub limit: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeParam {
    Done,
    Denied,
    Failed,
}

/// One line of the audit.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct EntryShape {
    number: u64,
    at: Timestamp,
    /// `token:<name>`, `cli:<user>` or `anonymous@<address>`.
    actor: String,
    /// `viewer`, `auditor` or `operator`; `null` = nobody known, or the command line.
    role: Option<&'static str>,
    /// What was done, or the method and path that was denied.
    action: String,
    /// An id or a name.
    object: String,
    /// `done`, `denied` or `failed`.
    outcome: &'static str,
    detail: Option<String>,
}

impl EntryShape {
    fn new((number, entry): (u64, AuditEntry)) -> Self {
        Self {
            number,
            at: entry.at,
            actor: entry.actor,
            role: entry.role.map(Role::as_str),
            action: entry.action,
            object: entry.object,
            outcome: entry.outcome.as_str(),
            detail: entry.detail,
        }
    }
}

/// What was denied and what was changed, by whom; newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(Wanted),
    responses((status = 200, body = List<EntryShape>), super::Refusals))]
pub async fn list(
    State(face): State<Face>,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let limit = reply::limit(wanted.limit)?;
    let before: Option<u64> = reply::place(wanted.cursor.as_deref())?;
    let filter = AuditFilter {
        actor: wanted.actor,
        outcome: wanted.outcome.map(|outcome| match outcome {
            OutcomeParam::Done => AuditOutcome::Done,
            OutcomeParam::Denied => AuditOutcome::Denied,
            OutcomeParam::Failed => AuditOutcome::Failed,
        }),
    };
    let mut lines = face.store.audit(&filter, before, limit + 1).await?;
    let is_last = lines.len() <= limit as usize;
    lines.truncate(limit as usize);
    let next = lines.last().filter(|_| !is_last).and_then(|(number, _)| reply::cursor(number));
    let items = lines.into_iter().map(EntryShape::new).collect();
    reply::json(&headers, &List { items, next })
}
