//! What becomes of a source that changes, and of one that takes something away.

use std::collections::BTreeMap;
use std::sync::Arc;

use headcount_sdk::contract::{MemoryCache, ProbeOutcome};
use headcount_sdk::model::{Standing, Usage};
use headcount_sdk::testkit::{Bench as _, Scanned, scan};
use headcount_sdk::{Connector as _, ScanError, Scope};
use serde_json::json;

use crate::conformance::{Rest, bench};
use crate::server::Style;

async fn read(bench: &Rest) -> Scanned {
    let connector = bench.read();
    scan(bench, &connector, Arc::new(MemoryCache::default()), "scan").await
}

fn scope(kind: &str) -> Scope {
    Scope::new("bench:T1", kind)
}

fn error(scanned: &Scanned, kind: &str) -> ScanError {
    scanned.scopes[&scope(kind)].outcome.as_ref().map(|_| ()).expect_err(kind).clone()
}

#[tokio::test]
async fn what_is_deleted_at_the_source_is_missing_from_a_complete_scope() {
    let bench = bench().await;
    let before = read(&bench).await;
    assert_eq!(before.scopes[&scope("cursor-keys")].records.len(), 7);
    bench.server.list(
        "/cursor",
        "listCursor",
        Style::Cursor,
        &[json!({"id": "c7", "name": "last"})],
    );
    bench.server.list("/apps", "listApps", Style::Cursor, &[]);
    let after = read(&bench).await;
    let keys = &after.scopes[&scope("cursor-keys")];
    assert!(keys.outcome.is_ok());
    let left: Vec<&String> = keys.records.keys().collect();
    assert_eq!(left, ["bench:T1:cursor-key/c7"]);
    // A parent that is gone takes its children with it: its list was read to the end.
    let children = &after.scopes[&scope("app-keys")];
    assert!(children.outcome.is_ok() && children.records.is_empty());
}

#[tokio::test]
async fn a_lost_permission_fails_its_scopes_and_no_other() {
    let bench = bench().await;
    bench.server.instead("/apps/app3/keys", 403, &[], json!({}));
    let scanned = read(&bench).await;
    let denied = ScanError::Denied {
        operation: "listAppKeys".to_owned(),
        permission: "apps.keys.read".to_owned(),
    };
    assert_eq!(error(&scanned, "app-keys"), denied);
    let failed = scanned.scopes.values().filter(|reading| reading.outcome.is_err()).count();
    assert_eq!(failed, 1);
}

#[tokio::test]
async fn a_lost_enrichment_leaves_fields_unread_and_the_scope_complete() {
    let bench = bench().await;
    let whole = read(&bench).await;
    let app = &whole.scopes[&scope("apps")].records["bench:T1:app/app3"];
    assert_eq!(app.owner_evidence[0].standing, Standing::Left);
    assert_eq!(app.usage, Usage::NotObservable { reason: "not recorded".to_owned() });
    bench.server.instead("/people", 403, &[], json!({}));
    bench.server.instead("/apps/app4/use", 500, &[], json!({}));
    let scanned = read(&bench).await;
    let reading = &scanned.scopes[&scope("apps")];
    let degraded = reading.outcome.as_ref().unwrap().degradations();
    let fields: Vec<&str> = degraded.iter().map(|d| d.field.as_str()).collect();
    assert_eq!(fields, ["owner_standing", "owner_evidence", "usage"]);
    for record in reading.records.values() {
        assert_eq!(record.unread["owner_standing"], "people.read", "{}", record.id);
        assert!(record.owner_evidence.is_empty(), "{} claims an owner", record.id);
        // Only the item whose call failed lacks its use.
        let lost = record.id.as_str() == "bench:T1:app/app4";
        assert_eq!(record.unread.contains_key("usage"), lost, "{}", record.id);
    }
    let used = &reading.records["bench:T1:app/app1"].usage;
    assert!(matches!(used, Usage::LastUsed { .. }), "{used:?}");
}

#[tokio::test]
async fn a_required_field_that_is_missing_is_malformed_with_its_path() {
    let bench = bench().await;
    let items = [json!({"id": "c1", "name": "a"}), json!({"id": null, "name": "MARKED"})];
    bench.server.list("/cursor", "listCursor", Style::Cursor, &items);
    let found = error(&read(&bench).await, "cursor-keys");
    let operation = "listCursor".to_owned();
    assert_eq!(found, ScanError::Malformed { operation, path: "[1].id".to_owned() });
    // Times that are none are not left out either.
    let items = [json!({"id": "c1", "name": "a", "seen_at": "MARKED"})];
    bench.server.list("/cursor", "listCursor", Style::Cursor, &items);
    let found = error(&read(&bench).await, "cursor-keys");
    let (operation, path) = ("listCursor".to_owned(), "cursor-key.usage[0]".to_owned());
    assert_eq!(found, ScanError::Malformed { operation, path });
}

#[tokio::test]
async fn two_items_with_one_key_are_not_one_record() {
    let bench = bench().await;
    let items = [json!({"id": "c1", "name": "a"}), json!({"id": "c1", "name": "b"})];
    bench.server.list("/cursor", "listCursor", Style::Cursor, &items);
    assert!(matches!(error(&read(&bench).await, "cursor-keys"), ScanError::Malformed { .. }));
    // An item that comes again on a numbered page means that others moved, too.
    let items: Vec<_> = ["p1", "p2", "p3", "p1"].map(|id| json!({"id": id})).into();
    bench.server.list("/pages", "listPages", Style::Page, &items);
    assert!(matches!(error(&read(&bench).await, "paged-keys"), ScanError::Unavailable { .. }));
}

#[tokio::test]
async fn a_source_that_asks_for_hours_is_left_alone() {
    let bench = bench().await;
    bench.server.instead("/linked", 429, &[("retry-after", "7200")], json!({}));
    let operation = "listLinked".to_owned();
    let throttled = ScanError::Throttled { operation, retry_after_secs: Some(7200) };
    assert_eq!(error(&read(&bench).await, "linked-keys"), throttled);
}

#[tokio::test]
async fn another_tenant_than_before_is_not_read_under_the_old_name() {
    let bench = bench().await;
    let connector = bench.read();
    let moved = Style::One;
    bench.server.list("/org", "getOrg", moved, &[json!({"id": "T2"})]);
    let scanned = scan(&bench, &connector, Arc::new(MemoryCache::default()), "scan").await;
    assert!(scanned.scopes.keys().all(|scope| scope.place == "bench:T2"));
    // The scopes were listed for T1, and the credentials belong to T2 by now.
    let mut sink = |_| {};
    let recorder = headcount_sdk::Recorder::new(scope("apps"), &mut sink);
    let outcome = connector.observe(&context(&bench), &scope("apps"), recorder).await;
    assert!(matches!(outcome, Err(ScanError::NotSupported { .. })));
}

fn context(bench: &Rest) -> headcount_sdk::ScanContext {
    use headcount_sdk::contract::{Memo, Pass, Priority};
    headcount_sdk::ScanContext {
        scan: "check".to_owned(),
        source: "bench".to_owned(),
        now: bench.now(),
        priority: Priority::Scan,
        pass: Pass::First,
        cache: Arc::new(MemoryCache::default()),
        memo: Memo::default(),
    }
}

#[tokio::test]
async fn a_check_tries_each_operation_once() {
    let bench = bench().await;
    bench.server.instead("/people", 403, &[], json!({}));
    bench.server.list("/apps", "listApps", Style::Cursor, &[]);
    let connector = bench.read();
    let probes = connector.check(&context(&bench)).await;
    let outcomes: BTreeMap<&str, &ProbeOutcome> =
        probes.iter().map(|probe| (probe.operation.as_str(), &probe.outcome)).collect();
    assert_eq!(outcomes.len(), connector.manifest().operations.len());
    assert_eq!(probes.len(), outcomes.len(), "an operation was tried twice");
    assert_eq!(outcomes["listCursor"], &ProbeOutcome::Granted);
    assert!(matches!(outcomes["listPeople"], ProbeOutcome::Failed(ScanError::Denied { .. })));
    assert!(matches!(outcomes["listAppKeys"], ProbeOutcome::NotTried(_)));
    assert!(matches!(outcomes["getAppUse"], ProbeOutcome::NotTried(_)));
}
