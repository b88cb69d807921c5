//! Access keys over time: what the report, four hours old at most, does and does not show.

use headcount_sdk::{Extent, Pass, ScanError, Status, Usage};
use headcount_simulator::{Fault, FaultPlan, Organization};
use jiff::SignedDuration;

use crate::support::Source;

const LIST: &str = "iam:ListAccessKeys";

/// Users `u0` …, each with a key that is five hours old and so in every report.
async fn source(users: usize) -> (Source, Vec<String>) {
    let mut org = Organization::empty(3);
    let account = org.management().to_owned();
    let mut keys = Vec::new();
    for n in 0..users {
        org.create_user(&account, &format!("u{n}")).unwrap();
        keys.push(org.create_access_key(&account, &format!("u{n}")).unwrap());
        org.clock().advance(SignedDuration::from_secs(1));
    }
    org.create_user(&account, "keyless").unwrap();
    org.clock().advance(SignedDuration::from_hours(5));
    (Source::of(org).await, keys)
}

fn hours(source: &Source, hours: i64) {
    source.simulator.clock().advance(SignedDuration::from_hours(hours));
}

#[tokio::test]
async fn a_rotated_key_is_found_when_the_report_shows_it() {
    let (mut source, keys) = source(12).await;
    let account = source.account();
    source.scan().await.all_complete();
    hours(&source, 1);
    let new = source.simulator.change().rotate_access_key(&keys[7]).unwrap();
    hours(&source, 5);
    let calls_before = source.simulator.calls().of(LIST);
    let scanned = source.scan().await;
    assert!(calls_before > 0);
    assert!(scanned.records.contains_key(&source.id("access-key", &new)));
    let old = scanned.records.get(&source.id("access-key", &keys[7]));
    let at_source = source
        .simulator
        .read(|org| org.account(&account).unwrap().access_keys().contains_key(&keys[7]));
    assert_eq!(old.is_some(), at_source);
    assert!(scanned.whole("access-keys"));
}

#[tokio::test]
async fn a_deleted_key_is_gone_only_when_it_was_looked_for() {
    let (mut source, keys) = source(12).await;
    source.scan().await.all_complete();
    hours(&source, 1);
    source.simulator.change().delete_access_key(&keys[7]).unwrap();
    hours(&source, 5);
    source.simulator.inject(FaultPlan::new(Fault::Denied).on(LIST));
    let denied = source.scan().await;
    let expected = ScanError::Denied { operation: LIST.to_owned(), permission: LIST.to_owned() };
    assert_eq!(*denied.error("access-keys"), expected);
    source.simulator.clear_faults();
    let scanned = source.scan().await;
    assert!(scanned.whole("access-keys"));
    assert!(!scanned.records.contains_key(&source.id("access-key", &keys[7])));
    assert!(scanned.records.contains_key(&source.id("access-key", &keys[6])));
}

#[tokio::test]
async fn use_and_state_of_a_known_key_come_without_a_call_for_it() {
    let (mut source, keys) = source(40).await;
    source.scan().await.all_complete();
    source.simulator.change().use_access_key(&keys[30], "s3", "eu-west-1").unwrap();
    let used_at = source.simulator.clock().now();
    hours(&source, 5);
    let scanned = source.scan().await;
    assert!(source.simulator.calls().of(LIST) <= 2, "only the sweep");
    let key = &scanned.records[&source.id("access-key", &keys[30])];
    match key.usage {
        Usage::LastUsed { at, resolution_secs: 900, lag_secs: 14_400 } => {
            assert!(at <= used_at && used_at.duration_since(at).as_secs() < 900);
        }
        ref other => panic!("{other:?}"),
    }
    source.simulator.change().deactivate_access_key(&keys[30]).unwrap();
    hours(&source, 5);
    let scanned = source.scan().await;
    assert_eq!(scanned.records[&source.id("access-key", &keys[30])].status, Status::Disabled);
}

#[tokio::test]
async fn a_new_users_key_is_found_although_the_report_lacks_the_user() {
    let (mut source, _) = source(3).await;
    let account = source.account();
    source.scan().await.all_complete();
    hours(&source, 1);
    source.simulator.change().create_user(&account, "fresh").unwrap();
    let key = source.simulator.change().create_access_key(&account, "fresh").unwrap();
    hours(&source, 1);
    let scanned = source.scan().await;
    let found = &scanned.records[&source.id("access-key", &key)];
    assert!(matches!(found.usage, Usage::NeverSince { .. }), "{:?}", found.usage);
    assert_eq!(source.simulator.calls().of("iam:GetAccessKeyLastUsed"), 1);
    assert_eq!(source.simulator.calls().of("iam:GenerateCredentialReport"), 0);
}

#[tokio::test]
async fn a_hint_finds_a_key_that_the_report_does_not_show_and_no_scan_loses_it_again() {
    let (mut source, keys) = source(200).await;
    let account = source.account();
    source.scan().await.all_complete();
    hours(&source, 1);
    let new = source.simulator.change().create_access_key(&account, "u150").unwrap();
    let (seen, outcome) = source.refresh("access-keys", "u150").await;
    let ids: Vec<&str> = seen.iter().map(|record| record.name.as_str()).collect();
    assert!(ids.contains(&new.as_str()) && ids.contains(&keys[150].as_str()), "{ids:?}");
    let holder =
        source.simulator.read(|org| org.account(&account).unwrap().users()["u150"].id.clone());
    let holder = source.id("iam-user", &holder);
    match outcome.unwrap().extent() {
        Extent::Parents { parents, .. } => {
            assert_eq!(parents.iter().map(|id| id.as_str()).collect::<Vec<_>>(), [holder]);
        }
        other => panic!("{other:?}"),
    }

    // The same report as before: its row does not know of the key.
    let scanned = source.scan().await;
    assert_eq!(source.simulator.calls().of("iam:GenerateCredentialReport"), 0);
    assert!(scanned.records.contains_key(&source.id("access-key", &new)));

    // With nothing kept, the old report must not be taken for proof.
    source.lose_cache();
    let scanned = source.scan().await;
    let seen = scanned.records.contains_key(&source.id("access-key", &new));
    let keyless =
        source.simulator.read(|org| org.account(&account).unwrap().users()["keyless"].id.clone());
    match scanned.complete("access-keys").extent() {
        Extent::Parents { parents, outstanding: 0 } => {
            assert!(!parents.iter().any(|id| id.as_str().ends_with(&keyless)));
        }
        other => panic!("{other:?}"),
    }
    assert!(seen, "u150 shows a key, so it was listed");

    hours(&source, 5);
    let scanned = source.scan().await;
    assert!(scanned.whole("access-keys"), "a newer report settles it");
    assert!(scanned.records.contains_key(&source.id("access-key", &new)));
}

#[tokio::test]
async fn keys_made_in_the_same_second_are_told_apart_by_asking() {
    let mut org = Organization::empty(3);
    let account = org.management().to_owned();
    org.create_user(&account, "twin").unwrap();
    let used = org.create_access_key(&account, "twin").unwrap();
    let idle = org.create_access_key(&account, "twin").unwrap();
    org.clock().advance(SignedDuration::from_hours(24));
    org.use_access_key(&used, "s3", "eu-west-1").unwrap();
    org.clock().advance(SignedDuration::from_hours(5));
    let mut source = Source::of(org).await;
    let scanned = source.scan().await;
    scanned.all_complete();
    let usage = |key: &str| scanned.records[&source.id("access-key", key)].usage.state();
    assert_eq!((usage(&used), usage(&idle)), ("last_used", "never_since"));
    source.scan().await.all_complete();
    let asked = source.simulator.calls().of("iam:GetAccessKeyLastUsed");
    assert_eq!(asked, 0, "nothing moved, so nothing is asked again");
}

#[tokio::test]
async fn without_a_report_keys_stay_and_the_users_scope_is_degraded() {
    let (mut source, _) = source(4).await;
    let account = source.account();
    source.simulator.change().deny(&account, "iam:GenerateCredentialReport").unwrap();
    let scanned = source.scan().await;
    for kind in ["access-keys", "signing-certificates"] {
        assert_eq!(
            scanned.error(kind).to_string(),
            "iam:GenerateCredentialReport was denied: permission iam:GenerateCredentialReport is missing"
        );
    }
    let users = scanned.complete("users");
    assert!(users.degradations().iter().any(|d| d.field == "usage"));
    let user = scanned.named("iam-user", "u0");
    assert_eq!(user.unread["usage"], "iam:GenerateCredentialReport");
    assert_eq!(user.unread["nature"], "iam:GenerateCredentialReport");
}

#[tokio::test]
async fn a_report_that_is_slow_is_waited_for_and_a_slower_one_is_left_to_the_next_scan() {
    let (mut source, keys) = source(2).await;
    source.simulator.change().delay_reports(2);
    source.scan().await.all_complete();
    hours(&source, 5);
    source.simulator.change().delay_reports(6);
    let scanned = source.scan().await;
    assert_eq!(
        scanned.error("access-keys").to_string(),
        "iam:GetCredentialReport is unavailable: AWS has not finished the report yet"
    );
    assert!(scanned.outcome("users").is_ok());
    let scanned = source.scan().await;
    scanned.all_complete();
    assert!(scanned.records.contains_key(&source.id("access-key", &keys[1])));
}

#[tokio::test]
async fn a_confirming_pass_looks_at_the_source_again() {
    let (mut source, keys) = source(12).await;
    source.scan().await.all_complete();
    for key in &keys[2..] {
        source.simulator.change().delete_access_key(key).unwrap();
    }
    hours(&source, 5);
    let first = source.context(Pass::First);
    let scope = source.scope("access-keys");
    let read = |cx| {
        let (source, scope) = (&source, scope.clone());
        async move {
            source.simulator.reset_calls();
            let outcome = source.observe(&cx, &scope, &mut std::collections::BTreeMap::new()).await;
            (outcome.unwrap().recorded(), source.simulator.calls().of(LIST))
        }
    };
    let mut second = first.clone();
    second.pass = Pass::Confirming;
    second.memo = headcount_sdk::Memo::default();
    let (recorded, listed) = read(first).await;
    assert_eq!(recorded, 2);
    assert!(listed >= 10);
    let (again, listed_again) = read(second).await;
    assert_eq!(again, 2);
    assert!(listed_again >= 10, "answered from what the first pass kept");
}

#[tokio::test]
async fn progress_survives_a_failure_halfway() {
    let (mut source, _) = source(30).await;
    source.simulator.inject(FaultPlan::new(Fault::Throttle).on(LIST).from_call(21));
    let scanned = source.scan().await;
    assert!(matches!(scanned.error("access-keys"), ScanError::Throttled { .. }));
    source.simulator.clear_faults();
    let scanned = source.scan().await;
    assert!(source.simulator.calls().of(LIST) <= 12, "{}", source.simulator.calls().of(LIST));
    assert_eq!(scanned.of_kind("access-key").len(), 30);
    assert!(scanned.whole("access-keys"));
}
