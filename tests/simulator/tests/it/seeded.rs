//! A seeded organisation is the same every time, of the size asked for, and complete in kinds.

use std::collections::BTreeSet;

use headcount_simulator::{
    Account, EXTERNAL_ID, Organization, READER_ROLE, Setup, Simulator, Size,
};

use crate::client::iam;

fn fingerprint(org: &Organization) -> Vec<String> {
    org.accounts().values().map(|account| format!("{account:?}")).collect()
}

#[test]
fn same_seed_gives_the_same_organisation() {
    let make = |seed| Organization::seeded(seed, Size::default());
    assert_eq!(fingerprint(&make(7)), fingerprint(&make(7)));
    assert_ne!(fingerprint(&make(7)), fingerprint(&make(8)));
}

#[test]
fn size_is_what_was_asked_for() {
    for size in [Size::default(), Size::account(0, 1, 0), Size::account(333, 217, 40)] {
        let org = Organization::seeded(1, size);
        assert_eq!(org.accounts().len(), size.accounts);
        for account in org.accounts().values() {
            assert_eq!(account.users().len(), size.users);
            assert_eq!(account.roles().len(), size.roles);
            assert_eq!(account.policies().len(), size.customer_policies);
        }
    }
}

#[test]
fn nothing_happened_after_the_present_moment() {
    let org = Organization::seeded(1, Size::default());
    let now = org.clock().now();
    assert_eq!(now, Setup::new(1).start);
    for account in org.accounts().values() {
        for key in account.access_keys().values() {
            assert!(key.created_at < now);
            let used = key.last_used.as_ref().map_or(key.created_at, |used| used.at);
            assert!(key.created_at <= used && used < now, "{key:?}");
        }
        for role in account.roles().values() {
            let used = role.last_used.as_ref().map_or(role.created_at, |used| used.at);
            assert!(role.created_at <= used && used < now, "{role:?}");
        }
        for user in account.users().values() {
            let used = user.password.as_ref().and_then(|password| password.last_used);
            assert!(user.created_at <= used.unwrap_or(user.created_at), "{user:?}");
        }
    }
}

#[test]
fn default_size_holds_every_kind_of_trust() {
    let org = Organization::seeded(1, Size::default());
    for account in org.accounts().values() {
        let all: String = account.roles().values().map(|role| role.trust.as_str()).collect();
        for sign in [
            "lambda.amazonaws.com",
            "ec2.amazonaws.com",
            "012345678901:root",
            "\"sts:ExternalId\":\"acme-4711\"",
            EXTERNAL_ID,
            "repo:acme/mail-relay:ref:refs/heads/main",
            "\"repo:*\"",
            "system:serviceaccount:",
            "saml-provider/corporate-idp",
            "saml-provider/AWSSSO_",
            "pods.eks.amazonaws.com",
            "rolesanywhere.amazonaws.com",
            "\"AWS\":\"*\"",
            "\"AWS\":\"AROA",
        ] {
            assert!(all.contains(sign), "no role trusts {sign}");
        }
        let issuer = "token.actions.githubusercontent.com";
        let federated = |role: &&headcount_simulator::Role| role.trust.contains(issuer);
        let github: Vec<_> = account.roles().values().filter(federated).collect();
        assert!(github.iter().any(|role| !role.trust.contains(":sub")), "none without subject");
        assert!(github.iter().any(|role| !role.trust.contains(":aud")), "none without audience");
        let paths: BTreeSet<_> = account.roles().values().map(|role| role.path.as_str()).collect();
        assert!(paths.iter().any(|path| path.starts_with("/aws-service-role/")));
        assert!(paths.iter().any(|path| path.starts_with("/aws-reserved/sso.amazonaws.com/")));
        assert!(account.roles().values().any(|role| role.instance_profile.is_some()));
        assert!(account.roles().contains_key(READER_ROLE));
    }
}

#[test]
fn default_size_holds_every_kind_of_credential_and_owner_evidence() {
    let org = Organization::seeded(1, Size::default());
    for account in org.accounts().values() {
        let keys: Vec<_> = account.access_keys().values().collect();
        assert!(keys.iter().any(|key| !key.active));
        assert!(keys.iter().any(|key| key.last_used.is_none()));
        assert!(account.users().values().any(|user| user.access_keys.len() == 2));
        assert!(account.users().values().any(|user| user.access_keys.is_empty()));
        assert!(account.users().values().any(|user| user.password.is_some()));
        assert!(account.users().values().any(|user| !user.ssh_keys.is_empty()));
        assert!(account.users().values().any(|user| !user.signing_certificates.is_empty()));
        let credentials: Vec<_> = account.service_credentials().values().collect();
        let bedrock = |ends: bool| {
            credentials
                .iter()
                .any(|c| c.service.starts_with("bedrock") && c.expires_at.is_some() == ends)
        };
        assert!(bedrock(true) && bedrock(false));
        assert!(credentials.iter().any(|c| c.service.starts_with("codecommit")));
        assert!(account.oidc().len() == 2 && account.saml().len() == 2);
        assert_eq!(account.server_certificates().len(), 2);
        assert_spellings(account);
    }
    let with_root_key = |account: &&Account| !account.root().access_keys.is_empty();
    assert_eq!(org.accounts().values().filter(with_root_key).count(), 1);
}

fn assert_spellings(account: &Account) {
    let tags: BTreeSet<_> =
        account.users().values().flat_map(|user| user.tags.keys().map(String::as_str)).collect();
    for key in ["Owner", "owner", "OWNER", "team", "Team", "aws:cloudformation:stack-name"] {
        assert!(tags.contains(key), "no user has the tag {key}");
    }
    let bare = |user: &&headcount_simulator::User| user.tags.is_empty();
    assert!(account.users().values().any(|user| bare(&user)));
}

#[test]
fn other_partitions_have_their_own_arns() {
    let setup = Setup { partition: "aws-us-gov".to_owned(), ..Setup::new(1) };
    let org = Organization::seeded_in(setup, Size::default());
    assert!(!fingerprint(&org).concat().contains("arn:aws:iam"));
}

#[tokio::test]
async fn large_account_is_read_in_as_few_pages_as_there_can_be() {
    let size = Size::account(20_000, 10_000, 500);
    let simulator = Simulator::start(Organization::seeded(1, size)).await.unwrap();
    let client = iam(&simulator);
    let (mut records, mut marker) = (0, None);
    loop {
        let page = client
            .get_account_authorization_details()
            .filter(aws_sdk_iam::types::EntityType::User)
            .filter(aws_sdk_iam::types::EntityType::Role)
            .max_items(1000)
            .set_marker(marker)
            .send()
            .await
            .unwrap();
        records += page.user_detail_list().len() + page.role_detail_list().len();
        marker = page.marker().map(str::to_owned);
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(records, 30_000);
    assert_eq!(simulator.calls().total(), 30);
    client.generate_credential_report().send().await.unwrap();
    let report = client.get_credential_report().send().await.unwrap();
    assert!(report.content().unwrap().as_ref().len() > 2_000_000);
}
