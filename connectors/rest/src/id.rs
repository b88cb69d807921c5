//! The only place that builds record ids, from the keys that a description names.
//!
//! A key is the vendor's immutable id. Texts and whole numbers are keys; nothing else is.

use headcount_sdk::RecordId;
use serde_json::Value;

/// `<name>:<tenant>`, the form that record ids begin with.
#[must_use]
pub fn place(name: &str, tenant: &str) -> String {
    format!("{name}:{tenant}")
}

/// The id of a record. `None`: that is no key.
#[must_use]
pub fn record(place: &str, kind: &str, key: &Value) -> Option<RecordId> {
    text(key).map(|key| RecordId::new(place, kind, &key))
}

/// A key as text.
#[must_use]
pub fn text(key: &Value) -> Option<String> {
    match key {
        Value::String(key) if !key.trim().is_empty() => Some(key.clone()),
        Value::Number(key) if !key.is_f64() => Some(key.to_string()),
        _ => None,
    }
}
