//! `expiring-credential`, and `stale-credential` where what is idle ends by itself.
use super::*;

const RULE: &str = "expiring-credential";

/// Made on day 0, ends on day 100, never used.
fn ending() -> Case {
    Case::credential().seen(|o| {
        o.expiry = Expiry::At { at: day(100) };
        o.usage = Usage::NeverSince { tracking_start: day(0), lag_secs: 0 };
    })
}

fn used(case: Case) -> Case {
    case.seen(|o| o.usage = Usage::LastUsed { at: day(1), resolution_secs: 0, lag_secs: 0 })
}

/// status × boundary of the time that is left.
#[test]
fn credential_near_its_end_in_every_cell() {
    for (status, certainty) in [(Status::Active, "high"), (Status::Unknown, "medium")] {
        for (now, expected) in [
            (day(1), "clear until 86d".to_owned()),
            (second(86 * DAY - 1), "clear until 86d".to_owned()),
            (day(86), format!("low/{certainty} until 100d")),
            (second(100 * DAY - 1), format!("low/{certainty} until 100d")),
            (day(100), "clear".to_owned()),
            (day(500), "clear".to_owned()),
        ] {
            ending().status(status).on(now).check(RULE, &expected);
        }
    }
    for now in [day(1), day(86), day(100)] {
        ending().status(Status::Disabled).on(now).check(RULE, "clear");
    }
}

#[test]
fn what_is_in_use_is_missed_when_it_ends() {
    used(ending()).on(day(90)).check(RULE, "medium/high until 100d");
    let unread = used(ending()).unread("usage");
    unread.on(day(90)).check(RULE, "low/high until 100d");
    let silent = ending().seen(|o| o.usage = Usage::NotObservable { reason: "none".to_owned() });
    silent.on(day(90)).check(RULE, "low/high until 100d");
    let facts = used(ending()).on(day(90)).violation(RULE).facts;
    assert_eq!(facts["expires_at"], day(100).to_string());
    assert_eq!(facts["last_used_at"], day(1).to_string());
    assert!(!ending().on(day(90)).violation(RULE).facts.contains_key("last_used_at"));
}

#[test]
fn end_that_is_not_told_is_unknown_and_none_is_none() {
    let with = |expiry: Expiry| ending().seen(|o| o.expiry = expiry).on(day(90));
    with(Expiry::Unknown).check(RULE, "unknown expiry");
    ending().unread("expiry").on(day(90)).check(RULE, "unknown expiry (iam:Read)");
    with(Expiry::Never).check(RULE, "not applicable");
    with(Expiry::NotApplicable).check(RULE, "not applicable");
}

#[test]
fn what_lives_no_longer_than_the_notice_is_routine() {
    let life = |seconds: i64| {
        let case = ending().seen(|o| o.expiry = Expiry::At { at: second(seconds) });
        case.on(day(1))
    };
    life(14 * DAY).check(RULE, "not applicable");
    life(14 * DAY + 1).check(RULE, "low/high until 14d+1s");
    // Nobody knows how long it lives in all.
    let unborn = life(14 * DAY).seen(|o| o.created_at = None);
    unborn.check(RULE, "low/high until 14d");
}

#[test]
fn notice_is_configurable_and_in_the_title() {
    let case = ending().set(|s| s.days = Some(30));
    case.clone().on(second(70 * DAY - 1)).check(RULE, "clear until 70d");
    let title = case.on(day(70)).violation(RULE).title;
    assert_eq!(title, "access-key AKIA1 of ci in aws:123456789012 expires within 30 days");
}

#[test]
fn not_judged_as_expiring() {
    let end = Expiry::At { at: day(100) };
    for case in [Case::identity(), Case::root(), Case::person()] {
        case.seen(|o| o.expiry = end.clone()).on(day(90)).check(RULE, "not applicable");
    }
    for kind in ["certificate-request", "pod-certificate-request", "fine-grained-token-request"] {
        ending().seen(|o| o.kind = kind.to_owned()).on(day(90)).check(RULE, "not applicable");
    }
    ending().attribute("system", "true").on(day(90)).check(RULE, "not applicable");
}

/// A token whose end moves to 30 days after each use is no business of the rule.
#[test]
fn end_that_moves_with_use_is_told_as_idleness() {
    let name = "expires_when_idle_days";
    let token = || ending().attribute(name, "30").on(day(90));
    token().check(RULE, "not applicable");
    token()
        .unread("attributes.expires_when_idle_days")
        .check(RULE, "unknown attributes.expires_when_idle_days (iam:Read)");
}

#[test]
fn end_that_its_holder_moves_is_no_end() {
    let renewed = |is: &str| ending().attribute("expiry_moves", is).on(day(90));
    renewed("true").check(RULE, "not applicable");
    renewed("false").check(RULE, "low/high until 100d");
    let unread = renewed("true").unread("attributes.expiry_moves");
    unread.check(RULE, "unknown attributes.expiry_moves (iam:Read)");
}

fn idle(days: &str) -> Case {
    Case::credential().attribute("expires_when_idle_days", days)
}

/// Half of the life, but never more than the usual limit of 90 days.
#[test]
fn what_dies_of_idleness_is_stale_at_half_its_life() {
    let rule = "stale-credential";
    for (ends_after, limit) in
        [("30", 15), ("7", 3), ("1", 1), ("178", 89), ("180", 90), ("182", 90), ("365", 90)]
    {
        let at = second(limit * DAY);
        let past = second(limit * DAY + 1);
        idle(ends_after).on(at).check(rule, &format!("clear until {limit}d+1s"));
        idle(ends_after).on(past).check(rule, "medium/high");
    }
    let found = idle("30").on(day(16)).violation(rule);
    assert_eq!(found.title, "access-key AKIA1 of ci in aws:123456789012 was not used for 15 days");
    assert_eq!(found.facts["threshold_days"], "15");
    assert_eq!(found.facts["expires_when_idle_days"], "30");
    for usual in [Case::credential(), idle("180"), idle("182")] {
        let facts = usual.on(day(91)).violation(rule).facts;
        assert_eq!(facts["threshold_days"], "90");
        assert!(!facts.contains_key("expires_when_idle_days"), "not why it is 90");
    }
}

#[test]
fn lag_is_added_to_the_shorter_limit_and_configuration_shortens_it() {
    let rule = "stale-credential";
    let lagging = idle("30").seen(|o| {
        o.usage = Usage::LastUsed { at: day(0), resolution_secs: 60, lag_secs: 3_600 };
    });
    lagging.clone().on(second(15 * DAY + 3_600)).check(rule, "clear until 15d+3601s");
    lagging.on(second(15 * DAY + 3_601)).check(rule, "medium/high");
    let strict = idle("30").set(|s| s.days = Some(10));
    strict.clone().on(day(10)).check(rule, "clear until 10d+1s");
    strict.on(second(10 * DAY + 1)).check(rule, "medium/high");
}

#[test]
fn life_that_is_not_understood_is_unknown() {
    let rule = "stale-credential";
    let field = "attributes.expires_when_idle_days";
    idle("a month").on(day(500)).check(rule, &format!("unknown {field} (no number of days)"));
    idle("30").unread(field).on(day(500)).check(rule, &format!("unknown {field} (iam:Read)"));
    idle("30").unread("usage").on(day(500)).check(rule, "unknown usage (iam:Read)");
}
