//! `stale-identity` and `stale-credential`: the same idleness, other exemptions.
use super::*;

type Row = (&'static str, fn() -> Case);

const BOTH: [Row; 2] = [("stale-identity", Case::identity), ("stale-credential", Case::credential)];

fn last_used(at: Timestamp, lag_secs: u32) -> Usage {
    Usage::LastUsed { at, resolution_secs: 900, lag_secs }
}

fn never_since(tracking_start: Timestamp, lag_secs: u32) -> Usage {
    Usage::NeverSince { tracking_start, lag_secs }
}

fn not_observable() -> Usage {
    Usage::NotObservable { reason: "not recorded".to_owned() }
}

/// status × usage × boundary, for both rules.
#[test]
fn every_cell_of_status_usage_and_boundary() {
    let before = second(90 * DAY - 1);
    let at = day(90);
    let past = second(90 * DAY + 1);
    let rows: &[(Status, Usage, Timestamp, &str)] = &[
        (Status::Active, last_used(day(0), 0), before, "clear until 90d+1s"),
        (Status::Active, last_used(day(0), 0), at, "clear until 90d+1s"),
        (Status::Active, last_used(day(0), 0), past, "medium/high"),
        (Status::Active, never_since(day(0), 0), before, "clear until 90d+1s"),
        (Status::Active, never_since(day(0), 0), at, "clear until 90d+1s"),
        (Status::Active, never_since(day(0), 0), past, "medium/high"),
        (Status::Active, not_observable(), before, "unknown usage (not recorded)"),
        (Status::Active, not_observable(), at, "unknown usage (not recorded)"),
        (Status::Active, not_observable(), past, "unknown usage (not recorded)"),
        (Status::Unknown, last_used(day(0), 0), before, "clear until 90d+1s"),
        (Status::Unknown, last_used(day(0), 0), at, "clear until 90d+1s"),
        (Status::Unknown, last_used(day(0), 0), past, "medium/medium"),
        (Status::Unknown, never_since(day(0), 0), before, "clear until 90d+1s"),
        (Status::Unknown, never_since(day(0), 0), at, "clear until 90d+1s"),
        (Status::Unknown, never_since(day(0), 0), past, "medium/medium"),
        (Status::Unknown, not_observable(), before, "unknown usage (not recorded)"),
        (Status::Unknown, not_observable(), at, "unknown usage (not recorded)"),
        (Status::Unknown, not_observable(), past, "unknown usage (not recorded)"),
        (Status::Disabled, last_used(day(0), 0), before, "clear"),
        (Status::Disabled, last_used(day(0), 0), at, "clear"),
        (Status::Disabled, last_used(day(0), 0), past, "clear"),
        (Status::Disabled, never_since(day(0), 0), before, "clear"),
        (Status::Disabled, never_since(day(0), 0), at, "clear"),
        (Status::Disabled, never_since(day(0), 0), past, "clear"),
        (Status::Disabled, not_observable(), before, "clear"),
        (Status::Disabled, not_observable(), at, "clear"),
        (Status::Disabled, not_observable(), past, "clear"),
    ];
    for (rule, case) in BOTH {
        for (status, usage, now, expected) in rows {
            let case = case().status(*status).seen(|o| o.usage = usage.clone()).on(*now);
            case.check(rule, expected);
        }
    }
}

#[test]
fn lag_of_the_source_is_added_to_the_threshold() {
    let lag = 4 * 3600;
    for (rule, case) in BOTH {
        for usage in [last_used(day(0), lag), never_since(day(0), lag)] {
            let case = case().seen(|o| o.usage = usage);
            let limit = 90 * DAY + i64::from(lag);
            case.clone().on(second(90 * DAY + 1)).check(rule, "clear until 90d+14401s");
            case.clone().on(second(limit)).check(rule, "clear until 90d+14401s");
            case.on(second(limit + 1)).check(rule, "medium/high");
        }
    }
}

#[test]
fn unread_usage_is_not_judged_by_what_was_known() {
    for (rule, case) in BOTH {
        let case = case().unread("usage");
        case.clone().on(day(1)).check(rule, "unknown usage (iam:Read)");
        case.clone().on(day(500)).check(rule, "unknown usage (iam:Read)");
        case.status(Status::Disabled).on(day(500)).check(rule, "clear");
    }
}

#[test]
fn never_used_counts_from_the_later_of_creation_and_tracking() {
    for (rule, case) in BOTH {
        let never = |created: Option<Timestamp>, tracking: Timestamp| {
            case().seen(|o| {
                o.created_at = created;
                o.usage = never_since(tracking, 0);
            })
        };
        // Tracking began long after the record was made.
        never(Some(day(-900)), day(10)).on(day(100)).check(rule, "clear until 100d+1s");
        never(Some(day(-900)), day(10)).on(day(101)).check(rule, "medium/high");
        // The record is younger than tracking.
        never(Some(day(10)), day(-900)).on(day(100)).check(rule, "clear until 100d+1s");
        never(Some(day(10)), day(-900)).on(day(101)).check(rule, "medium/high");
    }
}

#[test]
fn without_creation_time_first_sight_bounds_the_age() {
    for (rule, case) in BOTH {
        let never = |first_seen: Timestamp, tracking: Timestamp| {
            case().kept(|r| r.first_seen_at = first_seen).seen(|o| {
                o.created_at = None;
                o.usage = never_since(tracking, 0);
            })
        };
        never(day(10), day(-900)).on(day(100)).check(rule, "clear until 100d+1s");
        let seen = never(day(10), day(-900)).on(day(101));
        seen.check(rule, "medium/medium");
        assert_eq!(seen.violation(rule).facts["idle_since_basis"], "first_seen_at");
        never(day(0), day(10)).on(day(100)).check(rule, "clear until 100d+1s");
        let tracked = never(day(0), day(10)).on(day(101));
        tracked.check(rule, "medium/medium");
        assert_eq!(tracked.violation(rule).facts["idle_since_basis"], "tracking_start");
    }
}

#[test]
fn use_ahead_of_the_clock_is_not_idle() {
    for (rule, case) in BOTH {
        case().seen(|o| o.usage = last_used(day(5), 0)).check(rule, "clear until 95d+1s");
    }
}

#[test]
fn powerful_identity_is_worse() {
    for (found, expected) in [
        (Level::Admin, "high/high"),
        (Level::Escalating, "high/high"),
        (Level::Write, "medium/high"),
        (Level::Unknown, "medium/high"),
    ] {
        let case = Case::identity().seen(|o| o.privilege = level(found)).on(day(91));
        case.check("stale-identity", expected);
    }
}

#[test]
fn not_judged_as_stale_identity() {
    let late = |case: Case| case.on(day(500));
    late(Case::root()).check("stale-identity", "not applicable");
    late(Case::person()).check("stale-identity", "not applicable");
    late(Case::credential()).check("stale-identity", "not applicable");
    let linked = Case::identity().trust_class("service-linked");
    late(linked).check("stale-identity", "not applicable");
    let center = Case::identity().trust_class("identity-center");
    late(center).check("stale-identity", "medium/high");
    late(Case::identity().unread("attributes.trust_class"))
        .check("stale-identity", "unknown attributes.trust_class (iam:Read)");
}

#[test]
fn credentials_of_people_and_root_go_stale_too() {
    for parent in [Case::person().record, Case::root().record] {
        Case::credential_of(parent).on(day(91)).check("stale-credential", "medium/high");
    }
    Case::identity().on(day(500)).check("stale-credential", "not applicable");
}

#[test]
fn threshold_is_configurable() {
    for (rule, case) in BOTH {
        let case = case().set(|s| s.days = Some(45));
        case.clone().on(day(45)).check(rule, "clear until 45d+1s");
        case.on(second(45 * DAY + 1)).check(rule, "medium/high");
    }
}

#[test]
fn absurd_threshold_ends_with_time_itself() {
    for (rule, case) in BOTH {
        let judgement = case().set(|s| s.days = Some(u32::MAX)).judge(rule);
        assert_eq!(judgement, Judgement::until(Verdict::Clear, Timestamp::MAX));
    }
}

#[test]
fn title_is_the_same_every_day() {
    let title = |now| Case::credential().on(now).violation("stale-credential").title;
    assert_eq!(title(day(91)), title(day(400)));
    assert_eq!(
        title(day(91)),
        "access-key AKIA1 of ci in aws:123456789012 was not used for 90 days"
    );
    let never = Case::identity().seen(|o| o.usage = never_since(day(0), 0)).on(day(91));
    assert_eq!(
        never.violation("stale-identity").title,
        "iam-role deploy in aws:123456789012 was never used in 90 days"
    );
}
