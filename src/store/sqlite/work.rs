//! Pages for people: findings with their owners, records behind a count. Both are read along an
//! index in the order in which they are shown; nothing is sorted, and no page walks the inventory.

use headcount_core::inventory::Owner;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::codec::{PRESENT, RECORDS, parse, record, severity, severity_of, time, unsigned};
use super::fault::Fallible;
use crate::store::RecordCount;
use crate::store::work::{Listed, Whose, Work, WorkCount, WorkFilter};

/// Findings that fit, most severe first, then oldest, after the finding with the id `after`.
pub(super) async fn list(
    conn: &mut SqliteConnection,
    filter: &WorkFilter,
    after: Option<&str>,
    limit: u32,
) -> Fallible<Vec<Work>> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT f.doc, r.owner, (SELECT d.doc -> 'unread' ->> 'owner_evidence' IS NOT NULL \
         FROM documents d WHERE d.record = r.number) AS unread ",
    );
    narrow(&mut query, filter);
    if let Some(after) = after {
        query
            .push(
                " AND (-f.severity, f.opened_at, f.id) > \
                 (SELECT -severity, opened_at, id FROM findings WHERE id = ",
            )
            .push_bind(after)
            .push(")");
    }
    query.push(" ORDER BY f.severity DESC, f.opened_at, f.id LIMIT ").push_bind(limit);
    let rows = query.build().fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            let owner: Option<&str> = row.try_get(1)?;
            Ok(Work {
                finding: parse("finding", row.try_get(0)?)?,
                owner: owner.map(|text| parse::<Owner>("owner", text)).transpose()?,
                is_owner_unread: row.try_get::<Option<i64>, _>(2)?.unwrap_or_default() != 0,
            })
        })
        .collect()
}

/// How many fit, by owner and severity; nobody's first, then by name.
pub(super) async fn by_owner(
    conn: &mut SqliteConnection,
    filter: &WorkFilter,
) -> Fallible<Vec<WorkCount>> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT r.owner ->> 'ref' AS owner_ref, f.severity, count(*), min(f.opened_at) ",
    );
    narrow(&mut query, filter);
    query.push(" GROUP BY owner_ref, f.severity ORDER BY owner_ref, f.severity DESC");
    let rows = query.build().fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(WorkCount {
                owner: row.try_get(0)?,
                severity: severity_of(row.try_get(1)?)?,
                count: unsigned("count", row.try_get(2)?)?,
                oldest: time(row.try_get(3)?)?,
            })
        })
        .collect()
}

/// Subjects that are scopes, or gone, have no row and with it no owner.
fn narrow(query: &mut QueryBuilder<Sqlite>, filter: &WorkFilter) {
    query.push("FROM findings f LEFT JOIN records r ON r.id = f.subject WHERE true");
    if let Some(status) = filter.status {
        query.push(" AND f.status = ").push_bind(status.as_str());
    }
    for (column, value) in [("rule", &filter.rule), ("source", &filter.source)] {
        if let Some(value) = value {
            query.push(format_args!(" AND f.{column} = ")).push_bind(value.clone());
        }
    }
    if let Some(least) = filter.at_least {
        query.push(" AND f.severity >= ").push_bind(severity(least));
    }
    match &filter.whose {
        Whose::Anyones => {}
        Whose::Nobodys => {
            query.push(" AND r.owner IS NULL");
        }
        Whose::Of(owner) => {
            query.push(" AND r.owner ->> 'ref' = ").push_bind(owner.clone());
        }
    }
}

/// The records that a row of the counts speaks of, in the order in which they came.
pub(super) async fn counted(
    conn: &mut SqliteConnection,
    of: &RecordCount,
    after: i64,
    limit: u32,
) -> Fallible<Vec<Listed>> {
    let sql = format!(
        "SELECT {PRESENT}, r.number {RECORDS} \
         WHERE r.source = (SELECT number FROM sources WHERE name = ?) AND r.class = ? \
         AND r.kind = ? AND r.status = ? AND r.owned = ? AND r.number > ? \
         ORDER BY r.number LIMIT ?"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(&of.source)
        .bind(of.class.as_str())
        .bind(&of.kind)
        .bind(&of.status)
        .bind(of.owned)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| Ok(Listed { row: row.try_get("number")?, record: record(row)? }))
        .collect()
}
