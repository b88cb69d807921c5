//! Webhook deliveries as GitHub writes and signs them, for receivers under test.

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::model::Hub;
use super::shape::Shape;
use crate::change::{Changed, no_such};

/// One delivery: what to post.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Lower-case names with values.
    pub headers: Vec<(&'static str, String)>,
    /// The bytes that the signature covers.
    pub body: Vec<u8>,
}

/// Signs `payload` with `secret` as event `event`. Its `X-GitHub-Delivery` is made from the
/// signature: the same payload is the same delivery, as a redelivery is.
pub fn delivery(event: &str, payload: &Value, secret: &[u8]) -> Delivery {
    let body = payload.to_string().into_bytes();
    let sign = |algorithm| {
        let tag = hmac::sign(&hmac::Key::new(algorithm, secret), &body);
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let (sha256, sha1) = (sign(hmac::HMAC_SHA256), sign(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY));
    let part = |from: usize, to: usize| &sha256[from..to];
    let guid = format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    );
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("user-agent", "GitHub-Hookshot/made-up".to_owned()),
        ("x-github-event", event.to_owned()),
        ("x-github-delivery", guid),
        ("x-github-hook-id", "1".to_owned()),
        ("x-github-hook-installation-target-type", "organization".to_owned()),
        ("x-hub-signature", format!("sha1={sha1}")),
        ("x-hub-signature-256", format!("sha256={sha256}")),
    ];
    Delivery { headers, body }
}

/// What an event is about, besides the organisation.
#[derive(Clone, Copy, Debug)]
pub enum About<'a> {
    /// `repository`: `owner/name`.
    Repository(&'a str),
    /// `deploy_key`: a repository and the key's id.
    DeployKey(&'a str, u64),
    /// `personal_access_token_request`: the request's id.
    TokenRequest(u64),
    /// `organization` and `membership`: a login.
    Member(&'a str),
    /// `installation`: its id.
    Installation(u64),
}

/// What GitHub writes where an event has no API address.
const API: &str = "https://api.github.test";

impl Hub {
    /// The payload of an event of an organisation. Write that of a deletion before the change: it
    /// shows what is deleted.
    pub fn event(&self, org: &str, action: &str, about: About<'_>) -> Changed<Value> {
        let org = self.organization(org)?;
        let shape = Shape { hub: self, org, api: API };
        let founder = org.members.keys().next().copied().unwrap_or(0);
        let mut payload = json!({
            "action": action, "sender": shape.user(founder),
            "organization": shape.organization(),
        });
        match about {
            About::Repository(full) => {
                payload["repository"] = shape.repository(self.repository(full)?);
            }
            About::DeployKey(full, id) => {
                let repo = self.repository(full)?;
                let key = repo.deploy_keys.get(&id);
                let key = key.ok_or_else(|| no_such("deploy key", &id.to_string()))?;
                payload["repository"] = shape.repository(repo);
                payload["key"] = shape.deploy_key(key, repo);
            }
            About::TokenRequest(id) => {
                let found = org.token_requests.get(&id);
                let found = found.ok_or_else(|| no_such("token request", &id.to_string()))?;
                let mut request = shape.token_grant(found, true);
                for (name, value) in [
                    ("permissions_added", request["permissions"].clone()),
                    ("permissions_upgraded", json!({})),
                    ("permissions_result", request["permissions"].clone()),
                    ("repository_count", Value::Null),
                    ("repositories", Value::Null),
                ] {
                    request[name] = value;
                }
                payload["personal_access_token_request"] = request;
            }
            About::Member(login) => {
                let user = self.users.values().find(|user| user.login == login);
                let user = user.ok_or_else(|| no_such("user", login))?;
                payload["membership"] = json!({
                    "url": format!("{API}/orgs/{}/memberships/{login}", org.login),
                    "organization_url": format!("{API}/orgs/{}", org.login),
                    "state": "active", "role": "member", "user": shape.actor(user),
                });
            }
            About::Installation(id) => {
                let found = org.installations.get(&id);
                let found = found.ok_or_else(|| no_such("installation", &id.to_string()))?;
                payload["installation"] = shape.installation(found);
            }
        }
        Ok(payload)
    }
}
