//! Configured sources and their scans.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::auth::Actor;
use crate::api::problem::Problem;
use crate::api::{Control, Face, reply};
use crate::store::SourceState;

/// The configured sources.
#[derive(Serialize, ToSchema)]
pub struct Sources {
    sources: Vec<SourceShape>,
}

/// One configured source and its last scan.
#[derive(Serialize, ToSchema)]
#[schema(as = Source)]
struct SourceShape {
    name: String,
    connector: &'static str,
    /// When it is scanned: cron with seconds, in UTC.
    schedule: String,
    is_scanning: bool,
    last_scan_started_at: Option<Timestamp>,
    last_scan_finished_at: Option<Timestamp>,
    /// Whether the last finished scan read every scope to its end; `null` = none has finished.
    last_scan_complete: Option<bool>,
    /// The last finished scan that did.
    last_complete_at: Option<Timestamp>,
    /// End of the first scan; what comes later is new.
    baselined_at: Option<Timestamp>,
}

impl SourceShape {
    fn new(control: &Control, state: Option<&SourceState>) -> Self {
        let started = state.and_then(|state| state.last_scan_started_at);
        let finished = state.and_then(|state| state.last_scan_finished_at);
        Self {
            name: control.source.name.clone(),
            connector: control.source.connector.manifest().connector,
            schedule: control.schedule.clone(),
            is_scanning: started > finished,
            last_scan_started_at: started,
            last_scan_finished_at: finished,
            last_scan_complete: state.and_then(|state| state.last_scan_complete),
            last_complete_at: state.and_then(|state| state.last_complete_at),
            baselined_at: state.and_then(|state| state.baselined_at),
        }
    }
}

/// Configured sources and their last scans.
#[utoipa::path(get, path = "/v1/sources", tag = "sources",
    responses((status = 200, body = Sources), super::Refusals))]
pub async fn list(State(face): State<Face>, headers: HeaderMap) -> Result<Response, Problem> {
    let states = face.store.source_states().await?;
    let sources = face
        .sources
        .values()
        .map(|control| {
            let state = states.iter().find(|state| state.name == control.source.name);
            SourceShape::new(control, state)
        })
        .collect();
    reply::json(&headers, &Sources { sources })
}

/// Scans a source now, or as soon as the scan under way is over. Asking again while one waits
/// changes nothing.
#[utoipa::path(post, path = "/v1/sources/{name}/scan", tag = "sources",
    params(("name" = String, Path, description = "The source's name", pattern = "^[a-z0-9][a-z0-9-]{0,62}$")),
    responses((status = 202, description = "It will be scanned"), super::Refusals, super::Missing))]
pub async fn scan(
    State(face): State<Face>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let Some(control) = face.sources.get(&name) else {
        return Err(Problem::not_found("source"));
    };
    let now = face.clock.now();
    face.store.note(&[actor.did("scan.start", &name, now)]).await?;
    control.scan_now();
    Ok(StatusCode::ACCEPTED)
}
