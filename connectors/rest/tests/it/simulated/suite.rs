//! The laws of the test kit, and those of lists that change while they are read.

use std::collections::BTreeSet;

use headcount_sdk::ScanError;
use headcount_sdk::model::Observation;
use headcount_sdk::testkit::{Bench as _, Scanned, laws};
use headcount_simulator::saas::{MARKED, Tenant};
use headcount_simulator::{Fault, FaultPlan};

use super::bench::{self, Saas};

/// Faults of vendors whose pages can say that there is more and not where.
const LINKED: &[Fault] = &[Fault::RepeatedMarker, Fault::EmptyPage, Fault::MissingMarker];
/// Where nothing but a token says that there is more, its absence is the end: nobody can tell.
const BY_TOKEN: &[Fault] = &[Fault::RepeatedMarker, Fault::EmptyPage];

async fn hold<T: Tenant>(bench: &Saas<T>, calls: u64, faults: &[Fault]) {
    laws::an_undisturbed_scan_is_complete_and_declared(bench).await;
    laws::scans_repeat_themselves(bench).await;
    laws::page_sizes_change_nothing(bench).await;
    laws::no_fault_makes_a_record_disappear(bench).await;
    budget_is_kept(bench, calls).await;
    bench.server.limit_pages(Some(1));
    for fault in faults {
        lists_that_seem_to_go_on(bench, *fault).await;
    }
    bench.server.limit_pages(None);
    budgets_are_shared_with_others(bench).await;
}

async fn budget_is_kept<T: Tenant>(bench: &Saas<T>, calls: u64) {
    let scanned = bench.scan().await;
    assert_eq!(bench.exchanges(), calls, "{:?}", bench.server.calls());
    let called: BTreeSet<String> = bench.operations().into_iter().collect();
    let manifest = bench.connector().await.manifest();
    let declared = manifest.operations.iter().map(|operation| operation.name.to_owned());
    // Whoever brings its token along asks for none.
    let asks = called.contains("token");
    let declared: BTreeSet<String> = declared.filter(|name| asks || name != "token").collect();
    assert_eq!(called, declared, "what is declared is called, and nothing else");
    let all = scanned.scopes.values().flat_map(|reading| reading.records.values());
    for record in all {
        let text = serde_json::to_string::<Observation>(record).unwrap();
        assert!(!text.contains(MARKED), "{}: a marked value came through", record.id);
    }
}

fn ids(scanned: &Scanned) -> BTreeSet<String> {
    let readings = scanned.scopes.values().filter(|reading| reading.outcome.is_ok());
    readings.flat_map(|reading| reading.records.keys().cloned()).collect()
}

/// A page that comes again, one without a next, an empty one in the middle: what is complete
/// lacks nothing.
async fn lists_that_seem_to_go_on<T: Tenant>(bench: &Saas<T>, fault: Fault) {
    bench.spoil(None);
    let truth = bench.scan().await;
    for at in 1..=bench.exchanges() {
        bench.spoil(None);
        bench.server.inject(FaultPlan::new(fault).at_exchange(at));
        let scanned = bench.scan().await;
        for (scope, reading) in &scanned.scopes {
            if reading.outcome.is_ok() {
                let before: Vec<&String> = truth.scopes[scope].records.keys().collect();
                let now: Vec<&String> = reading.records.keys().collect();
                assert_eq!(now, before, "{fault:?} at {at}: {scope}");
            }
        }
    }
    bench.spoil(None);
}

/// Whenever something goes while pages are read, what stays is in every list that claims to be
/// whole.
async fn what_stays_is_seen<T: Tenant>(
    tenant: impl AsyncFn() -> Saas<T>,
    change: impl Fn(&mut T) + Copy + Send + 'static,
) {
    let bench = tenant().await;
    bench.server.limit_pages(Some(1));
    let first = bench.scan().await;
    let before = ids(&first);
    let calls = bench.exchanges();
    change(&mut bench.server.change());
    let stays: BTreeSet<String> = ids(&bench.scan().await).intersection(&before).cloned().collect();
    assert!(stays.len() < before.len(), "nothing went");
    for at in 1..=calls {
        let bench = tenant().await.over(bench.http());
        bench.server.limit_pages(Some(1));
        bench.server.at_exchange(at, change);
        for (scope, reading) in bench.scan().await.scopes {
            if reading.outcome.is_err() {
                continue;
            }
            let of_scope = |id: &&String| first.scopes[&scope].records.contains_key(*id);
            for id in stays.iter().filter(of_scope) {
                assert!(reading.records.contains_key(id), "{at}: {scope} is complete without {id}");
            }
        }
    }
}

/// With the budget used up the scan says that it was throttled, and loses nothing.
async fn budgets_are_shared_with_others<T: Tenant>(bench: &Saas<T>) {
    let truth = ids(&bench.scan().await);
    bench.server.change().holdings_mut().limit_calls(1);
    let scanned = bench.scan().await;
    let throttled = |error: &ScanError| error.cause() == "throttled";
    let refused = scanned.refused.iter().any(throttled);
    let mut errors = scanned.scopes.values().filter_map(|r| r.outcome.as_ref().err());
    assert!(refused || errors.any(throttled), "one call was enough");
    bench.server.change().holdings_mut().limit_calls(10_000);
    assert_eq!(ids(&bench.scan().await), truth, "and it goes on afterwards");
}

#[tokio::test]
async fn okta_holds_the_laws() {
    // The organisation twice, tokens, apps, integrations, service accounts, users; three service
    // apps with roles, keys and grants.
    hold(&bench::okta().await, 3 + 1 + 1 + 1 + 3 * 3 + 1, LINKED).await;
}

#[tokio::test]
async fn okta_read_by_an_app_is_the_same() {
    let by_app = bench::okta_by_app().await.scan().await;
    assert_eq!(by_app.refused, None);
    assert_eq!(ids(&by_app), ids(&bench::okta().await.scan().await));
}

#[tokio::test]
async fn gitlab_holds_the_laws() {
    // The group twice; two service accounts; two projects, with deploy tokens and keys, runners,
    // triggers and agents; one subgroup, one agent with a token, one runner of the group.
    let asked = 2 + 1 + 2 + 1 + 1 + 1 + 1 + 1 + 1 + 5 * 2 + 2 + 2;
    // Access tokens of two groups and two projects; two people; applications.
    let on_request = (2 + 2) + (1 + 2) + 1;
    hold(&bench::gitlab().await, asked + on_request, LINKED).await;
}

#[tokio::test]
async fn slack_holds_the_laws() {
    hold(&bench::slack().await, 1 + 1, BY_TOKEN).await;
}

#[tokio::test]
async fn entra_holds_the_laws() {
    // The token; three applications; one resource, Microsoft Graph.
    hold(&bench::graph().await, 1 + 2 + 1 + 1 + 3 + 1 + 1 + 1 + 1, LINKED).await;
}

#[tokio::test]
async fn google_cloud_holds_the_laws() {
    // The token; three service accounts; two pools.
    hold(&bench::google().await, 1 + 1 + 3 + 1 + 2 + 1 + 1 + 1, BY_TOKEN).await;
}

#[tokio::test]
async fn what_goes_while_pages_are_read_takes_nothing_along() {
    what_stays_is_seen(bench::okta, |okta| {
        // The first of their lists, so that all others move up.
        if let Some(token) = okta.token("terraform") {
            okta.revoke_token(&token).unwrap();
        }
        if let Some(app) = okta.app("payments worker") {
            okta.delete_app(&app).unwrap();
        }
    })
    .await;
    what_stays_is_seen(bench::gitlab, |gitlab| {
        if let Some(bot) = gitlab.service_account("release bot") {
            gitlab.delete_service_account(bot).unwrap();
        }
    })
    .await;
    what_stays_is_seen(bench::slack, |slack| {
        if let Some(app) = slack.app("Standup helper") {
            slack.restrict(&app).unwrap();
        }
    })
    .await;
    what_stays_is_seen(bench::graph, |graph| {
        if let Some(application) = graph.application("Billing export") {
            graph.delete_application(&application).unwrap();
        }
    })
    .await;
    what_stays_is_seen(bench::google, |google| {
        if let Some(account) = google.account("shop") {
            google.delete_account(&account).unwrap();
        }
    })
    .await;
}
