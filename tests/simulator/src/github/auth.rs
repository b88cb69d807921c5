//! Who asks: an App by its JWT, an installation by its token, or an owner by theirs; and what
//! each has left to spend.
//!
//! Tokens are made up and look like nothing else. They end an hour after the simulated moment of
//! their issue; what the answer says of their end is in the client's own time, taken from its
//! JWT, because a client compares it with its own clock.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::model::Hub;
use super::reply::Refusal;
use super::shape::when;

const HOUR: i64 = 3600;

/// Tokens issued and budgets spent.
#[derive(Debug, Default)]
pub(super) struct Access {
    tokens: BTreeMap<String, Issued>,
    spent: BTreeMap<(String, &'static str), Window>,
}

#[derive(Debug)]
struct Issued {
    bearer: Bearer,
    expires_at: Timestamp,
}

/// Whose request it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bearer {
    App(u64),
    Installation {
        org: u64,
        id: u64,
    },
    /// Somebody who may do everything that a person may.
    Owner {
        org: u64,
    },
}

/// For whom a token is made by script.
#[derive(Clone, Copy, Debug)]
pub enum Token {
    /// An installation, by id.
    Installation(u64),
    /// An owner of the organisation with this id, by a classic token.
    Owner(u64),
}

/// An App that reads, as its configuration names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// The `iss` of its JWTs.
    pub app_id: u64,
    /// Or this.
    pub client_id: String,
    /// Its installation in the organisation.
    pub installation_id: u64,
    /// In paths.
    pub slug: String,
}

/// A budget after one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) limit: u64,
    pub(super) used: u64,
    pub(super) reset: i64,
    pub(super) resource: &'static str,
    /// This request was one too many.
    pub(super) exceeded: bool,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    used: u64,
    reset: i64,
}

impl Budget {
    pub(super) fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

impl Hub {
    /// Reads an `Authorization` header.
    pub(super) fn authenticate(&self, header: Option<&str>) -> Result<Bearer, Refusal> {
        let token = header.and_then(|header| {
            let (scheme, token) = header.split_once(' ')?;
            ["bearer", "token"].contains(&&*scheme.to_ascii_lowercase()).then_some(token.trim())
        });
        let Some(token) = token else {
            return Err(Refusal::new(401, "Requires authentication"));
        };
        if token.split('.').count() == 3 {
            return self.app_of(token).map(|(app, _)| Bearer::App(app));
        }
        let issued = self.access.tokens.get(token).ok_or_else(Refusal::bad_credentials)?;
        if issued.expires_at <= self.clock.now() {
            return Err(Refusal::bad_credentials());
        }
        if let Bearer::Installation { org, id } = issued.bearer {
            let installation = self.organizations.get(&org).and_then(|o| o.installations.get(&id));
            match installation {
                None => return Err(Refusal::bad_credentials()),
                Some(installation) if installation.suspended.is_some() => {
                    return Err(Refusal::new(403, "This installation has been suspended"));
                }
                Some(_) => {}
            }
        }
        Ok(issued.bearer.clone())
    }

    /// The App that a JWT names, and when its client made it. The signature is not checked.
    pub(super) fn app_of(&self, jwt: &str) -> Result<(u64, i64), Refusal> {
        let parts: Vec<&str> = jwt.split('.').collect();
        let undecoded = || Refusal::new(401, "A JSON web token could not be decoded");
        let part = |n: usize| -> Result<Value, Refusal> {
            let text = parts.get(n).ok_or_else(undecoded)?;
            let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| undecoded())?;
            serde_json::from_slice(&bytes).map_err(|_| undecoded())
        };
        let (head, claims) = (part(0)?, part(1)?);
        if head["alg"] != "RS256" || parts.get(2).is_none_or(|signature| signature.len() < 300) {
            return Err(undecoded());
        }
        let (Some(iat), Some(exp)) = (claims["iat"].as_i64(), claims["exp"].as_i64()) else {
            return Err(Refusal::new(401, "'Issued at' claim ('iat') must be an Integer"));
        };
        if exp <= iat || exp - iat > 11 * 60 {
            return Err(Refusal::new(
                401,
                "'Expiration time' claim ('exp') is too far in the future",
            ));
        }
        let named = |app: &&super::App| match &claims["iss"] {
            Value::Number(id) => id.as_u64() == Some(app.id),
            Value::String(text) => *text == app.client_id || *text == app.id.to_string(),
            _ => false,
        };
        let app = self.apps.values().find(named);
        app.map(|app| (app.id, iat)).ok_or_else(|| Refusal::new(404, "Integration not found"))
    }

    /// `POST /app/installations/{id}/access_tokens`.
    pub(super) fn issue(&mut self, jwt: &str, installation: u64) -> Result<Value, Refusal> {
        let (app, issued_at) = self.app_of(jwt)?;
        let found = self.organizations.values().find_map(|org| {
            let found = org.installations.get(&installation).filter(|found| found.app == app)?;
            Some((org.id, found))
        });
        let (org, found) = found.ok_or_else(Refusal::not_found)?;
        if found.suspended.is_some() {
            return Err(Refusal::new(403, "This installation has been suspended"));
        }
        let permissions = found.permissions.clone();
        let selection = selection(found.repositories.is_some());
        let token = self.keep(Bearer::Installation { org, id: installation }, HOUR);
        let ends = Timestamp::from_second(issued_at + HOUR).unwrap_or(Timestamp::MAX);
        Ok(json!({
            "token": token,
            "expires_at": when(ends),
            "permissions": permissions,
            "repository_selection": selection,
        }))
    }

    /// A token made by hand: for tests, and for whoever configures a token instead of an App. It
    /// has no end.
    pub fn token(&mut self, whose: Token) -> String {
        let bearer = match whose {
            Token::Owner(org) => Bearer::Owner { org },
            Token::Installation(id) => {
                let org =
                    self.organizations.values().find(|org| org.installations.contains_key(&id));
                Bearer::Installation { org: org.map_or(0, |org| org.id), id }
            }
        };
        self.keep(bearer, 1000 * 365 * 24 * HOUR)
    }

    /// Every token issued so far is `Bad credentials` from now on.
    pub fn revoke_tokens(&mut self) {
        self.access.tokens.clear();
    }

    fn keep(&mut self, bearer: Bearer, lasts: i64) -> String {
        let token = format!("made-up-token-{:012}", self.id());
        let expires_at = self.clock.now() + SignedDuration::from_secs(lasts);
        self.access.tokens.insert(token.clone(), Issued { bearer, expires_at });
        token
    }

    /// Takes `cost` from the hour's budget of `bearer`.
    pub(super) fn spend(&mut self, bearer: &Bearer, graphql: bool, cost: u64) -> Budget {
        let (resource, limit) = if graphql {
            ("graphql", self.manners.points.unwrap_or(self.edition.points()))
        } else {
            ("core", self.manners.budget.unwrap_or(self.edition.budget()))
        };
        let now = self.clock.now().as_second();
        let fresh = Window { used: 0, reset: now + HOUR };
        let key = (format!("{bearer:?}"), resource);
        let window = self.access.spent.entry(key).or_insert(fresh);
        if window.reset <= now {
            *window = fresh;
        }
        let exceeded = window.used + cost > limit;
        window.used = (window.used + cost).min(limit);
        Budget { limit, used: window.used, reset: window.reset, resource, exceeded }
    }
}

pub(super) fn selection(selected: bool) -> &'static str {
    if selected { "selected" } else { "all" }
}
