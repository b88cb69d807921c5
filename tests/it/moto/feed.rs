//! Events on a real queue: what becomes of a message, from EventBridge or a trail to a webhook.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use headcount_aws::{AwsConnector, Config, Credentials, Events, Tuning};
use headcount_sdk::{
    Connector as _, Handled, Hinted, Hints, Memo, MemoryCache, Pass, Priority, ScanContext,
    ScanError,
};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::id;
use crate::support::agent::Agent;
use crate::support::moto::{ACCOUNT, Key, Moto};
use crate::support::receiver::Receiver;

const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:headcount";

/// Far more than anything here takes; only a hang gets here.
const PATIENCE: Duration = Duration::from_secs(60);

/// A queue, a connector that reads it, and the agent's end of its hints.
struct Bed {
    moto: Moto,
    queue: String,
    agent: mpsc::Receiver<Hinted>,
    feed: JoinHandle<Result<(), ScanError>>,
}

fn queue(moto: &Moto) -> String {
    let [made] = moto.call([("sqs", "create_queue", json!({"QueueName": "headcount"}))]);
    made["QueueUrl"].as_str().unwrap().to_owned()
}

impl Bed {
    fn new() -> Self {
        let stranger = Key {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "not-a-secret".to_owned(),
            token: None,
        };
        let moto = Moto::start();
        let queue = queue(&moto);
        Self::reading(moto, queue, stranger)
    }

    fn reading(moto: Moto, queue: String, key: Key) -> Self {
        let (queue_url, region) = (queue.clone(), None);
        let config = Config {
            endpoint_url: Some(moto.url().to_owned()),
            region: Some("us-east-1".to_owned()),
            events: Some(Events { queue_url, region, settle_secs: 1 }),
            ..Config::default()
        };
        let key = Credentials::new(key.id, key.secret, key.token, None, "test");
        let connector = AwsConnector::with(config, Tuning::default(), Some(key)).unwrap();
        let cx = ScanContext {
            scan: "feed".to_owned(),
            source: "aws".to_owned(),
            now: "2026-01-15T09:00:00Z".parse().unwrap(),
            priority: Priority::Hint,
            pass: Pass::First,
            cache: Arc::new(MemoryCache::default()),
            memo: Memo::default(),
        };
        let (hints, agent) = Hints::queue(10);
        let feed = tokio::spawn(async move { connector.feed(&cx, hints).await });
        Self { moto, queue, agent, feed }
    }

    fn send(&self, body: &str) {
        send(&self.moto, &self.queue, body);
    }

    /// The next hints, and the way to answer.
    async fn hinted(&mut self) -> (BTreeSet<String>, oneshot::Sender<Handled>) {
        let hinted = tokio::time::timeout(PATIENCE, self.agent.recv()).await.unwrap();
        let Hinted { hints, receipt } = hinted.expect("the feed ended");
        let shown = hints.iter().map(|hint| format!("{} {}", hint.scope, hint.subject));
        (shown.collect(), receipt.unwrap())
    }

    /// Waits until so many messages are in the queue, shown and hidden.
    async fn holds(&self, shown: u64, hidden: u64) {
        holds(&self.moto, None, &self.queue, [shown, hidden]).await;
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.feed.abort();
    }
}

fn send(moto: &Moto, queue: &str, body: &str) {
    moto.call([("sqs", "send_message", json!({"QueueUrl": queue, "MessageBody": body}))]);
}

async fn holds(moto: &Moto, key: Option<&Key>, queue: &str, expected: [u64; 2]) {
    let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
    let order = json!({"QueueUrl": queue, "AttributeNames": names});
    let mut counts = [0; 2];
    let counted = async {
        loop {
            let answers = moto.attempt(key, &[("sqs", "get_queue_attributes", order.clone())]);
            let counted = &answers[0]["Attributes"];
            counts = names.map(|name| counted[name].as_str().unwrap().parse().unwrap());
            if counts == expected {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let counted = tokio::time::timeout(PATIENCE, counted).await;
    assert!(counted.is_ok(), "{counts:?} messages, shown and hidden, not {expected:?}");
}

fn record(name: &str, account: &str, request: &Value, response: &Value) -> Value {
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": format!("arn:aws:sts::{account}:assumed-role/AWSReservedSSO_Admin_0/ana"),
            "sessionContext": {"sessionIssuer": {"userName": "AWSReservedSSO_Admin_0"}},
        },
        "eventTime": "2026-01-15T09:00:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "requestParameters": request,
        "responseElements": response,
        "readOnly": false,
        "recipientAccountId": account,
    })
}

fn create_role(account: &str, name: &str) -> Value {
    record("CreateRole", account, &json!({"roleName": name}), &Value::Null)
}

/// A user who may do this and nothing else.
fn user(moto: &Moto, name: &str, statements: &Value) -> Key {
    let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let put = json!({"UserName": name, "PolicyName": "headcount", "PolicyDocument": policy});
    let [_, _, made] = moto.call([
        ("iam", "create_user", json!({"UserName": name})),
        ("iam", "put_user_policy", put),
        ("iam", "create_access_key", json!({"UserName": name})),
    ]);
    Key::of(&made)
}

/// What the shipped policy says of events.
fn consuming() -> Value {
    let policy = headcount_aws::agent_policy("HeadcountReader").to_string();
    let mut policy: Value = serde_json::from_str(&policy.replace("TRAIL-BUCKET", "trail")).unwrap();
    let statements = policy["Statement"].as_array_mut().unwrap();
    statements.retain(|s| s["Sid"] == "HeadcountQueue" || s["Sid"] == "HeadcountTrail");
    // AWS asks for `sqs:DeleteMessage` alone; moto asks for the operation by its name.
    statements[0]["Action"].as_array_mut().unwrap().push(json!("sqs:DeleteMessageBatch"));
    policy["Statement"].take()
}

fn set(hints: &[&str]) -> BTreeSet<String> {
    hints.iter().map(|hint| format!("aws:{ACCOUNT}/{hint}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_by_eventbridge_is_deleted_when_it_is_committed_and_not_before() {
    let mut bed = Bed::new();
    let pattern = json!({"source": ["aws.iam"]}).to_string();
    let detail = create_role(ACCOUNT, "deployer").to_string();
    let event = json!({
        "Source": "aws.iam", "DetailType": "AWS API Call via CloudTrail", "Detail": detail,
    });
    bed.moto.call([
        ("events", "put_rule", json!({"Name": "headcount", "EventPattern": pattern})),
        (
            "events",
            "put_targets",
            json!({"Rule": "headcount", "Targets": [{"Id": "queue", "Arn": QUEUE}]}),
        ),
        ("events", "put_events", json!({"Entries": [event]})),
    ]);
    let (hints, receipt) = bed.hinted().await;
    assert_eq!(hints, set(&["roles deployer"]));
    bed.holds(0, 1).await;
    receipt.send(Handled::Committed).unwrap();
    bed.holds(0, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trails_file_is_fetched_and_read() {
    let mut bed = Bed::new();
    let notify =
        json!({"QueueConfigurations": [{"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}]});
    bed.moto.call([
        ("s3", "create_bucket", json!({"Bucket": "trail"})),
        (
            "s3",
            "put_bucket_notification_configuration",
            json!({"Bucket": "trail", "NotificationConfiguration": notify}),
        ),
    ]);
    // S3 tries the queue out, which is understood and leads nowhere.
    bed.holds(0, 0).await;
    let user = json!({"userName": "svc"});
    let records = [
        create_role(ACCOUNT, "deployer"),
        create_role("999999999999", "strange"),
        record("CreateAccessKey", ACCOUNT, &user, &Value::Null),
        record("CreateUser", ACCOUNT, &user, &Value::Null),
    ];
    let file = "AWSLogs/o-example/123456789012/CloudTrail/us-east-1/2026/01/15/x.json.gz";
    bed.moto.put_trail("trail", file, &records);
    let (hints, receipt) = bed.hinted().await;
    assert_eq!(hints, set(&["roles deployer", "users svc"]));
    receipt.send(Handled::Committed).unwrap();
    let (hints, receipt) = bed.hinted().await;
    assert_eq!(hints, set(&["access-keys svc"]));
    bed.holds(0, 1).await;
    receipt.send(Handled::Committed).unwrap();
    bed.holds(0, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_statements_are_enough_to_follow_a_queue_and_a_trail() {
    let moto = Moto::start();
    let queue = queue(&moto);
    let everything = json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]);
    let admin = user(&moto, "admin", &everything);
    let key = user(&moto, "headcount", &consuming());
    let file = "AWSLogs/123456789012/CloudTrail/us-east-1/x.json.gz";
    moto.call([("s3", "create_bucket", json!({"Bucket": "trail"}))]);
    moto.put_trail("trail", file, &[create_role(ACCOUNT, "deployer")]);
    send(&moto, &queue, &json!({"s3Bucket": "trail", "s3ObjectKey": [file]}).to_string());
    moto.enforce_policies().await;
    let mut bed = Bed::reading(moto, queue, key);
    let (hints, receipt) = bed.hinted().await;
    assert_eq!(hints, set(&["roles deployer"]));
    receipt.send(Handled::Committed).unwrap();
    holds(&bed.moto, Some(&admin), &bed.queue, [0, 0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_and_what_is_not_understood_stays_in_the_queue_and_stops_nothing() {
    let mut bed = Bed::new();
    let lost =
        json!({"s3Bucket": "nobodys-bucket", "s3ObjectKey": ["AWSLogs/CloudTrail/x.json.gz"]});
    for body in ["hello", "{\"Records\": 7}", &lost.to_string()] {
        bed.send(body);
    }
    bed.send(&create_role("999999999999", "strange").to_string());
    bed.holds(0, 3).await;
    bed.send(&create_role(ACCOUNT, "deployer").to_string());
    let (_, receipt) = bed.hinted().await;
    receipt.send(Handled::Failed).unwrap();
    bed.holds(0, 4).await;
    bed.send(&create_role(ACCOUNT, "other").to_string());
    let (hints, receipt) = bed.hinted().await;
    assert_eq!(hints, set(&["roles other"]));
    receipt.send(Handled::Committed).unwrap();
    bed.holds(0, 4).await;
    assert!(!bed.feed.is_finished());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_made_while_the_agent_runs_is_one_finding_that_knows_its_creator() {
    let (moto, receiver) = (Moto::start(), Receiver::start().await);
    moto.populate();
    let queue = queue(&moto);
    let agent = Agent::new(moto.url(), Some(&receiver)).with_events(&queue);
    let mut running = agent.spawn(&["run"]);
    let received = receiver.until(PATIENCE, |all| !all.is_empty()).await;
    assert_eq!(received[0].kind(), "dev.headcount.scan.baseline.v1");

    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }]});
    let order = json!({"RoleName": "sudden", "AssumeRolePolicyDocument": trust.to_string()});
    let [made] = moto.call([("iam", "create_role", order)]);
    let role = made["Role"]["RoleId"].as_str().unwrap();
    let response = json!({"role": {"roleName": "sudden", "roleId": role}});
    let event = record("CreateRole", ACCOUNT, &json!({"roleName": "sudden"}), &response);
    for _ in 0..2 {
        send(&moto, &queue, &event.to_string());
    }
    let subject = id("iam-role", role);
    let is_it = |r: &crate::support::receiver::Received| {
        r.rule() == Some("new-identity") && r.subject() == subject
    };
    let mut received = receiver.until(PATIENCE, |all| all.iter().any(is_it)).await;
    holds(&moto, None, &queue, [0, 0]).await;
    // Late, once more, and still one finding.
    send(&moto, &queue, &event.to_string());
    holds(&moto, None, &queue, [0, 0]).await;
    let [gone] = moto.call([("iam", "delete_role", json!({"RoleName": "sudden"}))]);
    assert_eq!(gone, json!({}));
    let deleted = record("DeleteRole", ACCOUNT, &json!({"roleName": "sudden"}), &Value::Null);
    send(&moto, &queue, &deleted.to_string());
    let resolved = "dev.headcount.finding.resolved.v1";
    let is_over = |r: &crate::support::receiver::Received| is_it(r) && r.kind() == resolved;
    received.extend(receiver.until(PATIENCE, |all| all.iter().any(is_over)).await);
    running.kill().await.unwrap();

    let told: Vec<_> = received.iter().filter(|r| is_it(r)).collect();
    let kinds: Vec<&str> = told.iter().map(|r| r.kind()).collect();
    assert_eq!(kinds, ["dev.headcount.finding.opened.v1", resolved]);
    let owner = &told[0].event["data"]["resources"][0]["data"]["owner"];
    assert_eq!((&owner["ref"], &owner["basis"]), (&json!("ana"), &json!("creator")), "{owner}");
}
