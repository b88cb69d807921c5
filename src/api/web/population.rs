//! The population over time, from one count a day to lines. Pure.

use std::collections::{BTreeMap, BTreeSet};

use headcount_sdk::Class;
use jiff::{SignedDuration, Timestamp};

use super::chart::{Chart, Point, Series, Size, draw, grouped};
use super::words::{When, plural};
use crate::store::over_time::{Census, day};

pub use crate::view::COUNTED;

/// One class of one source.
#[derive(Debug)]
pub struct Row {
    pub source: String,
    pub class: &'static str,
    pub now: String,
    /// Since the first count that is shown.
    pub change: String,
    pub ownerless: String,
    pub stale: String,
    pub spark: Option<Chart>,
    pub counted: When,
}

/// One line for each class: what all sources held, each as it was last counted.
#[must_use]
pub fn totals(counts: &[Census]) -> Vec<Series> {
    COUNTED
        .into_iter()
        .map(|class| {
            let of_class: Vec<&Census> = counts.iter().filter(|c| c.class == class).collect();
            Series {
                class: class.as_str(),
                name: plural(class).to_owned(),
                points: summed(&of_class),
            }
        })
        .filter(|series| !series.points.is_empty())
        .collect()
}

/// Sums over sources, day by day. A source that was not counted on a day counts as on the day before.
fn summed(counts: &[&Census]) -> Vec<Point> {
    let days: BTreeSet<i64> = counts.iter().map(|c| day(c.at)).collect();
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    let mut points = Vec::with_capacity(days.len());
    for today in days {
        let of_day = counts.iter().filter(|c| day(c.at) == today);
        let mut at = Timestamp::MIN;
        for census in of_day {
            last.insert(&census.source, census.records);
            at = at.max(census.at);
        }
        points.push(Point { at, count: last.values().sum() });
    }
    points
}

/// One row for each class of each source that was counted.
#[must_use]
pub fn rows(counts: &[Census], now: Timestamp) -> Vec<Row> {
    let mut kept: BTreeMap<(&str, Class), Vec<&Census>> = BTreeMap::new();
    for census in counts.iter().filter(|c| COUNTED.contains(&c.class)) {
        kept.entry((&census.source, census.class)).or_default().push(census);
    }
    kept.into_iter()
        .filter_map(|((source, class), counts)| {
            let (first, last) = (counts.first()?, counts.last()?);
            let points = counts.iter().map(|c| Point { at: c.at, count: c.records }).collect();
            let series = Series { class: class.as_str(), name: String::new(), points };
            Some(Row {
                source: source.to_owned(),
                class: plural(class),
                now: grouped(last.records),
                change: if counts.len() > 1 {
                    change(first.records, last.records)
                } else {
                    "–".to_owned()
                },
                ownerless: grouped(last.ownerless),
                stale: grouped(last.stale),
                spark: draw(&[series], Size::SPARK),
                counted: When::new(last.at, now),
            })
        })
        .collect()
}

/// `+3`, `−2`, `±0`
#[must_use]
pub fn change(from: u64, to: u64) -> String {
    match to.cmp(&from) {
        std::cmp::Ordering::Greater => format!("+{}", grouped(to - from)),
        std::cmp::Ordering::Less => format!("−{}", grouped(from - to)),
        std::cmp::Ordering::Equal => "±0".to_owned(),
    }
}

/// How one class changed in the last week, in words; where nobody counted a week ago, since the
/// count before that.
#[must_use]
pub fn week(series: &Series, now: Timestamp) -> String {
    const DAY: SignedDuration = SignedDuration::from_hours(24);
    let Ok(then) = now.checked_sub(DAY * 7) else { return String::new() };
    let before = series.points.iter().rfind(|p| p.at <= then);
    let (Some(before), Some(last)) = (before, series.points.last()) else {
        return "not counted yet seven days ago".to_owned();
    };
    let by = change(before.count, last.count);
    if then.duration_since(before.at) < DAY {
        format!("{by} in seven days")
    } else {
        format!("{by} since {}", crate::view::time::day(before.at))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn census(hours: i64, source: &str, class: Class, records: u64) -> Census {
        let at = Timestamp::from_second(hours * 3_600).unwrap();
        Census { at, source: source.to_owned(), class, records, ownerless: 1, stale: 0 }
    }

    #[test]
    fn a_source_that_was_not_counted_counts_as_before() {
        let counts = [
            census(6, "aws", Class::Identity, 10),
            census(7, "hub", Class::Identity, 5),
            census(7, "hub", Class::Principal, 900),
            census(30, "aws", Class::Identity, 12),
            census(54, "hub", Class::Identity, 4),
        ];
        let lines = totals(&counts);
        assert_eq!(lines.len(), 1);
        let points: Vec<(i64, u64)> =
            lines[0].points.iter().map(|p| (p.at.as_second() / 3_600, p.count)).collect();
        assert_eq!(points, [(7, 15), (30, 17), (54, 16)]);
    }

    #[test]
    fn rows_tell_the_change_since_the_first_count() {
        let counts = [
            census(0, "aws", Class::Identity, 10),
            census(24, "aws", Class::Identity, 7),
            census(24, "aws", Class::Grant, 3),
        ];
        let rows = rows(&counts, Timestamp::from_second(48 * 3_600).unwrap());
        let told: Vec<(&str, &str, &str, bool)> = rows
            .iter()
            .map(|r| (r.class, r.now.as_str(), r.change.as_str(), r.spark.is_some()))
            .collect();
        assert_eq!(told, [("identities", "7", "−3", true), ("grants", "3", "–", false)]);
    }

    #[test]
    fn a_week_is_told_only_where_somebody_counted_then() {
        let now = Timestamp::from_second(10 * 86_400).unwrap();
        let all = [census(60, "a", Class::Identity, 4), census(230, "a", Class::Identity, 9)];
        assert_eq!(week(&totals(&all)[0], now), "+5 in seven days");
        let old = [census(0, "a", Class::Identity, 4), census(230, "a", Class::Identity, 9)];
        assert_eq!(week(&totals(&old)[0], now), "+5 since 1970-01-01");
        assert_eq!(week(&totals(&all[1..])[0], now), "not counted yet seven days ago");
    }
}
