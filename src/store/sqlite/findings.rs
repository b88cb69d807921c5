//! Findings and the steps of their lives.

use std::collections::BTreeMap;

use headcount_core::findings::{Finding, Severity, Transition};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::codec::{json, nanos, parse, severity, severity_of, time, transition_kind, unsigned};
use super::fault::{Fallible, Fault};
use crate::store::{Commit, FindingFilter, PastTransition};

const ROWS: usize = 50;

/// Writes every transition, and each finding as its last transition left it. A step that was
/// already taken breaks the primary key and with it the whole commit.
pub(super) async fn write(conn: &mut SqliteConnection, commit: &Commit) -> Fallible<()> {
    let mut latest: BTreeMap<&str, &Finding> = BTreeMap::new();
    for Transition { finding, .. } in &commit.transitions {
        let kept = latest.entry(&finding.id).or_insert(finding);
        if kept.transitions < finding.transitions {
            *kept = finding;
        }
    }
    let latest: Vec<&Finding> = latest.into_values().collect();
    for chunk in latest.chunks(ROWS) {
        write_findings(conn, chunk).await?;
    }
    for chunk in commit.transitions.chunks(ROWS) {
        write_transitions(conn, chunk, &commit.scan).await?;
    }
    Ok(())
}

async fn write_findings(conn: &mut SqliteConnection, findings: &[&Finding]) -> Fallible<()> {
    let texts: Vec<(i64, String)> = findings
        .iter()
        .map(|finding| Ok((nanos(finding.opened_at)?, json(finding)?)))
        .collect::<Fallible<_>>()?;
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO findings (id, rule, source, subject, severity, status, opened_at, doc) ",
    );
    query.push_values(findings.iter().zip(texts), |mut values, (finding, (opened_at, doc))| {
        values
            .push_bind(finding.id.as_str())
            .push_bind(finding.rule.as_str())
            .push_bind(finding.source.as_str())
            .push_bind(finding.subject.as_str())
            .push_bind(severity(finding.severity))
            .push_bind(finding.status.as_str())
            .push_bind(opened_at)
            .push_bind(doc);
    });
    query.push(
        " ON CONFLICT (id) DO UPDATE SET rule = excluded.rule, source = excluded.source, \
         subject = excluded.subject, severity = excluded.severity, status = excluded.status, \
         opened_at = excluded.opened_at, doc = excluded.doc",
    );
    query.build().execute(conn).await?;
    Ok(())
}

async fn write_transitions(
    conn: &mut SqliteConnection,
    transitions: &[Transition],
    scan: &str,
) -> Fallible<()> {
    let times: Vec<i64> =
        transitions.iter().map(|step| nanos(step.finding.updated_at)).collect::<Fallible<_>>()?;
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO transitions (finding, number, kind, at, scan, severity, title, resolution) ",
    );
    query.push_values(transitions.iter().zip(times), |mut values, (step, at)| {
        let finding = &step.finding;
        values
            .push_bind(finding.id.as_str())
            .push_bind(i64::from(finding.transitions))
            .push_bind(step.kind.as_str())
            .push_bind(at)
            .push_bind(scan)
            .push_bind(severity(finding.severity))
            .push_bind(finding.title.as_str())
            .push_bind(finding.resolution.as_deref());
    });
    query.build().execute(conn).await?;
    Ok(())
}

/// All findings on these subjects, in id order.
pub(super) async fn on(conn: &mut SqliteConnection, subjects: &[String]) -> Fallible<Vec<Finding>> {
    let rows = sqlx::query(
        "SELECT doc FROM findings WHERE subject IN (SELECT value FROM json_each(?)) ORDER BY id",
    )
    .bind(json(subjects)?)
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| parse("finding", row.try_get(0)?)).collect()
}

pub(super) async fn list(
    conn: &mut SqliteConnection,
    filter: &FindingFilter,
) -> Fallible<Vec<Finding>> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT doc FROM findings WHERE true");
    if let Some(status) = filter.status {
        query.push(" AND status = ").push_bind(status.as_str());
    }
    for (column, value) in
        [("rule", &filter.rule), ("source", &filter.source), ("subject", &filter.subject)]
    {
        if let Some(value) = value {
            query.push(format_args!(" AND {column} = ")).push_bind(value.as_str());
        }
    }
    if let Some(least) = filter.at_least {
        query.push(" AND severity >= ").push_bind(severity(least));
    }
    query.push(" ORDER BY severity DESC, opened_at, id");
    let rows = query.build().fetch_all(conn).await?;
    rows.iter().map(|row| parse("finding", row.try_get(0)?)).collect()
}

pub(super) async fn one(
    conn: &mut SqliteConnection,
    id: &str,
) -> Fallible<Option<(Finding, Vec<PastTransition>)>> {
    let Some(doc) = sqlx::query_scalar::<_, String>("SELECT doc FROM findings WHERE id = ?")
        .bind(id)
        .fetch_optional(&mut *conn)
        .await?
    else {
        return Ok(None);
    };
    let rows = sqlx::query(
        "SELECT number, kind, at, severity, title, resolution FROM transitions \
         WHERE finding = ? ORDER BY number",
    )
    .bind(id)
    .fetch_all(conn)
    .await?;
    let steps = rows
        .iter()
        .map(|row| {
            Ok(PastTransition {
                number: u32::try_from(row.try_get::<i64, _>(0)?)
                    .map_err(|_| Fault::damaged("transition", "its number is out of range"))?,
                kind: transition_kind(row.try_get(1)?)?,
                at: time(row.try_get(2)?)?,
                severity: severity_of(row.try_get(3)?)?,
                title: row.try_get(4)?,
                resolution: row.try_get(5)?,
            })
        })
        .collect::<Fallible<_>>()?;
    Ok(Some((parse("finding", &doc)?, steps)))
}

pub(super) const COUNT_OPEN: &str = "SELECT rule, severity, source, count(*) \
     FROM findings INDEXED BY findings_by_count WHERE status = 'open' GROUP BY rule, severity, source";

/// Open findings by (rule, severity, source).
pub(super) async fn count_open(
    conn: &mut SqliteConnection,
) -> Fallible<BTreeMap<(String, Severity, String), u64>> {
    let rows = sqlx::query(COUNT_OPEN).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            let key = (row.try_get(0)?, severity_of(row.try_get(1)?)?, row.try_get(2)?);
            Ok((key, unsigned("count", row.try_get(3)?)?))
        })
        .collect()
}
