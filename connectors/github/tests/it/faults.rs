//! Lost permissions, partial answers, ended tokens, spent quotas, links that lead astray.

use headcount_sdk::ScanError;
use headcount_simulator::github::{Edition, Hub, Links, ORGANIZATION, Size};
use headcount_simulator::{Fault, FaultPlan};
use jiff::SignedDuration;

use crate::support::{Scanned, Source};

fn hub() -> Hub {
    Hub::seeded(3, Size::small())
}

fn reader(source: &Source) -> u64 {
    source.server.read(|hub| hub.reader(ORGANIZATION).unwrap().installation_id)
}

fn permission(error: &ScanError) -> &str {
    match error {
        ScanError::Denied { permission, .. } => permission,
        other => panic!("{other}"),
    }
}

/// Scopes that did not come to their end.
fn failed(scanned: &Scanned) -> Vec<&str> {
    let failed = scanned.outcomes.iter().filter(|(_, outcome)| outcome.is_err());
    failed.map(|(scope, _)| scope.as_str()).collect()
}

#[tokio::test]
async fn a_lost_permission_is_denied_by_name_and_nothing_is_gone() {
    let rows: [(&str, &[&str]); 5] = [
        ("organization_hooks", &["webhooks"]),
        ("secrets", &["repository-actions-secrets"]),
        ("organization_personal_access_tokens", &["fine-grained-tokens"]),
        ("administration", &["deploy-keys", "repositories"]),
        ("actions", &["environment-secrets", "environments"]),
    ];
    for hides in [false, true] {
        for (lost, scopes) in rows {
            let mut source = Source::of(hub()).await;
            source.server.change().manners.graphql_hides = hides;
            let before = source.scan().await;
            before.all_complete();
            let reader = reader(&source);
            source.server.change().forbid(reader, lost).unwrap();
            let after = source.scan().await;
            assert_eq!(after.gone_since(&before), [""; 0], "{lost}, hides: {hides}");
            let first = scopes.first().unwrap();
            assert_eq!(permission(after.error(first)), format!("{lost}:read"), "hides: {hides}");
            if hides && lost != "administration" {
                assert_eq!(failed(&after), scopes, "{lost}");
            }
        }
    }
}

#[tokio::test]
async fn what_the_edition_does_not_have_is_not_denied() {
    let mut free = hub();
    free.edition = Edition::Free;
    let mut source = Source::of(free).await;
    let scanned = source.scan().await;
    assert_eq!(failed(&scanned), ["authorized-credentials"]);
    assert!(matches!(scanned.error("authorized-credentials"), ScanError::NotSupported { .. }));
    let mut server = hub();
    server.edition = Edition::Server;
    let mut source = Source::of(server).await;
    let scanned = source.scan().await;
    let lacking = [
        "agents-secrets",
        "authorized-credentials",
        "codespaces-secrets",
        "repository-agents-secrets",
    ];
    assert_eq!(failed(&scanned), lacking);
    for scope in lacking {
        assert!(matches!(scanned.error(scope), ScanError::NotSupported { .. }), "{scope}");
    }
    assert!(scanned.records.keys().all(|id| id.starts_with("github:127.0.0.1:")));
}

#[tokio::test]
async fn half_a_graphql_answer_is_no_answer() {
    let mut source = Source::of(hub()).await;
    let before = source.scan().await;
    source.server.change().manners.whole_rows = Some(2);
    let after = source.scan().await;
    for scope in ["repositories", "environments", "deploy-keys", "repository-webhooks"] {
        assert!(matches!(after.error(scope), ScanError::Unavailable { .. }), "{scope}");
    }
    assert_eq!(after.gone_since(&before), [""; 0]);
}

#[tokio::test]
async fn a_query_that_is_too_heavy_is_asked_again_for_less() {
    let mut source = Source::of(Hub::seeded(3, Size { repositories: 120, ..Size::small() })).await;
    source.server.change().manners.timeout_above = 6_000;
    let scanned = source.scan().await;
    assert!(scanned.complete("repositories").recorded() >= 120);
    assert!(source.server.calls().of("POST /graphql") > 3);
}

#[tokio::test]
async fn a_token_that_ends_is_fetched_again() {
    const MINT: &str = "POST /app/installations/{installation_id}/access_tokens";
    let mut source = Source::of(hub()).await;
    source.scan().await.all_complete();
    assert_eq!(source.server.calls().of(MINT), 1);
    source.scan().await.all_complete();
    assert_eq!(source.server.calls().of(MINT), 0, "it lasts for an hour");
    source.server.change().revoke_tokens();
    source.scan().await.all_complete();
    assert_eq!(source.server.calls().of(MINT), 1, "refused, and fetched again");
    source.server.clock().advance(SignedDuration::from_mins(90));
    source.scan().await.all_complete();
    assert_eq!(source.server.calls().of(MINT), 1, "ended");
}

#[tokio::test]
async fn a_suspended_or_removed_installation_loses_nothing() {
    let mut source = Source::of(hub()).await;
    let before = source.scan().await;
    let id = reader(&source);
    source.server.change().suspend(id, "founder").unwrap();
    let after = source.scan().await;
    assert_eq!(failed(&after).len(), after.outcomes.len());
    assert!(permission(after.error("members")).contains("suspended"));
    source.server.change().uninstall(id).unwrap();
    let after = source.scan().await;
    assert!(permission(after.error("members")).contains("installation"));
    assert_eq!(after.gone_since(&before), [""; 0]);
}

#[tokio::test]
async fn links_to_another_host_are_not_followed() {
    let mut source = Source::of(hub()).await;
    source.server.limit_pages(Some(2));
    source.server.set_links(Links::OtherHost);
    let scanned = source.scan().await;
    let error = scanned.error("members");
    assert!(matches!(error, ScanError::Malformed { .. }), "{error}");
    source.server.set_links(Links::AsAsked);
    source.scan().await.all_complete();
}

#[tokio::test]
async fn a_page_that_leads_to_itself_ends_the_reading() {
    for fault in [Fault::RepeatedMarker, Fault::MissingMarker] {
        let mut source = Source::of(hub()).await;
        let before = source.scan().await;
        source.server.limit_pages(Some(2));
        source.server.inject(FaultPlan::new(fault));
        let after = source.scan().await;
        for scope in ["members", "repositories"] {
            let error = after.error(scope);
            assert!(matches!(error, ScanError::Malformed { .. }), "{fault:?} {scope}: {error}");
        }
        assert_eq!(after.gone_since(&before), [""; 0]);
    }
}

#[tokio::test]
async fn the_reserve_of_the_quota_stays_untouched() {
    let mut hub = hub();
    hub.manners.budget = Some(50);
    let mut source = Source::of(hub).await;
    let scanned = source.scan().await;
    let throttled: Vec<&ScanError> =
        scanned.outcomes.values().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(!throttled.is_empty());
    for error in throttled {
        let waits = matches!(error, ScanError::Throttled { retry_after_secs: Some(1..=3600), .. });
        assert!(waits, "{error:?}");
    }
    let rest: u64 = {
        let calls = source.server.calls();
        calls
            .iter()
            .filter(|(org, action, _)| *org == ORGANIZATION && *action != "POST /graphql")
            .map(|(_, _, n)| n)
            .sum()
    };
    assert_eq!(rest, 40, "a fifth of 50 is left to others");
}

#[tokio::test]
async fn a_throttle_stops_the_scan_until_it_is_over() {
    let mut source = Source::of(hub()).await;
    source.scan().await.all_complete();
    source.server.inject(FaultPlan::new(Fault::Throttle).on("GET /orgs/{org}/members"));
    let throttled = source.scan().await;
    let sent = source.server.calls().in_account(ORGANIZATION, "GET /orgs/{org}/installations");
    assert_eq!(sent, 0, "a request was sent although GitHub asked for rest");
    assert!(matches!(
        throttled.error("members"),
        ScanError::Throttled { retry_after_secs: Some(60), .. }
    ));
    source.server.clear_faults();
    source.server.clock().advance(SignedDuration::from_secs(61));
    source.scan().await.all_complete();
}
