//! `ownerless-identity` and `weak-owner`.
use super::*;

const BOTH: [&str; 2] = ["ownerless-identity", "weak-owner"];

fn without_owner() -> Case {
    Case::identity().kept(|r| r.owner = None)
}

fn owned_with(percent: u8) -> Case {
    Case::identity().kept(|r| {
        let confidence = Confidence::percent(percent);
        r.owner = Some(Owner { confidence, ..owner(OwnerBasis::Creator) });
    })
}

#[test]
fn identity_without_owner_is_reported_whatever_its_status() {
    for status in [Status::Active, Status::Disabled, Status::Unknown] {
        without_owner().status(status).check("ownerless-identity", "medium/high");
    }
    let title = without_owner().violation("ownerless-identity").title;
    assert_eq!(title, "iam-role deploy in aws:123456789012 has no owner");
}

#[test]
fn any_owner_clears_ownerless() {
    for percent in [1, 59, 60, 100] {
        owned_with(percent).check("ownerless-identity", "clear");
    }
    owned_with(20).unread("owner_evidence").check("ownerless-identity", "clear");
}

#[test]
fn unread_evidence_is_no_proof_that_nobody_owns_it() {
    for field in ["owner_evidence", "labels"] {
        let expected = format!("unknown {field} (iam:Read)");
        for rule in BOTH {
            without_owner().unread(field).check(rule, &expected);
        }
    }
    without_owner().unread("usage").check("ownerless-identity", "medium/high");
}

#[test]
fn owner_may_still_be_inherited_from_a_parent_not_yet_read() {
    let case = without_owner().seen(|o| o.parent = Some(RecordId::new(PLACE, "app", "1")));
    case.check("ownerless-identity", "unknown the identity aws:123456789012:app/1");
    let mut known = case;
    known.parent = Some(record(Class::Identity, "app", "1"));
    known.check("ownerless-identity", "medium/high");
}

#[test]
fn powerful_identity_without_owner_is_worse() {
    for (found, expected) in [
        (Level::Admin, "high/high"),
        (Level::Escalating, "high/high"),
        (Level::Write, "medium/high"),
        (Level::Unknown, "medium/high"),
    ] {
        let case = without_owner().seen(|o| o.privilege = level(found));
        case.check("ownerless-identity", expected);
    }
    without_owner().seen(|o| o.privilege = None).check("ownerless-identity", "medium/high");
}

#[test]
fn owner_is_weak_below_the_threshold_and_not_at_it() {
    owned_with(59).check("weak-owner", "low/high");
    owned_with(60).check("weak-owner", "clear");
    owned_with(61).check("weak-owner", "clear");
    owned_with(0).check("weak-owner", "low/high");
    owned_with(60).set(|s| s.min_confidence = Some(61)).check("weak-owner", "low/high");
    owned_with(61).set(|s| s.min_confidence = Some(61)).check("weak-owner", "clear");
    let violation = owned_with(30).violation("weak-owner");
    let title = "The owner of iam-role deploy in aws:123456789012 is only a guess: \
                 team-a (creator)";
    assert_eq!(violation.title, title);
    assert_eq!(violation.facts["owner_confidence"], "30");
}

#[test]
fn owner_of_a_namespace_is_no_guess() {
    for (kind, basis, expected) in [
        ("service-account", OwnerBasis::Container, "clear"),
        ("service-account", OwnerBasis::Creator, "low/high"),
        ("iam-role", OwnerBasis::Container, "low/high"),
    ] {
        let case = Case::identity().seen(|o| o.kind = kind.to_owned());
        case.kept(|r| r.owner = Some(owner(basis))).check("weak-owner", expected);
    }
}

#[test]
fn missing_owner_is_not_a_weak_one() {
    without_owner().check("weak-owner", "not applicable");
}

#[test]
fn better_evidence_may_be_among_what_is_unread() {
    let unknown = "unknown owner_evidence (iam:Read)";
    owned_with(30).unread("owner_evidence").check("weak-owner", unknown);
    owned_with(95).unread("owner_evidence").check("weak-owner", "clear");
}

#[test]
fn neither_rule_asks_for_owners_where_none_is_due() {
    for rule in BOTH {
        for case in [Case::root(), Case::person(), Case::credential()] {
            case.kept(|r| r.owner = None).check(rule, "not applicable");
        }
        for class in ["service-linked", "identity-center"] {
            without_owner().trust_class(class).check(rule, "not applicable");
        }
        without_owner()
            .unread("attributes.trust_class")
            .check(rule, "unknown attributes.trust_class (iam:Read)");
    }
    without_owner().trust_class("service").check("ownerless-identity", "medium/high");
}
