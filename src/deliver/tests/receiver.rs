//! A webhook receiver: answers as told, keeps what it got, and verifies signatures with the
//! reference library.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use axum::routing::any;
use standardwebhooks::Webhook;
use tempfile::TempDir;
use tokio::task::AbortHandle;

use crate::deliver::sinks::SinkConfig;

pub const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
pub const OLD: &str = "whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk";

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// Whether the reference library takes it for genuine, now.
    pub fn is_genuine(&self, secret: &str) -> bool {
        Webhook::new(secret).unwrap().verify(&self.body, &self.headers).is_ok()
    }

    /// As [`Self::is_genuine`], at any time.
    pub fn is_signed(&self, secret: &str) -> bool {
        let webhook = Webhook::new(secret).unwrap();
        let timestamp = self.header("webhook-timestamp").parse().unwrap();
        let expected = webhook.sign(self.id(), timestamp, &self.body).unwrap();
        self.header("webhook-signature").split(' ').any(|signature| signature == expected)
    }
}

type Answers = Box<dyn FnMut(&Seen) -> Response<Body> + Send>;

#[derive(Clone)]
struct Shared {
    seen: Arc<Mutex<Vec<Seen>>>,
    answers: Arc<Mutex<Answers>>,
}

pub struct Receiver {
    pub port: u16,
    shared: Shared,
    server: AbortHandle,
    secrets: TempDir,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub fn status(code: u16) -> Response<Body> {
    with_headers(code, &[])
}

pub fn with_headers(code: u16, headers: &[(&str, &str)]) -> Response<Body> {
    let mut response = Response::builder().status(StatusCode::from_u16(code).unwrap());
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from("MARKED answer")).unwrap()
}

/// An answer with this body.
pub fn saying(code: u16, body: &str) -> Response<Body> {
    let response = Response::builder().status(StatusCode::from_u16(code).unwrap());
    response.body(Body::from(body.to_owned())).unwrap()
}

impl Receiver {
    /// Answers with these codes in turn, and then with 200.
    pub async fn answering(codes: &[u16]) -> Self {
        let mut codes: VecDeque<u16> = codes.iter().copied().collect();
        Self::start(move |_| status(codes.pop_front().unwrap_or(200))).await
    }

    pub async fn start(answers: impl FnMut(&Seen) -> Response<Body> + Send + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared =
            Shared { seen: Arc::default(), answers: Arc::new(Mutex::new(Box::new(answers))) };
        let app = Router::new().fallback(any(receive)).with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        let secrets = tempfile::tempdir().unwrap();
        for (name, secret) in [("new", NEW), ("old", OLD)] {
            std::fs::write(secrets.path().join(name), format!("{secret}\n")).unwrap();
        }
        Self { port, shared, server: server.abort_handle(), secrets }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub fn ids(&self) -> Vec<String> {
        self.seen().iter().map(|seen| seen.id().to_owned()).collect()
    }

    /// A sink that posts here, signed with one secret.
    pub fn config(&self, name: &str) -> SinkConfig {
        self.config_with(name, &self.url("127.0.0.1"), &["new"], &["127.0.0.0/8"])
    }

    /// A sink of this type that posts here: these keys, its secrets by reference.
    pub fn config_of(&self, kind: &str, keys: serde_json::Value) -> SinkConfig {
        let secret = format!("file:{}", self.secrets.path().join("new").display());
        let mut config = serde_json::json!({
            "name": "hook",
            "type": kind,
            "url": self.url("127.0.0.1"),
            "allow_cidrs": ["127.0.0.0/8"],
        });
        match kind {
            "pagerduty" => config["routing_key"] = secret.into(),
            "splunk" => config["token"] = secret.into(),
            _ => {}
        }
        for (key, value) in keys.as_object().unwrap() {
            config[key] = value.clone();
        }
        serde_json::from_value(config).unwrap()
    }

    pub fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/hook", self.port)
    }

    pub fn config_with(
        &self,
        name: &str,
        url: &str,
        secrets: &[&str],
        allow_cidrs: &[&str],
    ) -> SinkConfig {
        let reference = |name| format!("file:{}", self.secrets.path().join(name).display());
        serde_json::from_value(serde_json::json!({
            "name": name,
            "type": "webhook",
            "url": url,
            "secrets": secrets.iter().map(reference).collect::<Vec<_>>(),
            "allow_cidrs": allow_cidrs,
        }))
        .unwrap()
    }
}

async fn receive(
    State(shared): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let seen = Seen { path: uri.path().to_owned(), headers, body };
    shared.seen.lock().unwrap().push(seen.clone());
    let mut answers = shared.answers.lock().unwrap();
    answers(&seen)
}
