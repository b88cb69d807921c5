//! Personal access tokens, SSH keys and tokens of apps that belong to users.

use std::collections::BTreeMap;

use headcount_sdk::{Class, Expiry, Observation, OwnerBasis, Privilege, Purpose, Status};

use super::people::People;
use super::{not_observable, privilege, row_usage, write_permissions};
use crate::id::Place;
use crate::wire::{Authorization, TokenGrant, TokenPermissions};

/// Where a token's owner was read.
const OWNER: &str = "token owner";

fn all(permissions: &TokenPermissions) -> BTreeMap<String, String> {
    let TokenPermissions { organization, repository, other } = permissions;
    let organization = organization.iter().map(|(name, access)| {
        // Organisation and repository permissions share words.
        let name = if name.starts_with("organization_") || name == "members" {
            name.clone()
        } else {
            format!("organization_{name}")
        };
        (name, access.clone())
    });
    let others =
        repository.iter().chain(other).map(|(name, access)| (name.clone(), access.clone()));
    organization.chain(others).collect()
}

fn fine_grained(place: &Place, kind: &'static str, key: u64, row: &TokenGrant) -> Observation {
    let name = row.token_name.clone().unwrap_or_else(|| row.token_id.to_string());
    let id = place.numbered(kind, key);
    let mut observation = Observation::new(id, Class::Credential, kind, &name);
    observation.native = row.token_id.to_string();
    observation.expiry = row.token_expires_at.map_or(Expiry::Never, |at| Expiry::At { at });
    let permissions = all(&row.permissions);
    observation.privilege = Some(privilege(&permissions));
    let attributes = &mut observation.attributes;
    attributes.insert("token_owner".to_owned(), row.owner.login.clone());
    if let Some(selection) = &row.repository_selection {
        attributes.insert("repository_selection".to_owned(), selection.clone());
    }
    if let Some(names) = write_permissions(&permissions) {
        attributes.insert("write_permissions".to_owned(), names);
    }
    observation
}

pub(crate) fn grant(place: &Place, row: &TokenGrant, people: &People) -> Observation {
    let mut observation = fine_grained(place, "fine-grained-token", row.token_id, row);
    observation.status =
        if row.token_expired == Some(true) { Status::Disabled } else { Status::Active };
    observation.created_at = None;
    observation.usage = row_usage(row.token_last_used_at, row.access_granted_at);
    if let Some(granted) = row.access_granted_at {
        observation.attributes.insert("access_granted_at".to_owned(), granted.to_string());
    }
    people.claim(&mut observation, &row.owner.login, OwnerBasis::Label, OWNER);
    observation
}

pub(crate) fn request(place: &Place, row: &TokenGrant, people: &People) -> Observation {
    let mut observation = fine_grained(place, "fine-grained-token-request", row.id, row);
    // It opens nothing here until somebody approves it.
    observation.status = Status::Disabled;
    observation.created_at = row.created_at;
    observation.usage = not_observable("the token has no access here yet");
    if let Some(reason) = row.reason.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        let locator = "request reason".to_owned();
        observation.purpose = Some(Purpose { text: reason.to_owned(), locator });
    }
    people.claim(&mut observation, &row.owner.login, OwnerBasis::Label, OWNER);
    observation
}

/// The kind behind GitHub's name for it. One that is not known is kept as a token with its name.
fn kind_of(credential_type: &str) -> &'static str {
    match credential_type.to_ascii_lowercase().as_str() {
        "ssh key" => "ssh-key",
        "oauth app token" => "oauth-token",
        "github app token" | "github app user token" => "app-user-token",
        _ => "classic-token",
    }
}

/// A credential that a member authorised for single sign-on.
pub(crate) fn authorization(place: &Place, row: &Authorization, people: &People) -> Observation {
    let kind = kind_of(&row.credential_type);
    let id = match row.authorized_credential_id {
        Some(key) => place.numbered(kind, key),
        None => place.authorization(kind, row.credential_id),
    };
    let note = row.authorized_credential_note.as_deref();
    let name = note.or(row.authorized_credential_title.as_deref()).filter(|text| !text.is_empty());
    let name = name.map_or_else(|| format!("{kind} of {}", row.login), str::to_owned);
    let mut observation = Observation::new(id, Class::Credential, kind, &name);
    observation.native = row.authorized_credential_id.unwrap_or(row.credential_id).to_string();
    observation.status = Status::Active;
    observation.expiry =
        row.authorized_credential_expires_at.map_or(Expiry::Never, |at| Expiry::At { at });
    observation.usage = row_usage(row.credential_accessed_at, row.credential_authorized_at);
    observation.privilege = row.scopes.as_deref().filter(|_| kind != "ssh-key").map(scopes);
    let attributes = &mut observation.attributes;
    attributes.insert("token_owner".to_owned(), row.login.clone());
    attributes.insert("credential_type".to_owned(), row.credential_type.clone());
    if let Some(at) = row.credential_authorized_at {
        attributes.insert("authorized_at".to_owned(), at.to_string());
    }
    if let Some(scopes) = row.scopes.as_ref().filter(|scopes| !scopes.is_empty()) {
        attributes.insert("scopes".to_owned(), scopes.join(","));
    }
    people.claim(&mut observation, &row.login, OwnerBasis::Label, OWNER);
    observation
}

/// OAuth scopes on the one scale of privileges.
fn scopes(scopes: &[String]) -> Privilege {
    use headcount_sdk::Level;
    let judged = scopes.iter().map(|scope| {
        let level = match scope.as_str() {
            "admin:org" | "admin:enterprise" | "site_admin" => Level::Admin,
            "workflow" | "admin:repo_hook" | "admin:org_hook" | "admin:public_key"
            | "delete_repo" | "manage_runners:org" | "write:org" => Level::Escalating,
            "repo" | "public_repo" | "gist" | "user" | "project" | "codespace"
            | "notifications" => Level::Write,
            scope if scope.starts_with("read:") || scope.ends_with(":read") => Level::Read,
            "repo:status" | "user:email" => Level::Read,
            scope if scope.starts_with("write:") || scope.starts_with("delete:") => Level::Write,
            scope if scope.starts_with("admin:") => Level::Escalating,
            _ => Level::Unknown,
        };
        (level, scope)
    });
    match judged.reduce(|best, next| if next.0 > best.0 { next } else { best }) {
        Some((level, scope)) => Privilege { level, reason: format!("scope {scope}") },
        None => Privilege { level: Level::Read, reason: "no scopes".to_owned() },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use headcount_sdk::{Level, Standing};
    use serde_json::json;

    use super::*;
    use crate::config::Edition;

    fn place() -> Place {
        Place::new(&Edition::Public, 1)
    }

    fn people() -> People {
        People::Known(["ana".to_owned()].into())
    }

    #[test]
    fn grants_are_known_by_their_token_and_requests_by_themselves() {
        let row = json!({
            "id": 25381, "token_id": 98716, "token_name": "ci", "repository_selection": "all",
            "owner": { "login": "ben", "id": 2 }, "token_expired": false,
            "permissions": { "organization": { "members": "read" },
                             "repository": { "contents": "write" } },
            "access_granted_at": "2026-01-05T08:47:09Z", "token_expires_at": null,
            "token_last_used_at": null, "created_at": "2026-01-04T08:47:09Z",
        });
        let row: TokenGrant = serde_json::from_value(row).unwrap();
        let token = grant(&place(), &row, &people());
        assert_eq!(token.id.as_str(), "github:1:fine-grained-token/98716");
        assert_eq!(token.expiry, Expiry::Never);
        assert_eq!(token.usage.state(), "never_since");
        assert_eq!(token.owner_evidence[0].standing, Standing::Left);
        assert_eq!(token.privilege.unwrap().level, Level::Write);
        assert_eq!(token.attributes["write_permissions"], "contents");
        let asked = request(&place(), &row, &people());
        assert_eq!(asked.id.as_str(), "github:1:fine-grained-token-request/25381");
        assert_eq!((asked.status, asked.usage.state()), (Status::Disabled, "not_observable"));
    }

    #[test]
    fn authorised_credentials_keep_their_stable_id_and_their_kind() {
        let row = |kind: &str, stable: Option<u64>| -> Authorization {
            let row = json!({
                "login": "ana", "credential_id": 161195, "credential_type": kind,
                "token_last_eight": "71c3fc11", "credential_authorized_at": "2026-01-01T00:00:00Z",
                "credential_accessed_at": "2026-01-02T00:00:00Z", "scopes": ["repo", "admin:org"],
                "authorized_credential_id": stable,
            });
            serde_json::from_value(row).unwrap()
        };
        let rows = [
            ("personal access token", "classic-token"),
            ("SSH key", "ssh-key"),
            ("OAuth app token", "oauth-token"),
            ("GitHub app token", "app-user-token"),
            ("something new", "classic-token"),
        ];
        for (told, kind) in rows {
            let read = authorization(&place(), &row(told, Some(9)), &people());
            assert_eq!(read.id.as_str(), format!("github:1:{kind}/9"));
            assert_eq!(read.attributes["credential_type"], told);
            let text = serde_json::to_string(&read).unwrap();
            assert!(!text.contains("71c3fc11"), "the last eight characters were kept");
        }
        let unstable = authorization(&place(), &row("SSH key", None), &people());
        assert_eq!(unstable.id.as_str(), "github:1:ssh-key/authorization-161195");
        let token = authorization(&place(), &row("personal access token", Some(9)), &people());
        assert_eq!(token.privilege.unwrap().level, Level::Admin);
    }
}
