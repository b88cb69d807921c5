//! Sources and scopes: their numbers, their states, and the connectors' caches.

use std::collections::BTreeMap;

use headcount_core::inventory::ScopeState;
use headcount_sdk::Scope;
use sqlx::{Row as _, SqliteConnection};

use super::codec::{json, parse};
use super::fault::Fallible;
use super::over_time;
use crate::store::SourceState;

/// Numbers of the sources and scopes that one commit speaks of; given on first use.
#[derive(Default)]
pub(super) struct Numbers {
    sources: BTreeMap<String, i64>,
    scopes: BTreeMap<(i64, Scope), i64>,
}

impl Numbers {
    pub async fn source(&mut self, conn: &mut SqliteConnection, name: &str) -> Fallible<i64> {
        if let Some(number) = self.sources.get(name) {
            return Ok(*number);
        }
        // The update changes nothing; without it RETURNING leaves out a row that is there.
        let number = sqlx::query_scalar(
            "INSERT INTO sources (name) VALUES (?) \
             ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING number",
        )
        .bind(name)
        .fetch_one(conn)
        .await?;
        self.sources.insert(name.to_owned(), number);
        Ok(number)
    }

    pub async fn scope(
        &mut self,
        conn: &mut SqliteConnection,
        source: i64,
        scope: &Scope,
    ) -> Fallible<i64> {
        let key = (source, scope.clone());
        if let Some(number) = self.scopes.get(&key) {
            return Ok(*number);
        }
        let number = sqlx::query_scalar(
            "INSERT INTO scopes (source, place, kind) VALUES (?, ?, ?) \
             ON CONFLICT (source, place, kind) DO UPDATE SET kind = excluded.kind \
             RETURNING number",
        )
        .bind(source)
        .bind(scope.place.as_str())
        .bind(scope.kind.as_str())
        .fetch_one(conn)
        .await?;
        self.scopes.insert(key, number);
        Ok(number)
    }
}

/// The number of a scope that something was once committed for.
pub(super) async fn scope_number(
    conn: &mut SqliteConnection,
    source: &str,
    scope: &Scope,
) -> Fallible<Option<i64>> {
    Ok(sqlx::query_scalar(
        "SELECT c.number FROM scopes c JOIN sources s ON s.number = c.source \
         WHERE s.name = ? AND c.place = ? AND c.kind = ?",
    )
    .bind(source)
    .bind(scope.place.as_str())
    .bind(scope.kind.as_str())
    .fetch_optional(conn)
    .await?)
}

pub(super) async fn write_scope_state(
    conn: &mut SqliteConnection,
    numbers: &mut Numbers,
    state: &ScopeState,
) -> Fallible<()> {
    let source = numbers.source(conn, &state.source).await?;
    let scope = numbers.scope(conn, source, &state.scope).await?;
    sqlx::query("UPDATE scopes SET state = ? WHERE number = ?")
        .bind(json(state)?)
        .bind(scope)
        .execute(&mut *conn)
        .await?;
    over_time::write_coverage(conn, scope, state).await
}

pub(super) async fn write_source_state(
    conn: &mut SqliteConnection,
    numbers: &mut Numbers,
    state: &SourceState,
) -> Fallible<()> {
    let source = numbers.source(conn, &state.name).await?;
    sqlx::query("UPDATE sources SET state = ? WHERE number = ?")
        .bind(json(state)?)
        .bind(source)
        .execute(conn)
        .await?;
    Ok(())
}

/// States in the order of source, place and kind.
pub(super) async fn scope_states(
    conn: &mut SqliteConnection,
    source: Option<&str>,
) -> Fallible<Vec<ScopeState>> {
    let rows = sqlx::query(
        "SELECT c.state FROM scopes c JOIN sources s ON s.number = c.source \
         WHERE c.state IS NOT NULL AND (?1 IS NULL OR s.name = ?1) \
         ORDER BY s.name, c.place, c.kind",
    )
    .bind(source)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| parse("scope state", row.try_get(0)?)).collect()
}

pub(super) async fn source_states(conn: &mut SqliteConnection) -> Fallible<Vec<SourceState>> {
    let rows = sqlx::query("SELECT state FROM sources WHERE state IS NOT NULL ORDER BY name")
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| parse("source state", row.try_get(0)?)).collect()
}

pub(super) async fn cache_get(
    conn: &mut SqliteConnection,
    source: &str,
    key: &str,
) -> Fallible<Option<Vec<u8>>> {
    Ok(sqlx::query_scalar("SELECT value FROM caches WHERE source = ? AND key = ?")
        .bind(source)
        .bind(key)
        .fetch_optional(conn)
        .await?)
}

pub(super) async fn cache_put(
    conn: &mut SqliteConnection,
    source: &str,
    key: &str,
    value: &[u8],
) -> Fallible<()> {
    sqlx::query(
        "INSERT INTO caches (source, key, value) VALUES (?, ?, ?) \
         ON CONFLICT (source, key) DO UPDATE SET value = excluded.value",
    )
    .bind(source)
    .bind(key)
    .bind(value)
    .execute(conn)
    .await?;
    Ok(())
}

/// The last number that a counter gave.
pub(super) async fn counter(conn: &mut SqliteConnection, name: &str) -> Fallible<i64> {
    Ok(sqlx::query_scalar("SELECT value FROM counters WHERE name = ?")
        .bind(name)
        .fetch_one(conn)
        .await?)
}

pub(super) async fn set_counter(
    conn: &mut SqliteConnection,
    name: &str,
    value: i64,
) -> Fallible<()> {
    sqlx::query("UPDATE counters SET value = ? WHERE name = ?")
        .bind(value)
        .bind(name)
        .execute(conn)
        .await?;
    Ok(())
}
