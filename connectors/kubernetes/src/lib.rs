#![doc = include_str!("../README.md")]
//!
//! # The code
//!
//! `client` is the only part that calls a cluster, `listing` reads one kind of object to its end,
//! `feed` watches all of them into `mirror`, `hints` says what a change touches. `wire` is what is
//! decoded, `keep` what stays in memory of it, `world` what was read at one time; `normalize`,
//! `rbac` and `id` make records of that and are pure. [`MANIFEST`] is the list of everything that
//! is read, called and needed. Start at [`KubernetesConnector`].

mod check;
mod client;
mod config;
mod feed;
mod hints;
mod id;
mod keep;
mod kinds;
mod listing;
mod manifest;
mod mirror;
mod normalize;
mod rbac;
mod read;
mod wire;
mod world;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use headcount_sdk::{
    Complete, Connector, Hints, Manifest, Probe, Recorder, ScanContext, ScanError, Scope,
};

use self::client::Access;
pub use self::client::Tuning;
pub use self::config::{Config, ConfigError};
use self::feed::Feed;
use self::hints::Pending;
use self::kinds::Kind;
pub use self::manifest::{MANIFEST, cluster_role};
use self::mirror::Mirrors;
use self::normalize::owner::OwnerKeys;

/// Reads one Kubernetes cluster.
pub struct KubernetesConnector {
    access: Access,
    owner_keys: OwnerKeys,
    /// What is watched, while it is.
    live: Mutex<Option<Arc<Mirrors>>>,
    /// Whether a scan ever listed for itself.
    has_listed: Arc<AtomicBool>,
}

impl fmt::Debug for KubernetesConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.access.config;
        f.debug_struct("KubernetesConnector").field("config", config).finish_non_exhaustive()
    }
}

impl KubernetesConnector {
    /// A connector to the configured cluster. Nothing is read or called yet.
    ///
    /// # Errors
    ///
    /// When the configuration cannot work.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with(config, Tuning::default(), None)
    }

    /// The same with another patience, and with the way to the cluster given outright: for tests
    /// and for the demonstration.
    ///
    /// # Errors
    ///
    /// When the configuration cannot work.
    pub fn with(
        config: Config,
        tuning: Tuning,
        cluster: Option<kube::Config>,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let owner_keys = OwnerKeys::new(&config.owner_labels);
        let access = Access::new(config, tuning, cluster);
        Ok(Self { access, owner_keys, live: Mutex::new(None), has_listed: Arc::default() })
    }

    fn live(&self) -> Option<Arc<Mirrors>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn kinds(&self) -> impl Iterator<Item = Kind> + use<> {
        let with_secrets = self.access.config.secret_metadata;
        Kind::ALL.into_iter().filter(move |kind| with_secrets || *kind != Kind::Secrets)
    }
}

/// Takes the mirrors away when nothing fills them any more, however the feed ended.
struct WhileWatched<'a>(&'a KubernetesConnector);

impl<'a> WhileWatched<'a> {
    fn begin(connector: &'a KubernetesConnector, mirrors: &Arc<Mirrors>) -> Self {
        let mut live = connector.live.lock().unwrap_or_else(PoisonError::into_inner);
        *live = Some(Arc::clone(mirrors));
        Self(connector)
    }
}

impl Drop for WhileWatched<'_> {
    fn drop(&mut self) {
        *self.0.live.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[async_trait]
impl Connector for KubernetesConnector {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    async fn scopes(&self, cx: &ScanContext) -> Result<Vec<Scope>, ScanError> {
        let place = self.access.place(cx.priority).await?;
        let with_secrets = self.access.config.secret_metadata;
        let listed = MANIFEST
            .scopes
            .iter()
            .filter(|scope| with_secrets || scope.name != manifest::TOKEN_SECRETS);
        Ok(listed.map(|scope| Scope::new(place.as_str(), scope.name)).collect())
    }

    async fn observe(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        self.read_scope(cx, scope, recorder).await
    }

    /// Answers from what is watched, without a call, if it is watched and whole.
    async fn refresh(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        subjects: &BTreeSet<String>,
        recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        self.read_subjects(cx, scope, subjects, recorder).await
    }

    async fn feed(&self, cx: &ScanContext, hints: Hints) -> Result<(), ScanError> {
        let priority = cx.priority;
        let place = self.access.place(priority).await?;
        let discovered = self.access.discover(priority).await?;
        // Pages do where nobody says that lists can be streamed.
        let streams_lists = matches!(self.access.streams_lists(priority).await, Ok(true));
        let issuer = self.access.issuer(priority).await;
        let tracked_since = self.read_tracking(priority).await;
        let mirrors = Mirrors::new(place, self.kinds(), issuer, tracked_since);
        let mirrors = Arc::new(mirrors.told_by(&self.has_listed));
        let _while_watched = WhileWatched::begin(self, &mirrors);
        let feed = Feed {
            access: &self.access,
            mirrors,
            pending: Pending::default(),
            streams_lists,
            kinds: self.kinds().collect(),
            discovered: tokio::sync::Mutex::new(discovered),
        };
        feed.run(&hints).await
    }

    async fn check(&self, _cx: &ScanContext) -> Vec<Probe> {
        check::check(&self.access).await
    }
}
