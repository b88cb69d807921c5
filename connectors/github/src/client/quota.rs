//! What is left of a credential's hourly quota, and the share of it that stays untouched.
//!
//! Production spends the same quota. Before a call that would go below the reserve, the scan is
//! told to come back when the quota is filled again; nothing is sent.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reqwest::header::HeaderMap;

use super::error::number;
use super::transport::{Api, Call};

/// One kind of quota, as GitHub last told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    limit: u64,
    remaining: u64,
    reset: i64,
}

/// All that a credential may spend.
#[derive(Debug, Default)]
pub(super) struct Quota {
    buckets: BTreeMap<String, Bucket>,
    /// No call before this second, because GitHub said so.
    blocked_until: i64,
}

/// The quota that a call is paid from, in GitHub's words.
pub(super) fn resource(call: &Call) -> &'static str {
    match call.api {
        Api::Graphql => "graphql",
        Api::Rest
            if call.path.split('?').next().is_some_and(|path| path.ends_with("/audit-log")) =>
        {
            "audit_log"
        }
        Api::Rest => "core",
    }
}

impl Quota {
    /// Takes what an answer says. A server without limits says nothing.
    pub(super) fn note(&mut self, resource: &str, headers: &HeaderMap) {
        let told = headers.get("x-ratelimit-resource").and_then(|name| name.to_str().ok());
        let [limit, remaining, reset] = ["limit", "remaining", "reset"]
            .map(|name| number(headers, &format!("x-ratelimit-{name}")));
        if let (Some(limit), Some(remaining), Some(reset)) = (limit, remaining, reset) {
            let reset = i64::try_from(reset).unwrap_or(i64::MAX);
            self.buckets
                .insert(told.unwrap_or(resource).to_owned(), Bucket { limit, remaining, reset });
        }
    }

    pub(super) fn block(&mut self, now: Timestamp, seconds: u64) {
        let until = now.as_second().saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX));
        self.blocked_until = self.blocked_until.max(until);
    }

    /// Seconds to wait before a call may be made; `None`: it may.
    pub(super) fn wait(&self, resource: &str, reserve: u8, now: Timestamp) -> Option<u64> {
        let spent = self.buckets.get(resource).filter(|bucket| {
            bucket.reset > now.as_second()
                && bucket.remaining <= (bucket.limit * u64::from(reserve)).div_ceil(100)
        });
        let until = spent.map_or(0, |bucket| bucket.reset).max(self.blocked_until);
        u64::try_from(until - now.as_second()).ok().filter(|wait| *wait > 0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn told(limit: &str, remaining: &str, reset: &str) -> HeaderMap {
        let names =
            [("limit", limit), ("remaining", remaining), ("reset", reset), ("resource", "core")];
        let named = names.map(|(name, value)| {
            (format!("x-ratelimit-{name}").parse().unwrap(), value.parse().unwrap())
        });
        HeaderMap::from_iter(named)
    }

    #[test]
    fn the_reserve_stays_untouched_until_the_quota_is_filled_again() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut quota = Quota::default();
        assert_eq!(quota.wait("core", 20, at(1000)), None, "nothing is known yet");
        quota.note("core", &told("5000", "1001", "2000"));
        assert_eq!(quota.wait("core", 20, at(1000)), None);
        quota.note("core", &told("5000", "1000", "2000"));
        assert_eq!(quota.wait("core", 20, at(1000)), Some(1000), "exactly at the reserve");
        assert_eq!(quota.wait("graphql", 20, at(1000)), None, "another quota");
        assert_eq!(quota.wait("core", 0, at(1000)), None, "no reserve, and some is left");
        assert_eq!(quota.wait("core", 20, at(2000)), None, "filled again");
    }

    #[test]
    fn a_throttle_blocks_every_resource() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut quota = Quota::default();
        quota.block(at(1000), 60);
        assert_eq!(quota.wait("graphql", 20, at(1010)), Some(50));
        assert_eq!(quota.wait("graphql", 20, at(1060)), None);
    }
}
