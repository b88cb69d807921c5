//! The population day by day, and how readings of scopes ended.

use headcount_core::inventory::ScopeState;
use headcount_sdk::Scope;
use jiff::Timestamp;
use sqlx::{Row as _, SqliteConnection};

use super::codec::{class, json, nanos, nanos_clamped, parse, signed, time, unsigned};
use super::fault::Fallible;
use super::sources::Numbers;
use crate::store::over_time::{Census, CountsAt, PastCoverage, STALE_RULES, day};

/// The day's last census stands.
pub(super) async fn write_census(
    conn: &mut SqliteConnection,
    numbers: &mut Numbers,
    census: &[Census],
) -> Fallible<()> {
    for row in census {
        let source = numbers.source(conn, &row.source).await?;
        sqlx::query(
            "INSERT INTO census (day, source, class, at, records, ownerless, stale) \
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (day, source, class) DO UPDATE SET \
             at = excluded.at, records = excluded.records, ownerless = excluded.ownerless, \
             stale = excluded.stale",
        )
        .bind(day(row.at))
        .bind(source)
        .bind(row.class.as_str())
        .bind(nanos(row.at)?)
        .bind(signed(row.records)?)
        .bind(signed(row.ownerless)?)
        .bind(signed(row.stale)?)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// What a source's census would say now.
pub(super) async fn take_census(
    conn: &mut SqliteConnection,
    source: &str,
    at: Timestamp,
) -> Fallible<Vec<Census>> {
    let rows = sqlx::query(
        "WITH stale AS (SELECT DISTINCT r.number, r.class FROM findings f \
             CROSS JOIN records r ON r.id = f.subject \
             WHERE f.status = 'open' AND f.rule IN (SELECT value FROM json_each(?2)) \
             AND f.source = ?1) \
         SELECT n.class, sum(n.count), sum(n.count * (1 - n.owned)), \
             (SELECT count(*) FROM stale WHERE stale.class = n.class) FROM \
             (SELECT class, owned, count(*) AS count FROM records \
              WHERE source = (SELECT number FROM sources WHERE name = ?1) \
              GROUP BY class, kind, status, owned) n \
         GROUP BY n.class ORDER BY n.class",
    )
    .bind(source)
    .bind(json(&STALE_RULES)?)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Census {
                at,
                source: source.to_owned(),
                class: class(row.try_get(0)?)?,
                records: unsigned("count", row.try_get(1)?)?,
                ownerless: unsigned("count", row.try_get(2)?)?,
                stale: unsigned("count", row.try_get(3)?)?,
            })
        })
        .collect()
}

/// From the day of one moment to the day of another, oldest first.
pub(super) async fn census(
    conn: &mut SqliteConnection,
    from: Timestamp,
    to: Timestamp,
) -> Fallible<Vec<Census>> {
    let rows = sqlx::query(
        "SELECT c.at, s.name, c.class, c.records, c.ownerless, c.stale FROM census c \
         CROSS JOIN sources s ON s.number = c.source WHERE c.day BETWEEN ? AND ? \
         ORDER BY c.day, s.name, c.class",
    )
    .bind(day(from))
    .bind(day(to))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Census {
                at: time(row.try_get(0)?)?,
                source: row.try_get(1)?,
                class: class(row.try_get(2)?)?,
                records: unsigned("count", row.try_get(3)?)?,
                ownerless: unsigned("count", row.try_get(4)?)?,
                stale: unsigned("count", row.try_get(5)?)?,
            })
        })
        .collect()
}

/// Puts a scope's reading to those before it that ended alike on the same day, or begins anew.
pub(super) async fn write_coverage(
    conn: &mut SqliteConnection,
    scope: i64,
    state: &ScopeState,
) -> Fallible<()> {
    let at = nanos(state.last_read_at)?;
    let last = sqlx::query(
        "SELECT first_at, state FROM coverage WHERE scope = ? ORDER BY first_at DESC LIMIT 1",
    )
    .bind(scope)
    .fetch_optional(&mut *conn)
    .await?;
    let mut first_at = at;
    if let Some(row) = last {
        let before: ScopeState = parse("coverage", row.try_get(1)?)?;
        let began = row.try_get(0)?;
        let is_same_day = day(time(began)?) == day(state.last_read_at);
        // A hint moves the number of records and is no reading.
        if before.last_read_at == state.last_read_at || (is_same_day && ended_alike(&before, state))
        {
            first_at = began;
        }
    }
    sqlx::query(
        "INSERT INTO coverage (scope, first_at, last_at, state) VALUES (?, ?, ?, ?) \
         ON CONFLICT (scope, first_at) DO UPDATE SET last_at = excluded.last_at, \
         state = excluded.state",
    )
    .bind(scope)
    .bind(first_at)
    .bind(at.max(first_at))
    .bind(json(state)?)
    .execute(conn)
    .await?;
    Ok(())
}

fn ended_alike(a: &ScopeState, b: &ScopeState) -> bool {
    a.coverage == b.coverage && a.degradations == b.degradations
}

/// How every scope stood at a moment, in the order of source, place and kind. Scopes of which
/// nothing was recorded by then are left out.
pub(super) async fn coverage_at(
    conn: &mut SqliteConnection,
    at: Timestamp,
) -> Fallible<Vec<PastCoverage>> {
    let rows = sqlx::query(
        "SELECT v.first_at, v.last_at, v.state FROM scopes c \
         CROSS JOIN sources s ON s.number = c.source \
         CROSS JOIN coverage v ON v.scope = c.number AND v.first_at = \
             (SELECT max(first_at) FROM coverage WHERE scope = c.number AND first_at <= ?) \
         ORDER BY s.name, c.place, c.kind",
    )
    .bind(nanos_clamped(at))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(PastCoverage {
                first_at: time(row.try_get(0)?)?,
                last_at: time(row.try_get(1)?)?,
                state: parse("coverage", row.try_get(2)?)?,
            })
        })
        .collect()
}

/// Records by scope at a moment. Reads every record.
pub(super) async fn counts_at(conn: &mut SqliteConnection, at: Timestamp) -> Fallible<CountsAt> {
    let rows = sqlx::query(
        "SELECT s.name, c.place, c.kind, count(*) FROM \
         (SELECT scope FROM records WHERE valid_from <= ?1 UNION ALL \
          SELECT scope FROM versions WHERE valid_from <= ?1 AND valid_to > ?1) n \
         JOIN scopes c ON c.number = n.scope JOIN sources s ON s.number = c.source \
         GROUP BY n.scope",
    )
    .bind(nanos_clamped(at))
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let scope = Scope { place: row.try_get(1)?, kind: row.try_get(2)? };
            Ok(((row.try_get(0)?, scope), unsigned("count", row.try_get(3)?)?))
        })
        .collect()
}
