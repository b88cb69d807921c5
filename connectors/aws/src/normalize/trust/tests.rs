//! Every kind of trust statement, and that a stranger's document never gets more than it says.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

const OTHER: &str = "210987654321";
const GITHUB: &str = "token.actions.githubusercontent.com";

fn read_in(
    document: &Value,
    members: Option<&BTreeSet<String>>,
) -> Result<TrustPolicy, &'static str> {
    let place = Place::new("aws", "123456789012");
    let records =
        BTreeMap::from([("arn:aws:iam::123456789012:role/ci".to_owned(), place.role("AROACI"))]);
    read(&document.to_string(), &Surroundings { place: &place, members, records: &records })
}

fn statement(principal: Value, condition: Value) -> Value {
    json!({ "Statement": [{ "Effect": "Allow", "Principal": principal,
        "Action": ["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML", "sts:TagSession"],
        "Condition": condition }] })
}

fn only(document: &Value) -> (Endpoint, Trust, &'static str) {
    let mut policy = read_in(document, None).unwrap();
    assert_eq!(policy.links.len(), 1, "{policy:?}");
    let link = policy.links.remove(0);
    (link.to, link.trust.unwrap(), policy.classes.into_iter().next().unwrap())
}

#[test]
fn principals_become_typed_ends() {
    let federated = |name: &str| json!({ "Federated": name });
    let dead = |native: &str| Endpoint::Dangling { native: native.to_owned() };
    let issuer = |issuer: &str| Endpoint::Federation { issuer: issuer.to_owned() };
    let service = |name: &str| Endpoint::Service { name: name.to_owned() };
    let far = |account: &str, principal: Option<&str>, affiliation| Endpoint::Account {
        place: format!("aws:{account}"),
        principal: principal.map(str::to_owned),
        affiliation,
    };
    let own = "123456789012";
    let rows = [
        (json!("*"), Endpoint::Anyone, "anyone"),
        (json!({ "AWS": "*" }), Endpoint::Anyone, "anyone"),
        (json!({ "AWS": OTHER }), far(OTHER, None, Affiliation::NotKnown), "cross-account"),
        (
            json!({ "AWS": format!("arn:aws:iam::{OTHER}:root") }),
            far(OTHER, None, Affiliation::NotKnown),
            "cross-account",
        ),
        (
            json!({ "AWS": format!("arn:aws:iam::{own}:root") }),
            far(own, None, Affiliation::SameAccount),
            "same-account",
        ),
        (
            json!({ "AWS": format!("arn:aws:iam::{OTHER}:role/x") }),
            far(OTHER, Some(&format!("arn:aws:iam::{OTHER}:role/x")), Affiliation::NotKnown),
            "cross-account",
        ),
        (
            json!({ "AWS": format!("arn:aws:iam::{own}:role/ci") }),
            Endpoint::Record { id: Place::new("aws", own).role("AROACI") },
            "same-account",
        ),
        (json!({ "AWS": "AROADEAD" }), dead("AROADEAD"), "dangling"),
        (json!({ "Service": "lambda.amazonaws.com" }), service("lambda.amazonaws.com"), "service"),
        (
            json!({ "Service": "pods.eks.amazonaws.com" }),
            service("pods.eks.amazonaws.com"),
            "pod-identity",
        ),
        (
            json!({ "Service": ["rolesanywhere.amazonaws.com"] }),
            service("rolesanywhere.amazonaws.com"),
            "roles-anywhere",
        ),
        (
            federated(&format!("arn:aws:iam::{own}:oidc-provider/{GITHUB}")),
            issuer(&format!("https://{GITHUB}")),
            "oidc",
        ),
        (
            federated(&format!("arn:aws:iam::{own}:saml-provider/okta")),
            issuer(&format!("arn:aws:iam::{own}:saml-provider/okta")),
            "saml",
        ),
        (
            federated("cognito-identity.amazonaws.com"),
            issuer("https://cognito-identity.amazonaws.com"),
            "oidc",
        ),
    ];
    for (principal, expected, class) in rows {
        let (endpoint, _, got) = only(&statement(principal, json!({})));
        assert_eq!(endpoint, expected);
        assert_eq!(got, class, "{expected:?}");
    }
}

#[test]
fn an_organisation_tells_members_from_strangers() {
    let document = statement(json!({ "AWS": [OTHER, "111122223333", "123456789012"] }), json!({}));
    let members = BTreeSet::from(["123456789012".to_owned(), OTHER.to_owned()]);
    let policy = read_in(&document, Some(&members)).unwrap();
    let affiliations: Vec<Affiliation> = policy
        .links
        .iter()
        .map(|link| match &link.to {
            Endpoint::Account { affiliation, .. } => *affiliation,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        affiliations,
        [Affiliation::SameOrganization, Affiliation::External, Affiliation::SameAccount]
    );
}

#[test]
fn tokens_are_restricted_by_subject_and_audience() {
    let github =
        json!({ "Federated": format!("arn:aws:iam::123456789012:oidc-provider/{GITHUB}") });
    let (_, trust, _) = only(&statement(
        github.clone(),
        json!({
            "StringEquals": { format!("{GITHUB}:aud"): "sts.amazonaws.com" },
            "ForAnyValue:StringLike": { format!("{GITHUB}:sub"): ["repo:acme/*", "repo:acme/app:ref:refs/heads/main"] },
            "StringNotLike": { format!("{GITHUB}:actor"): "mallory" },
            "StringLike": { format!("{GITHUB}:job_workflow_ref"): "acme/*" },
        }),
    ));
    assert_eq!(trust.subjects, ["repo:acme/*", "repo:acme/app:ref:refs/heads/main"]);
    assert_eq!(trust.audiences, ["sts.amazonaws.com"]);
    assert_eq!(trust.external_id, ExternalId::NotApplicable);
    assert_eq!(
        trust.narrowed_by,
        [format!("{GITHUB}:actor (other than equal)"), format!("{GITHUB}:job_workflow_ref")]
    );

    let (_, open, _) = only(&statement(github.clone(), json!({})));
    assert!(open.subjects.is_empty() && open.audiences.is_empty());

    let (_, negated, _) = only(&statement(
        github.clone(),
        json!({ "StringNotEquals": { format!("{GITHUB}:sub"): "repo:acme/app" } }),
    ));
    assert!(negated.subjects.is_empty(), "what is excluded is not what is let in");

    let (_, both, _) = only(&statement(
        github,
        json!({
            "StringLike": { format!("{GITHUB}:sub"): "repo:acme/*" },
            "StringEquals": { format!("{GITHUB}:SUB"): "repo:acme/app" },
        }),
    ));
    assert_eq!(both.subjects, ["repo:acme/app"], "both must hold");
}

#[test]
fn external_ids_count_only_where_a_foreigner_must_bring_one() {
    let external = |operator: &str, value: &str| {
        let condition = json!({ operator: { "sts:ExternalId": value } });
        only(&statement(json!({ "AWS": OTHER }), condition)).1.external_id
    };
    assert_eq!(external("StringEquals", "x1"), ExternalId::Required);
    assert_eq!(external("StringLike", "x*"), ExternalId::Required);
    assert_eq!(external("StringLike", "*"), ExternalId::Absent);
    assert_eq!(external("StringEqualsIfExists", "x1"), ExternalId::Absent);
    let service = only(&statement(json!({ "Service": "s3.amazonaws.com" }), json!({})));
    assert_eq!(service.1.external_id, ExternalId::NotApplicable);
    let narrowed = only(&statement(
        json!({ "AWS": "*" }),
        json!({ "StringEquals": { "aws:PrincipalOrgID": "o-1" }, "Bool": { "aws:SecureTransport": true } }),
    ));
    assert_eq!(narrowed.1.external_id, ExternalId::Absent);
    assert_eq!(
        narrowed.1.narrowed_by,
        ["aws:PrincipalOrgID", "aws:SecureTransport (other than equal)"]
    );
}

#[test]
fn denials_are_named_and_session_tagging_alone_is_no_trust() {
    let document = json!({ "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": OTHER }, "Action": "sts:*" },
        { "Effect": "Allow", "Principal": { "AWS": "111122223333" }, "Action": "sts:TagSession" },
        { "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole",
          "Condition": { "StringNotEquals": { "aws:PrincipalOrgID": "o-1" } } },
    ] });
    let (_, trust, _) = only(&document);
    assert_eq!(trust.narrowed_by, ["deny on aws:PrincipalOrgID"]);
}

#[test]
fn a_trust_that_is_not_understood_is_an_error_and_not_an_empty_list() {
    for document in [
        json!({}),
        json!({ "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole" }] }),
        json!({ "Statement": [{ "Effect": "Allow", "Principal": "x", "Action": "sts:AssumeRole" }] }),
        json!({ "Statement": [{ "Effect": "Allow", "Principal": { "AWS": 7 }, "Action": "sts:AssumeRole" }] }),
        json!({ "Statement": [{ "Effect": "Allow", "Principal": "*" }] }),
        json!({ "Statement": [{ "Principal": "*", "Action": "sts:AssumeRole" }] }),
        statement(json!("*"), json!("x")),
    ] {
        assert!(read_in(&document, None).is_err(), "{document}");
    }
}

#[test]
fn a_role_has_one_class() {
    let of = |path: &str, classes: &[&'static str], profile: bool| {
        class(path, &classes.iter().copied().collect(), profile)
    };
    assert_eq!(of("/aws-service-role/ecs.amazonaws.com/", &["service"], false), "service-linked");
    assert_eq!(of("/aws-reserved/sso.amazonaws.com/eu/", &["saml"], false), "identity-center");
    assert_eq!(of("/", &["service"], false), "service");
    assert_eq!(of("/", &["service"], true), "instance-profile");
    assert_eq!(of("/", &["oidc", "service"], true), "mixed");
    assert_eq!(of("/", &["cross-account"], false), "cross-account");
    assert_eq!(of("/", &[], false), "nobody");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in r#"[\[\]{}:,"a-zA-Z*]{0,200}"#) {
        let place = Place::new("aws", "123456789012");
        let records = BTreeMap::new();
        let _ = read(&text, &Surroundings { place: &place, members: None, records: &records });
    }
}
