//! THE list of descriptions that come with the agent: explicit, sorted, one line each.

use crate::{Described, LoadError};

/// Name and text.
const ALL: [(&str, &str); 12] = [
    ("anthropic", include_str!("../catalog/anthropic.yaml")),
    ("atlassian", include_str!("../catalog/atlassian.yaml")),
    ("datadog", include_str!("../catalog/datadog.yaml")),
    ("entra", include_str!("../catalog/entra.yaml")),
    ("gcp", include_str!("../catalog/gcp.yaml")),
    ("gitlab", include_str!("../catalog/gitlab.yaml")),
    ("okta", include_str!("../catalog/okta.yaml")),
    ("openai", include_str!("../catalog/openai.yaml")),
    ("pagerduty", include_str!("../catalog/pagerduty.yaml")),
    ("slack", include_str!("../catalog/slack.yaml")),
    ("snowflake", include_str!("../catalog/snowflake.yaml")),
    ("vault", include_str!("../catalog/vault.yaml")),
];

/// Their names, sorted.
#[must_use]
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|(name, _)| *name).collect()
}

/// The text of one, as a start for one's own.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// One of them, ready to be read. `None`: there is none of that name.
///
/// # Errors
///
/// Never for what was released: a test loads them all.
pub fn load(name: &str) -> Option<Result<Described, LoadError>> {
    text(name).map(Described::load)
}

/// A description to start from, and fixtures that it reads: the texts of two files.
#[must_use]
pub fn scaffold(name: &str) -> (String, &'static str) {
    (include_str!("scaffold.yaml").replace("NAME", name), include_str!("scaffold.json"))
}
