//! Messages into a stream of NATS JetStream.
//!
//! # What arrives
//!
//! One message per event on the configured subject: the CloudEvent in structured mode, with
//! `Content-Type: application/cloudevents+json`. `Nats-Msg-Id` is the event's id, so within the stream's
//! window for duplicates a repeat is recognised by the server itself.
//!
//! # When it counts as delivered
//!
//! When the stream acknowledges that it has stored the message, or had stored it before. Without an
//! acknowledgement, without a stream for the subject and without a server it is tried again; a refusal
//! of the credentials three times, and then the event is a dead letter.
//!
//! # Set it up
//!
//! A stream has to take the subject. `tls://` asks for TLS, judged by the certificate authorities of the
//! machine; `nats://` reaches only addresses in `allow_cidrs`. Other servers of a cluster, which the
//! first one names, are not used: name an address that stands for all.
//!
//! ```yaml
//! sinks:
//!   - name: stream
//!     type: nats
//!     url: tls://nats.example.com:4222
//!     subject: security.headcount
//!     credentials: "file:/etc/headcount/nats.creds"
//! ```

use async_nats::jetstream::{self, context::PublishErrorKind};
use async_nats::{Client, HeaderMap};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use self::connection::{Connection, PATIENCE};
use super::{DeliveryError, Fault, Sink};
use crate::config::secret::SecretRef;
use crate::deliver::guard::Cidr;
use crate::deliver::http::Address;
use crate::store::Event;

mod connection;

const CONCURRENCY: usize = 64;
const SUBJECT: &str = "headcount.events";

/// Messages into a stream of NATS JetStream.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NatsSink")]
pub struct NatsConfig {
    /// `tls://host:4222`, or `nats://` to an address in `allow_cidrs`. If it holds a password, give a
    /// reference instead (`env:NAME` or `file:PATH`).
    pub url: Address,
    /// The subject of messages; a stream has to take it.
    #[serde(default = "subject")]
    #[schemars(length(min = 1))]
    pub subject: String,
    /// Reference to a credentials file of NATS (`file:PATH`, or `env:NAME` for its text).
    #[serde(default)]
    pub credentials: Option<SecretRef>,
    /// Networks that may be reached although they are this machine (`127.0.0.0/8`) or without TLS.
    /// Metadata and link-local addresses cannot be allowed.
    #[serde(default)]
    pub allow_cidrs: Vec<Cidr>,
}

fn subject() -> String {
    SUBJECT.to_owned()
}

pub struct Nats {
    subject: String,
    connection: Connection,
}

impl Nats {
    pub fn new(config: &NatsConfig) -> Result<Self, Fault> {
        let wrong = |part: char| part.is_whitespace() || matches!(part, '*' | '>');
        if config.subject.is_empty() || config.subject.contains(wrong) {
            let reason = "subject holds a space or a wildcard".to_owned();
            return Err(Fault::Client { reason });
        }
        Ok(Self { subject: config.subject.clone(), connection: Connection::new(config)? })
    }

    async fn publish(&self, client: Client, event: &Event) -> Result<(), PublishErrorKind> {
        let mut context = jetstream::new(client);
        context.set_timeout(PATIENCE);
        let mut headers = HeaderMap::new();
        headers.insert(async_nats::header::NATS_MESSAGE_ID, event.id.as_str());
        headers.insert("Content-Type", "application/cloudevents+json");
        let body = event.body.clone().into();
        let sent = context.publish_with_headers(self.subject.clone(), headers, body).await;
        let stored = sent.map_err(|error| error.kind())?.await;
        stored.map(drop).map_err(|error| error.kind())
    }
}

#[async_trait]
impl Sink for Nats {
    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    async fn deliver(&self, event: &Event) -> Result<(), DeliveryError> {
        let client = self.connection.client().await?;
        let Err(kind) = self.publish(client, event).await else { return Ok(()) };
        let host = self.connection.host();
        match kind {
            PublishErrorKind::MaxPayloadExceeded => {
                return Err(host.rejected("the event is larger than the server takes"));
            }
            // The connection works: the server answered.
            PublishErrorKind::StreamNotFound => {
                return Err(host.failed("no stream takes the subject"));
            }
            _ => {}
        }
        // A connection that ended says so in many ways; a new one costs little.
        self.connection.end().await;
        Err(host.failed(match kind {
            PublishErrorKind::TimedOut => "no acknowledgement in time",
            PublishErrorKind::BrokenPipe => "the connection ended",
            _ => "the stream did not store the message",
        }))
    }
}
