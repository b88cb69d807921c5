//! Lists in pages: a token goes on in the snapshot of the first page, until that is forgotten.

use std::ops::Bound;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::json::ListMeta;
use super::log::Key;
use super::object::{Object, Text};
use super::resource::Resource;
use super::select::Selector;
use super::status::Status;
use crate::page::Quirk;

/// A list that was asked for.
#[derive(Debug)]
pub(crate) struct ListQuery {
    pub(crate) resource: Resource,
    pub(crate) namespace: Option<Text>,
    pub(crate) selector: Selector,
    pub(crate) limit: Option<usize>,
    pub(crate) token: Option<String>,
    /// `resourceVersion` as it was written, and whether it must match exactly.
    pub(crate) version: Option<u64>,
    pub(crate) exact: bool,
    pub(crate) quirk: Option<Quirk>,
}

/// Where a page begins.
#[derive(Debug)]
struct Place {
    /// The snapshot; `None`: the present, whatever it was before.
    version: Option<u64>,
    after: Option<Key>,
    /// What is left from here on, when that is known.
    left: Option<u64>,
}

/// Answers one page.
pub(crate) fn page(
    cluster: &Cluster,
    query: &ListQuery,
) -> Result<(Vec<Arc<Object>>, ListMeta), Status> {
    let place = begin(cluster, query)?;
    let version = place.version.unwrap_or(cluster.version);
    let limit = match query.version {
        // The watch cache answers "any version" and has no pages.
        Some(0) if query.token.is_none() => usize::MAX,
        _ => query.limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX),
    };
    if query.quirk == Some(Quirk::EmptyPage) {
        let token = token(query, version, place.after.as_ref(), place.left);
        return Ok((Vec::new(), ListMeta { version, token: Some(token), remaining: place.left }));
    }
    let (objects, more) = take(cluster, query, &place, limit);
    let last = objects.last().map(|one| (one.namespace.clone(), one.name.clone()));
    let remaining = place.left.map(|left| left.saturating_sub(objects.len() as u64));
    let next = || token(query, version, last.as_ref(), remaining);
    let meta = match query.quirk {
        Some(Quirk::RepeatedMarker) => {
            let token = query.token.clone().unwrap_or_else(next);
            ListMeta { version, token: Some(token), remaining }
        }
        Some(Quirk::MissingMarker) => ListMeta { version, token: None, remaining: Some(1) },
        _ if more => ListMeta { version, token: Some(next()), remaining },
        _ => ListMeta { version, token: None, remaining: None },
    };
    Ok((objects, meta))
}

/// All objects as they are now, for the beginning of a watch.
pub(crate) fn everything(
    cluster: &Cluster,
    resource: Resource,
    namespace: Option<&Text>,
    selector: &Selector,
) -> Vec<Arc<Object>> {
    let present = range(cluster, resource, namespace, None);
    present.map(|(_, object)| object).filter(|object| selector.selects(object)).cloned().collect()
}

fn begin(cluster: &Cluster, query: &ListQuery) -> Result<Place, Status> {
    if let Some(token) = &query.token {
        return go_on(cluster, query, token);
    }
    let version = match query.version {
        Some(version) if version > cluster.version => {
            return Err(Status::too_new(version, cluster.version));
        }
        Some(version) if query.exact && version < cluster.log.oldest() => {
            return Err(Status::expired(version, cluster.log.oldest()));
        }
        Some(version) if query.exact => version,
        _ => cluster.version,
    };
    // Counting is as dear as listing when only a part is selected; servers leave it out.
    let is_whole = query.selector.is_everything() && version == cluster.version;
    let left = is_whole.then(|| match &query.namespace {
        None => cluster.count(query.resource) as u64,
        Some(_) => range(cluster, query.resource, query.namespace.as_ref(), None).count() as u64,
    });
    Ok(Place { version: Some(version), after: None, left })
}

/// Where a token leads.
fn go_on(cluster: &Cluster, query: &ListQuery, token: &str) -> Result<Place, Status> {
    let unreadable = || Status::bad_request("continue key is not valid");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| unreadable())?;
    let place: Value = serde_json::from_slice(&bytes).map_err(|_| unreadable())?;
    let text = |name: &str| place.get(name).and_then(Value::as_str);
    if text("of") != Some(query.resource.plural())
        || text("in") != query.namespace.as_deref()
        || query.version.is_some_and(|version| version != 0)
    {
        return Err(unreadable());
    }
    let after = match (text("namespace"), text("name")) {
        (Some(namespace), Some(name)) => Some((namespace.into(), name.into())),
        _ => None,
    };
    let version = place.get("rv").and_then(Value::as_u64);
    if version.is_some_and(|version| version < cluster.log.oldest()) {
        let token = encode(query, None, after.as_ref(), None);
        return Err(Status::expired_list(Some(token)));
    }
    Ok(Place { version, after, left: place.get("left").and_then(Value::as_u64) })
}

fn token(query: &ListQuery, version: u64, after: Option<&Key>, left: Option<u64>) -> String {
    encode(query, Some(version), after, left)
}

fn encode(
    query: &ListQuery,
    version: Option<u64>,
    after: Option<&Key>,
    left: Option<u64>,
) -> String {
    let place = json!({
        "v": "meta.k8s.io/v1",
        "rv": version,
        "of": query.resource.plural(),
        "in": query.namespace.as_deref(),
        "namespace": after.map(|(namespace, _)| &**namespace),
        "name": after.map(|(_, name)| &**name),
        "left": left,
    });
    BASE64_URL_SAFE_NO_PAD.encode(place.to_string())
}

/// Up to `limit` objects from `place` on, and whether there are more.
fn take(
    cluster: &Cluster,
    query: &ListQuery,
    place: &Place,
    limit: usize,
) -> (Vec<Arc<Object>>, bool) {
    let namespace = query.namespace.as_ref();
    let present = range(cluster, query.resource, namespace, place.after.as_ref());
    let version = place.version.unwrap_or(cluster.version);
    let mut then = cluster.log.differences(query.resource, version);
    then.retain(|key, _| {
        namespace.is_none_or(|namespace| key.0 == *namespace)
            && place.after.as_ref().is_none_or(|after| key > after)
    });
    let mut objects = Vec::new();
    let mut more = false;
    let mut keep = |object: &Arc<Object>| {
        more = objects.len() == limit;
        if !more {
            objects.push(Arc::clone(object));
        }
        !more
    };
    let selects = |object: &Arc<Object>| query.selector.selects(object);
    let mut then = then.into_iter().peekable();
    for (key, object) in present {
        while let Some((_, old)) = then.next_if(|(other, _)| other < key) {
            if old.is_some_and(|old| selects(&old) && !keep(&old)) {
                return (objects, true);
            }
        }
        let old = then.next_if(|(other, _)| other == key);
        let object = match &old {
            Some((_, Some(old))) => old,
            Some((_, None)) => continue,
            None => object,
        };
        if selects(object) && !keep(object) {
            return (objects, true);
        }
    }
    for (_, old) in then {
        if old.is_some_and(|old| selects(&old) && !keep(&old)) {
            return (objects, true);
        }
    }
    (objects, false)
}

/// What exists now behind `after`, in one namespace or in all.
fn range<'a>(
    cluster: &'a Cluster,
    resource: Resource,
    namespace: Option<&Text>,
    after: Option<&Key>,
) -> impl Iterator<Item = (&'a Key, &'a Arc<Object>)> {
    let (first, end) = match namespace.map(Cluster::namespace_range) {
        Some((first, end)) => (Bound::Included(first), Bound::Excluded(end)),
        None => (Bound::Unbounded, Bound::Unbounded),
    };
    let first = after.map_or(first, |after| Bound::Excluded(after.clone()));
    let objects = cluster.objects.get(&resource);
    objects.into_iter().flat_map(move |objects| objects.range((first.clone(), end.clone())))
}
