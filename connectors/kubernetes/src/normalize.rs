//! Pure: a [`World`](crate::world::World) → observations. One file per family of records.
//!
//! Every function takes [`Wanted`]: a scan wants all, a hint the few that it names; both make them
//! in the same way.

pub(crate) mod accounts;
pub(crate) mod bindings;
pub(crate) mod owner;
pub(crate) mod requests;
pub(crate) mod secrets;
pub(crate) mod workloads;

use std::collections::{BTreeMap, BTreeSet};

use headcount_sdk::{Class, Observation, RecordId, ScanError};

use crate::keep::{Meta, Texts};
use crate::manifest::permission;

/// Which records are asked for, by the key in their id.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted<'a> {
    All,
    These(&'a BTreeSet<String>),
}

impl Wanted<'_> {
    pub(crate) fn has(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(keys) => keys.contains(key),
        }
    }
}

/// The fields that every object of the API fills.
pub(crate) fn observation((class, kind): (Class, &str), id: RecordId, meta: &Meta) -> Observation {
    let mut made = Observation::new(id, class, kind, &full_name(meta));
    made.created_at = meta.created;
    made.labels = labels(&meta.labels);
    if !meta.namespace.is_empty() {
        made.attributes.insert("namespace".to_owned(), meta.namespace.to_string());
    }
    made
}

/// `namespace/name`, or the name of what belongs to the whole cluster.
pub(crate) fn full_name(meta: &Meta) -> String {
    if meta.namespace.is_empty() {
        meta.name.to_string()
    } else {
        format!("{}/{}", meta.namespace, meta.name)
    }
}

fn labels(texts: &Texts) -> BTreeMap<String, String> {
    texts.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Says that a field could not be read, and what permission would show it.
pub(crate) fn unread(made: &mut Observation, field: &str, error: &ScanError) {
    let missing = match error {
        ScanError::Denied { permission, .. } => permission.clone(),
        other => permission(other.operation()).to_owned(),
    };
    made.unread.insert(field.to_owned(), missing);
}
