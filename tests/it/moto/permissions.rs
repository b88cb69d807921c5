//! The policy that is shipped is enough, and each of its actions is missed by name.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{UNSERVED, ids};
use crate::support::agent::{Agent, Outcome};
use crate::support::moto::{ACCOUNT, Key, Moto};
use crate::support::receiver::{Received, Receiver};

const READER: &str = "headcount-reader";

/// A populated account in which one user holds the policy, and signatures and policies count.
struct Guarded {
    moto: Moto,
    key: Key,
    policy: Value,
}

impl Guarded {
    async fn new() -> Self {
        let moto = Moto::start();
        moto.populate();
        let policy = shipped_policy().await;
        let [_, made] = moto.call([
            (
                "iam",
                "create_user",
                json!({"UserName": READER, "Tags": [{"Key": "Owner", "Value": "security"}]}),
            ),
            ("iam", "create_access_key", json!({"UserName": READER})),
        ]);
        let guarded = Self { key: Key::of(&made), moto, policy };
        guarded.grant(&guarded.policy).await;
        guarded
    }

    /// Gives the reader this policy and no other.
    async fn grant(&self, policy: &Value) {
        self.moto.allow_everything().await;
        self.moto.call([(
            "iam",
            "put_user_policy",
            json!({"UserName": READER, "PolicyName": "headcount", "PolicyDocument": policy.to_string()}),
        )]);
        self.moto.enforce_policies().await;
    }

    fn agent(&self, receiver: Option<&Receiver>) -> Agent {
        Agent::new(self.moto.url(), receiver).with_key(self.key.clone())
    }
}

/// What `headcount permissions aws` prints, which needs neither configuration nor credentials.
async fn shipped_policy() -> Value {
    let agent = Agent::new("http://127.0.0.1:1", None);
    let output = agent.command(&["permissions", "aws"]).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn actions(policy: &Value) -> BTreeSet<String> {
    policy["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|statement| statement["Action"].as_array().unwrap())
        .map(|action| action.as_str().unwrap().to_owned())
        .collect()
}

fn without(policy: &Value, action: &str) -> Value {
    let mut policy = policy.clone();
    let statements = policy["Statement"].as_array_mut().unwrap();
    for statement in statements.iter_mut() {
        statement["Action"].as_array_mut().unwrap().retain(|a| a != action);
    }
    statements.retain(|statement| statement["Action"].as_array().is_some_and(|a| !a.is_empty()));
    policy
}

/// What `headcount check` says of each permission.
fn outcomes(checked: &Outcome) -> Vec<(String, String)> {
    let lines: Vec<Value> = serde_json::from_str(&checked.stdout).unwrap();
    let text = |line: &Value, field: &str| line[field].as_str().unwrap().to_owned();
    lines.iter().map(|line| (text(line, "permission"), text(line, "outcome"))).collect()
}

/// Permissions that `headcount check` calls missing or failing, in order.
async fn missed_by_check(agent: &Agent) -> BTreeSet<String> {
    // Exit code 4, because one operation cannot be served at all.
    let checked = agent.run(&["check", "--format", "json"]).await.ending(4);
    outcomes(&checked)
        .into_iter()
        .filter(|(_, outcome)| outcome == "failed" || outcome == "degraded")
        .map(|(permission, _)| permission)
        .collect()
}

/// What a baseline says of scopes that were not read in full.
fn short(received: &[Received]) -> &Vec<Value> {
    received[0].event["data"]["short"].as_array().unwrap()
}

#[tokio::test]
async fn the_shipped_policy_is_enough_for_everything_that_moto_serves() {
    let (guarded, receiver) = (Guarded::new().await, Receiver::start().await);
    let agent = guarded.agent(Some(&receiver));
    let unserved = "iam:ListServiceSpecificCredentials".to_owned();
    assert_eq!(missed_by_check(&agent).await, BTreeSet::from([unserved.clone()]));

    agent.scan_incomplete().await;
    let received = receiver.take();
    let [gap] = short(&received).as_slice() else { panic!("{:?}", short(&received)) };
    assert_eq!(gap["scope"], format!("aws:{ACCOUNT}/{UNSERVED}"));
    assert_eq!(gap["gaps"][0]["operation"], unserved);
    assert_eq!(gap["gaps"][0]["cause"], "unavailable", "granted, but not served: {gap}");
}

#[tokio::test]
async fn an_html_page_in_place_of_an_answer_costs_one_scope_and_nothing_else() {
    let (moto, receiver) = (Moto::start(), Receiver::start().await);
    moto.populate();
    let agent = Agent::new(moto.url(), Some(&receiver));
    let outcome = agent.run(&["scan", "--format", "ndjson"]).await.ending(4);
    assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains("<html"), "a body leaked");
    let received = receiver.take();
    let [gap] = short(&received).as_slice() else { panic!("{:?}", short(&received)) };
    assert_eq!(gap["scope"], format!("aws:{ACCOUNT}/{UNSERVED}"));
    let scopes = &received[0].event["data"]["scopes"];
    assert_eq!(scopes["incomplete"], 1, "{scopes}");
}

#[tokio::test]
async fn without_the_key_every_call_is_refused_and_nothing_is_taken_for_empty() {
    let guarded = Guarded::new().await;
    let agent = guarded.agent(None);
    let known = ids(&agent.scan_incomplete().await);
    guarded.moto.allow_everything().await;
    guarded.moto.call([(
        "iam",
        "update_access_key",
        json!({"UserName": READER, "AccessKeyId": guarded.key.id, "Status": "Inactive"}),
    )]);
    guarded.moto.call([(
        "iam",
        "delete_access_key",
        json!({"UserName": READER, "AccessKeyId": guarded.key.id}),
    )]);
    guarded.moto.enforce_policies().await;
    assert_eq!(ids(&agent.scan_incomplete().await), known);
}

#[tokio::test]
async fn each_missing_action_is_reported_by_name_and_nothing_disappears() {
    let (guarded, receiver) = (Guarded::new().await, Receiver::start().await);
    let agent = guarded.agent(Some(&receiver));
    let mut known = ids(&agent.scan_incomplete().await);
    receiver.take();
    let unserved = "iam:ListServiceSpecificCredentials".to_owned();
    for (n, action) in actions(&guarded.policy).iter().enumerate() {
        guarded.moto.allow_everything().await;
        add_machine(&guarded.moto, n);
        guarded.grant(&without(&guarded.policy, action)).await;

        let missed = missed_by_check(&agent).await;
        assert_eq!(missed, BTreeSet::from([action.clone(), unserved.clone()]), "{action}");

        let found = ids(&agent.scan_incomplete().await);
        let gone: Vec<&String> = known.difference(&found).collect();
        assert!(gone.is_empty(), "without {action} these disappeared: {gone:?}");
        known = found;
        let lost = lost_permissions(&receiver.take());
        // What could never be read cannot be lost; a first scan says what it lacks.
        let expected =
            if *action == unserved { BTreeSet::new() } else { BTreeSet::from([action.clone()]) };
        assert_eq!(lost, expected, "{action}");
    }

    guarded.grant(&guarded.policy).await;
    let found = ids(&agent.scan_incomplete().await);
    assert!(known.is_subset(&found));
    let open = agent.findings().await;
    let lost: Vec<&Value> = open.iter().filter(|f| f["rule"] == "coverage-lost").collect();
    assert!(lost.is_empty(), "everything can be read again: {lost:?}");
}

/// A machine whose records need every call that is made for what has changed: two keys of the
/// same second, told apart only by their use, and a signing certificate.
fn add_machine(moto: &Moto, n: usize) {
    let name = format!("svc-late-{n}");
    let [_, made, _, _] = moto.call([
        ("iam", "create_user", json!({"UserName": name})),
        ("iam", "create_access_key", json!({"UserName": name})),
        ("iam", "create_access_key", json!({"UserName": name})),
        (
            "iam",
            "upload_signing_certificate",
            json!({"UserName": name, "CertificateBody": include_str!("certificate.pem")}),
        ),
    ]);
    moto.attempt(Some(&Key::of(&made)), &[("sts", "get_caller_identity", json!({}))]);
}

/// The permissions that newly opened or worsened coverage-lost findings name.
fn lost_permissions(received: &[Received]) -> BTreeSet<String> {
    received
        .iter()
        .filter(|r| r.rule() == Some("coverage-lost") && r.event["data"]["status_id"] == 1)
        .flat_map(|r| {
            let text = r.event["data"]["message"].as_str().unwrap().to_owned();
            text.split(|c: char| !(c.is_alphanumeric() || c == ':'))
                .filter(|word| word.contains(':') && word.starts_with("iam:"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}
