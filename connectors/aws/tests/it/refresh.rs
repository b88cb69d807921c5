//! What hints name is read again by the code that scans, and proven for those named alone.

use std::collections::{BTreeMap, BTreeSet};

use headcount_sdk::{Extent, Level, Observation, ScanError};
use headcount_simulator::{Holder, Organization, Power, Size, Trust, aws_managed};
use jiff::SignedDuration;

use crate::records::small;
use crate::support::{Outcome, Source};

/// What a record is but for its use and evidence, which tell when and how it was read.
fn facts(record: &Observation) -> Observation {
    let usage = headcount_sdk::Usage::NotObservable { reason: String::new() };
    Observation { usage, evidence: Vec::new(), ..record.clone() }
}

fn by_id(records: &[Observation]) -> BTreeMap<String, Observation> {
    records.iter().map(|record| (record.id.to_string(), facts(record))).collect()
}

/// Ids that the proof covers: the records, or whoever holds them.
fn vouched(outcome: &Outcome) -> BTreeSet<String> {
    match outcome.as_ref().unwrap().extent() {
        Extent::Records(ids) | Extent::Parents { parents: ids, .. } => {
            ids.iter().map(ToString::to_string).collect()
        }
        Extent::Whole | Extent::AllBut { .. } => panic!("the whole scope was not read"),
    }
}

/// Something of everything changes, appears and goes.
fn change(source: &Source) {
    let account = source.account();
    let account = account.as_str();
    let mut org = source.simulator.change();
    org.create_role(account, "fresh", &Trust::account("999999999999")).unwrap();
    org.put_policy(account, Holder::Role("fresh"), "all", &Power::Admin.document(0)).unwrap();
    org.describe_role(account, "fresh", "Owner: data-team").unwrap();
    org.create_policy_version(account, "deployer", &Power::Admin.document(0)).unwrap();
    org.set_trust(account, "web", &Trust::service("lambda.amazonaws.com")).unwrap();
    org.delete_role(account, "vendor").unwrap();
    org.create_user(account, "svc-new").unwrap();
    org.join_group(account, "svc-new", "admins").unwrap();
    org.create_access_key(account, "svc-new").unwrap();
    org.upload_ssh_key(account, "svc-new").unwrap();
    org.upload_signing_certificate(account, "svc-new").unwrap();
    org.create_service_credential(account, "svc-new", "bedrock.amazonaws.com", None).unwrap();
    org.tag(account, Holder::User("svc-export"), "Owner", "team-search@example.com").unwrap();
    org.attach_policy(account, Holder::User("svc-export"), &aws_managed("aws", "ReadOnlyAccess"))
        .unwrap();
    org.delete_user(account, "BedrockAPIKey-ab12").unwrap();
}

#[tokio::test]
async fn what_a_hint_brings_is_what_the_next_scan_brings() {
    let mut source = Source::of(small()).await;
    source.scan().await.all_complete();
    source.simulator.clock().advance(SignedDuration::from_mins(1));
    change(&source);
    let users = ["ana.silva", "svc-export", "svc-new", "BedrockAPIKey-ab12"];
    let roles = ["deploy", "fresh", "vendor", "web"];
    let grants = [users.map(|u| format!("user/{u}")), roles.map(|r| format!("role/{r}"))].concat();
    let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
    let rows: &[(&str, &[&str])] = &[
        ("users", &users),
        ("roles", &roles),
        ("grants", &grants),
        ("access-keys", &users),
        ("signing-certificates", &users),
        ("service-specific-credentials", &users),
        ("ssh-public-keys", &users),
    ];
    let mut refreshed = Vec::new();
    for (kind, subjects) in rows {
        let (seen, outcome) = source.refresh_all(kind, subjects).await;
        refreshed.push((*kind, by_id(&seen), vouched(&outcome)));
    }
    let scanned = source.scan().await;
    scanned.all_complete();
    let gone = ["BedrockAPIKey-ab12", "vendor"];
    for (kind, seen, vouched) in refreshed {
        let expected: BTreeMap<String, Observation> = scanned
            .records
            .values()
            .filter(|record| {
                let holder = record.parent.as_ref().unwrap_or(&record.id).to_string();
                let scope = headcount_aws::MANIFEST.scopes.iter().find(|s| s.name == kind).unwrap();
                scope.kinds.contains(&record.kind.as_str()) && vouched.contains(&holder)
            })
            .map(|record| (record.id.to_string(), facts(record)))
            .collect();
        assert_eq!(seen, expected, "{kind}");
        assert!(!seen.is_empty(), "{kind}");
        assert!(!seen.values().any(|record| gone.contains(&record.name.as_str())), "{kind}");
    }
}

#[tokio::test]
async fn who_is_gone_is_proven_gone_with_what_it_held() {
    let mut source = Source::of(small()).await;
    let before = source.scan().await;
    let user = before.named("iam-user", "svc-export").id.to_string();
    let role = before.named("iam-role", "vendor").id.to_string();
    let account = source.account();
    source.simulator.change().delete_user(&account, "svc-export").unwrap();
    source.simulator.change().delete_role(&account, "vendor").unwrap();
    for (kind, subject, expected) in [
        ("users", "svc-export", &user),
        ("roles", "vendor", &role),
        ("grants", "user/svc-export", &user),
        ("grants", "role/vendor", &role),
        ("access-keys", "svc-export", &user),
        ("ssh-public-keys", "svc-export", &user),
        ("signing-certificates", "svc-export", &user),
        ("service-specific-credentials", "svc-export", &user),
    ] {
        let (seen, outcome) = source.refresh(kind, subject).await;
        assert_eq!(by_id(&seen), BTreeMap::new(), "{kind}");
        assert_eq!(vouched(&outcome), BTreeSet::from([expected.clone()]), "{kind}");
    }
    // The same again, and with nothing known: nobody was looked for.
    let (_, outcome) = source.refresh("users", "svc-export").await;
    assert_eq!(vouched(&outcome), BTreeSet::from([user]));
    source.lose_cache();
    for kind in ["users", "access-keys"] {
        let (seen, outcome) = source.refresh(kind, "svc-export").await;
        assert_eq!((seen.len(), vouched(&outcome)), (0, BTreeSet::new()));
    }
}

#[tokio::test]
async fn a_name_that_was_given_again_means_the_old_one_and_the_new() {
    let mut source = Source::of(small()).await;
    let before = source.scan().await;
    let old = before.named("iam-role", "vendor").id.to_string();
    let account = source.account();
    source.simulator.change().recreate_role(&account, "vendor").unwrap();
    let (seen, outcome) = source.refresh("roles", "vendor").await;
    let [new] = &seen[..] else { panic!("{seen:?}") };
    assert_ne!(new.id.to_string(), old);
    assert_eq!(vouched(&outcome), BTreeSet::from([old, new.id.to_string()]));
}

#[tokio::test]
async fn groups_and_policies_mean_whoever_they_reach() {
    let mut source = Source::of(small()).await;
    source.scan().await.all_complete();
    let account = source.account();
    let (seen, _) = source.refresh("users", "group/admins").await;
    assert_eq!(names(&seen), ["ana.silva"]);
    let (seen, _) = source.refresh("grants", "group/admins").await;
    assert_eq!(names(&seen), ["AdministratorAccess"]);

    let document = Power::Admin.document(0);
    source.simulator.change().create_policy_version(&account, "deployer", &document).unwrap();
    let policy = format!("policy/arn:aws:iam::{account}:policy/deployer");
    let (seen, _) = source.refresh("roles", &policy).await;
    assert_eq!(names(&seen), ["deploy"]);
    assert_eq!(seen[0].privilege.as_ref().unwrap().level, Level::Admin);
    let (seen, _) = source.refresh("users", &policy).await;
    assert_eq!(names(&seen), [""; 0]);
}

fn names(records: &[Observation]) -> Vec<&str> {
    records.iter().map(|record| record.name.as_str()).collect()
}

#[tokio::test]
async fn a_hint_waits_for_no_report_and_unread_fields_are_named() {
    let mut source = Source::of(small()).await;
    let (seen, outcome) = source.refresh("users", "svc-export").await;
    assert!(outcome.unwrap().degradations().iter().any(|d| d.field == "usage"));
    assert_eq!(seen[0].unread["usage"], "iam:GetCredentialReport");
    assert_eq!(seen[0].unread["nature"], "iam:GetCredentialReport");
    assert_eq!(source.simulator.calls().of("iam:GenerateCredentialReport"), 0);
}

#[tokio::test]
async fn what_cannot_be_read_proves_nothing() {
    let mut source = Source::of(small()).await;
    source.scan().await.all_complete();
    let account = source.account();
    let action = "iam:GetAccountAuthorizationDetails";
    source.simulator.change().deny(&account, action).unwrap();
    for kind in ["users", "roles", "grants", "access-keys", "ssh-public-keys"] {
        let (seen, outcome) = source.refresh(kind, "svc-export").await;
        assert!(seen.is_empty());
        let error = outcome.unwrap_err();
        assert!(matches!(error, ScanError::Denied { ref permission, .. } if permission == action));
    }
    for kind in ["oidc-providers", "saml-providers", "server-certificates"] {
        let (_, outcome) = source.refresh(kind, "x").await;
        assert!(matches!(outcome.unwrap_err(), ScanError::NotSupported { .. }), "{kind}");
    }
}

/// The manifest's formula for a batch of events.
#[tokio::test]
async fn the_budget_of_a_batch_holds() {
    let org = Organization::seeded(5, Size::account(1_500, 1_200, 40));
    let mut source = Source::of(org).await;
    source.scan().await.all_complete_but_swept();
    let account = source.account();
    let (user, holder, role, all) = source.simulator.read(|org| {
        let account = org.account(&account).unwrap();
        let (users, roles) = (account.users(), account.roles());
        let holder = users.values().find(|user| user.access_keys.len() == 1).unwrap();
        (
            users.keys().next().unwrap().clone(),
            holder.name.clone(),
            roles.keys().next().unwrap().clone(),
            (users.len() + roles.len() + account.policies().len()) as u64,
        )
    });
    let bulk = 2 + all.div_ceil(1000);
    let rows = [
        ("users", user.clone(), bulk + 2),
        ("roles", role.clone(), bulk + 2),
        ("grants", format!("role/{role}"), bulk),
        ("access-keys", holder, bulk + 2),
        ("ssh-public-keys", user, bulk + 1),
    ];
    for (kind, subject, most) in rows {
        source.simulator.reset_calls();
        let (_, outcome) = source.refresh(kind, &subject).await;
        outcome.unwrap();
        let calls = source.simulator.calls();
        let spent = calls.total();
        assert!(spent <= most, "{kind}: {spent} calls, {most} allowed: {:?}", calls.actions());
    }
}
