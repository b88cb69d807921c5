//! THE list of connectors, rules, sinks and stores: explicit, sorted, one line each. Whoever
//! adds one adds it here, and nothing finds it otherwise.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use headcount_core::rules::{self, Rule};
use headcount_sdk::{Connector, Manifest};

use crate::config::{Config, ConnectorConfig, SinkConfig, SourceConfig};
use crate::deliver::{self, NamedSink};
use crate::scan::{Settings, Source};
use crate::store::sqlite::{SqliteStore, backup};
use crate::store::{Store, StoreError};

#[cfg(not(feature = "aws"))]
compile_error!(
    "an agent without a connector counts nothing: switch a connector's feature on (aws)"
);

/// Every rule, sorted by id.
#[must_use]
pub fn rules() -> &'static [&'static dyn Rule] {
    rules::ALL
}

/// What can be said of each connector without calling its source, sorted by name.
#[must_use]
pub fn manifests() -> Vec<&'static Manifest> {
    vec![
        #[cfg(feature = "aws")]
        &headcount_aws::MANIFEST,
        #[cfg(feature = "open")]
        &headcount_open::exec::MANIFEST,
        #[cfg(feature = "github")]
        &headcount_github::MANIFEST,
        #[cfg(feature = "kubernetes")]
        &headcount_kubernetes::MANIFEST,
        #[cfg(feature = "open")]
        &headcount_open::push::MANIFEST,
    ]
}

/// What can be said of each description in the catalogue of the connector `rest`, sorted by name.
#[must_use]
pub fn described() -> Vec<&'static Manifest> {
    #[cfg(feature = "rest")]
    return headcount_rest::catalog::names()
        .into_iter()
        .filter_map(|name| headcount_rest::catalog::load(name)?.ok())
        .map(|described| described.manifest())
        .collect();
    #[cfg(not(feature = "rest"))]
    Vec::new()
}

/// What a connector must be allowed, in the form in which its source grants it. `None` = there is
/// no such connector, or it has no such reader.
#[must_use]
pub fn permissions(connector: &str, who: Who<'_>) -> Option<serde_json::Value> {
    match (connector, who) {
        #[cfg(feature = "aws")]
        ("aws", Who::Reader) => Some(headcount_aws::iam_policy()),
        #[cfg(feature = "aws")]
        ("aws", Who::Agent { role }) => Some(headcount_aws::agent_policy(role)),
        #[cfg(feature = "github")]
        ("github", Who::Reader) => Some(headcount_github::app_manifest()),
        #[cfg(feature = "kubernetes")]
        ("kubernetes", Who::Reader) => Some(headcount_kubernetes::cluster_role(false)),
        #[cfg(feature = "kubernetes")]
        ("kubernetes", Who::SecretMetadata) => Some(headcount_kubernetes::cluster_role(true)),
        #[cfg(feature = "rest")]
        (name, Who::Reader) => headcount_rest::catalog::load(name)?.ok()?.permissions(&[]),
        #[cfg(feature = "rest")]
        (name, Who::Asking { settings }) => {
            headcount_rest::catalog::load(name)?.ok()?.permissions(settings)
        }
        _ => None,
    }
}

/// Whose permissions are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who<'a> {
    /// Whoever reads one account.
    Reader,
    /// The agent that assumes a role of this name in every account it reads.
    Agent { role: &'a str },
    /// The reader of a cluster with `secret_metadata: true`.
    SecretMetadata,
    /// The reader of a described source with these settings `true`, which ask for more than others
    /// read.
    Asking { settings: &'a [&'a str] },
}

/// A source, ready to be scanned. Calls nothing yet.
pub fn source(config: &SourceConfig) -> anyhow::Result<Source> {
    let connector: Arc<dyn Connector> = match &config.connector {
        #[cfg(feature = "aws")]
        ConnectorConfig::Aws(aws) => Arc::new(
            headcount_aws::AwsConnector::new(aws.clone())
                .with_context(|| format!("source {}", config.name))?,
        ),
        #[cfg(feature = "open")]
        ConnectorConfig::Exec(exec) => Arc::new(
            headcount_open::ExecConnector::new(exec.clone())
                .with_context(|| format!("source {}", config.name))?,
        ),
        #[cfg(feature = "github")]
        ConnectorConfig::Github(github) => Arc::new(
            headcount_github::GithubConnector::new(github.clone())
                .with_context(|| format!("source {}", config.name))?,
        ),
        #[cfg(feature = "kubernetes")]
        ConnectorConfig::Kubernetes(kubernetes) => Arc::new(
            headcount_kubernetes::KubernetesConnector::new(kubernetes.clone())
                .with_context(|| format!("source {}", config.name))?,
        ),
        #[cfg(feature = "open")]
        ConnectorConfig::Push(push) => Arc::new(
            headcount_open::PushConnector::new(push)
                .with_context(|| format!("source {}", config.name))?,
        ),
        #[cfg(feature = "rest")]
        ConnectorConfig::Rest(rest) => {
            Arc::new(rest.connect().with_context(|| format!("source {}", config.name))?)
        }
    };
    Ok(Source { name: config.name.to_string(), connector })
}

/// The ways in for those who push, by the name of their source.
#[cfg(feature = "open")]
#[must_use]
pub fn doors(config: &Config) -> Vec<(String, headcount_open::push::Door)> {
    let doors = config.sources.iter().filter_map(|source| match &source.connector {
        ConnectorConfig::Push(push) => {
            Some((source.name.to_string(), headcount_open::push::Door::new(push.tokens.clone())))
        }
        _ => None,
    });
    doors.collect()
}

/// Every configured sink; reads their secrets.
pub fn sinks(config: &Config) -> anyhow::Result<Vec<NamedSink>> {
    config.sinks.iter().map(sink).collect()
}

/// One sink, ready to deliver; reads its secrets.
pub fn sink(config: &SinkConfig) -> anyhow::Result<NamedSink> {
    // The text of this error holds its causes already; the chain would repeat them.
    deliver::build(config).map_err(|error| anyhow::Error::msg(error.to_string()))
}

/// The store of a data directory, for the one process that writes to it.
pub async fn store_to_write(data_dir: &Path) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(SqliteStore::open(data_dir).await?))
}

/// The store of a data directory for a small write, also while another process writes to it;
/// makes it, or brings it up to date, if nobody has.
pub async fn store_to_note(data_dir: &Path) -> Result<Arc<dyn Store>, StoreError> {
    match SqliteStore::open_beside(data_dir).await {
        Ok(store) => Ok(Arc::new(store)),
        Err(_) => store_to_write(data_dir).await,
    }
}

/// The store of a data directory, also while another process writes to it.
pub async fn store_to_read(data_dir: &Path) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(SqliteStore::open_reader(data_dir).await?))
}

/// Copies the inventory of a data directory to a file, also while another process writes to it.
pub async fn back_up(data_dir: &Path, to: &Path) -> Result<(), StoreError> {
    backup::copy_out(data_dir, to).await
}

/// Makes such a copy the inventory of a data directory that holds none.
pub async fn restore(from: &Path, data_dir: &Path) -> Result<(), StoreError> {
    backup::copy_in(from, data_dir).await
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            agent: config.agent.to_string(),
            brake: config.brake.into(),
            rules: config.rules.clone(),
            sources: config.sources.iter().map(|source| source.name.to_string()).collect(),
            sinks: config.sinks.iter().map(SinkConfig::subscriber).collect(),
            emit_baseline: config.emit_baseline,
            places_in_parallel: usize::from(config.max_places_in_parallel),
        }
    }
}
