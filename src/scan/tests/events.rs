//! Events while scans go on: a source that changes under a slow scan, tells of it, and is believed
//! over the scan's older answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use headcount_sdk::{Handled, Hint, Hints};
use tokio::sync::{Notify, mpsc};

use super::*;
use crate::scan::agent::{Inbox, Observer, Scheduled};

/// A source with users by key, whose scan answers from one old bulk call.
struct Busy {
    users: Mutex<BTreeMap<String, String>>,
    /// The scan waits here after its bulk call, once `is_slow`.
    bulk_read: Notify,
    go_on: Notify,
    is_slow: Mutex<bool>,
    /// What the feed says next; the feed breaks when it is told nothing more.
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Event>>,
    feeds: AtomicU32,
    refreshes: AtomicU32,
}

enum Event {
    Mark(String),
    /// Marks these, and passes on what became of them.
    Settle(Vec<String>, mpsc::UnboundedSender<Handled>),
    Break,
}

impl Busy {
    fn new() -> (Arc<Self>, mpsc::UnboundedSender<Event>) {
        let (sender, events) = mpsc::unbounded_channel();
        let busy = Self {
            users: Mutex::default(),
            bulk_read: Notify::new(),
            go_on: Notify::new(),
            is_slow: Mutex::new(false),
            events: tokio::sync::Mutex::new(events),
            feeds: AtomicU32::new(0),
            refreshes: AtomicU32::new(0),
        };
        (Arc::new(busy), sender)
    }

    fn put(&self, key: &str, name: &str) {
        self.users.lock().unwrap().insert(key.to_owned(), name.to_owned());
    }

    fn drop_user(&self, key: &str) {
        self.users.lock().unwrap().remove(key);
    }

    fn hint(key: &str) -> Hint {
        Hint::new(scope("users"), key)
    }
}

#[async_trait]
impl Connector for Busy {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    async fn scopes(&self, _cx: &ScanContext) -> Result<Vec<Scope>, ScanError> {
        Ok(vec![scope("first"), scope("users")])
    }

    async fn observe(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        // Both scopes answer from what the first of them read, as AWS accounts do.
        let bulk = async { Ok(self.users.lock().unwrap().clone()) };
        let bulk = cx.memo.once("bulk", bulk).await?;
        if scope.kind == "users" {
            for (key, name) in &*bulk {
                recorder.record(user(key, name));
            }
        } else if *self.is_slow.lock().unwrap() {
            self.bulk_read.notify_one();
            self.go_on.notified().await;
        }
        Ok(recorder.complete())
    }

    async fn refresh(
        &self,
        _cx: &ScanContext,
        _scope: &Scope,
        subjects: &BTreeSet<String>,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        self.refreshes.fetch_add(1, Ordering::Relaxed);
        let users = self.users.lock().unwrap();
        for key in subjects {
            if let Some(name) = users.get(key) {
                recorder.record(user(key, name));
            }
        }
        let looked_for = subjects.iter().map(|key| RecordId::new(PLACE, "user", key)).collect();
        Ok(recorder.complete_for_records(looked_for))
    }

    async fn feed(&self, _cx: &ScanContext, hints: Hints) -> Result<(), ScanError> {
        self.feeds.fetch_add(1, Ordering::Relaxed);
        let mut events = self.events.lock().await;
        while let Some(event) = events.recv().await {
            match event {
                Event::Mark(key) => {
                    hints.send(Self::hint(&key)).await;
                }
                Event::Settle(keys, told) => {
                    let marks = keys.iter().map(|key| Self::hint(key)).collect();
                    told.send(hints.settle(marks).await).unwrap();
                }
                Event::Break => break,
            }
        }
        Err(ScanError::Unavailable { operation: "feed".to_owned(), reason: "broke".to_owned() })
    }

    async fn check(&self, _cx: &ScanContext) -> Vec<Probe> {
        Vec::new()
    }
}

/// The world around a busy source: a first scan is done, the next one is slow.
async fn slow_world() -> (World, Arc<Busy>, mpsc::UnboundedSender<Event>) {
    let mut world = World::new().await;
    let (busy, events) = Busy::new();
    world.source.connector = Arc::clone(&busy) as Arc<dyn Connector>;
    for number in 0..20 {
        busy.put(&number.to_string(), &format!("user-{number}"));
    }
    world.scan().await;
    *busy.is_slow.lock().unwrap() = true;
    (world, busy, events)
}

async fn refresh(world: &World, key: &str) -> ScopeReport {
    let subjects = BTreeSet::from([key.to_owned()]);
    let done = world.engine.refresh(&world.source, &scope("users"), &subjects).await.unwrap();
    let Refreshed::Subjects(report) = done else { panic!("{done:?}") };
    report
}

#[tokio::test]
async fn what_a_hint_showed_outlives_the_older_answer_of_a_slow_scan() {
    let (world, busy, _events) = slow_world().await;
    let scan = async { world.engine.scan(&world.source, &Silent).await.unwrap() };
    let meanwhile = async {
        busy.bulk_read.notified().await;
        busy.put("new", "made-meanwhile");
        busy.drop_user("3");
        busy.put("4", "renamed");
        for key in ["new", "3", "4"] {
            refresh(&world, key).await;
        }
        busy.go_on.notify_one();
    };
    let (report, ()) = tokio::join!(scan, meanwhile);

    let names = world.names().await;
    assert!(names.contains("made-meanwhile"), "not gone because an older list lacks it");
    assert!(!names.contains("user-3"), "not back because an older list has it");
    assert!(names.contains("renamed"), "not renamed back");
    let users = &report.scopes[1];
    assert_eq!((users.appeared, users.changed, users.disappeared), (0, 0, 0));
    assert_eq!(users.records, 20, "20, one more, one less");

    *busy.is_slow.lock().unwrap() = false;
    let report = world.scan().await;
    let users = &report.scopes[1];
    assert_eq!((users.appeared, users.changed, users.disappeared, users.records), (0, 0, 0, 20));
}

#[tokio::test]
async fn a_refresh_that_fails_leaves_coverage_and_one_that_is_denied_does_not() {
    let world = World::new().await;
    world.answers("users", Ok(vec![user("1", "ci")]));
    world.scan().await;
    let coverage = async || world.store.scope_states(None).await.unwrap()[0].coverage.clone();
    let subjects = BTreeSet::from(["1".to_owned()]);
    for (error, after) in [(unavailable(), "complete"), (denied(), "incomplete")] {
        *world.script.refused.lock().unwrap() = Some(error.clone());
        let done = world.engine.refresh(&world.source, &scope("users"), &subjects).await.unwrap();
        assert!(matches!(done, Refreshed::Failed(told) if told == error));
        assert_eq!(coverage().await.as_str(), after);
        assert!(world.names().await.contains("ci"));
    }
}

/// Passes on what the agent says.
struct Ears(mpsc::UnboundedSender<&'static str>);

impl Observer for Ears {
    fn scanned(&self, _report: &ScanReport) {
        let _ = self.0.send("scanned");
    }

    fn failed(&self, _source: &str, _error: &EngineError) {
        let _ = self.0.send("failed");
    }

    fn refreshed(&self, _source: &str, outcome: &'static str) {
        let _ = self.0.send(outcome);
    }
}

fn agent_of(
    world: World,
) -> (
    Arc<SqliteStore>,
    mpsc::UnboundedReceiver<&'static str>,
    CancellationToken,
    impl Future<Output = ()>,
    tempfile::TempDir,
) {
    let World { engine, source, store, _dir, .. } = world;
    let scheduled = Scheduled {
        source,
        // Once a year: the test is over before.
        schedule: "0 0 0 1 1 *".to_owned(),
        jitter: std::time::Duration::ZERO,
    };
    let (told, heard) = mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    let running = tokio::spawn(agent::run(
        Arc::new(engine),
        vec![(scheduled, Inbox::default())],
        Arc::new(Ears(told)),
        cancel.clone(),
    ));
    let ended = async move { running.await.unwrap().unwrap() };
    (store, heard, cancel, ended, _dir)
}

#[tokio::test]
async fn ten_thousand_events_during_a_full_scan_are_few_readings_and_lose_nothing() {
    let (world, busy, events) = slow_world().await;
    let (store, mut heard, cancel, ended, _dir) = agent_of(world);
    busy.bulk_read.notified().await;
    for number in 100..1_100 {
        busy.put(&number.to_string(), &format!("user-{number}"));
    }
    for round in 0..10_000 {
        events.send(Event::Mark((100 + round % 1_000).to_string())).unwrap();
    }
    let (told, mut handled) = mpsc::unbounded_channel();
    busy.put("last", "last");
    events.send(Event::Settle(vec!["last".to_owned()], told)).unwrap();
    assert_eq!(handled.recv().await, Some(Handled::Committed));

    let held = store.count_in_scope("s", &scope("users")).await.unwrap();
    assert_eq!(held, 20 + 1_000 + 1, "everything is in while the scan still waits");
    let refreshes = busy.refreshes.load(Ordering::Relaxed);
    assert!(refreshes <= 200, "{refreshes} readings for 10,000 events");
    busy.go_on.notify_one();
    while heard.recv().await != Some("scanned") {}
    let held = store.count_in_scope("s", &scope("users")).await.unwrap();
    assert_eq!(held, 1_021, "the scan's older list took nothing away");
    cancel.cancel();
    ended.await;
}

#[tokio::test]
async fn a_feed_that_breaks_is_started_again() {
    let (world, busy, events) = slow_world().await;
    *busy.is_slow.lock().unwrap() = false;
    let (store, _heard, cancel, ended, _dir) = agent_of(world);
    events.send(Event::Break).unwrap();
    busy.put("after", "after-the-break");
    let (told, mut handled) = mpsc::unbounded_channel();
    events.send(Event::Settle(vec!["after".to_owned()], told)).unwrap();
    assert_eq!(handled.recv().await, Some(Handled::Committed));
    assert_eq!(busy.feeds.load(Ordering::Relaxed), 2);
    assert_eq!(store.count_in_scope("s", &scope("users")).await.unwrap(), 21);
    cancel.cancel();
    ended.await;
}
