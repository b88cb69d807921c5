//! Who owns a repository: custom properties in one list, files by GraphQL, teams by a rolling sweep.

use std::collections::{BTreeMap, BTreeSet};

use headcount_sdk::{Observation, OwnerBasis, OwnerEvidence, ScanError};

use super::files::FileOwners;
use super::repositories::{Repositories, repository_path};
use super::sweep::{Sweep, Unit};
use super::{Below, Collector, below, missing};
use crate::client::List;
use crate::client::error::unavailable;
use crate::normalize::owner;
use crate::normalize::repository::Row;
use crate::wire::{Properties, Team};

pub(super) const PROPERTIES: Below =
    below("GET /orgs/{org}/properties/values", "/properties/values", None);
pub(super) const TEAMS: &str = "GET /repos/{owner}/{repo}/teams";

type Labels = BTreeMap<String, String>;

/// Everything that was found out about owners, and what could not be.
pub(super) struct Owners<'a> {
    organization: &'a str,
    owner_properties: &'a [String],
    labels: Result<BTreeMap<u64, Labels>, ScanError>,
    files: FileOwners,
    files_hidden: Option<ScanError>,
    teams: BTreeMap<u64, Vec<String>>,
    teams_failed: Option<ScanError>,
}

impl Owners<'_> {
    /// Puts labels and claims on a repository, and names what could not be read.
    pub(super) fn put(&self, row: &Row, observation: &mut Observation) {
        if let Ok(labels) = &self.labels {
            observation.labels = labels.get(&row.id).cloned().unwrap_or_default();
        }
        observation.owner_evidence = self.claims(row, &observation.labels);
        let mut hide = |field: &str, error: &ScanError| {
            observation.unread.insert(field.to_owned(), missing(error));
        };
        if let Err(error) = &self.labels {
            hide("labels", error);
            hide("owner_evidence", error);
        }
        if let Some(error) = self.files.unread.get(&row.id).or(self.files_hidden.as_ref()) {
            hide("owner_evidence", error);
        }
        if !self.teams.contains_key(&row.id) {
            let waits = || unavailable(TEAMS, "the sweep has not come by yet");
            hide("owner_evidence", &self.teams_failed.clone().unwrap_or_else(waits));
        }
    }

    fn claims(&self, row: &Row, labels: &Labels) -> Vec<OwnerEvidence> {
        let mut claims = owner::from_labels(labels, self.owner_properties);
        let named = self.files.named.get(&row.id).into_iter().flatten();
        claims.extend(
            named.map(|n| {
                headcount_sdk::owner::claim(&n.reference, OwnerBasis::Catalog, &n.locator)
            }),
        );
        let slugs = self.teams.get(&row.id).into_iter().flatten();
        claims.extend(slugs.map(|slug| {
            let team = format!("{}/{slug}", self.organization);
            headcount_sdk::owner::claim(
                &team,
                OwnerBasis::Container,
                "team that administers the repository",
            )
        }));
        claims
    }

    /// What failed, by the field that is the poorer for it.
    pub(super) fn faults(self) -> Vec<(&'static str, ScanError)> {
        let files = self.files.unread.into_values().next().or(self.files_hidden);
        let faults = [
            ("labels", self.labels.err()),
            ("owner_evidence", files),
            ("owner_evidence", self.teams_failed),
        ];
        faults.into_iter().filter_map(|(field, error)| Some((field, error?))).collect()
    }
}

impl Collector<'_> {
    pub(super) async fn owners(&self, read: &Repositories) -> Owners<'_> {
        let labels = self.properties().await;
        let files = self.files(read).await;
        let (teams, teams_failed) = self.teams(&read.rows).await;
        Owners {
            organization: &self.organization.login,
            owner_properties: &self.config.owner_properties,
            labels,
            files,
            files_hidden: read.files_hidden.clone(),
            teams,
            teams_failed,
        }
    }

    /// Custom properties as labels, by repository.
    async fn properties(&self) -> Result<BTreeMap<u64, BTreeMap<String, String>>, ScanError> {
        let rows: Vec<Properties> = self.list(PROPERTIES).await?;
        Ok(rows.iter().map(|row| (row.repository_id, owner::labels(&row.properties))).collect())
    }

    /// Slugs of the teams that administer each repository, as far as the sweep has come.
    async fn teams(&self, rows: &[Row]) -> (BTreeMap<u64, Vec<String>>, Option<ScanError>) {
        let (mut sweep, mut known): (Sweep, BTreeMap<u64, Vec<String>>) =
            self.cached("teams").await.unwrap_or_default();
        let units: Vec<Unit> = rows.iter().map(|row| self.unit(row)).collect();
        let again = self.confirming().then_some(self.cx.scan.as_str());
        let mut failed = None;
        for unit in sweep.choose(&units, again).into_iter().cloned().collect::<Vec<_>>() {
            let Some(row) = rows.iter().find(|row| row.id == unit.key) else { continue };
            let path = repository_path(row, "/teams");
            let list = List { operation: TEAMS, path: &path, key: None };
            match self.organization.list::<Team>(list).await {
                Ok(teams) => {
                    let admin = |team: &Team| team.permission.as_deref() == Some("admin");
                    let slugs = teams.into_iter().filter(admin).map(|team| team.slug).collect();
                    known.insert(row.id, slugs);
                    sweep.visited(&unit, self.cx.now, &self.cx.scan);
                }
                // Gone since it was listed; the next scan will not list it.
                Err(ScanError::NotSupported { .. }) => {}
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let there: BTreeSet<u64> = rows.iter().map(|row| row.id).collect();
        known.retain(|id, _| there.contains(id));
        self.keep("teams", &(&sweep, &known)).await;
        (known, failed)
    }
}
