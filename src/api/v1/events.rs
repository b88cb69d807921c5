//! Findings as they happen, as server-sent events.
//!
//! What is sent is what sinks get: the same CloudEvents, in the same order, with the agent's
//! sequence as the id. Who comes back with the last id that he saw misses nothing.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt as _};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::IntoParams;

use crate::api::Face;
use crate::api::problem::Problem;
use crate::api::reply::Asked;
use crate::store;

/// Events read from the store at a time.
const BATCH: u32 = 100;
/// A sign of life for proxies that end silent connections.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// From where on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Events behind this sequence number; without it, those from now on. The header
    /// `Last-Event-ID`, which browsers send when they come back, goes before it.
    pub after: Option<u64>,
}

/// Findings as they happen: each event is a CloudEvent as sinks get it, its id the sequence number.
#[utoipa::path(get, path = "/v1/events", tag = "findings", params(Wanted),
    responses((status = 200, description = "Events, without an end", body = String,
        content_type = "text/event-stream"), super::Refusals))]
pub async fn stream(
    State(face): State<Face>,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let last = match headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default()) {
        Some(id) => Some(id.parse().map_err(|_| {
            Problem::bad_request("Last-Event-ID is no sequence number of an event")
        })?),
        None => wanted.after,
    };
    // Subscribed before the look at the store, so that no event falls between.
    let committed = face.engine.sequence();
    let after = match last {
        Some(after) => after,
        None => face.store.next_sequence().await?.saturating_sub(1),
    };
    let place = face.limits.stream()?;
    let feed = Feed { face: face.clone(), committed, after, _place: place };
    let stopping = face.stopping.clone();
    let events = follow(feed).take_until(async move { stopping.cancelled().await });
    let alive = KeepAlive::new().interval(ALIVE_EVERY).text("alive");
    Ok(Sse::new(events).keep_alive(alive).into_response())
}

struct Feed {
    face: Face,
    committed: watch::Receiver<u64>,
    after: u64,
    _place: OwnedSemaphorePermit,
}

fn follow(feed: Feed) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let batches = futures::stream::unfold(feed, |mut feed| async move {
        loop {
            feed.committed.mark_unchanged();
            let events = match feed.face.store.events_after(feed.after, BATCH).await {
                Ok(events) => events,
                Err(error) => {
                    // The client comes back with the last id that it saw.
                    tracing::error!(%error, "a stream of events broke off");
                    return None;
                }
            };
            if let Some(last) = events.last() {
                feed.after = last.sequence;
                return Some((events, feed));
            }
            if feed.committed.changed().await.is_err() {
                return None;
            }
        }
    });
    batches.flat_map(|events| futures::stream::iter(events.into_iter().map(|e| Ok(sent(e)))))
}

fn sent(event: store::Event) -> Event {
    Event::default().id(event.sequence.to_string()).event(event.kind).data(event.body)
}
