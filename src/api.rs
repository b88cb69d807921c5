//! The agent's HTTP face: whether it lives, whether it is ready, its metrics, and the addresses to
//! which sources send their events ([`hooks`]).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::store::Store;
use crate::telemetry::{Metrics, Reading};

pub mod hooks;

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
}

/// Serves until `cancel`.
pub async fn serve(
    listener: TcpListener,
    face: Face,
    cancel: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, routes(face))
        .with_graceful_shutdown(async move { cancel.cancelled().await })
        .await
}

/// Opens the port; loopback unless configured otherwise.
pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

fn routes(face: Face) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .merge(hooks::routes())
        .with_state(face)
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

async fn metrics(State(face): State<Face>) -> Response {
    match Reading::take(face.store.as_ref(), &face.sinks).await {
        Ok(reading) => {
            let page = face.metrics.render(&reading, face.clock.now());
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], page).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics could not be read from the store");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response()
        }
    }
}
