//! A simulated GitLab: one top-level group with service accounts and their tokens, access tokens
//! of groups and projects, personal tokens, deploy tokens and deploy keys. `machines` adds what
//! runs and starts pipelines; `instance` what its administrator sees.
//!
//! It serves what GitLab.com has and what a GitLab of one's own has: access tokens in one list as
//! well as one by one. [`GitLab::is_ones_own`] takes the lists of GitLab.com away.
//!
//! Pages are numbered, with `Link` and `X-Total`, or go on by key where that is asked for
//! (<https://docs.gitlab.com/api/rest/#pagination>); limits are told in `RateLimit-*`.
//!
//! It is long because whatever a test may do to a token is a function of its own, next to the rows.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::MARKED;
use super::ask::{Ask, Kind, Route};
use super::holdings::{Budget, Holdings};
use super::page::{self, Next, Page};
use super::tenant::{Cut, Refusal, Tenant};
use crate::change::Changed;
use crate::clock::Clock;
use crate::out::Out;

mod instance;
mod machines;

const GROUP: &str = "/groups/4242";
const ACCOUNTS: &str = "/groups/4242/service_accounts";
const TOKENS: &str = "/groups/4242/manage/resource_access_tokens";
const PERSONAL: &str = "/groups/4242/manage/personal_access_tokens";
const PROJECTS: &str = "/groups/4242/projects";
const DEPLOY_TOKENS: &str = "/groups/4242/deploy_tokens";
const GROUP_TOKENS: &str = "/groups/4242/access_tokens";
const SUBGROUPS: &str = "/groups/4242/descendant_groups";

/// What every project has a list of.
const OF_PROJECTS: [&str; 6] =
    ["access_tokens", "cluster_agents", "deploy_keys", "deploy_tokens", "runners", "triggers"];

/// Above so many rows GitLab states no total.
const COUNTED: usize = 10_000;

const PAGES: Kind = Kind::Pages { size: 20, most: 100 };

/// One top-level group.
#[derive(Debug)]
pub struct GitLab {
    holdings: Holdings,
    /// Whether who reads is an administrator.
    administrator: bool,
}

const fn route(template: &'static str, kind: Kind, needs: &'static str) -> Route {
    Route { template, kind, field: "", needs }
}

const ROUTES: &[Route] = &[
    route("/groups/{group}", Kind::One, "read_api"),
    route("/groups/{group}/service_accounts", PAGES, "api"),
    route("/groups/{group}/service_accounts/{user}/personal_access_tokens", PAGES, "api"),
    route("/groups/{group}/manage/resource_access_tokens", PAGES, "api"),
    route("/groups/{group}/manage/personal_access_tokens", PAGES, "api"),
    route("/groups/{group}/deploy_tokens", PAGES, "read_api"),
    route("/groups/{group}/access_tokens", PAGES, "read_api"),
    route("/groups/{group}/descendant_groups", PAGES, "read_api"),
    route("/groups/{group}/projects", PAGES, "read_api"),
    route("/groups/{group}/runners", PAGES, "read_api"),
    route("/projects/{project}/access_tokens", PAGES, "read_api"),
    route("/projects/{project}/cluster_agents", PAGES, "read_api"),
    route("/projects/{project}/cluster_agents/{agent}/tokens", PAGES, "read_api"),
    route("/projects/{project}/cluster_agents/{agent}/tokens/{token}", Kind::One, "read_api"),
    route("/projects/{project}/deploy_tokens", PAGES, "read_api"),
    route("/projects/{project}/deploy_keys", PAGES, "read_api"),
    route("/projects/{project}/runners", PAGES, "read_api"),
    route("/projects/{project}/triggers", PAGES, "read_api"),
    route("/runners/{runner}", Kind::One, "read_api"),
    route(instance::APPLICATIONS, PAGES, "read_api"),
    route(instance::PEOPLE, PAGES, "read_api"),
    route(instance::TOKENS, PAGES, "read_api"),
];

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// Numbers in their order, as texts.
fn key(id: u64) -> String {
    format!("{id:012}")
}

impl GitLab {
    /// The token that opens it: `PRIVATE-TOKEN`.
    pub const TOKEN: &'static str = "glpat-EXAMPLE-reader";
    /// The id of the group.
    pub const GROUP: u64 = 4242;

    /// A group with nothing in it.
    pub fn empty(clock: &Clock) -> Self {
        let mut gitlab = Self { holdings: Holdings::new(clock.clone()), administrator: true };
        let below = [ACCOUNTS, TOKENS, PERSONAL, PROJECTS, DEPLOY_TOKENS, GROUP_TOKENS, SUBGROUPS];
        let instance = [instance::APPLICATIONS, instance::PEOPLE, instance::TOKENS];
        for path in below.into_iter().chain(instance).chain([machines::RUNNERS]) {
            gitlab.holdings.open(path);
        }
        let row = json!({"id": Self::GROUP, "name": "acme", "path": "acme", "full_path": "acme",
            "visibility": "private", "parent_id": null, "runners_token": MARKED});
        gitlab.holdings.put(GROUP, &key(Self::GROUP), row);
        gitlab
    }

    /// A group with some of everything, made before the clock's time.
    pub fn seeded(clock: &Clock) -> Changed<Self> {
        let now = clock.now();
        let ago = |days: i64| now - SignedDuration::from_hours(24 * days);
        clock.set(ago(200));
        let mut gitlab = Self::empty(clock);
        let (shop, site) = (gitlab.add_project("acme/shop"), gitlab.add_project("acme/site"));
        let bot = gitlab.add_service_account("release bot");
        let release = gitlab.make_token(bot, "release", &["api"])?;
        gitlab.make_token(bot, "spare", &["read_registry"])?;
        gitlab.add_service_account("idle bot");
        let renovate = gitlab.make_access_token(shop, "renovate", &["api", "write_repository"])?;
        gitlab.make_access_token(site, "mirror", &["read_repository"])?;
        let laptop = gitlab.make_personal_token(77, "laptop", &["api"]);
        gitlab.make_personal_token(78, "nightly export", &["read_api"]);
        gitlab.make_deploy_token("pull", &["read_registry"]);
        gitlab.make_project_deploy_token(shop, "publish", &["write_registry"])?;
        let deploy = gitlab.add_deploy_key(shop, "deploy")?;
        gitlab.add_deploy_key(site, "backup")?;
        let web = gitlab.add_subgroup("acme/web");
        gitlab.make_group_token(Self::GROUP, "backup", &["read_api"])?;
        gitlab.make_group_token(web, "web release", &["api"])?;
        gitlab.make_subgroup_deploy_token(web, "web pull", &["read_registry"])?;
        let machines = gitlab.seed_machines(shop, site)?;
        clock.set(ago(3));
        gitlab.use_machines(shop, machines)?;
        gitlab.use_token(bot, release)?;
        gitlab.use_access_token(renovate)?;
        gitlab.use_personal_token(laptop)?;
        gitlab.use_deploy_key(shop, deploy)?;
        clock.set(now);
        Ok(gitlab)
    }

    fn id(&mut self) -> u64 {
        500 + self.holdings.serial()
    }

    fn made(&self) -> String {
        time(self.holdings.now())
    }

    /// The day a year from now.
    fn end(&self) -> String {
        let at = self.holdings.now() + SignedDuration::from_hours(24 * 365);
        at.strftime("%Y-%m-%d").to_string()
    }

    pub fn add_project(&mut self, path: &str) -> u64 {
        let id = self.id();
        let (_, name) = path.rsplit_once('/').unwrap_or(("", path));
        let row = json!({"id": id, "name": name, "path": name, "path_with_namespace": path,
            "name_with_namespace": path, "created_at": self.made(), "description": null,
            "builds_access_level": "enabled", "repository_access_level": "enabled",
            "infrastructure_access_level": "enabled", "runners_token": MARKED});
        self.holdings.put(PROJECTS, &key(id), row);
        for below in OF_PROJECTS {
            self.holdings.open(&format!("/projects/{id}/{below}"));
        }
        id
    }

    /// A group below the top-level one; gives its id.
    pub fn add_subgroup(&mut self, path: &str) -> u64 {
        let id = self.id();
        let row = json!({"id": id, "name": path, "path": path, "full_path": path,
            "visibility": "private", "parent_id": Self::GROUP, "runners_token": MARKED});
        self.holdings.put(SUBGROUPS, &key(id), row);
        for below in ["access_tokens", "deploy_tokens"] {
            self.holdings.open(&format!("/groups/{id}/{below}"));
        }
        id
    }

    pub fn add_service_account(&mut self, name: &str) -> u64 {
        let id = self.id();
        let username = format!("service_account_group_{}_{id}", Self::GROUP);
        let email = format!("{username}@noreply.example.com");
        let row = json!({"id": id, "name": name, "username": username, "email": email,
            "public_email": ""});
        self.holdings.put(ACCOUNTS, &key(id), row);
        self.holdings.open(&tokens_of(id));
        id
    }

    pub fn delete_service_account(&mut self, account: u64) -> Changed<()> {
        self.holdings.take(ACCOUNTS, "id", &account.to_string())?;
        self.holdings.withdraw(&format!("{ACCOUNTS}/{account}"));
        Ok(())
    }

    fn token(&mut self, (user, name, scopes): (u64, &str, &[&str])) -> (u64, Value) {
        let id = self.id();
        let row = json!({"id": id, "name": name, "revoked": false, "created_at": self.made(),
            "description": null, "scopes": scopes, "user_id": user, "last_used_at": null,
            "active": true, "expires_at": self.end()});
        (id, row)
    }

    /// A token of a service account; gives its id.
    pub fn make_token(&mut self, account: u64, name: &str, scopes: &[&str]) -> Changed<u64> {
        self.holdings.row(ACCOUNTS, "id", &account.to_string())?;
        let (id, row) = self.token((account, name, scopes));
        self.holdings.put(&tokens_of(account), &key(id), row);
        Ok(id)
    }

    pub fn use_token(&mut self, account: u64, token: u64) -> Changed<()> {
        let at = self.made();
        self.set(&tokens_of(account), token, "last_used_at", json!(at))
    }

    /// The tokens of a service account are listed without a word of their use, as if the field had
    /// another name.
    pub fn forget_use(&mut self, account: u64) -> Changed<()> {
        let path = tokens_of(account);
        let ids: Vec<String> = self.holdings.rows(&path).map(|row| row["id"].to_string()).collect();
        for id in ids {
            let row = self.holdings.row(&path, "id", &id)?;
            row.as_object_mut().map(|row| row.remove("last_used_at"));
        }
        Ok(())
    }

    /// A revoked token stays listed.
    pub fn revoke_token(&mut self, account: u64, token: u64) -> Changed<()> {
        let path = tokens_of(account);
        self.set(&path, token, "revoked", json!(true))?;
        self.set(&path, token, "active", json!(false))
    }

    /// A new token of the same name; the old one is revoked. Gives the new id.
    pub fn rotate_token(&mut self, account: u64, token: u64) -> Changed<u64> {
        let before = self.holdings.row(&tokens_of(account), "id", &token.to_string())?.clone();
        let scopes: Vec<&str> =
            before["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        self.revoke_token(account, token)?;
        self.make_token(account, before["name"].as_str().unwrap_or_default(), &scopes)
    }

    /// An access token of a project; gives its id.
    pub fn make_access_token(&mut self, project: u64, name: &str, scopes: &[&str]) -> Changed<u64> {
        self.holdings.row(PROJECTS, "id", &project.to_string())?;
        let bot = self.id();
        let (id, mut row) = self.token((bot, name, scopes));
        row["access_level"] = json!(40);
        row["resource_type"] = json!("project");
        row["resource_id"] = json!(project);
        self.holdings.put(&format!("/projects/{project}/access_tokens"), &key(id), row.clone());
        self.holdings.put(TOKENS, &key(id), row);
        Ok(id)
    }

    /// An access token of a group; gives its id.
    pub fn make_group_token(&mut self, group: u64, name: &str, scopes: &[&str]) -> Changed<u64> {
        let bot = self.id();
        let (id, mut row) = self.token((bot, name, scopes));
        row["access_level"] = json!(40);
        row["resource_type"] = json!("group");
        row["resource_id"] = json!(group);
        self.holdings.put(&format!("/groups/{group}/access_tokens"), &key(id), row.clone());
        self.holdings.put(TOKENS, &key(id), row);
        Ok(id)
    }

    pub fn use_access_token(&mut self, token: u64) -> Changed<()> {
        let at = self.made();
        let of = self.list_of(token)?;
        self.set(&of, token, "last_used_at", json!(at))?;
        self.set(TOKENS, token, "last_used_at", json!(at))
    }

    pub fn delete_access_token(&mut self, token: u64) -> Changed<()> {
        let of = self.list_of(token)?;
        self.holdings.take(&of, "id", &token.to_string())?;
        self.holdings.take(TOKENS, "id", &token.to_string()).map(drop)
    }

    /// Where the access tokens of the group or project stand that this one belongs to.
    fn list_of(&mut self, token: u64) -> Changed<String> {
        let row = self.holdings.row(TOKENS, "id", &token.to_string())?;
        let kind = row["resource_type"].as_str().unwrap_or_default();
        Ok(format!("/{kind}s/{}/access_tokens", row["resource_id"]))
    }

    /// A token of a person, by the person's id; gives its own.
    pub fn make_personal_token(&mut self, user: u64, name: &str, scopes: &[&str]) -> u64 {
        let (id, row) = self.token((user, name, scopes));
        self.holdings.put(PERSONAL, &key(id), row);
        id
    }

    pub fn use_personal_token(&mut self, token: u64) -> Changed<()> {
        let at = self.made();
        self.set(PERSONAL, token, "last_used_at", json!(at))
    }

    fn deploy_token(&mut self, name: &str, scopes: &[&str]) -> (u64, Value) {
        let id = self.id();
        let row = json!({"id": id, "name": name, "username": format!("gitlab+deploy-token-{id}"),
            "expires_at": null, "scopes": scopes, "revoked": false, "expired": false});
        (id, row)
    }

    /// A deploy token of the group; gives its id.
    pub fn make_deploy_token(&mut self, name: &str, scopes: &[&str]) -> u64 {
        let (id, row) = self.deploy_token(name, scopes);
        self.holdings.put(DEPLOY_TOKENS, &key(id), row);
        id
    }

    /// A deploy token of a subgroup; gives its id.
    pub fn make_subgroup_deploy_token(
        &mut self,
        group: u64,
        name: &str,
        scopes: &[&str],
    ) -> Changed<u64> {
        self.holdings.row(SUBGROUPS, "id", &group.to_string())?;
        let (id, row) = self.deploy_token(name, scopes);
        self.holdings.put(&format!("/groups/{group}/deploy_tokens"), &key(id), row);
        Ok(id)
    }

    /// A deploy token of a project; gives its id.
    pub fn make_project_deploy_token(
        &mut self,
        project: u64,
        name: &str,
        scopes: &[&str],
    ) -> Changed<u64> {
        self.holdings.row(PROJECTS, "id", &project.to_string())?;
        let (id, row) = self.deploy_token(name, scopes);
        self.holdings.put(&format!("/projects/{project}/deploy_tokens"), &key(id), row);
        Ok(id)
    }

    /// A key that may push; gives its id.
    pub fn add_deploy_key(&mut self, project: u64, title: &str) -> Changed<u64> {
        self.holdings.row(PROJECTS, "id", &project.to_string())?;
        let id = self.id();
        let row = json!({"id": id, "title": title, "key": "ssh-ed25519 EXAMPLE",
            "fingerprint": "EXAMPLE", "fingerprint_sha256": "SHA256:EXAMPLE",
            "created_at": self.made(), "expires_at": null, "last_used_at": null, "can_push": true});
        self.holdings.put(&format!("/projects/{project}/deploy_keys"), &key(id), row);
        Ok(id)
    }

    pub fn use_deploy_key(&mut self, project: u64, deploy_key: u64) -> Changed<()> {
        let at = self.made();
        let path = format!("/projects/{project}/deploy_keys");
        self.set(&path, deploy_key, "last_used_at", json!(at))
    }

    pub fn remove_deploy_key(&mut self, project: u64, deploy_key: u64) -> Changed<()> {
        let path = format!("/projects/{project}/deploy_keys");
        self.holdings.take(&path, "id", &deploy_key.to_string()).map(drop)
    }

    fn set(&mut self, path: &str, id: u64, field: &str, value: Value) -> Changed<()> {
        self.holdings.row(path, "id", &id.to_string())?[field] = value;
        Ok(())
    }

    /// The id of the service account with this name.
    pub fn service_account(&self, name: &str) -> Option<u64> {
        self.holdings.rows(ACCOUNTS).find(|row| row["name"] == name)?["id"].as_u64()
    }

    /// The id of the token of a service account with this name, the newest of them.
    pub fn token_of(&self, account: u64, name: &str) -> Option<u64> {
        let rows = self.holdings.rows(&tokens_of(account));
        rows.filter(|row| row["name"] == name).last()?["id"].as_u64()
    }

    /// The id of the project at this path.
    pub fn project(&self, path: &str) -> Option<u64> {
        let mut rows = self.holdings.rows(PROJECTS);
        rows.find(|row| row["path_with_namespace"] == path)?["id"].as_u64()
    }
}

fn tokens_of(account: u64) -> String {
    format!("{ACCOUNTS}/{account}/personal_access_tokens")
}

impl GitLab {
    fn headers(ask: &Ask, number: usize, page: &Page) -> Vec<(&'static str, String)> {
        let (size, total) = (page.size, page.total);
        let last = total.div_ceil(size.max(1)).max(1);
        let to = |number: usize, rel: &str| {
            let (page, size) = (number.to_string(), size.to_string());
            format!(
                "<{}>; rel=\"{rel}\"",
                ask.address(&[("page", &page), ("per_page", &size)], &[])
            )
        };
        let mut links = Vec::new();
        let mut headers = vec![("x-page", number.to_string()), ("x-per-page", size.to_string())];
        match &page.next {
            Next::Nothing => headers.push(("x-next-page", String::new())),
            Next::Unsaid => links.push("<>; rel=\"next\"".to_owned()),
            Next::Token(next) => {
                headers.push(("x-next-page", next.clone()));
                links.push(to(next.parse().unwrap_or(number), "next"));
            }
        }
        links.push(to(1, "first"));
        if total <= COUNTED {
            links.push(to(last, "last"));
            headers.push(("x-total", total.to_string()));
            headers.push(("x-total-pages", last.to_string()));
        }
        headers.push(("link", links.join(", ")));
        headers
    }
}

#[allow(private_interfaces, reason = "as the trait")]
impl Tenant for GitLab {
    const BELOW: &'static str = "/api/v4";
    const ROUTES: &'static [Route] = ROUTES;

    fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    fn holdings_mut(&mut self) -> &mut Holdings {
        &mut self.holdings
    }

    fn shown<'a>(&self, ask: &'a Ask) -> Option<&'a str> {
        ask.header("private-token").or_else(|| ask.token("Bearer"))
    }

    fn opens(&self, shown: &str) -> bool {
        shown == Self::TOKEN
    }

    fn wants(&self, ask: &Ask, row: &Value) -> bool {
        let asked = |name: &str, value: &Value| match ask.query.get(name) {
            Some(asked) => {
                value.as_str().map_or_else(|| value.to_string(), str::to_owned) == *asked
            }
            None => true,
        };
        // Only runners have a type, and only tokens of people are asked for by user.
        asked("type", &row["runner_type"]) && asked("user_id", &row["user_id"])
    }

    fn page(&self, ask: &Ask, route: &Route, cut: Cut) -> Result<Out, Refusal> {
        self.may_ask(&ask.path)?;
        let size = self.size(ask, (route, "per_page"), &cut);
        if ask.query.get("pagination").is_some_and(|how| how == "keyset") {
            let page = self.rows_after(ask, ("cursor", size), cut.fault)?;
            let mut out = Out::json(200, &self.dressed(page.rows));
            if let Next::Token(cursor) = page.next {
                let next = ask.address(&[("cursor", &cursor)], &[]);
                out.headers.push(("link", format!("<{next}>; rel=\"next\"")));
            }
            return Ok(out);
        }
        let list = self.holdings.list(&ask.path).ok_or(Refusal::NotFound)?;
        let number = ask.number("page").unwrap_or(1).max(1);
        let page = page::numbered(list, |row| self.wants(ask, row), (number, size), cut.fault);
        let headers = Self::headers(ask, number, &page);
        let mut out = Out::json(200, &self.dressed(page.rows));
        out.headers.extend(headers);
        Ok(out)
    }

    fn refuse(&self, refusal: &Refusal) -> Out {
        let (status, body) = match refusal {
            Refusal::NoToken => (401, json!({"message": "401 Unauthorized"})),
            Refusal::BadToken => (
                401,
                json!({"error": "invalid_token",
                    "error_description": "Token was revoked. You have to re-authorize from the user."}),
            ),
            Refusal::Denied(scope) => (
                403,
                json!({"error": "insufficient_scope", "scope": scope,
                    "error_description": "The request requires higher privileges than provided by the access token."}),
            ),
            Refusal::NotFound => (404, json!({"message": "404 Not Found"})),
            Refusal::BadRequest(what) => (400, json!({"error": what})),
            Refusal::Throttled(wait) => {
                // Not JSON: a proxy in front of the application answers.
                let kind = ("content-type", "text/plain".to_owned());
                let headers = vec![kind, ("retry-after", wait.to_string())];
                return Out { status: 429, headers, body: b"Retry later\n".to_vec() };
            }
            Refusal::Trouble(status) => (*status, json!({"message": "500 Internal Server Error"})),
        };
        Out::json(status, &body)
    }

    fn limits(&self, budget: Budget) -> Vec<(&'static str, String)> {
        vec![
            ("ratelimit-limit", budget.limit.to_string()),
            ("ratelimit-observed", budget.used.to_string()),
            ("ratelimit-remaining", budget.remaining().to_string()),
            ("ratelimit-reset", budget.reset().to_string()),
        ]
    }
}
