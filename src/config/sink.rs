//! A configured sink.
use schemars::JsonSchema;
use serde::Deserialize;

use super::name::Name;
use super::secret::SecretRef;

/// One destination of findings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct SinkConfig {
    /// What the sink is called.
    pub name: Name,
    #[serde(flatten)]
    pub settings: SinkSettings,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum SinkSettings {
    /// Signed events over HTTP.
    Webhook { url: String, secrets: Vec<SecretRef> },
    /// Appended to a file, one JSON object a line.
    File { path: String },
    /// Standard output, one JSON object a line.
    Stdout,
}
