//! Tokens and the audit. Every change is written together with the line that tells of it.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::codec::{maybe_time, nanos, nanos_clamped, signed, time, unsigned};
use super::fault::{Fallible, Fault};
use crate::store::AuditFilter;
use crate::store::access::{AuditEntry, AuditOutcome, Role, Token, TokenHash, Written};

const TOKEN: &str =
    "SELECT id, name, role, created_at, expires_at, revoked_at, used_at FROM tokens";

fn token_of(row: &SqliteRow) -> Fallible<Token> {
    Ok(Token {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        role: role(row.try_get(2)?)?,
        created_at: time(row.try_get(3)?)?,
        expires_at: time(row.try_get(4)?)?,
        revoked_at: maybe_time(row.try_get(5)?)?,
        used_at: maybe_time(row.try_get(6)?)?,
    })
}

fn role(text: &str) -> Fallible<Role> {
    Role::ALL
        .into_iter()
        .find(|role| role.as_str() == text)
        .ok_or_else(|| Fault::damaged("token", "its role is not known"))
}

/// Every token, those that are over included, newest first.
pub(super) async fn tokens(conn: &mut SqliteConnection) -> Fallible<Vec<Token>> {
    let sql = sqlx::AssertSqlSafe(format!("{TOKEN} ORDER BY created_at DESC, id"));
    sqlx::query(sql).fetch_all(conn).await?.iter().map(token_of).collect()
}

pub(super) async fn token(
    conn: &mut SqliteConnection,
    hash: &TokenHash,
) -> Fallible<Option<Token>> {
    let sql = sqlx::AssertSqlSafe(format!("{TOKEN} WHERE hash = ?"));
    let row = sqlx::query(sql).bind(hash.as_bytes().as_slice()).fetch_optional(conn).await?;
    row.as_ref().map(token_of).transpose()
}

pub(super) async fn token_by_id(conn: &mut SqliteConnection, id: &str) -> Fallible<Option<Token>> {
    let sql = sqlx::AssertSqlSafe(format!("{TOKEN} WHERE id = ?"));
    let row = sqlx::query(sql).bind(id).fetch_optional(conn).await?;
    row.as_ref().map(token_of).transpose()
}

pub(super) async fn add_token(
    conn: &mut SqliteConnection,
    token: &Token,
    hash: &TokenHash,
    entry: &AuditEntry,
) -> Fallible<Written> {
    let done = sqlx::query(
        "INSERT INTO tokens (id, name, role, hash, created_at, expires_at) \
         SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS \
         (SELECT 1 FROM tokens WHERE name = ?2 AND revoked_at IS NULL)",
    )
    .bind(token.id.as_str())
    .bind(token.name.as_str())
    .bind(token.role.as_str())
    .bind(hash.as_bytes().as_slice())
    .bind(nanos(token.created_at)?)
    .bind(nanos(token.expires_at)?)
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(Written::Taken);
    }
    note(conn, std::slice::from_ref(entry)).await?;
    Ok(Written::Done)
}

/// Revokes the token of this name or id.
pub(super) async fn revoke_token(
    conn: &mut SqliteConnection,
    named: &str,
    entry: &AuditEntry,
) -> Fallible<Written> {
    let done = sqlx::query(
        "UPDATE tokens SET revoked_at = ?1 WHERE revoked_at IS NULL AND (id = ?2 OR name = ?2)",
    )
    .bind(nanos(entry.at)?)
    .bind(named)
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(Written::NotThere);
    }
    note(conn, std::slice::from_ref(entry)).await?;
    Ok(Written::Done)
}

pub(super) async fn token_used(
    conn: &mut SqliteConnection,
    id: &str,
    at: Timestamp,
) -> Fallible<()> {
    sqlx::query("UPDATE tokens SET used_at = ? WHERE id = ?")
        .bind(nanos_clamped(at))
        .bind(id)
        .execute(conn)
        .await?;
    Ok(())
}

/// Adds lines to the audit.
pub(super) async fn note(conn: &mut SqliteConnection, entries: &[AuditEntry]) -> Fallible<()> {
    for entry in entries {
        sqlx::query(
            "INSERT INTO audit (at, actor, role, action, object, outcome, detail) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(nanos(entry.at)?)
        .bind(entry.actor.as_str())
        .bind(entry.role.map(Role::as_str))
        .bind(entry.action.as_str())
        .bind(entry.object.as_str())
        .bind(entry.outcome.as_str())
        .bind(entry.detail.as_deref())
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// A page of the audit, newest first, with the number of each line.
pub(super) async fn audit(
    conn: &mut SqliteConnection,
    filter: &AuditFilter,
    before: Option<u64>,
    limit: u32,
) -> Fallible<Vec<(u64, AuditEntry)>> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT number, at, actor, role, action, object, outcome, detail FROM audit WHERE number < ",
    );
    query.push_bind(before.map(signed).transpose()?.unwrap_or(i64::MAX));
    if let Some(actor) = &filter.actor {
        query.push(" AND actor = ").push_bind(actor.as_str());
    }
    if let Some(outcome) = filter.outcome {
        query.push(" AND outcome = ").push_bind(outcome.as_str());
    }
    query.push(" ORDER BY number DESC LIMIT ").push_bind(limit);
    query.build().fetch_all(conn).await?.iter().map(line).collect()
}

fn line(row: &SqliteRow) -> Fallible<(u64, AuditEntry)> {
    let outcome: &str = row.try_get(6)?;
    let kept: Option<&str> = row.try_get(3)?;
    let entry = AuditEntry {
        at: time(row.try_get(1)?)?,
        actor: row.try_get(2)?,
        role: kept.map(role).transpose()?,
        action: row.try_get(4)?,
        object: row.try_get(5)?,
        outcome: AuditOutcome::ALL
            .into_iter()
            .find(|known| known.as_str() == outcome)
            .ok_or_else(|| Fault::damaged("audit", "an outcome is not known"))?,
        detail: row.try_get(7)?,
    };
    Ok((unsigned("audit", row.try_get(0)?)?, entry))
}
