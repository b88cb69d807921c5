//! Scopes of secrets, webhooks, runners and registries: of the organisation in one list each, of
//! repositories and environments by a rolling sweep.

use std::collections::BTreeSet;

use headcount_sdk::{Complete, Observation, RecordId, Recorder, ScanError};

use super::repositories::repository_path;
use super::sweep::{Sweep, Unit};
use super::{Below, Collector, OIDC, below};
use crate::client::error::not_supported;
use crate::client::{List, segment};
use crate::normalize::evidence;
use crate::normalize::holdings::{self, Holder};
use crate::normalize::repository::Row;
use crate::wire::{Hook, Registry, Runner, RunnerGroup, Secret};

pub(super) const HOOKS: Below = below("GET /orgs/{org}/hooks", "/hooks", None);
pub(super) const RUNNERS: Below =
    below("GET /orgs/{org}/actions/runners", "/actions/runners", Some("runners"));
pub(super) const GROUPS: Below =
    below("GET /orgs/{org}/actions/runner-groups", "/actions/runner-groups", Some("runner_groups"));
pub(super) const REGISTRIES: Below =
    below("GET /orgs/{org}/private-registries", "/private-registries", Some("configurations"));

/// The list of an organisation's secrets of one store, and the kind of record.
pub(super) fn organization_secrets(store: &str) -> Option<(Below, &'static str)> {
    let (operation, tail, kind) = match store {
        "actions" => ("GET /orgs/{org}/actions/secrets", "/actions/secrets", "actions-secret"),
        "dependabot" => {
            ("GET /orgs/{org}/dependabot/secrets", "/dependabot/secrets", "dependabot-secret")
        }
        "codespaces" => {
            ("GET /orgs/{org}/codespaces/secrets", "/codespaces/secrets", "codespaces-secret")
        }
        "agents" => ("GET /orgs/{org}/agents/secrets", "/agents/secrets", "agents-secret"),
        _ => return None,
    };
    Some((below(operation, tail, Some("secrets")), kind))
}

/// What is listed of each repository or environment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    pub(super) scope: &'static str,
    pub(super) operation: &'static str,
    pub(super) tail: &'static str,
    of: Of,
    kind: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Secrets,
    EnvironmentSecrets,
    Hooks,
    Runners,
}

/// Every family that is swept.
pub(super) const FAMILIES: &[Family] = &[
    Family {
        scope: "repository-actions-secrets",
        operation: "GET /repos/{owner}/{repo}/actions/secrets",
        tail: "/actions/secrets",
        of: Of::Secrets,
        kind: "actions-secret",
    },
    Family {
        scope: "repository-dependabot-secrets",
        operation: "GET /repos/{owner}/{repo}/dependabot/secrets",
        tail: "/dependabot/secrets",
        of: Of::Secrets,
        kind: "dependabot-secret",
    },
    Family {
        scope: "repository-agents-secrets",
        operation: "GET /repos/{owner}/{repo}/agents/secrets",
        tail: "/agents/secrets",
        of: Of::Secrets,
        kind: "agents-secret",
    },
    Family {
        scope: "environment-secrets",
        operation: "GET /repos/{owner}/{repo}/environments/{environment_name}/secrets",
        tail: "/secrets",
        of: Of::EnvironmentSecrets,
        kind: "actions-secret",
    },
    Family {
        scope: "repository-webhooks",
        operation: "GET /repos/{owner}/{repo}/hooks",
        tail: "/hooks",
        of: Of::Hooks,
        kind: "webhook",
    },
    Family {
        scope: "repository-runners",
        operation: "GET /repos/{owner}/{repo}/actions/runners",
        tail: "/actions/runners",
        of: Of::Runners,
        kind: "self-hosted-runner",
    },
];

impl Family {
    /// The member of an answer that holds the rows.
    const fn key(self) -> Option<&'static str> {
        match self.of {
            Of::Secrets | Of::EnvironmentSecrets => Some("secrets"),
            Of::Runners => Some("runners"),
            Of::Hooks => None,
        }
    }
}

pub(super) fn family(scope: &str) -> Option<Family> {
    FAMILIES.iter().find(|family| family.scope == scope).copied()
}

/// Something to visit, and how it is asked for.
struct Stop {
    unit: Unit,
    holder: Holder,
    path: String,
}

/// How a sweep went.
#[derive(Default)]
struct Tour {
    proven: BTreeSet<RecordId>,
    refused: Option<ScanError>,
    refusals: usize,
}

/// Refusals in a row from the first visit on, after which nobody else is asked.
const ENOUGH: usize = 3;

impl Collector<'_> {
    pub(super) async fn organization_secrets(
        &self,
        store: &'static str,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let known = organization_secrets(store);
        let (list, kind) =
            known.ok_or_else(|| not_supported("observe", "there is no such scope"))?;
        let holder = Holder::organization(&self.organization.login);
        for row in self.list::<Secret>(list).await? {
            let observation = holdings::secret(self.place(), kind, &holder, &row);
            self.record(observation, list.operation, &mut recorder);
        }
        Ok(recorder.complete())
    }

    pub(super) async fn webhooks(&self, mut recorder: Recorder<'_>) -> Result<Complete, ScanError> {
        let holder = Holder::organization(&self.organization.login);
        for row in self.list::<Hook>(HOOKS).await? {
            let observation = holdings::webhook(self.place(), &holder, &row);
            self.record(observation, HOOKS.operation, &mut recorder);
        }
        Ok(recorder.complete())
    }

    /// Groups, and runners that stay. Ephemeral ones come and go with every job: their group
    /// stands for them.
    pub(super) async fn runners(&self, mut recorder: Recorder<'_>) -> Result<Complete, ScanError> {
        let groups: Vec<RunnerGroup> = self.list(GROUPS).await?;
        let runners: Vec<Runner> = self.list(RUNNERS).await?;
        let holder = Holder::organization(&self.organization.login);
        for row in &groups {
            let observation = holdings::runner_group(self.place(), &self.organization.login, row);
            self.record(observation, GROUPS.operation, &mut recorder);
        }
        for row in runners.iter().filter(|row| row.ephemeral != Some(true)) {
            let observation = holdings::runner(self.place(), &holder, row);
            self.record(observation, RUNNERS.operation, &mut recorder);
        }
        Ok(recorder.complete())
    }

    pub(super) async fn registries(
        &self,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        for row in self.list::<Registry>(REGISTRIES).await? {
            let observation = holdings::registry(self.place(), &self.organization.login, &row);
            self.record(observation, REGISTRIES.operation, &mut recorder);
        }
        Ok(recorder.complete())
    }

    pub(super) async fn oidc_templates(
        &self,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let template = self.oidc().await?;
        let observation = holdings::oidc_template(self.place(), &self.address.issuer(), &template);
        self.record(observation, OIDC, &mut recorder);
        Ok(recorder.complete())
    }

    fn record(&self, mut observation: Observation, operation: &str, recorder: &mut Recorder<'_>) {
        let object = observation.native.clone();
        observation.evidence.push(evidence(operation, &object, self.cx.now));
        recorder.record(observation);
    }

    /// Visits those whose turn it is, and vouches for them and for those that are gone.
    pub(super) async fn swept(
        &self,
        scope: &str,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let family =
            family(scope).ok_or_else(|| not_supported("observe", "there is no such scope"))?;
        if family.of == Of::EnvironmentSecrets {
            self.may_see_environments()?;
        }
        let read = self.repository_rows().await?;
        let stops: Vec<Stop> = read.rows.iter().flat_map(|row| self.stops(family, row)).collect();
        let units: Vec<Unit> = stops.iter().map(|stop| stop.unit.clone()).collect();
        let mut sweep: Sweep = self.cached(family.scope).await.unwrap_or_default();
        let again = self.confirming().then_some(self.cx.scan.as_str());
        let chosen: BTreeSet<u64> =
            sweep.choose(&units, again).iter().map(|unit| unit.key).collect();
        let mut tour = Tour::default();
        let mut failed = None;
        for stop in stops.iter().filter(|stop| chosen.contains(&stop.unit.key)) {
            match self.visit(family, stop, &mut tour, &mut recorder).await {
                Ok(()) => sweep.visited(&stop.unit, self.cx.now, &self.cx.scan),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let nobody = tour.proven.is_empty();
        let whole = self.organization.sees_all_repositories;
        if whole && failed.is_none() {
            let gone = sweep.departed(&units, self.cx.now).into_iter();
            tour.proven.extend(gone.map(|key| self.parent(family, key)));
        }
        let outstanding = sweep.outstanding(&units);
        self.keep(family.scope, &sweep).await;
        let refused = tour.refused.filter(|_| nobody);
        if let Some(error) = failed.or(refused) {
            return Err(error);
        }
        if whole && tour.refusals == 0 && chosen.len() == units.len() {
            return Ok(recorder.complete());
        }
        Ok(recorder.complete_for_parents(tour.proven, outstanding))
    }

    /// One visit. A refusal may be about this one alone, which was deleted or locked since it was
    /// listed: then it is left out of the proof. Were it about all, the first would be refused too.
    async fn visit(
        &self,
        family: Family,
        stop: &Stop,
        tour: &mut Tour,
        recorder: &mut Recorder<'_>,
    ) -> Result<(), ScanError> {
        match self.rows_of(family, stop).await {
            Ok(found) => {
                tour.proven.insert(stop.unit.record.clone());
                for observation in found {
                    self.record(observation, family.operation, recorder);
                }
                Ok(())
            }
            Err(error @ (ScanError::Denied { .. } | ScanError::NotSupported { .. })) => {
                tour.refusals += 1;
                if tour.proven.is_empty() && tour.refusals >= ENOUGH {
                    return Err(error);
                }
                tour.refused = Some(error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn rows_of(&self, family: Family, stop: &Stop) -> Result<Vec<Observation>, ScanError> {
        let list = List { operation: family.operation, path: &stop.path, key: family.key() };
        let (place, holder) = (self.place(), &stop.holder);
        Ok(match family.of {
            Of::Secrets | Of::EnvironmentSecrets => {
                let rows: Vec<Secret> = self.organization.list(list).await?;
                rows.iter().map(|row| holdings::secret(place, family.kind, holder, row)).collect()
            }
            Of::Hooks => {
                let rows: Vec<Hook> = self.organization.list(list).await?;
                rows.iter().map(|row| holdings::webhook(place, holder, row)).collect()
            }
            Of::Runners => {
                let rows: Vec<Runner> = self.organization.list(list).await?;
                let stays = rows.iter().filter(|row| row.ephemeral != Some(true));
                stays.map(|row| holdings::runner(place, holder, row)).collect()
            }
        })
    }

    fn parent(&self, family: Family, key: u64) -> RecordId {
        match family.of {
            Of::EnvironmentSecrets => self.place().environment(key),
            Of::Secrets | Of::Hooks | Of::Runners => self.place().repository(key),
        }
    }

    /// What there is to visit of one repository.
    fn stops(&self, family: Family, row: &Row) -> Vec<Stop> {
        if family.of != Of::EnvironmentSecrets {
            let holder = Holder::repository(self.place(), row.id, &row.full_name);
            return vec![Stop {
                unit: self.unit(row),
                holder,
                path: repository_path(row, family.tail),
            }];
        }
        let stop = |environment: &crate::wire::EnvironmentNode| {
            let tail = format!("/environments/{}{}", segment(&environment.name), family.tail);
            let name = format!("{}/environments/{}", row.full_name, environment.name);
            let record = self.place().environment(environment.database_id);
            Stop {
                unit: Unit { key: environment.database_id, record, ..self.unit(row) },
                holder: Holder::environment(self.place(), environment.database_id, &name),
                path: repository_path(row, &tail),
            }
        };
        row.environments.iter().map(stop).collect()
    }

    /// Tries a family on the first thing there is to visit of a repository.
    pub(super) async fn try_family(
        &self,
        family: Family,
        rows: &[Row],
    ) -> Option<Result<(), ScanError>> {
        let stop = rows.iter().flat_map(|row| self.stops(family, row)).next()?;
        let list = List { operation: family.operation, path: &stop.path, key: family.key() };
        Some(self.organization.first::<serde::de::IgnoredAny>(list).await.map(drop))
    }

    /// Lists what the repositories hold that hints name; the proof is for these alone.
    pub(super) async fn refresh_swept(
        &self,
        scope: &str,
        rows: &[&Row],
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let whole = || not_supported("refresh", "the scope is read as a whole");
        let family = family(scope).ok_or_else(whole)?;
        let sweep: Option<Sweep> = self.cached(family.scope).await;
        let (mut proven, mut seen) = (BTreeSet::new(), BTreeSet::new());
        for stop in rows.iter().flat_map(|row| self.stops(family, row)) {
            for observation in self.rows_of(family, &stop).await? {
                seen.insert(observation.id.clone());
                self.record(observation, family.operation, &mut recorder);
            }
            proven.insert(stop.unit.record);
        }
        let known: Vec<Row> = self.cached("repositories").await.unwrap_or_default();
        let units = known.iter().flat_map(|row| self.stops(family, row)).map(|stop| stop.unit);
        let units: Vec<Unit> = units.collect();
        Ok(match sweep {
            Some(sweep) => recorder.complete_for_parents(proven, sweep.outstanding(&units)),
            // Nobody knows how far the sweep is; so much is certain.
            None => recorder.complete_for_records(seen),
        })
    }
}
