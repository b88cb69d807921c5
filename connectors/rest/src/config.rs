//! What the configured source gives to a description: settings, secrets, and where its API is.

use std::collections::BTreeMap;
use std::sync::Arc;

use headcount_sdk::secret::SecretRef;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::{Host, Url};

use crate::describe::{Auth, Description, LoadError, Setting};
use crate::expr::{Scope, Template, on_large_stack};
use crate::{Described, RestConnector, catalog};

/// A described source, as a person configures it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A description of the catalogue by its name, or the path of a file (it has a `/` or ends
    /// in `.yaml`).
    pub description: String,
    /// Values for the settings that the description names.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Secrets by the names that the description gives them.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretRef>,
    /// Which of the description's ways to prove who asks; left out, the first.
    #[serde(default, rename = "auth_method")]
    pub auth: Option<String>,
    /// Where the API is, when not where the description says: a proxy or a test server.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Where tokens are asked for, when not where the description says.
    #[serde(default)]
    pub token_url: Option<String>,
}

impl Config {
    /// Loads the description that is meant.
    ///
    /// # Errors
    ///
    /// When there is none of that name, or it cannot be read or used.
    pub fn describe(&self) -> Result<Described, ConfigError> {
        let name = self.description.as_str();
        let is_file = name.contains('/') || name.ends_with(".yaml") || name.ends_with(".yml");
        let loaded = if is_file {
            let text = std::fs::read_to_string(name).map_err(|error| ConfigError::File {
                path: name.to_owned(),
                reason: error.kind().to_string(),
            })?;
            Some(Described::load(&text))
        } else {
            catalog::load(name)
        };
        let loaded = loaded.ok_or_else(|| ConfigError::Description {
            name: name.to_owned(),
            known: catalog::names().join(", "),
        })?;
        loaded.map_err(|error| ConfigError::Load { name: name.to_owned(), error })
    }

    /// A connector for it. Nothing is called, and no secret is asked for yet.
    ///
    /// # Errors
    ///
    /// When the description cannot be used, or the settings do not fit it.
    pub fn connect(&self) -> Result<RestConnector, ConfigError> {
        let described = self.describe()?;
        let settings = Settings {
            values: self.settings.clone(),
            auth: self.auth.clone(),
            base_url: self.base_url.clone(),
            token_url: self.token_url.clone(),
        };
        let needed = auth(described.description(), &settings)?.how.secrets();
        if let Some(missing) = needed.into_iter().find(|name| !self.secrets.contains_key(*name)) {
            return Err(ConfigError::Secret { name: missing.to_owned() });
        }
        RestConnector::new(&described, &settings, Arc::new(self.secrets.clone()))
    }
}

/// Settings of a described source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Values for the settings that the description names.
    pub values: BTreeMap<String, String>,
    /// Which of the description's ways to prove who asks; none = the first.
    pub auth: Option<String>,
    /// Where the API is, when not where the description says: a proxy or a test server.
    pub base_url: Option<String>,
    /// Where tokens are asked for, when not where the description says.
    pub token_url: Option<String>,
}

/// Reveals secrets by the names that the description gives them. Asked before each use, so that
/// a file that is rotated is noticed.
pub trait Secrets: Send + Sync {
    fn reveal(&self, name: &str) -> Option<SecretString>;
}

impl Secrets for BTreeMap<String, SecretString> {
    fn reveal(&self, name: &str) -> Option<SecretString> {
        self.get(name).cloned()
    }
}

impl Secrets for BTreeMap<String, SecretRef> {
    fn reveal(&self, name: &str) -> Option<SecretString> {
        self.get(name)?.resolve().ok()
    }
}

/// Why a source cannot be read with what it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("setting `{name}` is missing: {about} (for example {example})")]
    Missing { name: String, about: String, example: String },
    #[error("there is no setting `{name}`; known are: {known}")]
    Strange { name: String, known: String },
    #[error("setting `{name}` is `true` or `false`")]
    Switch { name: String },
    #[error("there is no way `{name}` to authenticate; known are: {known}")]
    Auth { name: String, known: String },
    #[error("secret `{name}` is missing: give it by reference under `secrets`")]
    Secret { name: String },
    #[error("there is no description `{name}`; known are: {known}, or give the path of a file")]
    Description { name: String, known: String },
    #[error("{path} cannot be read: {reason}")]
    File { path: String, reason: String },
    #[error("description {name}: {error}")]
    Load { name: String, error: LoadError },
    #[error("{what}")]
    Address { what: String },
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Whether secrets may go there: over TLS, or to this very machine.
#[must_use]
pub fn safe(url: &Url) -> bool {
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    url.host().is_some() && (url.scheme() == "https" || url.scheme() == "http" && local)
}

/// The settings as expressions see them.
pub(crate) fn values(description: &Description, settings: &Settings) -> Result<Value, ConfigError> {
    if let Some(name) =
        settings.values.keys().find(|name| !description.settings.contains_key(*name))
    {
        let known = description.settings.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        return Err(ConfigError::Strange { name: name.clone(), known });
    }
    let is_switch = |name: &String| {
        let mut named = description.scopes.iter().filter_map(|scope| scope.only_if.as_ref());
        named.any(|setting| setting == name)
    };
    let value = |(name, described): (&String, &Setting)| {
        let given = settings.values.get(name).or(described.default.as_ref());
        let given = given.ok_or_else(|| ConfigError::Missing {
            name: name.clone(),
            about: described.about.clone(),
            example: described.example.clone(),
        })?;
        if is_switch(name) && !matches!(given.as_str(), "true" | "false") {
            return Err(ConfigError::Switch { name: name.clone() });
        }
        Ok((name.clone(), Value::String(given.clone())))
    };
    description.settings.iter().map(value).collect::<Result<_, _>>().map(Value::Object)
}

/// Where the API is, and those operations that are elsewhere. An address that the source gives
/// stands for all of them.
pub(crate) fn bases(
    description: &Description,
    settings: &Settings,
    values: &Arc<Value>,
) -> Result<(Url, BTreeMap<String, Url>), ConfigError> {
    if let Some(text) = &settings.base_url {
        return Ok((address(text)?, BTreeMap::new()));
    }
    let filled = |template| {
        let text = fill(template, values).map_err(|what| ConfigError::Address { what })?;
        address(&text)
    };
    let mut bases = BTreeMap::new();
    for (name, operation) in &description.operations {
        if let Some(template) = &operation.base_url {
            bases.insert(name.clone(), filled(template)?);
        }
    }
    Ok((filled(&description.base_url)?, bases))
}

fn address(text: &str) -> Result<Url, ConfigError> {
    let wrong = |what: &str| ConfigError::Address { what: what.to_owned() };
    let url = Url::parse(text).map_err(|_| wrong("the base URL is no address"))?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !plain || url.password().is_some() {
        return Err(wrong("the base URL is more than scheme, host and path"));
    }
    if !safe(&url) {
        return Err(wrong("the base URL is not https: secrets would go over it"));
    }
    Ok(url)
}

/// The way to prove who asks that was chosen.
pub(crate) fn auth<'a>(
    description: &'a Description,
    settings: &Settings,
) -> Result<&'a Auth, ConfigError> {
    let chosen = match &settings.auth {
        Some(name) => description.auth.iter().find(|auth| auth.name == *name),
        None => description.auth.first(),
    };
    chosen.ok_or_else(|| ConfigError::Auth {
        name: settings.auth.clone().unwrap_or_default(),
        known: description.auth.iter().map(|a| a.name.as_str()).collect::<Vec<_>>().join(", "),
    })
}

/// Fills a template in that asks for settings alone.
pub(crate) fn fill(template: &Template, values: &Arc<Value>) -> Result<String, String> {
    let (filled, values) = (template.clone(), Arc::clone(values));
    let outcome = on_large_stack(move || {
        let mut scope = Scope::new();
        scope.set("settings", &values);
        filled.fill(&scope, |text, _| Some(text.to_owned()))
    });
    let failed = || format!("`{}` cannot be filled in", template.source());
    outcome.map_err(|_| failed())?.map_err(|_| failed())
}
