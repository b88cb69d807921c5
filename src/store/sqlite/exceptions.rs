//! Exceptions, and the marks that have them heeded soon.
//!
//! They are written beside the commit function, also by another process than the agent. What follows
//! from them is decided by the agent alone: the records concerned become due for judgement, and a
//! counter moves, by which a commit that was under way can tell that it judged too early.

use headcount_core::findings::exceptions::{Ended, Exception};
use jiff::Timestamp;
use sqlx::{Row as _, SqliteConnection};

use super::access::note;
use super::codec::{json, nanos, nanos_clamped, parse, signed, unsigned};
use super::fault::Fallible;
use super::sources::{counter, set_counter};
use crate::store::Commit;
use crate::store::access::{AuditEntry, Written};

const COUNTER: &str = "exceptions";

/// Every exception, those that are over included, newest first.
pub(super) async fn all(conn: &mut SqliteConnection) -> Fallible<Vec<Exception>> {
    let rows = sqlx::query("SELECT doc FROM exceptions ORDER BY doc ->> 'created_at' DESC, id")
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| parse("exception", row.try_get(0)?)).collect()
}

/// Counts every change of an exception.
pub(super) async fn version(conn: &mut SqliteConnection) -> Fallible<u64> {
    unsigned("counter", counter(conn, COUNTER).await?)
}

pub(super) async fn add(
    conn: &mut SqliteConnection,
    exception: &Exception,
    entry: &AuditEntry,
) -> Fallible<()> {
    sqlx::query("INSERT INTO exceptions (id, rule, expires_at, doc) VALUES (?, ?, ?, ?)")
        .bind(exception.id.as_str())
        .bind(exception.rule.as_str())
        .bind(nanos(exception.expires_at)?)
        .bind(json(exception)?)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "UPDATE records SET next_judgement = ?1 WHERE id IN \
         (SELECT subject FROM findings WHERE rule = ?2 AND status IN ('open', 'suppressed') \
          AND (?3 IS NULL OR subject = ?3))",
    )
    .bind(nanos_clamped(entry.at))
    .bind(exception.rule.as_str())
    .bind(exception.selection.subject.as_deref())
    .execute(&mut *conn)
    .await?;
    moved(conn, entry).await
}

/// Ends an exception at the entry's time, by its actor.
pub(super) async fn end(
    conn: &mut SqliteConnection,
    id: &str,
    entry: &AuditEntry,
) -> Fallible<Written> {
    let doc: Option<String> = sqlx::query_scalar(
        "SELECT doc FROM exceptions WHERE id = ? AND ended_at IS NULL AND expires_at > ?",
    )
    .bind(id)
    .bind(nanos_clamped(entry.at))
    .fetch_optional(&mut *conn)
    .await?;
    let Some(doc) = doc else { return Ok(Written::NotThere) };
    let mut exception: Exception = parse("exception", &doc)?;
    exception.ended = Some(Ended { at: entry.at, by: entry.actor.clone() });
    sqlx::query("UPDATE exceptions SET ended_at = ?, doc = ? WHERE id = ?")
        .bind(nanos(entry.at)?)
        .bind(json(&exception)?)
        .bind(id)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "UPDATE records SET next_judgement = ?1 WHERE id IN \
         (SELECT subject FROM findings WHERE rule = ?2 AND status = 'suppressed' \
          AND doc ->> '$.facts.exception' = ?3)",
    )
    .bind(nanos_clamped(entry.at))
    .bind(exception.rule.as_str())
    .bind(id)
    .execute(&mut *conn)
    .await?;
    moved(conn, entry).await?;
    Ok(Written::Done)
}

async fn moved(conn: &mut SqliteConnection, entry: &AuditEntry) -> Fallible<()> {
    let version = counter(conn, COUNTER).await?;
    set_counter(conn, COUNTER, version + 1).await?;
    note(conn, std::slice::from_ref(entry)).await
}

/// What a commit judged before the exceptions moved is judged again.
pub(super) async fn judge_again(conn: &mut SqliteConnection, commit: &Commit) -> Fallible<()> {
    if commit.judged.is_empty() {
        return Ok(());
    }
    if counter(conn, COUNTER).await? == signed(commit.exceptions_version)? {
        return Ok(());
    }
    let ids: Vec<_> = commit.judged.iter().map(|judged| &judged.id).collect();
    let at: Timestamp = commit.at;
    sqlx::query(
        "UPDATE records SET next_judgement = ? WHERE id IN (SELECT value FROM json_each(?))",
    )
    .bind(nanos_clamped(at))
    .bind(json(&ids)?)
    .execute(conn)
    .await?;
    Ok(())
}
