//! A webhook receiver that believes nothing without a signature.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The secret that the receiver shares with the agent; made for tests, opens nothing.
pub const SECRET: &str = "whsec_aGVhZGNvdW50LXRlc3RzLXNoYXJlZC1zZWNyZXQ=";

/// One request whose signature was right.
#[derive(Clone, Debug)]
pub struct Received {
    /// The `webhook-id` header.
    pub id: String,
    pub event: Value,
    /// What it was answered with.
    pub answer: StatusCode,
}

impl Received {
    pub fn kind(&self) -> &str {
        self.event["type"].as_str().unwrap()
    }

    pub fn subject(&self) -> &str {
        self.event["subject"].as_str().unwrap()
    }

    pub fn sequence(&self) -> u64 {
        self.event["sequence"].as_str().unwrap().parse().unwrap()
    }

    /// The rule, when the event is about a finding.
    pub fn rule(&self) -> Option<&str> {
        self.event["data"]["finding_info"]["analytic"]["uid"].as_str()
    }

    /// The finding, when the event is about one.
    pub fn finding(&self) -> Option<&str> {
        self.event["data"]["finding_info"]["uid"].as_str()
    }
}

#[derive(Default)]
struct Log {
    received: Vec<Received>,
    refused: Vec<String>,
    answers: VecDeque<StatusCode>,
    latency: Duration,
}

/// A running receiver; it ends when this is dropped.
pub struct Receiver {
    url: String,
    log: Arc<Mutex<Log>>,
    server: JoinHandle<()>,
}

impl Receiver {
    pub async fn start() -> Self {
        let log = Arc::new(Mutex::new(Log::default()));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/findings", listener.local_addr().unwrap());
        let routes = Router::new().route("/findings", post(receive)).with_state(Arc::clone(&log));
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, log, server }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers the next requests with these, and those after them with 204 again.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = StatusCode>) {
        self.log().answers.extend(answers);
    }

    /// Lets every sender wait this long for its answer.
    pub fn answer_after(&self, latency: Duration) {
        self.log().latency = latency;
    }

    /// Everything received since the last call. Panics when a signature was wrong.
    pub fn take(&self) -> Vec<Received> {
        let mut log = self.log();
        assert!(log.refused.is_empty(), "refused: {:?}", log.refused);
        std::mem::take(&mut log.received)
    }

    /// As [`Receiver::take`], once what was received is enough.
    pub async fn until(
        &self,
        patience: Duration,
        is_enough: impl Fn(&[Received]) -> bool,
    ) -> Vec<Received> {
        let waited = tokio::time::timeout(patience, async {
            while !is_enough(&self.log().received) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let is_late = waited.await.is_err();
        let received = self.take();
        assert!(!is_late, "received no more than {received:#?}");
        received
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(
    State(log): State<Arc<Mutex<Log>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let (answer, latency) = note(&mut log.lock().unwrap(), &headers, &body);
    tokio::time::sleep(latency).await;
    answer
}

fn note(log: &mut Log, headers: &HeaderMap, body: &[u8]) -> (StatusCode, Duration) {
    match read(headers, body) {
        Ok((id, event)) => {
            let answer = log.answers.pop_front().unwrap_or(StatusCode::NO_CONTENT);
            log.received.push(Received { id, event, answer });
            (answer, log.latency)
        }
        Err(reason) => {
            log.refused.push(reason);
            (StatusCode::UNAUTHORIZED, log.latency)
        }
    }
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<(String, Value), String> {
    let webhook = Webhook::new(SECRET).map_err(|error| error.to_string())?;
    webhook.verify(body, headers).map_err(|error| error.to_string())?;
    let event: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let id = headers["webhook-id"].to_str().map_err(|error| error.to_string())?;
    if event["id"] != id {
        return Err(format!("webhook-id {id} is not the id of {event}"));
    }
    Ok((id.to_owned(), event))
}
