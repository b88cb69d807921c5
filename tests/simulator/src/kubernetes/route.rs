//! From method, path and query to what is asked for, in the API's terms.

use std::collections::BTreeMap;

use axum::http::request::Parts;
use axum::http::{Method, header};

use super::json::View;
use super::object::Text;
use super::resource::Resource;

/// A request as far as it could be read.
#[derive(Debug)]
pub struct Asked {
    pub(crate) target: Target,
    /// `list`, `watch`, `get`, `create` …
    pub(crate) verb: &'static str,
    pub(crate) path: String,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) wants: Wants,
    pub(crate) token: Option<String>,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Health,
    Version,
    OpenId,
    CoreVersions,
    Groups,
    Group(String),
    Resources {
        group: String,
        version: String,
    },
    Collection {
        resource: Resource,
        version: &'static str,
        namespace: Option<Text>,
    },
    Single {
        resource: Resource,
        version: &'static str,
        namespace: Text,
        name: String,
    },
    /// Below a group version, but nothing that this cluster serves.
    UnknownResource {
        group: String,
        version: String,
    },
    Unknown,
}

/// The form in which the answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    Json,
    Metadata,
    AggregatedDiscovery,
    /// Nothing that is spoken here, protobuf for one.
    Else,
}

pub(crate) fn read(head: &Parts) -> Asked {
    let Parts { method, uri, headers, .. } = head;
    let path = uri.path();
    let params: BTreeMap<String, String> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let target = target(path);
    let is_watch = matches!(params.get("watch").map(String::as_str), Some("true" | "1"));
    let verb = match (method, &target) {
        (&Method::GET, Target::Collection { .. }) if is_watch => "watch",
        (&Method::GET, Target::Collection { .. }) => "list",
        (&Method::GET | &Method::HEAD, _) => "get",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (&Method::DELETE, Target::Collection { .. }) => "deletecollection",
        _ => "delete",
    };
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let token = text(header::AUTHORIZATION).and_then(|text| text.strip_prefix("Bearer "));
    let wants = wants(text(header::ACCEPT).unwrap_or("*/*"));
    let (path, token) = (path.to_owned(), token.map(str::to_owned));
    Asked { target, verb, path, params, wants, token }
}

impl Asked {
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        matches!(self.param(name), Some("true" | "1"))
    }

    /// The resource that is asked for, with its version.
    pub(crate) fn versioned(&self) -> Option<(Resource, &'static str)> {
        match &self.target {
            Target::Collection { resource, version, .. }
            | Target::Single { resource, version, .. } => Some((*resource, version)),
            _ => None,
        }
    }

    pub(crate) fn resource(&self) -> Option<Resource> {
        self.versioned().map(|(resource, _)| resource)
    }

    /// How objects are to be written.
    pub(crate) fn view(&self) -> View {
        match (self.wants, self.versioned()) {
            (Wants::Metadata, _) => View::Metadata,
            (_, versioned) => View::Full(versioned.map_or("v1", |(_, version)| version)),
        }
    }

    /// As calls are counted and faults aimed: `list pods`, `get /version`.
    pub(crate) fn action(&self) -> String {
        match self.resource() {
            Some(resource) => format!("{} {resource}", self.verb),
            None => format!("{} {}", self.verb, self.path),
        }
    }
}

fn target(path: &str) -> Target {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let parts: Vec<&str> = decoded.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["healthz" | "livez" | "readyz"] => Target::Health,
        ["version"] => Target::Version,
        [".well-known", "openid-configuration"] => Target::OpenId,
        ["api"] => Target::CoreVersions,
        ["apis"] => Target::Groups,
        ["api", version, rest @ ..] => below("", version, rest),
        ["apis", group] => Target::Group((*group).to_owned()),
        ["apis", group, version, rest @ ..] => below(group, version, rest),
        _ => Target::Unknown,
    }
}

fn below(group: &str, version: &str, rest: &[&str]) -> Target {
    let find = |plural| Resource::find(group, version, plural);
    let none = Target::UnknownResource { group: group.to_owned(), version: version.to_owned() };
    match rest {
        [] => Target::Resources { group: group.to_owned(), version: version.to_owned() },
        ["namespaces", namespace, plural, name @ ..] if name.len() < 2 => {
            let namespaced = find(plural).filter(|(resource, _)| resource.is_namespaced());
            let Some((resource, version)) = namespaced else { return none };
            let namespace: Text = (*namespace).into();
            match name {
                [name, ..] => {
                    Target::Single { resource, version, namespace, name: (*name).to_owned() }
                }
                [] => Target::Collection { resource, version, namespace: Some(namespace) },
            }
        }
        [plural] => find(plural).map_or(none, |(resource, version)| Target::Collection {
            resource,
            version,
            namespace: None,
        }),
        [plural, name] => find(plural).filter(|(resource, _)| !resource.is_namespaced()).map_or(
            none,
            |(resource, version)| Target::Single {
                resource,
                version,
                namespace: "".into(),
                name: (*name).to_owned(),
            },
        ),
        _ => none,
    }
}

/// The first form in the list that is spoken here.
fn wants(accept: &str) -> Wants {
    for form in accept.split(',') {
        let mut parts = form.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let shape = parts.find_map(|part| part.strip_prefix("as="));
        match (media, shape) {
            ("application/json", Some("PartialObjectMetadata" | "PartialObjectMetadataList")) => {
                return Wants::Metadata;
            }
            ("application/json", Some("APIGroupDiscoveryList")) => {
                return Wants::AggregatedDiscovery;
            }
            ("application/json" | "application/*" | "*/*", None) => {
                return Wants::Json;
            }
            _ => {}
        }
    }
    Wants::Else
}
