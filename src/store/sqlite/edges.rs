//! The graph's keys: kept beside the records that have them, looked up in both directions.
//!
//! What the keys mean is the core's; here they are numbers. They are counted anew when the file
//! was written by a program that made other ones of the same records ([`recount`]).

use std::collections::BTreeSet;

use headcount_core::graph::{self, Key};
use headcount_core::inventory::Record;
use headcount_sdk::RecordId;
use sqlx::{AssertSqlSafe, Row as _, Sqlite, SqliteConnection};

use super::codec::{PRESENT, RECORDS, json, record};
use super::fault::Fallible;
use super::sources::{counter, set_counter};

/// Keys to a statement, records to a page.
const BATCH: usize = 1000;

const LINKS: i64 = 0;
const FOUND_BY: i64 = 1;

/// Brings the keys of written records up to date. Rows are touched only where keys differ, and a
/// record without links costs no statement of its own.
pub(super) async fn write(
    conn: &mut SqliteConnection,
    records: impl Iterator<Item = (i64, &Record)>,
) -> Fallible<()> {
    let mut numbers = Vec::new();
    let mut wanted: BTreeSet<(Key, i64, i64)> = BTreeSet::new();
    for (number, record) in records {
        numbers.push(number);
        wanted.extend(graph::sought(record).into_iter().map(|key| (key, LINKS, number)));
        wanted.extend(graph::presented(record).into_iter().map(|key| (key, FOUND_BY, number)));
    }
    let numbers = json(&numbers)?;
    let rows = sqlx::query(
        "SELECT key, side, record FROM edges \
         WHERE record IN (SELECT value FROM json_each(?))",
    )
    .bind(numbers)
    .fetch_all(&mut *conn)
    .await?;
    let mut there = BTreeSet::new();
    for row in &rows {
        there.insert((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    }
    let old: Vec<_> = there.difference(&wanted).collect();
    let new: Vec<_> = wanted.difference(&there).collect();
    for (rows, sql) in [
        (
            old,
            "DELETE FROM edges WHERE (key, side, record) IN \
             (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?))",
        ),
        (
            new,
            "INSERT INTO edges (key, side, record) \
             SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)",
        ),
    ] {
        for chunk in rows.chunks(BATCH) {
            sqlx::query::<Sqlite>(sql).bind(json(chunk)?).execute(&mut *conn).await?;
        }
    }
    Ok(())
}

/// One statement for all keys: each takes the first rows of its own range of the table.
pub(super) const LINKING: &str = "SELECT j.value, r.id FROM json_each(?1) j \
     CROSS JOIN edges e ON e.key = j.value AND e.side = 0 AND e.record IN \
     (SELECT record FROM edges WHERE key = j.value AND side = 0 ORDER BY record LIMIT ?2) \
     CROSS JOIN records r ON r.number = e.record";

pub(super) const ANSWERING: &str = "SELECT j.value, r.id FROM json_each(?1) j \
     CROSS JOIN edges e ON e.key = j.value AND e.side = 1 AND e.record IN \
     (SELECT record FROM edges WHERE key = j.value AND side = 1 ORDER BY record LIMIT ?2) \
     CROSS JOIN records r ON r.number = e.record";

pub(super) const HANDLED: &str = "SELECT j.value, r.id FROM json_each(?1) j \
     CROSS JOIN records r ON r.handle = j.value AND r.number IN \
     (SELECT number FROM records WHERE handle = j.value ORDER BY number LIMIT ?2)";

pub(super) async fn linking(
    conn: &mut SqliteConnection,
    keys: &[Key],
    limit: u32,
) -> Fallible<Vec<(Key, RecordId)>> {
    looked_up(conn, &[LINKING], keys, limit).await
}

pub(super) async fn answering(
    conn: &mut SqliteConnection,
    keys: &[Key],
    limit: u32,
) -> Fallible<Vec<(Key, RecordId)>> {
    looked_up(conn, &[ANSWERING, HANDLED], keys, limit).await
}

async fn looked_up(
    conn: &mut SqliteConnection,
    questions: &[&'static str],
    keys: &[Key],
    limit: u32,
) -> Fallible<Vec<(Key, RecordId)>> {
    let keys: BTreeSet<Key> = keys.iter().copied().collect();
    let keys: Vec<Key> = keys.into_iter().collect();
    let mut found = Vec::new();
    for chunk in keys.chunks(BATCH) {
        for question in questions {
            let rows = sqlx::query::<Sqlite>(*question)
                .bind(json(chunk)?)
                .bind(limit)
                .fetch_all(&mut *conn)
                .await?;
            for row in &rows {
                found.push((row.try_get(0)?, RecordId::from_stored(row.try_get(1)?)));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Counts the keys of all records anew where they were made by another version of the graph, and
/// has what is linked judged again: it may have neighbours that nobody saw before.
pub(super) async fn recount(conn: &mut SqliteConnection) -> Fallible<()> {
    if counter(conn, "graph").await? == graph::VERSION {
        return Ok(());
    }
    sqlx::query("DELETE FROM edges").execute(&mut *conn).await?;
    let sql = format!(
        "SELECT {PRESENT}, r.number {RECORDS} WHERE r.number > ? ORDER BY r.number LIMIT ?"
    );
    let mut after = 0;
    loop {
        let rows = sqlx::query(AssertSqlSafe(sql.as_str()))
            .bind(after)
            .bind(i64::try_from(BATCH).unwrap_or(i64::MAX))
            .fetch_all(&mut *conn)
            .await?;
        let mut page: Vec<(i64, Record)> = Vec::with_capacity(rows.len());
        for row in &rows {
            page.push((row.try_get(12)?, record(row)?));
        }
        let Some((last, _)) = page.last() else { break };
        after = *last;
        write(conn, page.iter().map(|(number, record)| (*number, record))).await?;
        let handles: Vec<(i64, Option<Key>)> =
            page.iter().map(|(number, record)| (*number, graph::handle(record))).collect();
        sqlx::query(
            "UPDATE records SET handle = j.handle FROM \
             (SELECT value ->> 0 AS number, value ->> 1 AS handle FROM json_each(?)) j \
             WHERE records.number = j.number",
        )
        .bind(json(&handles)?)
        .execute(&mut *conn)
        .await?;
    }
    sqlx::query(
        "UPDATE records SET next_judgement = valid_from \
         WHERE number IN (SELECT record FROM edges)",
    )
    .execute(&mut *conn)
    .await?;
    set_counter(conn, "graph", graph::VERSION).await
}
