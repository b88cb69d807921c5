//! Moments as people write and read them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

pub use crate::view::time::{ago, day, minute, second, usage};

/// A moment on the command line. Relative ones are resolved when the command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Now,
    Ago(SignedDuration),
    At(Timestamp),
}

pub const MOMENT_HELP: &str = "a time (`2026-11-01T12:00:00Z`), a day (`2026-11-01`: its first \
                               instant in UTC), how long ago (`90m`, `24h`, `7d`, `2w`), or `now`";

impl Moment {
    /// Used by clap.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::Now);
        }
        if let Some(ago) = duration(text) {
            return Ok(Self::Ago(ago));
        }
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        text.parse::<Date>()
            .ok()
            .and_then(|day| day.to_zoned(TimeZone::UTC).ok())
            .map(|zoned| Self::At(zoned.timestamp()))
            .ok_or_else(|| format!("expected {MOMENT_HELP}"))
    }

    #[must_use]
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Now => now,
            Self::Ago(ago) => now.checked_sub(ago).unwrap_or(Timestamp::MIN),
            Self::At(at) => at,
        }
    }
}

/// A moment to come on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    In(SignedDuration),
    At(Timestamp),
}

impl Until {
    /// Used by clap.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(span) = duration(text) {
            return Ok(Self::In(span));
        }
        match Moment::parse(text) {
            Ok(Moment::At(at)) => Ok(Self::At(at)),
            _ => Err("expected a time (`2026-11-01T12:00:00Z`), a day (`2026-11-01`: its first \
                      instant in UTC), or for how long (`24h`, `90d`, `2w`)"
                .to_owned()),
        }
    }

    #[must_use]
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::In(span) => now.checked_add(span).unwrap_or(Timestamp::MAX),
            Self::At(at) => at,
        }
    }
}

fn duration(text: &str) -> Option<SignedDuration> {
    let unit = text.chars().last()?;
    let number: i64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    if number < 0 { None } else { Some(SignedDuration::from_secs(number.checked_mul(seconds)?)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn ends_are_read_as_people_write_them() {
        let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("90d", "2026-06-08T12:00:00Z"),
            ("2w", "2026-03-24T12:00:00Z"),
            ("2026-04-01", "2026-04-01T00:00:00Z"),
        ] {
            let expected: Timestamp = expected.parse().unwrap();
            assert_eq!(Until::parse(text).unwrap().resolve(now), expected, "{text}");
        }
        for wrong in ["now", "soon", "-1d", ""] {
            assert!(Until::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn moments_are_read_as_people_write_them() {
        let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
        let rows = [
            ("now", "2026-03-10T12:00:00Z"),
            ("90m", "2026-03-10T10:30:00Z"),
            ("24h", "2026-03-09T12:00:00Z"),
            ("7d", "2026-03-03T12:00:00Z"),
            ("2w", "2026-02-24T12:00:00Z"),
            ("2026-03-01", "2026-03-01T00:00:00Z"),
            ("2026-03-01T02:00:00+01:00", "2026-03-01T01:00:00Z"),
        ];
        for (text, expected) in rows {
            assert_eq!(Moment::parse(text).unwrap().resolve(now).to_string(), expected, "{text}");
        }
        for text in ["", "yesterday", "-1h", "1y", "h", "9999999999999999999d", "2026-13-01", "é"]
        {
            assert!(Moment::parse(text).is_err(), "{text}");
        }
    }
}
