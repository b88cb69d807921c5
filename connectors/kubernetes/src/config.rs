//! What a person configures about a cluster. Everything has a default: the cluster it runs in.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of a Kubernetes source. Several clusters are several sources.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A kubeconfig that leads to the cluster. Without it, the agent reads the cluster in which it
    /// runs, as its own service account.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; without it, the current one.
    pub context: Option<String>,
    /// Whether legacy service account tokens are read from the metadata of secrets. Needs `list`
    /// and `watch` on secrets, which Kubernetes cannot limit to metadata: whoever holds them could
    /// read every secret in the cluster. The agent asks for metadata only.
    pub secret_metadata: bool,
    /// Keys of labels and annotations that name an owner. Case and punctuation do not count, nor
    /// does a prefix such as `acme.com/`.
    #[serde(default = "headcount_sdk::owner::default_keys")]
    pub owner_labels: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            kubeconfig: None,
            context: None,
            secret_metadata: false,
            owner_labels: headcount_sdk::owner::default_keys(),
        }
    }
}

/// What is wrong with the settings, and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("context: a context is one of a kubeconfig; set kubeconfig as well")]
    ContextAlone,
    #[error("{0}: is empty; leave it out or give a value")]
    Empty(&'static str),
}

impl Config {
    /// # Errors
    ///
    /// When the settings cannot work, whatever the cluster.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.kubeconfig.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            return Err(ConfigError::Empty("kubeconfig"));
        }
        if self.context.as_ref().is_some_and(String::is_empty) {
            return Err(ConfigError::Empty("context"));
        }
        if self.context.is_some() && self.kubeconfig.is_none() {
            return Err(ConfigError::ContextAlone);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn fault(config: serde_json::Value) -> Option<String> {
        let config: Config = serde_json::from_value(config).unwrap();
        config.validate().err().map(|error| error.to_string())
    }

    #[test]
    fn nothing_configured_means_the_cluster_around_the_agent_and_no_secrets() {
        let config: Config = serde_json::from_value(serde_json::json!({})).unwrap();
        assert_eq!(config, Config::default());
        assert!(!config.secret_metadata);
    }

    #[test]
    fn a_mistake_is_named_with_its_key() {
        assert_eq!(fault(serde_json::json!({ "kubeconfig": "/etc/k", "context": "prod" })), None);
        let alone = fault(serde_json::json!({ "context": "prod" })).unwrap();
        assert!(alone.starts_with("context: "), "{alone}");
        let empty = fault(serde_json::json!({ "kubeconfig": "" })).unwrap();
        assert!(empty.starts_with("kubeconfig: "), "{empty}");
        assert!(serde_json::from_value::<Config>(serde_json::json!({ "secrets": true })).is_err());
    }
}
