//! AWS's words into the model's. Pure: answers in, observations out.

pub(crate) mod authorization;
pub(crate) mod nature;
pub(crate) mod owner;
pub(crate) mod trust;

use aws_smithy_types::DateTime;
use headcount_sdk::{Evidence, Usage};
use jiff::{SignedDuration, Timestamp};

/// How long the credential report and `RoleLastUsed` may trail behind real use
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html>).
pub(crate) const LAG_SECS: u32 = 4 * 3600;

/// AWS records the first use of a key in each span of 15 minutes.
pub(crate) const KEY_RESOLUTION_SECS: u32 = 900;

/// AWS keeps the last use of a role for 400 days.
const ROLE_TRACKING: SignedDuration = SignedDuration::from_hours(400 * 24);

/// 2015-04-22T00:00:00Z: AWS began to record the use of access keys.
pub(crate) const KEY_TRACKING_BEGAN: Timestamp = Timestamp::constant(1_429_660_800, 0);

/// `None` when the SDK filled a missing date in with the epoch, or when it is out of range.
pub(crate) fn timestamp(at: &DateTime) -> Option<Timestamp> {
    let nanos = i32::try_from(at.subsec_nanos()).ok()?;
    let at = Timestamp::new(at.secs(), nanos).ok()?;
    (at > Timestamp::UNIX_EPOCH).then_some(at)
}

/// Usage of an access key: `None` is AWS's "N/A".
pub(crate) fn key_usage(used_at: Option<Timestamp>, created_at: Timestamp) -> Usage {
    match used_at {
        Some(at) => {
            Usage::LastUsed { at, resolution_secs: KEY_RESOLUTION_SECS, lag_secs: LAG_SECS }
        }
        None => Usage::NeverSince {
            tracking_start: created_at.max(KEY_TRACKING_BEGAN),
            lag_secs: LAG_SECS,
        },
    }
}

/// Usage of a role from the bulk details, the only bulk answer that carries it.
pub(crate) fn role_usage(
    used_at: Option<Timestamp>,
    created_at: Timestamp,
    now: Timestamp,
) -> Usage {
    match used_at {
        Some(at) => Usage::LastUsed { at, resolution_secs: 1, lag_secs: LAG_SECS },
        None => Usage::NeverSince {
            tracking_start: created_at.max(role_tracking_start(now)),
            lag_secs: LAG_SECS,
        },
    }
}

/// The next full day after the window began: a start that moved with every scan would rewrite
/// every unused role every time.
fn role_tracking_start(now: Timestamp) -> Timestamp {
    const DAY: i64 = 24 * 3600;
    let begin = now.checked_sub(ROLE_TRACKING).unwrap_or(Timestamp::UNIX_EPOCH).as_second();
    let day = begin.div_euclid(DAY) + 1;
    Timestamp::from_second(day * DAY).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(crate) fn not_observable(reason: &str) -> Usage {
    Usage::NotObservable { reason: reason.to_owned() }
}

pub(crate) fn evidence(operation: &str, object: &str, at: Timestamp) -> Evidence {
    Evidence { operation: operation.to_owned(), object: object.to_owned(), at }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn dates_that_the_sdk_made_up_are_not_dates() {
        assert_eq!(timestamp(&DateTime::from_secs(0)), None);
        let at = DateTime::from_secs_and_nanos(1_700_000_000, 500_000_000);
        assert_eq!(timestamp(&at), Some(time("2023-11-14T22:13:20.5Z")));
    }

    #[test]
    fn never_counts_from_creation_or_from_when_tracking_began() {
        let never = |usage: Usage| usage.at().unwrap();
        assert_eq!(KEY_TRACKING_BEGAN, time("2015-04-22T00:00:00Z"));
        assert_eq!(never(key_usage(None, time("2012-01-01T00:00:00Z"))), KEY_TRACKING_BEGAN);
        assert_eq!(
            never(key_usage(None, time("2025-01-01T00:00:00Z"))),
            time("2025-01-01T00:00:00Z")
        );
        let now = time("2026-01-15T09:00:00Z");
        assert_eq!(
            never(role_usage(None, time("2020-01-01T00:00:00Z"), now)),
            time("2024-12-12T00:00:00Z")
        );
        assert_eq!(
            never(role_usage(None, time("2026-01-01T00:00:00Z"), now)),
            time("2026-01-01T00:00:00Z")
        );
    }
}
