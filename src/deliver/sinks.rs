//! The destinations: one file per kind, one [`build`] that knows them all.
//!
//! A sink takes an event as it was committed, or several with one request, and says what came of
//! it. It does not wait, retry or remember; that is [`super::worker`]'s. Which events it gets at all
//! was decided when they were committed ([`super::filter`]).

use std::ops::Deref;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use super::signature::KeyError;
use super::{DeliveryError, Filter, Subscriber, guard, payload};
use crate::clock::{Clock, SystemClock};
use crate::config::name::Name;
use crate::config::secret::SecretError;
use crate::store::Event;

pub mod file;
#[cfg(feature = "nats")]
pub mod nats;
pub mod pagerduty;
#[cfg(feature = "s3")]
pub mod s3;
pub mod slack;
pub mod splunk;
pub mod stdout;
pub mod syslog;
pub mod webhook;

/// What goes into one request of a sink that takes several events.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// At most so many events; what one look at the queue brings may be fewer.
    pub events: usize,
    /// At most so many bytes of bodies, unless a single event has more.
    pub bytes: usize,
    /// For how long the oldest event waits for others; zero = not at all.
    pub window: SignedDuration,
}

impl Default for Batch {
    fn default() -> Self {
        Self { events: 256, bytes: usize::MAX, window: SignedDuration::ZERO }
    }
}

/// One destination.
#[async_trait]
pub trait Sink: Send + Sync {
    /// How many events it takes at the same time, where it takes them one by one.
    fn concurrency(&self) -> usize {
        1
    }

    /// How it takes several events with one request; `None` = one by one.
    fn batch(&self) -> Option<Batch> {
        None
    }

    /// Whether an event may stand in a batch that begins with this one.
    fn goes_with(&self, _first: &Event, _next: &Event) -> bool {
        true
    }

    /// Whether an event does not wait for others; whatever waits goes with it.
    fn is_urgent(&self, _event: &Event) -> bool {
        false
    }

    /// Makes one attempt.
    async fn deliver(&self, event: &Event) -> Result<(), DeliveryError>;

    /// Makes one attempt with several events, in order: all are taken or none. Called where
    /// [`Sink::batch`] says so. A batch of several that is rejected is delivered again one by one,
    /// so that no event becomes a dead letter for another.
    async fn deliver_batch(&self, events: &[&Event]) -> Result<(), DeliveryError> {
        for event in events {
            self.deliver(event).await?;
        }
        Ok(())
    }

    /// Makes durable what [`Sink::deliver`] has taken. Called before attempts are recorded; on an
    /// error they count as failed.
    async fn settle(&self) -> Result<(), DeliveryError> {
        Ok(())
    }
}

/// A sink with the name by which the configuration, the queue and the metrics know it.
pub struct NamedSink {
    name: String,
    sink: Box<dyn Sink>,
}

impl NamedSink {
    #[must_use]
    pub fn new(name: &str, sink: Box<dyn Sink>) -> Self {
        Self { name: name.to_owned(), sink }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Deref for NamedSink {
    type Target = dyn Sink;

    fn deref(&self) -> &Self::Target {
        &*self.sink
    }
}

/// What is said of each kind of sink, in the file that makes it; sorted by name.
pub const SOURCES: &[(&str, &str)] = &[
    ("file", include_str!("sinks/file.rs")),
    #[cfg(feature = "nats")]
    ("nats", include_str!("sinks/nats.rs")),
    ("pagerduty", include_str!("sinks/pagerduty.rs")),
    #[cfg(feature = "s3")]
    ("s3", include_str!("sinks/s3.rs")),
    ("slack", include_str!("sinks/slack.rs")),
    ("splunk", include_str!("sinks/splunk.rs")),
    ("stdout", include_str!("sinks/stdout.rs")),
    ("syslog", include_str!("sinks/syslog.rs")),
    ("webhook", include_str!("sinks/webhook.rs")),
];

/// One place to which findings go.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct SinkConfig {
    /// Names the sink in logs, metrics and commands. Unique.
    pub name: Name,
    /// What the sink is there for.
    #[serde(default)]
    pub filter: Filter,
    #[serde(flatten)]
    pub kind: SinkKind,
}

/// What kind of sink it is, and what it needs to know.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SinkKind {
    /// Signed HTTP requests, in the form of Standard Webhooks.
    Webhook(webhook::WebhookConfig),
    /// One message in a Slack channel for what happened within a short time.
    Slack(slack::SlackConfig),
    /// One PagerDuty alert per finding, which is resolved with it.
    #[serde(rename = "pagerduty")]
    PagerDuty(pagerduty::PagerDutyConfig),
    /// Events into Splunk, over its HTTP Event Collector.
    Splunk(splunk::SplunkConfig),
    /// Messages of RFC 5424 over TLS, TCP or UDP.
    Syslog(syslog::SyslogConfig),
    /// Messages into a stream of NATS JetStream.
    #[cfg(feature = "nats")]
    Nats(nats::NatsConfig),
    /// Objects of NDJSON in a bucket of S3, or of anything that speaks its API.
    #[cfg(feature = "s3")]
    S3(s3::S3Config),
    /// A file to which each event is appended as one line of JSON.
    File(file::FileConfig),
    /// Standard output, one line of JSON per event.
    Stdout(stdout::StdoutConfig),
}

impl SinkConfig {
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The sink as the ledger knows it.
    #[must_use]
    pub fn subscriber(&self) -> Subscriber {
        Subscriber { name: self.name.to_string(), filter: self.filter.clone() }
    }
}

impl SinkKind {
    /// As the configuration calls it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::PagerDuty(_) => "pagerduty",
            Self::Splunk(_) => "splunk",
            Self::Syslog(_) => "syslog",
            #[cfg(feature = "nats")]
            Self::Nats(_) => "nats",
            #[cfg(feature = "s3")]
            Self::S3(_) => "s3",
            Self::File(_) => "file",
            Self::Stdout(_) => "stdout",
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
pub fn build(config: &SinkConfig) -> Result<NamedSink, SinkError> {
    // Receivers compare the time in the signature with their own clock, so it is always real.
    build_with_clock(config, Arc::new(SystemClock))
}

/// As [`build`], with another clock behind the signatures.
pub fn build_with_clock(
    config: &SinkConfig,
    clock: Arc<dyn Clock>,
) -> Result<NamedSink, SinkError> {
    let name = config.name();
    let built = match &config.kind {
        SinkKind::Webhook(config) => boxed(webhook::Webhook::new(name, config, clock)),
        SinkKind::Slack(config) => boxed(slack::Slack::new(config, clock)),
        SinkKind::PagerDuty(config) => boxed(pagerduty::PagerDuty::new(config, clock)),
        SinkKind::Splunk(config) => boxed(splunk::Splunk::new(config, clock)),
        SinkKind::Syslog(config) => boxed(syslog::Syslog::new(config)),
        #[cfg(feature = "nats")]
        SinkKind::Nats(config) => boxed(nats::Nats::new(config)),
        #[cfg(feature = "s3")]
        SinkKind::S3(config) => boxed(s3::S3::new(config)),
        SinkKind::File(config) => boxed(Ok(file::FileSink::new(config))),
        SinkKind::Stdout(_) => boxed(Ok(stdout::Stdout)),
    };
    match built {
        Ok(sink) => Ok(NamedSink::new(name, sink)),
        Err(fault) => Err(SinkError { sink: name.to_owned(), fault }),
    }
}

fn boxed<S: Sink + 'static>(sink: Result<S, Fault>) -> Result<Box<dyn Sink>, Fault> {
    sink.map(|sink| Box::new(sink) as Box<dyn Sink>)
}

/// Sends one message that only asks whether the sink works. Nothing is recorded.
pub async fn test_sink(sink: &dyn Sink, agent: &str, now: Timestamp) -> Result<(), DeliveryError> {
    sink.deliver(&payload::test_event(agent, env!("CARGO_PKG_VERSION"), now)).await?;
    sink.settle().await
}
