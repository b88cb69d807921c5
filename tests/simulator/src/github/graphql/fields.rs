//! The fields that are known, by type.

use serde_json::{Value, json};

use super::super::auth::Bearer;
use super::super::model::{Actor, DeployKey, Environment, Org, Repo, Team};
use super::super::shape::{node, when};
use super::parse::{Field, Selection};
use super::{Bubble, Path, Resolved, Rows, Run, oid};

/// Rows by id.
fn by_id<T>(rows: impl Iterator<Item = (u64, T)>) -> Rows<T> {
    rows.map(|(id, row)| (format!("{id:020}"), row)).collect()
}

fn no_edge<T>(_: &T, _: &Field) -> Option<Value> {
    None
}

impl<'a> Run<'a> {
    pub(super) fn root(&self, field: &Field, path: &Path) -> Resolved {
        match field.name.as_str() {
            "organization" => {
                let login = field.text("login").unwrap_or("");
                let Some(org) = self.visible(login) else {
                    let text = format!(
                        "Could not resolve to an Organization with the login of '{login}'."
                    );
                    self.error("NOT_FOUND", path, &text);
                    return Ok(Value::Null);
                };
                let object =
                    self.object("Organization", &field.selections, path, &|field, path| {
                        self.organization(org, field, path)
                    });
                Ok(object.unwrap_or(Value::Null))
            }
            "repository" => {
                let owner = field.text("owner").unwrap_or("");
                let name = field.text("name").unwrap_or("");
                let found = self.visible(owner).and_then(|org| {
                    let repo = org.repositories.values().find(|repo| repo.name == name)?;
                    self.sees(repo).then_some((org, repo))
                });
                let Some((org, repo)) = found else {
                    let text = format!(
                        "Could not resolve to a Repository with the name '{owner}/{name}'."
                    );
                    self.error("NOT_FOUND", path, &text);
                    return Ok(Value::Null);
                };
                Ok(self.repository(org, repo, &field.selections, path).unwrap_or(Value::Null))
            }
            "node" => {
                let id = field.args.get("id").cloned().unwrap_or_default();
                Ok(self.by_node_id(&id, field, path))
            }
            "nodes" => {
                let ids = field.args.get("ids").and_then(Value::as_array);
                let ids = ids.map_or(&[][..], Vec::as_slice);
                let found = ids.iter().enumerate().map(|(n, id)| {
                    let mut path = path.clone();
                    path.push(json!(n));
                    self.by_node_id(id, field, &path)
                });
                Ok(Value::Array(found.collect()))
            }
            "rateLimit" => self.object("RateLimit", &field.selections, path, &|field, _| {
                Ok(match field.name.as_str() {
                    "cost" => json!(self.query.cost()),
                    "nodeCount" => json!(self.query.nodes()),
                    "limit" => json!(self.budget.limit),
                    "remaining" => json!(self.budget.remaining()),
                    "used" => json!(self.budget.used),
                    "resetAt" => {
                        json!(jiff::Timestamp::from_second(self.budget.reset).ok().map(when))
                    }
                    _ => return self.unknown("RateLimit", field),
                })
            }),
            _ => self.unknown("Query", field),
        }
    }

    /// The repository with this node id: null, with an error, where there is none to see.
    fn by_node_id(&self, id: &Value, field: &Field, path: &Path) -> Value {
        let id = id.as_str().unwrap_or("");
        let own = self.own();
        let repo = own.and_then(|org| {
            let mut all = org.repositories.values();
            Some((org, all.find(|repo| node("R", repo.id) == id && self.sees(repo))?))
        });
        let Some((org, repo)) = repo else {
            let text = format!("Could not resolve to a node with the global id of '{id}'.");
            self.error("NOT_FOUND", path, &text);
            return Value::Null;
        };
        self.repository(org, repo, &field.selections, path).unwrap_or(Value::Null)
    }

    /// The organisation of who asks.
    fn own(&self) -> Option<&'a Org> {
        match self.bearer {
            Bearer::Installation { org, .. } | Bearer::Owner { org } => {
                self.hub.organizations.get(org)
            }
            Bearer::App(_) => None,
        }
    }

    /// The organisation with this login, where who asks may know of it.
    fn visible(&self, login: &str) -> Option<&'a Org> {
        let org = self.hub.organization(login).ok()?;
        self.own().filter(|own| own.id == org.id)
    }

    fn sees(&self, repo: &Repo) -> bool {
        let only = self.installation().and_then(|installation| installation.repositories.as_ref());
        only.is_none_or(|only| only.contains(&repo.id))
    }

    fn forbidden(&self, path: &Path) -> Resolved {
        self.error("FORBIDDEN", path, "Resource not accessible by integration");
        Err(Bubble)
    }

    fn organization(&self, org: &'a Org, field: &Field, path: &Path) -> Resolved {
        Ok(match field.name.as_str() {
            "id" => json!(node("O", org.id)),
            "databaseId" => json!(org.id),
            "login" | "name" => json!(org.login),
            "viewerIsAMember" | "viewerCanAdminister" => {
                json!(matches!(self.bearer, Bearer::Owner { .. }))
            }
            "repositories" => return self.repositories(org, field, path),
            "membersWithRole" => {
                if !self.may(&["members"]) {
                    return self.forbidden(path);
                }
                let members = org
                    .members
                    .iter()
                    .filter_map(|(id, owner)| Some((*id, (self.hub.users.get(id)?, *owner))));
                return self.connection(
                    ("OrganizationMemberConnection", field, path),
                    &by_id(members),
                    &|(user, _), selections, path| self.user(user, selections, path),
                    &|(_, owner), field| {
                        let role = if *owner { "ADMIN" } else { "MEMBER" };
                        (field.name == "role").then(|| json!(role))
                    },
                );
            }
            "teams" => {
                if !self.may(&["members"]) {
                    return self.forbidden(path);
                }
                let teams = by_id(org.teams.values().map(|team| (team.id, team)));
                return self.connection(
                    ("TeamConnection", field, path),
                    &teams,
                    &|team, selections, path| self.team(org, team, selections, path),
                    &no_edge,
                );
            }
            _ => return self.unknown("Organization", field),
        })
    }

    fn repositories(&self, org: &'a Org, field: &Field, path: &Path) -> Resolved {
        let archived = field.args.get("isArchived").and_then(Value::as_bool);
        let order = field.args.get("orderBy").cloned().unwrap_or_default();
        let by_name = order["field"] == "NAME";
        let seen = org
            .repositories
            .values()
            .filter(|repo| self.sees(repo))
            .filter(|repo| archived.is_none_or(|archived| repo.archived == archived));
        let mut rows: Rows<&Repo> = seen
            .map(|repo| {
                let key = format!("{:020}", repo.id);
                (if by_name { format!("{}\n{key}", repo.name) } else { key }, repo)
            })
            .collect();
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        if order["direction"] == "DESC" {
            rows.reverse();
        }
        self.connection(
            ("RepositoryConnection", field, path),
            &rows,
            &|repo, selections, path| self.repository(org, repo, selections, path),
            &no_edge,
        )
    }

    fn repository(
        &self,
        org: &'a Org,
        repo: &'a Repo,
        selections: &[Selection],
        path: &Path,
    ) -> Resolved {
        self.object("Repository", selections, path, &|field, path| {
            Ok(match field.name.as_str() {
                "id" => json!(node("R", repo.id)),
                "databaseId" => json!(repo.id),
                "name" => json!(repo.name),
                "nameWithOwner" => json!(format!("{}/{}", org.login, repo.name)),
                "isArchived" => json!(repo.archived),
                "isDisabled" | "isFork" | "isTemplate" => json!(false),
                "isPrivate" => json!(repo.visibility != "public"),
                "visibility" => json!(repo.visibility.to_uppercase()),
                "createdAt" | "updatedAt" => json!(when(repo.created_at)),
                "pushedAt" => json!(repo.pushed_at.map(when)),
                "owner" => {
                    let actor = org.actor();
                    return self.owner(&actor, field, path);
                }
                "defaultBranchRef" => json!({"name": "main"}),
                "deployKeys" => return self.deploy_keys(repo, field, path),
                "environments" => return self.environments(repo, field, path),
                "repositoryCustomPropertyValues" => {
                    let rows: Rows<_> =
                        repo.properties.iter().map(|pair| (pair.0.clone(), pair)).collect();
                    let on = ("RepositoryCustomPropertyValueConnection", field, path);
                    let kind = "RepositoryCustomPropertyValue";
                    return self.connection(
                        on,
                        &rows,
                        &|(name, value), selections, path| {
                            self.object(kind, selections, path, &|field, _| {
                                Ok(match field.name.as_str() {
                                    "propertyName" => json!(name),
                                    "value" => json!(value),
                                    _ => return self.unknown(kind, field),
                                })
                            })
                        },
                        &no_edge,
                    );
                }
                "object" => return Ok(self.blob(repo, field, path)),
                _ => return self.unknown("Repository", field),
            })
        })
    }

    fn owner(&self, actor: &Actor, field: &Field, path: &Path) -> Resolved {
        self.object("Organization", &field.selections, path, &|field, _| {
            Ok(match field.name.as_str() {
                "login" => json!(actor.login),
                "id" => json!(node("O", actor.id)),
                "databaseId" => json!(actor.id),
                _ => return self.unknown("RepositoryOwner", field),
            })
        })
    }

    /// `object(expression: "HEAD:path")`: null where there is no such file.
    fn blob(&self, repo: &Repo, field: &Field, path: &Path) -> Value {
        if !self.may(&["contents", "single_file"]) {
            // The field is nullable: only it is lost.
            let _ = self.forbidden(path);
            return Value::Null;
        }
        let expression = field.text("expression").unwrap_or("");
        let file = expression.split_once(':').and_then(|(_, file)| repo.files.get(file));
        let Some(text) = file else { return Value::Null };
        let blob = self.object("Blob", &field.selections, path, &|field, _| {
            Ok(match field.name.as_str() {
                "oid" => json!(oid(text)),
                "id" => json!(format!("B_made_up_{}", oid(text))),
                "text" => json!(text),
                "byteSize" => json!(text.len()),
                "isBinary" | "isTruncated" => json!(false),
                _ => return self.unknown("Blob", field),
            })
        });
        blob.unwrap_or(Value::Null)
    }

    /// A denied connection is an error, or silently empty where the hub's manners say so.
    fn denied(&self, permissions: &[&str], path: &Path) -> Result<bool, Bubble> {
        if self.may(permissions) {
            return Ok(false);
        }
        if self.hub.manners.graphql_hides {
            return Ok(true);
        }
        self.forbidden(path).map(|_| true)
    }

    fn deploy_keys(&self, repo: &'a Repo, field: &Field, path: &Path) -> Resolved {
        let hidden = self.denied(&["administration"], path)?;
        let keys = repo.deploy_keys.values().filter(|_| !hidden).map(|key| (key.id, key));
        let write = |key: &&DeployKey, selections: &[Selection], path: &Path| {
            self.object("DeployKey", selections, path, &|field, _| {
                Ok(match field.name.as_str() {
                    "id" => json!(node("DK", key.id)),
                    "key" => json!(format!("ssh-ed25519 MADE-UP-PUBLIC-KEY-{}", key.id)),
                    "title" => json!(key.title),
                    "readOnly" => json!(key.read_only),
                    "verified" => json!(true),
                    "enabled" => json!(key.enabled),
                    "createdAt" => json!(when(key.created_at)),
                    _ => return self.unknown("DeployKey", field),
                })
            })
        };
        self.connection(("DeployKeyConnection", field, path), &by_id(keys), &write, &no_edge)
    }

    fn environments(&self, repo: &'a Repo, field: &Field, path: &Path) -> Resolved {
        let hidden = self.denied(&["actions", "environments"], path)?;
        let all = repo.environments.values().filter(|_| !hidden).map(|one| (one.id, one));
        let mut all = by_id(all);
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        let write = |one: &&Environment, selections: &[Selection], path: &Path| {
            self.object("Environment", selections, path, &|field, _| {
                Ok(match field.name.as_str() {
                    "id" => json!(node("EN", one.id)),
                    "databaseId" => json!(one.id),
                    "name" => json!(one.name),
                    _ => return self.unknown("Environment", field),
                })
            })
        };
        self.connection(("EnvironmentConnection", field, path), &all, &write, &no_edge)
    }

    fn user(&self, user: &Actor, selections: &[Selection], path: &Path) -> Resolved {
        self.object("User", selections, path, &|field, _| {
            Ok(match field.name.as_str() {
                "id" => json!(node("U", user.id)),
                "databaseId" => json!(user.id),
                "login" => json!(user.login),
                "name" => Value::Null,
                "email" => json!(""),
                _ => return self.unknown("User", field),
            })
        })
    }

    fn team(
        &self,
        org: &'a Org,
        team: &'a Team,
        selections: &[Selection],
        path: &Path,
    ) -> Resolved {
        self.object("Team", selections, path, &|field, path| {
            Ok(match field.name.as_str() {
                "id" => json!(node("T", team.id)),
                "databaseId" => json!(team.id),
                "name" => json!(team.name),
                "slug" => json!(team.slug),
                "combinedSlug" => json!(format!("{}/{}", org.login, team.slug)),
                "members" => {
                    let users = team.members.iter();
                    let users = users.filter_map(|id| Some((*id, self.hub.users.get(id)?)));
                    let on = ("TeamMemberConnection", field, path);
                    let write = |user: &&Actor, selections: &[Selection], path: &Path| {
                        self.user(user, selections, path)
                    };
                    return self.connection(on, &by_id(users), &write, &no_edge);
                }
                "repositories" => {
                    let reached = team.repositories.iter();
                    let reached = reached
                        .filter_map(|(id, role)| Some((*id, (org.repositories.get(id)?, *role))));
                    return self.connection(
                        ("TeamRepositoryConnection", field, path),
                        &by_id(reached.filter(|(_, (repo, _))| self.sees(repo))),
                        &|(repo, _), selections, path| self.repository(org, repo, selections, path),
                        &|(_, role), field| {
                            (field.name == "permission").then(|| json!(role.to_uppercase()))
                        },
                    );
                }
                _ => return self.unknown("Team", field),
            })
        })
    }
}
