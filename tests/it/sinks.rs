//! Sinks against servers that nobody here wrote: NATS with JetStream, rsyslog, and moto's S3. What
//! vendors only document is tried on strict receivers in `src/deliver/tests`.

mod nats;
mod s3;
mod syslog;

use std::sync::Arc;
use std::time::Duration;

use headcount::clock::{Clock as _, ManualClock};
use headcount::deliver::sinks::{SinkConfig, build_with_clock};
use headcount::deliver::{Deliverer, Drained, Pace};
use headcount::store::sqlite::SqliteStore;
use headcount::store::{Commit, Event, Route, Store as _};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::agent::Agent;

const SINK: &str = "out";
const START: &str = "2026-11-21T20:59:58.125Z";

/// A store of its own, and a clock that stands still.
struct Bench {
    store: Arc<SqliteStore>,
    clock: ManualClock,
    _folder: TempDir,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(folder.path()).await.unwrap());
        let clock = ManualClock::at(START.parse().unwrap());
        Self { store, clock, _folder: folder }
    }

    async fn commit(&self, events: Vec<Event>) {
        let commit = Commit {
            at: self.clock.now(),
            scan: "scan".to_owned(),
            source: "aws".to_owned(),
            events,
            sinks: vec![Route::all(SINK)],
            ..Commit::default()
        };
        self.store.commit(&commit).await.unwrap();
    }

    fn deliverer(&self, config: &Value) -> Deliverer {
        let mut config = config.clone();
        config["name"] = SINK.into();
        config["allow_cidrs"] = json!(["127.0.0.0/8"]);
        let config: SinkConfig = serde_json::from_value(config).unwrap();
        let clock = Arc::new(self.clock.clone());
        let sink = build_with_clock(&config, clock.clone()).unwrap();
        let pace = Pace { dice: || 0.5, grace: Duration::ZERO, ..Pace::default() };
        Deliverer::new(self.store.clone(), vec![sink], clock, pace)
    }

    /// An outage from its first failure to the dead letters; gives the last error. Each event has
    /// ten attempts.
    async fn give_up(&self, deliverer: &Deliverer) -> String {
        loop {
            drain(deliverer).await;
            let queue = self.store.queue(SINK).await.unwrap();
            if queue.pending == 0 {
                break;
            }
            self.clock.advance(SignedDuration::from_hours(25));
        }
        let letters = self.store.dead_letters(SINK).await.unwrap();
        assert!(letters.iter().all(|letter| letter.attempts == 10), "{letters:?}");
        assert!(deliverer.counters().is_failing(SINK));
        letters.last().unwrap().error.clone()
    }

    /// Has dead letters sent again; gives how many arrived.
    async fn replay(&self, deliverer: &Deliverer) -> u64 {
        self.store.replay(SINK, None, self.clock.now()).await.unwrap();
        self.clock.advance(SignedDuration::from_hours(1));
        let drained = drain(deliverer).await;
        assert_eq!((drained.queue.pending, drained.queue.dead), (0, 0), "{drained:?}");
        assert!(!deliverer.counters().is_failing(SINK));
        drained.delivered
    }
}

async fn drain(deliverer: &Deliverer) -> Drained {
    deliverer.drain(SignedDuration::ZERO).await.unwrap().remove(0)
}

/// An opened finding of its own, so many seconds after the start.
fn event(sequence: u64, seconds: i64) -> Event {
    titled(sequence, seconds, &format!("Key {sequence} was not used for 120 days."))
}

fn titled(sequence: u64, seconds: i64, title: &str) -> Event {
    let start: Timestamp = START.parse().unwrap();
    let time = start + SignedDuration::from_secs(seconds);
    let (id, finding) = (format!("evt_{sequence}"), format!("f_{sequence}"));
    let body = json!({
        "specversion": "1.0",
        "id": id,
        "source": "/agents/prod",
        "type": "dev.headcount.finding.opened.v1",
        "subject": format!("aws:123456789012:access-key/key-{sequence}"),
        "time": time,
        "datacontenttype": "application/json",
        "data": {
            "class_uid": 2004,
            "severity_id": 4,
            "status_id": 1,
            "message": title,
            "metadata": {"event_code": "stale-credential", "log_provider": "aws"},
            "finding_info": {"uid": finding, "title": "Stale credential"},
            "resources": [{"name": "svc \"a\\b]", "owner": {"name": "team]\"\\x"}}],
            "unmapped": {"change": "opened"},
        },
    });
    Event {
        sequence,
        id,
        kind: "dev.headcount.finding.opened.v1".to_owned(),
        finding: Some(finding),
        time,
        body: body.to_string(),
    }
}

/// The command line with one sink of this kind.
fn agent(sink: &Value) -> Agent {
    let mut sink = sink.clone();
    sink["name"] = SINK.into();
    sink["allow_cidrs"] = json!(["127.0.0.0/8"]);
    let home = tempfile::tempdir().unwrap();
    let source = json!({"name": "aws", "connector": "aws"});
    Agent::reading(home, &[source], None).with_sinks(&json!([sink]))
}
