//! What GitHub's refusals mean.
//!
//! GitHub says 403 for a missing permission and for a spent quota, and 404 for what is not there,
//! what the edition does not have and what one may not see. The permissions of the installation
//! tell these apart as far as they can be.

use std::collections::BTreeMap;

use headcount_sdk::ScanError;
use reqwest::header::HeaderMap;
use serde::Deserialize;

use super::transport::Answer;
use crate::manifest::MANIFEST;

/// What the credential may do, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Permissions {
    /// An installation says so itself.
    App(BTreeMap<String, String>),
    /// A token does not.
    Token,
}

impl Permissions {
    /// `None`: nobody knows.
    pub(crate) fn grant(&self, permission: &str) -> Option<bool> {
        let Self::App(granted) = self else { return None };
        let name = permission.split_once(':').map_or(permission, |(name, _)| name);
        Some(name == "metadata" || granted.contains_key(name))
    }
}

/// The permission that an operation needs, as the manifest says.
pub(crate) fn permission(operation: &str) -> &'static str {
    MANIFEST.operation(operation).map_or("", |operation| operation.permission)
}

pub(crate) fn malformed(operation: &str, path: impl Into<String>) -> ScanError {
    ScanError::Malformed { operation: operation.to_owned(), path: path.into() }
}

pub(crate) fn unavailable(operation: &str, reason: impl Into<String>) -> ScanError {
    ScanError::Unavailable { operation: operation.to_owned(), reason: reason.into() }
}

pub(crate) fn not_supported(operation: &str, reason: impl Into<String>) -> ScanError {
    ScanError::NotSupported { operation: operation.to_owned(), reason: reason.into() }
}

pub(crate) fn denied(operation: &str) -> ScanError {
    denied_for(operation, permission(operation))
}

pub(crate) fn denied_for(operation: &str, permission: &str) -> ScanError {
    ScanError::Denied { operation: operation.to_owned(), permission: permission.to_owned() }
}

/// What an answer is, before its body is looked at.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Good,
    /// The token is not valid any more.
    Unauthenticated,
    /// Rest for so many seconds; `None`: GitHub does not say how long.
    Throttled(Option<u64>),
    /// May be better the next time.
    Failed(u16),
    Refused(ScanError),
}

/// A refusal's body. Its text is looked at and never repeated.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
}

pub(super) fn judge(
    operation: &str,
    answer: &Answer,
    permissions: &Permissions,
    now: i64,
) -> Verdict {
    match answer.status {
        200..=299 => Verdict::Good,
        401 => Verdict::Unauthenticated,
        403 | 429 => refused(operation, answer, now),
        404 => Verdict::Refused(not_found(operation, permissions)),
        410 | 501 => Verdict::Refused(not_supported(operation, "GitHub does not have it here")),
        status @ (408 | 500..=599) => Verdict::Failed(status),
        status => Verdict::Refused(unavailable(operation, format!("HTTP {status}"))),
    }
}

fn refused(operation: &str, answer: &Answer, now: i64) -> Verdict {
    let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = refusal.message.to_ascii_lowercase();
    let spent = number(&answer.headers, "x-ratelimit-remaining") == Some(0);
    let asked = number(&answer.headers, "retry-after");
    let limited = said.contains("rate limit") || said.contains("abuse detection");
    if answer.status == 429 || asked.is_some() || spent || limited {
        let reset = number(&answer.headers, "x-ratelimit-reset").filter(|_| spent);
        let wait = reset.map(|at| u64::try_from(i64::try_from(at).unwrap_or(0) - now).unwrap_or(0));
        return Verdict::Throttled(asked.or(wait));
    }
    let edition = ["upgrade", "not available for", "not enabled", "github enterprise"];
    if edition.iter().any(|words| said.contains(words)) {
        return Verdict::Refused(not_supported(
            operation,
            "the edition or a setting does not have it",
        ));
    }
    Verdict::Refused(denied(operation))
}

fn not_found(operation: &str, permissions: &Permissions) -> ScanError {
    match permissions.grant(permission(operation)) {
        Some(true) => not_supported(operation, "not found, although the permission is granted"),
        Some(false) | None => denied(operation),
    }
}

pub(super) fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    const HOOKS: &str = "GET /orgs/{org}/hooks";

    fn answer(status: u16, headers: &[(&'static str, &'static str)], message: &str) -> Answer {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let body = serde_json::json!({ "message": message }).to_string().into_bytes();
        Answer { status, headers: headers.collect(), body }
    }

    #[test]
    fn refusals_are_told_apart() {
        let app = |names: &[&str]| {
            let granted = names.iter().map(|name| ((*name).to_owned(), "read".to_owned()));
            Permissions::App(granted.collect())
        };
        let with = app(&["organization_hooks"]);
        let judge =
            |answer: Answer, permissions: &Permissions| judge(HOOKS, &answer, permissions, 1000);
        let cause = |answer, permissions: &Permissions| match judge(answer, permissions) {
            Verdict::Refused(error) => error.cause(),
            other => panic!("{other:?}"),
        };
        assert_eq!(judge(answer(200, &[], ""), &with), Verdict::Good);
        assert_eq!(judge(answer(401, &[], ""), &with), Verdict::Unauthenticated);
        assert_eq!(
            cause(answer(403, &[], "Resource not accessible by integration"), &with),
            "denied"
        );
        assert_eq!(cause(answer(403, &[], "Upgrade to GitHub Enterprise"), &with), "not_supported");
        assert_eq!(cause(answer(404, &[], "Not Found"), &with), "not_supported");
        assert_eq!(cause(answer(404, &[], "Not Found"), &app(&["members"])), "denied");
        assert_eq!(cause(answer(404, &[], "Not Found"), &Permissions::Token), "denied");
        assert_eq!(cause(answer(302, &[], ""), &with), "unavailable");
        assert_eq!(judge(answer(502, &[], ""), &with), Verdict::Failed(502));
    }

    #[test]
    fn throttles_say_how_long_to_rest() {
        let judge = |answer: Answer| judge(HOOKS, &answer, &Permissions::Token, 1000);
        let secondary = answer(403, &[("retry-after", "30")], "secondary rate limit");
        assert_eq!(judge(secondary), Verdict::Throttled(Some(30)));
        let primary = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1090")];
        assert_eq!(judge(answer(403, &primary, "")), Verdict::Throttled(Some(90)));
        let past = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "900")];
        assert_eq!(judge(answer(429, &past, "")), Verdict::Throttled(Some(0)));
        assert_eq!(
            judge(answer(403, &[], "You have exceeded a secondary rate limit")),
            Verdict::Throttled(None)
        );
        assert_eq!(judge(answer(429, &[], "")), Verdict::Throttled(None));
    }
}
