//! Scope `app-installations`, with who owns each App, who installed it and when it was last used.

use std::collections::BTreeMap;

use headcount_sdk::{Complete, Observation, OwnerBasis, Recorder, ScanError};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Below, Collector, below, missing};
use crate::client::{List, segment};
use crate::normalize::apps;
use crate::normalize::people::People;
use crate::normalize::{evidence, insights_usage, not_observable};
use crate::wire::{App, AuditEntry, Installation, Stat};

pub(super) const INSTALLATIONS: Below =
    below("GET /orgs/{org}/installations", "/installations", Some("installations"));
pub(super) const APP: &str = "GET /apps/{app_slug}";
pub(super) const STATS: &str = "GET /orgs/{org}/insights/api/subject-stats";
pub(super) const AUDIT: &str = "GET /orgs/{org}/audit-log";

/// For how long the owner of an App is believed; ownership is seldom handed on.
const OWNER_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How far back API Insights are asked.
const INSIGHTS_WINDOW: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The audit log keeps 180 days.
const AUDIT_WINDOW: SignedDuration = SignedDuration::from_hours(179 * 24);

/// What is kept of Apps, by slug or installation.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    owners: BTreeMap<String, Owner>,
    /// Login by installation; empty where the log was searched and did not tell.
    installers: BTreeMap<u64, String>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Owner {
    id: u64,
    login: String,
    read_at: Timestamp,
}

impl Collector<'_> {
    pub(super) async fn installations(
        &self,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let rows: Vec<Installation> = self.list(INSTALLATIONS).await?;
        let mut kept: Kept = self.cached("apps").await.unwrap_or_default();
        let owners = self.app_owners(&rows, &mut kept).await;
        let installers = self.installers(&rows, &mut kept).await;
        self.keep("apps", &kept).await;
        let stats = if rows.is_empty() { Ok(Vec::new()) } else { self.stats().await };
        let (people, _) = self.people().await;
        for row in &rows {
            let mut observation = apps::installation(self.place(), row);
            self.put_owner(&mut observation, row, &kept, owners.get(&row.id));
            put_installer(&mut observation, row, &kept, (&people, installers.as_ref().err()));
            put_usage(&mut observation, row, &stats);
            observation.evidence.push(evidence(
                INSTALLATIONS.operation,
                &row.id.to_string(),
                self.cx.now,
            ));
            recorder.record(observation);
        }
        for (field, error) in [("usage", stats.err()), ("owner_evidence", installers.err())] {
            if let Some(error) = error.filter(is_a_fault) {
                recorder.degrade(field, error);
            }
        }
        Ok(recorder.complete())
    }

    /// Reads the owners that are not known or known for too long, the oldest few at a time. What
    /// failed is handed back by installation.
    async fn app_owners(&self, rows: &[Installation], kept: &mut Kept) -> BTreeMap<u64, ScanError> {
        let mut stale: Vec<(Option<Timestamp>, &str, u64)> = Vec::new();
        for row in rows {
            let Some(slug) = row.app_slug.as_deref() else { continue };
            let known = kept.owners.get(slug).map(|owner| owner.read_at);
            if known.is_none_or(|at| at + OWNER_AGE <= self.cx.now || self.confirming()) {
                stale.push((known, slug, row.id));
            }
        }
        stale.sort_unstable();
        let again = rows.len().div_ceil(168);
        let fresh = stale.iter().filter(|(known, _, _)| known.is_none()).count();
        let mut failed = BTreeMap::new();
        for (known, slug, installation) in stale.into_iter().take(fresh + again) {
            let app: Result<App, _> =
                self.organization.one(APP, format!("/apps/{}", segment(slug))).await;
            let owner = app.map(|app| app.owner);
            match owner {
                Ok(Some(owner)) => {
                    let login = owner.login.or(owner.slug).unwrap_or_else(|| owner.id.to_string());
                    let owner = Owner { id: owner.id, login, read_at: self.cx.now };
                    kept.owners.insert(slug.to_owned(), owner);
                }
                Err(error) if known.is_none() => drop(failed.insert(installation, error)),
                Ok(None) | Err(_) => {}
            }
        }
        failed
    }

    fn put_owner(
        &self,
        observation: &mut Observation,
        row: &Installation,
        kept: &Kept,
        failed: Option<&ScanError>,
    ) {
        let owner = row.app_slug.as_ref().and_then(|slug| kept.owners.get(slug));
        if let Some(owner) = owner {
            apps::owned_by(observation, &owner.login, owner.id != self.organization.id);
            return;
        }
        // An App that is not public shows its owner to nobody else.
        let why = failed
            .map_or_else(|| "the App's owner, which GitHub does not tell".to_owned(), missing);
        for field in ["attributes.is_third_party", "attributes.app_owner", "purpose"] {
            observation.unread.insert(field.to_owned(), why.clone());
        }
    }

    /// Looks up who installed what was installed lately and is not known yet.
    async fn installers(&self, rows: &[Installation], kept: &mut Kept) -> Result<(), ScanError> {
        let since = self.cx.now - AUDIT_WINDOW;
        let asked: Vec<&Installation> = rows
            .iter()
            .filter(|row| row.created_at.is_some_and(|at| at > since))
            .filter(|row| !kept.installers.contains_key(&row.id))
            .collect();
        let Some(oldest) = asked.iter().filter_map(|row| row.created_at).min() else {
            return Ok(());
        };
        let day = oldest.as_second().div_euclid(86_400) * 86_400;
        let day = Timestamp::from_second(day).unwrap_or(oldest);
        let phrase = format!("action:integration_installation.create created:>={day}");
        let path = self.organization.path(&format!("/audit-log?phrase={}", segment(&phrase)));
        let entries: Vec<AuditEntry> =
            self.organization.list(List { operation: AUDIT, path: &path, key: None }).await?;
        for row in asked {
            let slug = row.app_slug.as_deref().unwrap_or_default();
            let of_app = |entry: &&AuditEntry| {
                let names = [entry.integration.as_deref(), entry.name.as_deref()];
                let named = names.into_iter().flatten().any(|name| slug_of(name) == slug);
                named && entry.action.as_deref() == Some("integration_installation.create")
            };
            let actor = entries.iter().rfind(of_app).and_then(|entry| entry.actor.clone());
            kept.installers.insert(row.id, actor.unwrap_or_default());
        }
        Ok(())
    }

    /// The last requests of Apps.
    async fn stats(&self) -> Result<Vec<Stat>, ScanError> {
        let since = self.cx.now - INSIGHTS_WINDOW;
        let since = Timestamp::from_second(since.as_second()).unwrap_or(since);
        let tail =
            format!("/insights/api/subject-stats?min_timestamp={}", segment(&since.to_string()));
        let path = self.organization.path(&tail);
        self.organization.list(List { operation: STATS, path: &path, key: None }).await
    }
}

/// Whether somebody should hear of it: not of what the edition does not have.
fn is_a_fault(error: &ScanError) -> bool {
    !matches!(error, ScanError::NotSupported { .. })
}

/// As GitHub makes a slug of an App's name.
fn slug_of(name: &str) -> String {
    let letters = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    letters.collect::<String>().to_ascii_lowercase()
}

fn put_installer(
    observation: &mut Observation,
    row: &Installation,
    kept: &Kept,
    known: (&People, Option<&ScanError>),
) {
    let (people, failed) = known;
    match (kept.installers.get(&row.id), failed) {
        (Some(login), _) if !login.is_empty() => {
            people.claim(observation, login, OwnerBasis::Creator, "audit log: installed by");
        }
        (None, Some(error)) => {
            observation.unread.insert("owner_evidence".to_owned(), missing(error));
        }
        _ => {}
    }
}

/// Use as API Insights show it. What they do not list is not unused: how far back they go is not
/// said.
fn put_usage(
    observation: &mut Observation,
    row: &Installation,
    stats: &Result<Vec<Stat>, ScanError>,
) {
    observation.usage = match stats {
        Ok(stats) => {
            let last = stats.iter().filter(|stat| is_of(stat, row)).filter_map(last_request).max();
            last.map_or_else(
                || not_observable("API Insights list no request of this App in the last 30 days"),
                insights_usage,
            )
        }
        Err(error) => {
            observation.unread.insert("usage".to_owned(), missing(error));
            not_observable("API Insights could not be read")
        }
    };
}

fn is_of(stat: &Stat, row: &Installation) -> bool {
    let kind = stat.subject_type.as_deref().unwrap_or_default().to_ascii_lowercase();
    let app = kind.contains("app") || kind.contains("installation");
    let slug = row.app_slug.as_deref().unwrap_or_default();
    let named = stat.subject_name.as_deref().is_some_and(|name| slug_of(name) == slug);
    app && (named || stat.subject_id == Some(row.id))
}

fn last_request(stat: &Stat) -> Option<Timestamp> {
    stat.last_request_timestamp.as_deref()?.parse().ok()
}
