//! Events and their ways to the sinks.
//!
//! A finding's unsettled deliveries to one sink form a line: the first is `pending`, the others
//! `waiting`. The line is kept in order whenever a row enters or leaves it, so asking for what is
//! due never has to look behind the first, however long the lines are.

use std::collections::BTreeSet;

use headcount_core::findings::{Transition, TransitionKind};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::codec::{json, maybe_time, nanos, nanos_clamped, signed, time, unsigned};
use super::fault::{Fallible, Fault};
use super::sources::{counter, set_counter};
use crate::store::{Attempt, Commit, DeadLetter, Delivery, Event, Outcome, QueueState, Route};

const ROWS: usize = 50;

pub(super) async fn next_sequence(conn: &mut SqliteConnection) -> Fallible<u64> {
    Ok(unsigned::<u64>("sequence", counter(conn, "event").await?)? + 1)
}

/// Writes events and queues their deliveries.
pub(super) async fn write(conn: &mut SqliteConnection, commit: &Commit) -> Fallible<()> {
    let mut next = next_sequence(conn).await?;
    for event in &commit.events {
        if event.sequence != next {
            return Err(Fault::Refused(format!(
                "event {} is not the next one, which is {next}",
                event.sequence
            )));
        }
        next += 1;
    }
    if commit.events.is_empty() {
        return Ok(());
    }
    set_counter(conn, "event", signed(next - 1)?).await?;
    for chunk in commit.events.chunks(ROWS) {
        insert_events(conn, chunk).await?;
    }
    let at = nanos(commit.at)?;
    let ends: BTreeSet<String> = commit
        .transitions
        .iter()
        .filter(|step| step.kind == TransitionKind::Resolved)
        .map(Transition::event_id)
        .collect();
    for route in &commit.sinks {
        let sink: i64 = sqlx::query_scalar(
            "INSERT INTO sinks (name) VALUES (?) \
             ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING number",
        )
        .bind(route.sink.as_str())
        .fetch_one(&mut *conn)
        .await?;
        let chosen = choose(conn, sink, route, &commit.events, &ends).await?;
        queue_events(conn, sink, &chosen, at).await?;
    }
    Ok(())
}

/// The events that go to a sink: what its route lets through, and what belongs to findings that
/// it knows as open. Keeps what it knows up to date; `ends` are the events that resolve findings.
async fn choose<'a>(
    conn: &mut SqliteConnection,
    sink: i64,
    route: &Route,
    events: &'a [Event],
    ends: &BTreeSet<String>,
) -> Fallible<Vec<&'a Event>> {
    let findings: BTreeSet<&str> = events.iter().filter_map(|e| e.finding.as_deref()).collect();
    let before = told(conn, sink, &findings).await?;
    let mut known: BTreeSet<&str> = before.iter().map(String::as_str).collect();
    let mut chosen = Vec::with_capacity(events.len());
    for event in events {
        let is_told = event.finding.as_deref().is_some_and(|finding| known.contains(finding));
        if !is_told && route.leaves_out.contains(&event.sequence) {
            continue;
        }
        if let Some(finding) = event.finding.as_deref() {
            if ends.contains(&event.id) {
                known.remove(finding);
            } else {
                known.insert(finding);
            }
        }
        chosen.push(event);
    }
    let news: Vec<&str> = known.iter().copied().filter(|f| !before.contains(*f)).collect();
    let over: Vec<&String> = before.iter().filter(|f| !known.contains(f.as_str())).collect();
    if !news.is_empty() {
        sqlx::query("INSERT INTO told (sink, finding) SELECT ?, value FROM json_each(?)")
            .bind(sink)
            .bind(json(&news)?)
            .execute(&mut *conn)
            .await?;
    }
    if !over.is_empty() {
        sqlx::query(
            "DELETE FROM told WHERE sink = ? AND finding IN (SELECT value FROM json_each(?))",
        )
        .bind(sink)
        .bind(json(&over)?)
        .execute(&mut *conn)
        .await?;
    }
    Ok(chosen)
}

/// Which of these findings the sink knows as open.
async fn told(
    conn: &mut SqliteConnection,
    sink: i64,
    findings: &BTreeSet<&str>,
) -> Fallible<BTreeSet<String>> {
    if findings.is_empty() {
        return Ok(BTreeSet::new());
    }
    let told: Vec<String> = sqlx::query_scalar(
        "SELECT finding FROM told WHERE sink = ? AND finding IN (SELECT value FROM json_each(?))",
    )
    .bind(sink)
    .bind(json(findings)?)
    .fetch_all(conn)
    .await?;
    Ok(told.into_iter().collect())
}

async fn insert_events(conn: &mut SqliteConnection, events: &[Event]) -> Fallible<()> {
    let rows: Vec<(i64, i64)> = events
        .iter()
        .map(|event| Ok((signed(event.sequence)?, nanos(event.time)?)))
        .collect::<Fallible<_>>()?;
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO events (sequence, id, kind, finding, time, body) ",
    );
    query.push_values(events.iter().zip(rows), |mut values, (event, (sequence, time))| {
        values
            .push_bind(sequence)
            .push_bind(event.id.as_str())
            .push_bind(event.kind.as_str())
            .push_bind(event.finding.as_deref())
            .push_bind(time)
            .push_bind(event.body.as_str());
    });
    query.build().execute(conn).await?;
    Ok(())
}

/// Puts events at the end of their findings' lines.
async fn queue_events(
    conn: &mut SqliteConnection,
    sink: i64,
    events: &[&Event],
    at: i64,
) -> Fallible<()> {
    let mut lines = BTreeSet::new();
    for chunk in events.chunks(ROWS) {
        let findings: BTreeSet<&str> = chunk.iter().filter_map(|e| e.finding.as_deref()).collect();
        lines.extend(standing_lines(conn, sink, &findings).await?);
        let rows: Vec<(i64, Option<&str>, bool)> = chunk
            .iter()
            .map(|event| {
                let finding = event.finding.as_deref();
                let first = finding.is_none_or(|finding| lines.insert(finding.to_owned()));
                Ok((signed(event.sequence)?, finding, first))
            })
            .collect::<Fallible<_>>()?;
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO deliveries (sink, sequence, finding, state, next_attempt_at) ",
        );
        query.push_values(rows, |mut values, (sequence, finding, first)| {
            values
                .push_bind(sink)
                .push_bind(sequence)
                .push_bind(finding)
                .push_bind(if first { "pending" } else { "waiting" })
                .push_bind(first.then_some(at));
        });
        query.build().execute(&mut *conn).await?;
    }
    Ok(())
}

/// Which of these findings have unsettled deliveries.
async fn standing_lines(
    conn: &mut SqliteConnection,
    sink: i64,
    findings: &BTreeSet<&str>,
) -> Fallible<Vec<String>> {
    Ok(sqlx::query_scalar(
        "SELECT DISTINCT finding FROM deliveries INDEXED BY deliveries_by_line \
         WHERE sink = ? AND settled_at IS NULL AND finding IS NOT NULL \
         AND finding IN (SELECT value FROM json_each(?))",
    )
    .bind(sink)
    .bind(json(findings)?)
    .fetch_all(conn)
    .await?)
}

/// Makes the first of each line pending, due at `at`, if it was waiting.
async fn advance(
    conn: &mut SqliteConnection,
    sink: i64,
    findings: &BTreeSet<String>,
    at: i64,
) -> Fallible<()> {
    sqlx::query(
        "UPDATE deliveries SET state = 'pending', next_attempt_at = ?1 \
         WHERE sink = ?2 AND state = 'waiting' AND sequence IN \
         (SELECT min(sequence) FROM deliveries INDEXED BY deliveries_by_line \
          WHERE sink = ?2 AND settled_at IS NULL AND finding IS NOT NULL \
          AND finding IN (SELECT value FROM json_each(?3)) GROUP BY finding)",
    )
    .bind(at)
    .bind(sink)
    .bind(json(findings)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// A sink that events were queued for.
async fn sink_number(conn: &mut SqliteConnection, sink: &str) -> Fallible<Option<i64>> {
    Ok(sqlx::query_scalar("SELECT number FROM sinks WHERE name = ?")
        .bind(sink)
        .fetch_optional(conn)
        .await?)
}

fn event(row: &SqliteRow) -> Fallible<Event> {
    Ok(Event {
        sequence: unsigned("event", row.try_get(0)?)?,
        id: row.try_get(1)?,
        kind: row.try_get(2)?,
        finding: row.try_get(3)?,
        time: time(row.try_get(4)?)?,
        body: row.try_get(5)?,
    })
}

/// Events behind a sequence number, in order.
pub(super) async fn events_after(
    conn: &mut SqliteConnection,
    sequence: u64,
    limit: u32,
) -> Fallible<Vec<Event>> {
    let rows = sqlx::query(
        "SELECT sequence, id, kind, finding, time, body FROM events WHERE sequence > ? \
         ORDER BY sequence LIMIT ?",
    )
    .bind(signed(sequence)?)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(event).collect()
}

/// The index is named because the planner, left alone, sorts everything that is due.
pub(super) const DUE: &str = "SELECT e.sequence, e.id, e.kind, e.finding, e.time, e.body, d.attempts \
     FROM deliveries d INDEXED BY deliveries_unsettled \
     CROSS JOIN events e ON e.sequence = d.sequence \
     WHERE d.sink = ? AND d.settled_at IS NULL AND d.state = 'pending' \
     AND d.next_attempt_at <= ? ORDER BY d.sequence LIMIT ?";

pub(super) async fn due(
    conn: &mut SqliteConnection,
    sink: &str,
    now: Timestamp,
    limit: u32,
) -> Fallible<Vec<Delivery>> {
    let Some(sink) = sink_number(conn, sink).await? else { return Ok(Vec::new()) };
    let rows =
        sqlx::query(DUE).bind(sink).bind(nanos_clamped(now)).bind(limit).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(Delivery { event: event(row)?, attempts: unsigned("attempts", row.try_get(6)?)? })
        })
        .collect()
}

/// Records attempts; the lines of findings whose first event settled move up.
pub(super) async fn record(
    conn: &mut SqliteConnection,
    sink: &str,
    attempts: &[Attempt],
) -> Fallible<()> {
    if attempts.is_empty() {
        return Ok(());
    }
    let unknown = || Fault::Refused("an attempt is for a delivery that is not queued".to_owned());
    let sink = sink_number(conn, sink).await?.ok_or_else(unknown)?;
    let mut settled = BTreeSet::new();
    let mut settled_at = i64::MAX;
    let mut delivered = 0;
    for attempt in attempts {
        let finding: Option<String> = settle(conn, sink, attempt).await?.ok_or_else(unknown)?;
        delivered += i64::from(attempt.outcome == Outcome::Delivered);
        if !matches!(attempt.outcome, Outcome::Retry { .. }) {
            settled.extend(finding);
            settled_at = settled_at.min(nanos(attempt.at)?);
        }
    }
    advance(conn, sink, &settled, settled_at).await?;
    sqlx::query("UPDATE sinks SET delivered = delivered + ? WHERE number = ?")
        .bind(delivered)
        .bind(sink)
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes the outcome of one attempt and returns the finding that it belongs to; `None` when no
/// such delivery is open. A delivery that had to stand back while it was under way (its elder was
/// replayed) still takes its outcome.
async fn settle(
    conn: &mut SqliteConnection,
    sink: i64,
    attempt: &Attempt,
) -> Fallible<Option<Option<String>>> {
    let at = nanos(attempt.at)?;
    let query = match &attempt.outcome {
        Outcome::Delivered => sqlx::query_scalar(
            "UPDATE deliveries SET attempts = attempts + 1, state = 'delivered', \
             settled_at = ?3, next_attempt_at = NULL, last_error = NULL \
             WHERE sink = ?1 AND sequence = ?2 AND settled_at IS NULL RETURNING finding",
        )
        .bind(sink)
        .bind(signed(attempt.sequence)?)
        .bind(at),
        Outcome::Retry { at, error } => sqlx::query_scalar(
            "UPDATE deliveries SET attempts = attempts + 1, last_error = ?4, \
             next_attempt_at = CASE state WHEN 'pending' THEN ?3 END \
             WHERE sink = ?1 AND sequence = ?2 AND settled_at IS NULL RETURNING finding",
        )
        .bind(sink)
        .bind(signed(attempt.sequence)?)
        .bind(nanos(*at)?)
        .bind(error.as_str()),
        Outcome::Dead { error } => sqlx::query_scalar(
            "UPDATE deliveries SET attempts = attempts + 1, state = 'dead', \
             settled_at = ?3, next_attempt_at = NULL, last_error = ?4 \
             WHERE sink = ?1 AND sequence = ?2 AND settled_at IS NULL RETURNING finding",
        )
        .bind(sink)
        .bind(signed(attempt.sequence)?)
        .bind(at)
        .bind(error.as_str()),
    };
    Ok(query.fetch_optional(conn).await?)
}

pub(super) const QUEUE: &str = "SELECT s.delivered, \
     (SELECT count(*) FROM deliveries INDEXED BY deliveries_unsettled \
      WHERE sink = s.number AND settled_at IS NULL), \
     (SELECT count(*) FROM deliveries WHERE sink = s.number AND state = 'dead'), \
     (SELECT e.time FROM events e WHERE e.sequence = \
         (SELECT min(sequence) FROM deliveries INDEXED BY deliveries_unsettled \
          WHERE sink = s.number AND settled_at IS NULL)), \
     (SELECT min(next_attempt_at) FROM deliveries \
      WHERE sink = s.number AND state = 'pending') \
     FROM sinks s WHERE s.name = ?";

pub(super) async fn queue(conn: &mut SqliteConnection, sink: &str) -> Fallible<QueueState> {
    let row = sqlx::query(QUEUE).bind(sink).fetch_optional(conn).await?;
    let Some(row) = row else { return Ok(QueueState::default()) };
    Ok(QueueState {
        delivered: unsigned("count", row.try_get(0)?)?,
        pending: unsigned("count", row.try_get(1)?)?,
        dead: unsigned("count", row.try_get(2)?)?,
        oldest_pending_at: maybe_time(row.try_get(3)?)?,
        next_due_at: maybe_time(row.try_get(4)?)?,
    })
}

/// Dead letters in sequence order.
pub(super) async fn dead_letters(
    conn: &mut SqliteConnection,
    sink: &str,
) -> Fallible<Vec<DeadLetter>> {
    let rows = sqlx::query(
        "SELECT e.sequence, e.id, e.kind, e.finding, e.time, e.body, \
         d.attempts, d.settled_at, coalesce(d.last_error, '') \
         FROM deliveries d CROSS JOIN events e ON e.sequence = d.sequence \
         WHERE d.sink = (SELECT number FROM sinks WHERE name = ?) AND d.state = 'dead' \
         ORDER BY d.sequence",
    )
    .bind(sink)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(DeadLetter {
                event: event(row)?,
                attempts: unsigned("attempts", row.try_get(6)?)?,
                failed_at: time(row.try_get(7)?)?,
                error: row.try_get(8)?,
            })
        })
        .collect()
}

/// Puts dead letters back into their lines, at the place that their sequence gives them, with all
/// attempts before them again.
pub(super) async fn replay(
    conn: &mut SqliteConnection,
    sink: &str,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Fallible<u64> {
    let Some(sink) = sink_number(conn, sink).await? else { return Ok(0) };
    let now = nanos(now)?;
    // Events without a finding stand in no line.
    let rows = sqlx::query(
        "UPDATE deliveries SET attempts = 0, settled_at = NULL, \
         state = CASE WHEN finding IS NULL THEN 'pending' ELSE 'waiting' END, \
         next_attempt_at = CASE WHEN finding IS NULL THEN ?2 END \
         WHERE sink = ?1 AND state = 'dead' AND (?3 IS NULL OR settled_at >= ?3) \
         RETURNING finding",
    )
    .bind(sink)
    .bind(now)
    .bind(since.map(nanos_clamped))
    .fetch_all(&mut *conn)
    .await?;
    let findings: BTreeSet<String> = rows
        .iter()
        .map(|row| Ok(row.try_get(0)?))
        .collect::<Fallible<Vec<Option<String>>>>()?
        .into_iter()
        .flatten()
        .collect();
    stand_back(conn, sink, &findings).await?;
    advance(conn, sink, &findings, now).await?;
    u64::try_from(rows.len()).map_err(|_| Fault::Refused("too many dead letters".to_owned()))
}

/// Makes pending deliveries wait that are not the first of their lines any more.
async fn stand_back(
    conn: &mut SqliteConnection,
    sink: i64,
    findings: &BTreeSet<String>,
) -> Fallible<()> {
    sqlx::query(
        "UPDATE deliveries SET state = 'waiting', next_attempt_at = NULL \
         WHERE sink = ?1 AND settled_at IS NULL AND finding IS NOT NULL AND state = 'pending' \
         AND finding IN (SELECT value FROM json_each(?2)) \
         AND EXISTS (SELECT 1 FROM deliveries elder WHERE elder.sink = ?1 \
             AND elder.finding = deliveries.finding AND elder.settled_at IS NULL \
             AND elder.sequence < deliveries.sequence)",
    )
    .bind(sink)
    .bind(json(findings)?)
    .execute(conn)
    .await?;
    Ok(())
}
