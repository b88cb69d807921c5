//! Pushes, one after the other, and what a scan reads of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::sync::Arc;

use headcount_sdk::contract::Memo;
use headcount_sdk::{Cache, MemoryCache, Observation, Priority};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;

fn at(hour: i64) -> Timestamp {
    let noon: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
    noon + SignedDuration::from_hours(hour)
}

fn scope() -> Scope {
    Scope::new("lab:1", "keys")
}

fn failed(reason: &str) -> Value {
    let error = json!({"cause": "unavailable", "operation": "listKeys", "reason": reason});
    json!({"type": "failed", "scope": scope(), "error": error})
}

struct Lab {
    cache: Arc<MemoryCache>,
    connector: PushConnector,
}

impl Lab {
    fn new() -> Self {
        let config = json!({"tokens": ["file:/nowhere"], "expect_every_secs": 24 * 3600});
        let config: Config = serde_json::from_value(config).unwrap();
        Self { cache: Arc::default(), connector: PushConnector::new(&config).unwrap() }
    }

    fn cx(&self, now: Timestamp, pass: Pass) -> ScanContext {
        ScanContext {
            scan: "s".to_owned(),
            source: "lab".to_owned(),
            now,
            priority: Priority::Scan,
            pass,
            cache: Arc::clone(&self.cache) as Arc<dyn Cache>,
            memo: Memo::default(),
        }
    }

    /// Pushes these keys, and how it ended.
    async fn push(&self, scan: &str, now: Timestamp, keys: &[&str], end: Option<Value>) {
        let mut spooler = Door::spooler(now);
        let begin = json!({"type": "begin", "schema": 1, "scan": scan});
        spooler.feed(format!("{begin}\n").as_bytes());
        for key in keys {
            let line = json!({"type": "observation", "scope": scope(), "observation": {
                "id": format!("lab:1:key/{key}"), "class": "credential", "kind": "key", "name": key}});
            spooler.feed(format!("{line}\n").as_bytes());
        }
        if let Some(end) = end {
            spooler.feed(format!("{end}\n").as_bytes());
        }
        spooler.end();
        assert_eq!(spooler.problems(), []);
        Door::keep(&*self.cache, spooler.finish(), now).await.unwrap();
    }

    async fn complete(&self, scan: &str, now: Timestamp, keys: &[&str]) {
        let end = json!({"type": "complete", "scope": scope()});
        self.push(scan, now, keys, Some(end)).await;
    }

    async fn read(&self, now: Timestamp, pass: Pass) -> (Vec<String>, Result<Complete, ScanError>) {
        let mut names = Vec::new();
        let mut sink = |observation: Observation| names.push(observation.name);
        let recorder = Recorder::new(scope(), &mut sink);
        let outcome = self.connector.observe(&self.cx(now, pass), &scope(), recorder).await;
        (names, outcome)
    }

    async fn is_confirmed(&self) -> bool {
        match self.read(at(9), Pass::Confirming).await.1 {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.operation(), CONFIRM);
                false
            }
        }
    }
}

#[tokio::test]
async fn a_scan_reads_the_last_push_as_of_when_it_was_pushed() {
    let lab = Lab::new();
    lab.complete("one", at(0), &["a"]).await;
    lab.complete("two", at(1), &["a", "b"]).await;
    assert_eq!(lab.connector.scopes(&lab.cx(at(2), Pass::First)).await.unwrap(), [scope()]);
    let (names, outcome) = lab.read(at(2), Pass::First).await;
    assert_eq!(names, ["a", "b"]);
    assert_eq!(outcome.unwrap().as_of(), Some(at(1)));
}

#[tokio::test]
async fn an_answer_is_no_younger_than_its_source_said() {
    let lab = Lab::new();
    for (said, holds) in [(at(-5), at(-5)), (at(0), at(0))] {
        let end = json!({"type": "complete", "scope": scope(), "as_of": said});
        lab.push(&said.to_string(), at(0), &["a"], Some(end)).await;
        assert_eq!(lab.read(at(1), Pass::First).await.1.unwrap().as_of(), Some(holds));
    }
}

#[tokio::test]
async fn after_a_silence_nothing_is_read_and_nothing_is_gone() {
    let lab = Lab::new();
    lab.complete("one", at(0), &["a"]).await;
    assert!(lab.read(at(24), Pass::First).await.1.is_ok(), "exactly as long as expected");
    let late = at(24) + SignedDuration::from_secs(1);
    let error = lab.read(late, Pass::First).await.1.unwrap_err().to_string();
    assert!(error.contains("nothing was pushed since 2026-03-10T12:00:00Z"), "{error}");
}

#[tokio::test]
async fn what_was_never_pushed_or_is_lost_is_unread() {
    let lab = Lab::new();
    let error = lab.connector.scopes(&lab.cx(at(0), Pass::First)).await.unwrap_err();
    assert_eq!(error.cause(), "unavailable");
    assert_eq!(lab.read(at(0), Pass::First).await.1.unwrap_err().cause(), "unavailable");
    lab.complete("one", at(0), &["a"]).await;
    for broken in [&b""[..], b"\xff\xff\xff\xff", b"\x02\0\0\0{}"] {
        lab.cache.put("push:scope:lab:1/keys", broken.to_vec()).await;
        assert_eq!(lab.read(at(0), Pass::First).await.1.unwrap_err().cause(), "unavailable");
    }
}

#[tokio::test]
async fn of_a_scope_without_complete_no_record_is_taken() {
    let lab = Lab::new();
    lab.push("one", at(0), &["a"], None).await;
    let (names, outcome) = lab.read(at(0), Pass::First).await;
    assert!(names.is_empty());
    assert!(outcome.unwrap_err().to_string().contains("without `complete`"));
    lab.push("two", at(0), &["a"], Some(failed("it rained"))).await;
    let (names, outcome) = lab.read(at(0), Pass::First).await;
    assert!(names.is_empty());
    assert_eq!(outcome.unwrap_err().operation(), "listKeys");
}

#[tokio::test]
async fn only_another_push_that_lacks_no_more_confirms_a_removal() {
    let lab = Lab::new();
    lab.complete("one", at(0), &["a", "b", "c"]).await;
    assert!(!lab.is_confirmed().await, "there is nothing to compare with");
    lab.complete("two", at(1), &["a"]).await;
    assert!(!lab.is_confirmed().await, "the one before had b and c");
    assert!(!lab.is_confirmed().await, "the same push again proves nothing");
    lab.complete("two", at(1), &["a"]).await;
    assert!(!lab.is_confirmed().await, "nor does the same push, sent again");
    lab.push("three", at(2), &[], Some(failed("it rained"))).await;
    lab.complete("four", at(3), &["a", "d"]).await;
    assert!(lab.is_confirmed().await, "a push that failed between them changes nothing");
    lab.complete("five", at(4), &["d"]).await;
    assert!(!lab.is_confirmed().await, "a is missing for the first time");
    lab.complete("six", at(5), &["a", "b", "c", "d"]).await;
    assert!(lab.is_confirmed().await);
}

#[tokio::test]
async fn while_a_removal_waits_what_is_there_is_seen() {
    let lab = Lab::new();
    lab.complete("one", at(0), &["a", "b"]).await;
    lab.complete("two", at(1), &["new"]).await;
    let (names, outcome) = lab.read(at(1), Pass::Confirming).await;
    assert_eq!(names, ["new"]);
    assert_eq!(outcome.unwrap_err().operation(), CONFIRM);
}

/// A cache that takes nothing.
#[derive(Debug)]
struct Full;

#[async_trait]
impl Cache for Full {
    async fn get(&self, _key: &str) -> Option<Vec<u8>> {
        None
    }

    async fn put(&self, _key: &str, _value: Vec<u8>) {}
}

#[tokio::test]
async fn what_could_not_be_kept_is_not_taken_for_kept() {
    let mut spooler = Door::spooler(at(0));
    spooler.feed(b"{\"type\":\"begin\",\"schema\":1,\"scan\":\"s\"}\n");
    spooler.feed(format!("{}\n", json!({"type": "complete", "scope": scope()})).as_bytes());
    assert!(Door::keep(&Full, spooler.finish(), at(0)).await.is_err());
    let earlier = Earlier { scan: "s".into(), digest: "d".into(), answer: Value::Null };
    assert!(earlier.remember(&Full).await.is_err());
}

#[tokio::test]
async fn answers_are_remembered_by_scan_and_the_oldest_forgotten() {
    let cache = MemoryCache::default();
    for number in 0..300 {
        let answer = json!({"number": number});
        let (scan, digest) = (format!("s{number}"), "d".to_owned());
        Earlier { scan, digest, answer }.remember(&cache).await.unwrap();
    }
    assert!(Earlier::find(&cache, "s0").await.is_none());
    assert_eq!(Earlier::find(&cache, "s299").await.unwrap().answer["number"], 299);
    assert!(Earlier::find(&cache, "s44").await.is_some());
}

#[test]
fn only_a_token_is_let_in_and_both_during_a_change() {
    let home = tempfile::tempdir().unwrap();
    let reference = |name: &str, value: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, format!("{value}\n")).unwrap();
        SecretRef::File(path)
    };
    let (old, new) = ("old token EXAMPLE EXAMPLE", "new token EXAMPLE EXAMPLE");
    let gone = SecretRef::File(home.path().join("gone"));
    let door = Door::new(vec![
        gone,
        reference("old", old),
        reference("new", new),
        reference("short", "EXAMPLE"),
    ]);
    assert!(door.admits(old) && door.admits(new));
    for wrong in ["", "EXAMPLE", &old[1..], &format!("{old} ")] {
        assert!(!door.admits(wrong), "{wrong}");
    }
    assert!(door.tokens().is_err(), "a check says that one is missing");
    reference("old", "another token EXAMPLE EXAMPLE");
    assert!(!door.admits(old), "a token that was changed is out at once");
}
