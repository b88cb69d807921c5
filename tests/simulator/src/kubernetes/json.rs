//! Writes objects as JSON, in full or only their metadata, at the moment they are asked for.

use serde_json::{Map, Value, json};

use super::fields;
use super::object::{Object, Text};
use super::resource::Resource;
use super::watch::Event;

/// What stands where a secret's value would be. A reader that keeps it has read secrets.
pub const MARKED_SECRET: &str = "NO-SECRET-BUT-A-MARK-EXAMPLE";

/// [`MARKED_SECRET`] as it goes over the wire.
pub const MARKED_SECRET_BASE64: &str = "Tk8tU0VDUkVULUJVVC1BLU1BUkstRVhBTVBMRQ==";

/// How much of an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// Everything, in this version of its group.
    Full(&'static str),
    /// `PartialObjectMetadata` of `meta.k8s.io/v1`.
    Metadata,
}

impl View {
    /// Kind and API version of one object.
    fn types(self, resource: Resource) -> (String, String) {
        match self {
            Self::Full(version) => (resource.kind().to_owned(), resource.api_version_in(version)),
            Self::Metadata => ("PartialObjectMetadata".to_owned(), "meta.k8s.io/v1".to_owned()),
        }
    }
}

/// The head of a list.
#[derive(Debug)]
pub(crate) struct ListMeta {
    pub(crate) version: u64,
    pub(crate) token: Option<String>,
    pub(crate) remaining: Option<u64>,
}

/// An object on its own.
pub(crate) fn object(object: &Object, view: View) -> Value {
    at(object, view, object.version)
}

fn at(object: &Object, view: View, version: u64) -> Value {
    let mut fields = item(object, view, version);
    let (kind, api_version) = view.types(object.resource);
    fields.insert("kind".to_owned(), kind.into());
    fields.insert("apiVersion".to_owned(), api_version.into());
    Value::Object(fields)
}

/// A list. Its items do not say what they are, except in lists of metadata.
pub(crate) fn list<'a>(
    resource: Resource,
    objects: impl Iterator<Item = &'a Object>,
    view: View,
    meta: &ListMeta,
) -> Vec<u8> {
    let (kind, api_version) = view.types(resource);
    let mut metadata = json!({ "resourceVersion": meta.version.to_string() });
    if let Some(token) = &meta.token {
        metadata["continue"] = json!(token);
    }
    if let Some(remaining) = meta.remaining {
        metadata["remainingItemCount"] = json!(remaining);
    }
    let head = format!(
        "{{\"kind\":\"{kind}List\",\"apiVersion\":\"{api_version}\",\"metadata\":{metadata},\"items\":["
    );
    let mut body = head.into_bytes();
    for (n, one) in objects.enumerate() {
        if n > 0 {
            body.push(b',');
        }
        let item = match view {
            View::Full(_) => Value::Object(item(one, view, one.version)),
            View::Metadata => object(one, view),
        };
        body.extend_from_slice(item.to_string().as_bytes());
    }
    body.extend_from_slice(b"]}\n");
    body
}

/// One line of a watch.
pub(crate) fn event(event: &Event, resource: Resource, view: View) -> String {
    let (kind, body) = match event {
        Event::Added(one) => ("ADDED", object(one, view)),
        Event::Modified(one) => ("MODIFIED", object(one, view)),
        Event::Deleted(one, version) => ("DELETED", at(one, view, *version)),
        Event::Bookmark { version, ends_initial } => {
            ("BOOKMARK", bookmark(resource, view, *version, *ends_initial))
        }
        Event::Error(status) => ("ERROR", status.to_json()),
    };
    format!("{{\"type\":\"{kind}\",\"object\":{body}}}\n")
}

fn bookmark(resource: Resource, view: View, version: u64, ends_initial: bool) -> Value {
    let (kind, api_version) = view.types(resource);
    let mut metadata = json!({ "resourceVersion": version.to_string(), "creationTimestamp": null });
    if ends_initial {
        metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
    }
    json!({ "kind": kind, "apiVersion": api_version, "metadata": metadata })
}

fn item(object: &Object, view: View, version: u64) -> Map<String, Value> {
    let mut fields = match view {
        View::Full(_) => fields::of(object),
        View::Metadata => Map::new(),
    };
    fields.insert("metadata".to_owned(), metadata(object, version));
    fields
}

fn metadata(object: &Object, version: u64) -> Value {
    let created = object.created.map(|moment| moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let mut metadata = json!({
        "name": &*object.name,
        "uid": object.uid.to_string(),
        "resourceVersion": version.to_string(),
        "creationTimestamp": created,
    });
    if object.resource.is_namespaced() {
        metadata["namespace"] = json!(&*object.namespace);
    }
    if !object.labels.is_empty() {
        metadata["labels"] = pairs(&object.labels);
    }
    if !object.annotations.is_empty() {
        metadata["annotations"] = pairs(&object.annotations);
    }
    if !object.owners.is_empty() {
        metadata["ownerReferences"] = object
            .owners
            .iter()
            .map(|owner| {
                json!({
                    "apiVersion": &*owner.api_version,
                    "kind": &*owner.kind,
                    "name": &*owner.name,
                    "uid": owner.uid.to_string(),
                    "controller": true,
                    "blockOwnerDeletion": true,
                })
            })
            .collect();
    }
    if let Some(manager) = &object.manager {
        metadata["managedFields"] = json!([{
            "manager": &**manager,
            "operation": "Update",
            "apiVersion": object.resource.api_version(),
            "time": created,
            "fieldsType": "FieldsV1",
            "fieldsV1": { "f:metadata": { "f:labels": {} } },
        }]);
    }
    metadata
}

pub(crate) fn pairs(pairs: &[(Text, Text)]) -> Value {
    let entries = pairs.iter().map(|(key, value)| (key.to_string(), json!(&**value)));
    Value::Object(entries.collect())
}
