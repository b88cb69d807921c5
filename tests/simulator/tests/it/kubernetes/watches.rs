//! Watches, refereed by the vendor's watcher: beginnings, changes, endings, quirks.

use std::pin::pin;

use headcount_simulator::kubernetes::{Cluster, Ending, Expiry, Object, Resource, Revocation};
use headcount_simulator::{Fault, FaultPlan};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::core::metadata::PartialObjectMeta;
use kube::runtime::watcher::{Config, watcher};
use kube::{Api, Client};

use super::client::{driven, next, started};

const ACCOUNTS: Resource = Resource::ServiceAccounts;

/// Two accounts `a` and `b` in `default`, which is all that the watches of these tests see.
fn cluster() -> Cluster {
    let mut cluster = Cluster::empty(1);
    for name in ["a", "b"] {
        cluster.create(account(name)).unwrap();
    }
    cluster
}

fn account(name: &str) -> Object {
    Object::service_account("default", name).label("watched", "yes")
}

fn accounts(client: &Client) -> Api<ServiceAccount> {
    Api::all(client.clone())
}

fn labelled() -> Config {
    Config::default().labels("watched=yes")
}

#[tokio::test]
async fn changes_arrive_in_order_after_the_list() {
    let (server, client) = started(cluster()).await;
    let mut stream = pin!(watcher(accounts(&client), labelled().page_size(1)));
    assert_eq!(next(&mut stream, 4).await, "init +a +b done");
    {
        let mut change = server.change();
        change.create(account("c")).unwrap();
        change.update(ACCOUNTS, "default", "a", |a| a.label("team", "x")).unwrap();
        change.delete(ACCOUNTS, "default", "b").unwrap();
    }
    assert_eq!(next(&mut stream, 3).await, "=c =a -b");
    server.change().update(ACCOUNTS, "default", "c", |c| c.without_label("watched")).unwrap();
    assert_eq!(next(&mut stream, 1).await, "-c", "what is no longer selected is gone");
    let calls = server.calls();
    assert_eq!((calls.of("list serviceaccounts"), calls.of("watch serviceaccounts")), (2, 1));
}

#[tokio::test]
async fn change_scripted_for_another_exchange_reaches_an_open_watch() {
    let (server, client) = started(cluster()).await;
    let mut stream = pin!(watcher(accounts(&client), labelled()));
    assert_eq!(next(&mut stream, 4).await, "init +a +b done");
    // The list was the first exchange, the watch will be the second.
    server.at_exchange(3, |cluster| cluster.create(account("c")).map(drop).unwrap());
    let another = async {
        server.until_watched(ACCOUNTS, 1).await;
        client.apiserver_version().await.unwrap();
    };
    let (said, ()) = tokio::join!(next(&mut stream, 1), another);
    assert_eq!(said, "=c");
}

#[tokio::test]
async fn streaming_list_ends_with_its_mark_and_goes_on() {
    let (server, client) = started(cluster()).await;
    let mut stream = pin!(watcher(accounts(&client), labelled().streaming_lists()));
    assert_eq!(next(&mut stream, 4).await, "init +a +b done");
    server.change().create(account("c")).unwrap();
    assert_eq!(next(&mut stream, 1).await, "=c");
    assert_eq!(server.calls().actions(), ["watch serviceaccounts"]);
}

#[tokio::test]
async fn old_server_refuses_streaming_lists() {
    let (server, client) = started(cluster()).await;
    server.change().without_streaming_lists();
    let mut stream = pin!(watcher(accounts(&client), labelled().streaming_lists()));
    assert_eq!(next(&mut stream, 1).await, "! start 422");
}

#[tokio::test]
async fn watch_that_ends_goes_on_where_it_was() {
    let (server, client) = started(cluster()).await;
    let mut stream = pin!(watcher(accounts(&client), labelled()));
    assert_eq!(next(&mut stream, 4).await, "init +a +b done");
    let endings = [(Ending::Closed, ""), (Ending::Broken, ""), (Ending::Failed, "! event 500 ")];
    for (ending, told) in endings {
        driven(&mut stream, server.until_watched(ACCOUNTS, 1)).await;
        {
            let mut change = server.change();
            change.create(account("c")).unwrap();
            change.end_watches(ACCOUNTS, ending);
            change.delete(ACCOUNTS, "default", "c").unwrap();
        }
        let count = if told.is_empty() { 2 } else { 3 };
        assert_eq!(next(&mut stream, count).await, format!("=c {told}-c"), "{ending:?}");
    }
    let calls = server.calls();
    assert_eq!((calls.of("list serviceaccounts"), calls.of("watch serviceaccounts")), (1, 4));
}

/// A watch that saw nothing it selects goes on after its last bookmark; without one its old
/// version is forgotten.
#[tokio::test]
async fn bookmarks_save_watches_from_expiry() {
    for (is_marked, told) in [(true, "=c"), (false, "! event 410")] {
        let (server, client) = started(cluster()).await;
        let mut stream = pin!(watcher(accounts(&client), labelled()));
        assert_eq!(next(&mut stream, 4).await, "init +a +b done");
        driven(&mut stream, server.until_watched(ACCOUNTS, 1)).await;
        {
            let mut change = server.change();
            change.create(Object::service_account("default", "other")).unwrap();
            if is_marked {
                change.bookmark(ACCOUNTS);
            }
            change.end_watches(ACCOUNTS, Ending::Closed);
        }
        server.until_unwatched(ACCOUNTS).await;
        server.change().expire_history();
        server.change().create(account("c")).unwrap();
        assert_eq!(next(&mut stream, 1).await, told);
    }
}

#[tokio::test]
async fn timeout_is_honoured_and_leaves_a_bookmark() {
    let (server, client) = started(cluster()).await;
    let mut stream = pin!(watcher(accounts(&client), labelled().timeout(1)));
    assert_eq!(next(&mut stream, 4).await, "init +a +b done");
    driven(&mut stream, server.until_watched(ACCOUNTS, 1)).await;
    server.change().create(Object::service_account("default", "other")).unwrap();
    server.until_unwatched(ACCOUNTS).await;
    server.change().expire_history();
    server.change().create(account("c")).unwrap();
    assert_eq!(next(&mut stream, 1).await, "=c");
    let calls = server.calls();
    assert_eq!((calls.of("list serviceaccounts"), calls.of("watch serviceaccounts")), (1, 2));
}

#[tokio::test]
async fn history_that_is_forgotten_makes_the_watcher_begin_anew() {
    let (server, client) = started(cluster()).await;
    let mut stream = pin!(watcher(accounts(&client), labelled()));
    assert_eq!(next(&mut stream, 4).await, "init +a +b done");
    {
        let mut change = server.change();
        change.delete(ACCOUNTS, "default", "b").unwrap();
        change.expire_history();
    }
    assert_eq!(next(&mut stream, 4).await, "! event 410 init +a done", "the deletion never came");
}

#[tokio::test]
async fn expiry_by_status_leaves_the_vendors_watcher_at_a_loss() {
    let (server, client) = started(cluster()).await;
    let mut stream = pin!(watcher(accounts(&client), labelled()));
    assert_eq!(next(&mut stream, 4).await, "init +a +b done");
    {
        let mut change = server.change();
        change.expire_by(Expiry::Status);
        change.delete(ACCOUNTS, "default", "b").unwrap();
        change.expire_history();
    }
    // It asks again from the same version for ever (kube-runtime 5.0, `State::InitListed`).
    assert_eq!(next(&mut stream, 3).await, "! start 410 ! start 410 ! start 410");
}

#[tokio::test]
async fn denial_ends_watches_as_the_script_says() {
    for (revocation, first) in
        [(Revocation::Closes, "! start 403"), (Revocation::Tells, "! event 403")]
    {
        let (server, client) = started(cluster()).await;
        let mut stream = pin!(watcher(accounts(&client), labelled()));
        assert_eq!(next(&mut stream, 4).await, "init +a +b done");
        server.change().create(account("c")).unwrap();
        assert_eq!(next(&mut stream, 1).await, "=c");
        {
            let mut change = server.change();
            change.revoke_by(revocation);
            change.deny("*", "serviceaccounts");
            change.create(account("d")).unwrap();
        }
        assert_eq!(next(&mut stream, 1).await, first, "{revocation:?}");
        assert_eq!(next(&mut stream, 1).await, "! start 403");
        server.change().allow("*", "serviceaccounts");
        assert_eq!(next(&mut stream, 1).await, "=d", "what happened meanwhile is not lost");
    }
}

#[tokio::test]
async fn unnoticed_denial_refuses_only_the_next_request() {
    let (server, client) = started(cluster()).await;
    let mut stream = pin!(watcher(accounts(&client), labelled()));
    assert_eq!(next(&mut stream, 4).await, "init +a +b done");
    server.change().create(account("c")).unwrap();
    assert_eq!(next(&mut stream, 1).await, "=c");
    {
        let mut change = server.change();
        change.revoke_by(Revocation::Unnoticed);
        change.deny("watch", "serviceaccounts");
        change.create(account("d")).unwrap();
    }
    assert_eq!(next(&mut stream, 1).await, "=d");
    server.change().end_watches(ACCOUNTS, Ending::Closed);
    assert_eq!(next(&mut stream, 1).await, "! start 403");
}

#[tokio::test]
async fn events_are_swallowed_doubled_and_held_on_demand() {
    let (server, client) = started(cluster()).await;
    let mut stream = pin!(watcher(accounts(&client), labelled()));
    assert_eq!(next(&mut stream, 4).await, "init +a +b done");
    {
        let mut change = server.change();
        change.swallow_deletes(ACCOUNTS);
        change.delete(ACCOUNTS, "default", "a").unwrap();
        change.behave();
        change.double_events(ACCOUNTS);
        change.create(account("c")).unwrap();
    }
    assert_eq!(next(&mut stream, 2).await, "=c =c", "nobody is told that a is gone");
    {
        let mut change = server.change();
        change.behave();
        change.hold_events(ACCOUNTS);
        change.create(account("d")).unwrap();
    }
    let accounts = accounts(&client);
    driven(&mut stream, async { accounts.list(&Default::default()).await.unwrap() }).await;
    server.change().release_events(ACCOUNTS);
    assert_eq!(next(&mut stream, 1).await, "=d");
}

#[tokio::test]
async fn metadata_is_watched_without_values() {
    let mut cluster = cluster();
    cluster.create(Object::secret("default", "one", "Opaque")).unwrap();
    let (server, client) = started(cluster).await;
    let api: Api<PartialObjectMeta<Secret>> = Api::all(client);
    let mut stream = pin!(watcher(api, Config::default().fields("type=Opaque")));
    assert_eq!(next(&mut stream, 3).await, "init +one done");
    {
        let mut change = server.change();
        change.create(Object::secret("default", "other", "kubernetes.io/tls")).unwrap();
        change.create(Object::secret("default", "two", "Opaque")).unwrap();
    }
    assert_eq!(next(&mut stream, 1).await, "=two");
}

#[tokio::test]
async fn faults_spoil_watches_and_pages() {
    for (fault, told) in [
        (Fault::Denied, "! start 403"),
        (Fault::NotFound, "! start 404"),
        (Fault::Throttle, "! start 429"),
        (Fault::ServerError, "! start 500"),
        (Fault::Unauthorized, "! start 401"),
        (Fault::Conflict, "! start 409"),
        (Fault::Reset, "! start failed"),
        (Fault::HtmlError, "! start 500"),
    ] {
        let (server, client) = started(cluster()).await;
        server.inject(FaultPlan::new(fault).on("watch serviceaccounts").first(1));
        let mut stream = pin!(watcher(accounts(&client), labelled()));
        assert_eq!(next(&mut stream, 5).await, format!("init +a +b done {told}"), "{fault:?}");
        server.change().create(account("c")).unwrap();
        assert_eq!(next(&mut stream, 1).await, "=c", "{fault:?}");
    }
}

#[tokio::test]
async fn broken_first_lines_lose_nothing() {
    for fault in [Fault::CutConnection, Fault::TruncatedBody] {
        let (server, client) = started(cluster()).await;
        server.inject(FaultPlan::new(fault).on("watch serviceaccounts").first(1));
        let mut stream = pin!(watcher(accounts(&client), labelled()));
        assert_eq!(next(&mut stream, 4).await, "init +a +b done");
        server.change().create(account("c")).unwrap();
        let mut seen = next(&mut stream, 1).await;
        if seen.starts_with('!') {
            seen = next(&mut stream, 1).await;
        }
        assert_eq!(seen, "=c", "{fault:?}");
    }
}

/// Half of a streaming list and then nothing: no reader may take that for all of it.
#[tokio::test]
async fn streaming_list_that_is_cut_has_no_end() {
    for fault in [Fault::CutConnection, Fault::TruncatedBody] {
        let (server, client) = started(cluster()).await;
        server.inject(FaultPlan::new(fault).first(1));
        let mut stream = pin!(watcher(accounts(&client), labelled().streaming_lists()));
        assert_eq!(next(&mut stream, 2).await, "init +a", "{fault:?}");
        let mut seen = next(&mut stream, 1).await;
        while seen.starts_with('!') {
            seen = next(&mut stream, 1).await;
        }
        assert_eq!(seen, "init", "{fault:?}");
        assert_eq!(next(&mut stream, 3).await, "+a +b done", "{fault:?}");
    }
}

#[tokio::test]
async fn list_that_expires_between_pages_begins_anew() {
    let (server, client) = started(cluster()).await;
    server.inject(FaultPlan::new(Fault::Expired).on("list serviceaccounts").at_call(2));
    let mut stream = pin!(watcher(accounts(&client), labelled().page_size(1)));
    assert_eq!(next(&mut stream, 7).await, "init +a ! list 410 init +a +b done");
}
