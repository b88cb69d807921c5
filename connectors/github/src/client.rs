//! Everything that goes over the wire: credentials, organisations, REST lists and GraphQL.
//!
//! Nothing outside this module does I/O. Every request takes its turn on its credential's
//! [`line`], every list is read through a [`page::Cursor`], and every refusal becomes a
//! [`ScanError`] in [`error`].

pub(crate) mod error;
pub(crate) mod graphql;
mod line;
mod page;
mod quota;
mod transport;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headcount_sdk::{Priority, ScanContext, ScanError};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(crate) use self::error::Permissions;
use self::error::{denied_for, malformed, unavailable};
use self::graphql::{GRAPHQL, Reply};
use self::line::{Credential, Line, Login};
use self::page::Cursor;
use self::transport::{Answer, Api, Call, Transport};
use crate::config::{Address, Auth, Config, ConfigError};
use crate::id::Place;
use crate::wire;

/// For how long hints use what a scan learnt of an organisation and its installation.
const OPENED_FOR: SignedDuration = SignedDuration::from_mins(30);

const INSTALLATION: &str = "GET /orgs/{org}/installation";
const ORGANIZATION: &str = "GET /orgs/{org}";

/// How patient the connector is. The defaults are for GitHub; tests hurry.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Attempts per request, the first included.
    pub max_attempts: u32,
    /// Wait before the second attempt; doubled for each further one.
    pub initial_backoff: Duration,
    /// A throttle that is over by then is waited for; a longer one ends the scan.
    pub patience: Duration,
    /// Shortest time between two requests on one credential. GitHub allows 900 points a minute.
    pub spacing: Duration,
    /// Wait between two looks at the audit log.
    pub audit_poll: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            initial_backoff: Duration::from_secs(1),
            patience: Duration::from_secs(90),
            spacing: Duration::from_millis(67),
            audit_poll: Duration::from_secs(60),
        }
    }
}

/// What the references of a configuration lead to.
#[derive(Debug)]
pub struct Secrets {
    /// The App's private key in PEM, or the token.
    pub login: SecretString,
    /// The secret by which GitHub proves that it sent an event.
    pub webhook: Option<SecretString>,
}

impl Secrets {
    pub(crate) fn resolve(config: &Config) -> Result<Self, ConfigError> {
        let login = match &config.auth {
            Auth::App(app) => secret("auth.private_key", &app.private_key)?,
            Auth::Token(auth) => secret("auth.token", &auth.token)?,
        };
        let webhook = config.webhook_secret.as_ref();
        let webhook = webhook.map(|reference| secret("webhook_secret", reference)).transpose()?;
        Ok(Self { login, webhook })
    }
}

/// The way to GitHub.
pub(crate) struct Hub {
    pub(crate) config: Config,
    pub(crate) tuning: Tuning,
    pub(crate) address: Address,
    transport: Transport,
    /// The App itself, or the token that reads everything.
    own: Arc<Credential>,
    /// Per organisation, where an App reads.
    installations: Mutex<BTreeMap<String, Arc<Credential>>>,
    opened: tokio::sync::Mutex<BTreeMap<String, Kept>>,
}

#[derive(Clone)]
struct Kept {
    scan: String,
    at: Timestamp,
    facts: Arc<Facts>,
}

/// What is known of an organisation before it is read.
#[derive(Clone)]
struct Facts {
    place: Place,
    id: u64,
    login: String,
    permissions: Permissions,
    whole: bool,
    member: bool,
    credential: Arc<Credential>,
}

/// One organisation, ready to be read.
pub(crate) struct Organization {
    pub(crate) place: Place,
    pub(crate) id: u64,
    /// As it is called now.
    pub(crate) login: String,
    /// Whether every repository can be seen. If not, one that is not listed may still be there.
    pub(crate) sees_all_repositories: bool,
    /// Whether every member can be seen, and not only those who say so in public.
    pub(crate) sees_all_members: bool,
    line: Line,
    origin: String,
}

impl Hub {
    pub(crate) fn new(
        config: Config,
        tuning: Tuning,
        login: SecretString,
    ) -> Result<Self, ConfigError> {
        let address = config.address()?;
        let transport = Transport::new(&address)?;
        let login = match &config.auth {
            Auth::App(app) => {
                let key = octocrab::EncodingKey::from_rsa_pem(login.expose_secret().as_bytes());
                Login::App { app_id: app.app_id, key: key.map_err(|_| ConfigError::NotAKey)? }
            }
            Auth::Token(_) => Login::Token(login),
        };
        let own = Credential::new(login, transport.clone(), tuning, config.quota_reserve);
        Ok(Self {
            config,
            tuning,
            address,
            transport,
            own: Arc::new(own),
            installations: Mutex::default(),
            opened: tokio::sync::Mutex::default(),
        })
    }

    /// Opens an organisation: once per scan. Hints use what is not too old.
    pub(crate) async fn organization(
        &self,
        cx: &ScanContext,
        login: &str,
    ) -> Result<Organization, ScanError> {
        let mut opened = self.opened.lock().await;
        let kept = opened.get(login).filter(|kept| {
            let fresh = cx.priority == Priority::Hint && kept.at + OPENED_FOR > cx.now;
            kept.scan == cx.scan || fresh
        });
        let facts = match kept {
            Some(kept) => Arc::clone(&kept.facts),
            None => {
                let facts = Arc::new(self.open(cx, login).await?);
                let kept = Kept { scan: cx.scan.clone(), at: cx.now, facts: Arc::clone(&facts) };
                opened.insert(login.to_owned(), kept);
                facts
            }
        };
        Ok(Organization {
            place: facts.place.clone(),
            id: facts.id,
            login: facts.login.clone(),
            sees_all_repositories: facts.whole,
            sees_all_members: facts.member,
            line: facts.credential.line(cx, facts.permissions.clone()),
            origin: self.address.origin.clone(),
        })
    }

    async fn open(&self, cx: &ScanContext, login: &str) -> Result<Facts, ScanError> {
        match &self.config.auth {
            Auth::App(_) => self.open_installed(cx, login).await,
            Auth::Token(_) => self.open_with_token(cx, login).await,
        }
    }

    async fn open_installed(&self, cx: &ScanContext, login: &str) -> Result<Facts, ScanError> {
        let own = self.own.line(cx, Permissions::Token);
        let path = format!("/orgs/{}/installation", segment(login));
        let installed: wire::Installation =
            own.one(INSTALLATION, path).await.map_err(|error| match error {
                ScanError::Denied { operation, .. } => {
                    denied_for(&operation, &format!("the App's installation in {login}"))
                }
                other => other,
            })?;
        if installed.suspended_at.is_some() {
            return Err(denied_for(INSTALLATION, "an installation that is not suspended"));
        }
        let credential = self.installation(login, installed.id);
        let permissions = Permissions::App(installed.permissions);
        let line = credential.line(cx, permissions.clone());
        let path = format!("/orgs/{}", segment(login));
        let organization: wire::Organization = line.one(ORGANIZATION, path).await?;
        Ok(Facts {
            place: Place::new(&self.address.edition, organization.id),
            id: organization.id,
            login: organization.login,
            member: permissions.grant("members:read") == Some(true),
            permissions,
            whole: installed.repository_selection.as_deref() == Some("all"),
            credential,
        })
    }

    async fn open_with_token(&self, cx: &ScanContext, login: &str) -> Result<Facts, ScanError> {
        const VIEWER: &str = "query($org:String!){organization(login:$org){viewerIsAMember}}";
        let line = self.own.line(cx, Permissions::Token);
        let path = format!("/orgs/{}", segment(login));
        let organization: wire::Organization = line.one(ORGANIZATION, path).await?;
        let reply: Reply<wire::ViewerData> = line.query(VIEWER, json!({ "org": login })).await?;
        let viewer = reply.data.and_then(|data| data.organization);
        let viewer = viewer.ok_or_else(|| graphql::missing("data/organization"))?;
        Ok(Facts {
            place: Place::new(&self.address.edition, organization.id),
            id: organization.id,
            login: organization.login,
            permissions: Permissions::Token,
            // What the token's scopes leave out is missing without a word.
            whole: false,
            member: viewer.viewer_is_a_member,
            credential: Arc::clone(&self.own),
        })
    }

    fn installation(&self, login: &str, id: u64) -> Arc<Credential> {
        let mut known = self.installations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credential) = known.get(login).filter(|known| known.is_installation(id)) {
            return Arc::clone(credential);
        }
        let app = Login::Installation { id, app: Arc::clone(&self.own) };
        let (transport, reserve) = (self.transport.clone(), self.config.quota_reserve);
        let credential = Arc::new(Credential::new(app, transport, self.tuning, reserve));
        known.insert(login.to_owned(), Arc::clone(&credential));
        credential
    }
}

fn secret(
    key: &'static str,
    reference: &headcount_sdk::secret::SecretRef,
) -> Result<SecretString, ConfigError> {
    reference.resolve().map_err(|error| ConfigError::Secret { key, error })
}

impl Line {
    async fn get(&self, operation: &'static str, path: String) -> Result<Answer, ScanError> {
        self.exchange(operation, &Call { api: Api::Rest, path, body: None }).await
    }

    async fn one<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: String,
    ) -> Result<T, ScanError> {
        let answer = self.get(operation, path).await?;
        let value = serde_json::from_slice(&answer.body).map_err(|_| malformed(operation, "$"))?;
        row(operation, "$", value)
    }

    async fn query<T: DeserializeOwned>(
        &self,
        query: &str,
        variables: Value,
    ) -> Result<Reply<T>, ScanError> {
        let body = json!({ "query": query, "variables": variables });
        let call = Call { api: Api::Graphql, path: "/graphql".to_owned(), body: Some(body) };
        let answer = self.exchange(GRAPHQL, &call).await?;
        let value = serde_json::from_slice(&answer.body).map_err(|_| malformed(GRAPHQL, "$"))?;
        let reply: Reply<T> = row(GRAPHQL, "$", value)?;
        if reply.errors.iter().any(graphql::Fault::is_throttle) {
            return Err(self.spent(GRAPHQL, &answer));
        }
        Ok(reply)
    }
}

/// Which list is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<'a> {
    pub(crate) operation: &'static str,
    /// Path with its query, without the page size.
    pub(crate) path: &'a str,
    /// The member that holds the rows; `None`: the answer is an array.
    pub(crate) key: Option<&'static str>,
}

impl Organization {
    /// What the installation may do.
    pub(crate) fn grant(&self, permission: &str) -> Option<bool> {
        self.line.permissions.grant(permission)
    }

    /// Whether an App reads; some endpoints answer no one else.
    pub(crate) fn is_app(&self) -> bool {
        matches!(self.line.permissions, Permissions::App(_))
    }

    /// A path below the organisation.
    pub(crate) fn path(&self, tail: &str) -> String {
        format!("/orgs/{}{tail}", segment(&self.login))
    }

    pub(crate) async fn one<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: String,
    ) -> Result<T, ScanError> {
        self.line.one(operation, path).await
    }

    /// Reads a list to its end.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        list: List<'_>,
    ) -> Result<Vec<T>, ScanError> {
        let mut cursor = Cursor::new(list.operation, &self.origin);
        let mut rows = Vec::new();
        let mut path = Some(sized(list.path));
        while let Some(at) = path {
            let answer = self.line.get(list.operation, at).await?;
            let total = take(list, &answer, &mut rows)?;
            path = cursor.next(&answer.headers)?;
            if path.is_none() && total.is_some_and(|total| total > rows.len() as u64) {
                return Err(unavailable(list.operation, "fewer rows came than were counted"));
            }
        }
        Ok(rows)
    }

    /// Only the first page: to prove a permission.
    pub(crate) async fn first<T: DeserializeOwned>(
        &self,
        list: List<'_>,
    ) -> Result<Vec<T>, ScanError> {
        let answer = self.line.get(list.operation, sized(list.path)).await?;
        let mut rows = Vec::new();
        take(list, &answer, &mut rows)?;
        Ok(rows)
    }

    pub(crate) async fn query<T: DeserializeOwned>(
        &self,
        query: &str,
        variables: Value,
    ) -> Result<Reply<T>, ScanError> {
        self.line.query(query, variables).await
    }

    /// Watches the pages of a list that is not read by links.
    pub(crate) fn cursor(&self, operation: &'static str) -> PageGuard {
        PageGuard(Cursor::new(operation, &self.origin))
    }
}

/// Refuses a cursor that comes twice, and a list without end.
pub(crate) struct PageGuard(Cursor);

impl PageGuard {
    pub(crate) fn advance(&mut self, cursor: &str) -> Result<(), ScanError> {
        self.0.advance(cursor.to_owned())
    }
}

fn sized(path: &str) -> String {
    format!("{path}{}per_page=100", if path.contains('?') { '&' } else { '?' })
}

/// Takes the rows of a page, and the count that it states.
fn take<T: DeserializeOwned>(
    list: List<'_>,
    answer: &Answer,
    rows: &mut Vec<T>,
) -> Result<Option<u64>, ScanError> {
    let refused = |path: &str| malformed(list.operation, path);
    let mut page: Value = serde_json::from_slice(&answer.body).map_err(|_| refused("$"))?;
    let (found, total) = match list.key {
        Some(key) => {
            let total = page.get("total_count").and_then(Value::as_u64);
            (page.get_mut(key).map(Value::take).ok_or_else(|| refused(key))?, total)
        }
        None => (page, None),
    };
    let Value::Array(found) = found else { return Err(refused(list.key.unwrap_or("$"))) };
    for (index, value) in found.into_iter().enumerate() {
        rows.push(row(list.operation, &format!("[{index}]"), value)?);
    }
    Ok(total)
}

fn row<T: DeserializeOwned>(operation: &str, place: &str, value: Value) -> Result<T, ScanError> {
    serde_json::from_value(value).map_err(|error| {
        // Only this text is sure to hold none of the answer's values.
        let text = error.to_string();
        let what =
            if text.starts_with("missing field") { text } else { "unexpected type".to_owned() };
        malformed(operation, format!("{place}: {what}"))
    })
}

/// One segment of a path.
pub(crate) fn segment(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    percent_encoding::utf8_percent_encode(text, KEPT).to_string()
}
