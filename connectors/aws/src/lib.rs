#![doc = include_str!("../README.md")]
//!
//! # The code
//!
//! `config` says which accounts, `client` is the only part that calls AWS, `collect` has one file
//! per scope, `normalize`, `policy`, `report` and `id` are pure, and [`MANIFEST`] is the list of
//! everything that is read, called and needed.

mod client;
mod collect;
mod config;
mod id;
mod manifest;
mod normalize;
mod policy;
mod report;

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;
pub use aws_sdk_iam::config::Credentials;
use headcount_sdk::{
    Complete, Connector, Manifest, Probe, Recorder, ScanContext, ScanError, Scope,
};

pub use self::client::Tuning;
use self::client::{Cloud, not_configured};
use self::collect::Collector;
pub use self::config::{Accounts, Config, ConfigError, OrganizationAccounts, RoleAccounts};
use self::id::Place;
pub use self::manifest::{MANIFEST, agent_policy, iam_policy};
use self::normalize::owner::TagKeys;

/// Reads the IAM of one AWS account, several, or an organisation.
pub struct AwsConnector {
    cloud: Cloud,
    tag_keys: TagKeys,
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
        Ok(Self { cloud: Cloud::new(config, tuning, credentials), tag_keys })
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
        self.open(cx, scope).await?.observe(&scope.kind, recorder).await
    }

    /// Re-reads the access keys or SSH keys of the one user that is named (by name, unique id
    /// or ARN), if a scan has seen it. Every other hint activates its scope.
    async fn refresh(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        subjects: &BTreeSet<String>,
        recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let not_supported =
            |reason: String| ScanError::NotSupported { operation: "refresh".to_owned(), reason };
        let mut named = subjects.iter();
        let (Some(subject), None) = (named.next(), named.next()) else {
            return Err(not_supported("several users are read with their scope".to_owned()));
        };
        if !matches!(scope.kind.as_str(), "access-keys" | "ssh-public-keys") {
            return Err(not_supported(format!("scope {scope} is read as a whole")));
        }
        let collector = self.open(cx, scope).await?;
        let Some((name, user)) = collector.known_user(subject).await else {
            return Err(not_supported("no scan has seen that user".to_owned()));
        };
        if scope.kind == "access-keys" {
            collector.refresh_access_keys(&name, &user, recorder).await
        } else {
            collector.refresh_ssh_keys(&name, &user, recorder).await
        }
    }

    async fn check(&self, cx: &ScanContext) -> Vec<Probe> {
        let places = match self.places(cx).await {
            Ok(places) => places,
            Err(error) => return vec![collect::check::failed("aws", error)],
        };
        let mut probes = collect::check::opened(&self.cloud.config.accounts);
        for place in places.iter().take(collect::check::PLACES) {
            match self.collector(cx, place).await {
                Ok(collector) => probes.extend(collector.check().await),
                Err(error) => probes.push(collect::check::failed(&place.to_string(), error)),
            }
        }
        probes
    }
}
