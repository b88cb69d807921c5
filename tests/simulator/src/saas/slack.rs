//! A simulated Slack workspace of an Enterprise organisation: approved apps with their scopes, and
//! members, bots among them.
//!
//! Everything but throttling is answered with status 200 and `ok`
//! (<https://docs.slack.dev/apis/web-api/#responses>); lists go on by `next_cursor`, which is empty
//! at the end (<https://docs.slack.dev/apis/web-api/pagination>).

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::ask::{Ask, Kind, Route};
use super::holdings::Holdings;
use super::page::Next;
use super::tenant::{Cut, Refusal, Tenant};
use crate::change::Changed;
use crate::clock::Clock;
use crate::out::Out;

const APPS: &str = "/admin.apps.approved.list";
const MEMBERS: &str = "/users.list";

/// A workspace.
#[derive(Debug)]
pub struct Slack {
    holdings: Holdings,
}

const ROUTES: &[Route] = &[
    Route {
        template: APPS,
        kind: Kind::Pages { size: 100, most: 1_000 },
        field: "approved_apps",
        needs: "admin.apps:read",
    },
    Route {
        template: MEMBERS,
        kind: Kind::Pages { size: 1_000, most: 1_000 },
        field: "members",
        needs: "users:read",
    },
];

impl Slack {
    /// The token that opens it: `Authorization: Bearer …`.
    pub const TOKEN: &'static str = "xoxp-EXAMPLE-reader";
    pub const TEAM: &'static str = "T0EXAMPLE00";

    /// A workspace with nobody in it.
    pub fn empty(clock: &Clock) -> Self {
        let mut slack = Self { holdings: Holdings::new(clock.clone()) };
        slack.holdings.open(APPS);
        slack.holdings.open(MEMBERS);
        slack
    }

    /// A workspace with some people, apps and bots, made before the clock's time.
    pub fn seeded(clock: &Clock) -> Changed<Self> {
        let now = clock.now();
        clock.set(now - SignedDuration::from_hours(24 * 300));
        let mut slack = Self::empty(clock);
        let (ana, bo) = (slack.add_member("ana"), slack.add_member("bo"));
        let standup = slack.approve("Standup helper", &["chat:write", "channels:history"], &ana);
        slack.approve("Exporter", &["channels:history"], &bo);
        slack.approve("Org tool", &["admin.users:write"], &ana);
        slack.add_bot("Standup helper", &standup);
        clock.set(now);
        Ok(slack)
    }

    fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}0EXAMPLE{:03}", self.holdings.serial())
    }

    fn member(&mut self, (prefix, name, real): (&str, &str, &str)) -> (String, Value) {
        let id = self.id(prefix);
        let updated = self.holdings.now().as_second();
        let row = json!({"id": id, "team_id": Self::TEAM, "name": name, "deleted": false,
            "is_bot": false, "is_app_user": false, "updated": updated, "real_name": real,
            "profile": {"title": "", "phone": "", "skype": "", "real_name": real,
                "real_name_normalized": real, "display_name": name,
                "display_name_normalized": name, "fields": null, "status_text": "",
                "status_emoji": "", "avatar_hash": "EXAMPLE", "team": Self::TEAM}});
        (id, row)
    }

    /// A person; gives the id.
    pub fn add_member(&mut self, name: &str) -> String {
        let (id, mut row) = self.member(("U", name, name));
        row["profile"]["email"] = json!(format!("{name}@example.com"));
        self.holdings.put(MEMBERS, &id, row);
        id
    }

    /// A person or bot is deactivated; it stays listed.
    pub fn deactivate(&mut self, member: &str) -> Changed<()> {
        self.holdings.row(MEMBERS, "id", member)?["deleted"] = json!(true);
        Ok(())
    }

    /// A bot user of an app; gives the id.
    pub fn add_bot(&mut self, name: &str, app: &str) -> String {
        let (id, mut row) = self.member(("U", &name.to_lowercase().replace(' ', "-"), name));
        row["is_bot"] = json!(true);
        row["profile"]["api_app_id"] = json!(app);
        row["profile"]["bot_id"] = json!(self.id("B"));
        self.holdings.put(MEMBERS, &id, row);
        id
    }

    /// An app is approved with these scopes of a bot; gives its id.
    pub fn approve(&mut self, name: &str, scopes: &[&str], by: &str) -> String {
        let (id, updated) = (self.id("A"), self.holdings.now().as_second());
        let scope = |name: &&str| {
            json!({"name": name, "description": "EXAMPLE", "token_type": "bot",
                "is_sensitive": name.ends_with(":history") || name.starts_with("admin")})
        };
        let scopes: Vec<Value> = scopes.iter().map(scope).collect();
        let row = json!({"app": {"id": id, "name": name, "description": format!("{name} in Slack"),
                "help_url": "https://example.com/help", "app_homepage_url": "https://example.com",
                "privacy_policy_url": "https://example.com/privacy", "is_internal": false,
                "app_directory_url": "https://example.com/app", "additional_info": "",
                "is_app_directory_approved": true},
            "scopes": scopes, "date_updated": updated,
            "last_resolved_by": {"actor_id": by, "actor_type": "user"}});
        self.holdings.put(APPS, &id, row);
        id
    }

    /// An app gets another scope.
    pub fn widen(&mut self, app: &str, scope: &str) -> Changed<()> {
        let updated = self.holdings.now().as_second();
        let row = self.holdings.row(APPS, "app.id", app)?;
        if let Some(scopes) = row["scopes"].as_array_mut() {
            scopes.push(json!({"name": scope, "description": "EXAMPLE", "token_type": "bot",
                "is_sensitive": true}));
        }
        row["date_updated"] = json!(updated);
        Ok(())
    }

    /// An app is approved no more.
    pub fn restrict(&mut self, app: &str) -> Changed<()> {
        self.holdings.take(APPS, "app.id", app).map(drop)
    }

    /// The id of the app with this name.
    pub fn app(&self, name: &str) -> Option<String> {
        let found = self.holdings.rows(APPS).find(|row| row["app"]["name"] == name)?;
        found["app"]["id"].as_str().map(str::to_owned)
    }

    /// The id of the member with this name.
    pub fn member_named(&self, name: &str) -> Option<String> {
        let found = self.holdings.rows(MEMBERS).find(|row| row["name"] == name)?;
        found["id"].as_str().map(str::to_owned)
    }
}

fn failed(status: u16, error: &str, more: Value) -> Out {
    let mut body = Map::from_iter([("ok".to_owned(), json!(false))]);
    body.insert("error".to_owned(), json!(error));
    if let Value::Object(more) = more {
        body.extend(more);
    }
    Out::json(status, &Value::Object(body))
}

#[allow(private_interfaces, reason = "as the trait")]
impl Tenant for Slack {
    const BELOW: &'static str = "/api";
    const ROUTES: &'static [Route] = ROUTES;

    fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    fn holdings_mut(&mut self) -> &mut Holdings {
        &mut self.holdings
    }

    fn opens(&self, shown: &str) -> bool {
        shown == Self::TOKEN
    }

    fn page(&self, ask: &Ask, route: &Route, cut: Cut) -> Result<Out, Refusal> {
        if ask.query.get("team_id").is_some_and(|team| team != Self::TEAM) {
            return Ok(failed(200, "team_not_found", Value::Null));
        }
        let size = self.size(ask, (route, "limit"), &cut);
        let page = self.rows_after(ask, ("cursor", size), cut.fault)?;
        let cursor = match page.next {
            Next::Token(cursor) => cursor,
            // Nothing but the cursor says that there is more.
            Next::Nothing | Next::Unsaid => String::new(),
        };
        let mut body = json!({"ok": true, "response_metadata": {"next_cursor": cursor}});
        body[route.field] = Value::Array(page.rows);
        if route.template == MEMBERS {
            body["cache_ts"] = json!(self.holdings.now().as_second());
        }
        Ok(Out::json(200, &body))
    }

    fn refuse(&self, refusal: &Refusal) -> Out {
        match refusal {
            Refusal::NoToken => failed(200, "not_authed", Value::Null),
            Refusal::BadToken => failed(200, "invalid_auth", Value::Null),
            Refusal::Denied(needs) => {
                failed(200, "missing_scope", json!({"needed": needs, "provided": "identify"}))
            }
            Refusal::NotFound => failed(200, "unknown_method", json!({"req_method": "EXAMPLE"})),
            Refusal::BadRequest(_) => failed(200, "invalid_cursor", Value::Null),
            Refusal::Throttled(wait) => {
                let mut out = failed(429, "ratelimited", Value::Null);
                out.headers.push(("retry-after", wait.to_string()));
                out
            }
            Refusal::Trouble(status) => failed(*status, "internal_error", Value::Null),
        }
    }
}
