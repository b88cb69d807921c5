//! The agent's HTTP face: whether it lives, whether it is ready, its metrics, the API, and the
//! addresses to which sources send their events ([`hooks`]) and jobs what they saw ([`observations`]).
//!
//! Open to everybody are health, readiness and metrics; messages of sources prove themselves;
//! everything else goes through [`auth`]. Start at [`routes`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::scan::agent::{Activation, Inbox, Scheduled};
use crate::scan::{Engine, Source};
use crate::store::Store;
use crate::telemetry::{self, Metrics, Reading};

pub mod auth;
pub mod hooks;
pub mod limits;
#[cfg(feature = "open")]
pub mod observations;
pub mod problem;
pub mod reply;
mod server;
pub mod sessions;
pub mod v1;
mod web;

use limits::Limits;
use problem::Problem;
pub use server::serve;
use sessions::Sessions;

/// What the routes need.
#[derive(Clone)]
pub struct Face {
    pub store: Arc<dyn Store>,
    pub metrics: Arc<Metrics>,
    pub sinks: Vec<String>,
    pub clock: Arc<dyn Clock>,
    /// Set once the scheduler runs, cleared when the agent is told to stop.
    pub is_ready: Arc<AtomicBool>,
    pub hooks: Arc<hooks::Hooks>,
    pub engine: Arc<Engine>,
    /// The configured sources by name.
    pub sources: Arc<BTreeMap<String, Control>>,
    pub sessions: Arc<Sessions>,
    pub limits: Arc<Limits>,
    #[cfg(feature = "open")]
    pub observations: Arc<observations::Doors>,
    /// Cancelled when the agent is told to stop: answers without an end find one.
    pub stopping: CancellationToken,
}

/// A configured source, as far as the face can do something with it.
#[derive(Clone)]
pub struct Control {
    pub source: Source,
    /// Cron expression with seconds, in UTC.
    pub schedule: String,
    activate: mpsc::Sender<Activation>,
}

impl Control {
    #[must_use]
    pub fn new(scheduled: &Scheduled, inbox: &Inbox) -> Self {
        Self {
            source: scheduled.source.clone(),
            schedule: scheduled.schedule.clone(),
            activate: inbox.activate.clone(),
        }
    }

    /// Asks for a scan as soon as the one before is over. One that is waiting already is enough.
    pub fn scan_now(&self) {
        let _ = self.activate.try_send(Activation::Asked);
    }
}

/// Opens the port; loopback unless configured otherwise.
pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Everything that is answered. Routes that ask for a bearer come guarded from where they stand.
fn routes(face: Face) -> Router {
    let limited = Router::new()
        .merge(v1::routes(&face))
        .merge(web::routes(&face))
        .layer(DefaultBodyLimit::max(face.limits.body_bytes))
        .merge(hooks::routes())
        .layer(middleware::from_fn_with_state(face.clone(), limited));
    let routes = Router::new();
    // Not bound by the time and size of requests: it streams, and has bounds of its own.
    #[cfg(feature = "open")]
    let routes = routes.merge(observations::routes());
    routes
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .merge(limited)
        .fallback(|| async { Problem::not_found("page") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this page does not take that method")
        })
        .with_state(face)
}

/// Bounds on what is answered at once and for how long, and the headers that every answer has.
async fn limited(State(face): State<Face>, request: Request, next: Next) -> Response {
    let _place = match face.limits.request() {
        Ok(place) => place,
        Err(problem) => return problem.into_response(),
    };
    let answer = tokio::time::timeout(face.limits.request_time, next.run(request)).await;
    let mut response = answer.unwrap_or_else(|_| {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "the request took too long").into_response()
    });
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The process answers; nothing more is asked, so that a slow disk does not get it killed.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready to scan and to keep what it finds. No source is asked: a source that is down is a
/// finding, not a reason to restart.
async fn readyz(State(face): State<Face>) -> Response {
    if !face.is_ready.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "starting or stopping\n").into_response();
    }
    match face.store.next_sequence().await {
        Ok(_) => "ok\n".into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response(),
    }
}

/// In OpenMetrics for whoever asks for it, else in the older text format of Prometheus.
async fn metrics(State(face): State<Face>, headers: HeaderMap) -> Response {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let asks = accepted.into_iter().any(|value| value.contains("application/openmetrics-text"));
    match Reading::take(face.store.as_ref(), &face.sinks).await {
        Ok(reading) => {
            let page = face.metrics.render(&reading, face.clock.now());
            let (kind, page) = if asks {
                ("application/openmetrics-text; version=1.0.0; charset=utf-8", page)
            } else {
                ("text/plain; version=0.0.4; charset=utf-8", telemetry::plain(&page))
            };
            ([(header::CONTENT_TYPE, kind)], page).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics could not be read from the store");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response()
        }
    }
}
