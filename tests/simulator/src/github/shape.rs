//! How things look on the wire. Required members are those of GitHub's own description.

mod repository;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::auth::selection;
use super::model::*;

/// `2026-01-15T09:00:00Z`: GitHub tells seconds.
pub(super) fn when(moment: Timestamp) -> String {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment).to_string()
}

/// Writes things as seen at one address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape<'a> {
    pub(super) hub: &'a Hub,
    pub(super) org: &'a Org,
    /// `http://127.0.0.1:PORT`, or with `/api/v3`.
    pub(super) api: &'a str,
}

impl<'a> Shape<'a> {
    pub(super) fn actor(&self, actor: &Actor) -> Value {
        let at = format!("{}/users/{}", self.api, actor.login);
        let mut user = json!({
            "login": actor.login, "id": actor.id, "node_id": node("U", actor.id),
            "avatar_url": format!("{}/avatars/u/{}", self.api, actor.id), "gravatar_id": "",
            "url": at, "html_url": format!("https://github.test/{}", actor.login),
            "type": actor.kind, "site_admin": false, "user_view_type": "public",
        });
        for (name, tail) in [
            ("followers_url", "followers"),
            ("following_url", "following{/other_user}"),
            ("gists_url", "gists{/gist_id}"),
            ("starred_url", "starred{/owner}{/repo}"),
            ("subscriptions_url", "subscriptions"),
            ("organizations_url", "orgs"),
            ("repos_url", "repos"),
            ("events_url", "events{/privacy}"),
            ("received_events_url", "received_events"),
        ] {
            user[name] = json!(format!("{at}/{tail}"));
        }
        user
    }

    /// The user with this id. A user cannot be deleted here, so it exists.
    pub(super) fn user(&self, id: u64) -> Value {
        self.hub.users.get(&id).map_or(Value::Null, |user| self.actor(user))
    }

    pub(super) fn organization_as_actor(&self) -> Value {
        self.actor(&self.org.actor())
    }

    /// The organisation where it is not what is asked for.
    pub(super) fn organization(&self) -> Value {
        let (org, url) = (self.org, format!("{}/orgs/{}", self.api, self.org.login));
        json!({
            "login": org.login, "id": org.id, "node_id": node("O", org.id), "url": url,
            "repos_url": format!("{url}/repos"), "events_url": format!("{url}/events"),
            "hooks_url": format!("{url}/hooks"), "issues_url": format!("{url}/issues"),
            "members_url": format!("{url}/members{{/member}}"),
            "public_members_url": format!("{url}/public_members{{/member}}"),
            "avatar_url": format!("{}/avatars/u/{}", self.api, org.id), "description": null,
        })
    }

    pub(super) fn app(&self, app: &App, installations: Option<usize>) -> Value {
        let mut shape = json!({
            "id": app.id, "slug": app.slug, "node_id": node("A", app.id),
            "client_id": app.client_id, "owner": self.actor(&app.owner), "name": app.name,
            "description": null, "external_url": "https://apps.example.com/",
            "html_url": format!("https://github.test/apps/{}", app.slug),
            "created_at": when(app.created_at), "updated_at": when(app.created_at),
            "permissions": app.permissions, "events": [],
        });
        if let Some(count) = installations {
            shape["installations_count"] = json!(count);
        }
        shape
    }

    pub(super) fn installation(&self, found: &Installation) -> Value {
        let (api, id) = (self.api, found.id);
        let app = self.hub.apps.get(&found.app);
        json!({
            "id": id, "account": self.organization_as_actor(),
            "repository_selection": selection(found.repositories.is_some()),
            "access_tokens_url": format!("{api}/app/installations/{id}/access_tokens"),
            "repositories_url": format!("{api}/installation/repositories"),
            "html_url": format!(
                "https://github.test/organizations/{}/settings/installations/{id}", self.org.login
            ),
            "app_id": found.app, "client_id": app.map_or("", |app| &app.client_id),
            "app_slug": app.map_or("", |app| &app.slug),
            "target_id": self.org.id, "target_type": "Organization",
            "permissions": found.permissions, "events": [],
            "created_at": when(found.created_at), "updated_at": when(found.updated_at),
            "single_file_name": null, "has_multiple_single_files": false, "single_file_paths": [],
            "suspended_by": found.suspended.as_ref().map(|(_, by)| self.actor(by)),
            "suspended_at": found.suspended.as_ref().map(|(at, _)| when(*at)),
            "contact_email": found.contact_email,
        })
    }

    pub(super) fn token_grant(&self, grant: &TokenGrant, request: bool) -> Value {
        let (api, org, id) = (self.api, &self.org.login, grant.id);
        let list =
            if request { "personal-access-token-requests" } else { "personal-access-tokens" };
        let expired = grant.expires_at.is_some_and(|at| at <= self.hub.clock.now());
        let mut shape = json!({
            "id": id, "owner": self.user(grant.owner),
            "repository_selection": if grant.repositories.is_some() { "subset" } else { "all" },
            "repositories_url": format!("{api}/organizations/{org}/{list}/{id}/repositories"),
            "permissions": {
                "organization": grant.organization_permissions, "repository": grant.permissions,
            },
            "token_id": grant.token_id, "token_name": grant.name, "token_expired": expired,
            "token_expires_at": grant.expires_at.map(when),
            "token_last_used_at": grant.last_used.map(when),
        });
        if request {
            shape["reason"] = json!(grant.reason);
            shape["created_at"] = json!(when(grant.created_at));
        } else {
            shape["access_granted_at"] = json!(when(grant.created_at));
        }
        shape
    }

    pub(super) fn authorization(&self, held: &Authorization) -> Value {
        let mut shape = json!({
            "login": held.login, "credential_id": held.credential_id,
            "credential_type": held.kind,
            "credential_authorized_at": when(held.authorized_at),
            "credential_accessed_at": held.accessed_at.map(when),
            "authorized_credential_id": held.authorized_credential_id,
        });
        if held.kind == "SSH key" {
            shape["fingerprint"] =
                json!(format!("SHA256:made-up-{}", held.authorized_credential_id));
            shape["authorized_credential_title"] = json!(held.note);
        } else {
            shape["token_last_eight"] = json!(format!("{:08}", held.credential_id % 100_000_000));
            shape["scopes"] = json!(held.scopes);
            shape["authorized_credential_note"] = json!(held.note);
            shape["authorized_credential_expires_at"] = json!(held.expires_at.map(when));
        }
        shape
    }

    /// `selected_at` is the address of the list that a secret has at an organisation.
    pub(super) fn secret(&self, secret: &Secret, list: Option<&str>, value: bool) -> Value {
        let mut shape = json!({
            "name": secret.name,
            "created_at": when(secret.created_at), "updated_at": when(secret.updated_at),
        });
        if value {
            shape["value"] = json!(VARIABLE_VALUE);
        }
        if let Some(list) = list {
            shape["visibility"] = json!(secret.visibility);
            if secret.visibility == "selected" {
                let at = format!("{}{list}/{}/repositories", self.api, secret.name);
                shape["selected_repositories_url"] = json!(at);
            }
        }
        shape
    }

    pub(super) fn registry(&self, registry: &Registry) -> Value {
        json!({
            "name": registry.name, "registry_type": registry.kind,
            "username": registry.username, "replaces_base": false,
            "visibility": registry.visibility,
            "created_at": when(registry.created_at), "updated_at": when(registry.updated_at),
        })
    }

    pub(super) fn hook(&self, hook: &Hook, at: &str, of_repository: bool) -> Value {
        let url = format!("{}{at}/{}", self.api, hook.id);
        let mut config = Map::new();
        config.insert("url".to_owned(), json!(hook.url));
        config.insert("content_type".to_owned(), json!("json"));
        config.insert("insecure_ssl".to_owned(), json!(if hook.insecure_ssl { "1" } else { "0" }));
        if hook.has_secret {
            config.insert("secret".to_owned(), json!("********"));
        }
        let mut shape = json!({
            "id": hook.id, "url": url, "ping_url": format!("{url}/pings"),
            "deliveries_url": format!("{url}/deliveries"), "name": "web",
            "events": hook.events, "active": hook.active, "config": config,
            "created_at": when(hook.created_at), "updated_at": when(hook.updated_at),
            "type": if of_repository { "Repository" } else { "Organization" },
        });
        if of_repository {
            shape["test_url"] = json!(format!("{url}/test"));
            shape["last_response"] = json!({"code": null, "status": "unused", "message": null});
        }
        shape
    }

    pub(super) fn runner(&self, runner: &Runner) -> Value {
        let read_only = |name: &str| json!({"id": 1, "name": name, "type": "read-only"});
        let mut labels = vec![read_only("self-hosted"), read_only(runner.os)];
        labels.extend(
            runner
                .labels
                .iter()
                .enumerate()
                .map(|(n, name)| json!({"id": n + 20, "name": name, "type": "custom"})),
        );
        json!({
            "id": runner.id, "name": runner.name, "os": runner.os,
            "status": if runner.online { "online" } else { "offline" }, "busy": false,
            "labels": labels, "ephemeral": runner.ephemeral, "version": "2.330.0",
            "runner_group_id": runner.group,
        })
    }

    pub(super) fn runner_group(&self, group: &RunnerGroup) -> Value {
        let at = format!("{}/orgs/{}/actions/runner-groups/{}", self.api, self.org.login, group.id);
        json!({
            "id": group.id, "name": group.name, "visibility": group.visibility,
            "default": group.default, "runners_url": format!("{at}/runners"),
            "hosted_runners_url": format!("{at}/hosted-runners"), "inherited": false,
            "allows_public_repositories": group.allows_public_repositories,
            "restricted_to_workflows": false, "selected_workflows": [],
            "workflow_restrictions_read_only": false,
        })
    }

    pub(super) fn team(&self, team: &Team, permission: &str) -> Value {
        let (api, org) = (self.api, self.org.id);
        let url = format!("{api}/organizations/{org}/team/{}", team.id);
        json!({
            "id": team.id, "node_id": node("T", team.id), "name": team.name, "slug": team.slug,
            "description": null, "privacy": "closed", "notification_setting": "notifications_enabled",
            "permission": permission, "url": url,
            "html_url": format!("https://github.test/orgs/{}/teams/{}", self.org.login, team.slug),
            "members_url": format!("{url}/members{{/member}}"),
            "repositories_url": format!("{url}/repos"),
            "type": "organization", "organization_id": org, "parent": null,
        })
    }

    pub(super) fn deploy_key(&self, key: &DeployKey, repo: &Repo) -> Value {
        json!({
            "id": key.id, "key": format!("ssh-ed25519 MADE-UP-PUBLIC-KEY-{}", key.id),
            "url": format!("{}{}/keys/{}", self.api, self.at(repo), key.id),
            "title": key.title, "verified": true, "created_at": when(key.created_at),
            "read_only": key.read_only, "added_by": key.added_by,
            "last_used": key.last_used.map(when), "enabled": key.enabled,
        })
    }

    pub(super) fn environment(&self, environment: &Environment, repo: &Repo) -> Value {
        let url = format!("{}{}/environments/{}", self.api, self.at(repo), environment.name);
        json!({
            "id": environment.id, "node_id": node("EN", environment.id),
            "name": environment.name, "url": url, "html_url": url,
            "created_at": when(environment.created_at),
            "updated_at": when(environment.created_at),
            "protection_rules": [], "deployment_branch_policy": null,
        })
    }

    pub(super) fn properties(&self, repo: &Repo) -> Value {
        let properties: Vec<Value> = repo
            .properties
            .iter()
            .map(|(name, value)| json!({"property_name": name, "value": value}))
            .collect();
        json!({
            "repository_id": repo.id, "repository_name": repo.name,
            "repository_full_name": self.full_name(repo), "properties": properties,
        })
    }

    pub(super) fn stats(&self, (kind, id): (&str, u64), stats: &Stats) -> Value {
        json!({
            "subject_type": kind, "subject_name": stats.name, "subject_id": id,
            "total_request_count": stats.requests, "rate_limited_request_count": 0,
            "last_rate_limited_timestamp": null, "last_request_timestamp": when(stats.last),
        })
    }

    pub(super) fn full_name(&self, repo: &Repo) -> String {
        format!("{}/{}", self.org.login, repo.name)
    }

    fn at(&self, repo: &Repo) -> String {
        format!("/repos/{}", self.full_name(repo))
    }

    /// A page of a hook's deliveries.
    pub(super) fn delivery(&self, hook: &Hook, n: usize) -> Value {
        json!({
            "id": hook.id * 1000 + n as u64, "guid": format!("made-up-{}-{n}", hook.id),
            "delivered_at": hook.deliveries.get(n).map(|at| when(*at)),
            "redelivery": false, "duration": 0.2, "status": "OK", "status_code": 200,
            "event": hook.events.first().map_or("push", |event| event.as_str()),
            "action": null, "installation_id": null, "repository_id": null,
        })
    }

    pub(super) fn audit(&self, entry: &AuditEntry) -> Value {
        let mut shape = entry.more.clone();
        let known: BTreeMap<&str, Value> = BTreeMap::from([
            ("_document_id", json!(entry.document_id)),
            ("action", json!(entry.action)),
            ("actor", json!(entry.actor)),
            ("org", json!(self.org.login)),
            ("org_id", json!(self.org.id)),
            ("@timestamp", json!(entry.at.as_millisecond())),
            ("created_at", json!(entry.recorded_at.as_millisecond())),
        ]);
        shape.extend(known.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Value::Object(shape)
    }
}

pub(super) fn node(kind: &str, id: u64) -> String {
    format!("{kind}_made_up_{id}")
}
