//! `POST /v1/observations/{source}`: a job outside says what it saw.
//!
//! The body is read as it comes and counts when it is there to its end. What it says is kept, read
//! like any source, and committed before the answer goes out, so the answer says what became of it.
//! Nothing here tells a stranger anything, not even which sources there are.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use futures::StreamExt as _;
use headcount_core::inventory::Coverage;
use headcount_open::push::{CONFIRM, Door, Earlier};
use headcount_open::spool::{Refused, Spool, Spooler};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::Face;
use super::auth::bearer;
use super::problem::Problem;
use crate::scan::agent::Observer as _;
use crate::scan::{Engine, ScanReport, ScopeReport, Source};

/// How long the next bytes of a body may take, and all of it.
const PATIENCE: Duration = Duration::from_secs(30);
const AT_MOST: Duration = Duration::from_secs(900);

/// The sources that may be pushed to, by name.
pub struct Doors {
    engine: Arc<Engine>,
    ways: BTreeMap<String, Way>,
}

struct Way {
    source: Source,
    door: Door,
    /// Held while a push is taken in: two at once could overtake each other.
    busy: Arc<Mutex<()>>,
}

impl std::fmt::Debug for Doors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doors").field("sources", &self.ways.keys()).finish_non_exhaustive()
    }
}

impl Doors {
    pub fn new(engine: Arc<Engine>, ways: impl IntoIterator<Item = (Source, Door)>) -> Self {
        let way = |(source, door): (Source, Door)| {
            (source.name.clone(), Way { source, door, busy: Arc::default() })
        };
        Self { engine, ways: ways.into_iter().map(way).collect() }
    }

    /// The source of that name, for whoever has a token of it. Whoever has none does not learn
    /// whether there is one.
    fn admit(&self, name: &str, headers: &HeaderMap) -> Result<&Way, Refusal> {
        let stranger =
            || Refusal::new(StatusCode::UNAUTHORIZED, "a token of this source is needed");
        let shown = bearer(headers).ok_or_else(stranger)?;
        match self.ways.get(name) {
            Some(way) if way.door.admits(shown) => Ok(way),
            Some(_) => {
                tracing::warn!(source = name, "a push was refused: its token is wrong");
                Err(stranger())
            }
            None if self.ways.values().any(|way| way.door.admits(shown)) => {
                Err(Refusal::new(StatusCode::NOT_FOUND, "no such source takes pushes"))
            }
            None => Err(stranger()),
        }
    }
}

pub(super) fn routes() -> Router<Face> {
    Router::new().route("/v1/observations/{source}", post(push))
}

async fn push(
    State(face): State<Face>,
    Extension(ConnectInfo(peer)): Extension<ConnectInfo<SocketAddr>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let limits = Arc::clone(&face.limits);
    match taken(face, &name, &head.headers, body).await {
        Ok(answer) => Json(answer).into_response(),
        Err(refusal) if refusal.problem.status() == StatusCode::UNAUTHORIZED => {
            // Whoever guesses may not do so for ever.
            match limits.failed(peer.ip()) {
                Ok(()) => refusal.into_response(),
                Err(problem) => problem.into_response(),
            }
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn taken(face: Face, name: &str, headers: &HeaderMap, body: Body) -> Result<Value, Refusal> {
    let way = face.observations.admit(name, headers)?;
    if headers.contains_key(header::CONTENT_ENCODING) {
        let detail = "the body must not be compressed";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let busy = Arc::clone(&way.busy).try_lock_owned().map_err(|_| {
        Refusal::new(StatusCode::CONFLICT, "a push for this source is under way; try again later")
    })?;
    let source = way.source.clone();
    let now = face.clock.now();
    let reading = read(body, Door::spooler(now));
    let spool = tokio::time::timeout(AT_MOST, reading).await.unwrap_or_else(|_| Err(slow()))?;
    // On a task of its own: a sender that hangs up does not stop what has begun.
    let work = tokio::spawn(commit(face, source, (spool, now), busy));
    work.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a push was not taken to its end");
        Err(later("it could not be committed; send the same again"))
    })
}

/// Reads a body to its end; nothing counts before that.
async fn read(body: Body, mut spooler: Spooler) -> Result<Spool, Refusal> {
    let mut chunks = body.into_data_stream();
    loop {
        let next = tokio::time::timeout(PATIENCE, chunks.next()).await.map_err(|_| slow())?;
        match next {
            None => break,
            Some(Ok(bytes)) => spooler.feed(&bytes),
            Some(Err(_)) => {
                let detail = "the body broke off; nothing was taken";
                return Err(Refusal::new(StatusCode::BAD_REQUEST, detail));
            }
        }
        refuse(&spooler)?;
    }
    spooler.end();
    refuse(&spooler)?;
    Ok(spooler.finish())
}

fn refuse(spooler: &Spooler) -> Result<(), Refusal> {
    spooler.problems().first().map_or(Ok(()), |refused| Err(Refusal::of(refused)))
}

async fn commit(
    face: Face,
    source: Source,
    (spool, now): (Spool, Timestamp),
    _busy: OwnedMutexGuard<()>,
) -> Result<Value, Refusal> {
    let engine = &face.observations.engine;
    let cx = engine.feed_context(&source);
    if let Some(earlier) = Earlier::find(&*cx.cache, &spool.scan).await {
        if earlier.digest == spool.digest {
            return Ok(earlier.answer);
        }
        let detail = "this scan id was used for other lines; give every scan one of its own";
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let (scan, digest) = (spool.scan.clone(), spool.digest.clone());
    let scopes = Door::keep(&*cx.cache, spool, now)
        .await
        .map_err(|_| later("it could not be kept; send the same again"))?;
    let report = engine.take(&source, &scopes).await.map_err(|error| {
        tracing::error!(source = source.name, %error, "a push could not be committed");
        later("it could not be committed; send the same again")
    })?;
    face.metrics.scanned(&report);
    let answer = answer(&scan, &report);
    tracing::info!(source = source.name, scan, scopes = scopes.len(), "a push was taken");
    let earlier = Earlier { scan, digest, answer: answer.clone() };
    if earlier.remember(&*cx.cache).await.is_err() {
        tracing::warn!(source = source.name, "the answer to a push could not be kept");
    }
    Ok(answer)
}

/// What became of one scope.
#[derive(Serialize)]
struct Told<'a> {
    place: &'a str,
    kind: &'a str,
    /// `committed`, `held` (a removal waits for a second push) or `incomplete`.
    outcome: &'static str,
    /// Held in the scope now.
    records: u64,
    appeared: u64,
    changed: u64,
    disappeared: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

fn answer(scan: &str, report: &ScanReport) -> Value {
    let scopes: Vec<Told<'_>> = report.scopes.iter().map(told).collect();
    json!({ "source": report.source, "scan": scan, "scopes": scopes })
}

fn told(report: &ScopeReport) -> Told<'_> {
    let (outcome, reason) = match &report.coverage {
        Coverage::Complete | Coverage::Sweeping { .. } => ("committed", None),
        Coverage::Incomplete { error } if error.operation() == CONFIRM => {
            ("held", Some(error.to_string()))
        }
        Coverage::Incomplete { error } => ("incomplete", Some(error.to_string())),
        Coverage::Held { would_remove, of } => {
            ("held", Some(format!("{would_remove} of {of} records would go")))
        }
        Coverage::NotSupported { reason } => ("incomplete", Some(reason.clone())),
    };
    Told {
        place: &report.scope.place,
        kind: &report.scope.kind,
        outcome,
        records: report.records,
        appeared: report.appeared,
        changed: report.changed,
        disappeared: report.disappeared,
        reason,
    }
}

fn slow() -> Refusal {
    Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come; nothing was taken")
}

fn later(detail: &str) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail)
}

/// Why a push was not taken: problem details, and the place in the body.
#[derive(Debug, Serialize)]
struct Refusal {
    #[serde(flatten)]
    problem: Problem,
    #[serde(flatten)]
    place: Option<Box<Place>>,
}

#[derive(Debug, Serialize)]
struct Place {
    /// Of the body; the first is 1.
    line: u64,
    /// Where in that line; empty: all of it.
    at: String,
}

impl Refusal {
    fn new(status: StatusCode, detail: &str) -> Self {
        Self { problem: Problem::new(status, detail), place: None }
    }

    /// A line that is wrong. What it says is not repeated: it may be a secret.
    fn of(refused: &Refused) -> Self {
        let status = match refused.is_too_large {
            true => StatusCode::PAYLOAD_TOO_LARGE,
            false => StatusCode::BAD_REQUEST,
        };
        let place = Place { line: refused.line, at: refused.wrong.path.clone() };
        Self {
            place: (refused.line > 0).then(|| Box::new(place)),
            ..Self::new(status, &format!("{refused}; nothing was taken"))
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(&self).into_response().into_body();
        // Its status and headers are those of every problem.
        let mut response = self.problem.into_response();
        *response.body_mut() = body;
        response
    }
}
