//! Answers on their way out: a status, headers and a body, and what spoils them there.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::Value;

use crate::fault::Fault;
use crate::serving::Turn;

/// An answer before it goes out.
#[derive(Debug)]
pub(crate) struct Out {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Out {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let kind = ("content-type", content_type.to_owned());
        Self { status, headers: vec![kind], body: body.into() }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", body.to_string())
    }

    /// A page for people, where a program expects something else.
    pub(crate) fn html(status: u16, title: &str) -> Self {
        let page = format!(
            "<!DOCTYPE html>\n<html><head><title>{title}</title></head>\n\
             <body><p>We had issues producing the response to your request.</p></body></html>\n"
        );
        Self::new(status, "text/html; charset=utf-8", page)
    }

    /// Sends the answer, spoiled where the fault is one that befalls it on its way.
    pub(crate) fn send(mut self, turn: &Turn) -> Response {
        match turn.fault {
            Some(Fault::TruncatedBody) => self.body.truncate(self.body.len() / 2),
            Some(Fault::CutConnection) => turn.wire.cut_body(self.body.len() / 2),
            Some(Fault::Reset) => turn.wire.reset(),
            _ => {}
        }
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
