//! What people ask: the inventory now or then, a record's history, drift, counts.

use headcount_core::inventory::Record;
use headcount_sdk::RecordId;
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::codec::{
    PAST, PRESENT, RECORDS, VERSIONS, class, fold, json, maybe_time, nanos, nanos_clamped, parse,
    record, records, time, unsigned,
};
use super::fault::Fallible;
use super::sources::Numbers;
use crate::store::{Commit, PastDrift, RecordCount, RecordFilter, Version};

const ROWS: usize = 50;

/// One page of records in id order.
pub(super) async fn list(
    conn: &mut SqliteConnection,
    filter: &RecordFilter,
    after: Option<&RecordId>,
    limit: u32,
) -> Fallible<Vec<Record>> {
    let after = after.map_or("", RecordId::as_str);
    let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
    query.push(format_args!("{PRESENT} {RECORDS}")).push(" WHERE r.id > ").push_bind(after);
    narrow(&mut query, "r", filter);
    if let Some(at) = filter.at.map(nanos_clamped) {
        query.push(" AND r.valid_from <= ").push_bind(at);
        query.push(format_args!(" UNION ALL SELECT {PAST} {VERSIONS}"));
        query.push(" WHERE v.id > ").push_bind(after);
        query.push(" AND v.valid_from <= ").push_bind(at);
        query.push(" AND v.valid_to > ").push_bind(at);
        narrow(&mut query, "v", filter);
    }
    // The eleventh column is the id.
    query.push(" ORDER BY 11 LIMIT ").push_bind(limit);
    records(&query.build().fetch_all(conn).await?)
}

/// The plus signs keep the planner on the index of the list's order, so that every page costs the
/// same.
pub(super) fn narrow(query: &mut QueryBuilder<Sqlite>, table: &str, filter: &RecordFilter) {
    if let Some(source) = &filter.source {
        query
            .push(format_args!(" AND +{table}.source = (SELECT number FROM sources WHERE name = "))
            .push_bind(source.as_str())
            .push(")");
    }
    if !filter.classes.is_empty() {
        query.push(format_args!(" AND +{table}.class IN ("));
        let mut list = query.separated(", ");
        for class in &filter.classes {
            list.push_bind(class.as_str());
        }
        query.push(")");
    }
    if let Some(kind) = &filter.kind {
        query.push(format_args!(" AND +{table}.kind = ")).push_bind(kind.as_str());
    }
    if let Some(text) = &filter.text {
        let pattern = pattern(text);
        query.push(" AND (false");
        for column in ["name", "native", "id", "folded"] {
            query
                .push(format_args!(" OR {table}.{column} LIKE "))
                .push_bind(pattern.clone())
                .push(" ESCAPE '\\'");
        }
        query.push(")");
    }
}

/// A LIKE pattern that finds the text anywhere and takes `%` and `_` as themselves.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for letter in fold(text).chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// Every version of a record, oldest first.
pub(super) async fn versions(conn: &mut SqliteConnection, id: &RecordId) -> Fallible<Vec<Version>> {
    let sql = format!("SELECT {PAST}, v.valid_to {VERSIONS} WHERE v.id = ? ORDER BY v.number");
    let past = sqlx::query(AssertSqlSafe(sql)).bind(id.as_str()).fetch_all(&mut *conn).await?;
    let sql = format!("SELECT {PRESENT} {RECORDS} WHERE r.id = ?");
    let present = sqlx::query(AssertSqlSafe(sql)).bind(id.as_str()).fetch_optional(conn).await?;
    let mut versions = Vec::with_capacity(past.len() + 1);
    for row in &past {
        let record = record(row)?;
        let valid_to = maybe_time(row.try_get(12)?)?;
        versions.push(Version { valid_from: record.changed_at, valid_to, record });
    }
    if let Some(row) = &present {
        let record = record(row)?;
        versions.push(Version { valid_from: record.changed_at, valid_to: None, record });
    }
    Ok(versions)
}

pub(super) async fn write_drift(
    conn: &mut SqliteConnection,
    numbers: &mut Numbers,
    commit: &Commit,
) -> Fallible<()> {
    if commit.drift.is_empty() {
        return Ok(());
    }
    let at = nanos(commit.at)?;
    let source = numbers.source(conn, &commit.source).await?;
    for chunk in commit.drift.chunks(ROWS) {
        let docs: Vec<String> = chunk.iter().map(json).collect::<Fallible<_>>()?;
        let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO drift (at, source, scan, doc) ");
        query.push_values(docs, |mut values, doc| {
            values.push_bind(at).push_bind(source).push_bind(commit.scan.as_str()).push_bind(doc);
        });
        query.build().execute(&mut *conn).await?;
    }
    Ok(())
}

/// Drift committed after `from` and up to `to`, oldest first.
pub(super) async fn drift(
    conn: &mut SqliteConnection,
    from: Timestamp,
    to: Timestamp,
) -> Fallible<Vec<PastDrift>> {
    let rows = sqlx::query(
        "SELECT d.at, s.name, d.doc FROM drift d CROSS JOIN sources s ON s.number = d.source \
         WHERE d.at > ? AND d.at <= ? ORDER BY d.at, d.number",
    )
    .bind(nanos_clamped(from))
    .bind(nanos_clamped(to))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(PastDrift {
                at: time(row.try_get(0)?)?,
                source: row.try_get(1)?,
                drift: parse("drift", row.try_get(2)?)?,
            })
        })
        .collect()
}

/// Answered from an index alone, because metrics ask it often.
pub(super) const COUNT: &str = "SELECT s.name, n.class, n.kind, n.status, n.owned, n.count FROM \
     (SELECT source, class, kind, status, owned, count(*) AS count FROM records \
      GROUP BY source, class, kind, status, owned) n \
     JOIN sources s ON s.number = n.source \
     ORDER BY s.name, n.class, n.kind, n.status, n.owned";

pub(super) async fn count(conn: &mut SqliteConnection) -> Fallible<Vec<RecordCount>> {
    let rows = sqlx::query(COUNT).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(RecordCount {
                source: row.try_get(0)?,
                class: class(row.try_get(1)?)?,
                kind: row.try_get(2)?,
                status: row.try_get(3)?,
                owned: row.try_get::<i64, _>(4)? != 0,
                count: unsigned("count", row.try_get(5)?)?,
            })
        })
        .collect()
}
