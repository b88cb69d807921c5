#![doc = include_str!("../README.md")]
//!
//! # The code
//!
//! `config` says which organisations, `client` is the only part that calls GitHub, `collect` has
//! one file per family of scopes, `normalize`, `id` and `events` are pure, `audit` polls the audit
//! log, and [`MANIFEST`] is the list of everything that is read, called and needed.

mod audit;
mod client;
mod collect;
mod config;
mod events;
mod id;
mod manifest;
mod normalize;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use headcount_sdk::{
    Complete, Connector, Hint, Hints, Inbound, Manifest, Probe, Recorder, Refused, ScanContext,
    ScanError, Scope,
};

use self::client::Hub;
pub use self::client::Secrets;
pub use self::client::Tuning;
use self::client::error::unavailable;
use self::collect::Collector;
pub use self::config::{AppAuth, Auth, Config, ConfigError, TokenAuth};
use self::events::Mailbox;
use self::id::Place;
pub use self::manifest::{MANIFEST, app_manifest};

/// Reads organisations of one GitHub.
pub struct GithubConnector {
    hub: Hub,
    /// Names of organisations by place, as last seen.
    places: Mutex<BTreeMap<String, String>>,
    mailbox: Option<Mailbox>,
}

impl fmt::Debug for GithubConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GithubConnector").field("config", &self.hub.config).finish_non_exhaustive()
    }
}

impl GithubConnector {
    /// A connector with the credentials that the configuration refers to. Reads them, and calls
    /// nothing yet.
    ///
    /// # Errors
    ///
    /// When the configuration cannot work, or a secret is not where it should be.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with(config, Tuning::default(), None)
    }

    /// The same with another patience, and with secrets given outright: for tests and for the
    /// demonstration.
    ///
    /// # Errors
    ///
    /// When the configuration cannot work, or a secret is not where it should be.
    pub fn with(
        config: Config,
        tuning: Tuning,
        secrets: Option<Secrets>,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let secrets = secrets.map_or_else(|| Secrets::resolve(&config), Ok)?;
        let hub = Hub::new(config, tuning, secrets.login)?;
        Ok(Self { hub, places: Mutex::default(), mailbox: secrets.webhook.map(Mailbox::new) })
    }

    fn places(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of an organisation. One that cannot be opened keeps the place it had: to leave
    /// it out would hide that it is not read.
    async fn place(&self, cx: &ScanContext, login: &str) -> Result<String, ScanError> {
        let key = format!("github place of {login}");
        let place = match self.hub.organization(cx, login).await {
            Ok(organization) => {
                let place = organization.place.to_string();
                cx.cache.put(&key, place.clone().into_bytes()).await;
                place
            }
            Err(error) => match cx.cache.get(&key).await.map(String::from_utf8) {
                Some(Ok(place)) => place,
                Some(Err(_)) | None => return Err(error),
            },
        };
        self.places().insert(place.clone(), login.to_owned());
        Ok(place)
    }

    async fn all_places(&self, cx: &ScanContext) -> Result<BTreeSet<String>, ScanError> {
        let mut places = BTreeSet::new();
        for login in &self.hub.config.organizations {
            places.insert(self.place(cx, login).await?);
        }
        Ok(places)
    }

    /// The configured name of the organisation at a place.
    async fn login(&self, cx: &ScanContext, place: &str) -> Result<String, ScanError> {
        if let Some(login) = self.places().get(place) {
            return Ok(login.clone());
        }
        // A process that has just started, and a hint before the first scan.
        self.all_places(cx).await?;
        let known = self.places().get(place).cloned();
        known.ok_or_else(|| {
            unavailable("GET /orgs/{org}", format!("{place} is not one of this source's"))
        })
    }

    async fn open<'a>(
        &'a self,
        cx: &'a ScanContext,
        place: &str,
    ) -> Result<Collector<'a>, ScanError> {
        let login = self.login(cx, place).await?;
        let key = format!("open {place}");
        // A failure is shared by all scopes of the pass, and not tried again for each.
        let opened = self.hub.organization(cx, &login);
        let organization = cx.memo.once(&key, opened).await?;
        if organization.place.to_string() != place {
            let reason = format!("{login} is another organisation now");
            return Err(unavailable("GET /orgs/{org}", reason));
        }
        Ok(Collector { cx, organization, config: &self.hub.config, address: &self.hub.address })
    }
}

#[async_trait]
impl Connector for GithubConnector {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    async fn scopes(&self, cx: &ScanContext) -> Result<Vec<Scope>, ScanError> {
        let places = self.all_places(cx).await?;
        let scopes = places
            .iter()
            .flat_map(|place| MANIFEST.scopes.iter().map(|kind| Scope::new(place, kind.name)));
        Ok(scopes.collect())
    }

    async fn observe(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        self.open(cx, &scope.place).await?.observe(&scope.kind, recorder).await
    }

    /// Re-reads the repositories that are named, by numeric id or as `owner/name`, if a scan has
    /// seen them. Scopes of the organisation itself are one list each, and read whole.
    async fn refresh(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        subjects: &BTreeSet<String>,
        recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        self.open(cx, &scope.place).await?.refresh(&scope.kind, subjects, recorder).await
    }

    async fn feed(&self, cx: &ScanContext, hints: Hints) -> Result<(), ScanError> {
        let organizations = &self.hub.config.organizations;
        let feeds = organizations.iter().map(|login| audit::poll(&self.hub, cx, login, &hints));
        futures::future::try_join_all(feeds).await.map(drop)
    }

    async fn receive(&self, _cx: &ScanContext, inbound: &Inbound) -> Result<Vec<Hint>, Refused> {
        let mailbox = self.mailbox.as_ref().ok_or(Refused::NotSupported)?;
        let edition = &self.hub.address.edition;
        let names = &self.hub.config.organizations;
        mailbox.receive(inbound, |login, id| {
            let ours = names.iter().any(|name| name.eq_ignore_ascii_case(login));
            let place = Place::new(edition, id).to_string();
            (ours || self.places().contains_key(&place)).then_some(place)
        })
    }

    async fn check(&self, cx: &ScanContext) -> Vec<Probe> {
        let mut probes = Vec::new();
        for login in &self.hub.config.organizations {
            let opened = match self.place(cx, login).await {
                Ok(place) => self.open(cx, &place).await,
                Err(error) => Err(error),
            };
            match opened {
                Ok(collector) => probes.extend(collector.check().await),
                Err(error) => probes.push(collect::check::failed(login, error)),
            }
        }
        probes
    }
}
