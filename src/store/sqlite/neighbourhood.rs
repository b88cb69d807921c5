//! What a scan reads before it commits: fingerprints, and the records around a change.

use std::collections::BTreeMap;

use headcount_core::inventory::Record;
use headcount_core::reconcile::Known;
use headcount_sdk::{RecordId, Scope};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use super::codec::{PAST, PRESENT, RECORDS, VERSIONS, json, nanos_clamped, records};
use super::fault::{Fallible, Fault};
use super::sources::scope_number;

/// Fingerprints to a page.
const PAGE: usize = 5000;

/// Reads a scope's fingerprints. The driver spends about a microsecond on a row whatever is in
/// it, so a page travels as one text: a million fingerprints are 200 rows.
pub(super) async fn known(
    conn: &mut SqliteConnection,
    source: &str,
    scope: &Scope,
) -> Fallible<Vec<Known>> {
    let Some(scope) = scope_number(conn, source, scope).await? else { return Ok(Vec::new()) };
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM fingerprints WHERE scope = ?")
        .bind(scope)
        .fetch_one(&mut *conn)
        .await?;
    let mut known = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
    let mut after = Vec::new();
    loop {
        let page: Option<String> = sqlx::query_scalar(
            "SELECT group_concat(hex(key) || hex(fingerprint) || hex(usage) || record, ' ') \
             FROM (SELECT key, fingerprint, usage, record FROM fingerprints \
                   WHERE scope = ? AND key > ? ORDER BY key LIMIT ?)",
        )
        .bind(scope)
        .bind(after)
        .bind(i64::try_from(PAGE).unwrap_or(i64::MAX))
        .fetch_one(&mut *conn)
        .await?;
        let Some(page) = page else { break };
        let start = known.len();
        for mark in page.split(' ') {
            known.push(known_of(mark)?);
        }
        // SQLite keeps the order of the subquery in practice and does not promise it.
        if let Some(page) = known.get_mut(start..) {
            page.sort_unstable_by_key(|known: &Known| known.key);
        }
        if known.len() - start < PAGE {
            break;
        }
        after = known.last().map(|last| last.key.to_be_bytes().to_vec()).unwrap_or_default();
    }
    Ok(known)
}

pub(super) async fn count(
    conn: &mut SqliteConnection,
    source: &str,
    scope: &Scope,
) -> Fallible<u64> {
    let Some(scope) = scope_number(conn, source, scope).await? else { return Ok(0) };
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM fingerprints WHERE scope = ?")
        .bind(scope)
        .fetch_one(conn)
        .await?;
    Ok(count.unsigned_abs())
}

/// 32 digits of key, 32 of fingerprint, 16 of use, all hexadecimal; then the row.
fn known_of(mark: &str) -> Fallible<Known> {
    let damaged = || Fault::damaged("fingerprint", "it has another length than was written");
    let part = |range| mark.get(range).ok_or_else(damaged);
    Ok(Known {
        key: u128::from_str_radix(part(0..32)?, 16).map_err(|_| damaged())?,
        fingerprint: u128::from_str_radix(part(32..64)?, 16).map_err(|_| damaged())?,
        usage: u64::from_str_radix(part(64..80)?, 16).map_err(|_| damaged())?,
        row: part(80..mark.len())?.parse().map_err(|_| damaged())?,
    })
}

pub(super) async fn by_row(conn: &mut SqliteConnection, rows: &[i64]) -> Fallible<Vec<Record>> {
    let sql = format!(
        "SELECT {PRESENT} {RECORDS} WHERE r.number IN (SELECT value FROM json_each(?)) ORDER BY r.id"
    );
    records(&sqlx::query(AssertSqlSafe(sql)).bind(json(rows)?).fetch_all(conn).await?)
}

pub(super) async fn by_id(conn: &mut SqliteConnection, ids: &[RecordId]) -> Fallible<Vec<Record>> {
    let sql = format!(
        "SELECT {PRESENT} {RECORDS} WHERE r.id IN (SELECT value FROM json_each(?)) ORDER BY r.id"
    );
    records(&sqlx::query(AssertSqlSafe(sql)).bind(json(ids)?).fetch_all(conn).await?)
}

pub(super) async fn children(
    conn: &mut SqliteConnection,
    parents: &[RecordId],
) -> Fallible<Vec<Record>> {
    let sql = format!(
        "SELECT {PRESENT} {RECORDS} WHERE r.parent IN (SELECT value FROM json_each(?)) ORDER BY r.id"
    );
    records(&sqlx::query(AssertSqlSafe(sql)).bind(json(parents)?).fetch_all(conn).await?)
}

/// The last version of records that are gone.
pub(super) async fn vanished(
    conn: &mut SqliteConnection,
    ids: &[RecordId],
) -> Fallible<Vec<Record>> {
    let sql = format!(
        "SELECT {PAST} {VERSIONS} WHERE v.number IN \
         (SELECT max(number) FROM versions \
          WHERE id IN (SELECT value FROM json_each(?)) \
          AND NOT EXISTS (SELECT 1 FROM records r WHERE r.id = versions.id) GROUP BY id) \
         ORDER BY v.id"
    );
    records(&sqlx::query(AssertSqlSafe(sql)).bind(json(ids)?).fetch_all(conn).await?)
}

/// The vanished record that carried each (kind, name) last.
pub(super) async fn vanished_by_name(
    conn: &mut SqliteConnection,
    source: &str,
    scope: &Scope,
    names: &[(String, String)],
) -> Fallible<BTreeMap<(String, String), RecordId>> {
    let Some(scope) = scope_number(conn, source, scope).await? else {
        return Ok(BTreeMap::new());
    };
    // With max(), SQLite takes the bare columns from the row that has the maximum:
    // https://www.sqlite.org/lang_select.html#bareagg
    let rows = sqlx::query(
        "SELECT j.kind, j.name, v.id, max(v.number) \
         FROM (SELECT value ->> 0 AS kind, value ->> 1 AS name FROM json_each(?)) j \
         CROSS JOIN versions v ON v.scope = ? AND v.kind = j.kind AND v.name = j.name \
         WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.id = v.id) \
         GROUP BY j.kind, j.name",
    )
    .bind(json(names)?)
    .bind(scope)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let id = RecordId::from_stored(row.try_get(2)?);
            Ok(((row.try_get(0)?, row.try_get(1)?), id))
        })
        .collect()
}

pub(super) fn due_sql() -> String {
    format!(
        "SELECT {PRESENT} {RECORDS} \
         WHERE r.source = (SELECT number FROM sources WHERE name = ?) AND r.next_judgement <= ? \
         ORDER BY r.next_judgement, r.number LIMIT ?"
    )
}

/// Records whose verdicts time alone may have changed.
pub(super) async fn due(
    conn: &mut SqliteConnection,
    source: &str,
    now: Timestamp,
    limit: u32,
) -> Fallible<Vec<Record>> {
    let rows = sqlx::query(AssertSqlSafe(due_sql()))
        .bind(source)
        .bind(nanos_clamped(now))
        .bind(limit)
        .fetch_all(conn)
        .await?;
    records(&rows)
}

pub(super) async fn mark_all_due(
    conn: &mut SqliteConnection,
    source: &str,
    now: Timestamp,
) -> Fallible<()> {
    sqlx::query(
        "UPDATE records SET next_judgement = ? \
         WHERE source = (SELECT number FROM sources WHERE name = ?)",
    )
    .bind(nanos_clamped(now))
    .bind(source)
    .execute(conn)
    .await?;
    Ok(())
}
