//! What changes between two scans arrives at a webhook, signed, once.

use serde_json::{Value, json};

use super::{id, ids, opened};
use crate::support::agent::Agent;
use crate::support::moto::{Key, Moto};
use crate::support::receiver::Receiver;

const BASELINE: &str = "dev.headcount.scan.baseline.v1";
const OPENED: &str = "dev.headcount.finding.opened.v1";
const RESOLVED: &str = "dev.headcount.finding.resolved.v1";

#[tokio::test]
async fn a_first_scan_delivers_one_summary_and_no_finding() {
    let (moto, receiver) = (Moto::start(), Receiver::start().await);
    moto.populate();
    let agent = Agent::new(moto.url(), Some(&receiver));
    let records = agent.scan_incomplete().await;
    let received = receiver.take();
    let kinds: Vec<&str> = received.iter().map(|r| r.kind()).collect();
    assert_eq!(kinds, [BASELINE]);
    let counted = &received[0].event["data"]["records"];
    for class in ["identity", "credential", "grant"] {
        let n = records.iter().filter(|r| r["class"] == class).count();
        assert_eq!(counted[class], n, "{class}: {counted}");
    }
    assert_eq!(received[0].sequence(), 1);

    agent.scan_incomplete().await;
    assert!(receiver.take().is_empty(), "nothing happened between the scans");
}

#[tokio::test]
async fn a_key_made_between_two_scans_arrives_as_new_credential_and_leaves_when_deleted() {
    let (moto, receiver) = (Moto::start(), Receiver::start().await);
    moto.populate();
    let agent = Agent::new(moto.url(), Some(&receiver));
    agent.scan_incomplete().await;
    receiver.take();

    let [made] = moto.call([("iam", "create_access_key", json!({"UserName": "ci-deploy"}))]);
    let key = Key::of(&made);
    let record = id("access-key", &key.id);
    let with_key = ids(&agent.scan_incomplete().await);
    assert!(with_key.contains(&record));
    let received = receiver.take();
    assert_eq!(opened(&received), [("new-credential".to_owned(), record.clone())]);
    let opening = &received[0];
    assert_eq!(received.len(), 1);
    assert!(!opening.event.to_string().contains(&key.secret));
    // The owner of the key is the owner of the user who holds it.
    let resource = &opening.event["data"]["resources"][0];
    assert_eq!(resource["data"]["owner"]["ref"], "team-payments", "{resource}");

    moto.call([(
        "iam",
        "delete_access_key",
        json!({"UserName": "ci-deploy", "AccessKeyId": key.id}),
    )]);
    let without_key = ids(&agent.scan_incomplete().await);
    let gone: Vec<&String> = with_key.difference(&without_key).collect();
    assert_eq!(gone, [&record]);
    let received = receiver.take();
    let told: Vec<_> = received.iter().map(|r| (r.kind(), r.finding(), r.sequence())).collect();
    assert_eq!(told, [(RESOLVED, opening.finding(), opening.sequence() + 1)]);
}

#[tokio::test]
async fn a_delivery_that_failed_is_made_again_under_the_same_id() {
    let (moto, receiver) = (Moto::start(), Receiver::start().await);
    moto.populate();
    let agent = Agent::new(moto.url(), Some(&receiver));
    agent.scan_incomplete().await;
    receiver.take();

    moto.call([("iam", "create_access_key", json!({"UserName": "ci-deploy"}))]);
    receiver.answer_next([axum::http::StatusCode::SERVICE_UNAVAILABLE]);
    agent.run(&["scan"]).await;
    // The retry may fall into the same run or, by its schedule, into a later one.
    let mut received = receiver.take();
    assert_eq!(received[0].answer, 503);
    if received.len() == 1 {
        agent.run(&["sinks", "replay", "hook"]).await.ending(0);
        received.extend(receiver.take());
    }
    assert_eq!(received.len(), 2, "{received:?}");
    assert_eq!(received[0].id, received[1].id);
    assert_eq!(received[0].event, received[1].event);
    assert!(received[1].answer.is_success());
}

#[tokio::test]
async fn a_user_made_again_under_an_old_name_is_another_identity() {
    let (moto, receiver) = (Moto::start(), Receiver::start().await);
    let made = moto.populate();
    let agent = Agent::new(moto.url(), Some(&receiver));
    agent.scan_incomplete().await;
    receiver.take();

    let key = made["keys"]["inactive"].as_str().unwrap();
    let [_, _, again] = moto.call([
        ("iam", "delete_access_key", json!({"UserName": "retired-bot", "AccessKeyId": key})),
        ("iam", "delete_user", json!({"UserName": "retired-bot"})),
        ("iam", "create_user", json!({"UserName": "retired-bot"})),
    ]);
    let old = id("iam-user", made["users"]["retired-bot"].as_str().unwrap());
    let new = id("iam-user", again["User"]["UserId"].as_str().unwrap());
    let records = ids(&agent.scan_incomplete().await);
    assert!(records.contains(&new) && !records.contains(&old));
    let received = receiver.take();
    let resurrected: Vec<&Value> = received
        .iter()
        .filter(|r| r.kind() == OPENED && r.rule() == Some("resurrected-identity"))
        .map(|r| &r.event["subject"])
        .collect();
    assert_eq!(resurrected, [&new]);
}
