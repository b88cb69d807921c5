//! A whole organisation, its members read through a role that asks for an external id.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::ids;
use crate::support::agent::Agent;
use crate::support::moto::{ACCOUNT, Key, Moto};

const READER: &str = "HeadcountReader";

/// Two members beside the management account, each with one machine and its key.
struct Members {
    moto: Moto,
    key: Key,
    /// Ids of accounts and of what is in them.
    made: Vec<(String, String, String)>,
}

impl Members {
    async fn new() -> Self {
        let moto = Moto::start();
        let [_, payments, search, _, _, made] = moto.call([
            ("organizations", "create_organization", json!({"FeatureSet": "ALL"})),
            ("organizations", "create_account", account("payments")),
            ("organizations", "create_account", account("search")),
            ("iam", "create_user", json!({"UserName": "headcount"})),
            ("iam", "put_user_policy", policy("UserName", "headcount", &agent_policy())),
            ("iam", "create_access_key", json!({"UserName": "headcount"})),
        ]);
        let key = Key::of(&made);
        let made = [payments, search]
            .iter()
            .map(|created| {
                populate(&moto, created["CreateAccountStatus"]["AccountId"].as_str().unwrap())
            })
            .collect();
        moto.enforce_policies().await;
        Self { moto, key, made }
    }

    fn agent(&self) -> Agent {
        let accounts = json!({"organization": {"role": READER, "external_id": "agreed"}});
        Agent::counting(&accounts, self.moto.url(), None).with_key(self.key.clone())
    }

    fn expected(&self) -> BTreeSet<String> {
        let of = |(account, user, key): &(String, String, String)| {
            [format!("aws:{account}:iam-user/{user}"), format!("aws:{account}:access-key/{key}")]
        };
        self.made.iter().flat_map(of).collect()
    }
}

fn account(name: &str) -> Value {
    json!({"AccountName": name, "Email": format!("{name}@example.com")})
}

fn policy(holder: &str, name: &str, document: &Value) -> Value {
    json!({holder: name, "PolicyName": "headcount", "PolicyDocument": document.to_string()})
}

fn allow(actions: &Value, resource: &str) -> Value {
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": resource});
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

/// What the agent needs in its own account: to list the others and to become the role.
fn agent_policy() -> Value {
    allow(&json!(["organizations:ListAccounts", "sts:AssumeRole", "iam:*"]), "*")
}

/// A machine with a key, and the role to read it by; gives the account and the two ids.
fn populate(moto: &Moto, account: &str) -> (String, String, String) {
    let arn = format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole");
    let [session] =
        moto.call([("sts", "assume_role", json!({"RoleArn": arn, "RoleSessionName": "populate"}))]);
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:user/headcount")},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "agreed"}},
        }],
    });
    let made = moto.attempt(
        Some(&Key::of(&session)),
        &[
            ("iam", "create_user", json!({"UserName": "svc-worker"})),
            ("iam", "create_access_key", json!({"UserName": "svc-worker"})),
            (
                "iam",
                "create_role",
                json!({"RoleName": READER, "AssumeRolePolicyDocument": trust.to_string()}),
            ),
            ("iam", "put_role_policy", policy("RoleName", READER, &allow(&json!(["iam:*"]), "*"))),
        ],
    );
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (
        account.to_owned(),
        text(&made[0]["User"]["UserId"]),
        text(&made[1]["AccessKey"]["AccessKeyId"]),
    )
}

#[tokio::test]
async fn every_account_of_an_organisation_is_read_through_its_role() {
    let members = Members::new().await;
    let found = ids(&members.agent().scan_incomplete().await);
    let missing: Vec<String> = members.expected().difference(&found).cloned().collect();
    assert!(missing.is_empty(), "{missing:?} of {found:#?}");
    assert!(found.iter().any(|id| id.starts_with(&format!("aws:{ACCOUNT}:"))), "its own account");
}

#[tokio::test]
async fn a_member_whose_role_lost_its_policy_keeps_its_records_and_costs_no_other_member_any() {
    let members = Members::new().await;
    let agent = members.agent();
    let known = ids(&agent.scan_incomplete().await);
    let (account, ..) = &members.made[0];
    members.moto.allow_everything().await;
    let arn = format!("arn:aws:iam::{account}:role/{READER}");
    let [session] = members.moto.call([(
        "sts",
        "assume_role",
        json!({"RoleArn": arn, "RoleSessionName": "removal"}),
    )]);
    let removal = json!({"RoleName": READER, "PolicyName": "headcount"});
    members.moto.attempt(Some(&Key::of(&session)), &[("iam", "delete_role_policy", removal)]);
    members.moto.enforce_policies().await;

    let found = ids(&agent.scan_incomplete().await);
    let gone: Vec<&String> = known.difference(&found).collect();
    assert!(gone.is_empty(), "{gone:?}");
    let lost: BTreeSet<String> = agent
        .findings()
        .await
        .iter()
        .filter(|f| f["rule"] == "coverage-lost")
        .map(|f| f["subject"].as_str().unwrap().split('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(lost, BTreeSet::from([format!("aws:{account}")]));
}
