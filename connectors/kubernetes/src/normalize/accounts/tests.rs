#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::keep::{Meta, Texts};

pub(crate) fn meta(uid: &str, namespace: &str, name: &str) -> Meta {
    Meta {
        uid: uid.into(),
        namespace: namespace.into(),
        name: name.into(),
        created: None,
        labels: Texts::default(),
        annotations: Texts::default(),
        owner: None,
    }
}
