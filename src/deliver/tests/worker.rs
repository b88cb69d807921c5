//! Whole deliveries: from the committed outbox to the receiver and back into the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::event;
use super::receiver::{NEW, Receiver, status, with_headers};
use crate::clock::{Clock as _, ManualClock};
use crate::deliver::sinks::{self, SinkConfig};
use crate::deliver::{Deliverer, DeliveryError, Drained, NamedSink, Pace, Sink};
use crate::store::sqlite::SqliteStore;
use crate::store::{Commit, Event, Route, Store};

/// No test waits longer for something that should happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A store of its own, and a clock that stands still.
pub struct Bench {
    pub store: Arc<SqliteStore>,
    pub clock: ManualClock,
    folder: TempDir,
}

impl Bench {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(folder.path()).await.unwrap());
        let clock = ManualClock::at("2026-11-21T00:00:00Z".parse().unwrap());
        Self { store, clock, folder }
    }

    /// Commits events for these findings in turn, for each sink.
    async fn commit(&self, sinks: &[&str], findings: &[Option<&str>]) {
        let first = self.store.next_sequence().await.unwrap();
        let events = (first..).zip(findings).map(|(sequence, f)| event(sequence, *f)).collect();
        self.commit_events(sinks, events).await;
    }

    pub async fn commit_events(&self, sinks: &[&str], events: Vec<Event>) {
        let commit = Commit {
            at: self.clock.now(),
            scan: "scan".to_owned(),
            source: "aws".to_owned(),
            events,
            sinks: sinks.iter().map(|name| Route::all(name)).collect(),
            ..Commit::default()
        };
        self.store.commit(&commit).await.unwrap();
    }

    pub fn sink(&self, config: &SinkConfig) -> NamedSink {
        sinks::build_with_clock(config, Arc::new(self.clock.clone())).unwrap()
    }

    pub fn deliverer(&self, sinks: Vec<NamedSink>) -> Deliverer {
        let pace = Pace { dice: || 0.5, grace: Duration::ZERO, ..Pace::default() };
        Deliverer::new(self.store.clone(), sinks, Arc::new(self.clock.clone()), pace)
    }

    /// One deliverer to one receiver, under the name `hook`.
    fn hook(&self, receiver: &Receiver) -> Deliverer {
        self.deliverer(vec![self.sink(&receiver.config("hook"))])
    }

    pub fn wait(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    async fn next_due(&self) -> Option<Timestamp> {
        self.store.queue("hook").await.unwrap().next_due_at
    }
}

/// A sink of a test's own, under the name `hook`.
pub fn hook(sink: impl Sink + 'static) -> NamedSink {
    NamedSink::new("hook", Box::new(sink))
}

/// What is due right now, delivered.
pub async fn drain(deliverer: &Deliverer) -> Drained {
    let mut drained = deliverer.drain(SignedDuration::ZERO).await.unwrap();
    assert_eq!(drained.len(), 1);
    drained.remove(0)
}

#[tokio::test]
async fn failed_delivery_is_made_again_under_the_same_id_with_a_new_time() {
    let bench = Bench::new().await;
    let receiver = Receiver::answering(&[500]).await;
    let deliverer = bench.hook(&receiver);
    bench.commit(&["hook"], &[Some("f_1")]).await;

    let first = drain(&deliverer).await;
    assert_eq!((first.delivered, first.failed, first.queue.pending), (0, 1, 1));
    assert_eq!(first.error.as_deref(), Some("127.0.0.1 answered 500"));
    assert_eq!(drain(&deliverer).await.failed, 0, "not due yet");
    bench.wait(5);
    let second = drain(&deliverer).await;
    assert_eq!((second.delivered, second.queue.pending, second.queue.delivered), (1, 0, 1));

    let [one, two] = &receiver.seen()[..] else { panic!("two requests") };
    assert_eq!(one.id(), two.id());
    assert_eq!(one.body, two.body);
    assert_ne!(one.header("webhook-timestamp"), two.header("webhook-timestamp"));
    assert!(one.is_signed(NEW) && two.is_signed(NEW));
}

#[tokio::test]
async fn later_events_of_a_finding_wait_for_the_first() {
    let bench = Bench::new().await;
    let mut refusals = 2;
    let receiver = Receiver::start(move |seen| {
        let refuse = seen.id() == "evt_1" && refusals > 0;
        refusals -= i32::from(refuse);
        status(if refuse { 503 } else { 200 })
    })
    .await;
    let deliverer = bench.hook(&receiver);
    bench.commit(&["hook"], &[Some("f_1"), Some("f_2"), Some("f_1"), None]).await;
    for seconds in [5, 300, 0] {
        drain(&deliverer).await;
        bench.wait(seconds);
    }
    let ids = receiver.ids();
    let of_first: Vec<_> = ids.iter().filter(|id| ["evt_1", "evt_3"].contains(&&***id)).collect();
    assert_eq!(of_first, ["evt_1", "evt_1", "evt_1", "evt_3"]);
    assert_eq!(ids.iter().filter(|id| ["evt_2", "evt_4"].contains(&&***id)).count(), 2);
}

#[tokio::test]
async fn receiver_that_is_gone_gets_a_dead_letter_at_once() {
    let bench = Bench::new().await;
    let receiver = Receiver::answering(&[410]).await;
    let deliverer = bench.hook(&receiver);
    bench.commit(&["hook"], &[Some("f_1")]).await;
    let drained = drain(&deliverer).await;
    assert_eq!((drained.queue.pending, drained.queue.dead), (0, 1));
    let [dead] = &bench.store.dead_letters("hook").await.unwrap()[..] else { panic!("one") };
    assert_eq!((dead.event.id.as_str(), dead.attempts), ("evt_1", 1));
    assert_eq!(dead.error, "127.0.0.1 answered 410");
}

#[tokio::test]
async fn wrong_secret_ends_in_dead_letters_that_can_be_replayed() {
    let bench = Bench::new().await;
    let receiver = Receiver::answering(&[401, 401, 401]).await;
    let deliverer = bench.hook(&receiver);
    bench.commit(&["hook"], &[Some("f_1")]).await;
    for _ in 0..4 {
        drain(&deliverer).await;
        bench.wait(300);
    }
    assert_eq!(receiver.ids(), ["evt_1"; 3], "three attempts and no more");
    assert_eq!(bench.store.queue("hook").await.unwrap().dead, 1);
    let replayed = bench.store.replay("hook", None, bench.clock.now()).await.unwrap();
    assert_eq!(replayed, 1);
    assert_eq!(drain(&deliverer).await.queue.delivered, 1);
    assert_eq!(receiver.ids(), ["evt_1"; 4]);
}

#[tokio::test]
async fn receiver_that_is_down_for_days_is_given_up_after_ten_attempts() {
    let bench = Bench::new().await;
    let receiver = Receiver::start(|_| status(500)).await;
    let deliverer = bench.hook(&receiver);
    bench.commit(&["hook"], &[Some("f_1")]).await;
    for _ in 0..10 {
        drain(&deliverer).await;
        bench.wait(24 * 3600);
    }
    assert_eq!(drain(&deliverer).await.failed, 0);
    assert_eq!(receiver.seen().len(), 10);
    let [dead] = &bench.store.dead_letters("hook").await.unwrap()[..] else { panic!("one") };
    assert_eq!(dead.attempts, 10);
}

#[tokio::test]
async fn pause_that_the_receiver_asks_for_is_respected() {
    let bench = Bench::new().await;
    let mut first = true;
    let receiver = Receiver::start(move |_| {
        let busy = std::mem::take(&mut first);
        if busy { with_headers(429, &[("retry-after", "120")]) } else { status(200) }
    })
    .await;
    let deliverer = bench.hook(&receiver);
    bench.commit(&["hook"], &[Some("f_1")]).await;
    drain(&deliverer).await;
    assert_eq!(bench.next_due().await, Some(bench.clock.now() + SignedDuration::from_mins(2)));
    bench.wait(119);
    drain(&deliverer).await;
    assert_eq!(receiver.seen().len(), 1);
    bench.wait(1);
    drain(&deliverer).await;
    assert_eq!(receiver.seen().len(), 2);
}

#[tokio::test]
async fn sink_that_takes_nothing_is_tried_with_single_events_until_it_does() {
    let bench = Bench::new().await;
    let down = Arc::new(AtomicUsize::new(1));
    let receiver = {
        let down = Arc::clone(&down);
        Receiver::start(move |_| status(if down.load(Ordering::SeqCst) == 1 { 500 } else { 200 }))
            .await
    };
    let deliverer = bench.hook(&receiver);
    bench.commit(&["hook"], &[None; 200]).await;

    drain(&deliverer).await;
    let at_first = receiver.seen().len();
    assert!(at_first < 50, "{at_first} requests to a sink that is down");
    assert!(deliverer.counters().is_failing("hook"));
    drain(&deliverer).await;
    assert_eq!(receiver.seen().len(), at_first, "a pause");
    bench.wait(5);
    drain(&deliverer).await;
    assert_eq!(receiver.seen().len(), at_first + 1, "one probe");

    down.store(0, Ordering::SeqCst);
    bench.wait(3600);
    let drained = drain(&deliverer).await;
    assert_eq!((drained.delivered, drained.queue.pending), (200, 0));
    assert!(!deliverer.counters().is_failing("hook"));
    let counted = deliverer.counters().attempts();
    assert_eq!(counted.get(&("hook".to_owned(), "delivered")), Some(&200));
    assert_eq!(counted.get(&("hook".to_owned(), "retry")), Some(&(at_first as u64 + 1)));
}

#[tokio::test]
async fn failing_sink_holds_up_no_other_and_wake_is_heard() {
    let bench = Bench::new().await;
    let broken = Receiver::start(|_| status(500)).await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let healthy = Receiver::start(move |seen| {
        tell.send(seen.id().to_owned()).unwrap();
        status(200)
    })
    .await;
    let sinks = vec![bench.sink(&broken.config("broken")), bench.sink(&healthy.config("healthy"))];
    let deliverer = Arc::new(bench.deliverer(sinks));
    let stop = CancellationToken::new();
    let running = {
        let (deliverer, stop) = (Arc::clone(&deliverer), stop.clone());
        tokio::spawn(async move { deliverer.run(stop).await })
    };
    for n in 1..=3 {
        bench.commit(&["broken", "healthy"], &[Some("f_1")]).await;
        deliverer.wake();
        let heard = tokio::time::timeout(PATIENCE, told.recv()).await.unwrap();
        assert_eq!(heard, Some(format!("evt_{n}")));
    }
    stop.cancel();
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
    assert_eq!(bench.store.queue("broken").await.unwrap().pending, 3);
}

#[tokio::test]
async fn drain_waits_for_retries_within_its_patience() {
    let bench = Bench::new().await;
    let receiver = Receiver::answering(&[500]).await;
    let deliverer = Arc::new(bench.hook(&receiver));
    bench.commit(&["hook"], &[Some("f_1")]).await;
    let draining = {
        let deliverer = Arc::clone(&deliverer);
        tokio::spawn(async move { deliverer.drain(SignedDuration::from_mins(1)).await })
    };
    let failed = async {
        while bench.next_due().await <= Some(bench.clock.now()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, failed).await.unwrap();
    bench.wait(6);
    deliverer.wake();
    let drained = tokio::time::timeout(PATIENCE, draining).await.unwrap().unwrap().unwrap();
    assert_eq!((drained[0].delivered, drained[0].failed), (1, 1));
}

/// A sink that does as it is told.
struct Double {
    deliver: fn(&Event) -> Result<(), DeliveryError>,
    settle: Result<(), DeliveryError>,
    /// Never ends a delivery.
    stuck: Option<tokio::sync::mpsc::UnboundedSender<()>>,
    under_way: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Default for Double {
    fn default() -> Self {
        Self {
            deliver: |_| Ok(()),
            settle: Ok(()),
            stuck: None,
            under_way: Arc::default(),
            most: Arc::default(),
        }
    }
}

#[async_trait]
impl Sink for Double {
    fn concurrency(&self) -> usize {
        3
    }

    async fn deliver(&self, event: &Event) -> Result<(), DeliveryError> {
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(under_way, Ordering::SeqCst);
        if let Some(stuck) = &self.stuck {
            stuck.send(()).unwrap();
            std::future::pending::<()>().await;
        }
        tokio::task::yield_now().await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        (self.deliver)(event)
    }

    async fn settle(&self) -> Result<(), DeliveryError> {
        self.settle.clone()
    }
}

#[tokio::test]
async fn no_more_events_are_under_way_than_the_sink_takes() {
    let bench = Bench::new().await;
    let most = Arc::new(AtomicUsize::new(0));
    let sink = Double { most: Arc::clone(&most), ..Double::default() };
    let deliverer = bench.deliverer(vec![hook(sink)]);
    bench.commit(&["hook"], &[None; 600]).await;
    let drained = drain(&deliverer).await;
    assert_eq!((drained.delivered, drained.queue.pending), (600, 0));
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn what_could_not_be_made_durable_is_not_delivered() {
    let bench = Bench::new().await;
    let sink = Double { settle: Err(DeliveryError::retry("disk full")), ..Double::default() };
    let deliverer = bench.deliverer(vec![hook(sink)]);
    bench.commit(&["hook"], &[Some("f_1"), Some("f_2")]).await;
    let drained = drain(&deliverer).await;
    assert_eq!((drained.delivered, drained.failed, drained.queue.pending), (0, 2, 2));
    assert_eq!(drained.error.as_deref(), Some("disk full"));
}

#[tokio::test]
async fn stopping_leaves_what_is_under_way_for_the_next_start() {
    let bench = Bench::new().await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let sink = Double { stuck: Some(tell), ..Double::default() };
    let deliverer = Arc::new(bench.deliverer(vec![hook(sink)]));
    bench.commit(&["hook"], &[Some("f_1")]).await;
    let stop = CancellationToken::new();
    let running = {
        let (deliverer, stop) = (Arc::clone(&deliverer), stop.clone());
        tokio::spawn(async move { deliverer.run(stop).await })
    };
    tokio::time::timeout(PATIENCE, told.recv()).await.unwrap();
    stop.cancel();
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
    let due = bench.store.due_deliveries("hook", bench.clock.now(), 9).await.unwrap();
    assert_eq!((due.len(), due[0].attempts), (1, 0));
}

#[tokio::test]
async fn drain_ends_when_told_to_stop() {
    let bench = Bench::new().await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let sink = Double { stuck: Some(tell), ..Double::default() };
    let deliverer = bench.deliverer(vec![hook(sink)]);
    bench.commit(&["hook"], &[None; 9]).await;
    let stop = CancellationToken::new();
    let stopping = async {
        told.recv().await;
        stop.cancel();
    };
    let draining = deliverer.drain_until(SignedDuration::from_hours(1), &stop);
    let both = async { tokio::join!(draining, stopping) };
    let (drained, ()) = tokio::time::timeout(PATIENCE, both).await.unwrap();
    assert_eq!(drained.unwrap()[0].queue.pending, 9);
}

#[tokio::test]
async fn attempt_that_could_not_be_recorded_is_made_again_under_the_same_id() {
    let bench = Bench::new().await;
    let receiver = Receiver::answering(&[]).await;
    bench.commit(&["hook"], &[Some("f_1")]).await;
    let read_only = Arc::new(SqliteStore::open_reader(bench.folder.path()).await.unwrap());
    let sink = bench.sink(&receiver.config("hook"));
    let clock = Arc::new(bench.clock.clone());
    let deliverer = Deliverer::new(read_only, vec![sink], clock, Pace::default());
    assert!(deliverer.drain(SignedDuration::ZERO).await.is_err());
    assert!(deliverer.drain(SignedDuration::ZERO).await.is_err());
    assert_eq!(receiver.ids(), ["evt_1"], "it waits for the store instead of repeating itself");
    assert_eq!(drain(&bench.hook(&receiver)).await.delivered, 1);
    assert_eq!(receiver.ids(), ["evt_1", "evt_1"]);
}
