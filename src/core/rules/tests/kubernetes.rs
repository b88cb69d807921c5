//! `unused-service-account`, `legacy-token` and `dangling-grant`.
use headcount_sdk::model::{Endpoint, Link, LinkKind};

use super::*;
use crate::inventory::History;

const UNUSED: &str = "unused-service-account";

fn account() -> Case {
    Case::of(record(Class::Identity, "service-account", "shop/web")).seen(|o| {
        o.usage = Usage::NotObservable { reason: "not recorded".to_owned() };
    })
}

fn unused() -> Case {
    account().attribute("in_use", "false")
}

fn known_use(at: Timestamp) -> History {
    History { last_known_use: Some(at), ..History::default() }
}

#[test]
fn account_is_unused_past_the_threshold_and_not_at_it() {
    for (now, expected) in [
        (day(0), "clear until 90d+1s"),
        (second(90 * DAY - 1), "clear until 90d+1s"),
        (day(90), "clear until 90d+1s"),
        (second(90 * DAY + 1), "medium/medium"),
        (day(500), "medium/medium"),
    ] {
        unused().on(now).check(UNUSED, expected);
    }
    let case = unused().set(|s| s.days = Some(30));
    case.clone().on(day(30)).check(UNUSED, "clear until 30d+1s");
    case.on(second(30 * DAY + 1)).check(UNUSED, "medium/medium");
}

#[test]
fn account_that_something_runs_as_is_in_use() {
    account().attribute("in_use", "true").on(day(500)).check(UNUSED, "clear");
}

#[test]
fn unread_workloads_do_not_prove_that_an_account_is_unused() {
    let unknown = "unknown attributes.in_use (iam:Read)";
    unused().unread("attributes.in_use").on(day(500)).check(UNUSED, unknown);
    account().unread("attributes.in_use").on(day(500)).check(UNUSED, unknown);
    account().on(day(500)).check(UNUSED, "unknown attributes.in_use");
}

#[test]
fn clock_of_an_unused_account_starts_at_the_latest_of_what_is_known() {
    let check = |case: Case, basis: &str| {
        case.clone().on(day(100)).check(UNUSED, "clear until 100d+1s");
        let facts = case.on(day(101)).violation(UNUSED).facts;
        assert_eq!(facts["unused_since_basis"], basis);
    };
    check(unused().kept(|r| r.history = known_use(day(10))), "last_known_use");
    check(unused().kept(|r| r.first_seen_at = day(10)), "first_seen_at");
    check(unused().seen(|o| o.created_at = Some(day(10))), "created_at");
    let token = Usage::LastUsed { at: day(10), resolution_secs: 86_400, lag_secs: 0 };
    check(unused().seen(|o| o.usage = token), "last_known_use");
    // What is older does not count: nobody can say what ran before the agent came.
    let old = unused().kept(|r| r.history = known_use(day(-300)));
    let old = old.seen(|o| o.created_at = Some(day(-300)));
    old.on(day(90)).check(UNUSED, "clear until 90d+1s");
    unused().seen(|o| o.created_at = None).on(day(91)).check(UNUSED, "medium/medium");
}

#[test]
fn unused_account_is_as_bad_as_its_power() {
    for (found, expected) in [
        (Level::None, "low/medium"),
        (Level::Read, "medium/medium"),
        (Level::Unknown, "medium/medium"),
        (Level::Write, "medium/medium"),
        (Level::Escalating, "high/medium"),
        (Level::Admin, "high/medium"),
    ] {
        unused().seen(|o| o.privilege = level(found)).on(day(91)).check(UNUSED, expected);
    }
    unused().seen(|o| o.privilege = None).on(day(91)).check(UNUSED, "medium/medium");
}

#[test]
fn not_judged_as_unused_account() {
    unused().attribute("system", "true").on(day(500)).check(UNUSED, "not applicable");
    unused().status(Status::Disabled).on(day(500)).check(UNUSED, "clear");
    for case in [Case::identity(), Case::root(), Case::person(), Case::credential()] {
        case.attribute("in_use", "false").on(day(500)).check(UNUSED, "not applicable");
    }
    let title = unused().on(day(91)).violation(UNUSED).title;
    let expected = "No workload has run as service-account shop/web in aws:123456789012 \
                    for 90 days";
    assert_eq!(title, expected);
}

fn token() -> Case {
    let mut case = Case::credential_of(account().record);
    case.record.observation.kind = "service-account-token".to_owned();
    case
}

fn used(usage: Usage) -> Case {
    token().seen(|o| o.usage = usage)
}

fn last_used(at: Timestamp) -> Usage {
    Usage::LastUsed { at, resolution_secs: 86_400, lag_secs: 0 }
}

#[test]
fn legacy_token_by_use_and_boundary() {
    let never = |at| Usage::NeverSince { tracking_start: at, lag_secs: 0 };
    let hidden = || Usage::NotObservable { reason: "no label".to_owned() };
    for (usage, now, expected) in [
        (last_used(day(0)), day(0), "medium/high until 90d+1s"),
        (last_used(day(0)), day(90), "medium/high until 90d+1s"),
        (last_used(day(0)), second(90 * DAY + 1), "low/high"),
        (never(day(-900)), day(90), "medium/high until 90d+1s"),
        (never(day(-900)), day(91), "low/high"),
        (never(day(10)), day(100), "medium/high until 100d+1s"),
        (never(day(10)), day(101), "low/high"),
        (hidden(), day(0), "medium/medium"),
        (hidden(), day(500), "medium/medium"),
    ] {
        used(usage).on(now).check("legacy-token", expected);
    }
    used(last_used(day(0))).unread("usage").on(day(500)).check("legacy-token", "medium/medium");
}

#[test]
fn legacy_token_of_a_powerful_account_is_worse_whatever_its_use() {
    for found in [Level::Escalating, Level::Admin] {
        let mut parent = account().record;
        parent.observation.privilege = level(found);
        for now in [day(0), day(500)] {
            let mut case = token().on(now);
            case.parent = Some(parent.clone());
            case.check("legacy-token", "high/high");
        }
    }
    let mut unknown = token();
    unknown.parent = None;
    unknown.check("legacy-token", "medium/high until 90d+1s");
}

#[test]
fn legacy_token_that_the_cluster_switched_off_hardly_matters() {
    for status in [Status::Active, Status::Disabled, Status::Unknown] {
        let case = token().attribute("invalid_since", "2026-01-01").status(status);
        case.clone().check("legacy-token", "low/high");
        case.on(day(500)).check("stale-credential", "not applicable");
    }
    token().status(Status::Disabled).check("legacy-token", "clear");
    token().status(Status::Unknown).check("legacy-token", "medium/medium until 90d+1s");
}

#[test]
fn token_whose_expiry_is_not_known_is_no_legacy_token_yet() {
    token().unread("expiry").check("legacy-token", "unknown expiry (iam:Read)");
    token().seen(|o| o.expiry = Expiry::Unknown).check("legacy-token", "unknown expiry");
    token().seen(|o| o.expiry = Expiry::At { at: day(1) }).check("legacy-token", "clear");
    for case in [Case::identity(), Case::credential(), account()] {
        case.check("legacy-token", "not applicable");
    }
}

#[test]
fn threshold_of_a_legacy_token_is_configurable() {
    let case = token().set(|s| s.days = Some(30));
    case.clone().on(day(30)).check("legacy-token", "medium/high until 30d+1s");
    case.on(day(31)).check("legacy-token", "low/high");
}

fn binding() -> Case {
    Case::of(record(Class::Grant, "role-binding", "shop/edit"))
}

fn dangling() -> Case {
    let native = "system:serviceaccount:shop:gone".to_owned();
    binding().seen(|o| o.links = vec![Link::new(LinkKind::Uses, Endpoint::Dangling { native })])
}

#[test]
fn dangling_grant_at_every_level() {
    for (found, expected) in [
        (Level::None, "low/high"),
        (Level::Read, "low/high"),
        (Level::Unknown, "medium/medium"),
        (Level::Write, "medium/high"),
        (Level::Escalating, "high/high"),
        (Level::Admin, "high/high"),
    ] {
        dangling().seen(|o| o.privilege = level(found)).check("dangling-grant", expected);
    }
    dangling().seen(|o| o.privilege = None).check("dangling-grant", "medium/medium");
    let case = dangling().seen(|o| o.privilege = level(Level::Admin));
    case.unread("privilege").check("dangling-grant", "medium/medium");
}

#[test]
fn grant_is_dangling_only_while_its_account_is_missing() {
    binding().check("dangling-grant", "clear");
    let id = account().record.id().clone();
    let found = Link::new(LinkKind::Uses, Endpoint::Record { id });
    binding().seen(|o| o.links = vec![found]).check("dangling-grant", "clear");
    for case in [binding(), dangling()] {
        case.unread("links").check("dangling-grant", "unknown links (iam:Read)");
    }
    let title = dangling().violation("dangling-grant").title;
    let expected = "role-binding shop/edit in aws:123456789012 waits for \
                    system:serviceaccount:shop:gone, which does not exist";
    assert_eq!(title, expected);
}

#[test]
fn dead_principal_in_a_trust_is_no_dangling_grant() {
    let dead = Endpoint::Dangling { native: "AROAEXAMPLE".to_owned() };
    let case = Case::identity().seen(|o| o.links = vec![Link::new(LinkKind::Trusts, dead)]);
    case.check("dangling-grant", "not applicable");
}
