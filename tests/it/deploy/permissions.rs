//! The CloudFormation templates of `deploy/permissions`: sound by AWS's own schemas (cfn-lint), and
//! the role that they make is enough for the agent (moto's CloudFormation and IAM).

use std::fs;

use serde_json::{Value, json};

use super::chart::root;
use crate::support::agent::Agent;
use crate::support::moto::{ACCOUNT, Key, Moto};
use crate::support::tools::{self, CHECKERS, CHECKOV};

const ROLE: &str = "HeadcountReader";

fn permissions(name: &str) -> String {
    fs::read_to_string(root().join("deploy/permissions").join(name)).unwrap()
}

#[test]
fn templates_are_what_cloudformation_describes() {
    let folder = root().join("deploy/permissions");
    let templates = ["aws-stackset.json", "aws-member-account.json"].map(|name| folder.join(name));
    tools::output(CHECKERS.python().script("cfn.py").args(&templates));
    let said =
        tools::output(CHECKOV.python().script("run.py").arg("cloudformation").arg(&templates[1]));
    assert_eq!(said, "", "checkov would have it otherwise");
}

/// By their own grammars: an action of IAM begins with its verb, and three verbs of Kubernetes read.
#[test]
fn every_permission_that_is_asked_for_reads() {
    let read = |name: &str| -> Value { serde_json::from_str(&permissions(name)).unwrap() };
    let actions = read("aws.json")["Statement"][0]["Action"].as_array().unwrap().clone();
    assert!(actions.len() > 10);
    for action in &actions {
        let (_, verb) = action.as_str().unwrap().split_once(':').unwrap();
        // A credential report is a list that AWS makes ready first.
        let reads = verb == "GenerateCredentialReport";
        assert!(reads || verb.starts_with("Get") || verb.starts_with("List"), "{action}");
    }
    for role in ["kubernetes.json", "kubernetes-secret-metadata.json"] {
        for rule in read(role)["rules"].as_array().unwrap() {
            for verb in rule["verbs"].as_array().unwrap() {
                assert!(["get", "list", "watch"].contains(&verb.as_str().unwrap()), "{rule}");
            }
        }
    }
    let github = read("github.json")["default_permissions"].clone();
    assert!(github.as_object().unwrap().values().all(|access| access == "read"), "{github}");
}

#[tokio::test]
async fn the_role_that_the_template_makes_is_enough_for_the_agent() {
    let moto = Moto::start();
    let [_, _, key] = moto.call([
        ("iam", "create_user", json!({"UserName": "headcount"})),
        (
            "iam",
            "put_user_policy",
            json!({
                "UserName": "headcount",
                "PolicyName": "headcount",
                "PolicyDocument": permissions("aws-agent.json"),
            }),
        ),
        ("iam", "create_access_key", json!({"UserName": "headcount"})),
    ]);
    let parameter = |key: &str, value: &str| json!({"ParameterKey": key, "ParameterValue": value});
    let template: Value = serde_json::from_str(&permissions("aws-member-account.json")).unwrap();
    let policy = &template["Resources"]["Reader"]["Properties"]["Policies"][0];
    let [_, _, made] = moto.call([
        (
            "cloudformation",
            "create_stack",
            json!({
                "StackName": "headcount-reader",
                "TemplateBody": template.to_string(),
                "Capabilities": ["CAPABILITY_NAMED_IAM"],
                "Parameters": [
                    parameter("AgentRoleArn", &format!("arn:aws:iam::{ACCOUNT}:user/headcount")),
                    parameter("ExternalId", "7f3a1c9e"),
                    parameter("Owner", "team-security"),
                ],
            }),
        ),
        // moto keeps the inline policy of a stack as Python prints it, which is no JSON.
        (
            "iam",
            "put_role_policy",
            json!({
                "RoleName": ROLE,
                "PolicyName": policy["PolicyName"],
                "PolicyDocument": policy["PolicyDocument"].to_string(),
            }),
        ),
        ("iam", "get_role", json!({"RoleName": ROLE})),
    ]);
    let trust = &made["Role"]["AssumeRolePolicyDocument"]["Statement"][0];
    assert_eq!(trust["Condition"]["StringEquals"]["sts:ExternalId"], "7f3a1c9e");
    moto.enforce_policies().await;

    let role = format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}");
    let accounts = json!({"roles": [role], "external_id": "7f3a1c9e"});
    let agent = Agent::counting(&accounts, moto.url(), None).with_key(Key::of(&key));
    // Exit code 4, because moto does not serve one operation.
    let checked = agent.run(&["check", "--format", "json"]).await.ending(4);
    let lines: Vec<Value> = serde_json::from_str(&checked.stdout).unwrap();
    let failed: Vec<&str> = lines
        .iter()
        .filter(|line| line["outcome"] == "failed" || line["outcome"] == "degraded")
        .map(|line| line["permission"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["iam:ListServiceSpecificCredentials"]);

    // The role is counted as well, with the owner that the template wrote on it.
    let found = agent.scan_incomplete().await;
    let reader = found.iter().find(|record| record["name"] == ROLE).unwrap();
    assert_eq!(reader["owner"]["ref"], "team-security", "{reader}");
}

/// As EKS starts a pod whose service account is annotated with a role: a token in a file, the role's
/// name, and no key at all.
#[tokio::test]
async fn a_pod_becomes_its_role_by_the_token_of_its_service_account() {
    let moto = Moto::start();
    let federated = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.example.com");
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": federated},
        }],
    });
    moto.call([(
        "iam",
        "create_role",
        json!({"RoleName": "headcount", "AssumeRolePolicyDocument": trust.to_string()}),
    )]);
    let agent = Agent::new(moto.url(), None);
    let config = agent.config_path();
    let token = std::path::Path::new(&config).with_file_name("token");
    fs::write(&token, "eyJhbGciOiJub25lIn0.e30.").unwrap();
    let mut check = agent.command(&["check", "--format", "json", "--config", &config]);
    check
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_ENDPOINT_URL", moto.url())
        .env("AWS_ROLE_ARN", format!("arn:aws:iam::{ACCOUNT}:role/headcount"))
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token);
    let output = check.output().await.unwrap();
    let lines: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let read = lines.iter().find(|l| l["permission"] == "iam:GetAccountAuthorizationDetails");
    let read = read.unwrap();
    assert_eq!(read["outcome"], "ok", "{lines:#?}");
    assert_eq!(read["place"], format!("aws:{ACCOUNT}"));
}
