//! Sinks that take several events with one request: what goes together, and when.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use headcount_core::findings::Severity;
use jiff::SignedDuration;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::event;
use super::receiver::Receiver;
use super::slack::slack;
use super::told::told;
use super::worker::{Bench, PATIENCE, drain, hook};
use crate::clock::Clock as _;
use crate::deliver::{Batch, DeliveryError, Sink};
use crate::store::{Event, Store as _};

/// Takes batches of two, of events whose sequence divided by ten is the same; refuses whatever
/// holds the event 5.
#[derive(Clone, Default)]
struct Pairs(Arc<Mutex<Vec<Vec<u64>>>>);

#[async_trait]
impl Sink for Pairs {
    fn batch(&self) -> Option<Batch> {
        Some(Batch { events: 2, ..Batch::default() })
    }

    fn goes_with(&self, first: &Event, next: &Event) -> bool {
        first.sequence / 10 == next.sequence / 10
    }

    async fn deliver(&self, event: &Event) -> Result<(), DeliveryError> {
        self.deliver_batch(&[event]).await
    }

    async fn deliver_batch(&self, events: &[&Event]) -> Result<(), DeliveryError> {
        let sequences: Vec<u64> = events.iter().map(|event| event.sequence).collect();
        let is_refused = sequences.contains(&5);
        self.0.lock().unwrap().push(sequences);
        if is_refused {
            return Err(DeliveryError::Reject { reason: "five".to_owned() });
        }
        Ok(())
    }
}

#[tokio::test]
async fn batches_keep_the_order_and_only_what_is_refused_alone_is_refused() {
    let bench = Bench::new().await;
    let pairs = Pairs::default();
    let deliverer = bench.deliverer(vec![hook(pairs.clone())]);
    let events = (1..=12).map(|n| event(n, None)).collect();
    bench.commit_events(&["hook"], events).await;
    let drained = drain(&deliverer).await;
    assert_eq!((drained.delivered, drained.failed, drained.queue.pending), (11, 1, 1));
    let seen = pairs.0.lock().unwrap().clone();
    let expected: &[&[u64]] =
        &[&[1, 2], &[3, 4], &[5, 6], &[5], &[6], &[7, 8], &[9], &[10, 11], &[12]];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn large_events_go_in_smaller_batches() {
    struct Small(Pairs);
    #[async_trait]
    impl Sink for Small {
        fn batch(&self) -> Option<Batch> {
            Some(Batch { bytes: 70, ..Batch::default() })
        }
        async fn deliver(&self, event: &Event) -> Result<(), DeliveryError> {
            self.0.deliver(event).await
        }
        async fn deliver_batch(&self, events: &[&Event]) -> Result<(), DeliveryError> {
            self.0.deliver_batch(events).await
        }
    }
    let bench = Bench::new().await;
    let pairs = Pairs::default();
    let deliverer = bench.deliverer(vec![hook(Small(pairs.clone()))]);
    // Some thirty bytes each, and one that is larger than a batch may be.
    let large = Event { body: format!("{{\"id\":\"{}\"}}", "x".repeat(200)), ..event(3, None) };
    let events = vec![event(1, None), event(2, None), large, event(4, None)];
    bench.commit_events(&["hook"], events).await;
    drain(&deliverer).await;
    assert_eq!(*pairs.0.lock().unwrap(), [vec![1, 2], vec![3], vec![4]]);
}

/// A Slack channel with a window of a minute, behind a worker that runs.
struct Channel {
    bench: Bench,
    deliverer: Arc<crate::deliver::Deliverer>,
    messages: mpsc::UnboundedReceiver<String>,
    _receiver: Receiver,
}

impl Channel {
    async fn new() -> Self {
        let bench = Bench::new().await;
        let (tell, messages) = mpsc::unbounded_channel();
        let receiver = Receiver::start(move |seen| {
            tell.send(seen.json()["text"].as_str().unwrap().to_owned()).unwrap();
            slack(seen)
        })
        .await;
        let sink = bench.sink(&receiver.config_of("slack", json!({"digest_secs": 60})));
        let deliverer = Arc::new(bench.deliverer(vec![sink]));
        Self { bench, deliverer, messages, _receiver: receiver }
    }

    /// Commits an event now, and has the worker look.
    async fn commit(&self, sequence: u64, severity: Severity) {
        let now = self.bench.clock.now();
        let event = told(sequence, |finding, _| {
            finding.severity = severity;
            finding.updated_at = now;
        });
        self.bench.commit_events(&["hook"], vec![event]).await;
        self.deliverer.wake();
    }

    async fn next(&mut self) -> String {
        tokio::time::timeout(PATIENCE, self.messages.recv()).await.unwrap().unwrap()
    }

    async fn pass(&self, seconds: i64) {
        self.bench.wait(seconds);
        self.deliverer.wake();
        // The worker looks at what is due; nothing tells that it has.
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn what_comes_within_the_window_shares_a_message_and_what_is_urgent_waits_for_nobody() {
    let mut channel = Channel::new().await;
    let stop = CancellationToken::new();
    let running = {
        let (deliverer, stop) = (Arc::clone(&channel.deliverer), stop.clone());
        tokio::spawn(async move { deliverer.run(stop).await })
    };
    channel.commit(1, Severity::Low).await;
    channel.pass(30).await;
    channel.commit(2, Severity::High).await;
    channel.pass(29).await;
    assert!(channel.messages.try_recv().is_err(), "a second is missing");
    channel.pass(1).await;
    assert_eq!(channel.next().await, "Headcount: 2 opened (1 high, 1 low)");

    channel.commit(3, Severity::Medium).await;
    channel.pass(5).await;
    channel.commit(4, Severity::Critical).await;
    assert_eq!(channel.next().await, "Headcount: 2 opened (1 critical, 1 medium)");

    stop.cancel();
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
    assert_eq!(channel.bench.store.queue("hook").await.unwrap().pending, 0);
}

#[tokio::test]
async fn a_command_that_ends_leaves_nothing_gathering() {
    let mut channel = Channel::new().await;
    channel.commit(1, Severity::Low).await;
    let drained = channel.deliverer.drain(SignedDuration::ZERO).await.unwrap();
    assert_eq!((drained[0].delivered, drained[0].queue.pending), (1, 0));
    assert_eq!(channel.next().await, "Headcount: 1 opened (1 low)");
}
