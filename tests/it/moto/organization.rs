//! A whole organisation, with the policies and the stack of `deploy/permissions` and nothing more: its
//! members are read through a role that asks for an external id.

use std::collections::BTreeSet;
use std::path::Path;

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
        let [_, payments, search, _, _, _, made] = moto.call([
            ("organizations", "create_organization", json!({"FeatureSet": "ALL"})),
            ("organizations", "create_account", account("payments")),
            ("organizations", "create_account", account("search")),
            ("iam", "create_user", json!({"UserName": "headcount"})),
            ("iam", "put_user_policy", policy("headcount-agent", "aws-agent")),
            ("iam", "put_user_policy", policy("headcount-reader", "aws")),
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

/// What `deploy/permissions` gives people.
fn deployed(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/permissions");
    std::fs::read_to_string(folder.join(name).with_extension("json")).unwrap()
}

/// A policy of the agent's own account, but for its resources: moto asks about none but `*`.
fn policy(name: &str, file: &str) -> Value {
    let mut document: Value = serde_json::from_str(&deployed(file)).unwrap();
    for statement in document["Statement"].as_array_mut().unwrap() {
        statement["Resource"] = json!("*");
    }
    json!({"UserName": "headcount", "PolicyName": name, "PolicyDocument": document.to_string()})
}

/// The stack that the StackSet puts into every account.
fn stack() -> Value {
    let set: Value = serde_json::from_str(&deployed("aws-stackset")).unwrap();
    let parameter =
        |name: &str, value: &str| json!({"ParameterKey": name, "ParameterValue": value});
    json!({
        "StackName": "headcount",
        "TemplateBody": set["Resources"]["Readers"]["Properties"]["TemplateBody"],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Parameters": [
            parameter("AgentRoleArn", &format!("arn:aws:iam::{ACCOUNT}:user/headcount")),
            parameter("ExternalId", "agreed"),
            parameter("Owner", "team-security"),
            parameter("RoleName", READER),
        ],
    })
}

/// A machine with a key, and the stack of the role to read it by; gives the account and the two ids.
fn populate(moto: &Moto, account: &str) -> (String, String, String) {
    let arn = format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole");
    let [session] =
        moto.call([("sts", "assume_role", json!({"RoleArn": arn, "RoleSessionName": "populate"}))]);
    let made = moto.attempt(
        Some(&Key::of(&session)),
        &[
            ("iam", "create_user", json!({"UserName": "svc-worker"})),
            ("iam", "create_access_key", json!({"UserName": "svc-worker"})),
            ("cloudformation", "create_stack", stack()),
            ("iam", "put_role_policy", policy_again()),
        ],
    );
    assert!(made[2]["StackId"].is_string(), "{}", made[2]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (
        account.to_owned(),
        text(&made[0]["User"]["UserId"]),
        text(&made[1]["AccessKey"]["AccessKeyId"]),
    )
}

/// The policy of the stack, put there once more: moto's check of permissions breaks on what a stack
/// has put there.
fn policy_again() -> Value {
    let template: Value = serde_json::from_str(stack()["TemplateBody"].as_str().unwrap()).unwrap();
    let policy = &template["Resources"]["Reader"]["Properties"]["Policies"][0];
    json!({
        "RoleName": READER,
        "PolicyName": policy["PolicyName"],
        "PolicyDocument": policy["PolicyDocument"].to_string(),
    })
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
    let removal = json!({"RoleName": READER, "PolicyName": "headcount-reader"});
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
