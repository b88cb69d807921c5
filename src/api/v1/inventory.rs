//! The whole inventory as of a moment, and what of it was complete.

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::Face;
use crate::api::auth::Actor;
use crate::api::problem::Problem;
use crate::api::reply::{self, Asked};
use crate::snapshot::coverage::{self as manifest, Manifest};
use crate::snapshot::write::Format;
use crate::snapshot::{self, SnapshotError};

/// As of when, and in which form.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The moment; without it, now.
    pub at: Option<Timestamp>,
    #[param(inline)]
    pub format: Option<Format>,
}

/// As of when.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The moment; without it, now.
    pub at: Option<Timestamp>,
}

/// A moment that is over: of the future nothing can be said.
fn moment(face: &Face, asked: Option<Timestamp>) -> Result<Timestamp, Problem> {
    let now = face.clock.now();
    match asked {
        Some(at) if at > now => Err(Problem::unprocessable("`at` is in the future")),
        _ => Ok(asked.unwrap_or(now)),
    }
}

/// Every record of the inventory as it was at a moment, as a stream. An answer that breaks off
/// before its end is not whole. Its coverage tells what of it was complete.
#[utoipa::path(get, path = "/v1/inventory", tag = "inventory", params(Wanted),
    responses((status = 200, description = "The inventory",
        headers(("Headcount-At" = String, description = "The moment")),
        content((String = "application/x-ndjson"), (String = "text/csv"),
            (Vec<u8> = "application/vnd.apache.parquet"))),
        super::Refusals))]
pub async fn export(
    State(face): State<Face>,
    Extension(actor): Extension<Actor>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let at = moment(&face, wanted.at)?;
    let format = wanted.format.unwrap_or_default();
    let place = face.limits.stream()?;
    let filter = snapshot::everything(at);
    let document = snapshot::document(face.store.clone(), filter, format).map_err(failed)?;
    let now = face.clock.now();
    face.store.note(&[actor.did("inventory.export", &at.to_string(), now)]).await?;
    let body = document.filter_map(move |piece| {
        // The place is given back when the stream is dropped.
        let _held = &place;
        // An empty piece would end a chunked body.
        let piece = match piece {
            Ok(bytes) => (!bytes.is_empty()).then(|| Ok(Bytes::from(bytes))),
            Err(error) => {
                tracing::error!(%error, "an export broke off");
                Some(Err(error))
            }
        };
        std::future::ready(piece)
    });
    let name = format!("attachment; filename=\"inventory.{}\"", format.extension());
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert("headcount-at", text(&at.to_string()));
    headers.insert(header::CONTENT_DISPOSITION, text(&name));
    let link = format!("</v1/inventory/coverage?at={at}>; rel=\"describedby\"");
    headers.insert(header::LINK, text(&link));
    Ok(response)
}

fn text(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

fn failed(error: SnapshotError) -> Problem {
    match error {
        SnapshotError::Store(error) => error.into(),
        SnapshotError::Write(error) => {
            tracing::error!(%error, "an export did not begin");
            let detail = "the inventory could not be written";
            Problem::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, detail)
        }
    }
}

/// What the inventory of a moment can be relied on for: per scope, whether it was read to its end,
/// and if not, why not.
#[utoipa::path(get, path = "/v1/inventory/coverage", tag = "coverage", params(When),
    responses((status = 200, body = Manifest), super::Refusals))]
pub async fn coverage(
    State(face): State<Face>,
    headers: HeaderMap,
    Asked(when): Asked<When>,
) -> Result<Response, Problem> {
    let at = moment(&face, when.at)?;
    let _place = face.limits.stream()?;
    reply::json(&headers, &manifest::manifest(face.store.as_ref(), at).await?)
}
