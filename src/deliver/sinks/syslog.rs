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

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, crypto};
use rustls_platform_verifier::BuilderVerifierExt as _;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use self::message::message;
pub use self::message::{Facility, Text};
use super::{Batch, DeliveryError, Fault, Sink};
use crate::deliver::guard::{Cidr, Guard, Transport as Privacy, Unresolved};
use crate::deliver::http::{check_literal, tls_fault};
use crate::store::Event;

mod message;

/// For a connection, for what is written, and for the receiver to close.
const PATIENCE: Duration = Duration::from_secs(10);
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

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HostPort {
    pub host: String,
    pub port: u16,
}

impl TryFrom<String> for HostPort {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || "expected a host and a port, for example `logs.example.com:6514`".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.is_empty() || bare.contains(['/', ' ', '@']) || (host == bare && host.contains(':'))
        {
            return Err(wrong());
        }
        Ok(Self { host: bare.to_owned(), port })
    }
}

impl HostPort {
    /// Why a text is none.
    pub fn check(text: &str) -> Result<(), String> {
        Self::try_from(text.to_owned()).map(drop)
    }
}

/// How messages get there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    #[default]
    Tls,
    Tcp,
    Udp,
}

pub struct Syslog {
    name: String,
    config: SyslogConfig,
    guard: Guard,
    /// Only for TLS.
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Syslog {
    pub fn new(name: &str, config: &SyslogConfig) -> Result<Self, Fault> {
        let privacy = match config.transport {
            Transport::Tls => Privacy::Tls,
            Transport::Tcp | Transport::Udp => Privacy::Plain,
        };
        let guard = Guard::new(&config.allow_cidrs, privacy);
        check_literal(&guard, &config.address.host)?;
        let tls = match config.transport {
            Transport::Tls => Some(tls(&config.address.host)?),
            Transport::Tcp | Transport::Udp => None,
        };
        Ok(Self { name: name.to_owned(), config: config.clone(), guard, tls })
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, DeliveryError> {
        let HostPort { host, port } = &self.config.address;
        self.guard.look_up(host, *port).await.map_err(|error| match error {
            Unresolved::Refused(refused) => DeliveryError::Reject { reason: refused.to_string() },
            Unresolved::NoAddress => self.failed("the name cannot be resolved"),
        })
    }

    fn failed(&self, what: &str) -> DeliveryError {
        DeliveryError::retry(format!("{}: {what}", self.config.address.host))
    }

    fn broken(&self, error: &io::Error) -> DeliveryError {
        self.failed(&tls_fault(error).unwrap_or_else(|| error.kind().to_string()))
    }

    async fn send_stream(&self, frames: &[u8]) -> Result<(), DeliveryError> {
        let late = |_| self.failed("no connection in time");
        let addresses = self.addresses().await?;
        let connected = timeout(PATIENCE, TcpStream::connect(&*addresses)).await.map_err(late)?;
        let stream = connected.map_err(|error| self.broken(&error))?;
        match &self.tls {
            None => self.hand_over(stream, frames).await,
            Some((connector, name)) => {
                let shaken = timeout(PATIENCE, connector.connect(name.clone(), stream)).await;
                let stream = shaken.map_err(late)?.map_err(|error| self.broken(&error))?;
                self.hand_over(stream, frames).await
            }
        }
    }

    /// Writes everything, closes our side, and waits until the receiver has read it and closes its.
    async fn hand_over(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin + Send,
        frames: &[u8],
    ) -> Result<(), DeliveryError> {
        let written = timeout(PATIENCE, async {
            stream.write_all(frames).await?;
            stream.flush().await?;
            stream.shutdown().await
        });
        let late = |_| self.failed("the receiver does not read");
        written.await.map_err(late)?.map_err(|error| self.broken(&error))?;
        let closed = timeout(PATIENCE, async {
            let mut rest = [0; 512];
            loop {
                match stream.read(&mut rest).await {
                    Ok(0) => return Ok(()),
                    Ok(_) => {}
                    // Many receivers close a connection without TLS's word for it.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        });
        let late = |_| self.failed("the receiver did not close, so nobody knows that it has read");
        closed.await.map_err(late)?.map_err(|error| self.broken(&error))
    }

    async fn send_datagrams(&self, messages: &[String]) -> Result<(), DeliveryError> {
        let addresses = self.addresses().await?;
        let Some(address) = addresses.first() else { return Err(self.failed("no address")) };
        let any: SocketAddr =
            if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).await.map_err(|error| self.broken(&error))?;
        socket.connect(address).await.map_err(|error| self.broken(&error))?;
        for message in messages {
            socket.send(message.as_bytes()).await.map_err(|error| self.broken(&error))?;
        }
        Ok(())
    }
}

fn tls(host: &str) -> Result<(TlsConnector, ServerName<'static>), Fault> {
    let fault = |reason: String| Fault::Client { reason };
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier())
        .map_err(|error| fault(error.to_string()))?
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| fault("the host is neither a name nor an address".to_owned()))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

#[async_trait]
impl Sink for Syslog {
    fn name(&self) -> &str {
        &self.name
    }

    fn batch(&self) -> Option<Batch> {
        Some(Batch { bytes: MOST_BYTES, ..Batch::default() })
    }

    async fn deliver(&self, event: &Event) -> Result<(), DeliveryError> {
        self.deliver_batch(&[event]).await
    }

    async fn deliver_batch(&self, events: &[&Event]) -> Result<(), DeliveryError> {
        let messages: Result<Vec<String>, _> =
            events.iter().map(|event| message(event, &self.config)).collect();
        let messages = messages?;
        if self.config.transport == Transport::Udp {
            return self.send_datagrams(&messages).await;
        }
        let framed = |message: &String| format!("{} {message}", message.len());
        self.send_stream(messages.iter().map(framed).collect::<String>().as_bytes()).await
    }
}
