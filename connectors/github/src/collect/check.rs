//! Proves each permission with the first call that a scan would make of it.

use headcount_sdk::{Probe, ProbeOutcome, ScanError};
use serde::de::IgnoredAny;

use super::apps::{APP, AUDIT, INSTALLATIONS, STATS};
use super::deploy_keys::KEYS;
use super::holdings::{FAMILIES, GROUPS, HOOKS, REGISTRIES, RUNNERS, organization_secrets};
use super::repositories::{ENVIRONMENTS, FILES, PROPERTIES, TEAMS, repository_path};
use super::tokens::{AUTHORIZATIONS, GRANTS, REQUESTS};
use super::{Below, Collector, OIDC, below};
use crate::client::error::{not_supported, permission};
use crate::client::graphql::GRAPHQL;
use crate::client::{List, segment};
use crate::normalize::repository::Row;
use crate::wire::Installation;

/// A place, or all of them, that could not be opened.
pub(crate) fn failed(place: &str, error: ScanError) -> Probe {
    let operation = error.operation().to_owned();
    Probe {
        place: place.to_owned(),
        permission: match &error {
            ScanError::Denied { permission, .. } => permission.clone(),
            _ => permission(&operation).to_owned(),
        },
        operation,
        outcome: ProbeOutcome::Failed(error),
    }
}

impl Collector<'_> {
    pub(crate) async fn check(&self) -> Vec<Probe> {
        let mut probes = vec![self.probe("GET /orgs/{org}", Ok(()))];
        let people = [
            below("GET /orgs/{org}/members", "/members", None),
            below("GET /orgs/{org}/outside_collaborators", "/outside_collaborators", None),
        ];
        for list in people {
            let hidden = !self.organization.sees_all_members;
            let tried = if hidden {
                Err(crate::client::error::denied(list.operation))
            } else {
                self.try_list(list).await
            };
            probes.push(self.probe(list.operation, tried));
        }
        for list in [GRANTS, REQUESTS] {
            let tried = if self.organization.is_app() {
                self.try_list(list).await
            } else {
                Err(not_supported(list.operation, "only a GitHub App may list these"))
            };
            probes.push(self.probe(list.operation, tried));
        }
        let stores = ["actions", "dependabot", "codespaces", "agents"];
        let stores = stores.into_iter().filter_map(organization_secrets).map(|(list, _)| list);
        let lists = [AUTHORIZATIONS, PROPERTIES, HOOKS, RUNNERS, GROUPS, REGISTRIES];
        for list in lists.into_iter().chain(stores) {
            let tried = self.try_list(list).await;
            probes.push(self.probe(list.operation, tried));
        }
        probes.push(self.probe(OIDC, self.oidc().await.map(drop)));
        self.check_apps(&mut probes).await;
        self.check_repositories(&mut probes).await;
        probes
    }

    fn probe(&self, operation: &str, tried: Result<(), ScanError>) -> Probe {
        Probe {
            place: self.place().to_string(),
            operation: operation.to_owned(),
            permission: permission(operation).to_owned(),
            outcome: match tried {
                Ok(()) => ProbeOutcome::Granted,
                Err(error) => ProbeOutcome::Failed(error),
            },
        }
    }

    fn not_tried(&self, operation: &str, why: &str) -> Probe {
        let outcome = ProbeOutcome::NotTried(why.to_owned());
        Probe { outcome, ..self.probe(operation, Ok(())) }
    }

    async fn try_list(&self, list: Below) -> Result<(), ScanError> {
        let path = self.organization.path(list.tail);
        let list = List { operation: list.operation, path: &path, key: list.key };
        self.organization.first::<IgnoredAny>(list).await.map(drop)
    }

    async fn check_apps(&self, probes: &mut Vec<Probe>) {
        let path = self.organization.path(INSTALLATIONS.tail);
        let list = List { operation: INSTALLATIONS.operation, path: &path, key: INSTALLATIONS.key };
        let installed = self.organization.first::<Installation>(list).await;
        let slug =
            installed.as_ref().ok().and_then(|rows| rows.iter().find_map(|r| r.app_slug.clone()));
        probes.push(self.probe(INSTALLATIONS.operation, installed.map(drop)));
        probes.push(match slug {
            Some(slug) => {
                let path = format!("/apps/{}", segment(&slug));
                let tried = self.organization.one::<IgnoredAny>(APP, path).await;
                self.probe(APP, tried.map(drop))
            }
            None => self.not_tried(APP, "no App is installed"),
        });
        let stats = below(STATS, "/insights/api/subject-stats?min_timestamp=", None);
        let since = self.cx.now - jiff::SignedDuration::from_hours(1);
        let path =
            self.organization.path(&format!("{}{}", stats.tail, segment(&since.to_string())));
        let list = List { operation: STATS, path: &path, key: None };
        let tried = self.organization.first::<IgnoredAny>(list).await.map(drop);
        probes.push(self.probe(STATS, tried));
        let tried = self.try_list(below(AUDIT, "/audit-log", None)).await;
        probes.push(self.probe(AUDIT, tried));
    }

    async fn check_repositories(&self, probes: &mut Vec<Probe>) {
        let read = self.repository_rows().await;
        let rows: &[Row] = read.as_ref().map_or(&[], |read| &read.rows);
        probes.push(self.probe(GRAPHQL, read.as_ref().map(drop).map_err(Clone::clone)));
        if let Ok(read) = &read {
            let files = read.files_hidden.clone();
            probes.push(self.probe(FILES, files.map_or(Ok(()), Err)));
        }
        let first = rows.first();
        let per_repository = [
            (KEYS, "/keys", None),
            (TEAMS, "/teams", None),
            (ENVIRONMENTS, "/environments", Some("environments")),
        ];
        for (operation, tail, key) in per_repository {
            probes.push(match first {
                Some(row) => {
                    let path = repository_path(row, tail);
                    let list = List { operation, path: &path, key };
                    let tried = self.organization.first::<IgnoredAny>(list).await.map(drop);
                    self.probe(operation, tried)
                }
                None => self.not_tried(operation, "there is no repository to try it on"),
            });
        }
        for family in FAMILIES {
            probes.push(match self.try_family(*family, rows).await {
                Some(tried) => self.probe(family.operation, tried),
                None => self.not_tried(family.operation, "there is nothing to try it on"),
            });
        }
    }
}
