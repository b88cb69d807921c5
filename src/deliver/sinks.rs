//! The destinations: one file per kind, one [`build`] that knows them all.
//!
//! A sink takes an event as it was committed and says what came of it. It does not wait, retry or
//! remember; that is [`super::worker`]'s.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::signature::KeyError;
use super::{DeliveryError, guard, payload};
use crate::clock::{Clock, SystemClock};
use crate::config::secret::SecretError;
use crate::store::Event;

pub mod file;
pub mod stdout;
pub mod webhook;

/// One destination.
#[async_trait]
pub trait Sink: Send + Sync {
    /// As configured.
    fn name(&self) -> &str;

    /// How many events it takes at the same time.
    fn concurrency(&self) -> usize {
        1
    }

    /// Makes one attempt.
    async fn deliver(&self, event: &Event) -> Result<(), DeliveryError>;

    /// Makes durable what [`Sink::deliver`] has taken. Called before attempts are recorded; on an
    /// error they count as failed.
    async fn settle(&self) -> Result<(), DeliveryError> {
        Ok(())
    }
}

/// Where findings go.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SinkConfig {
    /// Signed HTTP requests, in the form of Standard Webhooks.
    Webhook(webhook::WebhookConfig),
    /// A file to which each event is appended as one line of JSON.
    File(file::FileConfig),
    /// Standard output, one line of JSON per event.
    Stdout(stdout::StdoutConfig),
}

impl SinkConfig {
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Webhook(config) => &config.name,
            Self::File(config) => &config.name,
            Self::Stdout(config) => &config.name,
        }
    }
}

/// A sink that cannot be built from its configuration. Never shows a URL or a secret.
#[derive(Debug, thiserror::Error)]
#[error("sink {sink} {fault}")]
pub struct SinkError {
    pub sink: String,
    #[source]
    pub fault: Fault,
}

#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("cannot read a secret: {0}")]
    Secret(#[from] SecretError),
    #[error("{0}")]
    Key(#[from] KeyError),
    #[error("has a url that is not one: {reason}")]
    Url { reason: String },
    #[error("{0}")]
    Address(#[from] guard::Refused),
    #[error("cannot set up its HTTP client: {reason}")]
    Client { reason: String },
}

/// Builds a sink. Reads its secrets now, so that a missing one is known at the start.
pub fn build(config: &SinkConfig) -> Result<Box<dyn Sink>, SinkError> {
    // Receivers compare the time in the signature with their own clock, so it is always real.
    build_with_clock(config, Arc::new(SystemClock))
}

/// As [`build`], with another clock behind the signatures.
pub fn build_with_clock(
    config: &SinkConfig,
    clock: Arc<dyn Clock>,
) -> Result<Box<dyn Sink>, SinkError> {
    match config {
        SinkConfig::Webhook(config) => webhook::Webhook::new(config, clock)
            .map(|sink| Box::new(sink) as Box<dyn Sink>)
            .map_err(|fault| SinkError { sink: config.name.clone(), fault }),
        SinkConfig::File(config) => Ok(Box::new(file::FileSink::new(config))),
        SinkConfig::Stdout(config) => Ok(Box::new(stdout::Stdout::new(config))),
    }
}

/// Sends one message that only asks whether the sink works. Nothing is recorded.
pub async fn test_sink(sink: &dyn Sink, agent: &str, now: Timestamp) -> Result<(), DeliveryError> {
    sink.deliver(&payload::test_event(agent, env!("CARGO_PKG_VERSION"), now)).await?;
    sink.settle().await
}
