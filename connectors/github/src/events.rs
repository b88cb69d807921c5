//! Webhook events: proof of who sent them, and what they make dirty. Pure but for the memory of
//! deliveries; calls nothing.
//!
//! GitHub signs the body with the webhook's secret (`X-Hub-Signature-256`), delivers in no order,
//! and repeats a delivery under its id when somebody asks. An event is a mark and no fact, so
//! order does not matter: whatever it names is read as it is now.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac;
use headcount_sdk::{Hint, Inbound, Refused, Scope};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// Deliveries that are remembered. GitHub lets one be repeated for three days; a repetition that
/// is not recognised costs a reading.
const REMEMBERED: usize = 10_000;

/// Takes in what GitHub sends.
pub(crate) struct Mailbox {
    key: hmac::Key,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    known: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    /// Whether it is new.
    fn take(&mut self, delivery: &str) -> bool {
        if !self.known.insert(delivery.to_owned()) {
            return false;
        }
        self.order.push_back(delivery.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

/// Of all that an event tells, where it happened.
#[derive(Debug, Default, Deserialize)]
struct Event {
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    organization: Option<Named>,
    #[serde(default)]
    repository: Option<Repository>,
    #[serde(default)]
    installation: Option<Installation>,
}

#[derive(Debug, Deserialize)]
struct Named {
    id: u64,
    login: String,
}

#[derive(Debug, Deserialize)]
struct Repository {
    id: u64,
}

#[derive(Debug, Default, Deserialize)]
struct Installation {
    #[serde(default)]
    account: Option<Named>,
}

impl Mailbox {
    pub(crate) fn new(secret: SecretString) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        Self { key, seen: Mutex::default() }
    }

    /// `place` tells the place of an organisation by name and id, if it is one of ours.
    pub(crate) fn receive(
        &self,
        inbound: &Inbound,
        place: impl Fn(&str, u64) -> Option<String>,
    ) -> Result<Vec<Hint>, Refused> {
        self.verify(inbound)?;
        let header = |name: &str| inbound.headers.get(name).map(String::as_str);
        let kind = header("x-github-event").ok_or(Refused::Malformed)?;
        let event: Event = body(inbound)?;
        let delivery = header("x-github-delivery").ok_or(Refused::Malformed)?;
        if !self.seen.lock().unwrap_or_else(PoisonError::into_inner).take(delivery) {
            return Ok(Vec::new());
        }
        let account = event.installation.as_ref().and_then(|one| one.account.as_ref());
        let organization = event.organization.as_ref().or(account);
        let place = organization.and_then(|named| place(&named.login, named.id));
        Ok(place.map_or_else(Vec::new, |place| hints(kind, &event, &place)))
    }

    fn verify(&self, inbound: &Inbound) -> Result<(), Refused> {
        let told = inbound.headers.get("x-hub-signature-256").ok_or(Refused::NotAuthentic)?;
        let told = told.strip_prefix("sha256=").and_then(bytes).ok_or(Refused::NotAuthentic)?;
        // Compares in constant time.
        hmac::verify(&self.key, &inbound.body, &told).map_err(|_| Refused::NotAuthentic)
    }
}

/// The JSON of the body, which stands in a form field where the webhook is set up so.
fn body(inbound: &Inbound) -> Result<Event, Refused> {
    let form = inbound
        .headers
        .get("content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let event = if form {
        let mut fields = url::form_urlencoded::parse(&inbound.body);
        let payload = fields.find(|(name, _)| name == "payload").ok_or(Refused::Malformed)?;
        serde_json::from_str(&payload.1)
    } else {
        serde_json::from_slice(&inbound.body)
    };
    event.map_err(|_| Refused::Malformed)
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}

/// What an event makes dirty: nothing for those that are not known here.
fn hints(kind: &str, event: &Event, place: &str) -> Vec<Hint> {
    let action = event.action.as_deref().unwrap_or_default();
    let whole = |kinds: &[&str]| -> Vec<Hint> {
        kinds.iter().map(|kind| Hint::whole(Scope::new(place, kind))).collect()
    };
    match (kind, action) {
        ("deploy_key", _) => match &event.repository {
            Some(repository) => {
                vec![Hint::new(Scope::new(place, "deploy-keys"), &repository.id.to_string())]
            }
            None => whole(&["deploy-keys"]),
        },
        ("personal_access_token_request", _) => {
            whole(&["fine-grained-tokens", "fine-grained-token-requests"])
        }
        ("installation" | "installation_repositories" | "installation_target", _) => {
            whole(&["app-installations"])
        }
        // Who leaves takes no credential along: whose owners they were is judged anew.
        ("organization", "member_added" | "member_removed") => {
            whole(&["members", "outside-collaborators", "fine-grained-tokens", "deploy-keys"])
        }
        ("organization", "renamed") => whole(&["repositories", "environments"]),
        ("member", _) => whole(&["outside-collaborators"]),
        ("membership", _) => whole(&["members"]),
        ("repository", "edited") => Vec::new(),
        ("repository", _) => whole(&["repositories", "environments", "deploy-keys"]),
        ("custom_property_values" | "custom_property", _) => whole(&["repositories"]),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn mailbox() -> Mailbox {
        Mailbox::new(SecretString::from("not a secret: an EXAMPLE".to_owned()))
    }

    fn signed(kind: &str, delivery: &str, body: &str) -> Inbound {
        let key = mailbox().key;
        let tag = hmac::sign(&key, body.as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let headers = [
            ("x-github-event", kind.to_owned()),
            ("x-github-delivery", delivery.to_owned()),
            ("x-hub-signature-256", format!("sha256={hex}")),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).into();
        Inbound { headers, body: body.as_bytes().to_vec() }
    }

    fn receive(mailbox: &Mailbox, inbound: &Inbound) -> Result<Vec<String>, Refused> {
        let ours = |login: &str, id: u64| (login == "acme").then(|| format!("github:{id}"));
        let hints = mailbox.receive(inbound, ours)?;
        Ok(hints.iter().map(|hint| format!("{} {}", hint.scope, hint.subject)).collect())
    }

    const DEPLOY_KEY: &str = r#"{"action":"created","key":{"id":100},
        "repository":{"id":1001,"full_name":"acme/shop"},"organization":{"id":7,"login":"acme"}}"#;

    #[test]
    fn forged_and_altered_messages_are_refused() {
        let mailbox = mailbox();
        let good = signed("deploy_key", "a", DEPLOY_KEY);
        let mut altered = good.clone();
        altered.body[3] ^= 1;
        let mut unsigned = good.clone();
        unsigned.headers.remove("x-hub-signature-256");
        let mut older = good.clone();
        older.headers.insert("x-hub-signature-256".to_owned(), "sha1=00".to_owned());
        let mut short = good.clone();
        short.headers.insert("x-hub-signature-256".to_owned(), "sha256=".to_owned());
        for forged in [altered, unsigned, older, short] {
            assert_eq!(receive(&mailbox, &forged), Err(Refused::NotAuthentic));
        }
        assert_eq!(receive(&mailbox, &good).unwrap(), ["github:7/deploy-keys 1001"]);
    }

    #[test]
    fn a_repeated_delivery_says_nothing_new_and_memory_has_a_bound() {
        let mailbox = mailbox();
        let first = signed("deploy_key", "first", DEPLOY_KEY);
        assert_eq!(receive(&mailbox, &first).unwrap().len(), 1);
        assert!(receive(&mailbox, &first).unwrap().is_empty());
        for n in 0..REMEMBERED {
            mailbox.seen.lock().unwrap().take(&n.to_string());
        }
        let seen = mailbox.seen.lock().unwrap();
        assert_eq!((seen.known.len(), seen.order.len()), (REMEMBERED, REMEMBERED));
        assert!(!seen.known.contains("first"));
    }

    #[test]
    fn events_name_what_is_dirty() {
        let body = |action: &str| {
            format!(r#"{{"action":"{action}","organization":{{"id":7,"login":"acme"}}}}"#)
        };
        let rows: [(&str, &str, &[&str]); 9] = [
            (
                "personal_access_token_request",
                "approved",
                &["fine-grained-tokens", "fine-grained-token-requests"],
            ),
            ("installation", "created", &["app-installations"]),
            (
                "organization",
                "member_removed",
                &["members", "outside-collaborators", "fine-grained-tokens", "deploy-keys"],
            ),
            ("repository", "deleted", &["repositories", "environments", "deploy-keys"]),
            ("custom_property_values", "updated", &["repositories"]),
            ("membership", "added", &["members"]),
            ("ping", "", &[]),
            ("meta", "deleted", &[]),
            ("something_new", "happened", &[]),
        ];
        for (kind, action, scopes) in rows {
            let found = receive(&mailbox(), &signed(kind, kind, &body(action))).unwrap();
            let expected: Vec<String> = scopes.iter().map(|s| format!("github:7/{s} ")).collect();
            assert_eq!(found, expected, "{kind}");
        }
    }

    #[test]
    fn organisations_of_others_and_none_at_all_are_no_hints() {
        let elsewhere = DEPLOY_KEY.replace("acme\"", "other\"");
        for body in [elsewhere.as_str(), "{}", r#"{"installation":{"id":3}}"#] {
            let found = receive(&mailbox(), &signed("deploy_key", "x", body)).unwrap();
            assert!(found.is_empty(), "{body}");
        }
        let installed =
            r#"{"action":"suspend","installation":{"id":3,"account":{"id":7,"login":"acme"}}}"#;
        let found = receive(&mailbox(), &signed("installation", "y", installed)).unwrap();
        assert_eq!(found, ["github:7/app-installations "]);
        let garbage = signed("deploy_key", "z", "not json");
        assert_eq!(receive(&mailbox(), &garbage), Err(Refused::Malformed));
    }

    #[test]
    fn forms_are_understood() {
        let json: String = url::form_urlencoded::byte_serialize(DEPLOY_KEY.as_bytes()).collect();
        let mut form = signed("deploy_key", "f", &format!("payload={json}"));
        form.headers
            .insert("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        assert_eq!(receive(&mailbox(), &form).unwrap(), ["github:7/deploy-keys 1001"]);
    }
}
