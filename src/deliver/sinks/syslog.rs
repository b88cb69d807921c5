//! Messages of RFC 5424 over TLS, TCP or UDP.
//!
//! # What arrives
//!
//! One message per event. Its structured data, `[headcount@32473 …]`, holds `event`, `type`,
//! `finding`, `rule`, `severity`, `change`, `source`, `subject` and `owner` (32473 is the number that
//! RFC 5612 keeps for examples; Headcount has none of its own). The text is one sentence, or with
//! `message: json` the whole CloudEvent on one line. `HOSTNAME` is the agent's name, `APP-NAME`
//! `headcount`, `MSGID` the kind of the event. Severity critical is 2, high 3, medium 4, low 5, info 6;
//! what is resolved is 6.
//!
//! Over TLS (RFC 5425) and TCP messages are framed by octet counting (RFC 6587), so a line break in a
//! name splits nothing. A CloudEvent has up to 20,000 bytes: receivers have to take as much (rsyslog:
//! `global(maxMessageSize="64k")`).
//!
//! # When it counts as delivered
//!
//! Syslog has no acknowledgement. Over TLS and TCP, each batch has a connection of its own: all its
//! messages are written, our side is closed, and the events are delivered when the receiver closes its
//! own, which it does after it has read everything. A reset, or a receiver that does not close within
//! ten seconds, is a failure, and the batch is sent again. Over UDP a message counts as delivered when it
//! was sent; nobody can say more.
//!
//! # Set it up
//!
//! The receiver's certificate is judged by the certificate authorities of the machine (`SSL_CERT_FILE`
//! names others). UDP and TCP reach only addresses in `allow_cidrs`, because nobody hides what is said.
//!
//! ```yaml
//! sinks:
//!   - name: logs
//!     type: syslog
//!     address: logs.example.com:6514
//! ```

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use self::message::message;
pub use self::message::{Facility, Text};
pub use self::way::Transport;
use self::way::Way;
use super::{Batch, DeliveryError, Fault, Sink};
use crate::deliver::guard::Cidr;
use crate::deliver::host::HostPort;
use crate::store::Event;

mod message;
mod way;

const MOST_BYTES: usize = 1 << 20;

/// Messages of RFC 5424 over TLS, TCP or UDP.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SyslogSink")]
pub struct SyslogConfig {
    /// Host and port, for example `logs.example.com:6514`.
    #[schemars(with = "String", extend("format" = "host-port"))]
    pub address: HostPort,
    /// How messages get there.
    #[serde(default)]
    #[schemars(extend("default" = "tls"))]
    pub transport: Transport,
    /// The facility that messages carry.
    #[serde(default)]
    #[schemars(extend("default" = "local0"))]
    pub facility: Facility,
    /// The text of messages.
    #[serde(default)]
    #[schemars(extend("default" = "line"))]
    pub message: Text,
    /// Networks that may be reached although they are this machine (`127.0.0.0/8`) or without TLS.
    /// Metadata and link-local addresses cannot be allowed.
    #[serde(default)]
    pub allow_cidrs: Vec<Cidr>,
}

pub struct Syslog {
    config: SyslogConfig,
    way: Way,
}

impl Syslog {
    pub fn new(config: &SyslogConfig) -> Result<Self, Fault> {
        Ok(Self { config: config.clone(), way: Way::new(config)? })
    }
}

#[async_trait]
impl Sink for Syslog {
    fn batch(&self) -> Option<Batch> {
        Some(Batch { bytes: MOST_BYTES, ..Batch::default() })
    }

    async fn deliver(&self, event: &Event) -> Result<(), DeliveryError> {
        self.deliver_batch(&[event]).await
    }

    async fn deliver_batch(&self, events: &[&Event]) -> Result<(), DeliveryError> {
        let messages: Result<Vec<String>, _> =
            events.iter().map(|event| message(event, &self.config)).collect();
        self.way.send(&messages?).await
    }
}
