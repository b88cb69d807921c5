//! One exchange from its request line to its last header.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::Uri;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::fault::Fault;
use crate::github::ask::Ask;
use crate::github::auth::{Bearer, Budget};
use crate::github::graphql;
use crate::github::model::{Hub, Org};
use crate::github::page::{self, ELSEWHERE, Links};
use crate::github::reply::{Refusal, Reply};
use crate::github::route::{self, Route};
use crate::github::shape::Shape;
use crate::out::Out;
use crate::serving::Turn;

/// A `Link` that says that there is more and not where.
const NOWHERE: &str = "<>; rel=\"next\"";

/// What GitHub shows when it has no answer.
const UNICORN: &str = "Unicorn! &middot; GitHub";

/// A request, read.
#[derive(Debug)]
pub struct Call {
    pub(super) account: String,
    pub(super) action: String,
    bearer: Result<Bearer, Refusal>,
    token: String,
    target: Target,
    query: BTreeMap<String, String>,
}

#[derive(Debug)]
enum Target {
    Route(&'static Route, Vec<String>),
    AccessToken(u64),
    Graphql(Bytes),
    Nothing,
}

/// Path segments, decoded; numeric places turned into names, as `Link` headers need.
fn segments(hub: &Hub, uri: &Uri) -> Vec<String> {
    let path = uri.path();
    let path = path.strip_prefix("/api/v3").unwrap_or(path);
    let mut parts: Vec<String> = path
        .split('/')
        .skip(1)
        .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
        .collect();
    let id = parts.get(1).and_then(|id| id.parse::<u64>().ok());
    match (parts.first().map(String::as_str), id) {
        (Some("organizations"), Some(id)) => {
            if let Some(org) = hub.organizations.get(&id) {
                parts.splice(..2, ["orgs".to_owned(), org.login.clone()]);
            }
        }
        (Some("repositories"), Some(id)) => {
            let found = hub.organizations.values().find_map(|org| {
                org.repositories.get(&id).map(|repo| (org.login.clone(), repo.name.clone()))
            });
            if let Some((owner, name)) = found {
                parts.splice(..2, ["repos".to_owned(), owner, name]);
            }
        }
        _ => {}
    }
    parts
}

impl Call {
    pub(super) fn read(hub: &Hub, head: &Parts, body: Bytes) -> Self {
        let Parts { method, uri, headers, .. } = head;
        let header = headers.get("authorization").and_then(|value| value.to_str().ok());
        let bearer = hub.authenticate(header);
        let account = match &bearer {
            Ok(Bearer::App(_)) => "app".to_owned(),
            Ok(Bearer::Installation { org, .. } | Bearer::Owner { org }) => {
                hub.organizations.get(org).map_or("unknown".to_owned(), |org| org.login.clone())
            }
            Err(_) => "unknown".to_owned(),
        };
        let parts = segments(hub, uri);
        let refs: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (target, template) = match (method.as_str(), &refs[..]) {
            ("POST", ["graphql"] | ["api", "graphql"]) => (Target::Graphql(body), "/graphql"),
            ("POST", ["app", "installations", id, "access_tokens"]) => (
                Target::AccessToken(id.parse().unwrap_or(0)),
                "/app/installations/{installation_id}/access_tokens",
            ),
            ("GET", _) => match route::find(&parts) {
                Some((route, caught)) => (Target::Route(route, caught), route.template),
                None => (Target::Nothing, uri.path()),
            },
            _ => (Target::Nothing, uri.path()),
        };
        let query = form_urlencoded::parse(uri.query().unwrap_or("").as_bytes());
        Self {
            account,
            action: format!("{method} {template}"),
            bearer,
            token: header.and_then(|text| text.split_once(' ')).map_or("", |(_, t)| t).to_owned(),
            target,
            query: query.into_owned().collect(),
        }
    }

    /// The whole answer, headers included.
    pub(super) fn answer(&self, hub: &mut Hub, turn: &Turn) -> Out {
        let graphql = matches!(self.target, Target::Graphql(_));
        let mut spent = None;
        let mut out = match &self.bearer {
            Err(refusal) => refused(refusal),
            Ok(bearer) => {
                let cost = if graphql { 0 } else { 1 };
                let budget = hub.spend(bearer, graphql, cost);
                spent = Some(budget);
                self.struck(hub, turn.fault).unwrap_or_else(|| {
                    if budget.exceeded {
                        return spent_out(hub, bearer);
                    }
                    self.serve(hub, turn, bearer, &mut spent)
                })
            }
        };
        out.headers.push(("x-github-request-id", format!("MADE:UP:{:08X}", turn.number)));
        out.headers.push(("x-github-media-type", "github.v3; format=json".to_owned()));
        if let Some(budget) = spent {
            out.headers.extend([
                ("x-ratelimit-limit", budget.limit.to_string()),
                ("x-ratelimit-remaining", budget.remaining().to_string()),
                ("x-ratelimit-used", budget.used.to_string()),
                ("x-ratelimit-reset", budget.reset.to_string()),
                ("x-ratelimit-resource", budget.resource.to_owned()),
            ]);
        }
        out
    }

    /// The faults that are answers of the service itself, and the scripted refusals.
    fn struck(&self, hub: &Hub, fault: Option<Fault>) -> Option<Out> {
        let scripted = hub.manners.refused.get(&self.action).copied();
        let secondary = |status| {
            let text = "You have exceeded a secondary rate limit. Please wait a few minutes \
                        before you try again.";
            let mut out = refused(&Refusal::new(status, text));
            out.headers.push(("retry-after", hub.manners.retry_after.to_string()));
            Some(out)
        };
        match (fault, scripted) {
            (Some(Fault::Throttle), _) => secondary(403),
            (Some(Fault::TooManyRequests), _) => secondary(429),
            (Some(Fault::Denied), _) | (_, Some(403)) => {
                if matches!(self.target, Target::Graphql(_)) && hub.manners.graphql_denied_with_200
                {
                    return Some(Out::json(200, &graphql::forbidden()));
                }
                let needs = match &self.target {
                    Target::Route(route, _) => route.needs,
                    _ => "",
                };
                Some(refused(&Refusal::not_accessible(needs)))
            }
            (Some(Fault::NotFound), _) | (_, Some(_)) => Some(refused(&Refusal::not_found())),
            (Some(Fault::ServerError | Fault::HtmlError), _) => Some(Out::html(500, UNICORN)),
            (Some(Fault::Unavailable), _) => Some(Out::html(503, UNICORN)),
            _ => None,
        }
    }

    fn serve(
        &self,
        hub: &mut Hub,
        turn: &Turn,
        bearer: &Bearer,
        spent: &mut Option<Budget>,
    ) -> Out {
        match &self.target {
            Target::Nothing => refused(&Refusal::not_found()),
            Target::AccessToken(id) => match hub.issue(&self.token, *id) {
                Ok(issued) => Out::json(201, &issued),
                Err(refusal) => refused(&refusal),
            },
            Target::Graphql(body) => self.graphql(hub, turn, (bearer, body), spent),
            Target::Route(route, caught) => match self.route(hub, turn, (bearer, route, caught)) {
                Ok(out) => out,
                Err(refusal) => refused(&refusal),
            },
        }
    }

    fn graphql(
        &self,
        hub: &mut Hub,
        turn: &Turn,
        (bearer, body): (&Bearer, &Bytes),
        spent: &mut Option<Budget>,
    ) -> Out {
        let query = match graphql::Query::read(body) {
            Ok(query) => query,
            Err(problem) => return Out::json(200, &problem),
        };
        let budget = hub.spend(bearer, true, query.cost());
        *spent = Some(budget);
        if query.nodes() > hub.manners.timeout_above {
            return Out::html(502, UNICORN);
        }
        if budget.exceeded {
            let text = "API rate limit already exceeded for installation ID.";
            let error =
                json!({"type": "RATE_LIMIT", "code": "graphql_rate_limit", "message": text});
            return Out::json(200, &json!({"errors": [error]}));
        }
        Out::json(200, &graphql::execute(hub, bearer, &query, (&budget, turn)))
    }

    fn route(
        &self,
        hub: &Hub,
        turn: &Turn,
        (bearer, route, caught): (&Bearer, &'static Route, &[String]),
    ) -> Result<Out, Refusal> {
        if !route.exists.on(hub.edition) {
            return Err(Refusal::not_found());
        }
        let org = self.organization(hub, bearer, route, caught)?;
        allowed(org, bearer, route.needs)?;
        let shape = Shape { hub, org, api: &turn.public };
        let (caught, query, most) = (caught.to_vec(), &self.query, turn.most);
        let ask = Ask { route, shape, bearer, caught, query, most };
        if ask.of_repo() {
            ask.repo()?;
        }
        let reply = (route.answer)(&ask)?;
        Ok(self.page(&ask, reply, turn.fault))
    }

    /// The organisation that the path names; else the one of who asks.
    fn organization<'a>(
        &self,
        hub: &'a Hub,
        bearer: &Bearer,
        route: &Route,
        caught: &[String],
    ) -> Result<&'a Org, Refusal> {
        let named = ["/orgs/", "/repos/"].iter().any(|start| route.template.starts_with(start));
        let found = match bearer {
            _ if named => hub.organization(caught.first().map_or("", String::as_str)).ok(),
            Bearer::Installation { org, .. } | Bearer::Owner { org } => hub.organizations.get(org),
            Bearer::App(_) => hub.organizations.values().next(),
        };
        found.ok_or_else(Refusal::not_found)
    }

    fn page(&self, ask: &Ask<'_>, reply: Reply<'_>, fault: Option<Fault>) -> Out {
        let wrap = |key, total: usize, rows: Vec<Value>, mut more: Value| {
            more["total_count"] = json!(total);
            more[key] = json!(rows);
            more
        };
        let (rows, shell) = match reply {
            Reply::One(document) => return Out::json(200, &document),
            Reply::Nothing => return Out { status: 204, headers: Vec::new(), body: Vec::new() },
            Reply::Cursor(rows, after) => {
                let mut out = Out::json(200, &Value::Array(rows));
                let asked = self.query.get("after").cloned();
                let link = match (fault, after) {
                    (Some(Fault::MissingMarker), _) => Some(NOWHERE.to_owned()),
                    (Some(Fault::RepeatedMarker), after) => {
                        asked.or(after).map(|same| self.link(ask, &[("after", same)]))
                    }
                    (_, after) => after.map(|after| self.link(ask, &[("after", after)])),
                };
                out.headers.extend(link.map(|link| ("link", link)));
                return out;
            }
            Reply::List(rows) => (rows, None),
            Reply::Counted(key, rows, more) => (rows, Some((key, more))),
        };
        let total = rows.len();
        let again = self.query.contains_key("again");
        let cut = page::cut(total, &self.query, ask.most);
        let cut = page::spoil(cut, &self.query, fault.filter(|_| !again));
        let kept = rows.into_iter().take(cut.to).skip(cut.from).map(|row| row()).collect();
        let body = match shell {
            None => Value::Array(kept),
            Some((key, more)) => wrap(key, total, kept, more),
        };
        let mut out = Out::json(200, &body);
        if let Some(next) = cut.next {
            let mut set = vec![("page", next.to_string())];
            if fault == Some(Fault::EmptyPage) {
                set.push(("again", "1".to_owned()));
            }
            let link = match fault {
                Some(Fault::MissingMarker) => NOWHERE.to_owned(),
                _ => self.link(ask, &set),
            };
            out.headers.push(("link", link));
        }
        out
    }

    /// The `Link` header, leading where the hub's manners say.
    fn link(&self, ask: &Ask<'_>, set: &[(&str, String)]) -> String {
        let asked = ask.path(0);
        let (links, org) = (ask.hub().manners.links, ask.org());
        let path = match (links, ask.repo()) {
            (Links::AsAsked, _) => asked,
            (_, Ok(repo)) if ask.of_repo() => {
                let from = format!("/repos/{}/{}", ask.caught(0), ask.caught(1));
                asked.replacen(&from, &format!("/repositories/{}", repo.id), 1)
            }
            _ => asked.replacen(
                &format!("/orgs/{}", ask.caught(0)),
                &format!("/organizations/{}", org.id),
                1,
            ),
        };
        let host = if links == Links::OtherHost { ELSEWHERE } else { ask.shape.api };
        page::link(&format!("{host}{path}"), &self.query, set, "next")
    }
}

fn refused(refusal: &Refusal) -> Out {
    let mut out = Out::json(refusal.status, &refusal.body());
    if let Some(needs) = &refusal.needs {
        out.headers.push(("x-accepted-github-permissions", needs.clone()));
    }
    out
}

/// Whether who asks may: an installation by its permissions, an owner always.
fn allowed(org: &Org, bearer: &Bearer, needs: &str) -> Result<(), Refusal> {
    match (bearer, needs) {
        (_, "-") => Ok(()),
        (Bearer::App(_), "app") => Ok(()),
        (Bearer::App(_), _) => Err(Refusal::new(403, "Resource not accessible by integration")),
        (_, "app") => Err(Refusal::new(401, "A JSON web token could not be decoded")),
        (Bearer::Owner { org: own }, _) | (Bearer::Installation { org: own, .. }, _)
            if *own != org.id =>
        {
            Err(Refusal::not_found())
        }
        (Bearer::Owner { .. }, _) => Ok(()),
        (Bearer::Installation { id, .. }, needs) => {
            let granted = org.installations.get(id).map(|found| &found.permissions);
            match granted {
                Some(granted) if granted.contains_key(needs) => Ok(()),
                _ => Err(Refusal::not_accessible(needs)),
            }
        }
    }
}

/// The primary limit.
fn spent_out(hub: &Hub, bearer: &Bearer) -> Out {
    let text = match bearer {
        Bearer::Installation { id, .. } => {
            format!("API rate limit exceeded for installation ID {id}.")
        }
        _ => "API rate limit exceeded.".to_owned(),
    };
    refused(&Refusal::new(hub.manners.spent_status, &text))
}
