//! A configured source: its name, its schedule, and the settings of its connector.

use schemars::JsonSchema;
use serde::Deserialize;

use super::name::Name;
use super::schedule::Schedule;

/// One system that is counted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct SourceConfig {
    /// What the source is called in the inventory, in findings and in metrics. Renaming it
    /// starts a new inventory.
    pub name: Name,
    /// When `headcount run` scans it: a cron expression in UTC, with five fields, or six with the
    /// seconds first.
    #[serde(default)]
    pub schedule: Schedule,
    #[serde(flatten)]
    pub connector: ConnectorConfig,
}

/// The connector, and what it needs to know.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "connector", rename_all = "snake_case")]
pub enum ConnectorConfig {
    /// An AWS account, several, or an organisation.
    #[cfg(feature = "aws")]
    Aws(headcount_aws::Config),
    /// A program that the agent starts, and that writes what it sees.
    #[cfg(feature = "open")]
    Exec(headcount_open::exec::Config),
    /// Organisations of one GitHub.
    #[cfg(feature = "github")]
    Github(headcount_github::Config),
    /// A Kubernetes cluster.
    #[cfg(feature = "kubernetes")]
    Kubernetes(headcount_kubernetes::Config),
    /// A job outside that posts what it sees to `/v1/observations/<name>`.
    #[cfg(feature = "open")]
    Push(headcount_open::push::Config),
    /// A SaaS API, read from a description: one of the catalogue, or a file.
    #[cfg(feature = "rest")]
    Rest(headcount_rest::Config),
}

impl ConnectorConfig {
    /// What the connector itself finds wrong: the key, as far as it names one, and the remedy.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        match self {
            #[cfg(feature = "aws")]
            Self::Aws(config) => config.validate().err().map(|error| error.to_string()),
            #[cfg(feature = "open")]
            Self::Exec(config) => config.validate().err().map(|error| error.to_string()),
            #[cfg(feature = "github")]
            Self::Github(config) => config.validate().err().map(|error| error.to_string()),
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(config) => config.validate().err().map(|error| error.to_string()),
            #[cfg(feature = "open")]
            Self::Push(config) => config.validate().err().map(|error| error.to_string()),
            #[cfg(feature = "rest")]
            Self::Rest(config) => config.describe().err().map(|error| error.to_string()),
        }
    }
}

impl SourceConfig {
    /// What is counted when nothing is configured: the account of the credentials that the
    /// environment already has.
    #[must_use]
    pub fn ambient() -> Vec<Self> {
        vec![
            #[cfg(feature = "aws")]
            Self {
                name: Name::fixed("aws"),
                schedule: Schedule::default(),
                connector: ConnectorConfig::Aws(headcount_aws::Config::default()),
            },
        ]
    }
}
