//! An answer before it goes out, and the faults that befall it on its way.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::stream;
use serde_json::Value;

use crate::fault::Fault;
use crate::kubernetes::script::Ending;
use crate::kubernetes::status::Status;
use crate::kubernetes::watch::Watch;
use crate::wire::Wire;

/// What is answered.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    content_type: &'static str,
    retry_after: Option<u64>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Bytes(Vec<u8>),
    Watch(Box<Watch>),
}

impl Answer {
    fn new(status: u16, content_type: &'static str, content: Content) -> Self {
        Self { status, content_type, retry_after: None, content }
    }

    pub(crate) fn json(value: &Value) -> Self {
        Self::bytes(value.to_string().into_bytes())
    }

    /// JSON that is already written.
    pub(crate) fn bytes(bytes: Vec<u8>) -> Self {
        Self::new(200, "application/json", Content::Bytes(bytes))
    }

    pub(crate) fn discovery(value: &Value) -> Self {
        let form = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        Self { content_type: form, ..Self::json(value) }
    }

    pub(crate) fn text(text: &str) -> Self {
        Self::new(200, "text/plain; charset=utf-8", Content::Bytes(text.as_bytes().to_vec()))
    }

    /// What Go's router says about a path that nobody serves.
    pub(crate) fn no_page() -> Self {
        Self { status: 404, ..Self::text("404 page not found\n") }
    }

    pub(crate) fn status(status: &Status) -> Self {
        Self {
            status: status.code,
            retry_after: status.retry_after(),
            ..Self::json(&status.to_json())
        }
    }

    pub(crate) fn watch(watch: Watch) -> Self {
        Self::new(200, "application/json", Content::Watch(Box::new(watch)))
    }

    /// What a load balancer says when the server behind it is gone.
    fn html() -> Self {
        let page = "<!doctype html>\n<title>500 Internal Server Error</title>\n";
        Self::new(500, "text/html; charset=utf-8", Content::Bytes(page.as_bytes().to_vec()))
    }

    /// Spoils the answer where the fault says so, and sends it.
    pub(crate) fn dress(self, fault: Option<Fault>, wire: &Wire) -> Response {
        let mut answer = self;
        match (fault, &mut answer.content) {
            (Some(Fault::HtmlError), _) => answer = Self::html(),
            (Some(Fault::Reset), _) => wire.reset(),
            (Some(Fault::TruncatedBody), Content::Bytes(bytes)) => bytes.truncate(bytes.len() / 2),
            (Some(Fault::CutConnection), Content::Bytes(bytes)) => wire.cut_body(bytes.len() / 2),
            (Some(Fault::TruncatedBody), Content::Watch(watch)) => watch.cut(Ending::Closed),
            (Some(Fault::CutConnection), Content::Watch(watch)) => watch.cut(Ending::Broken),
            _ => {}
        }
        let body = match std::mem::replace(&mut answer.content, Content::Bytes(Vec::new())) {
            Content::Bytes(bytes) => Body::from(bytes),
            Content::Watch(watch) => {
                Body::from_stream(stream::unfold(watch, |mut watch| async move {
                    watch.chunk().await.map(|chunk| (chunk, watch))
                }))
            }
        };
        answer.respond(body)
    }

    fn respond(&self, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
