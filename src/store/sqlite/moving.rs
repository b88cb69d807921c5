//! What moves without a new version: use, owners, times of judgement. Many rows travel to one
//! statement as a JSON array.

use std::collections::{BTreeMap, BTreeSet};

use headcount_core::reconcile::key;
use headcount_sdk::RecordId;
use sqlx::SqliteConnection;

use super::codec::{self, history, json, nanos_clamped};
use super::fault::{Fallible, Fault};
use super::records::{BATCH, standing};
use crate::store::{Commit, Judged, Used};

/// Updates use in place; the fingerprint and the document stay as they are.
pub(super) async fn use_of(conn: &mut SqliteConnection, used: &[Used]) -> Fallible<()> {
    let used: BTreeMap<&RecordId, &Used> = used.iter().map(|used| (&used.id, used)).collect();
    let used: Vec<&Used> = used.into_values().collect();
    for chunk in used.chunks(BATCH) {
        let ids: Vec<&RecordId> = chunk.iter().map(|used| &used.id).collect();
        let standing = standing(conn, &ids).await?;
        let mut usages = Vec::with_capacity(chunk.len());
        let mut marks = Vec::with_capacity(chunk.len());
        for used in chunk {
            let Some(row) = standing.get(used.id.as_str()) else {
                return Err(Fault::Refused("a record that was used is not there".to_owned()));
            };
            let history = history(&used.history, &used.usage)?;
            let last = codec::used(&used.usage);
            usages.push((row.number, json(&used.usage)?, history, last));
            let (key, hash) = (key(&used.id), used.usage_hash);
            marks.push((row.scope, format!("{key:032x}"), format!("{hash:016x}")));
        }
        marks.sort_unstable();
        sqlx::query(
            "UPDATE records SET usage = j.usage, history = j.history, used = j.used FROM \
             (SELECT value ->> 0 AS number, value ->> 1 AS usage, value ->> 2 AS history, \
                     value ->> 3 AS used FROM json_each(?)) j \
             WHERE records.number = j.number",
        )
        .bind(json(&usages)?)
        .execute(&mut *conn)
        .await?;
        sqlx::query(
            "UPDATE fingerprints SET usage = unhex(j.usage) FROM \
             (SELECT value ->> 0 AS scope, unhex(value ->> 1) AS key, value ->> 2 AS usage \
              FROM json_each(?)) j \
             WHERE fingerprints.scope = j.scope AND fingerprints.key = j.key",
        )
        .bind(json(&marks)?)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Owners and judgement times of records that this commit did not write. A record that is not
/// there any more has nothing left to judge.
pub(super) async fn judge(conn: &mut SqliteConnection, commit: &Commit) -> Fallible<()> {
    let written: BTreeSet<&RecordId> = commit.written.iter().map(|w| w.record.id()).collect();
    let judged: BTreeMap<&RecordId, &Judged> = commit
        .judged
        .iter()
        .filter(|judged| !written.contains(&judged.id))
        .map(|judged| (&judged.id, judged))
        .collect();
    let judged: Vec<&Judged> = judged.into_values().collect();
    for chunk in judged.chunks(BATCH) {
        let rows: Vec<(&RecordId, Option<String>, Option<i64>)> = chunk
            .iter()
            .map(|judged| {
                let owner = judged.owner.as_ref().map(json).transpose()?;
                Ok((&judged.id, owner, judged.next_at.map(nanos_clamped)))
            })
            .collect::<Fallible<_>>()?;
        sqlx::query(
            "UPDATE records SET owner = j.owner, owned = j.owner IS NOT NULL, next_judgement = j.next FROM \
             (SELECT value ->> 0 AS id, value ->> 1 AS owner, value ->> 2 AS next \
              FROM json_each(?)) j \
             WHERE records.id = j.id",
        )
        .bind(json(&rows)?)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
