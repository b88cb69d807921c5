//! What a person configures about AWS. Everything has a default but the accounts of others.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

pub use self::events::Events;
pub(crate) use self::events::is_region;
use crate::id::{Place, is_account};

mod events;

/// Settings of an AWS source.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which accounts are read: `ambient` (the one the agent's credentials belong to), a list of
    /// roles to assume, or a whole organisation.
    pub accounts: Accounts,
    /// Where the AWS APIs are, when not at AWS: a private endpoint or a test server. The variable
    /// `AWS_ENDPOINT_URL` does the same.
    pub endpoint_url: Option<String>,
    /// The region whose endpoints are called; IAM itself has none. Taken from the environment or
    /// the profile, else `us-east-1`. Set it in other partitions: `cn-north-1`, `us-gov-west-1`.
    pub region: Option<String>,
    /// Tag keys that name an owner. Case and punctuation do not count, nor does a prefix such as
    /// `acme:`.
    #[serde(default = "headcount_sdk::owner::default_keys")]
    pub owner_tags: Vec<String>,
    /// Tag keys that say what an identity is for, compared in the same way.
    #[serde(default = "default_purpose_tags")]
    pub purpose_tags: Vec<String>,
    /// Calls in flight per account, 1 to 10. AWS publishes no limit, and production shares it.
    #[schemars(range(min = 1, max = 10))]
    pub concurrency: u32,
    /// A queue that brings events, so that a change is read within seconds. Without it everything
    /// waits for the next scan.
    pub events: Option<Events>,
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

impl Default for Config {
    fn default() -> Self {
        Self {
            accounts: Accounts::Ambient,
            endpoint_url: None,
            region: None,
            owner_tags: headcount_sdk::owner::default_keys(),
            purpose_tags: default_purpose_tags(),
            concurrency: 2,
            events: None,
        }
    }
}

pub(crate) fn default_purpose_tags() -> Vec<String> {
    owned(&["purpose", "usage", "use-case", "description", "application", "app"])
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The accounts of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Accounts {
    /// The account that the agent's own credentials belong to.
    #[default]
    Ambient,
    /// One account per role.
    Roles(RoleAccounts),
    /// Every account of an organisation.
    Organization(OrganizationAccounts),
}

/// Accounts given by the roles to read them with.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleAccounts {
    /// ARNs of the roles to assume, one per account.
    pub roles: Vec<String>,
    /// The external id that the roles' trust policies ask for.
    #[serde(default)]
    pub external_id: Option<String>,
}

/// Every account that AWS Organizations lists. The account of the agent's own credentials is
/// read with them, every other one through the role.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationAccounts {
    /// Name (with its path, without a leading slash) of the role to assume in each member.
    pub role: String,
    /// The external id that the role's trust policy asks for.
    #[serde(default)]
    pub external_id: Option<String>,
    /// Only these accounts; empty = all.
    #[serde(default)]
    pub include: Vec<String>,
    /// Not these accounts.
    #[serde(default)]
    pub exclude: Vec<String>,
}

/// The shapes of `accounts`, for people and for the schema.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum AccountsShape {
    Ambient(AmbientWord),
    Roles(RoleAccounts),
    Organization { organization: OrganizationAccounts },
}

#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum AmbientWord {
    Ambient,
}

impl JsonSchema for Accounts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Accounts".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        AccountsShape::json_schema(generator)
    }
}

/// As it is written; the schema tells the default by it.
impl serde::Serialize for Accounts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Ambient => serializer.serialize_str("ambient"),
            Self::Roles(accounts) => accounts.serialize(serializer),
            Self::Organization(accounts) => serializer.collect_map([("organization", accounts)]),
        }
    }
}

/// By hand, because an untagged enum would answer every mistake with "matched no variant".
impl<'de> Deserialize<'de> for Accounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AccountsVisitor)
    }
}

struct AccountsVisitor;

/// All keys of the two mapping forms.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountsMap {
    #[serde(default)]
    roles: Option<Vec<String>>,
    #[serde(default)]
    external_id: Option<String>,
    #[serde(default)]
    organization: Option<OrganizationAccounts>,
}

impl<'de> Visitor<'de> for AccountsVisitor {
    type Value = Accounts;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("`ambient`, a mapping with `roles`, or a mapping with `organization`")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Accounts, E> {
        if word == "ambient" {
            return Ok(Accounts::Ambient);
        }
        Err(E::invalid_value(de::Unexpected::Str(word), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Accounts, A::Error> {
        let map = AccountsMap::deserialize(MapAccessDeserializer::new(map))?;
        match (map.roles, map.external_id, map.organization) {
            (Some(roles), external_id, None) => {
                Ok(Accounts::Roles(RoleAccounts { roles, external_id }))
            }
            (None, None, Some(organization)) => Ok(Accounts::Organization(organization)),
            (None, Some(_), Some(_)) => {
                Err(de::Error::custom("`external_id` stands inside `organization`"))
            }
            (Some(_), _, Some(_)) => {
                Err(de::Error::custom("`roles` and `organization` exclude each other"))
            }
            (None, _, None) => Err(de::Error::custom("`roles` or `organization` is missing")),
        }
    }
}

/// A configuration that cannot work. Found before any call is made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("accounts.roles: `{0}` is not the ARN of a role")]
    NotARole(String),
    #[error("accounts.roles: account {0} is named twice")]
    AccountTwice(String),
    #[error("accounts.roles is empty")]
    NoRoles,
    #[error("accounts.organization.role is not the name of a role")]
    NotARoleName,
    #[error("accounts.organization: `{0}` is not an account id of twelve digits")]
    NotAnAccount(String),
    #[error("endpoint_url must begin with http:// or https://")]
    NotAUrl,
    #[error("concurrency must be between 1 and 10")]
    Concurrency,
    #[error("events.queue_url is not the URL of a queue")]
    NotAQueue,
    #[error("events.region is not the name of a region")]
    NotARegion,
    #[error("events.settle_secs must be between 1 and 120")]
    Settle,
}

impl Config {
    /// # Errors
    ///
    /// When the configuration cannot work; the message begins with the key.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(1..=10).contains(&self.concurrency) {
            return Err(ConfigError::Concurrency);
        }
        if !self.endpoint_url.iter().all(|url| is_web(url)) {
            return Err(ConfigError::NotAUrl);
        }
        self.events.iter().try_for_each(Events::validate)?;
        match &self.accounts {
            Accounts::Ambient => Ok(()),
            Accounts::Roles(accounts) => accounts.places().map(drop),
            Accounts::Organization(accounts) => accounts.validate(),
        }
    }
}

impl RoleAccounts {
    /// The accounts in the order of the list.
    pub(crate) fn places(&self) -> Result<Vec<(Place, &str)>, ConfigError> {
        let mut places = Vec::new();
        let mut seen = BTreeSet::new();
        for arn in &self.roles {
            let place = Place::of_arn(arn)
                .filter(|place| arn.starts_with(&place.role_arn("")))
                .ok_or_else(|| ConfigError::NotARole(arn.clone()))?;
            if !seen.insert(place.clone()) {
                return Err(ConfigError::AccountTwice(place.account().to_owned()));
            }
            places.push((place, arn.as_str()));
        }
        if places.is_empty() { Err(ConfigError::NoRoles) } else { Ok(places) }
    }
}

impl OrganizationAccounts {
    fn validate(&self) -> Result<(), ConfigError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c);
        if self.role.is_empty() || self.role.starts_with('/') || !self.role.chars().all(allowed) {
            return Err(ConfigError::NotARoleName);
        }
        match self.include.iter().chain(&self.exclude).find(|id| !is_account(id)) {
            Some(id) => Err(ConfigError::NotAnAccount(id.clone())),
            None => Ok(()),
        }
    }

    pub(crate) fn wants(&self, account: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|id| id == account);
        (self.include.is_empty() || named(&self.include)) && !named(&self.exclude)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use serde_json::json;

    use super::*;

    fn parse(value: serde_json::Value) -> Result<Config, String> {
        let config: Config = serde_json::from_value(value).map_err(|e| e.to_string())?;
        config.validate().map_err(|e| e.to_string())?;
        Ok(config)
    }

    #[test]
    fn nothing_configured_means_the_ambient_account() {
        assert_eq!(parse(json!({})).unwrap(), Config::default());
        assert_eq!(parse(json!({ "accounts": "ambient" })).unwrap(), Config::default());
    }

    #[test]
    fn roles_and_organisations_are_told_apart() {
        let roles = json!({ "accounts": { "roles": ["arn:aws:iam::123456789012:role/x/Reader"], "external_id": "e" } });
        let Accounts::Roles(roles) = parse(roles).unwrap().accounts else { panic!("not roles") };
        assert_eq!(roles.places().unwrap()[0].0, Place::new("aws", "123456789012"));
        let org = json!({ "accounts": { "organization": { "role": "HeadcountReader", "exclude": ["123456789012"] } } });
        let Accounts::Organization(org) = parse(org).unwrap().accounts else { panic!("no org") };
        assert!(org.wants("210987654321") && !org.wants("123456789012"));
    }

    #[test]
    fn mistakes_are_named() {
        let role = "arn:aws:iam::123456789012:role/R";
        let rows = [
            (json!({ "account": "ambient" }), "unknown field `account`"),
            (json!({ "accounts": "all" }), "expected `ambient`"),
            (json!({ "accounts": {} }), "`roles` or `organization` is missing"),
            (json!({ "accounts": { "role": [] } }), "unknown field `role`"),
            (json!({ "accounts": { "roles": [] } }), "accounts.roles is empty"),
            (
                json!({ "accounts": { "roles": ["arn:aws:iam::123456789012:user/x"] } }),
                "is not the ARN of a role",
            ),
            (
                json!({ "accounts": { "roles": [role, role] } }),
                "account 123456789012 is named twice",
            ),
            (
                json!({ "accounts": { "roles": [role], "organization": { "role": "R" } } }),
                "exclude each other",
            ),
            (json!({ "accounts": { "organization": { "role": "" } } }), "not the name of a role"),
            (
                json!({ "accounts": { "organization": { "role": "R", "include": ["12"] } } }),
                "`12` is not an account id",
            ),
            (json!({ "endpoint_url": "localhost:5000" }), "endpoint_url must begin with"),
            (json!({ "concurrency": 0 }), "concurrency must be"),
        ];
        for (value, expected) in rows {
            let error = parse(value).unwrap_err();
            assert!(error.contains(expected), "{error} lacks {expected}");
        }
    }
}
