//! What changed between two moments.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use headcount_core::reconcile::Change;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Face;
use crate::api::problem::Problem;
use crate::api::reply::{self, Asked, List};
use crate::store::PastDrift;

/// Between which moments.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Changes after this moment.
    pub from: Timestamp,
    /// Changes up to this moment; without it, up to now.
    pub to: Option<Timestamp>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// Entries of a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    pub limit: Option<u32>,
}

/// One change between two snapshots.
#[derive(Serialize, ToSchema)]
#[schema(as = Drift)]
pub struct DriftShape {
    at: Timestamp,
    /// `appeared`, `reappeared`, `changed` or `disappeared`.
    change: &'static str,
    record: String,
    kind: String,
    name: String,
    source: String,
    place: String,
    /// The kind of scope.
    scope: String,
    /// What changed; empty unless `changed`.
    fields: Vec<FieldShape>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = FieldChange)]
struct FieldShape {
    field: String,
    /// As JSON; `null` where there was nothing.
    from: serde_json::Value,
    to: serde_json::Value,
}

impl From<&PastDrift> for DriftShape {
    fn from(past: &PastDrift) -> Self {
        let drift = &past.drift;
        let (change, fields) = match &drift.change {
            Change::Appeared => ("appeared", Vec::new()),
            Change::Reappeared => ("reappeared", Vec::new()),
            Change::Disappeared => ("disappeared", Vec::new()),
            Change::Changed { fields } => {
                let fields = fields.iter().map(|field| FieldShape {
                    field: field.field.clone(),
                    from: field.from.clone(),
                    to: field.to.clone(),
                });
                ("changed", fields.collect())
            }
        };
        Self {
            at: past.at,
            change,
            record: drift.record.to_string(),
            kind: drift.kind.clone(),
            name: drift.name.clone(),
            source: past.source.clone(),
            place: drift.scope.place.clone(),
            scope: drift.scope.kind.clone(),
            fields,
        }
    }
}

/// What appeared, changed and disappeared, oldest first.
#[utoipa::path(get, path = "/v1/drift", tag = "inventory", params(Wanted),
    responses((status = 200, body = List<DriftShape>), super::Refusals))]
pub async fn between(
    State(face): State<Face>,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let limit = reply::limit(wanted.limit)?;
    let after: Option<(Timestamp, u64)> = reply::place(wanted.cursor.as_deref())?;
    let to = wanted.to.unwrap_or_else(|| face.clock.now());
    let mut lines = face.store.page_drift((wanted.from, to), after, limit + 1).await?;
    let is_last = lines.len() <= limit as usize;
    lines.truncate(limit as usize);
    let next = lines
        .last()
        .filter(|_| !is_last)
        .and_then(|(number, line)| reply::cursor(&(line.at, number)));
    let items = lines.iter().map(|(_, line)| DriftShape::from(line)).collect();
    reply::json(&headers, &List { items, next })
}
