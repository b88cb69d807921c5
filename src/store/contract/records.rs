//! What a scan reads and writes.

use headcount_core::inventory::{Coverage, Origin};
use headcount_core::reconcile;
use headcount_sdk::{Class, ScanError, Usage};

use super::*;
use crate::store::{Judged, Used};

pub async fn empty_store_knows_nothing(store: &dyn Store) {
    assert!(store.known(SOURCE, &scope("roles")).await.unwrap().is_empty());
    assert!(store.records(&[id("1")]).await.unwrap().is_empty());
    assert!(store.records_by_row(&[1]).await.unwrap().is_empty());
    assert!(everything(store, None).await.is_empty());
    assert!(everything(store, Some(moment(0))).await.is_empty());
    assert!(store.source_states().await.unwrap().is_empty());
    assert!(store.scope_states(None).await.unwrap().is_empty());
    assert!(store.due(SOURCE, moment(0), 10).await.unwrap().is_empty());
    assert!(store.finding("f_1").await.unwrap().is_none());
    assert_eq!(store.next_sequence().await.unwrap(), 1);
    assert_eq!(store.queue("hook").await.unwrap(), crate::store::QueueState::default());
}

pub async fn records_come_back_as_they_were_written(store: &dyn Store) {
    let mut second = record("2", "writer", moment(0));
    second.replaces = Some(id("0"));
    second.origin = Origin::Appeared;
    second.first_seen_at = moment(-5);
    second.owner = None;
    second.observation.parent = Some(id("1"));
    second.observation.class = Class::Credential;
    second.observation.usage = Usage::NotObservable { reason: "nobody \"records\" it".to_owned() };
    second.observation.unread.clear();
    let written = vec![record("1", "reader", moment(0)), second];
    store.commit(&commit_of(moment(0), written.clone())).await.unwrap();

    let ids = [id("2"), id("none"), id("1")];
    assert_eq!(store.records(&ids).await.unwrap(), written);
    let known = store.known(SOURCE, &scope("roles")).await.unwrap();
    let rows: Vec<i64> = known.iter().map(|known| known.row).collect();
    assert_eq!(store.records_by_row(&rows).await.unwrap(), written);
    let held = store.count_in_scope(SOURCE, &written[0].scope).await.unwrap();
    assert_eq!(held, known.len() as u64);
    assert_eq!(everything(store, None).await, written);
}

pub async fn hostile_names_come_back_as_they_were_written(store: &dyn Store) {
    let names = [
        "'; DROP TABLE records; --",
        "100%_\\\"quoted\"",
        "Ünïcødé 🦀 \u{202e}gnirts\u{200d}",
        "line\nbreak\ttab",
        "[1,\"json\"]",
        "",
    ];
    let records: Vec<Record> =
        names.iter().map(|name| record(&format!("k{name}"), name, moment(0))).collect();
    store.commit(&commit_of(moment(0), records.clone())).await.unwrap();
    let ids: Vec<RecordId> = records.iter().map(|record| record.id().clone()).collect();
    let mut back = store.records(&ids).await.unwrap();
    back.sort_by(|a, b| a.id().cmp(b.id()));
    let mut expected = records;
    expected.sort_by(|a, b| a.id().cmp(b.id()));
    assert_eq!(back, expected);

    store.commit(&Commit { removed: ids.clone(), ..commit(moment(1)) }).await.unwrap();
    assert!(everything(store, None).await.is_empty());
    assert_eq!(store.vanished(&ids).await.unwrap().len(), names.len());
    let asked: Vec<(String, String)> =
        names.iter().map(|name| ("iam-role".to_owned(), (*name).to_owned())).collect();
    let found = store.vanished_by_name(SOURCE, &scope("roles"), &asked).await.unwrap();
    assert_eq!(found.into_keys().collect::<Vec<_>>().len(), names.len());
}

pub async fn fingerprints_come_in_key_order_and_stay_apart_by_scope(store: &dyn Store) {
    let mut all: Vec<Record> =
        (0..120).map(|n| record(&n.to_string(), &format!("r{n}"), moment(0))).collect();
    for other in all.iter_mut().skip(100) {
        other.scope = scope("users");
    }
    store.commit(&commit_of(moment(0), all.clone())).await.unwrap();

    let known = store.known(SOURCE, &scope("roles")).await.unwrap();
    assert_eq!(known.len(), 100);
    assert!(known.is_sorted_by_key(|known| known.key));
    for record in all.iter().take(100) {
        let key = reconcile::key(record.id());
        let found = known.iter().find(|known| known.key == key).unwrap();
        assert_eq!(found.fingerprint, reconcile::fingerprint(&record.observation));
        assert_eq!(found.usage, reconcile::usage_hash(&record.observation));
    }
    assert_eq!(store.known(SOURCE, &scope("users")).await.unwrap().len(), 20);
    assert!(store.known("other", &scope("roles")).await.unwrap().is_empty());
}

/// More than an implementation would read at once.
pub async fn many_fingerprints_come_back_whole(store: &dyn Store) {
    let records = (0..12_000).map(|n| {
        let observation = Observation::new(id(&n.to_string()), Class::Identity, "iam-role", "n");
        Record { observation, ..record("", "", moment(0)) }
    });
    let commit = commit_of(moment(0), records);
    store.commit(&commit).await.unwrap();
    let mut expected: Vec<(u128, u128)> =
        commit.written.iter().map(|w| (reconcile::key(w.record.id()), w.fingerprint)).collect();
    expected.sort_unstable();
    let known = store.known(SOURCE, &scope("roles")).await.unwrap();
    let known: Vec<(u128, u128)> = known.iter().map(|k| (k.key, k.fingerprint)).collect();
    assert!(known == expected, "{} of {} fingerprints", known.len(), expected.len());
}

pub async fn use_moves_without_a_version(store: &dyn Store) {
    let before = record("1", "reader", moment(0));
    store.commit(&commit_of(moment(0), [before.clone()])).await.unwrap();
    let known = store.known(SOURCE, &scope("roles")).await.unwrap();

    let usage = Usage::LastUsed { at: moment(50), resolution_secs: 900, lag_secs: 0 };
    let history = History { last_known_use: Some(moment(50)), ..History::default() };
    let (hash, history_after) = (u64::MAX, history.clone());
    let used = Used { id: id("1"), usage: usage.clone(), usage_hash: hash, history };
    store.commit(&Commit { used: vec![used.clone()], ..commit(moment(60)) }).await.unwrap();

    let mut expected = before;
    expected.observation.usage = usage;
    expected.history = history_after;
    assert_eq!(store.records(&[id("1")]).await.unwrap(), vec![expected]);
    assert_eq!(store.versions(&id("1")).await.unwrap().len(), 1);
    let after = store.known(SOURCE, &scope("roles")).await.unwrap();
    assert_eq!(after.first().unwrap().usage, u64::MAX);
    assert_eq!(after.first().unwrap().fingerprint, known.first().unwrap().fingerprint);

    let absent = Used { id: id("2"), ..used };
    let refused = store.commit(&Commit { used: vec![absent], ..commit(moment(61)) }).await;
    assert!(matches!(refused, Err(crate::store::StoreError::Failed { .. })));
}

pub async fn judgements_move_owner_and_due_time(store: &dyn Store) {
    let mut first =
        commit_of(moment(0), [record("1", "a", moment(0)), record("2", "b", moment(0))]);
    let judged = |key: &str, owner: Option<Owner>, next_at| Judged { id: id(key), owner, next_at };
    first.judged = vec![judged("1", None, Some(moment(100))), judged("2", None, None)];
    store.commit(&first).await.unwrap();
    assert_eq!(store.records(&[id("1")]).await.unwrap().first().unwrap().owner, None);
    assert!(store.due(SOURCE, moment(99), 10).await.unwrap().is_empty());
    assert_eq!(names(&store.due(SOURCE, moment(100), 10).await.unwrap()), ["a"]);

    let far: Timestamp = "9999-12-30T00:00:00Z".parse().unwrap();
    let second = Commit {
        judged: vec![
            judged("1", Some(owner("team-b")), Some(far)),
            judged("gone", Some(owner("team-c")), None),
        ],
        ..commit(moment(100))
    };
    store.commit(&second).await.unwrap();
    assert!(store.due(SOURCE, moment(1_000_000), 10).await.unwrap().is_empty());
    let records = store.records(&[id("1")]).await.unwrap();
    assert_eq!(records.first().unwrap().owner, Some(owner("team-b")));
    assert_eq!(store.versions(&id("1")).await.unwrap().len(), 1);

    store.mark_all_due(SOURCE, moment(200)).await.unwrap();
    assert_eq!(store.due(SOURCE, moment(200), 10).await.unwrap().len(), 2);
    assert!(store.due("other", moment(200), 10).await.unwrap().is_empty());
}

pub async fn unjudged_record_is_due_at_once(store: &dyn Store) {
    store.commit(&commit_of(moment(0), [record("1", "a", moment(0))])).await.unwrap();
    assert_eq!(names(&store.due(SOURCE, moment(0), 10).await.unwrap()), ["a"]);
}

pub async fn due_records_come_earliest_first(store: &dyn Store) {
    let keys = ["1", "2", "3", "4"];
    let mut commit = commit_of(moment(0), keys.map(|key| record(key, key, moment(0))));
    commit.judged = keys
        .iter()
        .zip([40, 10, 30, 20])
        .map(|(key, next)| Judged { id: id(key), owner: None, next_at: Some(moment(next)) })
        .collect();
    store.commit(&commit).await.unwrap();
    assert_eq!(names(&store.due(SOURCE, moment(35), 10).await.unwrap()), ["2", "4", "3"]);
    assert_eq!(names(&store.due(SOURCE, moment(35), 2).await.unwrap()), ["2", "4"]);
}

pub async fn children_are_found_by_parent(store: &dyn Store) {
    let child = |key: &str, parent: &str| {
        let mut child = record(key, key, moment(0));
        child.observation.parent = Some(id(parent));
        child
    };
    let records = [record("p", "p", moment(0)), child("a", "p"), child("b", "q"), child("c", "p")];
    store.commit(&commit_of(moment(0), records)).await.unwrap();
    assert_eq!(names(&store.children(&[id("p")]).await.unwrap()), ["a", "c"]);
    assert_eq!(names(&store.children(&[id("p"), id("q")]).await.unwrap()), ["a", "b", "c"]);
    assert!(store.children(&[id("a")]).await.unwrap().is_empty());

    store.commit(&Commit { removed: vec![id("a")], ..commit(moment(1)) }).await.unwrap();
    assert_eq!(names(&store.children(&[id("p")]).await.unwrap()), ["c"]);
}

pub async fn record_that_moves_to_another_scope_leaves_the_first(store: &dyn Store) {
    let here = record("1", "a", moment(0));
    store.commit(&commit_of(moment(0), [here.clone()])).await.unwrap();
    let there = Record {
        scope: scope("roles-of-services"),
        source: "renamed".to_owned(),
        changed_at: moment(1),
        ..here
    };
    store.commit(&commit_of(moment(1), [there.clone()])).await.unwrap();
    assert!(store.known(SOURCE, &scope("roles")).await.unwrap().is_empty());
    assert_eq!(store.known("renamed", &scope("roles-of-services")).await.unwrap().len(), 1);
    assert_eq!(everything(store, None).await, vec![there]);
}

pub async fn counts_add_up(store: &dyn Store) {
    let mut unowned = record("2", "b", moment(0));
    unowned.owner = None;
    let mut key = record("3", "c", moment(0));
    key.observation.class = Class::Credential;
    key.observation.kind = "access-key".to_owned();
    let records = [record("1", "a", moment(0)), unowned, key, record("4", "d", moment(0))];
    store.commit(&commit_of(moment(0), records)).await.unwrap();
    let counts: Vec<(Class, String, bool, u64)> = store
        .count_records()
        .await
        .unwrap()
        .into_iter()
        .map(|count| {
            assert_eq!((count.source.as_str(), count.status.as_str()), (SOURCE, "active"));
            (count.class, count.kind, count.owned, count.count)
        })
        .collect();
    let expected = [
        (Class::Credential, "access-key".to_owned(), true, 1),
        (Class::Identity, "iam-role".to_owned(), false, 1),
        (Class::Identity, "iam-role".to_owned(), true, 2),
    ];
    assert_eq!(counts, expected);
}

pub async fn states_and_caches_come_back(store: &dyn Store) {
    let error = ScanError::Denied {
        operation: "iam:ListRoles".to_owned(),
        permission: "iam:ListRoles".to_owned(),
    };
    let denied = scope_state("roles", Coverage::Incomplete { error });
    let first = Commit {
        scope: Some(denied.clone()),
        source_state: Some(source_state(SOURCE)),
        ..commit(moment(0))
    };
    store.commit(&first).await.unwrap();
    let complete = scope_state("access-keys", Coverage::Complete);
    let second = Commit {
        scope: Some(complete.clone()),
        source_state: Some(source_state("another")),
        ..commit(moment(1))
    };
    store.commit(&second).await.unwrap();
    let states = store.scope_states(Some(SOURCE)).await.unwrap();
    assert_eq!(states, vec![complete, denied]);
    assert!(store.scope_states(Some("another")).await.unwrap().is_empty());
    let states = store.source_states().await.unwrap();
    assert_eq!(states, vec![source_state("another"), source_state(SOURCE)]);

    assert_eq!(store.cache_get(SOURCE, "rows").await.unwrap(), None);
    store.cache_put(SOURCE, "rows", b"one\0\xff").await.unwrap();
    store.cache_put("another", "rows", b"two").await.unwrap();
    store.cache_put(SOURCE, "rows", b"three\0").await.unwrap();
    assert_eq!(store.cache_get(SOURCE, "rows").await.unwrap(), Some(b"three\0".to_vec()));
    assert_eq!(store.cache_get("another", "rows").await.unwrap(), Some(b"two".to_vec()));
}
