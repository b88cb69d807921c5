#![doc = include_str!("../README.md")]
//!
//! # The code
//!
//! `config` says which accounts, `client` is the only part that calls AWS, `collect` has one file
//! per scope, `feed` turns the messages of a queue into hints, `normalize`, `policy`, `report` and
//! `id` are pure, and [`MANIFEST`] is the list of everything that is read, called and needed.

mod client;
mod collect;
mod config;
mod feed;
mod id;
mod manifest;
mod normalize;
mod policy;
mod report;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
pub use aws_sdk_iam::config::Credentials;
use headcount_sdk::{
    Affiliation, Complete, Connector, Endpoint, Hints, Manifest, Memo, Observation, Priority,
    Probe, Recorder, ScanContext, ScanError, Scope,
};
use tokio::time::Instant;

pub use self::client::Tuning;
use self::client::{Cloud, Queue, not_configured};
use self::collect::Collector;
pub use self::config::{Accounts, Config, ConfigError, Events, OrganizationAccounts, RoleAccounts};
use self::feed::creators::Creators;
use self::feed::envelope::Object;
use self::feed::{Feed, Message, Wire};
use self::id::Place;
pub use self::manifest::{MANIFEST, agent_policy, iam_policy};
use self::normalize::owner::TagKeys;

/// Reads the IAM of one AWS account, several, or an organisation.
pub struct AwsConnector {
    cloud: Cloud,
    tag_keys: TagKeys,
    /// Filled by the feed.
    creators: Creators,
}

impl fmt::Debug for AwsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsConnector").field("config", &self.cloud.config).finish_non_exhaustive()
    }
}

impl AwsConnector {
    /// A connector with the agent's own credentials, as the AWS SDK finds them: environment,
    /// profile, web identity, container, instance. Nothing is called and none are looked for yet.
    ///
    /// # Errors
    ///
    /// When the configuration cannot work.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with(config, Tuning::default(), None)
    }

    /// The same with another patience, and with credentials given outright: for tests and for the
    /// demonstration.
    ///
    /// # Errors
    ///
    /// When the configuration cannot work.
    pub fn with(
        config: Config,
        tuning: Tuning,
        credentials: Option<Credentials>,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let tag_keys = TagKeys::new(&config.owner_tags, &config.purpose_tags);
        Ok(Self {
            cloud: Cloud::new(config, tuning, credentials),
            tag_keys,
            creators: Creators::default(),
        })
    }

    async fn places(&self, cx: &ScanContext) -> Result<Vec<Place>, ScanError> {
        match &self.cloud.config.accounts {
            Accounts::Ambient => Ok(vec![self.cloud.caller(cx).await?.as_ref().clone()]),
            Accounts::Roles(accounts) => {
                let places = accounts.places().unwrap_or_default();
                Ok(places.into_iter().map(|(place, _)| place).collect())
            }
            Accounts::Organization(accounts) => {
                let organization = self.cloud.organization(cx).await?;
                let partition = organization.caller.partition();
                let wanted = organization.accounts.keys().filter(|id| accounts.wants(id));
                // Also those that cannot be read: to leave one out would look like its end.
                Ok(wanted.map(|id| Place::new(partition, id)).collect())
            }
        }
    }

    async fn collector<'a>(
        &'a self,
        cx: &'a ScanContext,
        place: &Place,
    ) -> Result<Collector<'a>, ScanError> {
        let account = self.cloud.account(cx, place).await?;
        let members: Option<BTreeSet<String>> = match &self.cloud.config.accounts {
            Accounts::Organization(_) => {
                Some(self.cloud.organization(cx).await?.accounts.keys().cloned().collect())
            }
            Accounts::Ambient | Accounts::Roles(_) => None,
        };
        let concurrency = usize::try_from(self.cloud.config.concurrency).unwrap_or(1);
        Ok(Collector { cx, account, tag_keys: &self.tag_keys, members, concurrency })
    }

    async fn open<'a>(
        &'a self,
        cx: &'a ScanContext,
        scope: &Scope,
    ) -> Result<Collector<'a>, ScanError> {
        let place = Place::parse(&scope.place).ok_or_else(|| not_configured(&scope.place))?;
        self.collector(cx, &place).await
    }

    async fn reread(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        subjects: &BTreeSet<String>,
        held: &mut Vec<Observation>,
    ) -> Result<Complete, ScanError> {
        let collector = self.open(cx, scope).await?;
        let mut sink = |observation| held.push(observation);
        collector.refresh(&scope.kind, subjects, Recorder::new(scope.clone(), &mut sink)).await
    }
}

fn trusts_strangers(observation: &Observation) -> bool {
    let external = |endpoint: &Endpoint| {
        matches!(endpoint, Endpoint::Account { affiliation: Affiliation::External, .. })
    };
    observation.links.iter().any(|link| external(&link.to))
}

#[async_trait]
impl Connector for AwsConnector {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    async fn scopes(&self, cx: &ScanContext) -> Result<Vec<Scope>, ScanError> {
        let places = self.places(cx).await?;
        let scopes = places.iter().flat_map(|place| {
            MANIFEST.scopes.iter().map(|kind| Scope::new(&place.to_string(), kind.name))
        });
        Ok(scopes.collect())
    }

    async fn observe(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let collector = self.open(cx, scope).await?;
        let mut sink = self.creators.adding(recorder);
        collector.observe(&scope.kind, Recorder::new(scope.clone(), &mut sink)).await
    }

    /// Re-reads users, roles, their grants or credentials (by name, unique id or ARN; see
    /// `collect::named`) from the bulk answers that a scan reads. Hints on other scopes activate
    /// them; a list or two is all there is to read.
    async fn refresh(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        subjects: &BTreeSet<String>,
        recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let mut held = Vec::new();
        let mut complete = self.reread(cx, scope, subjects, &mut held).await?;
        // An account that is newer than the list would look like a stranger.
        if held.iter().any(trusts_strangers) && self.cloud.forget_organization(cx).await {
            held.clear();
            complete = self.reread(cx, scope, subjects, &mut held).await?;
        }
        let mut sink = self.creators.adding(recorder);
        held.into_iter().for_each(&mut sink);
        Ok(complete)
    }

    async fn feed(&self, cx: &ScanContext, hints: Hints) -> Result<(), ScanError> {
        let Some(events) = &self.cloud.config.events else {
            return std::future::pending().await;
        };
        let wire = Outside {
            connector: self,
            cx,
            queue: self.cloud.queue(cx, events).await,
            places: tokio::sync::Mutex::default(),
            lists: AtomicU64::new(0),
        };
        let feed = Feed {
            source: &cx.source,
            wire: &wire,
            hints,
            creators: &self.creators,
            cache: cx.cache.clone(),
            settle: Duration::from_secs(events.settle_secs.into()),
        };
        feed.run().await
    }

    async fn check(&self, cx: &ScanContext) -> Vec<Probe> {
        let places = match self.places(cx).await {
            Ok(places) => places,
            Err(error) => return vec![collect::check::failed("aws", error)],
        };
        let mut probes = collect::check::opened(&self.cloud.config.accounts);
        if let Some(events) = &self.cloud.config.events {
            let queue = self.cloud.queue(cx, events).await;
            probes.extend(collect::check::events(queue.try_out().await));
        }
        for place in places.iter().take(collect::check::PLACES) {
            match self.collector(cx, place).await {
                Ok(collector) => probes.extend(collector.check().await),
                Err(error) => probes.push(collect::check::failed(&place.to_string(), error)),
            }
        }
        probes
    }
}

/// For how long the feed goes by a list of places before it asks again about one that is not on it.
const PLACES_FOR: Duration = Duration::from_secs(300);

/// The queue, and the accounts that this source counts.
struct Outside<'a> {
    connector: &'a AwsConnector,
    cx: &'a ScanContext,
    queue: Queue,
    places: tokio::sync::Mutex<Option<(Instant, BTreeSet<Place>)>>,
    /// Tells one list from the next.
    lists: AtomicU64,
}

#[async_trait]
impl Wire for Outside<'_> {
    async fn receive(&self) -> Result<Vec<Message>, ScanError> {
        self.queue.receive().await
    }

    async fn delete(&self, receipts: &[String]) -> Result<usize, ScanError> {
        self.queue.delete(receipts).await
    }

    async fn fetch(&self, object: &Object) -> Result<Vec<u8>, ScanError> {
        self.queue.fetch(object).await
    }

    async fn counts(&self, place: &Place) -> Result<bool, ScanError> {
        let mut kept = self.places.lock().await;
        if let Some((listed_at, places)) = kept.as_ref()
            && (places.contains(place) || listed_at.elapsed() < PLACES_FOR)
        {
            return Ok(places.contains(place));
        }
        // The feed's own context is as old as the feed; the list must not be.
        let n = self.lists.fetch_add(1, Ordering::Relaxed);
        let scan = format!("{}.{n}", self.cx.scan);
        let priority = Priority::Scan;
        let cx = ScanContext { scan, priority, memo: Memo::default(), ..self.cx.clone() };
        let places: BTreeSet<Place> = self.connector.places(&cx).await?.into_iter().collect();
        let counts = places.contains(place);
        *kept = Some((Instant::now(), places));
        Ok(counts)
    }
}
