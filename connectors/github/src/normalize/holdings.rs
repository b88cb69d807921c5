//! What organisations, repositories and environments hold: secrets by name, keys, webhooks, runners.

use headcount_sdk::{
    Class, Confidence, Endpoint, Expiry, Level, Link, LinkKind, Observation, OwnerBasis, Privilege,
    RecordId, Status,
};
use serde_json::Value;
use url::Url;

use super::people::People;
use super::{not_observable, row_usage};
use crate::id::Place;
use crate::wire::{DeployKey, Hook, OidcTemplate, Registry, Runner, RunnerGroup, Secret};

/// Who holds something.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    /// `organization`, `repository`, `environment`.
    pub(crate) level: &'static str,
    /// As ids write it: `organization`, `repository/7`.
    pub(crate) key: String,
    /// As people write it: `acme`, `acme/shop`.
    pub(crate) name: String,
    pub(crate) record: Option<RecordId>,
}

impl Holder {
    pub(crate) fn organization(login: &str) -> Self {
        let (key, name) = ("organization".to_owned(), login.to_owned());
        Self { level: "organization", key, name, record: None }
    }

    pub(crate) fn repository(place: &Place, id: u64, name: &str) -> Self {
        let (key, name) = (format!("repository/{id}"), name.to_owned());
        Self { level: "repository", key, name, record: Some(place.repository(id)) }
    }

    pub(crate) fn environment(place: &Place, id: u64, name: &str) -> Self {
        let (key, name) = (format!("environment/{id}"), name.to_owned());
        Self { level: "environment", key, name, record: Some(place.environment(id)) }
    }
}

pub(crate) fn secret(place: &Place, kind: &str, holder: &Holder, row: &Secret) -> Observation {
    let id = place.secret(kind, &holder.key, &row.name, row.created_at);
    let mut observation = Observation::new(id, Class::Credential, kind, &row.name);
    observation.native = format!("{}/{kind}s/{}", holder.name, row.name);
    observation.parent = holder.record.clone();
    observation.status = Status::Active;
    observation.created_at = Some(row.created_at);
    // GitHub keeps what it is given, for ever; when the other side stops taking it, nobody knows.
    observation.expiry = Expiry::Never;
    observation.usage = not_observable("GitHub records no use of secrets");
    let attributes = &mut observation.attributes;
    attributes.insert("level".to_owned(), holder.level.to_owned());
    if let Some(at) = row.updated_at {
        attributes.insert("rotated_at".to_owned(), at.to_string());
    }
    if let Some(visibility) = &row.visibility {
        attributes.insert("visibility".to_owned(), visibility.clone());
    }
    observation.links.extend(static_key(holder, &row.name));
    observation
}

/// How sure it is that a key which a repository keeps is that of a user with the repository's name.
const GUESS: Confidence = Confidence::percent(25);

/// Whose static key the secret may hold. Its name says that it is AWS's, and users for pipelines
/// are often called after the repository; nothing more is known.
fn static_key(holder: &Holder, secret: &str) -> Option<Link> {
    let is_aws = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].iter().any(|n| secret.ends_with(n));
    let repository = holder.name.split('/').nth(1).filter(|_| is_aws)?;
    let about = ["ci", "deploy", "deployer", "bot", "github", "github-actions", "gha", "svc"];
    let names = about
        .iter()
        .flat_map(|word| [format!("{repository}-{word}"), format!("{word}-{repository}")]);
    let names = std::iter::once(repository.to_owned()).chain(names).collect();
    let to = Endpoint::Likely { kind: "iam-user".to_owned(), names };
    Some(Link { confidence: GUESS, ..Link::new(LinkKind::Uses, to) })
}

pub(crate) fn registry(place: &Place, login: &str, row: &Registry) -> Observation {
    let id = place.registry(&row.name, row.created_at);
    let mut observation = Observation::new(id, Class::Credential, "private-registry", &row.name);
    observation.native = format!("{login}/private-registries/{}", row.name);
    observation.status = Status::Active;
    observation.created_at = Some(row.created_at);
    observation.expiry = Expiry::Never;
    observation.usage = not_observable("GitHub records no use of private registries");
    let told = [
        ("registry_type", row.registry_type.clone()),
        ("username", row.username.clone()),
        ("visibility", row.visibility.clone()),
        ("rotated_at", row.updated_at.map(|at| at.to_string())),
    ];
    for (name, value) in told {
        if let Some(value) = value {
            observation.attributes.insert(name.to_owned(), value);
        }
    }
    observation
}

pub(crate) fn deploy_key(
    place: &Place,
    holder: &Holder,
    row: &DeployKey,
    people: &People,
) -> Observation {
    let id = place.numbered("deploy-key", row.id);
    let mut observation = Observation::new(id, Class::Credential, "deploy-key", &row.title);
    observation.native = format!("{}/keys/{}", holder.name, row.id);
    observation.parent = holder.record.clone();
    observation.status = if row.enabled == Some(false) { Status::Disabled } else { Status::Active };
    observation.created_at = row.created_at;
    observation.expiry = Expiry::Never;
    observation.usage = row_usage(row.last_used, row.created_at);
    observation.privilege = row.read_only.map(|read_only| {
        let level = if read_only { Level::Read } else { Level::Write };
        let reason =
            if read_only { "may fetch the repository" } else { "may push to the repository" };
        Privilege { level, reason: reason.to_owned() }
    });
    let told = [("read_only", row.read_only), ("verified", row.verified)];
    for (name, flag) in told {
        if let Some(flag) = flag {
            observation.attributes.insert(name.to_owned(), flag.to_string());
        }
    }
    if let Some(login) = row.added_by.as_deref().filter(|login| !login.is_empty()) {
        observation.attributes.insert("added_by".to_owned(), login.to_owned());
        people.claim(&mut observation, login, OwnerBasis::Creator, "added_by");
    }
    observation
}

/// A webhook. Of its address scheme and host are kept: paths and queries carry tokens.
pub(crate) fn webhook(place: &Place, holder: &Holder, row: &Hook) -> Observation {
    let id = place.numbered("webhook", row.id);
    let url = row.config.url.as_deref().and_then(|url| Url::parse(url).ok());
    let host = url.as_ref().and_then(Url::host_str).map(str::to_owned);
    let name = host.clone().or_else(|| row.name.clone()).unwrap_or_else(|| row.id.to_string());
    let mut observation = Observation::new(id, Class::Grant, "webhook", &name);
    observation.native = format!("{}/hooks/{}", holder.name, row.id);
    observation.parent = holder.record.clone();
    observation.status = match row.active {
        Some(true) => Status::Active,
        Some(false) => Status::Disabled,
        None => Status::Unknown,
    };
    observation.created_at = row.created_at;
    observation.expiry = Expiry::NotApplicable;
    observation.usage = not_observable("deliveries are not read");
    let attributes = &mut observation.attributes;
    let mut put = |name: &str, value: String| drop(attributes.insert(name.to_owned(), value));
    put("level", holder.level.to_owned());
    put("has_secret", row.config.secret.is_some().to_string());
    put("insecure_ssl", insecure(row.config.insecure_ssl.as_ref()).to_string());
    if let Some(url) = &url {
        put("scheme", url.scheme().to_owned());
    } else {
        let why = "the address, which GitHub does not tell".to_owned();
        observation.unread.insert("attributes.scheme".to_owned(), why);
    }
    if let Some(host) = host {
        put("host", host);
    }
    if !row.events.is_empty() {
        put("events", row.events.join(","));
    }
    observation
}

/// `"1"`, and `1` on older servers, means that certificates are not checked; what is left out is
/// "0" (<https://docs.github.com/rest/orgs/webhooks>).
fn insecure(told: Option<&Value>) -> bool {
    match told {
        Some(Value::String(text)) => text != "0",
        Some(Value::Number(number)) => number.as_u64() != Some(0),
        Some(Value::Bool(flag)) => *flag,
        Some(_) | None => false,
    }
}

/// A runner that stays. Whether it is online or busy changes by the minute and is not kept.
pub(crate) fn runner(place: &Place, holder: &Holder, row: &Runner) -> Observation {
    let id = place.numbered("self-hosted-runner", row.id);
    let mut observation = Observation::new(id, Class::Identity, "self-hosted-runner", &row.name);
    observation.native = format!("{}/runners/{}", holder.name, row.id);
    let group = row.runner_group_id.filter(|_| holder.record.is_none());
    observation.parent =
        group.map(|group| place.numbered("runner-group", group)).or_else(|| holder.record.clone());
    observation.status = Status::Active;
    observation.expiry = Expiry::NotApplicable;
    observation.usage = not_observable("GitHub does not tell when a runner was last connected");
    let attributes = &mut observation.attributes;
    attributes.insert("level".to_owned(), holder.level.to_owned());
    attributes.insert("ephemeral".to_owned(), (row.ephemeral == Some(true)).to_string());
    if let Some(os) = &row.os {
        attributes.insert("os".to_owned(), os.clone());
    }
    let labels: Vec<&str> = row.labels.iter().map(|label| label.name.as_str()).collect();
    if !labels.is_empty() {
        attributes.insert("labels".to_owned(), labels.join(","));
    }
    observation
}

pub(crate) fn runner_group(place: &Place, login: &str, row: &RunnerGroup) -> Observation {
    let id = place.numbered("runner-group", row.id);
    let mut observation = Observation::new(id, Class::Identity, "runner-group", &row.name);
    observation.native = format!("{login}/runner-groups/{}", row.id);
    observation.status = Status::Active;
    observation.expiry = Expiry::NotApplicable;
    observation.usage = not_observable("GitHub does not tell when a runner group was last used");
    let told = [
        ("visibility", row.visibility.clone()),
        ("allows_public_repositories", row.allows_public_repositories.map(|flag| flag.to_string())),
        ("restricted_to_workflows", row.restricted_to_workflows.map(|flag| flag.to_string())),
    ];
    for (name, value) in told {
        if let Some(value) = value {
            observation.attributes.insert(name.to_owned(), value);
        }
    }
    observation
}

pub(crate) fn oidc_template(place: &Place, issuer: &str, row: &OidcTemplate) -> Observation {
    let kind = "oidc-subject-template";
    let mut observation =
        Observation::new(place.oidc_template(), Class::Grant, kind, "subject of workflow tokens");
    observation.native = issuer.to_owned();
    observation.status = Status::Active;
    observation.expiry = Expiry::NotApplicable;
    observation.usage = not_observable("a setting is not used");
    observation
        .links
        .push(Link::new(LinkKind::Issues, Endpoint::Federation { issuer: issuer.to_owned() }));
    if let Some(keys) = &row.include_claim_keys {
        observation.attributes.insert("include_claim_keys".to_owned(), keys.join(","));
    }
    if let Some(immutable) = row.use_immutable_subject {
        let name = "use_immutable_subject".to_owned();
        observation.attributes.insert(name, immutable.to_string());
    }
    observation
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use serde_json::json;

    use super::*;
    use crate::config::Edition;

    fn place() -> Place {
        Place::new(&Edition::Public, 1)
    }

    #[test]
    fn of_a_webhooks_address_scheme_and_host_are_kept() {
        let row = json!({
            "id": 5, "name": "web", "active": true, "events": ["push"],
            "config": { "url": "http://u:p@hooks.example.com:8080/services/T0/B0/xyz?token=abc",
                        "insecure_ssl": "1", "content_type": "json" },
        });
        let row: Hook = serde_json::from_value(row).unwrap();
        let hook = webhook(&place(), &Holder::organization("acme"), &row);
        let text = serde_json::to_string(&hook).unwrap();
        for part in ["services", "xyz", "token=", "u:p"] {
            assert!(!text.contains(part), "{part} was kept");
        }
        let attribute = |name: &str| hook.attributes[name].as_str();
        assert_eq!((attribute("scheme"), attribute("host")), ("http", "hooks.example.com"));
        assert_eq!((attribute("has_secret"), attribute("insecure_ssl")), ("false", "true"));
    }

    #[test]
    fn masked_secrets_and_older_spellings_are_understood() {
        let row = |config: serde_json::Value| -> Observation {
            let row: Hook = serde_json::from_value(json!({ "id": 5, "config": config })).unwrap();
            webhook(&place(), &Holder::repository(&place(), 7, "acme/shop"), &row)
        };
        let masked =
            row(json!({ "url": "https://a.example/", "secret": "********", "insecure_ssl": 0 }));
        assert_eq!(masked.attributes["has_secret"], "true");
        assert_eq!(masked.attributes["insecure_ssl"], "false");
        assert_eq!(masked.parent.unwrap().as_str(), "github:1:repository/7");
        assert_eq!(row(json!({})).name, "5", "an address that is not told");
    }

    #[test]
    fn deploy_keys_belong_to_their_repository_and_tell_who_added_them() {
        let row = json!({ "id": 3, "title": "ci", "key": "ssh-rsa EXAMPLE", "read_only": false,
                          "created_at": "2026-01-01T00:00:00Z", "added_by": "ben", "last_used": null });
        let row: DeployKey = serde_json::from_value(row).unwrap();
        let people = People::Known(["ana".to_owned()].into());
        let key =
            deploy_key(&place(), &Holder::repository(&place(), 7, "acme/shop"), &row, &people);
        assert_eq!(key.usage.state(), "never_since");
        assert_eq!(key.attributes["read_only"], "false");
        assert_eq!(key.owner_evidence[0].standing, headcount_sdk::Standing::Left);
        assert!(!serde_json::to_string(&key).unwrap().contains("ssh-rsa"));
    }

    #[test]
    fn a_secret_made_anew_under_an_old_name_is_another_record() {
        let row = |created: &str| Secret {
            name: "NPM_TOKEN".to_owned(),
            created_at: created.parse().unwrap(),
            updated_at: None,
            visibility: None,
        };
        let holder = Holder::organization("acme");
        let id = |created: &str| secret(&place(), "actions-secret", &holder, &row(created)).id;
        assert_ne!(id("2026-01-01T00:00:00Z"), id("2026-02-01T00:00:00Z"));
    }
}
