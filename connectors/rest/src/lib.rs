#![doc = include_str!("../README.md")]
//!
//! # The code
//!
//! `describe` is the format and what makes a text one; `expr` runs its expressions; `shape` and
//! `item` take answers apart, `map` makes records of them, all pure. `transport`, `auth` and
//! `client` are the only parts that call; `list` follows pages, `read` reads a scope, `probe` is
//! `check`. `manifest` makes of a description what a coded connector states by hand.

mod auth;
pub mod catalog;
mod client;
mod config;
pub mod describe;
mod expr;
mod id;
mod item;
mod list;
mod manifest;
mod map;
mod page;
mod policy;
mod probe;
mod read;
mod rehearse;
mod shape;
mod transport;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use headcount_sdk::contract::{Probe, ProbeOutcome};
use headcount_sdk::{Complete, Connector, Manifest, Recorder, ScanContext, ScanError, Scope};

use self::auth::{Authenticator, Filled};
pub use self::client::Tuning;
use self::client::{Client, malformed, unavailable};
pub use self::config::{Config, ConfigError, Secrets, Settings};
pub use self::describe::{Description, LoadError};
use self::expr::evaluate;
use self::map::Variables;
pub use self::rehearse::{Fixtures, Rehearsal, RehearsalError, Rehearsed, offline, rehearse};
pub use self::transport::{Answer, Broken, Http, Request, Transport};

/// A description and the manifest it makes.
#[derive(Clone, Debug)]
pub struct Described {
    description: Arc<Description>,
    manifest: &'static Manifest,
}

impl Described {
    /// Reads a description.
    ///
    /// # Errors
    ///
    /// What is wrong with it, where, and what to do.
    pub fn load(text: &str) -> Result<Self, LoadError> {
        let description = describe::load(text)?;
        let manifest = manifest::of(&description, text);
        Ok(Self { description: Arc::new(description), manifest })
    }

    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// What the reader must be allowed, in the vendor's form; `with` are the settings of scopes
    /// that are read on request. `None`: there is no such setting.
    #[must_use]
    pub fn permissions(&self, with: &[&str]) -> Option<serde_json::Value> {
        policy::of(&self.description, with)
    }

    #[must_use]
    pub const fn manifest(&self) -> &'static Manifest {
        self.manifest
    }
}

/// Reads one tenant of a described source.
pub struct RestConnector {
    manifest: &'static Manifest,
    client: Client,
}

impl fmt::Debug for RestConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestConnector")
            .field("name", &self.manifest.connector)
            .finish_non_exhaustive()
    }
}

impl RestConnector {
    /// A connector for a configured source. Nothing is called and no secret is asked for yet.
    ///
    /// # Errors
    ///
    /// When the settings do not fit the description.
    pub fn new(
        described: &Described,
        settings: &Settings,
        secrets: Arc<dyn Secrets>,
    ) -> Result<Self, ConfigError> {
        let http = Http::new().map_err(|error| ConfigError::Tls(error.to_string()))?;
        Self::with(described, settings, secrets, (Arc::new(http), Tuning::default()))
    }

    /// The same over another transport and with another patience, for tests.
    ///
    /// # Errors
    ///
    /// When the settings do not fit the description.
    pub fn with(
        described: &Described,
        settings: &Settings,
        secrets: Arc<dyn Secrets>,
        (transport, tuning): (Arc<dyn Transport>, Tuning),
    ) -> Result<Self, ConfigError> {
        let values = Arc::new(config::values(&described.description, settings)?);
        let auth = config::auth(&described.description, settings)?;
        let how = Filled::new(&auth.how, &|template| config::fill(template, &values))
            .and_then(|how| how.at(settings.token_url.as_deref()))
            .map_err(|what| ConfigError::Address { what })?;
        let auth = Authenticator::new(how, secrets);
        Self::assemble(described, settings, (auth, transport, tuning))
    }

    fn assemble(
        described: &Described,
        settings: &Settings,
        with: (Authenticator, Arc<dyn Transport>, Tuning),
    ) -> Result<Self, ConfigError> {
        let description = &described.description;
        let values = Arc::new(config::values(description, settings)?);
        let bases = config::bases(description, settings, &values)?;
        let client = Client::new(Arc::clone(description), bases, values, with);
        Ok(Self { manifest: described.manifest, client })
    }

    /// The tenant that the credentials belong to; asked once per place and pass.
    async fn place(&self, cx: &ScanContext) -> Result<String, ScanError> {
        let place = cx.memo.once("rest:place", self.ask_place(cx)).await?;
        Ok(String::clone(&place))
    }

    async fn ask_place(&self, cx: &ScanContext) -> Result<String, ScanError> {
        let client = &self.client;
        let mut variables = read::settings(client);
        let operation = client.description.place.operation.as_deref();
        if let Some(name) = operation {
            let items = read::items(client, cx, name, variables.clone()).await?;
            let answer = items.into_iter().next();
            let answer = answer.ok_or_else(|| malformed(name, "the tenant"))?;
            variables.insert("answer".to_owned(), answer);
        }
        let tenant = fill_id(&client.description, variables, cx).await?;
        let fits = tenant.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c));
        if tenant.is_empty() || !fits {
            return Err(malformed(operation.unwrap_or("place"), "the id of the tenant"));
        }
        Ok(id::place(&client.description.name, &tenant))
    }
}

async fn fill_id(
    description: &Arc<Description>,
    variables: Variables,
    cx: &ScanContext,
) -> Result<String, ScanError> {
    let (description, now) = (Arc::clone(description), cx.now);
    let filled = evaluate(move || {
        let scope = map::scope(&variables, now);
        description.place.id.fill(&scope, |text, _| Some(text.to_owned()))
    });
    let filled = filled.await.map_err(|error| unavailable("place", &error.to_string()))?;
    filled.map_err(|_| malformed("place", "place.id"))
}

#[async_trait]
impl Connector for RestConnector {
    fn manifest(&self) -> &'static Manifest {
        self.manifest
    }

    async fn scopes(&self, cx: &ScanContext) -> Result<Vec<Scope>, ScanError> {
        let place = self.place(cx).await?;
        let wanted = self.client.description.scopes.iter();
        let wanted = wanted.filter(|scope| scope.is_wanted(&self.client.settings));
        Ok(wanted.map(|scope| Scope::new(&place, &scope.name)).collect())
    }

    async fn observe(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let not_here = || ScanError::NotSupported {
            operation: "observe".to_owned(),
            reason: format!("{scope} is not what this source reads now"),
        };
        let place = self.place(cx).await?;
        let scopes = &self.client.description.scopes;
        let found = scopes.iter().enumerate().find(|(_, described)| described.name == scope.kind);
        let described = found
            .filter(|(_, found)| place == scope.place && found.is_wanted(&self.client.settings))
            .ok_or_else(not_here)?;
        let reading = read::Reading::new(&self.client, cx, described, (place, recorder));
        // A list without end must not hold the scan for ever.
        tokio::time::timeout(self.client.tuning.deadline, reading.run())
            .await
            .unwrap_or_else(|_| Err(unavailable("observe", "the scope was not read in time")))
    }

    async fn check(&self, cx: &ScanContext) -> Vec<Probe> {
        match self.place(cx).await {
            Ok(place) => probe::Probing::new(&self.client, cx, &place).run().await,
            Err(error) => {
                let permission = match &error {
                    ScanError::Denied { permission, .. } => permission.clone(),
                    _ => String::new(),
                };
                vec![Probe {
                    place: self.manifest.connector.to_owned(),
                    operation: error.operation().to_owned(),
                    permission,
                    outcome: ProbeOutcome::Failed(error),
                }]
            }
        }
    }
}
