//! One row per kind of document, and strange ones at random.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn level(document: &Value) -> Level {
    assess("p", &document.to_string()).level
}

fn one(statement: Value) -> Level {
    level(&json!({ "Version": "2012-10-17", "Statement": [statement] }))
}

fn allows(action: Value, resource: Value) -> Level {
    one(json!({ "Effect": "Allow", "Action": action, "Resource": resource }))
}

#[test]
fn levels_follow_the_strongest_thing_allowed() {
    let any = || json!("*");
    let rows = [
        (allows(json!("*"), any()), Level::Admin),
        (allows(json!("*:*"), any()), Level::Admin),
        (allows(json!(["s3:GetObject", "*"]), json!(["arn:aws:s3:::a", "*"])), Level::Admin),
        (allows(json!("*"), json!("arn:aws:s3:::bucket/*")), Level::Write),
        (allows(json!("iam:*"), any()), Level::Escalating),
        (allows(json!("IAM:put*policy"), any()), Level::Escalating),
        (allows(json!("iam:CreateAccessKey"), any()), Level::Escalating),
        (
            allows(json!("iam:CreateAccessKey"), json!("arn:aws:iam::*:user/${aws:username}")),
            Level::Write,
        ),
        (
            allows(json!("iam:PutUserPolicy"), json!("arn:aws:iam::*:user/${aws:username}")),
            Level::Escalating,
        ),
        (
            allows(json!("iam:*AccessKey*"), json!("arn:aws:iam::*:user/${aws:username}")),
            Level::Write,
        ),
        (allows(json!(["iam:PassRole", "lambda:CreateFunction"]), any()), Level::Escalating),
        (allows(json!("iam:PassRole"), any()), Level::Write),
        (allows(json!("lambda:UpdateFunctionCode"), any()), Level::Escalating),
        (
            allows(json!("lambda:UpdateFunctionCode"), json!("arn:aws:lambda:::function:a")),
            Level::Write,
        ),
        (allows(json!("s3:*"), any()), Level::Write),
        (allows(json!("ec2:D*"), any()), Level::Write),
        (allows(json!("ec2:Describe*"), any()), Level::Read),
        (allows(json!(["s3:Get*", "s3:ListBucket", "logs:FilterLogEvents"]), any()), Level::Read),
        (allows(json!("sts:GetFederationToken"), any()), Level::Write),
        (allows(json!("sts:AssumeRole"), any()), Level::Write),
        (allows(json!([]), any()), Level::None),
    ];
    for (at, (got, expected)) in rows.into_iter().enumerate() {
        assert_eq!(got, expected, "row {at}");
    }
}

#[test]
fn exclusions_are_read_as_everything_else() {
    let but =
        |actions: Value| one(json!({ "Effect": "Allow", "NotAction": actions, "Resource": "*" }));
    assert_eq!(but(json!(["iam:*", "organizations:*"])), Level::Write);
    assert_eq!(but(json!("s3:DeleteBucket")), Level::Admin);
    let elsewhere =
        json!({ "Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::vault" });
    assert_eq!(one(elsewhere), Level::Admin);
}

#[test]
fn conditions_and_denials_are_named_and_not_trusted() {
    let statement = json!({ "Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": { "Bool": { "aws:MultiFactorAuthPresent": "true" } } });
    let denied = json!({ "Effect": "Deny", "Action": "s3:*", "Resource": "*" });
    let got = assess("ops", &json!({ "Statement": [statement, denied] }).to_string());
    assert_eq!(got.level, Level::Admin);
    assert_eq!(
        got.reason,
        "policy ops allows * on * under conditions; its Deny statements are not weighed"
    );
    assert_eq!(one(json!({ "Effect": "Deny", "Action": "s3:*", "Resource": "*" })), Level::None);
    let all = json!({ "Effect": "Deny", "Action": "*", "Resource": "*" });
    let some = json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*" });
    assert_eq!(level(&json!({ "Statement": [some, all] })), Level::None);
}

#[test]
fn what_is_not_understood_is_unknown() {
    for document in [
        "",
        "{",
        "not json",
        "%7B%22",
        "[]",
        "{}",
        "null",
        r#"{"Statement": 7}"#,
        r#"{"Statement": [{"Effect": "Maybe", "Action": "s3:Get*", "Resource": "*"}]}"#,
        r#"{"Statement": [{"Effect": "Allow", "Resource": "*"}]}"#,
        r#"{"Statement": [{"Effect": "Allow", "Action": {"a": 1}, "Resource": "*"}]}"#,
        r#"{"Statement": [{"Effect": "Allow", "Action": "s3:Get*"}]}"#,
        r#"{"Statement": [{"Effect": "Allow", "Action": "nonsense", "Resource": "*"}]}"#,
        r#"{"Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*", "Condition": 3}]}"#,
    ] {
        assert_eq!(assess("p", document).level, Level::Unknown, "{document}");
    }
}

#[test]
fn documents_come_percent_encoded_single_or_listed() {
    let encoded = "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22%2A%22%2C%22Resource%22%3A%22%2A%22%7D%7D";
    assert_eq!(assess("p", encoded).level, Level::Admin);
}

#[test]
fn aws_managed_policies_are_judged_by_name() {
    let rows = [
        ("AdministratorAccess", Level::Admin),
        ("IAMFullAccess", Level::Escalating),
        ("AmazonS3ReadOnlyAccess", Level::Read),
        ("job-function/ViewOnlyAccess", Level::Read),
        ("AmazonS3FullAccess", Level::Write),
        ("AWSCompromisedKeyQuarantineV3", Level::None),
        ("aws-service-role/SomethingServiceRolePolicy", Level::Unknown),
    ];
    for (name, expected) in rows {
        let judged = managed(&format!("arn:aws:iam::aws:policy/{name}")).unwrap();
        assert_eq!(judged.level, expected, "{name}");
    }
    assert_eq!(managed("arn:aws:iam::123456789012:policy/AdministratorAccess"), None);
}

fn json_value() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("Allow".to_owned()),
        Just("Deny".to_owned()),
        Just("*".to_owned()),
        Just("iam:*".to_owned()),
        Just("s3:Get*".to_owned()),
        Just("${aws:username}".to_owned()),
        ".{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word.prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("Statement".to_owned()),
        Just("Effect".to_owned()),
        Just("Action".to_owned()),
        Just("NotAction".to_owned()),
        Just("Resource".to_owned()),
        Just("NotResource".to_owned()),
        Just("Condition".to_owned()),
        Just("Principal".to_owned()),
        ".{0,6}",
    ];
    leaf.prop_recursive(4, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_document_makes_it_panic(value in json_value(), text in ".{0,200}") {
        let _ = assess("p", &value.to_string());
        let _ = assess("p", &text);
    }

    #[test]
    fn more_statements_never_mean_less(value in json_value(), extra in json_value()) {
        // Only a Deny of everything may lower the level.
        let alone = level(&json!({ "Statement": [value.clone()] }));
        let both = level(&json!({ "Statement": [value.clone(), extra.clone()] }));
        prop_assume!(!denies_everything(&extra) && !denies_everything(&value));
        prop_assert!(both >= alone);
    }

    #[test]
    fn wildcards_match_what_a_plain_search_matches(
        pattern in "[ab*?]{0,8}", text in "[ab]{0,8}",
    ) {
        fn plain(p: &[u8], t: &[u8]) -> bool {
            match (p.split_first(), t.split_first()) {
                (None, None) => true,
                (Some((b'*', rest)), _) => plain(rest, t) || !t.is_empty() && plain(p, &t[1..]),
                (Some((b'?', p)), Some((_, t))) => plain(p, t),
                (Some((a, p)), Some((b, t))) => a == b && plain(p, t),
                _ => false,
            }
        }
        prop_assert_eq!(
            actions::matches(&pattern, &text),
            plain(pattern.as_bytes(), text.as_bytes())
        );
    }
}
