//! The policy that is shipped is enough, and each of its actions is missed by name.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{UNSERVED, ids};
use crate::support::agent::{Agent, Outcome};
use crate::support::moto::{ACCOUNT, Key, Moto};
use crate::support::receiver::{Received, Receiver};

const READER: &str = "headcount-reader";

/// What moto does not serve even to those who may.
const UNSERVED_ACTION: &str = "iam:ListServiceSpecificCredentials";

/// A populated account in which one user holds the policy, and signatures and policies count.
struct Guarded {
    moto: Moto,
    key: Key,
}

impl Guarded {
    async fn new(policy: &Value) -> Self {
        let moto = Moto::start();
        moto.populate();
        let [_, made] = moto.call([
            ("iam", "create_user", json!({"UserName": READER})),
            ("iam", "create_access_key", json!({"UserName": READER})),
        ]);
        let guarded = Self { key: Key::of(&made), moto };
        guarded.grant(policy).await;
        guarded
    }

    /// Gives the reader this policy and no other.
    async fn grant(&self, policy: &Value) {
        self.moto.allow_everything().await;
        self.moto.call([(
            "iam",
            "put_user_policy",
            json!({
                "UserName": READER,
                "PolicyName": "headcount",
                "PolicyDocument": policy.to_string(),
            }),
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

/// One reason why a scope was not read in full.
#[derive(Debug)]
struct Gap {
    scope: String,
    operation: String,
    cause: String,
}

fn gaps(received: &[Received]) -> Vec<Gap> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut gaps = Vec::new();
    for scope in short(received) {
        for gap in scope["gaps"].as_array().unwrap() {
            gaps.push(Gap {
                scope: text(&scope["scope"]),
                operation: text(&gap["operation"]),
                cause: text(&gap["cause"]),
            });
        }
    }
    gaps
}

fn permissions<const N: usize>(named: [&str; N]) -> BTreeSet<String> {
    named.map(str::to_owned).into()
}

#[tokio::test]
async fn the_shipped_policy_is_enough_for_everything_that_moto_serves() {
    let (guarded, receiver) =
        (Guarded::new(&shipped_policy().await).await, Receiver::start().await);
    let agent = guarded.agent(Some(&receiver));
    assert_eq!(missed_by_check(&agent).await, permissions([UNSERVED_ACTION]));

    agent.scan_incomplete().await;
    let received = receiver.take();
    let unserved = format!("aws:{ACCOUNT}/{UNSERVED}");
    for gap in gaps(&received) {
        assert_eq!(gap.operation, UNSERVED_ACTION, "{gap:?}");
        assert_eq!(gap.cause, "unavailable", "granted, but not served: {gap:?}");
    }
    assert!(gaps(&received).iter().any(|gap| gap.scope == unserved));
}

#[tokio::test]
async fn an_html_page_in_place_of_an_answer_costs_one_scope_and_nothing_else() {
    let (moto, receiver) = (Moto::start(), Receiver::start().await);
    moto.populate();
    let agent = Agent::new(moto.url(), Some(&receiver));
    let outcome = agent.run(&["scan", "--format", "ndjson"]).await.ending(4);
    assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains("<html"), "a body leaked");
    let received = receiver.take();
    assert_eq!(received[0].event["data"]["scopes"]["incomplete"], 1, "{}", received[0].event);
    let incomplete: Vec<&Value> = short(&received)
        .iter()
        .filter(|scope| scope["status"] == "incomplete")
        .map(|scope| &scope["scope"])
        .collect();
    assert_eq!(incomplete, [&json!(format!("aws:{ACCOUNT}/{UNSERVED}"))]);
}

#[tokio::test]
async fn a_key_that_was_revoked_removes_nothing_from_the_inventory() {
    let guarded = Guarded::new(&shipped_policy().await).await;
    let agent = guarded.agent(None);
    let known = ids(&agent.scan_incomplete().await);
    guarded.moto.allow_everything().await;
    guarded.moto.call([(
        "iam",
        "delete_access_key",
        json!({"UserName": READER, "AccessKeyId": guarded.key.id}),
    )]);
    guarded.moto.enforce_policies().await;
    assert_eq!(ids(&agent.scan_incomplete().await), known);
}

/// Each action is taken away by itself. The one that moto does not serve is never granted here,
/// because the refusal is quicker than the page that moto answers otherwise.
#[tokio::test]
async fn each_missing_action_is_reported_by_name_and_nothing_disappears() {
    let policy = without(&shipped_policy().await, UNSERVED_ACTION);
    let (guarded, receiver) = (Guarded::new(&policy).await, Receiver::start().await);
    let agent = guarded.agent(Some(&receiver));
    assert_eq!(missed_by_check(&agent).await, permissions([UNSERVED_ACTION]));
    let mut known = ids(&agent.scan_incomplete().await);
    for gap in gaps(&receiver.take()) {
        assert_eq!(
            (gap.operation.as_str(), gap.cause.as_str()),
            (UNSERVED_ACTION, "denied"),
            "{gap:?} {policy}"
        );
    }

    for (n, action) in actions(&policy).iter().enumerate() {
        guarded.moto.allow_everything().await;
        add_machine(&guarded.moto, n);
        guarded.grant(&without(&policy, action)).await;

        let missed = missed_by_check(&agent).await;
        assert_eq!(missed, permissions([action, UNSERVED_ACTION]));

        let found = ids(&agent.scan_incomplete().await);
        let gone: Vec<&String> = known.difference(&found).collect();
        assert!(gone.is_empty(), "without {action} these disappeared: {gone:?}");
        known = found;
        assert_eq!(lost(&receiver.take()), permissions([action]));
    }

    guarded.grant(&policy).await;
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
    let certificate = json!({"UserName": name, "CertificateBody": include_str!("certificate.pem")});
    moto.call([
        ("iam", "create_user", json!({"UserName": name})),
        ("iam", "upload_signing_certificate", certificate),
    ]);
    let key = || ("iam", "create_access_key", json!({"UserName": name}));
    let mut pair = moto.call([key(), key()]);
    // A second may end between the two.
    while second(&pair[0]) != second(&pair[1]) {
        let end = |made: &Value| {
            let id = &made["AccessKey"]["AccessKeyId"];
            ("iam", "delete_access_key", json!({"UserName": name, "AccessKeyId": id}))
        };
        moto.call([end(&pair[0]), end(&pair[1])]);
        pair = moto.call([key(), key()]);
    }
    moto.attempt(Some(&Key::of(&pair[0])), &[("sts", "get_caller_identity", json!({}))]);
}

/// When a key was made, to the second.
fn second(made: &Value) -> &str {
    &made["AccessKey"]["CreateDate"].as_str().unwrap()[..19]
}

/// The permissions that coverage-lost findings name, those that were resolved left out.
fn lost(received: &[Received]) -> BTreeSet<String> {
    let mut lost = BTreeSet::new();
    for told in received.iter().filter(|r| r.rule() == Some("coverage-lost")) {
        if told.event["data"]["status"] != "Resolved" {
            let title = told.event["data"]["message"].as_str().unwrap();
            let words = title.split([' ', ',']).map(|word| word.trim_end_matches(':'));
            lost.extend(words.filter(|word| word.starts_with("iam:")).map(str::to_owned));
        }
    }
    lost
}
