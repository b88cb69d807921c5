//! Moments as people read them, in UTC.

use headcount_sdk::Usage;
use jiff::Timestamp;

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn ages_take_the_largest_unit_that_fits() {
        let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
        let rows = [
            ("2026-03-10T11:59:01Z", "just now"),
            ("2026-03-10T11:59:00Z", "1 min ago"),
            ("2026-03-10T11:00:00Z", "1 h ago"),
            ("2026-03-08T12:00:01Z", "47 h ago"),
            ("2026-03-08T12:00:00Z", "2 days ago"),
            ("2026-03-11T00:00:00Z", "2026-03-11"),
        ];
        for (at, expected) in rows {
            assert_eq!(ago(at.parse().unwrap(), now), expected, "{at}");
        }
    }
}
