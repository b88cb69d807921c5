//! Several accounts: by roles, and a whole organisation.

use std::collections::BTreeSet;

use headcount_aws::{Accounts, OrganizationAccounts, RoleAccounts};
use headcount_sdk::{Affiliation, Connector, Endpoint, Pass, ScanError};
use headcount_simulator::{Organization, Trust};

use crate::support::{Scanned, Source};

const READER: &str = "HeadcountReader";

/// The management account and `members` others, each with a role to read it and a user.
fn organization(members: usize) -> (Organization, Vec<String>) {
    let mut org = Organization::empty(9);
    let management = org.management().to_owned();
    let mut ids = vec![management.clone()];
    for n in 0..members {
        let id = org.add_account(&format!("member-{n}"));
        org.create_role(&id, READER, &Trust::account_with_external_id(&management, "x1")).unwrap();
        ids.push(id);
    }
    for id in &ids {
        org.create_user(id, "svc-app").unwrap();
    }
    (org, ids)
}

fn whole(include: &[String], exclude: &[String]) -> Accounts {
    Accounts::Organization(OrganizationAccounts {
        role: READER.to_owned(),
        external_id: Some("x1".to_owned()),
        include: include.to_vec(),
        exclude: exclude.to_vec(),
    })
}

fn complete_places(scanned: &Scanned) -> BTreeSet<String> {
    let complete = scanned.outcomes.iter().filter(|(_, outcome)| outcome.is_ok());
    complete.map(|(scope, _)| scope["aws:".len()..16].to_owned()).collect()
}

#[tokio::test]
async fn an_organisation_is_read_account_by_account() {
    let (org, ids) = organization(45);
    let mut source = Source::reading(org, whole(&[], &[])).await;
    let scanned = source.scan().await;
    scanned.all_complete();
    assert_eq!(scanned.of_kind("iam-user").len(), 46);
    assert_eq!(complete_places(&scanned).len(), ids.len());
    let calls = source.simulator.calls();
    assert_eq!(calls.of("organizations:ListAccounts"), 3, "46 accounts in pages of 20");
    assert_eq!(calls.of("sts:GetCallerIdentity"), 1);
    assert_eq!(calls.of("sts:AssumeRole"), 45, "its own account is read as itself");
    let session = source.simulator.read(|org| org.accounts().len());
    assert_eq!(session, 46);
}

#[tokio::test]
async fn accounts_are_chosen_by_inclusion_and_exclusion() {
    let (org, ids) = organization(4);
    let accounts = whole(&ids[1..4], &ids[2..3]);
    let mut source = Source::reading(org, accounts).await;
    let expected: BTreeSet<String> = [ids[1].clone(), ids[3].clone()].into();
    assert_eq!(complete_places(&source.scan().await), expected);
}

#[tokio::test]
async fn a_member_that_refuses_us_is_denied_and_the_others_go_on() {
    let (mut org, ids) = organization(3);
    org.delete_role(&ids[2], READER).unwrap();
    let mut source = Source::reading(org, whole(&[], &[])).await;
    let scanned = source.scan().await;
    assert_eq!(complete_places(&scanned).len(), 3);
    let refused: Vec<_> =
        scanned.outcomes.iter().filter(|(scope, _)| scope.contains(&ids[2])).collect();
    assert_eq!(refused.len(), headcount_aws::MANIFEST.scopes.len());
    for (scope, outcome) in refused {
        let expected = ScanError::Denied {
            operation: "sts:AssumeRole".to_owned(),
            permission: "sts:AssumeRole".to_owned(),
        };
        assert_eq!(outcome.as_ref().unwrap_err(), &expected, "{scope}");
    }
    assert_eq!(source.simulator.calls().of("sts:AssumeRole"), 3, "asked once per account");
}

#[tokio::test]
async fn a_suspended_member_stays_listed_and_is_not_called() {
    let (mut org, ids) = organization(2);
    org.suspend_account(&ids[1]).unwrap();
    let mut source = Source::reading(org, whole(&[], &[])).await;
    let scanned = source.scan().await;
    let suspended: Vec<_> =
        scanned.outcomes.iter().filter(|(scope, _)| scope.contains(&ids[1])).collect();
    assert!(!suspended.is_empty());
    for (_, outcome) in suspended {
        assert_eq!(
            outcome.as_ref().unwrap_err().to_string(),
            "sts:AssumeRole is unavailable: the account is SUSPENDED in its organisation"
        );
    }
    assert_eq!(source.simulator.calls().of("sts:AssumeRole"), 1);
}

#[tokio::test]
async fn members_are_told_from_strangers_in_trusts() {
    let (mut org, ids) = organization(2);
    let management = org.management().to_owned();
    org.create_role(&management, "inside", &Trust::account(&ids[1])).unwrap();
    org.create_role(&management, "outside", &Trust::account("999999999999")).unwrap();
    let mut source = Source::reading(org, whole(&[], &[])).await;
    let scanned = source.scan().await;
    let affiliation = |role: &str| match &scanned.named("iam-role", role).links[0].to {
        Endpoint::Account { affiliation, .. } => *affiliation,
        other => panic!("{other:?}"),
    };
    assert_eq!(affiliation("inside"), Affiliation::SameOrganization);
    assert_eq!(affiliation("outside"), Affiliation::External);
}

#[tokio::test]
async fn an_account_newer_than_the_list_is_no_stranger_to_a_hint() {
    let (org, _) = organization(2);
    let mut source = Source::reading(org, whole(&[], &[])).await;
    source.scan().await.all_complete();
    let management = source.account();
    let new = source.simulator.change().add_account("new");
    for (name, trusted) in [("inside", new.as_str()), ("outside", "999999999999")] {
        let trust = Trust::account(trusted);
        source.simulator.change().create_role(&management, name, &trust).unwrap();
    }
    for (name, expected, lists) in [
        ("inside", Affiliation::SameOrganization, 1),
        ("inside", Affiliation::SameOrganization, 0),
        ("outside", Affiliation::External, 1),
    ] {
        source.simulator.reset_calls();
        let (seen, outcome) = source.refresh("roles", name).await;
        assert_eq!((outcome.unwrap().recorded(), seen.len()), (1, 1));
        let to = &seen[0].links[0].to;
        assert!(
            matches!(to, Endpoint::Account { affiliation, .. } if *affiliation == expected),
            "{to:?}"
        );
        assert_eq!(source.simulator.calls().of("organizations:ListAccounts"), lists, "{name}");
    }
}

#[tokio::test]
async fn accounts_given_by_roles_need_no_organisation() {
    let (org, ids) = organization(2);
    let accounts = Accounts::Roles(RoleAccounts {
        roles: ids[1..].iter().map(|id| format!("arn:aws:iam::{id}:role/{READER}")).collect(),
        external_id: Some("x1".to_owned()),
    });
    let mut source = Source::reading(org, accounts).await;
    let scanned = source.scan().await;
    scanned.all_complete();
    assert_eq!(complete_places(&scanned), ids[1..].iter().cloned().collect());
    assert_eq!(source.simulator.calls().of("organizations:ListAccounts"), 0);
    assert_eq!(source.simulator.calls().of("sts:GetCallerIdentity"), 0);
}

#[tokio::test]
async fn a_wrong_external_id_is_a_denial() {
    let (org, ids) = organization(1);
    let accounts = Accounts::Roles(RoleAccounts {
        roles: vec![format!("arn:aws:iam::{}:role/{READER}", ids[1])],
        external_id: Some("wrong".to_owned()),
    });
    let mut source = Source::reading(org, accounts).await;
    let cx = source.context(Pass::First);
    let probes = source.connector.check(&cx).await;
    assert_eq!(probes.len(), 1);
    assert_eq!(probes[0].permission, "sts:AssumeRole");
}

#[tokio::test]
async fn an_expired_session_is_an_error_and_the_next_scan_has_a_new_one() {
    let (org, _) = organization(1);
    let mut source = Source::reading(org, whole(&[], &[])).await;
    source.scan().await.all_complete();
    source.simulator.change().expire_sessions();
    let scanned = source.scan().await;
    let failed = scanned.outcomes.values().filter(|outcome| outcome.is_err()).count();
    assert!(failed > 0, "an expired session went unnoticed");
    source.scan().await.all_complete();
}

#[tokio::test]
async fn an_organisation_that_cannot_be_listed_is_no_empty_one() {
    let (mut org, _) = organization(2);
    let management = org.management().to_owned();
    org.deny(&management, "organizations:ListAccounts").unwrap();
    let mut source = Source::reading(org, whole(&[], &[])).await;
    let cx = source.context(Pass::First);
    let error = source.connector.scopes(&cx).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "organizations:ListAccounts was denied: permission organizations:ListAccounts is missing"
    );
}

#[tokio::test]
async fn credentials_that_changed_hands_read_nothing() {
    let (org, ids) = organization(1);
    let mut source = Source::of(org).await;
    let cx = source.context(Pass::First);
    let scope = headcount_sdk::Scope::new(&format!("aws:{}", ids[1]), "users");
    let outcome = source.observe(&cx, &scope, &mut std::collections::BTreeMap::new()).await;
    assert!(matches!(outcome.unwrap_err(), ScanError::Unavailable { .. }));
}
