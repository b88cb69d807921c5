//! One exchange: spoiled where a plan says so, authorised, answered.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use serde_json::Value;

use super::BEARER;
use super::answer::Answer;
use crate::fault::Fault;
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::discovery;
use crate::kubernetes::json;
use crate::kubernetes::list::{self, ListQuery};
use crate::kubernetes::object::Text;
use crate::kubernetes::resource::Resource;
use crate::kubernetes::route::{Asked, Target, Wants};
use crate::kubernetes::select::Selector;
use crate::kubernetes::status::Status;
use crate::kubernetes::watch::{Watch, WatchQuery};
use crate::page::Quirk;
use crate::serving::{Shared, Turn};

pub(crate) fn answer(shared: &Arc<Shared<Cluster>>, asked: &Asked, turn: &Turn) -> Response {
    let result = match turn.fault.and_then(|fault| error(fault, asked)) {
        Some(status) => Err(status),
        None => authorized(shared, asked, turn),
    };
    result.unwrap_or_else(|status| Answer::status(&status)).send(turn)
}

/// The faults that are answers of the API itself.
fn error(fault: Fault, asked: &Asked) -> Option<Status> {
    match fault {
        Fault::Throttle | Fault::TooManyRequests => Some(Status::throttled()),
        Fault::Denied => Some(denied(asked)),
        Fault::Unauthorized => Some(Status::unauthorized()),
        Fault::NotFound => Some(Status::nothing_here()),
        Fault::Conflict => Some(Status::conflict()),
        Fault::Expired => Some(Status::expired_list(None)),
        Fault::ServerError => Some(Status::internal()),
        Fault::Unavailable => Some(Status::unavailable()),
        _ => None,
    }
}

fn denied(asked: &Asked) -> Status {
    match &asked.target {
        Target::Collection { resource, namespace, .. } => {
            let namespace = namespace.as_deref();
            Status::denied(asked.verb, resource.group(), resource.plural(), namespace)
        }
        Target::Single { resource, namespace, .. } => {
            let namespace = Some(&**namespace).filter(|namespace| !namespace.is_empty());
            Status::denied(asked.verb, resource.group(), resource.plural(), namespace)
        }
        _ => Status::denied(asked.verb, "", &asked.path, None),
    }
}

/// Who asks comes before what may be asked, and that before what there is, as in an API server.
fn authorized(shared: &Arc<Shared<Cluster>>, asked: &Asked, turn: &Turn) -> Result<Answer, Status> {
    if asked.token.as_deref() != Some(BEARER) {
        return Err(Status::unauthorized());
    }
    let what = asked.resource().map_or(asked.path.as_str(), |resource| resource.plural());
    if shared.lock().world.is_denied(asked.verb, what) {
        return Err(denied(asked));
    }
    if asked.wants == Wants::Else {
        return Err(Status::not_acceptable());
    }
    match &asked.target {
        _ if !is_served(shared, asked) => Ok(Answer::no_page()),
        _ if !matches!(asked.verb, "get" | "list" | "watch") => Err(Status::read_only()),
        Target::Collection { resource, namespace, .. } => {
            let (labels, fields) = (asked.param("labelSelector"), asked.param("fieldSelector"));
            let selector = Selector::parse(*resource, labels, fields)?;
            let of = Collection { resource: *resource, namespace: namespace.clone(), selector };
            if asked.verb == "watch" {
                return watch(shared, asked, of);
            }
            page(shared, asked, of, turn)
        }
        Target::Single { resource, namespace, name, .. } => {
            let inside = shared.lock();
            match inside.world.get(*resource, namespace, name) {
                Some(object) => Ok(Answer::json(&json::object(object, asked.view()))),
                None => Err(Status::not_found(resource.group(), resource.plural(), name)),
            }
        }
        _ => discover(&shared.lock().world, asked),
    }
}

/// What is listed or watched.
struct Collection {
    resource: Resource,
    namespace: Option<Text>,
    selector: Selector,
}

fn is_served(shared: &Shared<Cluster>, asked: &Asked) -> bool {
    asked.versioned().is_none_or(|(resource, version)| {
        shared.lock().world.served_version(resource) == Some(version)
    })
}

fn page(
    shared: &Shared<Cluster>,
    asked: &Asked,
    of: Collection,
    turn: &Turn,
) -> Result<Answer, Status> {
    let exact = match asked.param("resourceVersionMatch") {
        None | Some("NotOlderThan") => false,
        Some("Exact") => true,
        Some(_) => return Err(Status::invalid("resourceVersionMatch: Unsupported value")),
    };
    let inside = shared.lock();
    let limit = number(asked, "limit")?.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let query = ListQuery {
        resource: of.resource,
        namespace: of.namespace,
        selector: of.selector,
        limit: match (limit.filter(|limit| *limit > 0), turn.most) {
            (Some(limit), Some(most)) => Some(limit.min(most)),
            (limit, most) => limit.or(most),
        },
        token: asked.param("continue").map(str::to_owned),
        version: number(asked, "resourceVersion")?,
        exact,
        quirk: turn.fault.and_then(Quirk::of),
    };
    let (objects, meta) = list::page(&inside.world, &query)?;
    // Written without the lock: a page may be long.
    drop(inside);
    let objects = objects.iter().map(|object| &**object);
    Ok(Answer::bytes(json::list(of.resource, objects, asked.view(), &meta)))
}

fn watch(shared: &Arc<Shared<Cluster>>, asked: &Asked, of: Collection) -> Result<Answer, Status> {
    let matching = asked.param("resourceVersionMatch");
    let send_initial = asked.is_set("sendInitialEvents");
    let has_initial = asked.param("sendInitialEvents").is_some();
    let bookmarks = asked.is_set("allowWatchBookmarks");
    if has_initial && matching != Some("NotOlderThan") {
        return Err(Status::invalid(
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting \
             resourceVersionMatch to NotOlderThan",
        ));
    }
    if matching.is_some() && !has_initial {
        return Err(Status::invalid(
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless \
             sendInitialEvents is provided",
        ));
    }
    let query = WatchQuery {
        resource: of.resource,
        namespace: of.namespace,
        selector: of.selector,
        version: number(asked, "resourceVersion")?,
        bookmarks,
        send_initial,
        timeout: number(asked, "timeoutSeconds")?.map(Duration::from_secs),
        view: asked.view(),
    };
    Ok(Answer::watch(Watch::begin(shared, query)?))
}

fn number(asked: &Asked, name: &str) -> Result<Option<u64>, Status> {
    let parse = |text: &str| {
        text.parse().map_err(|_| Status::bad_request(&format!("{name}: Invalid value")))
    };
    asked.param(name).map(parse).transpose()
}

fn discover(cluster: &Cluster, asked: &Asked) -> Result<Answer, Status> {
    let aggregated =
        asked.wants == Wants::AggregatedDiscovery && !cluster.script.no_aggregated_discovery;
    let found: Option<Value> = match &asked.target {
        Target::Health => return Ok(Answer::text(200, "ok")),
        Target::Version => Some(discovery::version()),
        Target::OpenId => Some(discovery::open_id(cluster)),
        Target::CoreVersions if aggregated => {
            return Ok(Answer::discovery(&discovery::aggregated(cluster, true)));
        }
        Target::Groups if aggregated => {
            return Ok(Answer::discovery(&discovery::aggregated(cluster, false)));
        }
        Target::CoreVersions => Some(discovery::core_versions()),
        Target::Groups => Some(discovery::groups(cluster)),
        Target::Group(group) => discovery::group(cluster, group),
        Target::Resources { group, version } => discovery::resources(cluster, group, version),
        Target::UnknownResource { group, version } => {
            // A group that is served answers for itself; any other path is no page at all.
            if discovery::resources(cluster, group, version).is_some() {
                return Err(Status::nothing_here());
            }
            None
        }
        _ => None,
    };
    Ok(found.map_or_else(Answer::no_page, |found| Answer::json(&found)))
}
