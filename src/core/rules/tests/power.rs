//! `admin-identity` and `resurrected-identity`.
use super::*;

#[test]
fn admin_identity_at_every_level() {
    for (found, expected) in [
        (Level::None, "clear"),
        (Level::Read, "clear"),
        (Level::Unknown, "unknown privilege (policy P)"),
        (Level::Write, "clear"),
        (Level::Escalating, "medium/medium"),
        (Level::Admin, "high/high"),
    ] {
        for status in [Status::Active, Status::Disabled, Status::Unknown] {
            let case = Case::identity().status(status).seen(|o| o.privilege = level(found));
            case.check("admin-identity", expected);
        }
    }
}

#[test]
fn power_that_was_not_read_is_unknown() {
    Case::identity().seen(|o| o.privilege = None).check("admin-identity", "unknown privilege");
    for known in [Level::Read, Level::Admin] {
        let case = Case::identity().seen(|o| o.privilege = level(known)).unread("privilege");
        case.check("admin-identity", "unknown privilege (iam:Read)");
    }
}

#[test]
fn not_judged_as_admin() {
    let admin = |case: Case| case.seen(|o| o.privilege = level(Level::Admin));
    for case in [Case::root(), Case::person(), Case::credential()] {
        admin(case).check("admin-identity", "not applicable");
    }
    for class in ["service-linked", "identity-center"] {
        admin(Case::identity()).trust_class(class).check("admin-identity", "not applicable");
    }
    admin(Case::identity()).trust_class("cross-account").check("admin-identity", "high/high");
    admin(Case::identity())
        .unread("attributes.trust_class")
        .check("admin-identity", "unknown attributes.trust_class (iam:Read)");
}

#[test]
fn admin_titles_tell_the_two_kinds_apart_and_facts_why() {
    let of = |found| {
        let case = Case::identity().seen(|o| o.privilege = level(found));
        case.violation("admin-identity")
    };
    let (admin, escalating) = (of(Level::Admin), of(Level::Escalating));
    assert_eq!(admin.title, "iam-role deploy in aws:123456789012 is an administrator");
    assert_eq!(
        escalating.title,
        "iam-role deploy in aws:123456789012 can make itself an administrator"
    );
    assert_eq!(admin.facts["reason"], "policy P");
}

fn resurrected() -> Case {
    let old = RecordId::new(PLACE, "iam-role", "AROAOLD");
    Case::identity().kept(|r| r.replaces = Some(old))
}

#[test]
fn taken_over_name_is_reported_until_its_window_ends() {
    for (now, expected) in [
        (day(0), "high/high until 30d"),
        (second(30 * DAY - 1), "high/high until 30d"),
        (day(30), "clear"),
    ] {
        resurrected().on(now).check("resurrected-identity", expected);
    }
    resurrected().set(|s| s.days = Some(2)).check("resurrected-identity", "high/high until 2d");
}

#[test]
fn taken_over_name_tells_both_ids() {
    let facts = resurrected().violation("resurrected-identity").facts;
    assert_eq!(facts["id"], "aws:123456789012:iam-role/deploy");
    assert_eq!(facts["replaces"], "aws:123456789012:iam-role/AROAOLD");
}

#[test]
fn not_judged_as_resurrected() {
    Case::identity().check("resurrected-identity", "clear");
    let old = || Some(RecordId::new(PLACE, "x", "old"));
    for case in [Case::person(), Case::credential()] {
        case.kept(|r| r.replaces = old()).check("resurrected-identity", "not applicable");
    }
    resurrected().trust_class("service-linked").check("resurrected-identity", "not applicable");
    resurrected()
        .unread("attributes.trust_class")
        .check("resurrected-identity", "unknown attributes.trust_class (iam:Read)");
}
