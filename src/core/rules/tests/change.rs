//! `reactivated-identity` and `privilege-grown`: what moved between two readings.
use super::*;
use crate::inventory::{Growth, Silence};

const AWAKE: &str = "reactivated-identity";
const GROWN: &str = "privilege-grown";

fn silent(from: Timestamp, until: Timestamp) -> Case {
    Case::identity().kept(|r| r.history.silence = Some(Silence { from, until }))
}

#[test]
fn awakening_is_reported_until_its_window_ends() {
    for (now, expected) in [
        (day(0), "medium/high until 7d"),
        (second(7 * DAY - 1), "medium/high until 7d"),
        (day(7), "clear"),
        (day(500), "clear"),
    ] {
        silent(day(-200), day(0)).on(now).check(AWAKE, expected);
    }
    let case = silent(day(-200), day(0)).set(|s| s.report_days = Some(30));
    case.on(day(29)).check(AWAKE, "medium/high until 30d");
}

#[test]
fn silence_counts_from_the_threshold_on() {
    silent(day(-90), day(0)).check(AWAKE, "medium/high until 7d");
    silent(second(-90 * DAY + 1), day(0)).check(AWAKE, "clear");
    silent(day(-30), day(0)).check(AWAKE, "clear");
    silent(day(-30), day(0)).set(|s| s.days = Some(30)).check(AWAKE, "medium/high until 7d");
}

#[test]
fn awakening_by_status_and_power() {
    let case = || silent(day(-200), day(0));
    case().status(Status::Unknown).check(AWAKE, "medium/medium until 7d");
    case().status(Status::Disabled).check(AWAKE, "clear");
    for found in [Level::Escalating, Level::Admin] {
        case().seen(|o| o.privilege = level(found)).check(AWAKE, "high/high until 7d");
    }
    let silence = case().record.history.silence;
    Case::root().kept(|r| r.history.silence = silence).check(AWAKE, "high/high until 7d");
    let facts = case().violation(AWAKE).facts;
    assert_eq!((&*facts["silent_days"], &*facts["used_again_at"]), ("200", "2026-01-01T00:00:00Z"));
}

#[test]
fn without_known_silence_only_recorded_use_is_clear() {
    Case::identity().check(AWAKE, "clear");
    Case::identity().unread("usage").check(AWAKE, "unknown usage (iam:Read)");
    let hidden = Usage::NotObservable { reason: "not recorded".to_owned() };
    let case = Case::identity().seen(|o| o.usage = hidden.clone());
    case.check(AWAKE, "unknown usage (not recorded)");
    // A silence that was seen stays seen.
    silent(day(-200), day(0)).unread("usage").check(AWAKE, "medium/high until 7d");
    silent(day(-200), day(0)).seen(|o| o.usage = hidden).check(AWAKE, "medium/high until 7d");
}

#[test]
fn awakening_is_told_once() {
    let silence = silent(day(-200), day(0)).record.history.silence;
    let awake = |case: Case| case.kept(|r| r.history.silence = silence);
    awake(Case::credential()).check(AWAKE, "not applicable");
    let repository = record(Class::Workload, "repository", "acme/shop");
    for parent in [Case::person().record, repository] {
        awake(Case::credential_of(parent)).check(AWAKE, "medium/high until 7d");
    }
    let mut unknown = awake(Case::credential());
    unknown.parent = None;
    unknown.check(AWAKE, "unknown the identity aws:123456789012:iam-user/ci");
    awake(Case::person()).check(AWAKE, "not applicable");
    awake(Case::identity()).attribute("system", "true").check(AWAKE, "not applicable");
    awake(Case::identity()).trust_class("service-linked").check(AWAKE, "not applicable");
}

fn grown(from: Level, to: Level) -> Case {
    let case = Case::identity().kept(|r| r.history.growth = Some(Growth { at: day(0), from, to }));
    case.seen(|o| o.privilege = level(to))
}

#[test]
fn growth_by_what_it_grew_to() {
    for (from, to, expected) in [
        (Level::None, Level::Read, "clear"),
        (Level::Read, Level::Unknown, "unknown privilege (policy P) until 30d"),
        (Level::None, Level::Write, "medium/high until 30d"),
        (Level::Read, Level::Write, "medium/high until 30d"),
        (Level::Unknown, Level::Write, "medium/medium until 30d"),
        (Level::Read, Level::Escalating, "high/high until 30d"),
        (Level::Write, Level::Escalating, "high/high until 30d"),
        (Level::Unknown, Level::Escalating, "high/medium until 30d"),
        (Level::Read, Level::Admin, "high/high until 30d"),
        (Level::Escalating, Level::Admin, "high/high until 30d"),
        (Level::Unknown, Level::Admin, "high/medium until 30d"),
    ] {
        grown(from, to).check(GROWN, expected);
    }
    Case::identity().check(GROWN, "clear");
}

#[test]
fn growth_is_reported_until_its_window_ends() {
    for (now, expected) in [
        (day(0), "high/high until 30d"),
        (second(30 * DAY - 1), "high/high until 30d"),
        (day(30), "clear"),
    ] {
        grown(Level::Read, Level::Admin).on(now).check(GROWN, expected);
    }
    let case = grown(Level::Read, Level::Admin).set(|s| s.days = Some(7));
    case.clone().on(day(6)).check(GROWN, "high/high until 7d");
    case.on(day(7)).check(GROWN, "clear");
}

#[test]
fn power_that_was_taken_back_has_not_grown() {
    let now = |found| grown(Level::Read, Level::Admin).seen(|o| o.privilege = level(found));
    now(Level::Read).check(GROWN, "clear");
    now(Level::None).check(GROWN, "clear");
    now(Level::Write).check(GROWN, "medium/high until 30d");
    now(Level::Escalating).check(GROWN, "high/high until 30d");
}

#[test]
fn unread_power_may_have_grown() {
    let unread = "unknown privilege (iam:Read)";
    Case::identity().unread("privilege").check(GROWN, unread);
    let case = grown(Level::Read, Level::Admin).unread("privilege");
    case.check(GROWN, &format!("{unread} until 30d"));
    case.on(day(30)).check(GROWN, "clear");
    let none = grown(Level::Read, Level::Admin).seen(|o| o.privilege = None);
    none.check(GROWN, "unknown privilege until 30d");
}

#[test]
fn whose_growth_is_judged() {
    let growth = grown(Level::Read, Level::Admin).record.history.growth;
    let grown = |case: Case| {
        let growth = growth.clone();
        let case = case.kept(|r| r.history.growth = growth);
        case.seen(|o| o.privilege = level(Level::Admin))
    };
    grown(Case::credential()).check(GROWN, "high/high until 30d");
    grown(Case::identity()).attribute("system", "true").check(GROWN, "high/high until 30d");
    grown(Case::identity()).trust_class("service-linked").check(GROWN, "not applicable");
    for case in [Case::root(), Case::person()] {
        grown(case).check(GROWN, "not applicable");
    }
    let violation = grown(Case::identity()).violation(GROWN);
    let title = "iam-role deploy in aws:123456789012 has become an administrator";
    assert_eq!(violation.title, title);
    assert_eq!((&*violation.facts["from"], &*violation.facts["to"]), ("read", "admin"));
}
