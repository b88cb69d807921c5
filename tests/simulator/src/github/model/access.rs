//! Who reaches an organisation from outside its repositories: Apps, tokens, registries, and what
//! was seen of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Actor;

/// A GitHub App.
#[derive(Clone, Debug)]
pub struct App {
    /// Never changes.
    pub id: u64,
    /// In paths.
    pub slug: String,
    /// As people write it.
    pub name: String,
    /// What its JWTs may name instead of its id.
    pub client_id: String,
    /// Who made it.
    pub owner: Actor,
    /// Whether `GET /apps/{slug}` shows it to others.
    pub public: bool,
    /// What it asks for.
    pub permissions: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An App in an organisation.
#[derive(Debug)]
pub struct Installation {
    /// Never changes; a new installation has a new one.
    pub id: u64,
    /// The App.
    pub app: u64,
    /// What it was granted: `members` → `read`.
    pub permissions: BTreeMap<String, String>,
    /// The repositories that it can reach; `None`: all.
    pub repositories: Option<BTreeSet<u64>>,
    /// When it was installed.
    pub created_at: Timestamp,
    /// Its last change.
    pub updated_at: Timestamp,
    /// Since when and by whom it is suspended.
    pub suspended: Option<(Timestamp, Actor)>,
    /// Whom GitHub writes to.
    pub contact_email: Option<String>,
}

/// A fine-grained personal access token in an organisation: a grant, or a request for one.
#[derive(Debug)]
pub struct TokenGrant {
    /// The grant's or the request's id.
    pub id: u64,
    /// The token's own id: the same in every organisation.
    pub token_id: u64,
    /// What its owner wrote.
    pub name: String,
    /// A user id.
    pub owner: u64,
    /// The repositories that it can reach; `None`: all.
    pub repositories: Option<BTreeSet<u64>>,
    /// Repository permissions.
    pub permissions: BTreeMap<String, String>,
    /// Organisation permissions.
    pub organization_permissions: BTreeMap<String, String>,
    /// When it was granted, or asked for.
    pub created_at: Timestamp,
    /// `None`: never.
    pub expires_at: Option<Timestamp>,
    /// The last request with it.
    pub last_used: Option<Timestamp>,
    /// Why, in a request.
    pub reason: Option<String>,
}

/// A credential that a member authorised for single sign-on.
#[derive(Debug)]
pub struct Authorization {
    /// Changes with every authorisation.
    pub credential_id: u64,
    /// Never changes.
    pub authorized_credential_id: u64,
    /// `personal access token`, `SSH key`, `OAuth app token` or `GitHub app token`.
    pub kind: &'static str,
    /// The login of its owner.
    pub login: String,
    /// When it was authorised.
    pub authorized_at: Timestamp,
    /// The last use.
    pub accessed_at: Option<Timestamp>,
    /// OAuth scopes, of tokens.
    pub scopes: Vec<String>,
    /// What its owner wrote.
    pub note: Option<String>,
    /// `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// A private package registry.
#[derive(Debug)]
pub struct Registry {
    /// Upper case.
    pub name: String,
    /// `npm_registry`, `docker_registry`, `maven_repository` …
    pub kind: &'static str,
    /// As whom it is read.
    pub username: Option<String>,
    /// `all`, `private` or `selected`.
    pub visibility: &'static str,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last set.
    pub updated_at: Timestamp,
}

/// What API Insights say of one subject.
#[derive(Clone, Debug)]
pub struct Stats {
    /// A login or an App's name.
    pub name: String,
    /// All requests.
    pub requests: u64,
    /// The last of them.
    pub last: Timestamp,
}

/// One entry of the audit log.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// Unique.
    pub document_id: String,
    /// `integration_installation.create` …
    pub action: String,
    /// The login of who did it.
    pub actor: String,
    /// When it happened.
    pub at: Timestamp,
    /// When it was recorded: what cursors and `created:` go by.
    pub recorded_at: Timestamp,
    /// Whatever else the action says.
    pub more: Map<String, Value>,
}
