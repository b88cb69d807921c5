//! `orphaned-identity` and `token-of-departed-user`.
use headcount_sdk::Standing;
use headcount_sdk::model::LinkKind;

use super::*;
use crate::inventory::Neighbour;

const RULE: &str = "orphaned-identity";
const HELD: &str = "token-of-departed-user";

fn owned(case: Case, basis: OwnerBasis, standing: Standing) -> Case {
    let reference = "ana".to_owned();
    case.kept(|r| r.owner = Some(Owner { reference, standing, ..owner(basis) }))
}

fn left(case: Case) -> Case {
    owned(case, OwnerBasis::Label, Standing::Left)
}

/// A token without parent, as a code host lists it.
fn token() -> Case {
    Case::of(record(Class::Credential, "classic-token", "ci")).seen(|o| o.expiry = Expiry::Never)
}

#[test]
fn owner_by_standing_and_status() {
    for (standing, active, unknown) in [
        (Standing::Left, "medium/high", "medium/medium"),
        (Standing::Present, "clear", "clear"),
        (Standing::NotKnown, "not applicable", "not applicable"),
    ] {
        let case = owned(Case::identity(), OwnerBasis::Label, standing);
        case.check(RULE, active);
        case.clone().status(Status::Unknown).check(RULE, unknown);
        case.status(Status::Disabled).check(RULE, "clear");
    }
    let title = left(Case::identity()).violation(RULE).title;
    let expected = "The owner of iam-role deploy in aws:123456789012 has left: ana (label)";
    assert_eq!(title, expected);
}

#[test]
fn candidate_who_left_is_less_sure_than_an_owner_who_left() {
    for (basis, certainty) in [
        (OwnerBasis::Label, "high"),
        (OwnerBasis::Catalog, "high"),
        (OwnerBasis::Stack, "high"),
        (OwnerBasis::Description, "medium"),
        (OwnerBasis::Path, "medium"),
        (OwnerBasis::Creator, "medium"),
        (OwnerBasis::Container, "medium"),
    ] {
        let case = owned(Case::identity(), basis, Standing::Left);
        case.check(RULE, &format!("medium/{certainty}"));
    }
}

#[test]
fn orphan_that_can_do_harm_is_worse() {
    for found in [Level::Escalating, Level::Admin] {
        left(Case::identity()).seen(|o| o.privilege = level(found)).check(RULE, "high/high");
    }
}

/// standing × status: whoever left may still hold it.
#[test]
fn credential_by_the_standing_of_its_holder() {
    for (standing, active, unknown) in [
        (Standing::Left, "high/high", "high/medium"),
        (Standing::Present, "clear", "clear"),
        (Standing::NotKnown, "not applicable", "not applicable"),
    ] {
        let case = owned(token(), OwnerBasis::Label, standing);
        case.check(HELD, active);
        case.clone().status(Status::Unknown).check(HELD, unknown);
        case.clone().status(Status::Disabled).check(HELD, "clear");
        case.check(RULE, "not applicable");
    }
    owned(token(), OwnerBasis::Creator, Standing::Left).check(HELD, "high/medium");
    token().kept(|r| r.owner = None).check(HELD, "not applicable");
    left(Case::identity()).check(HELD, "not applicable");
}

#[test]
fn unread_members_prove_nothing() {
    for field in ["owner_standing", "owner_evidence"] {
        let unknown = format!("unknown {field} (iam:Read)");
        for standing in [Standing::Left, Standing::Present, Standing::NotKnown] {
            let case = owned(Case::identity(), OwnerBasis::Label, standing);
            case.unread(field).check(RULE, &unknown);
        }
        Case::identity().kept(|r| r.owner = None).unread(field).check(RULE, &unknown);
        left(token()).unread(field).check(HELD, &unknown);
    }
    left(Case::identity()).unread("usage").check(RULE, "medium/high");
}

#[test]
fn missing_owner_has_not_left() {
    Case::identity().kept(|r| r.owner = None).check(RULE, "not applicable");
}

#[test]
fn orphan_is_told_where_the_evidence_stands() {
    let inherit = |case: Case, from: &Record| {
        let id = from.id().clone();
        left(case).kept(|r| r.owner.as_mut().unwrap().inherited_from = Some(id))
    };
    // A credential of an identity has its owner.
    let key = Case::credential();
    let parent = key.parent.clone().unwrap();
    inherit(key, &parent).check(HELD, "not applicable");
    // A credential whose own evidence names somebody else than its identity's does not.
    left(Case::credential()).check(HELD, "high/high");
    // A person's credential, a repository's deploy key.
    for class in [Class::Principal, Class::Workload] {
        let parent = record(class, "x", "ana");
        inherit(Case::credential_of(parent.clone()), &parent).check(HELD, "high/high");
    }
    // A role that has the owner of the service account or workload that uses it.
    for (class, expected) in [(Class::Identity, "not applicable"), (Class::Workload, "medium/high")]
    {
        let user = record(class, "x", "web");
        let mut case = inherit(Case::identity(), &user);
        let confidence = Confidence::CERTAIN;
        let kind = LinkKind::Uses;
        case.around.incoming =
            vec![Neighbour { record: user, kind, confidence, basis: String::new() }];
        case.check(RULE, expected);
        let unread = &mut case.around.incoming[0].record.observation.unread;
        unread.insert("owner_standing".to_owned(), "members:read".to_owned());
        if class == Class::Workload {
            case.check(RULE, "unknown owner_standing (members:read)");
        }
    }
    // From somewhere that is not at hand: better told twice than never.
    inherit(Case::identity(), &record(Class::Identity, "x", "far")).check(RULE, "medium/high");
}

#[test]
fn orphaned_credential_is_reported_until_it_expires() {
    let ends = || left(token()).seen(|o| o.expiry = Expiry::At { at: day(10) });
    ends().check(HELD, "high/high until 10d");
    ends().on(second(10 * DAY - 1)).check(HELD, "high/high until 10d");
    ends().on(day(10)).check(HELD, "clear");
}

#[test]
fn not_judged_as_orphan() {
    let grant = Case::of(record(Class::Grant, "role-binding", "edit"));
    let repository = Case::of(record(Class::Workload, "repository", "x"));
    for case in [Case::root(), Case::person(), grant, repository] {
        for rule in [RULE, HELD] {
            left(case.clone()).check(rule, "not applicable");
        }
    }
    left(Case::identity()).attribute("system", "true").check(RULE, "not applicable");
    left(token()).attribute("system", "true").check(HELD, "not applicable");
}
