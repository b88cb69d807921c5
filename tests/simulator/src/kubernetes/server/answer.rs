//! An answer before it goes out: whole, or a watch, and the faults that befall one on its way.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures::stream;
use serde_json::Value;

use crate::fault::Fault;
use crate::kubernetes::script::Ending;
use crate::kubernetes::status::Status;
use crate::kubernetes::watch::Watch;
use crate::out::Out;
use crate::serving::Turn;

const JSON: &str = "application/json";

/// What is answered.
pub(crate) enum Answer {
    Whole(Out),
    Watch(Box<Watch>),
}

impl Answer {
    pub(crate) fn json(value: &Value) -> Self {
        Self::bytes(value.to_string().into_bytes())
    }

    /// JSON that is already written.
    pub(crate) fn bytes(bytes: Vec<u8>) -> Self {
        Self::Whole(Out::new(200, JSON, bytes))
    }

    pub(crate) fn discovery(value: &Value) -> Self {
        let form = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        Self::Whole(Out::new(200, form, value.to_string()))
    }

    pub(crate) fn text(status: u16, text: &str) -> Self {
        Self::Whole(Out::new(status, "text/plain; charset=utf-8", text))
    }

    /// What Go's router says about a path that nobody serves.
    pub(crate) fn no_page() -> Self {
        Self::text(404, "404 page not found\n")
    }

    pub(crate) fn status(status: &Status) -> Self {
        let mut out = Out::new(status.code, JSON, status.to_json().to_string());
        let wait = status.retry_after();
        out.headers.extend(wait.map(|seconds| ("retry-after", seconds.to_string())));
        Self::Whole(out)
    }

    pub(crate) fn watch(watch: Watch) -> Self {
        Self::Watch(Box::new(watch))
    }

    /// Sends the answer, spoiled where the fault is one that befalls it on its way.
    pub(crate) fn send(self, turn: &Turn) -> Response {
        match (self, turn.fault) {
            // What a load balancer says when the server behind it is gone.
            (_, Some(Fault::HtmlError)) => {
                let page = "<!doctype html>\n<title>500 Internal Server Error</title>\n";
                Out::new(500, "text/html; charset=utf-8", page).send(turn)
            }
            (Self::Whole(out), _) => out.send(turn),
            (Self::Watch(watch), _) => flow(watch, turn),
        }
    }
}

fn flow(mut watch: Box<Watch>, turn: &Turn) -> Response {
    match turn.fault {
        Some(Fault::Reset) => turn.wire.reset(),
        Some(Fault::TruncatedBody) => watch.cut(Ending::Closed),
        Some(Fault::CutConnection) => watch.cut(Ending::Broken),
        _ => {}
    }
    let chunks = stream::unfold(watch, |mut watch| async move {
        watch.chunk().await.map(|chunk| (chunk, watch))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}
