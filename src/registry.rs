//! THE list of connectors, rules, sinks and stores: explicit, sorted, one line each. Whoever
//! adds one adds it here, and nothing finds it otherwise.

use std::path::Path;
use std::sync::Arc;

use headcount_core::rules::{self, Rule};
use headcount_sdk::Manifest;

use crate::config::{Config, ConnectorConfig, SourceConfig};
use crate::deliver::{self, Sink};
use crate::scan::{Settings, Source};
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};

/// Every rule, sorted by id.
#[must_use]
pub fn rules() -> &'static [&'static dyn Rule] {
    rules::ALL
}

/// What can be said of each connector without calling its source, sorted by name.
#[must_use]
pub fn manifests() -> &'static [&'static Manifest] {
    &[]
}

/// The permissions that a connector needs, in the form in which its source grants them.
#[must_use]
pub fn permissions(_connector: &str) -> Option<String> {
    None
}

/// A source, ready to be scanned. Calls nothing yet.
pub async fn source(config: &SourceConfig) -> anyhow::Result<Source> {
    match &config.connector {
        ConnectorConfig::Aws(_) => anyhow::bail!("source {}: not built yet", config.name),
    }
}

/// Every configured sink; reads their secrets.
pub fn sinks(config: &Config) -> anyhow::Result<Vec<Box<dyn Sink>>> {
    let built = config.sinks.iter().map(deliver::build);
    Ok(built.collect::<Result<_, _>>()?)
}

/// The store of a data directory, for the one process that writes to it.
pub async fn store_to_write(data_dir: &Path) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(SqliteStore::open(data_dir).await?))
}

/// The store of a data directory, also while another process writes to it.
pub async fn store_to_read(data_dir: &Path) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(SqliteStore::open_reader(data_dir).await?))
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            agent: config.agent.to_string(),
            brake: config.brake.into(),
            rules: config.rules.clone(),
            sources: config.sources.iter().map(|source| source.name.to_string()).collect(),
            sinks: config.sinks.iter().map(|sink| sink.name().to_owned()).collect(),
            emit_baseline: config.emit_baseline,
            places_in_parallel: usize::from(config.max_places_in_parallel),
        }
    }
}
