//! `new-identity` and `new-credential`.
use super::*;

fn appeared(case: Case) -> Case {
    case.kept(|r| r.origin = Origin::Appeared)
}

#[test]
fn identity_is_new_until_its_window_ends() {
    let check = |now: Timestamp, expected| {
        appeared(Case::identity()).on(now).check("new-identity", expected);
    };
    check(day(0), "medium/high until 7d");
    check(second(7 * DAY - 1), "medium/high until 7d");
    check(day(7), "clear");
    check(day(400), "clear");
}

#[test]
fn window_counts_from_first_sight_not_from_creation() {
    appeared(Case::identity())
        .seen(|o| o.created_at = Some(day(-300)))
        .check("new-identity", "medium/high until 7d");
    appeared(Case::identity())
        .seen(|o| o.created_at = None)
        .check("new-identity", "medium/high until 7d");
}

#[test]
fn baseline_is_never_new() {
    Case::identity().check("new-identity", "clear");
    Case::credential().check("new-credential", "clear");
}

#[test]
fn root_people_and_other_classes_are_no_new_identities() {
    appeared(Case::root()).check("new-identity", "not applicable");
    appeared(Case::person()).check("new-identity", "not applicable");
    appeared(Case::credential()).check("new-identity", "not applicable");
}

#[test]
fn role_of_a_service_is_new_but_hardly_matters() {
    let case = appeared(Case::identity());
    case.clone().trust_class("service-linked").check("new-identity", "low/high until 7d");
    case.clone().trust_class("service").check("new-identity", "medium/high until 7d");
    case.unread("attributes.trust_class").check("new-identity", "medium/high until 7d");
}

#[test]
fn nothing_unread_hides_that_an_identity_is_new() {
    let case = appeared(Case::identity());
    for field in ["usage", "privilege", "owner_evidence", "labels", "links"] {
        case.clone().unread(field).check("new-identity", "medium/high until 7d");
    }
}

#[test]
fn window_is_configurable() {
    appeared(Case::identity())
        .set(|s| s.days = Some(1))
        .on(second(DAY - 1))
        .check("new-identity", "medium/high until 1d");
    appeared(Case::identity())
        .set(|s| s.days = Some(u32::MAX))
        .on(day(500))
        .violation("new-identity");
}

#[test]
fn credential_is_new_whatever_its_status() {
    for status in [Status::Active, Status::Disabled, Status::Unknown] {
        let case = appeared(Case::credential()).status(status);
        case.clone().check("new-credential", "medium/high until 7d");
        case.clone().on(second(7 * DAY - 1)).check("new-credential", "medium/high until 7d");
        case.on(day(7)).check("new-credential", "clear");
    }
}

#[test]
fn credentials_of_people_and_root_are_new_as_well() {
    for parent in [Case::person().record, Case::root().record] {
        appeared(Case::credential_of(parent)).check("new-credential", "medium/high until 7d");
    }
}

#[test]
fn identity_is_no_new_credential() {
    appeared(Case::identity()).check("new-credential", "not applicable");
    appeared(Case::person()).check("new-credential", "not applicable");
}

#[test]
fn titles_name_subject_identity_and_place() {
    let identity = appeared(Case::identity()).violation("new-identity");
    assert_eq!(identity.title, "New iam-role deploy in aws:123456789012");
    let credential = appeared(Case::credential()).violation("new-credential");
    assert_eq!(credential.title, "New access-key AKIA1 of ci in aws:123456789012");
    assert_eq!(credential.facts["identity"], "aws:123456789012:iam-user/ci");
    assert_eq!(credential.facts["first_seen_at"], "2026-01-01T00:00:00Z");
}

#[test]
fn credential_without_known_parent_is_named_alone() {
    let mut case = appeared(Case::credential());
    case.parent = None;
    assert_eq!(case.violation("new-credential").title, "New access-key AKIA1 in aws:123456789012");
}
