//! A rolling sweep over things that have no bulk answer: who is visited in a scan.
//!
//! Everything is visited once a day of hourly scans, and twenty more each time, so that a small
//! organisation is read whole. What was never visited comes first, then what was visited longest
//! ago; what changed is visited besides. Nothing here is proof for what was not visited.

use std::collections::BTreeMap;

use headcount_sdk::RecordId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Hourly scans in a day.
const ROUND: usize = 24;

/// Visits that every scan makes besides.
const FLOOR: usize = 20;

/// For how long the agent is told that something is gone.
const GONE_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Something to visit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unit {
    pub(super) key: u64,
    pub(super) record: RecordId,
    pub(super) fingerprint: String,
    /// Read once and then left alone until it changes.
    pub(super) frozen: bool,
}

/// Where a sweep stands.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Sweep {
    visits: BTreeMap<u64, Visit>,
    /// Since when things are gone.
    gone: BTreeMap<u64, Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Visit {
    at: Timestamp,
    scan: String,
    fingerprint: String,
}

impl Sweep {
    /// Whom to visit, in the order of their keys. A confirming pass visits again whom this scan
    /// visited.
    pub(super) fn choose<'u>(&self, units: &'u [Unit], again: Option<&str>) -> Vec<&'u Unit> {
        if let Some(scan) = again {
            let seen = |unit: &&Unit| self.visits.get(&unit.key).is_some_and(|v| v.scan == scan);
            return units.iter().filter(seen).collect();
        }
        let mut turns: Vec<(Option<Timestamp>, &Unit)> = Vec::new();
        let mut chosen = Vec::new();
        for unit in units {
            match self.visits.get(&unit.key) {
                Some(visit) if visit.fingerprint != unit.fingerprint => chosen.push(unit),
                Some(_) if unit.frozen => {}
                visit => turns.push((visit.map(|visit| visit.at), unit)),
            }
        }
        turns.sort_by_key(|(at, unit)| (*at, unit.key));
        let slots = units.len().div_ceil(ROUND) + FLOOR;
        chosen.extend(turns.into_iter().take(slots).map(|(_, unit)| unit));
        chosen.sort_by_key(|unit| unit.key);
        chosen
    }

    pub(super) fn visited(&mut self, unit: &Unit, at: Timestamp, scan: &str) {
        let fingerprint = unit.fingerprint.clone();
        self.visits.insert(unit.key, Visit { at, scan: scan.to_owned(), fingerprint });
        self.gone.remove(&unit.key);
    }

    /// Units that no scan has visited yet.
    pub(super) fn outstanding(&self, units: &[Unit]) -> u64 {
        units.iter().filter(|unit| !self.visits.contains_key(&unit.key)).count() as u64
    }

    /// What was visited once and is not listed any more, given that the list is whole.
    pub(super) fn departed(&mut self, units: &[Unit], now: Timestamp) -> Vec<u64> {
        let there: std::collections::BTreeSet<u64> = units.iter().map(|unit| unit.key).collect();
        let left: Vec<u64> =
            self.visits.keys().filter(|key| !there.contains(key)).copied().collect();
        for key in left {
            self.visits.remove(&key);
            self.gone.insert(key, now);
        }
        self.gone.retain(|key, since| !there.contains(key) && *since + GONE_FOR > now);
        self.gone.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn units(count: u64) -> Vec<Unit> {
        let unit = |key: u64| Unit {
            key,
            record: RecordId::new("github:1", "repository", &key.to_string()),
            fingerprint: "a".to_owned(),
            frozen: false,
        };
        (1..=count).map(unit).collect()
    }

    fn go(sweep: &mut Sweep, units: &[Unit], hour: i64) -> Vec<u64> {
        let now = Timestamp::from_second(hour * 3600).unwrap();
        let chosen: Vec<Unit> = sweep.choose(units, None).into_iter().cloned().collect();
        chosen.iter().for_each(|unit| sweep.visited(unit, now, &format!("s{hour}")));
        chosen.iter().map(|unit| unit.key).collect()
    }

    #[test]
    fn everything_is_visited_within_a_day_and_newcomers_first() {
        let mut all = units(2400);
        let mut sweep = Sweep::default();
        for hour in 0..24 {
            assert!(go(&mut sweep, &all, hour).len() <= 120);
        }
        assert_eq!(sweep.outstanding(&all), 0);
        all.push(Unit { key: 9999, ..all[0].clone() });
        assert!(go(&mut sweep, &all, 24).contains(&9999));
    }

    #[test]
    fn a_few_are_read_whole_and_changes_besides() {
        let mut sweep = Sweep::default();
        let mut few = units(19);
        assert_eq!(go(&mut sweep, &few, 0).len(), 19);
        assert_eq!(go(&mut sweep, &few, 1).len(), 19);
        few.iter_mut().for_each(|unit| unit.frozen = true);
        assert!(go(&mut sweep, &few, 2).is_empty(), "archived, and read once");
        few[3].fingerprint = "b".to_owned();
        assert_eq!(go(&mut sweep, &few, 3), [4]);
    }

    #[test]
    fn a_confirming_pass_visits_the_same_again() {
        let mut sweep = Sweep::default();
        let all = units(2400);
        let first = go(&mut sweep, &all, 5);
        let again: Vec<u64> = sweep.choose(&all, Some("s5")).iter().map(|unit| unit.key).collect();
        assert_eq!(first, again);
    }

    #[test]
    fn what_is_gone_is_told_for_a_week() {
        let mut sweep = Sweep::default();
        let all = units(3);
        go(&mut sweep, &all, 0);
        let at = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
        assert_eq!(sweep.departed(&all[..2], at(1)), [3]);
        assert_eq!(sweep.departed(&all[..2], at(100)), [3]);
        assert!(sweep.departed(&all[..2], at(200)).is_empty());
        go(&mut sweep, &all, 201);
        assert!(sweep.departed(&all, at(202)).is_empty(), "it came back");
    }
}
