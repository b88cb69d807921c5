//! Moments as people write and read them.

use headcount_sdk::Usage;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

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

/// `3 days ago`; the largest unit that fits.
#[must_use]
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs();
    if seconds < 0 {
        return day(at);
    }
    let (number, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3_600 => (seconds / 60, "min"),
        3_600..172_800 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{number} {unit} ago")
}

/// `2026-11-01`
#[must_use]
pub fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// `2026-11-01 12:00 UTC`
#[must_use]
pub fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// `2026-11-01 12:00:07 UTC`
#[must_use]
pub fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// What is known of use, in a few words.
#[must_use]
pub fn usage(usage: &Usage, now: Timestamp) -> String {
    match usage {
        Usage::LastUsed { at, .. } => ago(*at, now),
        Usage::NeverSince { .. } => "never".to_owned(),
        Usage::NotObservable { .. } => "not observable".to_owned(),
    }
}
