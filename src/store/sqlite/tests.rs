//! The contract on SQLite, and what only a file can do wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::store::access::AuditOutcome;
use crate::store::contract::{
    self, commit, commit_of, everything, id, moment, names, record, store_contract,
};
use crate::store::{AuditFilter, StoreError};

async fn fresh() -> (SqliteStore, TempDir) {
    let dir = TempDir::new().unwrap();
    (SqliteStore::open(dir.path()).await.unwrap(), dir)
}

store_contract!(fresh);

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn past_moments_read_back(
        steps in prop::collection::vec(
            (any::<u8>(), prop::collection::vec(prop::option::of(0_u8..3), 0..6)),
            0..12,
        )
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (store, _dir) = fresh().await;
            contract::history::past_moments_read_back(&store, &steps).await;
        });
    }
}

async fn unusable(result: Result<SqliteStore>) -> String {
    match result {
        Err(error @ StoreError::Unusable { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("a/b");
    let store = SqliteStore::open(&dir).await.unwrap();
    store.commit(&commit_of(moment(0), [record("1", "a", moment(0))])).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn second_writer_is_refused_until_the_first_is_gone() {
    let (store, dir) = fresh().await;
    let second = SqliteStore::open(dir.path()).await;
    assert!(matches!(second, Err(StoreError::InUse { .. })), "{second:?}");
    store.commit(&commit_of(moment(0), [record("1", "a", moment(0))])).await.unwrap();
    store.close().await;
    drop(store);
    let store = SqliteStore::open(dir.path()).await.unwrap();
    assert_eq!(names(&everything(&store, None).await), ["a"]);
}

#[tokio::test]
async fn reader_beside_a_writer_sees_each_commit_and_writes_nothing() {
    let (store, dir) = fresh().await;
    let reader = SqliteStore::open_reader(dir.path()).await.unwrap();
    assert!(everything(&reader, None).await.is_empty());
    store.commit(&commit_of(moment(0), [record("1", "a", moment(0))])).await.unwrap();
    assert_eq!(names(&everything(&reader, None).await), ["a"]);
    let refused = reader.commit(&commit(moment(1))).await;
    assert!(matches!(refused, Err(StoreError::Failed { .. })), "{refused:?}");
    store.close().await;
    assert_eq!(names(&everything(&reader, None).await), ["a"]);
}

#[tokio::test]
async fn reader_opens_what_a_closed_writer_left() {
    let (store, dir) = fresh().await;
    store.commit(&commit_of(moment(0), [record("1", "a", moment(0))])).await.unwrap();
    store.close().await;
    drop(store);
    let reader = SqliteStore::open_reader(dir.path()).await.unwrap();
    assert_eq!(names(&everything(&reader, None).await), ["a"]);
}

/// A killed process leaves its files as they are, the log not folded in.
#[tokio::test]
async fn reader_and_writer_open_what_a_killed_writer_left() {
    let (store, dir) = fresh().await;
    store.commit(&commit_of(moment(0), [record("1", "a", moment(0))])).await.unwrap();
    let left = TempDir::new().unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, left.path().join(path.file_name().unwrap())).unwrap();
    }
    assert!(left.path().join("headcount.db-wal").metadata().unwrap().len() > 0);
    let reader = SqliteStore::open_reader(left.path()).await.unwrap();
    assert_eq!(names(&everything(&reader, None).await), ["a"]);
    let writer = SqliteStore::open(left.path()).await.unwrap();
    assert_eq!(names(&everything(&writer, None).await), ["a"]);
}

#[tokio::test]
async fn reader_without_a_store_is_told_what_to_run() {
    let dir = TempDir::new().unwrap();
    let text = unusable(SqliteStore::open_reader(dir.path()).await).await;
    assert!(text.contains("headcount.db") && text.contains("`headcount scan`"), "{text}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn store_of_a_newer_version_is_refused() {
    let (store, dir) = fresh().await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (999, 'of tomorrow', true, x'00', 0)",
    )
    .execute(store.writer.as_ref().unwrap())
    .await
    .unwrap();
    store.close().await;
    drop(store);
    for text in [
        unusable(SqliteStore::open(dir.path()).await).await,
        unusable(SqliteStore::open_reader(dir.path()).await).await,
    ] {
        assert!(text.contains("newer version") && text.contains("999"), "{text}");
    }
}

/// A file from before there was a graph, or from a program that made other keys.
#[tokio::test]
async fn older_file_gets_its_links_and_what_is_linked_is_judged_again() {
    let (store, dir) = fresh().await;
    let role = record("1", "role", moment(0));
    let mut user = record("2", "user", moment(0));
    user.observation.links = vec![headcount_sdk::Link::new(
        headcount_sdk::LinkKind::Uses,
        headcount_sdk::Endpoint::Native {
            place: role.scope.place.clone(),
            native: role.observation.native.clone(),
        },
    )];
    let mut first = commit_of(moment(0), [role.clone(), user]);
    first.judged = ["1", "2"]
        .map(|key| super::super::Judged { id: id(key), owner: None, next_at: None })
        .into();
    store.commit(&first).await.unwrap();
    for sql in [
        "DELETE FROM edges",
        "UPDATE records SET handle = NULL",
        "UPDATE counters SET value = 0 WHERE name = 'graph'",
    ] {
        sqlx::query(sql).execute(store.writer.as_ref().unwrap()).await.unwrap();
    }
    store.close().await;
    drop(store);

    let store = SqliteStore::open(dir.path()).await.unwrap();
    let keys: Vec<i64> = headcount_core::graph::handle(&role).into_iter().collect();
    assert_eq!(store.linking(&keys, 10).await.unwrap().len(), 1);
    assert_eq!(store.answering(&keys, 10).await.unwrap().len(), 1);
    let due = store.due(contract::SOURCE, moment(1), 10).await.unwrap();
    assert_eq!(names(&due), ["user"], "the far end is judged with it");
}

#[tokio::test]
async fn file_of_another_program_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("headcount.db");
    std::fs::write(
        &path,
        "not a database, but longer than a header of one hundred bytes".repeat(9),
    )
    .unwrap();
    let before = std::fs::read(&path).unwrap();
    unusable(SqliteStore::open(dir.path()).await).await;
    assert_eq!(std::fs::read(&path).unwrap(), before);

    std::fs::remove_file(&path).unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("CREATE TABLE theirs (a)").execute(&pool).await.unwrap();
    pool.close().await;
    let before = std::fs::read(&path).unwrap();
    let text = unusable(SqliteStore::open(dir.path()).await).await;
    assert!(text.contains("another program"), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn full_disk_leaves_nothing_of_the_commit() {
    let (store, _dir) = fresh().await;
    store.commit(&commit_of(moment(0), [record("1", "a", moment(0))])).await.unwrap();
    let writer = store.writer.as_ref().unwrap();
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(writer).await.unwrap();
    let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {}", pages + 20));
    sqlx::query(limit).execute(writer).await.unwrap();
    let many = (0..500).map(|n| record(&format!("m{n}"), "m", moment(1)));
    let failed = store.commit(&commit_of(moment(1), many)).await;
    match &failed {
        Err(StoreError::Failed { action: "commit", reason }) => {
            assert!(reason.contains("full"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(names(&everything(&store, None).await), ["a"]);
    store.commit(&commit_of(moment(2), [record("2", "b", moment(2))])).await.unwrap();
}

/// An error says where the damage is and quotes nothing.
#[tokio::test]
async fn damaged_document_is_told_without_its_contents() {
    let (store, _dir) = fresh().await;
    store.commit(&commit_of(moment(0), [record("1", "a", moment(0))])).await.unwrap();
    sqlx::query("UPDATE documents SET doc = '{\"class\":\"CONFIDENTIAL\"}'")
        .execute(store.writer.as_ref().unwrap())
        .await
        .unwrap();
    let damaged = store.records(&[id("1")]).await.unwrap_err();
    assert!(matches!(damaged, StoreError::Damaged { what: "record", .. }), "{damaged:?}");
    assert!(!format!("{damaged:?} {damaged}").contains("CONFIDENTIAL"));
}

/// What is asked often must read no whole table and sort nothing.
#[tokio::test]
async fn frequent_questions_use_their_indexes() {
    let (store, _dir) = fresh().await;
    let due_records = neighbourhood::due_sql();
    let rows: [(&str, &[&str]); 8] = [
        (edges::LINKING, &["edges USING PRIMARY KEY (key=? AND side=?)"]),
        (edges::ANSWERING, &["edges USING PRIMARY KEY (key=? AND side=?)"]),
        (edges::HANDLED, &["COVERING INDEX records_by_handle (handle=?"]),
        (&due_records, &["records_by_judgement (source=? AND next_judgement<?)"]),
        (query::COUNT, &["COVERING INDEX records_by_count"]),
        (findings::COUNT_OPEN, &["COVERING INDEX findings_by_count"]),
        (outbox::DUE, &["COVERING INDEX deliveries_unsettled (sink=?)"]),
        (
            outbox::QUEUE,
            &[
                "COVERING INDEX deliveries_unsettled",
                "COVERING INDEX deliveries_by_due",
                "COVERING INDEX deliveries_dead",
            ],
        ),
    ];
    for (sql, indexes) in rows {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let plan = sqlx::query_as::<_, (i64, i64, i64, String)>(explain)
            .fetch_all(store.writer.as_ref().unwrap())
            .await
            .unwrap();
        let plan: Vec<String> = plan.into_iter().map(|step| step.3).collect();
        for index in indexes {
            assert!(plan.iter().any(|step| step.contains(index)), "{index}: {plan:#?}");
        }
        // Counts are ordered by name after they are counted: a handful of rows.
        let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE"));
        assert!(!sorts || sql == query::COUNT, "{plan:#?}");
    }
}

/// The command line beside an agent: people's decisions go in, what was found does not.
#[tokio::test]
async fn small_writes_go_beside_the_writer_and_commits_do_not() {
    let (store, dir) = fresh().await;
    store.commit(&commit_of(moment(0), [record("1", "a", moment(0))])).await.unwrap();
    let beside = SqliteStore::open_beside(dir.path()).await.unwrap();
    let entry = AuditEntry {
        at: moment(1),
        actor: "cli:ana".to_owned(),
        role: None,
        action: "test".to_owned(),
        object: String::new(),
        outcome: AuditOutcome::Done,
        detail: None,
    };
    beside.note(std::slice::from_ref(&entry)).await.unwrap();
    let refused = beside.commit(&commit_of(moment(1), [record("2", "b", moment(1))])).await;
    assert!(matches!(refused, Err(StoreError::Failed { action: "commit", .. })), "{refused:?}");
    let seen = store.audit(&AuditFilter::default(), None, 9).await.unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(everything(&store, None).await.len(), 1);
    // And the other way round: the writer goes on.
    store.commit(&commit_of(moment(2), [record("3", "c", moment(2))])).await.unwrap();
    assert_eq!(everything(&beside, None).await.len(), 2);
}

/// Pages of lists follow their indexes and sort nothing.
#[tokio::test]
async fn pages_use_their_indexes() {
    let (store, _dir) = fresh().await;
    let rows = [
        (
            "SELECT r.name, r.number FROM records r WHERE r.name = 'a' AND r.number > 1 \
             AND +r.class IN ('identity') ORDER BY r.name ASC, r.number ASC LIMIT 9",
            "COVERING INDEX records_by_name (name=? AND number>?)",
        ),
        (
            "SELECT r.name, r.number FROM records r WHERE r.name > 'a' AND r.name < 'b' \
             AND +r.class IN ('identity') ORDER BY r.name ASC, r.number ASC LIMIT 9",
            "COVERING INDEX records_by_name (name>? AND name<?)",
        ),
        (
            "SELECT r.used, r.number FROM records r WHERE r.used = 0 AND r.number < 9 \
             ORDER BY r.used DESC, r.number DESC LIMIT 1 OFFSET 9",
            "COVERING INDEX records_by_use (used=? AND number<?)",
        ),
        (
            "SELECT r.first_seen, r.number FROM records r \
             ORDER BY r.first_seen ASC, r.number ASC LIMIT 1 OFFSET 9",
            "COVERING INDEX records_by_first_seen",
        ),
        (
            "SELECT doc FROM findings INDEXED BY findings_by_rank WHERE status = 'open' \
             AND severity = 3 AND (opened_at, id) > (5, 'f') ORDER BY opened_at, id LIMIT 9",
            "findings_by_rank (status=? AND severity=? AND (opened_at,id)>",
        ),
        (
            "SELECT doc FROM findings INDEXED BY findings_by_page WHERE severity = 3 \
             AND (opened_at, id) > (5, 'f') ORDER BY opened_at, id LIMIT 9",
            "findings_by_page (severity=? AND (opened_at,id)>",
        ),
        (
            "SELECT doc FROM findings INDEXED BY findings_by_opened WHERE \
             (opened_at, id) < (5, 'f') ORDER BY opened_at DESC, id DESC LIMIT 9",
            "findings_by_opened ((opened_at,id)<",
        ),
        (
            "SELECT number FROM drift d WHERE d.at > 1 AND d.at <= 9 \
             AND (d.at, d.number) > (2, 3) ORDER BY d.at, d.number LIMIT 9",
            "drift_by_time (at>",
        ),
    ];
    for (sql, index) in rows {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let plan = sqlx::query_as::<_, (i64, i64, i64, String)>(explain)
            .fetch_all(store.writer.as_ref().unwrap())
            .await
            .unwrap();
        let plan: Vec<String> = plan.into_iter().map(|step| step.3).collect();
        assert!(plan.iter().any(|step| step.contains(index)), "{index}: {plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:#?}");
    }
}
