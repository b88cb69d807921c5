//! `POST /v1/hooks/{connector}/{source}`: a source tells what happened.
//!
//! The connector proves that the message is its source's, and says what it makes dirty. Nothing is
//! called while the sender waits. The message itself changes nothing: what it names is read again.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use headcount_sdk::{Hints, Inbound, Refused};

use super::Face;
use crate::scan::{Engine, Source};

/// Largest message taken in. GitHub sends no more than 25 MB:
/// <https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap>
const MAX_BYTES: usize = 25 * 1024 * 1024;

/// The sources that may send messages, by name.
pub struct Hooks {
    engine: Arc<Engine>,
    sources: BTreeMap<String, (Source, Hints)>,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").field("sources", &self.sources.keys()).finish_non_exhaustive()
    }
}

impl Hooks {
    pub fn new(engine: Arc<Engine>, sources: impl IntoIterator<Item = (Source, Hints)>) -> Self {
        let sources =
            sources.into_iter().map(|(source, hints)| (source.name.clone(), (source, hints)));
        Self { engine, sources: sources.collect() }
    }
}

pub(super) fn routes() -> Router<Face> {
    Router::new().route("/v1/hooks/{connector}/{source}", post(receive))
}

async fn receive(
    State(face): State<Face>,
    Path((connector, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let hooks = &face.hooks;
    let found = hooks.sources.get(&name);
    let Some((source, hints)) =
        found.filter(|(source, _)| source.connector.manifest().connector == connector)
    else {
        return answer(StatusCode::NOT_FOUND, "no such source takes messages");
    };
    // A signature is one of the whole message, so it is held before anybody knows whose it is.
    let length = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
    let length = length.unwrap_or(MAX_BYTES);
    if length > MAX_BYTES {
        return answer(StatusCode::PAYLOAD_TOO_LARGE, "the message is too large");
    }
    let Ok(_place) = face.limits.message(length) else {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "too many messages wait");
    };
    let Ok(body) = axum::body::to_bytes(body, length).await else {
        return answer(StatusCode::BAD_REQUEST, "the message broke off, or is too large");
    };
    let inbound = Inbound { headers: texts(&headers), body: body.into() };
    let cx = hooks.engine.feed_context(source);
    match source.connector.receive(&cx, &inbound).await {
        Ok(marks) if marks.is_empty() => answer(StatusCode::ACCEPTED, "nothing to read again"),
        Ok(marks) => {
            if hints.offer(marks) {
                answer(StatusCode::ACCEPTED, "taken")
            } else {
                // The sender may try again; if it does not, the next scan finds the same.
                answer(StatusCode::SERVICE_UNAVAILABLE, "too many messages wait")
            }
        }
        Err(Refused::NotSupported) => {
            answer(StatusCode::NOT_FOUND, "no such source takes messages")
        }
        Err(refused @ Refused::NotAuthentic) => {
            tracing::warn!(
                source = name,
                "a message was refused: its signature is missing or wrong"
            );
            answer(StatusCode::UNAUTHORIZED, &refused.to_string())
        }
        Err(refused @ Refused::Malformed) => {
            tracing::warn!(source = name, "a message was refused: it was not understood");
            answer(StatusCode::BAD_REQUEST, &refused.to_string())
        }
    }
}

fn texts(headers: &HeaderMap) -> BTreeMap<String, String> {
    let texts = headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    texts.collect()
}

fn answer(status: StatusCode, text: &str) -> Response {
    (status, format!("{text}\n")).into_response()
}
