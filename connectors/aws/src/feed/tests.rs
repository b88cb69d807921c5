//! The feed against a queue in memory, on a clock that stands still unless somebody waits.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::VecDeque;
use std::sync::Mutex;

use headcount_sdk::{Hinted, MemoryCache};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc::Receiver};

use super::aside::SetAside;
use super::*;

const SETTLE: Duration = Duration::from_secs(10);

/// A queue in memory. What it gives out is gone from it, as if hidden.
#[derive(Default)]
struct Fake {
    answers: Mutex<VecDeque<Result<Vec<Message>, ScanError>>>,
    added: Notify,
    deleted: Mutex<Vec<String>>,
    delete_fails: Mutex<Option<ScanError>>,
    objects: Mutex<BTreeMap<String, Result<Vec<u8>, ScanError>>>,
    asked: Mutex<Vec<String>>,
}

impl Fake {
    fn says(&self, answer: Result<Vec<Message>, ScanError>) {
        self.answers.lock().unwrap().push_back(answer);
        self.added.notify_one();
    }

    fn brings(&self, messages: Vec<Message>) {
        self.says(Ok(messages));
    }

    fn deleted(&self) -> Vec<String> {
        let mut deleted = self.deleted.lock().unwrap().clone();
        deleted.sort();
        deleted
    }
}

#[async_trait]
impl Wire for Fake {
    async fn receive(&self) -> Result<Vec<Message>, ScanError> {
        loop {
            let answer = self.answers.lock().unwrap().pop_front();
            match answer {
                Some(answer) => return answer,
                None => self.added.notified().await,
            }
        }
    }

    async fn delete(&self, receipts: &[String]) -> Result<usize, ScanError> {
        if let Some(error) = self.delete_fails.lock().unwrap().clone() {
            return Err(error);
        }
        self.deleted.lock().unwrap().extend_from_slice(receipts);
        Ok(0)
    }

    async fn fetch(&self, object: &Object) -> Result<Vec<u8>, ScanError> {
        self.objects.lock().unwrap()[&object.key].clone()
    }

    async fn counts(&self, place: &Place) -> Result<bool, ScanError> {
        self.asked.lock().unwrap().push(place.to_string());
        Ok(["aws:123456789012", "aws:210987654321"].contains(&place.to_string().as_str()))
    }
}

/// A feed that runs, and the agent's end of its hints.
struct Bench {
    wire: Arc<Fake>,
    cache: Arc<MemoryCache>,
    creators: Arc<Creators>,
    agent: Receiver<Hinted>,
    feed: tokio::task::JoinHandle<Result<(), ScanError>>,
}

impl Bench {
    fn start() -> Self {
        let (hints, agent) = Hints::queue(100);
        let wire = Arc::new(Fake::default());
        let cache: Arc<MemoryCache> = Arc::default();
        let creators: Arc<Creators> = Arc::default();
        let running = (Arc::clone(&wire), cache.clone(), Arc::clone(&creators));
        let feed = tokio::spawn(async move {
            let (wire, cache, creators) = running;
            let feed = Feed {
                source: "aws",
                wire: wire.as_ref(),
                hints,
                creators: &creators,
                cache,
                settle: SETTLE,
            };
            feed.run().await
        });
        Self { wire, cache, creators, agent, feed }
    }

    /// The next hints, in the order of their names, and the way to answer.
    async fn hinted(&mut self) -> (Vec<String>, tokio::sync::oneshot::Sender<Handled>) {
        let hinted = self.agent.recv().await.unwrap();
        let shown = hinted.hints.iter().map(|hint| format!("{} {}", hint.scope, hint.subject));
        (shown.collect(), hinted.receipt.unwrap())
    }

    async fn commits(&mut self) -> Vec<String> {
        let (hints, receipt) = self.hinted().await;
        receipt.send(Handled::Committed).unwrap();
        hints
    }

    /// Waits until so many messages are deleted.
    async fn deletes(&self, count: usize) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(3600);
        while self.wire.deleted().len() < count {
            assert!(Instant::now() < deadline, "deleted: {:?}", self.wire.deleted());
            sleep(Duration::from_millis(10)).await;
        }
        self.wire.deleted()
    }

    async fn set_aside(&self) -> SetAside {
        let kept = self.cache.get(aside::KEPT).await;
        kept.map(|kept| serde_json::from_slice(&kept).unwrap()).unwrap_or_default()
    }

    /// Lets everything happen that needs no more than this time.
    async fn passes(&self, secs: u64) {
        sleep(Duration::from_secs(secs)).await;
    }
}

fn record(name: &str, account: &str, request: &Value, answer: &Value) -> Value {
    json!({
        "eventSource": "iam.amazonaws.com", "eventName": name, "awsRegion": "us-east-1",
        "recipientAccountId": account, "requestParameters": request, "responseElements": answer,
        "userIdentity": {"type": "IAMUser", "userName": "ana"},
    })
}

fn message(id: &str, body: &Value) -> Message {
    Message { id: id.to_owned(), receipt: id.to_owned(), body: body.to_string(), receives: 1 }
}

fn role(id: &str, name: &str) -> Message {
    let request = json!({"roleName": name});
    message(id, &record("CreateRole", "123456789012", &request, &Value::Null))
}

fn unavailable() -> ScanError {
    ScanError::Unavailable { operation: "sqs:ReceiveMessage".to_owned(), reason: "x".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_deleted_when_what_it_names_is_committed_and_not_before() {
    let mut bench = Bench::start();
    let start = Instant::now();
    bench.wire.brings(vec![role("m1", "deployer")]);
    let (hints, receipt) = bench.hinted().await;
    assert_eq!(hints, ["aws:123456789012/roles deployer"]);
    assert_eq!(start.elapsed().as_secs(), SETTLE.as_secs());
    bench.passes(60).await;
    assert_eq!(bench.wire.deleted(), [""; 0], "it was not committed yet");
    receipt.send(Handled::Committed).unwrap();
    assert_eq!(bench.deletes(1).await, ["m1"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_hints_fail_stays_and_costs_no_other_account_any() {
    let mut bench = Bench::start();
    let other = record("CreateRole", "210987654321", &json!({"roleName": "x"}), &Value::Null);
    let both = json!({"Records": [other.clone(), record(
        "CreateRole", "123456789012", &json!({"roleName": "y"}), &Value::Null)]});
    bench.wire.brings(vec![role("m1", "deployer"), message("m2", &other), message("m3", &both)]);
    for _ in 0..2 {
        let (hints, receipt) = bench.hinted().await;
        let fails = hints[0].starts_with("aws:123456789012");
        receipt.send(if fails { Handled::Failed } else { Handled::Committed }).unwrap();
    }
    bench.passes(60).await;
    assert_eq!(bench.wire.deleted(), ["m2"]);
    assert_eq!(bench.set_aside().await, SetAside::default());

    // SQS shows it again, and this time it works.
    bench.wire.brings(vec![role("m1", "deployer")]);
    bench.commits().await;
    assert_eq!(bench.deletes(2).await, ["m1", "m2"]);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_is_dropped_is_a_failure() {
    let mut bench = Bench::start();
    bench.wire.brings(vec![role("m1", "deployer")]);
    drop(bench.hinted().await);
    bench.passes(60).await;
    assert_eq!(bench.wire.deleted(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn events_that_come_together_are_one_batch_and_identities_come_first() {
    let mut bench = Bench::start();
    let event = |id: &str, name: &str, request: Value| {
        message(id, &record(name, "123456789012", &request, &Value::Null))
    };
    bench.wire.brings(vec![
        event("m1", "CreateAccessKey", json!({"userName": "svc"})),
        event("m2", "AttachUserPolicy", json!({"userName": "svc"})),
    ]);
    bench.wire.brings(vec![
        event("m3", "CreateUser", json!({"userName": "svc"})),
        event("m3-again", "CreateUser", json!({"userName": "svc"})),
    ]);
    assert_eq!(bench.commits().await, ["aws:123456789012/users svc"]);
    let then = bench.commits().await;
    assert_eq!(then, ["aws:123456789012/access-keys svc", "aws:123456789012/grants user/svc"]);
    assert_eq!(bench.deletes(4).await, ["m1", "m2", "m3", "m3-again"]);
}

#[tokio::test(start_paused = true)]
async fn a_steady_stream_is_one_batch_per_settle_time_and_none_waits_twice_as_long() {
    let mut bench = Bench::start();
    let wire = Arc::clone(&bench.wire);
    tokio::spawn(async move {
        for n in 0..60 {
            wire.brings(vec![role(&format!("m{n}"), &format!("r{n}"))]);
            sleep(Duration::from_secs(1)).await;
        }
    });
    let start = Instant::now();
    let (mut batches, mut roles) = (0, 0);
    while roles < 60 {
        let hints = bench.commits().await;
        batches += 1;
        for hint in &hints {
            let sent_at: u64 = hint.rsplit_once('r').unwrap().1.parse().unwrap();
            let waited = start.elapsed().as_secs() - sent_at;
            assert!((10..=20).contains(&waited), "{hint} waited {waited} s");
        }
        roles += hints.len();
    }
    assert!(batches <= 8, "{batches} batches");
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_not_counted_is_ignored_and_leaves_no_creator() {
    let mut bench = Bench::start();
    let answer = json!({"user": {"userId": "AIDAEXAMPLE"}});
    let request = json!({"userName": "svc"});
    let mut far = record("CreateUser", "123456789012", &request, &answer);
    far["awsRegion"] = json!("cn-north-1");
    bench.wire.brings(vec![
        message("stranger", &record("CreateUser", "999999999999", &request, &answer)),
        message("far", &far),
        message("other", &json!({"detail-type": "Scheduled Event", "source": "x", "detail": {}})),
    ]);
    assert_eq!(bench.deletes(3).await, ["far", "other", "stranger"]);
    assert_eq!(bench.wire.asked.lock().unwrap()[..], ["aws:999999999999", "aws-cn:123456789012"]);
    assert!(bench.agent.try_recv().is_err());
    let creators = format!("{:?}", bench.creators);
    assert!(!creators.contains("AIDAEXAMPLE"), "{creators}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_understood_comes_back_and_is_set_aside_in_the_end() {
    let mut bench = Bench::start();
    let poison = |receives| Message { receives, ..message("poison", &json!({"hello": "secret"})) };
    bench.wire.brings(vec![poison(1), role("m1", "deployer")]);
    assert_eq!(bench.commits().await, ["aws:123456789012/roles deployer"], "others go on");
    assert_eq!(bench.deletes(1).await, ["m1"]);
    bench.wire.brings(vec![poison(MOST_RECEIVES - 1)]);
    bench.passes(1).await;
    assert_eq!(bench.set_aside().await, SetAside::default(), "its own dead-letter queue is first");
    bench.wire.brings(vec![poison(MOST_RECEIVES)]);
    assert_eq!(bench.deletes(2).await, ["m1", "poison"]);
    let aside = bench.set_aside().await;
    assert_eq!((aside.count, aside.last[0].message.as_str()), (1, "poison"));
    assert!(!format!("{aside:?}").contains("secret"), "a body was kept");
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_read_is_set_aside_and_counted() {
    let mut bench = Bench::start();
    for (n, receives) in [(1, 1), (2, MOST_RECEIVES)] {
        bench.wire.brings(vec![Message { receives, ..role("m1", "deployer") }]);
        let (_, receipt) = bench.hinted().await;
        receipt.send(Handled::Failed).unwrap();
        bench.passes(60).await;
        assert_eq!(bench.wire.deleted().len(), n - 1);
    }
    let aside = bench.set_aside().await;
    assert_eq!(aside.count, 1);
    assert_eq!(aside.last[0].why, "what it names in aws:123456789012 could not be read");
}

#[tokio::test(start_paused = true)]
async fn a_file_of_a_trail_is_read_and_a_bad_one_stays() {
    let mut bench = Bench::start();
    let key = |name: &str| format!("AWSLogs/123456789012/CloudTrail/us-east-1/{name}.json.gz");
    let notified = |id: &str, name: &str| {
        message(
            id,
            &json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "trail"}, "object": {"key": key(name)}}}]}),
        )
    };
    let answer = json!({"role": {"roleId": "AROAEXAMPLE"}});
    let records = ["123456789012", "210987654321", "999999999999"]
        .map(|account| record("CreateRole", account, &json!({"roleName": "deployer"}), &answer));
    let file = json!({"Records": records}).to_string().into_bytes();
    {
        let mut objects = bench.wire.objects.lock().unwrap();
        objects.insert(key("good"), Ok(file.clone()));
        objects.insert(key("cut"), Ok(file[..file.len() / 2].to_vec()));
        objects.insert(key("denied"), Err(unavailable()));
        objects.insert(key("quiet"), Ok(b"{\"Records\": []}".to_vec()));
    }
    bench.wire.brings(vec![
        notified("cut", "cut"),
        notified("denied", "denied"),
        notified("good", "good"),
        notified("quiet", "quiet"),
    ]);
    let hints = [bench.commits().await, bench.commits().await].concat();
    assert_eq!(hints, ["aws:123456789012/roles deployer", "aws:210987654321/roles deployer"]);
    assert_eq!(bench.deletes(2).await, ["good", "quiet"]);
    assert!(format!("{:?}", bench.creators).contains("AROAEXAMPLE"));
    assert_eq!(bench.set_aside().await, SetAside::default());
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_fails_for_a_while_is_asked_again() {
    let mut bench = Bench::start();
    for _ in 1..MOST_FAILURES {
        bench.wire.says(Err(unavailable()));
    }
    bench.wire.brings(vec![role("m1", "deployer")]);
    bench.commits().await;
    assert_eq!(bench.deletes(1).await, ["m1"]);
    assert!(!bench.feed.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_stays_away_and_one_that_is_denied_end_the_feed() {
    let bench = Bench::start();
    for _ in 0..MOST_FAILURES {
        bench.wire.says(Err(unavailable()));
    }
    assert_eq!(bench.feed.await.unwrap(), Err(unavailable()));

    let denied = ScanError::Denied {
        operation: "sqs:ReceiveMessage".to_owned(),
        permission: "sqs:ReceiveMessage".to_owned(),
    };
    let bench = Bench::start();
    bench.wire.says(Err(denied.clone()));
    assert_eq!(bench.feed.await.unwrap(), Err(denied.clone()));

    let mut bench = Bench::start();
    *bench.wire.delete_fails.lock().unwrap() = Some(denied.clone());
    bench.wire.brings(vec![role("m1", "deployer")]);
    bench.commits().await;
    assert_eq!(bench.feed.await.unwrap(), Err(denied), "every message would come for ever");
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_fails_costs_a_reading_and_no_more() {
    let mut bench = Bench::start();
    *bench.wire.delete_fails.lock().unwrap() = Some(unavailable());
    bench.wire.brings(vec![role("m1", "deployer")]);
    bench.commits().await;
    bench.passes(1).await;
    *bench.wire.delete_fails.lock().unwrap() = None;
    bench.wire.brings(vec![role("m1", "deployer")]);
    bench.commits().await;
    assert_eq!(bench.deletes(1).await, ["m1"]);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_answers_empty_at_once_is_not_hammered() {
    let bench = Bench::start();
    for _ in 0..100 {
        bench.wire.brings(Vec::new());
    }
    bench.passes(10).await;
    let left = bench.wire.answers.lock().unwrap().len();
    assert!(left >= 85, "{} looks in ten seconds", 100 - left);
}
