//! What a scan finds is what was made: nothing less, nothing more, nothing else.

use serde_json::{Value, json};

use super::id;
use crate::support::agent::Agent;
use crate::support::moto::Moto;

#[tokio::test]
async fn every_record_made_through_boto3_is_found_with_its_owner_and_usage() {
    let moto = Moto::start();
    let made = moto.populate();
    let agent = Agent::new(moto.url(), None);
    let records = agent.scan_incomplete().await;
    insta::assert_snapshot!(table(&records, &made), @"
    access-key/inactive | disabled | never_since | owner - | -
    access-key/twin-unused | active | never_since | owner team-twins by label | -
    access-key/twin-used | active | last_used | owner team-twins by label | -
    access-key/unused | active | never_since | owner data-platform by label | -
    access-key/used | active | last_used | owner team-payments by label | -
    grant/ana.silva/group/operators/attached/arn:aws:iam::aws:policy/AdministratorAccess | active | not_observable | owner - | admin
    grant/ci-deploy/inline/read-artifacts | active | not_observable | owner team-payments by label | read
    grant/nightly-admin/attached/arn:aws:iam::aws:policy/AdministratorAccess | active | not_observable | owner sre by label | admin
    grant/policy-writer/attached/arn:aws:iam::123456789012:policy/write-policies | active | not_observable | owner - | escalating
    grant/twin-bot/group/operators/attached/arn:aws:iam::aws:policy/AdministratorAccess | active | not_observable | owner team-twins by label | admin
    iam-role/AWSServiceRoleForAutoScaling | active | never_since | owner - | none
    iam-role/github-any | active | never_since | owner - | none
    iam-role/github-release | active | never_since | owner team-shop by label | none
    iam-role/nightly-admin | active | last_used | owner sre by label | admin
    iam-role/open-to-all | active | never_since | owner - | none
    iam-role/partner-audit | active | never_since | owner compliance by description | none
    iam-role/partner-open | active | never_since | owner - | none
    iam-role/policy-writer | active | never_since | owner - | escalating
    iam-role/web-server | active | never_since | owner team-web by label | none
    iam-user/ci-deploy | active | last_used | owner team-payments by label | read
    iam-user/git-mirror-bot | active | not_observable | owner team-source by label | none
    iam-user/nightly-export-bot | active | not_observable | owner data-platform by label | none
    iam-user/retired-bot | active | not_observable | owner - | none
    iam-user/twin-bot | active | last_used | owner team-twins by label | admin
    oidc-provider/token.actions.githubusercontent.com | active | not_observable | owner team-platform by label | -
    root-user/123456789012 | active | not_observable | owner - | admin
    saml-provider/corporate | active | not_observable | owner - | -
    server-certificate/server-certificate | active | not_observable | owner - | -
    signing-certificate/signing-certificate | active | not_observable | owner team-source by label | -
    ssh-public-key/ssh-public-key | active | not_observable | owner team-source by label | -
    ");
}

#[tokio::test]
async fn findings_name_what_is_wrong_in_the_account() {
    let moto = Moto::start();
    let made = moto.populate();
    let agent = Agent::new(moto.url(), None);
    agent.scan_incomplete().await;
    let mut lines: Vec<String> = agent
        .findings()
        .await
        .iter()
        .map(|finding| {
            let text = |field: &str| finding[field].as_str().unwrap();
            let subject = relabel(text("subject"), &made);
            format!("{} {} {subject}", text("rule"), text("severity"))
        })
        .collect();
    lines.sort();
    insta::assert_snapshot!(lines.join("\n"), @"
    admin-identity high iam-role/nightly-admin
    admin-identity high iam-user/twin-bot
    admin-identity medium iam-role/policy-writer
    broad-federated-trust high iam-role/github-any
    expired-credential low server-certificate/server-certificate
    external-trust critical iam-role/open-to-all
    external-trust high iam-role/partner-open
    external-trust medium iam-role/partner-audit
    ownerless-identity high iam-role/policy-writer
    ownerless-identity medium iam-role/github-any
    ownerless-identity medium iam-role/open-to-all
    ownerless-identity medium iam-role/partner-open
    ownerless-identity medium iam-user/retired-bot
    weak-owner low iam-role/partner-audit
    ");
}

#[tokio::test]
async fn instants_are_those_that_the_service_tells() {
    let moto = Moto::start();
    let made = moto.populate();
    let agent = Agent::new(moto.url(), None);
    let records = agent.scan_incomplete().await;
    let key = made["keys"]["used"].as_str().unwrap();
    let [used, keys, role] = moto.call([
        ("iam", "get_access_key_last_used", json!({"AccessKeyId": key})),
        ("iam", "list_access_keys", json!({"UserName": "ci-deploy"})),
        ("iam", "get_role", json!({"RoleName": "nightly-admin"})),
    ]);
    let record = find(&records, &id("access-key", key));
    same_second(&record["usage"]["at"], &used["AccessKeyLastUsed"]["LastUsedDate"]);
    same_second(&record["created_at"], &keys["AccessKeyMetadata"][0]["CreateDate"]);
    let record = find(&records, &id("iam-role", made["roles"]["nightly-admin"].as_str().unwrap()));
    same_second(&record["usage"]["at"], &role["Role"]["RoleLastUsed"]["LastUsedDate"]);
    same_second(&record["created_at"], &role["Role"]["CreateDate"]);
}

#[tokio::test]
async fn use_of_a_key_is_seen_at_the_next_scan() {
    let moto = Moto::start();
    let [_, made] = moto.call([
        ("iam", "create_user", json!({"UserName": "svc-reports"})),
        ("iam", "create_access_key", json!({"UserName": "svc-reports"})),
    ]);
    let key = crate::support::moto::Key::of(&made);
    let agent = Agent::new(moto.url(), None);
    let usage = |records: &[Value]| find(records, &id("access-key", &key.id))["usage"].clone();
    assert_eq!(usage(&agent.scan_incomplete().await)["state"], "never_since");

    moto.attempt(Some(&key), &[("sts", "get_caller_identity", json!({}))]);
    let [used] = moto.call([("iam", "get_access_key_last_used", json!({"AccessKeyId": key.id}))]);
    let usage = usage(&agent.scan_incomplete().await);
    assert_eq!(usage["state"], "last_used");
    same_second(&usage["at"], &used["AccessKeyLastUsed"]["LastUsedDate"]);
}

fn find<'a>(records: &'a [Value], id: &str) -> &'a Value {
    records.iter().find(|r| r["id"] == id).unwrap_or_else(|| panic!("{id} was not found"))
}

/// The credential report counts in seconds.
#[track_caller]
fn same_second(ours: &Value, theirs: &Value) {
    let second =
        |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    assert_eq!(second(ours), second(theirs), "{ours} {theirs}");
}

/// One record a line, sorted, the service's random ids replaced by the names of what they are.
fn table(records: &[Value], made: &Value) -> String {
    let mut lines: Vec<String> = records
        .iter()
        .map(|record| {
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let owner = match &record["owner"] {
                Value::Null => "-".to_owned(),
                owner => format!("{} by {}", text(&owner["ref"]), text(&owner["basis"])),
            };
            format!(
                "{} | {} | {} | owner {owner} | {}",
                relabel(&text(&record["id"]), made),
                text(&record["status"]),
                text(&record["usage"]["state"]),
                text(&record["privilege"]),
            )
        })
        .collect();
    lines.sort();
    lines.join("\n")
}

/// `aws:123456789012:iam-user/x8f…` → `iam-user/ci-deploy`
fn relabel(id: &str, made: &Value) -> String {
    let mut label = id.strip_prefix("aws:123456789012:").unwrap_or(id).to_owned();
    for (name, key) in made.as_object().unwrap().values().flat_map(|of| of.as_object().unwrap()) {
        label = label.replace(key.as_str().unwrap(), name);
    }
    // A SAML provider is told from a later one of its name by its creation.
    if let Some((provider, _)) = label.split_once('@') {
        label.truncate(provider.len());
    }
    label
}
