//! Deliveries per second to a healthy webhook on loopback, signatures and outbox included.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use headcount::clock::SystemClock;
use headcount::deliver::{Deliverer, Pace, build};
use headcount::store::sqlite::SqliteStore;
use headcount::store::{Commit, Event, Route, Store as _};
use jiff::{SignedDuration, Timestamp};

use crate::measure::{self, Server};

const EVENTS: u64 = 20_000;
/// About the size of a finding on the wire.
const BODY_BYTES: usize = 4_000;
const SINK: &str = "hook";

/// Takes everything until it is killed.
pub fn receive() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("http://{}/", listener.local_addr().unwrap());
        let routes = Router::new().route("/", post(|| async { StatusCode::NO_CONTENT }));
        axum::serve(listener, routes).await.unwrap();
    });
}

fn event(sequence: u64, now: Timestamp) -> Event {
    Event {
        sequence,
        id: format!("evt_{sequence:026}"),
        kind: "dev.headcount.finding.opened.v1".to_owned(),
        finding: Some(format!("f_{sequence}")),
        time: now,
        body: format!("{{\"filler\":\"{}\"}}", "x".repeat(BODY_BYTES)),
    }
}

/// Queues the events and delivers them all; prints how many went out in a second.
pub fn deliver(url: &str) {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(directory.path()).await.unwrap());
        let now = Timestamp::now();
        let commit = Commit {
            at: now,
            scan: "bench".to_owned(),
            source: "bench".to_owned(),
            events: (1..=EVENTS).map(|sequence| event(sequence, now)).collect(),
            sinks: vec![Route::all(SINK)],
            ..Commit::default()
        };
        store.commit(&commit).await.unwrap();
        let secret = directory.path().join("secret");
        std::fs::write(&secret, "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=").unwrap();
        let config = serde_json::json!({
            "name": SINK,
            "type": "webhook",
            "url": url,
            "secrets": [format!("file:{}", secret.display())],
            "allow_cidrs": ["127.0.0.0/8"],
        });
        let sink = build(&serde_json::from_value(config).unwrap()).unwrap();
        let deliverer = Deliverer::new(store, vec![sink], Arc::new(SystemClock), Pace::default());
        let start = Instant::now();
        let drained = deliverer.drain(SignedDuration::ZERO).await.unwrap();
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(drained[0].delivered, EVENTS, "{:?}", drained[0].error);
        let per_second = f64::from(u32::try_from(EVENTS).unwrap()) / seconds;
        println!("{per_second:.0}");
    });
}

pub fn figures() {
    let receiver = Server::start(&["receive"]);
    let output = measure::this_program(&["deliver", &receiver.url]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let per_second = String::from_utf8(output.stdout).unwrap();
    measure::line("deliveries to a webhook on loopback", &format!("{}/s", per_second.trim()));
}
