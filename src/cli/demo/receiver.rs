//! The far end of the demo: a webhook receiver that believes nothing that is not signed.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;

/// What arrived and was verified.
#[derive(Clone, Debug)]
pub struct Received {
    pub kind: String,
    pub rule: String,
    pub severity: String,
    pub message: String,
}

impl Received {
    /// What happened: `opened`, `resolved`, `baseline` …
    pub fn verb(&self) -> &str {
        self.kind.trim_end_matches(".v1").rsplit('.').next().unwrap_or_default()
    }
}

#[derive(Default)]
struct Inbox {
    verified: Vec<Received>,
    refused: u64,
}

#[derive(Clone)]
pub struct Receiver {
    inbox: Arc<Mutex<Inbox>>,
    webhook: Arc<Webhook>,
    pub url: String,
}

impl Receiver {
    /// Listens on a free port of 127.0.0.1 until the runtime ends.
    pub async fn start(secret: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let receiver = Self {
            inbox: Arc::default(),
            webhook: Arc::new(Webhook::new(secret)?),
            url: format!("http://{}/findings", listener.local_addr()?),
        };
        let routes = Router::new().route("/findings", post(receive)).with_state(receiver.clone());
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%error, "the demo's receiver stopped");
            }
        });
        Ok(receiver)
    }

    /// Takes out what was verified since the last call.
    pub fn take(&self) -> Vec<Received> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut inbox.verified)
    }

    pub fn refused(&self) -> u64 {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).refused
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let is_signed = receiver.webhook.verify(&body, &headers).is_ok();
    let event = serde_json::from_slice::<serde_json::Value>(&body);
    let mut inbox = receiver.inbox.lock().unwrap_or_else(PoisonError::into_inner);
    match (is_signed, event) {
        (true, Ok(event)) => {
            inbox.verified.push(read(&event));
            StatusCode::NO_CONTENT
        }
        _ => {
            inbox.refused += 1;
            StatusCode::UNAUTHORIZED
        }
    }
}

fn read(event: &serde_json::Value) -> Received {
    let text = |pointer: &str| {
        event.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    Received {
        kind: text("/type"),
        rule: text("/data/finding_info/analytic/uid"),
        severity: text("/data/severity"),
        message: text("/data/message"),
    }
}
