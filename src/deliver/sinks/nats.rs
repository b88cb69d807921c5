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

use std::time::Duration;

use async_nats::jetstream::{self, context::PublishErrorKind};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, HeaderMap, ServerAddr};
use async_trait::async_trait;
use percent_encoding::percent_decode_str;
use reqwest::Url;
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{DeliveryError, Fault, Sink};
use crate::config::secret::SecretRef;
use crate::deliver::guard::{Cidr, Guard, Transport, Unresolved};
use crate::deliver::http::{Address, check_literal};
use crate::store::Event;

const CONCURRENCY: usize = 64;
const PORT: u16 = 4222;
const PATIENCE: Duration = Duration::from_secs(10);
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
    name: String,
    /// Without a name and a password.
    url: Url,
    /// What stood in the URL: a name with a password, or a token.
    login: Option<(String, Option<SecretString>)>,
    host: String,
    subject: String,
    credentials: Option<SecretString>,
    guard: Guard,
    /// Kept while it works.
    client: Mutex<Option<Client>>,
}

impl Nats {
    pub fn new(name: &str, config: &NatsConfig) -> Result<Self, Fault> {
        let mut url = config.url.resolve(&["tls", "nats"])?;
        let login = login(&mut url);
        let transport = if url.scheme() == "tls" { Transport::Tls } else { Transport::Plain };
        let host = url.host_str().unwrap_or_default().to_owned();
        let guard = Guard::new(&config.allow_cidrs, transport);
        check_literal(&guard, &host)?;
        let wrong = |part: char| part.is_whitespace() || matches!(part, '*' | '>');
        if config.subject.is_empty() || config.subject.contains(wrong) {
            let reason = "subject holds a space or a wildcard".to_owned();
            return Err(Fault::Client { reason });
        }
        let credentials = config.credentials.as_ref().map(SecretRef::resolve).transpose()?;
        if let Some(text) = &credentials {
            options(None, Some(text)).map_err(|()| Fault::Client {
                reason: "the credentials are no credentials file of NATS".to_owned(),
            })?;
        }
        Ok(Self {
            name: name.to_owned(),
            url,
            login,
            host,
            subject: config.subject.clone(),
            credentials,
            guard,
            client: Mutex::default(),
        })
    }

    fn failed(&self, what: &str) -> DeliveryError {
        DeliveryError::retry(format!("{}: {what}", self.host))
    }

    fn rejected(&self, what: &str) -> DeliveryError {
        DeliveryError::Reject { reason: format!("{}: {what}", self.host) }
    }

    /// The connection, made if there is none. The address is judged before each; the client
    /// resolves the name once more, so this guards against mistakes and not against a name server
    /// that answers differently a moment later.
    async fn client(&self) -> Result<Client, DeliveryError> {
        let mut kept = self.client.lock().await;
        if let Some(client) = kept.as_ref() {
            return Ok(client.clone());
        }
        let port = self.url.port().unwrap_or(PORT);
        self.guard.look_up(&self.host, port).await.map_err(|error| match error {
            Unresolved::Refused(refused) => DeliveryError::Reject { reason: refused.to_string() },
            Unresolved::NoAddress => self.failed("the name cannot be resolved"),
        })?;
        let unusable = || self.rejected("the url or the credentials cannot be used");
        let server = ServerAddr::from_url(self.url.clone()).map_err(|_| unusable())?;
        let options =
            options(self.login.as_ref(), self.credentials.as_ref()).map_err(|()| unusable())?;
        let options = if self.url.scheme() == "tls" { options.require_tls(true) } else { options };
        let client = options.connect(server).await.map_err(|error| match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                self.rejected("the server refuses the credentials")
            }
            ConnectErrorKind::Tls => self.failed("TLS failed"),
            ConnectErrorKind::TimedOut => self.failed("no connection in time"),
            ConnectErrorKind::Dns => self.failed("the name cannot be resolved"),
            _ => self.failed("the connection failed"),
        })?;
        *kept = Some(client.clone());
        Ok(client)
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

/// Takes the name and the password out of a URL: the client looks for them elsewhere.
fn login(url: &mut Url) -> Option<(String, Option<SecretString>)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let name = decoded(url.username());
    let password = url.password().map(|password| SecretString::from(decoded(password)));
    // Both fail only where a URL has no host.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    (!name.is_empty()).then_some((name, password))
}

fn options(
    login: Option<&(String, Option<SecretString>)>,
    credentials: Option<&SecretString>,
) -> Result<ConnectOptions, ()> {
    let options = ConnectOptions::new()
        .name("headcount")
        .connection_timeout(PATIENCE)
        .ignore_discovered_servers()
        // Whoever loses the connection makes a new one at the next attempt.
        .max_reconnects(1);
    let options = match login {
        Some((name, Some(password))) => {
            options.user_and_password(name.clone(), password.expose_secret().to_owned())
        }
        Some((token, None)) => options.token(token.clone()),
        None => options,
    };
    match credentials {
        // Its errors may quote what it was given.
        Some(text) => options.credentials(text.expose_secret()).map_err(drop),
        None => Ok(options),
    }
}

#[async_trait]
impl Sink for Nats {
    fn name(&self) -> &str {
        &self.name
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    async fn deliver(&self, event: &Event) -> Result<(), DeliveryError> {
        let client = self.client().await?;
        let Err(kind) = self.publish(client, event).await else { return Ok(()) };
        match kind {
            PublishErrorKind::MaxPayloadExceeded => {
                return Err(self.rejected("the event is larger than the server takes"));
            }
            // The connection works: the server answered.
            PublishErrorKind::StreamNotFound => {
                return Err(self.failed("no stream takes the subject"));
            }
            _ => {}
        }
        // A connection that ended says so in many ways; a new one costs little.
        *self.client.lock().await = None;
        Err(self.failed(match kind {
            PublishErrorKind::TimedOut => "no acknowledgement in time",
            PublishErrorKind::BrokenPipe => "the connection ended",
            _ => "the stream did not store the message",
        }))
    }
}
