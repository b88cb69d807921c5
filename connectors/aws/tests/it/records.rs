//! Every kind of record of a small scripted organisation, in full.

use std::collections::BTreeMap;

use headcount_sdk::{Class, NatureKind, Observation, Usage};
use headcount_simulator::{GITHUB_ISSUER, Holder, Organization, Power, Trust, aws_managed};
use jiff::SignedDuration;

use crate::support::Source;

/// One of everything, made in a month and used on its last day.
pub fn small() -> Organization {
    let mut org = Organization::empty(11);
    let account = org.management().to_owned();
    let account = account.as_str();
    let later = |org: &Organization, hours| {
        org.clock().advance(SignedDuration::from_hours(hours));
    };
    org.create_user(account, "ana.silva").unwrap();
    org.set_password(account, "ana.silva").unwrap();
    org.enable_mfa(account, "ana.silva").unwrap();
    org.create_group(account, "admins").unwrap();
    org.attach_policy(account, Holder::Group("admins"), &aws_managed("aws", "AdministratorAccess"))
        .unwrap();
    org.join_group(account, "ana.silva", "admins").unwrap();
    later(&org, 24);
    org.create_user(account, "/services/team-payments/svc-export").unwrap();
    org.tag(account, Holder::User("svc-export"), "Owner", "team-payments@example.com").unwrap();
    org.tag(account, Holder::User("svc-export"), "purpose", "nightly export").unwrap();
    let key = org.create_access_key(account, "svc-export").unwrap();
    later(&org, 24);
    let second = org.create_access_key(account, "svc-export").unwrap();
    org.deactivate_access_key(&second).unwrap();
    org.put_policy(account, Holder::User("svc-export"), "write", &Power::Write.document(0))
        .unwrap();
    org.upload_ssh_key(account, "svc-export").unwrap();
    org.upload_signing_certificate(account, "svc-export").unwrap();
    org.create_user(account, "BedrockAPIKey-ab12").unwrap();
    org.create_service_credential(account, "BedrockAPIKey-ab12", "bedrock.amazonaws.com", None)
        .unwrap();
    org.create_root_access_key(account).unwrap();
    later(&org, 24);
    let document = Power::Escalating.document(0);
    let policy = org.create_policy(account, "deployer", &document).unwrap();
    org.create_oidc_provider(account, GITHUB_ISSUER, &["sts.amazonaws.com"]).unwrap();
    org.create_saml_provider(account, "okta").unwrap();
    org.create_role(account, "deploy", &Trust::github(Some("repo:acme/app:*"))).unwrap();
    org.attach_policy(account, Holder::Role("deploy"), &policy).unwrap();
    org.describe_role(account, "deploy", "Deploys the app. Owner: platform-team").unwrap();
    org.create_role(account, "vendor", &Trust::account("999999999999")).unwrap();
    org.create_role(account, "web", &Trust::service("ec2.amazonaws.com")).unwrap();
    org.create_instance_profile(account, "web").unwrap();
    let expires = org.clock().now() + SignedDuration::from_hours(24 * 365);
    org.upload_server_certificate(account, "tls", expires).unwrap();
    later(&org, 24 * 26);
    org.use_access_key(&key, "s3", "eu-west-1").unwrap();
    org.use_role(account, "deploy", "eu-west-1").unwrap();
    org.use_password(account, "ana.silva").unwrap();
    later(&org, 5);
    org
}

#[tokio::test]
async fn a_small_organisation_is_read_in_full() {
    let mut source = Source::of(small()).await;
    let scanned = source.scan().await;
    scanned.all_complete();
    for scope in headcount_aws::MANIFEST.scopes {
        assert!(!scanned.of_kind(scope.kinds[0]).is_empty(), "nothing of kind {}", scope.kinds[0]);
        assert!(
            scanned.whole(scope.name)
                || scope.name == "access-keys"
                || scope.name == "signing-certificates",
            "{} is not whole",
            scope.name
        );
    }
    let all: BTreeMap<&String, &Observation> = scanned.records.iter().collect();
    insta::assert_json_snapshot!(all);
}

#[tokio::test]
async fn people_are_told_from_machines_and_unused_from_unknown() {
    let mut source = Source::of(small()).await;
    let scanned = source.scan().await;
    let ana = scanned.named("iam-user", "ana.silva");
    assert_eq!(ana.class, Class::Principal);
    assert_eq!(ana.nature.as_ref().unwrap().kind, NatureKind::Person);
    let export = scanned.named("iam-user", "svc-export");
    assert_eq!(export.class, Class::Identity);
    assert!(matches!(export.usage, Usage::LastUsed { .. }));
    let bedrock = scanned.named("iam-user", "BedrockAPIKey-ab12");
    assert_eq!(
        bedrock.usage,
        Usage::NotObservable {
            reason: "it has a service-specific credential, whose use AWS does not record"
                .to_owned()
        }
    );
}

#[tokio::test]
async fn a_second_scan_says_the_same() {
    let mut source = Source::of(small()).await;
    let strip = |mut records: BTreeMap<String, Observation>| {
        records.values_mut().for_each(|record| record.evidence.clear());
        records
    };
    let first = strip(source.scan().await.records);
    let second = strip(source.scan().await.records);
    assert_eq!(first, second);
    source.lose_cache();
    assert_eq!(first, strip(source.scan().await.records), "a lost cache costs calls, not truth");
}
