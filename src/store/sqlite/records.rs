//! Writing records: new versions and removals.
//!
//! A record's versions never overlap: if the clock went back, a version begins where the one
//! before it ended. Rows are written in key order, many to a statement; both are what makes a
//! first scan of a large organisation affordable.

use std::collections::{BTreeMap, BTreeSet};

use headcount_core::graph;
use headcount_core::reconcile::key;
use headcount_sdk::RecordId;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::codec::{document, fold, history, json, nanos, nanos_clamped, origin, used};
use super::edges;
use super::fault::{Fallible, Fault};
use super::sources::{Numbers, counter, set_counter};
use crate::store::{Commit, Judged, Written};

/// Rows to an INSERT: past this a longer statement gains nothing.
const ROWS: usize = 50;
/// Rows to a statement that takes them as one JSON array.
pub(super) const BATCH: usize = 1000;

/// A present record, as far as writing beside it needs.
pub(super) struct Standing {
    pub number: i64,
    pub scope: i64,
    valid_from: i64,
}

/// A record on its way into the tables.
struct Incoming<'a> {
    written: &'a Written,
    judged: Option<&'a Judged>,
    number: i64,
    source: i64,
    scope: i64,
    valid_from: i64,
}

/// Opens a version for each written record and closes the one before it, if there is one and it
/// does not go on.
pub(super) async fn write(
    conn: &mut SqliteConnection,
    numbers: &mut Numbers,
    commit: &Commit,
) -> Fallible<()> {
    let judged: BTreeMap<&RecordId, &Judged> = commit.judged.iter().map(|j| (&j.id, j)).collect();
    let written = sorted(&commit.written)?;
    if written.is_empty() {
        return Ok(());
    }
    let at = nanos(commit.at)?;
    let mut last = counter(conn, "record").await?;
    let mut marks = Vec::with_capacity(written.len());
    for chunk in written.chunks(ROWS) {
        let mut incoming = Vec::with_capacity(chunk.len());
        let lives = lives(conn, chunk, at).await?;
        for (written, life) in chunk.iter().copied().zip(lives) {
            let id = written.record.id();
            let source = numbers.source(conn, &written.record.source).await?;
            let scope = numbers.scope(conn, source, &written.record.scope).await?;
            if let Some(left) = life.scope.filter(|left| *left != scope) {
                unmark(conn, &[(left, key(id))]).await?;
            }
            let number = life.number.unwrap_or_else(|| {
                last += 1;
                last
            });
            marks.push((scope, key(id), number, written));
            let (judged, valid_from) = (judged.get(id).copied(), life.valid_from);
            incoming.push(Incoming { written, judged, number, source, scope, valid_from });
        }
        insert_records(conn, &incoming, at).await?;
        insert_documents(conn, &incoming).await?;
        let here = incoming.iter().map(|row| (row.number, &row.written.record));
        edges::write(conn, here).await?;
    }
    set_counter(conn, "record", last).await?;
    marks.sort_unstable_by_key(|(scope, key, ..)| (*scope, *key));
    mark(conn, &marks).await
}

/// Where a written record stood before, and when its version begins.
struct Life {
    number: Option<i64>,
    scope: Option<i64>,
    valid_from: i64,
}

/// Closes the versions that the written records end, and says how each of them goes on.
async fn lives(conn: &mut SqliteConnection, chunk: &[&Written], at: i64) -> Fallible<Vec<Life>> {
    let ids: Vec<&RecordId> = chunk.iter().map(|written| written.record.id()).collect();
    let standing = standing(conn, &ids).await?;
    let closed = last_ends(conn, &ids).await?;
    let mut over = Vec::new();
    let mut lives = Vec::with_capacity(chunk.len());
    for written in chunk {
        let id = written.record.id().as_str();
        let before = standing.get(id);
        let valid_from = match before.filter(|before| goes_on(before, written)) {
            Some(before) => before.valid_from,
            None => {
                over.extend(before);
                let floor = before.map(|before| before.valid_from).max(closed.get(id).copied());
                floor.map_or(at, |floor| floor.max(at))
            }
        };
        let (number, scope) = before.map(|before| (before.number, before.scope)).unzip();
        lives.push(Life { number, scope, valid_from });
    }
    archive(conn, &over, at).await?;
    Ok(lives)
}

/// Whether a record is written again without a change that counts: its version goes on.
fn goes_on(before: &Standing, written: &Written) -> bool {
    written.record.changed_at.as_nanosecond() == i128::from(before.valid_from)
}

/// In id order, each id once.
fn sorted(written: &[Written]) -> Fallible<Vec<&Written>> {
    let mut sorted: Vec<&Written> = written.iter().collect();
    sorted.sort_unstable_by(|a, b| a.record.id().cmp(b.record.id()));
    let twice = sorted.windows(2).any(|pair| match pair {
        [a, b] => a.record.id() == b.record.id(),
        _ => false,
    });
    if twice {
        return Err(Fault::Refused("a record is written twice in one commit".to_owned()));
    }
    Ok(sorted)
}

pub(super) async fn standing(
    conn: &mut SqliteConnection,
    ids: &[&RecordId],
) -> Fallible<BTreeMap<String, Standing>> {
    let rows = sqlx::query(
        "SELECT id, number, scope, valid_from FROM records \
         WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
    )
    .bind(json(ids)?)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let standing = Standing {
                number: row.try_get(1)?,
                scope: row.try_get(2)?,
                valid_from: row.try_get(3)?,
            };
            Ok((row.try_get(0)?, standing))
        })
        .collect()
}

/// When the latest closed version of each record ended.
async fn last_ends(
    conn: &mut SqliteConnection,
    ids: &[&RecordId],
) -> Fallible<BTreeMap<String, i64>> {
    let rows = sqlx::query(
        "SELECT id, max(valid_to) FROM versions \
         WHERE id IN (SELECT value FROM json_each(?)) GROUP BY id",
    )
    .bind(json(ids)?)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Copies present records to the versions that are over.
async fn archive(conn: &mut SqliteConnection, records: &[&Standing], at: i64) -> Fallible<()> {
    if records.is_empty() {
        return Ok(());
    }
    let numbers: Vec<i64> = records.iter().map(|standing| standing.number).collect();
    sqlx::query(
        "INSERT INTO versions (id, source, scope, class, kind, name, native, folded, origin, \
             replaces, first_seen, valid_from, valid_to, usage, owner, doc, history) \
         SELECT r.id, r.source, r.scope, r.class, r.kind, r.name, r.native, r.folded, r.origin, \
             r.replaces, r.first_seen, r.valid_from, max(r.valid_from, ?), r.usage, r.owner, d.doc, \
             r.history \
         FROM records r CROSS JOIN documents d ON d.record = r.number \
         WHERE r.number IN (SELECT value FROM json_each(?)) ORDER BY r.id",
    )
    .bind(at)
    .bind(json(&numbers)?)
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_records(
    conn: &mut SqliteConnection,
    incoming: &[Incoming<'_>],
    at: i64,
) -> Fallible<()> {
    let mut texts = Vec::with_capacity(incoming.len());
    for row in incoming {
        let record = &row.written.record;
        let owner = row.judged.map_or(&record.owner, |judged| &judged.owner);
        // Not judged yet means due: better once too often than never.
        let next = row.judged.map_or(Some(at), |judged| judged.next_at.map(nanos_clamped));
        texts.push((
            json(&record.observation.usage)?,
            owner.as_ref().map(json).transpose()?,
            nanos(record.first_seen_at)?,
            next,
            history(&record.history, &record.observation.usage)?,
            used(&record.observation.usage),
        ));
    }
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO records (number, id, source, scope, class, kind, name, native, folded, \
         parent, status, origin, replaces, first_seen, valid_from, usage, owner, owned, next_judgement, \
         history, handle, used) ",
    );
    query.push_values(incoming.iter().zip(texts), |mut values, (row, text)| {
        let record = &row.written.record;
        let seen = &record.observation;
        let (usage, owner, first_seen, next, history, used) = text;
        values
            .push_bind(row.number)
            .push_bind(seen.id.as_str())
            .push_bind(row.source)
            .push_bind(row.scope)
            .push_bind(seen.class.as_str())
            .push_bind(seen.kind.as_str())
            .push_bind(seen.name.as_str())
            .push_bind(seen.native.as_str())
            .push_bind(folded(&[&seen.name, &seen.native, seen.id.as_str()]))
            .push_bind(seen.parent.as_ref().map(RecordId::as_str))
            .push_bind(seen.status.as_str())
            .push_bind(origin(record.origin))
            .push_bind(record.replaces.as_ref().map(RecordId::as_str))
            .push_bind(first_seen)
            .push_bind(row.valid_from)
            .push_bind(usage)
            .push_bind(owner.clone())
            .push_bind(owner.is_some())
            .push_bind(next)
            .push_bind(history)
            .push_bind(graph::handle(record))
            .push_bind(used);
    });
    query.push(
        " ON CONFLICT (number) DO UPDATE SET source = excluded.source, scope = excluded.scope, \
         class = excluded.class, kind = excluded.kind, name = excluded.name, \
         native = excluded.native, folded = excluded.folded, parent = excluded.parent, \
         status = excluded.status, origin = excluded.origin, replaces = excluded.replaces, \
         first_seen = excluded.first_seen, valid_from = excluded.valid_from, \
         usage = excluded.usage, owner = excluded.owner, owned = excluded.owned, \
         next_judgement = excluded.next_judgement, history = excluded.history, \
         handle = excluded.handle, used = excluded.used",
    );
    query.build().execute(conn).await?;
    Ok(())
}

/// What LIKE cannot fold by itself; `None` for the many that are plain ASCII.
fn folded(texts: &[&str]) -> Option<String> {
    (!texts.iter().all(|text| text.is_ascii())).then(|| fold(&texts.join("\n")))
}

async fn insert_documents(conn: &mut SqliteConnection, incoming: &[Incoming<'_>]) -> Fallible<()> {
    let documents: Vec<String> = incoming
        .iter()
        .map(|row| document(&row.written.record.observation))
        .collect::<Fallible<_>>()?;
    let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO documents (record, doc) ");
    query.push_values(incoming.iter().zip(documents), |mut values, (row, document)| {
        values.push_bind(row.number).push_bind(document);
    });
    query.push(" ON CONFLICT (record) DO UPDATE SET doc = excluded.doc");
    query.build().execute(conn).await?;
    Ok(())
}

async fn mark(conn: &mut SqliteConnection, marks: &[(i64, u128, i64, &Written)]) -> Fallible<()> {
    for chunk in marks.chunks(ROWS) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO fingerprints (scope, key, fingerprint, usage, record) ",
        );
        query.push_values(chunk, |mut values, (scope, key, number, written)| {
            values
                .push_bind(*scope)
                .push_bind(key.to_be_bytes().to_vec())
                .push_bind(written.fingerprint.to_be_bytes().to_vec())
                .push_bind(written.usage_hash.to_be_bytes().to_vec())
                .push_bind(*number);
        });
        query.push(
            " ON CONFLICT (scope, key) DO UPDATE SET fingerprint = excluded.fingerprint, \
             usage = excluded.usage, record = excluded.record",
        );
        query.build().execute(&mut *conn).await?;
    }
    Ok(())
}

async fn unmark(conn: &mut SqliteConnection, keys: &[(i64, u128)]) -> Fallible<()> {
    let keys: Vec<(i64, String)> =
        keys.iter().map(|(scope, key)| (*scope, format!("{key:032x}"))).collect();
    sqlx::query(
        "DELETE FROM fingerprints WHERE (scope, key) IN \
         (SELECT value ->> 0, unhex(value ->> 1) FROM json_each(?))",
    )
    .bind(json(&keys)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// Closes the version of each removed record.
pub(super) async fn remove(conn: &mut SqliteConnection, commit: &Commit) -> Fallible<()> {
    let at = nanos(commit.at)?;
    let ids: Vec<&RecordId> = commit.removed.iter().collect::<BTreeSet<_>>().into_iter().collect();
    for ids in ids.chunks(BATCH) {
        let standing = standing(conn, ids).await?;
        if standing.len() != ids.len() {
            return Err(Fault::Refused("a record to remove is not there".to_owned()));
        }
        let gone: Vec<&Standing> = standing.values().collect();
        archive(conn, &gone, at).await?;
        let keys: Vec<(i64, u128)> = ids
            .iter()
            .filter_map(|id| standing.get(id.as_str()).map(|s| (s.scope, key(id))))
            .collect();
        unmark(conn, &keys).await?;
        let numbers: Vec<i64> = gone.iter().map(|standing| standing.number).collect();
        let numbers = json(&numbers)?;
        for sql in [
            "DELETE FROM documents WHERE record IN (SELECT value FROM json_each(?))",
            "DELETE FROM edges WHERE record IN (SELECT value FROM json_each(?))",
            "DELETE FROM records WHERE number IN (SELECT value FROM json_each(?))",
        ] {
            sqlx::query(sql).bind(numbers.as_str()).execute(&mut *conn).await?;
        }
    }
    Ok(())
}
