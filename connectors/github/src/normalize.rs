//! GitHub's words into the model's. Pure: answers in, observations out.

pub(crate) mod apps;
pub(crate) mod holdings;
pub(crate) mod owner;
pub(crate) mod people;
pub(crate) mod repository;
pub(crate) mod tokens;

use std::collections::BTreeMap;

use headcount_sdk::{Evidence, Level, Privilege, Usage};
use jiff::Timestamp;

/// GitHub does not say how exactly nor how soon it writes down the use of a credential. A day each
/// is assumed, so that nothing is called unused that may have been used yesterday.
const DAY_SECS: u32 = 24 * 3600;

/// API Insights show a request after up to six hours.
const INSIGHTS_LAG_SECS: u32 = 6 * 3600;

pub(crate) fn not_observable(reason: &str) -> Usage {
    Usage::NotObservable { reason: reason.to_owned() }
}

/// Use as a credential's own row tells it: null is "never", counted from when it could be used.
pub(crate) fn row_usage(used_at: Option<Timestamp>, usable_since: Option<Timestamp>) -> Usage {
    match (used_at, usable_since) {
        (Some(at), _) => Usage::LastUsed { at, resolution_secs: DAY_SECS, lag_secs: DAY_SECS },
        (None, Some(tracking_start)) => Usage::NeverSince { tracking_start, lag_secs: DAY_SECS },
        (None, None) => not_observable("GitHub tells neither use nor creation"),
    }
}

pub(crate) fn insights_usage(at: Timestamp) -> Usage {
    Usage::LastUsed { at, resolution_secs: 1, lag_secs: INSIGHTS_LAG_SECS }
}

pub(crate) fn evidence(operation: &str, object: &str, at: Timestamp) -> Evidence {
    Evidence { operation: operation.to_owned(), object: object.to_owned(), at }
}

/// What may administer the organisation outright.
const ADMIN: &[&str] = &["organization_administration", "organization_custom_org_roles"];

/// What can be turned into more: repository settings and keys, memberships, workflows that hold
/// secrets, runners that run everybody's jobs.
const ESCALATING: &[&str] = &[
    "administration",
    "members",
    "organization_custom_roles",
    "organization_personal_access_tokens",
    "organization_personal_access_token_requests",
    "organization_self_hosted_runners",
    "workflows",
];

/// A word of GitHub's for what may be done; what stands in its place is not kept.
/// <https://docs.github.com/en/rest/apps/installations>
pub(crate) fn access_word(told: &str) -> &'static str {
    match told {
        "read" => "read",
        "write" => "write",
        "admin" => "admin",
        "none" | "no_access" => "none",
        _ => "unknown",
    }
}

/// The level that a set of permissions amounts to, and the permission that decided it.
pub(crate) fn privilege(permissions: &BTreeMap<String, String>) -> Privilege {
    let judged = permissions.iter().map(|(name, access)| {
        let access = access_word(access);
        let level = match access {
            "read" => Level::Read,
            "write" | "admin" if ADMIN.contains(&name.as_str()) => Level::Admin,
            "write" | "admin" if ESCALATING.contains(&name.as_str()) => Level::Escalating,
            "write" | "admin" => Level::Write,
            "none" => Level::None,
            _ => Level::Unknown,
        };
        (level, name, access)
    });
    // The first of equals, so that the reason does not depend on how many there are.
    let highest = judged.reduce(|best, next| if next.0 > best.0 { next } else { best });
    match highest {
        Some((level, name, access)) => {
            Privilege { level, reason: format!("permission {name}:{access}") }
        }
        None => Privilege { level: Level::None, reason: "no permissions".to_owned() },
    }
}

/// Names of what may be written, for rules that weigh it.
pub(crate) fn write_permissions(permissions: &BTreeMap<String, String>) -> Option<String> {
    let writing = |access: &str| matches!(access, "write" | "admin");
    let names: Vec<&str> = permissions
        .iter()
        .filter(|(_, access)| writing(access))
        .map(|(name, _)| name.as_str())
        .collect();
    (!names.is_empty()).then(|| names.join(","))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn never_is_not_the_same_as_not_told() {
        let at: Timestamp = "2026-01-15T09:00:00Z".parse().unwrap();
        assert_eq!(row_usage(Some(at), None).state(), "last_used");
        assert_eq!(row_usage(None, Some(at)).at(), Some(at));
        assert_eq!(row_usage(None, None).state(), "not_observable");
    }

    #[test]
    fn the_strongest_permission_decides() {
        let level = |pairs: &[(&str, &str)]| {
            let map = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            privilege(&map).level
        };
        assert_eq!(level(&[]), Level::None);
        assert_eq!(level(&[("metadata", "read")]), Level::Read);
        assert_eq!(level(&[("metadata", "read"), ("issues", "write")]), Level::Write);
        assert_eq!(level(&[("issues", "write"), ("workflows", "write")]), Level::Escalating);
        assert_eq!(level(&[("members", "read")]), Level::Read);
        assert_eq!(
            level(&[("members", "write"), ("organization_administration", "write")]),
            Level::Admin
        );
        assert_eq!(level(&[("metadata", "read"), ("contents", "sideways")]), Level::Unknown);
    }
}
