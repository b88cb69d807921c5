//! An outage of each sink over HTTP, from the first failure to the replay: retries, dead letters and
//! metrics are those of every sink.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::http::Response;
use headcount_core::findings::Severity;
use serde_json::json;

use super::pagerduty::pagerduty;
use super::receiver::{Receiver, Seen, status};
use super::slack::slack;
use super::splunk::splunk;
use super::told::severe;
use super::worker::{Bench, drain};
use crate::clock::Clock as _;
use crate::store::Store as _;

async fn outage(kind: &str, healthy: fn(&Seen) -> Response<Body>) {
    let bench = Bench::new().await;
    let is_down = Arc::new(AtomicBool::new(true));
    let receiver =
        {
            let is_down = Arc::clone(&is_down);
            Receiver::start(move |seen| {
                if is_down.load(Ordering::SeqCst) { status(503) } else { healthy(seen) }
            })
            .await
        };
    let sink = bench.sink(&receiver.config_of(kind, json!({})));
    let deliverer = bench.deliverer(vec![sink]);
    let events = (1..=3).map(|n| severe(n, Severity::High)).collect();
    bench.commit_events(&["hook"], events).await;

    drain(&deliverer).await;
    assert!(deliverer.counters().is_failing("hook"), "{kind}");
    assert_eq!(bench.store.queue("hook").await.unwrap().pending, 3, "{kind}");
    // While it fails, one is tried at a time; each has ten attempts.
    for _ in 0..60 {
        bench.wait(25 * 3_600);
        drain(&deliverer).await;
    }
    let letters = bench.store.dead_letters("hook").await.unwrap();
    let told: Vec<_> = letters.iter().map(|l| (l.event.sequence, l.attempts, &*l.error)).collect();
    let error = "127.0.0.1 answered 503";
    assert_eq!(told, [(1, 10, error), (2, 10, error), (3, 10, error)], "{kind}");

    is_down.store(false, Ordering::SeqCst);
    let replayed = bench.store.replay("hook", None, bench.clock.now()).await.unwrap();
    assert_eq!(replayed, 3, "{kind}");
    bench.wait(3_600);
    let drained = drain(&deliverer).await;
    assert_eq!((drained.delivered, drained.queue.dead, drained.queue.pending), (3, 0, 0), "{kind}");
    assert!(!deliverer.counters().is_failing("hook"), "{kind}");
    let counted = deliverer.counters().attempts();
    let count = |outcome| counted.get(&("hook".to_owned(), outcome)).copied();
    assert_eq!((count("delivered"), count("dead")), (Some(3), Some(3)), "{kind}");
    assert_eq!(count("retry"), Some(27), "{kind}");
}

#[tokio::test]
async fn slack_is_given_up_after_ten_attempts_and_gets_everything_by_a_replay() {
    outage("slack", slack).await;
}

#[tokio::test]
async fn pagerduty_is_given_up_after_ten_attempts_and_gets_everything_by_a_replay() {
    outage("pagerduty", pagerduty).await;
}

#[tokio::test]
async fn splunk_is_given_up_after_ten_attempts_and_gets_everything_by_a_replay() {
    outage("splunk", splunk).await;
}
