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
    Aws(AwsConfig),
}

#[cfg(feature = "aws")]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AwsConfig {
    /// Which accounts are read.
    pub accounts: Accounts,
    /// Send every call to this address instead of the regional AWS endpoints, for example to a
    /// test server.
    pub endpoint_url: Option<String>,
}

#[cfg(feature = "aws")]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", untagged)]
pub enum Accounts {
    #[default]
    Ambient,
    Roles {
        roles: Vec<String>,
        external_id: Option<String>,
    },
}

impl SourceConfig {
    /// The account of the credentials that the environment already has.
    #[must_use]
    pub fn ambient() -> Self {
        Self {
            name: Name::fixed("aws"),
            schedule: Schedule::default(),
            connector: ConnectorConfig::Aws(AwsConfig::default()),
        }
    }
}
