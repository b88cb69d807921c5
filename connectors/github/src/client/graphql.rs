//! GraphQL answers, whose failures come with HTTP 200.

use headcount_sdk::ScanError;
use serde::Deserialize;
use serde_json::Value;

use super::error::{denied, malformed, unavailable};

/// The one operation of the GraphQL API.
pub(crate) const GRAPHQL: &str = "POST /graphql";

/// An answer, whole or not.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Reply<T> {
    #[serde(default = "none")]
    pub(crate) data: Option<T>,
    #[serde(default)]
    pub(crate) errors: Vec<Fault>,
}

fn none<T>() -> Option<T> {
    None
}

/// One error. Its message is looked at and never repeated.
#[derive(Debug, Deserialize)]
pub(crate) struct Fault {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    path: Option<Vec<Value>>,
    #[serde(default)]
    message: String,
}

impl Fault {
    /// The last name on the way to the field that failed.
    pub(crate) fn field(&self) -> &str {
        let path = self.path.as_deref().unwrap_or_default();
        path.iter().rev().find_map(Value::as_str).unwrap_or("")
    }

    pub(super) fn is_throttle(&self) -> bool {
        self.kind.as_deref() == Some("RATE_LIMITED")
            || self.message.to_ascii_lowercase().contains("rate limit")
    }

    pub(crate) fn is_denial(&self) -> bool {
        matches!(self.kind.as_deref(), Some("FORBIDDEN" | "INSUFFICIENT_SCOPES"))
            || self.message.contains("not accessible by")
    }
}

/// Why an answer with errors is not whole.
pub(crate) fn failure(errors: &[Fault]) -> ScanError {
    match errors.iter().find(|fault| fault.is_denial()) {
        Some(_) => denied(GRAPHQL),
        None => unavailable(GRAPHQL, "the answer is not whole"),
    }
}

pub(crate) fn missing(path: &str) -> ScanError {
    malformed(GRAPHQL, path)
}
