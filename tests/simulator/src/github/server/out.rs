//! Answers on their way out.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::Value;

use crate::github::reply::Refusal;

/// An answer before it goes out.
#[derive(Debug)]
pub(super) struct Out {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Out {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        let kind = ("content-type", "application/json; charset=utf-8".to_owned());
        Self { status, headers: vec![kind], body: body.to_string().into_bytes() }
    }

    pub(super) fn refused(refusal: &Refusal) -> Self {
        let mut out = Self::json(refusal.status, &refusal.body());
        if let Some(needs) = &refusal.needs {
            out.headers.push(("x-accepted-github-permissions", needs.clone()));
        }
        out
    }

    pub(super) fn html(status: u16) -> Self {
        let page = "<!DOCTYPE html>\n<html><head><title>Unicorn! &middot; GitHub</title></head>\n\
                    <body><p>We had issues producing the response to your request.</p></body></html>\n";
        let kind = ("content-type", "text/html; charset=utf-8".to_owned());
        Self { status, headers: vec![kind], body: page.as_bytes().to_vec() }
    }

    pub(super) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}
