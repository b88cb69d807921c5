//! The feed: what happens in the cluster is known within moments, and what cannot be seen any more
//! stays.

use headcount_sdk::{Endpoint, Level, ScanError};
use headcount_simulator::kubernetes::{
    Cluster, Ending, Object, PodTemplate, Resource, Revocation, RoleRef, Subject,
};
use headcount_simulator::{Fault, FaultPlan};

use crate::records::small;
use crate::support::{Agent, Source, with_secrets};

/// A source that is watched, and an agent that made its first scan.
async fn watched(cluster: Cluster) -> (Source, Agent) {
    let source = Source::of(cluster).await;
    let mut agent = source.watch();
    for resource in [Resource::ServiceAccounts, Resource::Pods, Resource::RoleBindings] {
        source.server.until_watched(resource, 1).await;
    }
    agent.scan().await;
    (source, agent)
}

fn is_denied(agent: &Agent, scope: &str) -> bool {
    matches!(agent.outcomes.get(scope), Some(Err(ScanError::Denied { .. })))
}

fn is_complete(agent: &Agent, scope: &str) -> bool {
    matches!(agent.outcomes.get(scope), Some(Ok(_)))
}

#[tokio::test]
async fn a_new_account_is_known_and_a_deleted_one_gone_without_a_scan() {
    let (source, mut agent) = watched(small()).await;
    source.server.reset_calls();
    let uid = source.server.change().create(Object::service_account("shop", "new")).unwrap();
    agent.until("the account is known", |agent| agent.has("service-account", "shop/new")).await;
    let known = agent.named("service-account", "shop/new").unwrap();
    assert!(known.id.as_str().ends_with(&uid.to_string()));
    source.server.change().delete(Resource::ServiceAccounts, "shop", "new").unwrap();
    agent.until("it is gone", |agent| !agent.has("service-account", "shop/new")).await;
    assert!(agent.has("service-account", "shop/web"));
    assert_eq!(source.server.calls().of("list serviceaccounts"), 0, "nothing was listed");
    assert_eq!(source.server.calls().of("get /.well-known/openid-configuration"), 0);
}

#[tokio::test]
async fn a_scan_while_watching_costs_three_calls_at_most() {
    let (source, mut agent) = watched(small()).await;
    agent.scan().await;
    source.server.reset_calls();
    agent.scan().await;
    let calls = source.server.calls();
    assert!(calls.total() <= 3, "{calls:?}");
    assert!(is_complete(&agent, "service-accounts"));
}

#[tokio::test]
async fn a_binding_changes_its_account_and_an_account_its_bindings() {
    let (source, mut agent) = watched(small()).await;
    let binding = Object::cluster_role_binding(
        "idle-admin",
        RoleRef::cluster_role("all-powerful"),
        &[Subject::account("shop", "idle")],
    );
    source.server.change().create(binding).unwrap();
    let level = |agent: &Agent| {
        let idle = agent.named("service-account", "shop/idle");
        idle.and_then(|idle| idle.privilege.as_ref()).map(|privilege| privilege.level)
    };
    agent.until("it is an administrator", |agent| level(agent) == Some(Level::Admin)).await;

    source.server.change().create(Object::service_account("shop", "ghost")).unwrap();
    let name = "shop/readers to system:serviceaccount:shop:ghost";
    let parent = |agent: &Agent| agent.named("role-binding", name).unwrap().parent.clone();
    agent.until("the grant found its account", |agent| parent(agent).is_some()).await;
    let runs = |agent: &Agent| agent.named("workload", "shop/main").unwrap().links[0].to.clone();
    agent
        .until("the workload found it", |agent| matches!(runs(agent), Endpoint::Record { .. }))
        .await;
}

#[tokio::test]
async fn an_account_made_anew_is_another_one() {
    let (source, mut agent) = watched(small()).await;
    let old = agent.named("service-account", "shop/web").unwrap().id.clone();
    source.server.change().recreate(Resource::ServiceAccounts, "shop", "web").unwrap();
    let id = |agent: &Agent| agent.records.contains_key(old.as_str());
    agent.until("the old one is gone", |agent| !id(agent)).await;
    agent.until("the new one is there", |agent| agent.has("service-account", "shop/web")).await;
    let new = agent.named("service-account", "shop/web").unwrap().id.clone();
    let name = "shop/readers to system:serviceaccount:shop:web";
    agent
        .until("its grants are the new one's", |agent| {
            agent.named("role-binding", name).unwrap().parent.as_ref() == Some(&new)
        })
        .await;
}

#[tokio::test]
async fn a_pod_brings_its_account_into_use_and_takes_it_out() {
    let (source, mut agent) = watched(small()).await;
    let in_use = |agent: &Agent, what: &str| {
        agent.named("service-account", "shop/idle").unwrap().attributes["in_use"] == what
    };
    assert!(in_use(&agent, "false"));
    let pod = Object::pod("shop", "once", PodTemplate::running_as("idle"));
    source.server.change().create(pod).unwrap();
    agent.until("it is in use", |agent| in_use(agent, "true")).await;
    agent.until("the pod is a workload", |agent| agent.has("workload", "shop/once")).await;
    source.server.change().delete(Resource::Pods, "shop", "once").unwrap();
    agent.until("it is out of use", |agent| in_use(agent, "false")).await;
    agent.until("the pod is gone", |agent| !agent.has("workload", "shop/once")).await;
}

#[tokio::test]
async fn pods_that_come_and_go_behind_a_template_touch_nothing() {
    let (source, mut agent) = watched(small()).await;
    {
        let mut change = source.server.change();
        let set = change.get(Resource::ReplicaSets, "shop", "web-1").unwrap().clone();
        for number in 0..5 {
            let pod =
                Object::pod("shop", &format!("web-1-{number}"), PodTemplate::running_as("web"));
            change.create(pod.owned_by(&set)).unwrap();
            change.delete(Resource::Pods, "shop", &format!("web-1-{number}")).unwrap();
        }
        change.create(Object::pod("shop", "last", PodTemplate::running_as("web"))).unwrap();
    }
    agent.until("the last one is known", |agent| agent.has("workload", "shop/last")).await;
    let scopes: Vec<&str> = agent.heard.iter().map(|(scope, _)| scope.as_str()).collect();
    assert_eq!(scopes, ["workloads"], "only the one without a controller");
}

#[tokio::test]
async fn the_use_of_a_legacy_token_is_its_accounts() {
    let source = Source::reading(small(), with_secrets()).await;
    let mut agent = source.watch();
    source.server.until_watched(Resource::Secrets, 1).await;
    agent.scan().await;
    let change =
        |object: Object| object.label("kubernetes.io/legacy-token-last-used", "2026-01-14");
    source.server.change().update(Resource::Secrets, "shop", "partner", change).unwrap();
    let used = |agent: &Agent, kind: &str| {
        let usage = &agent.named(kind, "shop/partner").unwrap().usage;
        usage.at().map(|at| at.to_string())
    };
    let day = Some("2026-01-14T00:00:00Z".to_owned());
    agent.until("the token", |agent| used(agent, "service-account-token") == day).await;
    agent.until("its account", |agent| used(agent, "service-account") == day).await;
}

#[tokio::test]
async fn a_label_on_a_namespace_changes_owners_in_it() {
    let (source, mut agent) = watched(small()).await;
    let change = |object: Object| object.label("team", "checkout");
    source.server.change().update(Resource::Namespaces, "", "shop", change).unwrap();
    let owned = |agent: &Agent, kind: &str, name: &str| {
        let claims = &agent.named(kind, name).unwrap().owner_evidence;
        claims.iter().any(|claim| claim.reference == "checkout")
    };
    agent.until("accounts", |agent| owned(agent, "service-account", "shop/idle")).await;
    agent.until("workloads", |agent| owned(agent, "workload", "shop/web")).await;
}

#[tokio::test]
async fn permissions_lost_while_watching_delete_nothing_and_come_back() {
    for revocation in [Revocation::Closes, Revocation::Tells] {
        let (source, mut agent) = watched(small()).await;
        let known = agent.records.clone();
        {
            let mut change = source.server.change();
            change.revoke_by(revocation);
            change.deny("*", "serviceaccounts");
        }
        agent.until("it is denied", |agent| is_denied(agent, "service-accounts")).await;
        let error = agent.outcomes["service-accounts"].as_ref().unwrap_err().to_string();
        assert!(error.contains("serviceaccounts is missing"), "{error}");
        assert_eq!(agent.records.keys().collect::<Vec<_>>(), known.keys().collect::<Vec<_>>());

        {
            let mut change = source.server.change();
            change.delete(Resource::ServiceAccounts, "shop", "idle").unwrap();
            change.allow("*", "serviceaccounts");
        }
        agent.until("it is read again", |agent| is_complete(agent, "service-accounts")).await;
        agent
            .until("what went meanwhile is gone", |agent| {
                !agent.has("service-account", "shop/idle")
            })
            .await;
        assert!(agent.has("service-account", "shop/web"));
    }
}

#[tokio::test]
async fn a_delete_that_never_came_is_found_by_the_next_list() {
    // Told in the open watch; and when one that ended is asked for again.
    for is_open in [true, false] {
        let (source, mut agent) = watched(small()).await;
        if !is_open {
            source.server.reset_calls();
            let once = FaultPlan::new(Fault::Expired).on("watch serviceaccounts").first(1);
            source.server.inject(once);
        }
        {
            let mut change = source.server.change();
            change.swallow_deletes(Resource::ServiceAccounts);
            change.delete(Resource::ServiceAccounts, "shop", "idle").unwrap();
            change.behave();
            let ending = if is_open { Ending::Expired } else { Ending::Closed };
            change.end_watches(Resource::ServiceAccounts, ending);
        }
        agent
            .until("it is gone all the same", |agent| !agent.has("service-account", "shop/idle"))
            .await;
        assert!(
            agent.has("service-account", "shop/web") && agent.has("service-account", "shop/ci")
        );
        // Nobody refused anything: no scope was marked as a whole, as a failure would have it.
        assert!(agent.heard.iter().all(|(_, subject)| !subject.is_empty()), "{:?}", agent.heard);
    }
}

#[tokio::test]
async fn a_watch_that_breaks_off_is_resumed_and_nothing_is_listed_anew() {
    let (source, mut agent) = watched(small()).await;
    source.server.reset_calls();
    for ending in [Ending::Closed, Ending::Broken] {
        source.server.change().end_watches(Resource::ServiceAccounts, ending);
    }
    source.server.until_watched(Resource::ServiceAccounts, 1).await;
    source.server.change().create(Object::service_account("shop", "late")).unwrap();
    agent.until("it goes on", |agent| agent.has("service-account", "shop/late")).await;
    assert_eq!(source.server.calls().of("list serviceaccounts"), 0);
}

#[tokio::test]
async fn what_happened_between_a_scan_and_the_first_list_of_the_feed_is_found() {
    let source = Source::of(small()).await;
    let mut agent = source.idle();
    agent.scan().await;
    assert!(agent.has("service-account", "shop/idle"));
    source.server.change().delete(Resource::ServiceAccounts, "shop", "idle").unwrap();
    agent.begin();
    agent.until("it is gone", |agent| !agent.has("service-account", "shop/idle")).await;
}

#[tokio::test]
async fn pages_do_where_lists_are_not_streamed() {
    let source = Source::of(small()).await;
    source.server.change().without_streaming_lists();
    let mut agent = source.watch();
    source.server.until_watched(Resource::ServiceAccounts, 1).await;
    agent.scan().await;
    assert!(source.server.calls().of("list serviceaccounts") >= 1);
    source.server.change().create(Object::service_account("shop", "new")).unwrap();
    agent.until("it is known", |agent| agent.has("service-account", "shop/new")).await;
}

#[tokio::test]
async fn the_second_reading_of_a_held_removal_asks_the_server() {
    let (source, agent) = watched(small()).await;
    source.server.reset_calls();
    let mut cx = source.context(headcount_sdk::Priority::Scan);
    cx.pass = headcount_sdk::Pass::Confirming;
    let scope = headcount_sdk::Scope::new(&source.place(), "bindings");
    let mut sink = |_| {};
    let recorder = headcount_sdk::Recorder::new(scope.clone(), &mut sink);
    headcount_sdk::Connector::observe(&*source.connector, &cx, &scope, recorder).await.unwrap();
    assert_eq!(source.server.calls().of("list serviceaccounts"), 1);
    drop(agent);
}

#[tokio::test]
async fn a_feed_that_ends_leaves_the_scans_to_list() {
    let (source, agent) = watched(small()).await;
    agent.stop().await;
    source.server.reset_calls();
    let scanned = source.scan().await;
    scanned.complete("service-accounts");
    assert_eq!(source.server.calls().of("list serviceaccounts"), 1);
}
