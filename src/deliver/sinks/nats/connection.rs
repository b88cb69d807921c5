//! The connection to a NATS server: made when it is needed, kept while it works.

use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use super::{DeliveryError, Fault, NatsConfig};
use crate::config::secret::SecretRef;
use crate::deliver::guard::Transport;
use crate::deliver::host::Host;

const PORT: u16 = 4222;
/// For a connection, and for an acknowledgement.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Connection {
    host: Host,
    /// Without a name and a password.
    url: Url,
    login: Option<Login>,
    credentials: Option<SecretString>,
    kept: Mutex<Option<Client>>,
}

/// What stood in the URL.
enum Login {
    Password(String, SecretString),
    Token(SecretString),
}

impl Connection {
    pub(super) fn new(config: &NatsConfig) -> Result<Self, Fault> {
        let mut url = config.url.resolve(&["tls", "nats"])?;
        let login = login(&mut url);
        let transport = if url.scheme() == "tls" { Transport::Tls } else { Transport::Plain };
        let place = (url.host_str().unwrap_or_default(), url.port().unwrap_or(PORT));
        let host = Host::new(place, &config.allow_cidrs, transport)?;
        let credentials = config.credentials.as_ref().map(SecretRef::resolve).transpose()?;
        if let Some(text) = &credentials {
            // Its errors may quote what it was given.
            ConnectOptions::new().credentials(text.expose_secret()).map_err(|_| Fault::Client {
                reason: "the credentials are no credentials file of NATS".to_owned(),
            })?;
        }
        Ok(Self { host, url, login, credentials, kept: Mutex::default() })
    }

    pub(super) const fn host(&self) -> &Host {
        &self.host
    }

    /// The connection, made if there is none. The address is judged before each; the client
    /// resolves the name once more, so this guards against mistakes and not against a name server
    /// that answers differently a moment later.
    pub(super) async fn client(&self) -> Result<Client, DeliveryError> {
        let mut kept = self.kept.lock().await;
        if let Some(client) = kept.as_ref() {
            return Ok(client.clone());
        }
        self.host.addresses().await?;
        let unusable = || self.host.rejected("the url or the credentials cannot be used");
        let server = ServerAddr::from_url(self.url.clone()).map_err(|_| unusable())?;
        let options = self.options().map_err(|()| unusable())?;
        let client = options.connect(server).await.map_err(|error| match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                self.host.rejected("the server refuses the credentials")
            }
            ConnectErrorKind::Tls => self.host.failed("TLS failed"),
            ConnectErrorKind::TimedOut => self.host.failed("no connection in time"),
            ConnectErrorKind::Dns => self.host.failed("the name cannot be resolved"),
            _ => self.host.failed("the connection failed"),
        })?;
        *kept = Some(client.clone());
        Ok(client)
    }

    /// The next message gets a connection of its own.
    pub(super) async fn end(&self) {
        *self.kept.lock().await = None;
    }

    fn options(&self) -> Result<ConnectOptions, ()> {
        let options = ConnectOptions::new()
            .name("headcount")
            .connection_timeout(PATIENCE)
            .require_tls(self.url.scheme() == "tls")
            .ignore_discovered_servers()
            // Whoever loses the connection makes a new one at the next attempt.
            .max_reconnects(1);
        let options = match &self.login {
            Some(Login::Password(name, password)) => {
                options.user_and_password(name.clone(), password.expose_secret().to_owned())
            }
            Some(Login::Token(token)) => options.token(token.expose_secret().to_owned()),
            None => options,
        };
        match &self.credentials {
            Some(text) => options.credentials(text.expose_secret()).map_err(drop),
            None => Ok(options),
        }
    }
}

/// Takes the name and the password out of a URL: the client looks for them elsewhere.
fn login(url: &mut Url) -> Option<Login> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let name = decoded(url.username());
    let password = url.password().map(|password| SecretString::from(decoded(password)));
    // Both fail only where a URL has no host.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    match password {
        Some(password) => Some(Login::Password(name, password)),
        None if name.is_empty() => None,
        None => Some(Login::Token(SecretString::from(name))),
    }
}
