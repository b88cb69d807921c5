//! What a person configures about GitHub: which organisations, where, and by which credential.

use headcount_sdk::secret::{SecretError, SecretRef};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

/// GitHub's own API.
const PUBLIC_API: &str = "https://api.github.com";

/// Settings of a GitHub source.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Names of the organisations to read.
    pub organizations: Vec<String>,
    /// Where the REST API is: `https://HOST/api/v3` for GitHub Enterprise Server,
    /// `https://api.TENANT.ghe.com` with data residency.
    #[serde(default = "default_base_url")]
    pub base_url: String,
    /// As whom GitHub is read: a GitHub App (`app_id`, `private_key`), or a `token`, with which
    /// less can be seen.
    pub auth: Auth,
    /// The secret of the webhook that GitHub sends events through. Without it none are taken.
    #[serde(default)]
    pub webhook_secret: Option<SecretRef>,
    /// Share of the credential's hourly quota that is left to others, in percent.
    #[serde(default = "default_reserve")]
    #[schemars(range(min = 0, max = 90))]
    pub quota_reserve: u8,
    /// Logins of machine users, `*` standing for anything. People must not match.
    #[serde(default = "default_machine_users")]
    pub machine_users: Vec<String>,
    /// Custom properties of repositories that name an owner. Case and punctuation do not count.
    #[serde(default = "headcount_sdk::owner::default_keys")]
    pub owner_properties: Vec<String>,
}

/// As whom GitHub is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Auth {
    /// A GitHub App that is installed in every organisation.
    App(AppAuth),
    /// A personal access token of an owner of the organisations.
    Token(TokenAuth),
}

/// All keys of both forms.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthMap {
    #[serde(default)]
    app_id: Option<u64>,
    #[serde(default)]
    private_key: Option<SecretRef>,
    #[serde(default)]
    token: Option<SecretRef>,
}

/// By hand, because an untagged enum would answer every mistake with "matched no variant".
impl<'de> Deserialize<'de> for Auth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = AuthMap::deserialize(deserializer)?;
        match (map.app_id, map.private_key, map.token) {
            (Some(app_id), Some(private_key), None) => {
                Ok(Self::App(AppAuth { app_id, private_key }))
            }
            (None, None, Some(token)) => Ok(Self::Token(TokenAuth { token })),
            (None, Some(_), None) => Err(D::Error::custom("`app_id` is missing")),
            (Some(_), None, None) => Err(D::Error::custom("`private_key` is missing")),
            (None, None, None) => {
                Err(D::Error::custom("`app_id` and `private_key`, or `token`, is missing"))
            }
            (_, _, Some(_)) => Err(D::Error::custom("`token` and `app_id` exclude each other")),
        }
    }
}

/// A GitHub App.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppAuth {
    /// The App's numeric id.
    pub app_id: u64,
    /// Reference to its private key in PEM: `file:PATH` or `env:NAME`.
    pub private_key: SecretRef,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenAuth {
    /// Reference to the token: `env:NAME` or `file:PATH`.
    pub token: SecretRef,
}

fn default_base_url() -> String {
    PUBLIC_API.to_owned()
}

const fn default_reserve() -> u8 {
    20
}

fn default_machine_users() -> Vec<String> {
    [
        "*-bot",
        "bot-*",
        "*_bot",
        "*[bot]",
        "svc-*",
        "*-svc",
        "*-ci",
        "ci-*",
        "*-robot",
        "*-automation",
    ]
    .map(str::to_owned)
    .into()
}

/// A configuration that cannot work. Found before any call is made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("organizations is empty")]
    NoOrganizations,
    #[error("organizations: `{0}` is not the name of an organisation")]
    NotAName(String),
    #[error("organizations: {0} is named twice")]
    Twice(String),
    #[error("base_url must be an https:// address without query, user or fragment")]
    NotAUrl,
    #[error("quota_reserve must be between 0 and 90")]
    Reserve,
    #[error("{key}: {error}")]
    Secret { key: &'static str, error: SecretError },
    #[error("auth.private_key is not an RSA key in PEM")]
    NotAKey,
    #[error("the HTTP client cannot be built")]
    Client,
}

impl Config {
    /// # Errors
    ///
    /// When the configuration cannot work; the message begins with the key.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.organizations.is_empty() {
            return Err(ConfigError::NoOrganizations);
        }
        let mut seen = std::collections::BTreeSet::new();
        for name in &self.organizations {
            let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if name.is_empty() || !letters {
                return Err(ConfigError::NotAName(name.clone()));
            }
            if !seen.insert(name.to_ascii_lowercase()) {
                return Err(ConfigError::Twice(name.clone()));
            }
        }
        if self.quota_reserve > 90 {
            return Err(ConfigError::Reserve);
        }
        self.address().map(drop)
    }

    /// Where the APIs are.
    pub(crate) fn address(&self) -> Result<Address, ConfigError> {
        let url = Url::parse(&self.base_url).map_err(|_| ConfigError::NotAUrl)?;
        let host = url.host_str().ok_or(ConfigError::NotAUrl)?.to_owned();
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        let loopback = matches!(host.as_str(), "127.0.0.1" | "localhost" | "[::1]");
        let safe = url.scheme() == "https" || (url.scheme() == "http" && loopback);
        if !plain || !safe {
            return Err(ConfigError::NotAUrl);
        }
        Ok(Address::new(&url, host))
    }
}

/// The two APIs of one GitHub, and which GitHub it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Without a slash at the end.
    pub(crate) rest: String,
    /// What `/graphql` is appended to.
    pub(crate) graphql: String,
    /// Scheme, host and port, which every link that is followed must have.
    pub(crate) origin: String,
    pub(crate) edition: Edition,
}

/// Which GitHub an address belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edition {
    /// github.com, or a server that stands in for it.
    Public,
    /// A tenant of ghe.com, whose numeric ids are its own.
    Tenant { host: String },
    /// GitHub Enterprise Server.
    Server { host: String },
}

impl Address {
    fn new(url: &Url, host: String) -> Self {
        let rest = url.as_str().trim_end_matches('/').to_owned();
        let (graphql, edition) = match rest.strip_suffix("/v3") {
            Some(api) if api.ends_with("/api") => (api.to_owned(), Edition::Server { host }),
            _ if host.ends_with(".ghe.com") => (rest.clone(), Edition::Tenant { host }),
            _ => (rest.clone(), Edition::Public),
        };
        Self { rest, graphql, origin: url.origin().ascii_serialization(), edition }
    }

    /// Who issues the tokens of workflows.
    pub(crate) fn issuer(&self) -> String {
        match &self.edition {
            Edition::Public => "https://token.actions.githubusercontent.com".to_owned(),
            Edition::Tenant { host } => {
                format!("https://token.actions.{}", host.strip_prefix("api.").unwrap_or(host))
            }
            Edition::Server { host } => format!("https://{host}/_services/token"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn config(base_url: &str) -> Config {
        Config {
            organizations: vec!["acme".to_owned()],
            base_url: base_url.to_owned(),
            auth: Auth::Token(TokenAuth { token: "env:TOKEN".parse().unwrap() }),
            webhook_secret: None,
            quota_reserve: default_reserve(),
            machine_users: default_machine_users(),
            owner_properties: headcount_sdk::owner::default_keys(),
        }
    }

    #[test]
    fn addresses_tell_both_apis_and_the_issuer() {
        let rows = [
            (
                "https://api.github.com",
                "https://api.github.com",
                "https://token.actions.githubusercontent.com",
            ),
            (
                "https://git.acme.example/api/v3/",
                "https://git.acme.example/api",
                "https://git.acme.example/_services/token",
            ),
            (
                "https://api.acme.ghe.com",
                "https://api.acme.ghe.com",
                "https://token.actions.acme.ghe.com",
            ),
            (
                "http://127.0.0.1:9000",
                "http://127.0.0.1:9000",
                "https://token.actions.githubusercontent.com",
            ),
        ];
        for (base, graphql, issuer) in rows {
            let address = config(base).address().unwrap();
            assert_eq!((address.graphql.as_str(), address.issuer().as_str()), (graphql, issuer));
        }
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_key() {
        let refused = |config: Config| config.validate().unwrap_err().to_string();
        let good = config("https://api.github.com");
        assert!(good.validate().is_ok());
        assert!(
            refused(Config { organizations: vec![], ..good.clone() }).contains("organizations")
        );
        let twice = vec!["acme".to_owned(), "Acme".to_owned()];
        assert!(refused(Config { organizations: twice, ..good.clone() }).contains("twice"));
        let path = vec!["acme/x".to_owned()];
        assert!(refused(Config { organizations: path, ..good.clone() }).contains("acme/x"));
        assert!(refused(Config { quota_reserve: 91, ..good }).contains("quota_reserve"));
        for base in
            ["http://git.acme.example/api/v3", "https://u@h.example", "https://h.example/?a=b", "x"]
        {
            assert!(refused(config(base)).contains("base_url"), "{base}");
        }
    }

    #[test]
    fn the_two_ways_to_log_in_are_told_apart() {
        let app = r#"{"organizations":["acme"],"auth":{"app_id":7,"private_key":"file:/k.pem"}}"#;
        let read: Config = serde_json::from_str(app).unwrap();
        assert!(matches!(read.auth, Auth::App(AppAuth { app_id: 7, .. })));
        let clear = r#"{"organizations":["acme"],"auth":{"token":"in the clear"}}"#;
        assert!(serde_json::from_str::<Config>(clear).is_err());
        let refused = |auth: &str| {
            let text = format!(r#"{{"organizations":["acme"],"auth":{auth}}}"#);
            serde_json::from_str::<Config>(&text).unwrap_err().to_string()
        };
        assert!(refused(r#"{"app_id":7}"#).contains("private_key"));
        assert!(
            refused(r#"{"app_id":7,"private_key":"env:K","token":"env:T"}"#).contains("exclude")
        );
        assert!(refused(r#"{"tokn":"env:T"}"#).contains("tokn"));
        assert!(refused("{}").contains("missing"));
    }
}
