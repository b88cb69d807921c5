//! Scope `deploy-keys`. The bulk query shows which keys there are, but neither who added them nor
//! when they were last used; a call per repository does, made where the keys changed and, for
//! their use, by a rolling sweep.

use std::collections::{BTreeMap, BTreeSet};

use headcount_sdk::{Complete, RecordId, Recorder, ScanError};
use serde::{Deserialize, Serialize};

use super::repositories::repository_path;
use super::sweep::{Sweep, Unit};
use super::tokens::note_hidden;
use super::{Collector, missing};
use crate::client::List;
use crate::client::error::{denied, permission};
use crate::normalize::evidence;
use crate::normalize::holdings::{self, Holder};
use crate::normalize::people::People;
use crate::normalize::repository::Row;
use crate::wire::DeployKey;

pub(super) const KEYS: &str = "GET /repos/{owner}/{repo}/keys";

/// The keys of repositories as last listed.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    sweep: Sweep,
    keys: BTreeMap<u64, Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    /// Of the keys as the bulk query showed them.
    fingerprint: Option<String>,
    keys: Vec<DeployKey>,
}

impl Collector<'_> {
    pub(super) async fn deploy_keys(
        &self,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        // Without the permission the bulk query may show no keys where there are some.
        if self.organization.grant(permission(KEYS)) == Some(false) {
            return Err(denied(KEYS));
        }
        let read = self.repository_rows().await?;
        let mut kept: Kept = self.cached("deploy-keys").await.unwrap_or_default();
        let had = |row: &&Row| kept.keys.get(&row.id).is_some_and(|entry| !entry.keys.is_empty());
        // That the last key of a repository is gone is asked for once more.
        let holders: Vec<&Row> =
            read.rows.iter().filter(|row| row.deploy_keys > 0 || had(row)).collect();
        let listed = self.list_keys(&holders, &mut kept).await;
        kept.keys.retain(|id, _| holders.iter().any(|row| row.id == *id));
        self.keep("deploy-keys", &kept).await;
        let gone = listed?;
        let trusted = self.organization.is_app();
        let (people, hidden) = self.people().await;
        let mut named = 0;
        for row in holders.iter().filter(|row| !gone.contains(&row.id)) {
            let keys = kept.keys.get(&row.id).into_iter().flat_map(|entry| &entry.keys);
            for key in keys {
                named += usize::from(key.added_by.is_some());
                self.record_key(row, key, &people, &mut recorder);
            }
        }
        note_hidden(&mut recorder, named, hidden);
        if gone.is_empty() && self.organization.sees_all_repositories {
            return Ok(recorder.complete());
        }
        // A token that may not administer a repository is shown none of its keys either.
        let seen = read
            .rows
            .iter()
            .filter(|row| trusted || row.deploy_keys > 0 || kept.keys.contains_key(&row.id));
        let seen = seen.filter(|row| !gone.contains(&row.id));
        let parents = seen.map(|row| self.place().repository(row.id)).collect();
        Ok(recorder.complete_for_parents(parents, 0))
    }

    /// Lists the keys of repositories whose keys changed or whose turn it is. Those that are gone
    /// since they were listed are handed back.
    async fn list_keys(
        &self,
        holders: &[&Row],
        kept: &mut Kept,
    ) -> Result<BTreeSet<u64>, ScanError> {
        let units: Vec<Unit> = holders
            .iter()
            .map(|row| Unit { fingerprint: String::new(), frozen: false, ..self.unit(row) })
            .collect();
        let again = self.confirming().then_some(self.cx.scan.as_str());
        let turns: BTreeSet<u64> =
            kept.sweep.choose(&units, again).iter().map(|unit| unit.key).collect();
        let mut gone = BTreeSet::new();
        for (row, unit) in holders.iter().zip(&units) {
            let entry = kept.keys.get(&row.id);
            let unchanged = |entry: &Entry| {
                entry.fingerprint.is_some() && entry.fingerprint == row.deploy_key_fingerprint
            };
            if entry.is_some_and(unchanged) && !turns.contains(&row.id) {
                continue;
            }
            match self.keys_of(row).await {
                Ok(keys) => {
                    let fingerprint = row.deploy_key_fingerprint.clone();
                    kept.keys.insert(row.id, Entry { fingerprint, keys });
                    kept.sweep.visited(unit, self.cx.now, &self.cx.scan);
                }
                Err(ScanError::NotSupported { .. }) => drop(gone.insert(row.id)),
                Err(error) => return Err(error),
            }
        }
        Ok(gone)
    }

    async fn keys_of(&self, row: &Row) -> Result<Vec<DeployKey>, ScanError> {
        let path = repository_path(row, "/keys");
        self.organization.list(List { operation: KEYS, path: &path, key: None }).await
    }

    fn record_key(
        &self,
        row: &Row,
        key: &DeployKey,
        people: &People,
        recorder: &mut Recorder<'_>,
    ) -> RecordId {
        let holder = Holder::repository(self.place(), row.id, &row.full_name);
        let mut observation = holdings::deploy_key(self.place(), &holder, key, people);
        observation.evidence.push(evidence(KEYS, &observation.native.clone(), self.cx.now));
        let id = observation.id.clone();
        recorder.record(observation);
        id
    }

    /// Lists the keys of the repositories that hints name; the proof is for these alone.
    pub(super) async fn refresh_deploy_keys(
        &self,
        rows: &[&Row],
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let (people, hidden) = self.people().await;
        let mut parents = BTreeSet::new();
        let mut kept: Kept = self.cached("deploy-keys").await.unwrap_or_default();
        for row in rows {
            let keys = self.keys_of(row).await?;
            for key in &keys {
                self.record_key(row, key, &people, &mut recorder);
            }
            // Without the fingerprint of a bulk answer the next scan lists them once more.
            kept.keys.insert(row.id, Entry { fingerprint: None, keys });
            parents.insert(self.place().repository(row.id));
        }
        self.keep("deploy-keys", &kept).await;
        if let Some(error) = hidden {
            tracing::debug!(missing = missing(&error), "nobody can say who has left");
            recorder.degrade("owner_standing", error);
        }
        Ok(recorder.complete_for_parents(parents, 0))
    }
}
