//! What the configured source gives to a description: settings, secrets, and where its API is.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::Value;
use url::{Host, Url};

use crate::describe::{Auth, Description, Setting};
use crate::expr::{Scope, Template, on_large_stack};

/// Settings of a described source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Values for the settings that the description names.
    pub values: BTreeMap<String, String>,
    /// Which of the description's ways to prove who asks; none = the first.
    pub auth: Option<String>,
    /// Where the API is, when not where the description says: a proxy or a test server.
    pub base_url: Option<String>,
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

/// Why a source cannot be read with what it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("setting `{name}` is missing: {about} (for example {example})")]
    Missing { name: String, about: String, example: String },
    #[error("there is no setting `{name}`; known are: {known}")]
    Strange { name: String, known: String },
    #[error("there is no way `{name}` to authenticate; known are: {known}")]
    Auth { name: String, known: String },
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
    let value = |(name, described): (&String, &Setting)| {
        let given = settings.values.get(name).or(described.default.as_ref());
        let given = given.ok_or_else(|| ConfigError::Missing {
            name: name.clone(),
            about: described.about.clone(),
            example: described.example.clone(),
        })?;
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
