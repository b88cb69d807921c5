//! Which event makes what dirty, who is remembered as a creator, and what is refused.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use serde_json::{Value, json};

use super::*;

const POLICY: &str = "arn:aws:iam::123456789012:policy/deploy";
const OIDC: &str = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com";
const SAML: &str = "arn:aws:iam::123456789012:saml-provider/corporate";

fn record(name: &str, request: &Value, response: &Value) -> Value {
    json!({
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "userName": "ana", "accountId": "123456789012"},
        "eventTime": "2026-01-15T09:00:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "requestParameters": request,
        "responseElements": response,
        "readOnly": false,
        "recipientAccountId": "123456789012",
    })
}

fn hinted(record: &Value) -> Vec<String> {
    let event = read(record).unwrap().unwrap();
    let shown = event.hints.iter().map(|hint| format!("{} {}", hint.scope, hint.subject));
    shown.map(|hint| hint.replace("aws:123456789012/", "")).collect()
}

#[test]
fn each_event_names_what_it_changed() {
    let user = json!({"userName": "svc"});
    let role = json!({"roleName": "deployer"});
    let group = json!({"groupName": "operators", "userName": "svc"});
    let policy = json!({"policyArn": POLICY, "setAsDefault": true});
    let rows: &[(&str, &Value, &[&str])] = &[
        ("CreateUser", &user, &["users svc"]),
        ("DeleteUser", &user, &["users svc"]),
        ("TagUser", &user, &["users svc"]),
        (
            "UpdateUser",
            &json!({"userName": "svc", "newUserName": "new"}),
            &["users new", "users svc"],
        ),
        ("CreateLoginProfile", &user, &["users svc"]),
        ("PutUserPermissionsBoundary", &user, &["users svc"]),
        ("AttachUserPolicy", &user, &["grants user/svc", "users svc"]),
        ("DeleteUserPolicy", &user, &["grants user/svc", "users svc"]),
        ("AddUserToGroup", &group, &["grants user/svc", "users svc"]),
        ("RemoveUserFromGroup", &group, &["grants user/svc", "users svc"]),
        ("CreateRole", &role, &["roles deployer"]),
        ("DeleteRole", &role, &["roles deployer"]),
        ("UpdateAssumeRolePolicy", &role, &["roles deployer"]),
        ("UntagRole", &role, &["roles deployer"]),
        ("AddRoleToInstanceProfile", &role, &["roles deployer"]),
        ("PutRolePolicy", &role, &["grants role/deployer", "roles deployer"]),
        ("DetachRolePolicy", &role, &["grants role/deployer", "roles deployer"]),
        ("AttachGroupPolicy", &group, &["grants group/operators", "users group/operators"]),
        (
            "CreatePolicyVersion",
            &policy,
            &[
                "grants policy/arn:aws:iam::123456789012:policy/deploy",
                "roles policy/arn:aws:iam::123456789012:policy/deploy",
                "users policy/arn:aws:iam::123456789012:policy/deploy",
            ],
        ),
        ("CreateAccessKey", &user, &["access-keys svc"]),
        ("UpdateAccessKey", &user, &["access-keys svc"]),
        ("DeleteAccessKey", &user, &["access-keys svc"]),
        ("UploadSSHPublicKey", &user, &["ssh-public-keys svc"]),
        ("DeleteSigningCertificate", &user, &["signing-certificates svc"]),
        ("ResetServiceSpecificCredential", &user, &["service-specific-credentials svc"]),
        (
            "DeleteSAMLProvider",
            &json!({"sAMLProviderArn": SAML}),
            &["saml-providers arn:aws:iam::123456789012:saml-provider/corporate"],
        ),
        (
            "AddClientIDToOpenIDConnectProvider",
            &json!({"openIDConnectProviderArn": OIDC}),
            &["oidc-providers arn:aws:iam::123456789012:oidc-provider/oidc.example.com"],
        ),
        (
            "UploadServerCertificate",
            &json!({"serverCertificateName": "shop"}),
            &["server-certificates shop"],
        ),
    ];
    for (name, request, expected) in rows {
        assert_eq!(hinted(&record(name, request, &Value::Null)), *expected, "{name}");
    }
}

#[test]
fn every_scope_that_is_hinted_at_exists() {
    let request = json!({"userName": "u", "roleName": "r", "groupName": "g", "policyArn": POLICY,
        "sAMLProviderArn": SAML, "openIDConnectProviderArn": OIDC, "serverCertificateName": "c"});
    for name in [
        "AttachUserPolicy",
        "AttachRolePolicy",
        "AttachGroupPolicy",
        "CreatePolicyVersion",
        "CreateAccessKey",
        "UploadSSHPublicKey",
        "UploadSigningCertificate",
        "CreateServiceSpecificCredential",
        "CreateSAMLProvider",
        "CreateOpenIDConnectProvider",
        "UploadServerCertificate",
    ] {
        for hint in read(&record(name, &request, &Value::Null)).unwrap().unwrap().hints {
            let known = crate::MANIFEST.scopes.iter().any(|scope| scope.name == hint.scope.kind);
            assert!(known, "{name}: {}", hint.scope);
        }
    }
}

#[test]
fn names_that_only_the_answer_or_the_caller_gives_are_found() {
    let answer = json!({"role": {"roleName": "AWSServiceRoleForX", "roleId": "AROAEXAMPLE"}});
    let linked = record("CreateServiceLinkedRole", &json!({"aWSServiceName": "x"}), &answer);
    assert_eq!(hinted(&linked), ["roles AWSServiceRoleForX"]);
    let answer = json!({"sAMLProviderArn": SAML});
    let saml = record("CreateSAMLProvider", &json!({"name": "corporate"}), &answer);
    assert_eq!(hinted(&saml), [format!("saml-providers {SAML}")]);
    let answer = json!({"accessKey": {"userName": "svc", "accessKeyId": "AKIAEXAMPLE"}});
    assert_eq!(hinted(&record("CreateAccessKey", &Value::Null, &answer)), ["access-keys svc"]);
    let own = record("DeleteAccessKey", &json!({"accessKeyId": "AKIAEXAMPLE"}), &Value::Null);
    assert_eq!(hinted(&own), ["access-keys ana"], "who acts on itself is not named twice");

    let mut root = own;
    root["userIdentity"] = json!({"type": "Root", "arn": "arn:aws:iam::123456789012:root"});
    assert_eq!(read(&root), Ok(None), "only the report tells of root's keys");
    root["userIdentity"] = json!({"type": "AssumedRole", "userName": "svc"});
    assert_eq!(read(&root), Err("requestParameters.userName"));
}

#[test]
fn what_changes_nothing_is_nothing() {
    let create = record("CreateUser", &json!({"userName": "svc"}), &Value::Null);
    let but = |member: &str, value: Value| {
        let mut record = create.clone();
        record[member] = value;
        record
    };
    for record in [
        but("eventSource", json!("sts.amazonaws.com")),
        but("errorCode", json!("AccessDenied")),
        but("readOnly", json!(true)),
        but("eventName", json!("GenerateCredentialReport")),
        but("eventName", json!("CreateGroup")),
        json!({}),
        json!([1]),
        json!("CreateUser"),
    ] {
        assert_eq!(read(&record), Ok(None), "{record}");
    }
    assert!(read(&but("errorCode", Value::Null)).unwrap().is_some());
}

#[test]
fn what_is_no_name_goes_nowhere() {
    let long = "x".repeat(129);
    for name in ["", "a b", "a/b", "group/x", "../x", "a\nb", "ä", &long] {
        let record = record("CreateUser", &json!({"userName": name}), &Value::Null);
        assert!(read(&record).is_err(), "{name}");
    }
    let mut nobodys = record("CreateUser", &json!({"userName": "svc"}), &Value::Null);
    for account in
        [json!("12345"), json!(123_456_789_012_i64), json!("123456789012/x"), Value::Null]
    {
        nobodys["recipientAccountId"] = account;
        assert_eq!(read(&nobodys), Err("recipientAccountId"));
    }
    let odd = record("CreatePolicyVersion", &json!({"policyArn": "no arn"}), &Value::Null);
    assert!(read(&odd).is_err());
    let shapeless = record("CreateUser", &json!({"userName": {"x": 1}}), &Value::Null);
    assert!(read(&shapeless).is_err());
}

#[test]
fn the_region_tells_the_partition() {
    let place = |region: &str| {
        let mut record = record("CreateUser", &json!({"userName": "svc"}), &Value::Null);
        record["awsRegion"] = json!(region);
        read(&record).unwrap().unwrap().place.to_string()
    };
    assert_eq!(place("us-east-1"), "aws:123456789012");
    assert_eq!(place("cn-north-1"), "aws-cn:123456789012");
    assert_eq!(place("us-gov-west-1"), "aws-us-gov:123456789012");
    assert_eq!(place("eusc-de-east-1"), "aws-eusc:123456789012");
}

#[test]
fn creators_are_named_as_people_know_them() {
    let session = |role: &str, name: &str| {
        json!({
            "type": "AssumedRole",
            "arn": format!("arn:aws:sts::123456789012:assumed-role/{role}/{name}"),
            "sessionContext": {"sessionIssuer": {"type": "Role", "userName": role}},
        })
    };
    let mut sourced = session("deployer", "run-1");
    sourced["sessionContext"]["sourceIdentity"] = json!("ana@example.com");
    let rows = [
        (json!({"type": "IAMUser", "userName": "ana"}), Some("ana")),
        (session("AWSReservedSSO_Admin_0123456789abcdef", "ana"), Some("ana")),
        (session("admin", "ana@example.com"), Some("ana@example.com")),
        (session("github-deploy", "run-4711"), Some("github-deploy")),
        (sourced, Some("ana@example.com")),
        (json!({"type": "Root", "arn": "arn:aws:iam::123456789012:root"}), Some("root")),
        (
            json!({"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}),
            Some("autoscaling.amazonaws.com"),
        ),
        (
            json!({"type": "FederatedUser", "arn": "arn:aws:sts::123456789012:federated-user/bo"}),
            Some("bo"),
        ),
        (json!({"type": "WebIdentityUser", "userName": "runner"}), Some("runner")),
        (json!({"type": "Unknown"}), None),
        (json!({"type": "IAMUser", "userName": "a\u{1b}[31mb"}), None),
        (json!({"type": "IAMUser", "userName": "x".repeat(300)}), None),
        (Value::Null, None),
    ];
    for (identity, expected) in rows {
        let answer = json!({"user": {"userId": "AIDAEXAMPLE", "userName": "svc"}});
        let mut record = record("CreateUser", &json!({"userName": "svc"}), &answer);
        record["userIdentity"] = identity.clone();
        let creator = read(&record).unwrap().unwrap().creator;
        let named = creator.as_ref().map(|creator| creator.evidence.reference.as_str());
        assert_eq!(named, expected, "{identity}");
    }
}

#[test]
fn only_what_is_made_has_a_creator_and_by_its_unique_id() {
    let creator = |name: &str, answer: Value| {
        let request = json!({"userName": "svc", "roleName": "deployer"});
        let event = read(&record(name, &request, &answer)).unwrap().unwrap();
        event.creator.map(|creator| (creator.of.to_string(), creator.evidence.locator))
    };
    let made = |id: &str, locator: &str| {
        Some((format!("aws:123456789012:{id}"), format!("cloudtrail:{locator}")))
    };
    let user = json!({"user": {"userId": "AIDAEXAMPLE"}});
    assert_eq!(creator("CreateUser", user.clone()), made("iam-user/AIDAEXAMPLE", "CreateUser"));
    assert_eq!(creator("TagUser", user), None);
    let role = json!({"role": {"roleId": "AROAEXAMPLE"}});
    assert_eq!(creator("CreateRole", role), made("iam-role/AROAEXAMPLE", "CreateRole"));
    assert_eq!(creator("CreateUser", Value::Null), None, "a name is no id");
    let key = json!({"accessKey": {"userName": "svc", "accessKeyId": "AKIAEXAMPLE"}});
    assert_eq!(creator("CreateAccessKey", key), None, "a key follows the owner of its user");
}
