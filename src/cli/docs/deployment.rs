//! Generated files of `deploy/`: what each connector must be allowed, in the form in which it is
//! granted, and what the Helm chart takes over from the program.
//!
//! What is written by hand stands beside it: the chart's templates, and the schema of its own
//! values (`deploy/helm/values.base.json`), into which the configuration's schema is put.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::permissions::scopes;
use crate::config::schema;
use crate::registry::{self, Who};

/// The name that the documentation gives to the role in each account.
const ROLE: &str = "HeadcountReader";

const VALUES: &str = include_str!("../../../deploy/helm/values.base.json");

/// Every file, by its path in the repository.
pub fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut put = |path: &str, value: &Value| {
        files.insert(path.to_owned(), format!("{value:#}\n"));
    };
    for manifest in registry::manifests() {
        let name = manifest.connector;
        for (file, who) in [
            ("", Who::Reader),
            ("-agent", Who::Agent { role: ROLE }),
            ("-secret-metadata", Who::SecretMetadata),
        ] {
            if let Some(policy) = registry::permissions(name, who) {
                put(&format!("deploy/permissions/{name}{file}.json"), &policy);
            }
        }
    }
    for manifest in registry::described() {
        put(&format!("deploy/permissions/rest-{}.json", manifest.connector), &scopes(manifest));
    }
    for (file, who) in
        [("", Who::Reader), ("-token-accessors", Who::Asking { settings: &["token_accessors"] })]
    {
        if let Some(policy) = registry::permissions("vault", who) {
            put(&format!("deploy/permissions/vault{file}.json"), &policy);
        }
    }
    if let Some(policy) = registry::permissions("aws", Who::Reader) {
        let member = member_account(&policy);
        put("deploy/permissions/aws-stackset.json", &stack_set(&member));
        put("deploy/permissions/aws-member-account.json", &member);
    }
    for (file, who) in
        [("cluster-role", Who::Reader), ("cluster-role-secret-metadata", Who::SecretMetadata)]
    {
        if let Some(role) = registry::permissions("kubernetes", who) {
            put(&format!("deploy/helm/headcount/files/{file}.json"), &role);
        }
    }
    if let Some(schema) = values_schema() {
        put("deploy/helm/headcount/values.schema.json", &schema);
    }
    files
}

/// A CloudFormation template for the role that the agent assumes in an account.
fn member_account(policy: &Value) -> Value {
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "The role that Headcount assumes to count this account. Reads only.",
        "Parameters": parameters(),
        "Resources": {
            "Reader": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": {"Ref": "RoleName"},
                    "Description": "Counts the non-human identities of this account. Reads only.",
                    "AssumeRolePolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [{
                            "Effect": "Allow",
                            "Action": "sts:AssumeRole",
                            "Principal": {"AWS": {"Ref": "AgentRoleArn"}},
                            "Condition": {
                                "StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}},
                            },
                        }],
                    },
                    "Policies": [{"PolicyName": "headcount-reader", "PolicyDocument": policy}],
                    "Tags": [{"Key": "owner", "Value": {"Ref": "Owner"}}],
                },
            },
        },
        "Outputs": {"RoleArn": {"Value": {"Fn::GetAtt": ["Reader", "Arn"]}}},
    })
}

/// A CloudFormation template for the management account, or a delegated administrator's: the role
/// in every account of these units, and in those that come to them later.
fn stack_set(member: &Value) -> Value {
    let mut own = parameters();
    own["Units"] = json!({
        "Type": "CommaDelimitedList",
        "Description": "Organizational units (or the root) whose accounts are counted",
    });
    let passed = |name: &str| json!({"ParameterKey": name, "ParameterValue": {"Ref": name}});
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Headcount's role in every account of an organisation. Reads only.",
        "Parameters": own,
        "Resources": {
            "Readers": {
                "Type": "AWS::CloudFormation::StackSet",
                "Properties": {
                    "StackSetName": "headcount-reader",
                    "Description": "The role that Headcount assumes in each account. Reads only.",
                    "PermissionModel": "SERVICE_MANAGED",
                    // An account that joins is counted from its first day.
                    "AutoDeployment": {"Enabled": true, "RetainStacksOnAccountRemoval": false},
                    "Capabilities": ["CAPABILITY_NAMED_IAM"],
                    "OperationPreferences": {
                        "FailureTolerancePercentage": 100,
                        "MaxConcurrentPercentage": 100,
                    },
                    "Parameters": [
                        passed("AgentRoleArn"), passed("ExternalId"), passed("Owner"),
                        passed("RoleName"),
                    ],
                    // IAM has no region; one stack per account is enough.
                    "StackInstancesGroup": [{
                        "DeploymentTargets": {"OrganizationalUnitIds": {"Ref": "Units"}},
                        "Regions": [{"Ref": "AWS::Region"}],
                    }],
                    "TemplateBody": member.to_string(),
                },
            },
        },
    })
}

fn parameters() -> Value {
    json!({
        "AgentRoleArn": {
            "Type": "String",
            "AllowedPattern": "^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+$",
            "Description": "ARN of the role (or user) that the agent runs as; it must exist",
        },
        "ExternalId": {
            "Type": "String",
            "MinLength": 2,
            "Description": "As in the configuration: accounts.organization.external_id",
        },
        "Owner": {
            "Type": "String",
            "MinLength": 1,
            "Description": "Who answers for the role; it becomes its tag owner",
        },
        "RoleName": {
            "Type": "String",
            "Default": ROLE,
            "Description": "As in the configuration: accounts.organization.role",
        },
    })
}

/// The schema of the chart's values, with that of the configuration under `config`, so that a
/// mistake is told by `helm install` and not by a pod that does not start.
///
/// `None` is for a schema that is no object, which a test rules out.
fn values_schema() -> Option<Value> {
    let mut values: Value = serde_json::from_str(VALUES).ok()?;
    let mut config = schema::schema().clone();
    let config = config.as_object_mut()?;
    let definitions = config.remove("$defs")?;
    config.remove("$schema");
    config.remove("title");
    values.get_mut("properties")?["config"] = Value::Object(std::mem::take(config));
    let own = values.get_mut("$defs")?.as_object_mut()?;
    for (name, definition) in definitions.as_object()? {
        // A name of the chart's that the configuration uses as well would change its meaning.
        if own.insert(name.clone(), definition.clone()).is_some() {
            return None;
        }
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn the_values_of_the_chart_hold_the_whole_configuration() {
        let schema = values_schema().unwrap();
        assert_eq!(
            schema["properties"]["config"]["properties"],
            schema::schema()["properties"],
            "config is checked as the agent checks it"
        );
    }

    #[test]
    fn the_stack_set_carries_the_template_of_a_member_account_whole() {
        let files = files();
        let read = |path: &str| -> Value { serde_json::from_str(&files[path]).unwrap() };
        let set = read("deploy/permissions/aws-stackset.json");
        let body = set["Resources"]["Readers"]["Properties"]["TemplateBody"].as_str().unwrap();
        let member = read("deploy/permissions/aws-member-account.json");
        assert_eq!(serde_json::from_str::<Value>(body).unwrap(), member);
        // 51,200 bytes: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
        assert!(body.len() < 51_200, "{}", body.len());
        let policy = &member["Resources"]["Reader"]["Properties"]["Policies"][0]["PolicyDocument"];
        assert_eq!(Some(policy), registry::permissions("aws", Who::Reader).as_ref());
    }

    #[test]
    fn every_description_names_what_it_must_be_allowed() {
        let files = files();
        for manifest in registry::described() {
            let path = format!("deploy/permissions/rest-{}.json", manifest.connector);
            let scopes: Value = serde_json::from_str(&files[&path]).unwrap();
            assert!(!scopes["permissions"].as_array().unwrap().is_empty(), "{path}");
        }
    }
}
