//! The policy that is printed is enough, and each of its paths is missed by name.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Read, beyond, ids, printed_policy};
use crate::support::receiver::Received;

/// The permissions that `coverage-lost` findings name, those that were resolved left out.
fn lost(received: &[Received]) -> BTreeSet<String> {
    let told = received.iter().filter(|r| r.rule() == Some("coverage-lost"));
    let open = told.filter(|r| r.event["data"]["status"] != "Resolved");
    open.map(|r| r.event["data"]["message"].as_str().unwrap().to_owned()).collect()
}

/// What `headcount check` calls missing, by permission.
async fn missed_by_check(read: &Read) -> BTreeSet<String> {
    let checked = read.agent.run(&["check", "--format", "json"]).await;
    let lines: Vec<Value> = serde_json::from_str(&checked.stdout).unwrap();
    let missed = lines.iter().filter(|line| line["outcome"] == "failed");
    missed.map(|line| line["permission"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn each_missing_path_is_reported_by_name_and_nothing_disappears() {
    let policy = printed_policy(&["--with", "token_accessors"]).await;
    let read = Read::new(&policy, json!({"token_accessors": "true"})).await;
    read.bao.entity("app-0", json!({"owner": "ana@example.com"}), "some-role-id").await;
    assert_eq!(missed_by_check(&read).await, BTreeSet::new());
    let known = read.scan().await;
    read.receiver.take();

    let paths: Vec<String> = policy["path"].as_object().unwrap().keys().cloned().collect();
    assert!(paths.len() > 8, "{paths:?}");
    for path in &paths {
        let mut fewer = policy.clone();
        let taken = fewer["path"].as_object_mut().unwrap().remove(path).unwrap();
        let capabilities = taken["capabilities"].as_array().unwrap().iter();
        let capabilities: Vec<&str> = capabilities.map(|c| c.as_str().unwrap()).collect();
        let permission = format!("{} on {path}", capabilities.join(", "));
        read.bao.grant(&fewer).await;

        assert_eq!(missed_by_check(&read).await, BTreeSet::from([permission.clone()]));
        let found = ids(&read.agent.scan_incomplete().await);
        assert_eq!(beyond(&known, &found), Vec::<String>::new(), "without {permission}");
        let lost = lost(&read.receiver.take());
        assert!(!lost.is_empty() && lost.iter().all(|l| l.contains(&permission)), "{lost:?}");
    }

    // Nobody lacks anything that is not in the policy, and all of it is found again.
    read.bao.grant(&policy).await;
    assert_eq!(read.scan().await, known);
    let open = read.agent.findings().await;
    let lost: Vec<&Value> = open.iter().filter(|f| f["rule"] == "coverage-lost").collect();
    assert!(lost.is_empty(), "everything can be read again: {lost:?}");
}
