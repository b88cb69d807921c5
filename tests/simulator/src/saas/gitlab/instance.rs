//! The people of a GitLab, their tokens and its OAuth applications: what only an administrator of
//! the whole instance may list.
//!
//! Somebody who is none is refused with 401 where tokens of others are asked for, and with 403 at
//! the applications (<https://docs.gitlab.com/api/personal_access_tokens/>).

use serde_json::{Value, json};

use super::{GitLab, MARKED, PERSONAL, Refusal, TOKENS as RESOURCE_TOKENS, key};
use crate::change::Changed;

pub(super) const APPLICATIONS: &str = "/applications";
pub(super) const PEOPLE: &str = "/users";
pub(super) const TOKENS: &str = "/personal_access_tokens";

impl GitLab {
    /// From now on it is no GitLab.com: it has no list of all access tokens, nor one of the
    /// tokens of people whom a group owns.
    pub fn is_ones_own(&mut self) {
        self.holdings.withdraw(RESOURCE_TOKENS);
        self.holdings.withdraw(PERSONAL);
    }

    /// From now on who reads is no administrator any more.
    pub fn demote_reader(&mut self) {
        self.administrator = false;
    }

    /// Somebody with an account; gives its id.
    pub fn add_person(&mut self, username: &str) -> u64 {
        let id = self.id();
        let row = json!({"id": id, "username": username, "name": username, "state": "active",
            "email": format!("{username}@example.com"), "created_at": self.made()});
        self.holdings.put(PEOPLE, &key(id), row);
        id
    }

    /// An administrator blocks an account, as they do when somebody leaves.
    pub fn block(&mut self, person: u64) -> Changed<()> {
        self.set(PEOPLE, person, "state", json!("blocked"))
    }

    /// The id of the account of this name.
    pub fn person(&self, username: &str) -> Option<u64> {
        let mut rows = self.holdings.rows(PEOPLE);
        rows.find(|row| row["username"] == username)?["id"].as_u64()
    }

    /// A token of somebody with an account; gives its id.
    pub fn make_token_of(&mut self, person: u64, name: &str, scopes: &[&str]) -> Changed<u64> {
        self.holdings.row(PEOPLE, "id", &person.to_string())?;
        let (id, row) = self.token((person, name, scopes));
        self.holdings.put(TOKENS, &key(id), row);
        Ok(id)
    }

    pub fn add_application(&mut self, name: &str) -> u64 {
        let id = self.id();
        let row = json!({"id": id, "application_id": format!("EXAMPLE{id}"),
            "application_name": name, "callback_url": "https://app.example.com/callback",
            "confidential": true, "scopes": ["openid", "read_api"], "secret": MARKED});
        self.holdings.put(APPLICATIONS, &key(id), row);
        id
    }

    /// Whether who reads may have this list at all.
    pub(super) fn may_ask(&self, path: &str) -> Result<(), Refusal> {
        match path {
            APPLICATIONS if !self.administrator => Err(Refusal::Denied("admin_mode")),
            TOKENS if !self.administrator => Err(Refusal::NoToken),
            _ => Ok(()),
        }
    }

    /// Rows as they are answered: people in them as they are now, instead of their ids.
    pub(super) fn dressed(&self, rows: Vec<Value>) -> Value {
        let people = |mut row: Value| {
            for field in ["owner", "created_by"] {
                let Some(id) = row[field].as_u64() else { continue };
                let known = self.holdings.rows(PEOPLE).find(|person| person["id"] == id);
                row[field] = known.map_or(Value::Null, |person| {
                    json!({"id": id, "username": person["username"], "name": person["name"],
                        "state": person["state"]})
                });
            }
            row
        };
        Value::Array(rows.into_iter().map(people).collect())
    }
}
