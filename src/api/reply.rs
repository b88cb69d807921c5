//! What every handler of the API takes and gives: parameters and bodies that are refused as problem
//! details, lists with their cursor, and answers with an entity tag.

use aws_lc_rs::digest;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;

/// Entries of a page unless something else is asked for.
const PAGE: u32 = 100;
/// The most that a page holds.
pub const MOST: u32 = 500;
/// The longest parameter that is looked at.
const LONGEST: usize = 2_000;

/// The parameters of a request. Unknown ones are refused by the types: a filter with a typing error
/// must not answer with everything.
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let too_long = parts.uri.query().is_some_and(|query| query.len() > LONGEST);
        if too_long {
            return Err(Problem::bad_request("the parameters are too long"));
        }
        let Query(asked) = Query::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
        Ok(Self(asked))
    }
}

/// A JSON body.
pub struct Told<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Told<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::from_request(request, state).await {
            Ok(Json(told)) => Ok(Self(told)),
            Err(rejection) => Err(refused(&rejection)),
        }
    }
}

fn refused(rejection: &JsonRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be JSON (Content-Type: application/json)",
        ),
        // What cannot be parsed and what says the wrong thing are one to whoever sent it.
        _ => Problem::bad_request(rejection.body_text()),
    }
}

/// Which part of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// Entries of a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    pub limit: Option<u32>,
}

/// How many entries a page gets.
pub fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(PAGE) {
        limit @ 1..=MOST => Ok(limit),
        _ => Err(Problem::bad_request(format!("limit must be from 1 to {MOST}"))),
    }
}

/// A place in a list, as a text that means nothing to whoever carries it.
pub fn cursor<T: Serialize>(place: &T) -> Option<String> {
    serde_json::to_vec(place).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

/// Reads a cursor back; refuses what this list did not give.
pub fn place<T: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<T>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    let refused = || Problem::unprocessable("the cursor is not one of this list");
    let json = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| refused())?;
    serde_json::from_slice(&json).map(Some).map_err(|_| refused())
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    pub items: Vec<T>,
    /// Give it as `cursor` for the next page; `null` = this was the last. A page may be short, even
    /// empty, and not the last: then few of the rows that were looked at passed the filter.
    pub next: Option<String>,
}

/// An answer in JSON with an entity tag; 304 when the client has it already.
pub fn json<T: Serialize>(headers: &HeaderMap, value: &T) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be written")
    })?;
    let tag = tag(&body);
    if is_known(headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let kind = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, kind), (header::ETAG, tag)], Bytes::from(body)).into_response())
}

fn tag(body: &[u8]) -> HeaderValue {
    let digest = digest::digest(&digest::SHA256, body);
    let text = URL_SAFE_NO_PAD.encode(digest.as_ref().get(..16).unwrap_or_default());
    // Base64url between quotes is a header.
    HeaderValue::from_str(&format!("\"{text}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    let tag = tag.to_str().unwrap_or_default();
    known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|value| value.trim().trim_start_matches("W/"))
        .any(|value| value == tag || value == "*")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn cursor_comes_back_and_a_strange_one_is_refused() {
        let text = cursor(&("name", 7_i64)).unwrap();
        assert_eq!(place::<(String, i64)>(Some(&text)).unwrap(), Some(("name".to_owned(), 7)));
        for strange in ["", "x", "!!!", "bm90IGpzb24", &cursor(&"other").unwrap()] {
            let problem = place::<(String, i64)>(Some(strange)).unwrap_err();
            assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY, "{strange}");
        }
    }

    #[test]
    fn limit_is_bounded_on_both_sides() {
        assert_eq!(limit(None).unwrap(), PAGE);
        assert!(limit(Some(1)).is_ok() && limit(Some(MOST)).is_ok());
        assert!(limit(Some(0)).is_err() && limit(Some(MOST + 1)).is_err());
    }

    #[test]
    fn same_answer_has_the_same_tag_and_is_sent_once() {
        let first = json(&HeaderMap::new(), &[1, 2]).unwrap();
        let tag = first.headers()[header::ETAG].clone();
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, tag);
        assert_eq!(json(&headers, &[1, 2]).unwrap().status(), StatusCode::NOT_MODIFIED);
        assert_eq!(json(&headers, &[1, 3]).unwrap().status(), StatusCode::OK);
    }
}
