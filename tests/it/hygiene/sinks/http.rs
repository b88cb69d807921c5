//! Webhook, Slack, PagerDuty, Splunk's collector and S3 in one server: each is answered in the words
//! that its sink waits for, and every request is kept: its line, its headers and its body.

use std::io::Read as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use flate2::read::GzDecoder;
use serde_json::json;
use tokio::task::JoinHandle;

use super::super::marks::mark;
use super::{Manners, taken};

#[derive(Default)]
struct Log {
    manners: Manners,
    /// Name of a sink, and what it sent.
    received: Vec<(String, Vec<u8>)>,
}

/// A running server; it ends when this is dropped.
pub struct Http {
    url: String,
    log: Arc<Mutex<Log>>,
    server: JoinHandle<()>,
}

impl Http {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Log::default()));
        let router = Router::new().fallback(receive).with_state(Arc::clone(&log));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, log, server }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn manners(&self, manners: Manners) {
        self.log.lock().unwrap().manners = manners;
    }

    /// What each sink has sent since the last call.
    pub fn take(&self) -> Vec<(String, Vec<u8>)> {
        std::mem::take(&mut self.log.lock().unwrap().received)
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(
    State(log): State<Arc<Mutex<Log>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let sink = uri.path().split('/').nth(1).unwrap_or_default().to_owned();
    let mut head = format!("{method} {uri}\n");
    for (name, value) in &headers {
        head.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    }
    let mut log = log.lock().unwrap();
    let kept = without_its_secret(&sink, head, &body);
    log.received.push((sink.clone(), kept));
    if log.manners == Manners::Rude { rude(&sink) } else { kind(&sink) }
}

/// A request as text, without the one secret that belongs into it.
fn without_its_secret(sink: &str, head: String, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    let head = match sink {
        "webhook" => taken(&head, "POST /webhook?code=", "own-webhook-url"),
        "slack" => taken(&head, "POST /slack/", "own-slack-path"),
        "splunk" => taken(&head, "authorization: Splunk ", "own-hec-token"),
        "s3" => {
            // Compressed bytes show nothing: what is in them is read, beside what came.
            let mut lines = Vec::new();
            GzDecoder::new(&*body).read_to_end(&mut lines).unwrap();
            body.extend(lines);
            taken(&head, "authorization: AWS4-HMAC-SHA256 Credential=", "own-s3-id")
        }
        "pagerduty" => {
            let text = String::from_utf8(body).unwrap();
            body = taken(&text, "\"routing_key\":\"", "own-routing-key").into_bytes();
            head
        }
        other => panic!("there is no sink {other}"),
    };
    [head.into_bytes(), body].concat()
}

fn kind(sink: &str) -> Response<Body> {
    let answer = Response::builder();
    match sink {
        "slack" => answer.body("ok".into()),
        "pagerduty" => answer.status(202).body(r#"{"status":"success"}"#.into()),
        "splunk" => answer.body(r#"{"text":"Success","code":0}"#.into()),
        "s3" => answer.header("etag", "\"made-up\"").body(Body::empty()),
        _ => answer.status(204).body(Body::empty()),
    }
    .unwrap()
}

/// Refuses, with marks wherever an answer has room for one.
fn rude(sink: &str) -> Response<Body> {
    let body = json!({"text": mark("sink-text"), "message": mark("sink-message"), "code": 9});
    Response::builder()
        .status(if sink == "s3" { 500 } else { 400 })
        .header("x-debug", mark("sink-header"))
        .header("location", format!("https://example.com/?token={}", mark("sink-location")))
        .body(body.to_string().into())
        .unwrap()
}
