//! Webhooks and the audit log: what they make dirty, and what a refresh then brings.

use std::collections::BTreeMap;

use headcount_sdk::{Connector, Extent, Handled, Hint, Hints, Inbound, Pass, Refused, ScanError};
use headcount_simulator::github::{
    About, At, Delivery, Edition, Hub, ORGANIZATION, Size, delivery,
};
use jiff::SignedDuration;

use crate::support::{Source, WEBHOOK_SECRET};

fn hub() -> Hub {
    let mut hub = Hub::seeded(3, Size::small());
    hub.add_repository("acme/shop").unwrap();
    hub.add_deploy_key("acme/shop", "ci", "founder").unwrap();
    hub
}

fn inbound(delivery: Delivery) -> Inbound {
    let headers: BTreeMap<String, String> =
        delivery.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Inbound { headers, body: delivery.body }
}

async fn receive(source: &mut Source, message: &Inbound) -> Result<Vec<Hint>, Refused> {
    let cx = source.context(Pass::First);
    source.connector.receive(&cx, message).await
}

fn deploy_key_event(source: &Source, action: &str, secret: &str) -> Inbound {
    let payload = source.server.read(|hub| {
        let repository = hub.repository("acme/shop").unwrap();
        let key = repository.deploy_keys.keys().next().copied().unwrap();
        hub.event(ORGANIZATION, action, About::DeployKey("acme/shop", key)).unwrap()
    });
    inbound(delivery("deploy_key", &payload, secret.as_bytes()))
}

#[tokio::test]
async fn a_webhook_counts_once_and_only_when_it_is_signed() {
    let mut source = Source::of(hub()).await;
    let repository = source.server.read(|hub| hub.repository("acme/shop").unwrap().id);
    let forged = deploy_key_event(&source, "created", "another secret, an EXAMPLE");
    assert_eq!(receive(&mut source, &forged).await, Err(Refused::NotAuthentic));
    let good = deploy_key_event(&source, "created", WEBHOOK_SECRET);
    source.server.reset_calls();
    let hints = receive(&mut source, &good).await.unwrap();
    assert_eq!(source.server.exchanges(), 0, "the sender waits: nothing may be called");
    let subjects: Vec<&str> = hints.iter().map(|hint| hint.subject.as_str()).collect();
    assert_eq!(subjects, [repository.to_string()]);
    assert_eq!(hints[0].scope.to_string(), format!("{}/deploy-keys", source.place()));
    assert!(receive(&mut source, &good).await.unwrap().is_empty(), "a replay");
}

#[tokio::test]
async fn events_out_of_order_lead_to_what_is_true_now() {
    let mut source = Source::of(hub()).await;
    source.scan().await.all_complete();
    // The deletion is delivered before the creation; both name the repository, which is read.
    let created = deploy_key_event(&source, "created", WEBHOOK_SECRET);
    let deleted = deploy_key_event(&source, "deleted", WEBHOOK_SECRET);
    let number = source.server.change().add_deploy_key("acme/shop", "second", "founder").unwrap();
    for message in [&deleted, &created] {
        let hints = receive(&mut source, message).await.unwrap();
        let (seen, outcome) = source.refresh("deploy-keys", &hints[0].subject).await;
        let names: Vec<&str> = seen.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(names, ["ci", "second"]);
        let extent = outcome.unwrap().extent().clone();
        assert!(matches!(extent, Extent::Parents { parents, .. } if parents.len() == 1));
    }
    source.server.change().remove_deploy_key("acme/shop", number).unwrap();
    let (seen, _) = source.refresh("deploy-keys", "acme/shop").await;
    assert_eq!(seen.len(), 1, "by name as well");
    let scanned = source.scan().await;
    scanned.all_complete();
    assert!(!scanned.of_kind("deploy-key").iter().any(|key| key.name == "second"));
}

#[tokio::test]
async fn a_refresh_of_what_no_scan_has_seen_asks_for_the_scope() {
    let mut source = Source::of(hub()).await;
    source.scan().await.all_complete();
    for (scope, subject) in
        [("deploy-keys", "acme/unknown"), ("webhooks", "acme/shop"), ("members", "1")]
    {
        let (_, outcome) = source.refresh(scope, subject).await;
        assert!(matches!(outcome, Err(ScanError::NotSupported { .. })), "{scope}");
    }
    let (seen, outcome) = source.refresh("repository-webhooks", "acme/shop").await;
    assert!(seen.is_empty() && outcome.is_ok());
}

#[tokio::test]
async fn the_audit_log_names_what_no_webhook_does() {
    let mut source = Source::of(hub()).await;
    source.scan().await.all_complete();
    // What the organisation began with is older than a look goes back.
    source.server.clock().advance(SignedDuration::from_mins(10));
    let cx = source.context(Pass::First);
    let (hints, mut queue) = Hints::queue(8);
    source.server.change().add_hook(At::Repository("acme/shop"), "hooks.example.com").unwrap();
    let place = source.place();
    let feed = source.connector.feed(&cx, hints);
    let reader = async {
        let first = queue.recv().await.unwrap();
        // Not dealt with: it must come again.
        first.receipt.unwrap().send(Handled::Failed).unwrap();
        let again = queue.recv().await.unwrap();
        assert_eq!(first.hints, again.hints);
        again.receipt.unwrap().send(Handled::Committed).unwrap();
        again.hints
    };
    let found = tokio::select! {
        ended = feed => panic!("the feed ended: {ended:?}"),
        found = reader => found,
    };
    let found: Vec<String> = found.iter().map(|hint| hint.scope.to_string()).collect();
    assert_eq!(found, [format!("{place}/repository-webhooks")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_audit_log_the_feed_waits_for_ever() {
    let mut free = hub();
    free.edition = Edition::Free;
    let mut source = Source::of(free).await;
    source.scan().await;
    let cx = source.context(Pass::First);
    let (hints, mut queue) = Hints::queue(8);
    source.server.reset_calls();
    let feed = source.connector.feed(&cx, hints);
    let asked = async {
        while source.server.calls().of("GET /orgs/{org}/audit-log") == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = feed => panic!("the feed ended: {ended:?}"),
        () = asked => {}
    }
    assert!(queue.try_recv().is_err());
}
