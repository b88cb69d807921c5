//! What a record's history remembers, and what is no step and no silence.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use headcount_sdk::model::{Class, Privilege};

use super::*;

fn day(day: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + day * 86_400).unwrap()
}

fn used(at: Option<i64>) -> Observation {
    let id = RecordId::new("test:1", "role", "r");
    let mut seen = Observation::new(id, Class::Identity, "role", "r");
    if let Some(at) = at {
        seen.usage = Usage::LastUsed { at: day(at), resolution_secs: 900, lag_secs: 0 };
    }
    seen
}

/// A look on this day, after another in the same hour.
fn look(on: i64) -> Look {
    Look { now: day(on), before: Some(day(on)) }
}

/// The pauses, as (from, until), after use was seen on these days one after the other by an agent
/// that looks often.
fn silence(days: &[Option<i64>]) -> Option<(Timestamp, Timestamp)> {
    let mut history = History::first(&used(days[0]));
    for pair in days.windows(2) {
        history = history.after(&used(pair[0]), &used(pair[1]), look(1_000));
    }
    history.silence.map(|s| (s.from, s.until))
}

#[test]
fn a_pause_goes_only_as_far_as_somebody_looked() {
    let pause = |looked: Option<i64>, resumed: i64| {
        let look = Look { now: day(resumed), before: looked.map(day) };
        let history = History::default().after(&used(Some(0)), &used(Some(resumed)), look);
        history.silence.map(|s| (s.from, s.until))
    };
    assert_eq!(pause(Some(99), 100), Some((day(0), day(99))));
    assert_eq!(pause(Some(200), 100), Some((day(0), day(100))));
    assert_eq!(pause(Some(1), 100), None, "the agent was away for 99 days");
    assert_eq!(pause(None, 100), None, "nobody looked before");
}

#[test]
fn a_pause_is_kept_when_use_ends_it() {
    type Row<'a> = (&'a [Option<i64>], Option<(i64, i64)>);
    let rows: [Row<'_>; 8] = [
        (&[Some(0), Some(29)], None),
        (&[Some(0), Some(30)], Some((0, 30))),
        (&[Some(0), Some(0)], None),
        // The source forgot, and the inventory did not.
        (&[Some(0), None, Some(40)], Some((0, 40))),
        // First use ever ends no pause.
        (&[None, Some(40)], None),
        // A long pause outlives a shorter one that ends soon after it, but not for ever.
        (&[Some(0), Some(400), Some(431)], Some((0, 400))),
        (&[Some(0), Some(400), Some(489)], Some((0, 400))),
        (&[Some(0), Some(400), Some(490)], Some((400, 490))),
    ];
    for (days, expected) in rows {
        assert_eq!(silence(days), expected.map(|(a, b)| (day(a), day(b))), "{days:?}");
    }
}

#[test]
fn use_is_remembered_when_the_source_stops_telling() {
    let history = History::first(&used(Some(5))).after(&used(Some(5)), &used(None), look(9));
    assert_eq!(history.last_known_use, Some(day(5)));
    // Also for records from before there was a history.
    let history = History::default().after(&used(Some(5)), &used(None), look(9));
    assert_eq!(history.last_known_use, Some(day(5)));
    // A source that goes back in time does not move it.
    let history = history.after(&used(None), &used(Some(3)), look(9));
    assert_eq!(history.last_known_use, Some(day(5)));
}

#[test]
fn only_a_step_up_between_known_levels_is_growth() {
    let holding = |level: Option<Level>| {
        let mut seen = used(None);
        seen.privilege = level.map(|level| Privilege { level, reason: String::new() });
        seen
    };
    let rows = [
        (Some(Level::Read), Some(Level::Write), true),
        (Some(Level::None), Some(Level::Admin), true),
        (Some(Level::Write), Some(Level::Write), false),
        (Some(Level::Admin), Some(Level::Read), false),
        (Some(Level::Read), Some(Level::Unknown), false),
        (Some(Level::Unknown), Some(Level::Admin), false),
        (None, Some(Level::Admin), false),
        (Some(Level::Read), None, false),
    ];
    for (from, to, grows) in rows {
        let history = History::default().after(&holding(from), &holding(to), look(7));
        let expected = grows.then(|| Growth { at: day(7), from: from.unwrap(), to: to.unwrap() });
        assert_eq!(history.growth, expected, "{from:?} to {to:?}");
        // Nothing that follows forgets it.
        let later = history.after(&holding(to), &holding(Some(Level::None)), look(8));
        assert_eq!(later.growth, expected);
    }
}
