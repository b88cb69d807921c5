//! Which evidence wins, what is inherited, and that order changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use headcount_sdk::Scope;
use headcount_sdk::model::{Class, OwnerKind, RecordId};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::inventory::Origin;

const BASES: [(OwnerBasis, u8); 7] = [
    (OwnerBasis::Label, 95),
    (OwnerBasis::Catalog, 90),
    (OwnerBasis::Stack, 60),
    (OwnerBasis::Description, 50),
    (OwnerBasis::Path, 40),
    (OwnerBasis::Creator, 30),
    (OwnerBasis::Container, 20),
];

fn evidence(reference: &str, basis: OwnerBasis) -> OwnerEvidence {
    OwnerEvidence {
        reference: reference.to_owned(),
        basis,
        locator: format!("from:{}", basis.as_str()),
        kind: OwnerKind::Technical,
        standing: headcount_sdk::Standing::NotKnown,
    }
}

fn observation(owner_evidence: Vec<OwnerEvidence>) -> Observation {
    let id = RecordId::new("aws:1", "iam-user", "u");
    Observation { owner_evidence, ..Observation::new(id, Class::Identity, "iam-user", "u") }
}

fn parent(owner_evidence: Vec<OwnerEvidence>) -> Record {
    let mut observation = observation(owner_evidence);
    observation.id = RecordId::new("aws:1", "iam-user", "parent");
    let owner = resolve(&observation, None);
    Record {
        observation,
        source: "prod".to_owned(),
        scope: Scope::new("aws:1", "users"),
        origin: Origin::Baseline,
        first_seen_at: Timestamp::UNIX_EPOCH,
        changed_at: Timestamp::UNIX_EPOCH,
        replaces: None,
        history: crate::inventory::History::default(),
        owner,
    }
}

/// `reference basis confidence`, or `-`.
fn show(owner: Option<&Owner>) -> String {
    owner.map_or("-".to_owned(), |o| {
        format!("{} {} {}", o.reference, o.basis.as_str(), o.confidence.as_percent())
    })
}

#[track_caller]
fn check(evidence: Vec<OwnerEvidence>, expected: &str) {
    assert_eq!(show(resolve(&observation(evidence), None).as_ref()), expected);
}

#[test]
fn every_basis_has_its_confidence() {
    for (basis, percent) in BASES {
        check(vec![evidence("ana", basis)], &format!("ana {} {percent}", basis.as_str()));
        let owner = resolve(&observation(vec![evidence("ana", basis)]), None).unwrap();
        assert_eq!(owner.locator, format!("from:{}", basis.as_str()));
        assert_eq!(owner.inherited_from, None);
    }
}

#[test]
fn stronger_basis_wins_over_every_weaker_one() {
    for (rank, (strong, percent)) in BASES.iter().enumerate() {
        for (weak, _) in &BASES[rank + 1..] {
            let expected = format!("zoe {} {percent}", strong.as_str());
            check(vec![evidence("ana", *weak), evidence("zoe", *strong)], &expected);
            check(vec![evidence("zoe", *strong), evidence("ana", *weak)], &expected);
        }
    }
}

#[test]
fn tie_goes_to_the_smaller_reference_whatever_the_order() {
    let (a, b) = (evidence("ana", OwnerBasis::Label), evidence("bob", OwnerBasis::Label));
    check(vec![a.clone(), b.clone()], "ana label 95");
    check(vec![b, a], "ana label 95");
}

#[test]
fn tie_on_the_reference_goes_to_the_smaller_locator() {
    let mut other = evidence("ana", OwnerBasis::Label);
    other.locator = "a".to_owned();
    let both = vec![evidence("ana", OwnerBasis::Label), other];
    assert_eq!(resolve(&observation(both), None).unwrap().locator, "a");
}

#[test]
fn nothing_names_nobody() {
    check(vec![], "-");
}

#[test]
fn placeholders_name_nobody() {
    for text in ["", "  ", "TBD", " tbd ", "None", "n/a", "Unknown", "-", "?", "null"] {
        check(vec![evidence(text, OwnerBasis::Label)], "-");
        let both = vec![evidence(text, OwnerBasis::Label), evidence("ana", OwnerBasis::Creator)];
        check(both, "ana creator 30");
    }
    for name in ["nona", "team-unknown", "tbd-team", "0"] {
        check(vec![evidence(name, OwnerBasis::Label)], &format!("{name} label 95"));
    }
}

#[test]
fn reference_is_trimmed() {
    check(vec![evidence("  ana ", OwnerBasis::Label)], "ana label 95");
}

#[test]
fn owner_of_the_parent_is_inherited_with_a_little_less_confidence() {
    let parent = parent(vec![evidence("ana", OwnerBasis::Label)]);
    let owner = resolve(&observation(vec![]), Some(&parent)).unwrap();
    assert_eq!(show(Some(&owner)), "ana label 90");
    assert_eq!(owner.inherited_from.as_ref(), Some(parent.id()));
    assert_eq!(owner.locator, "from:label");
}

#[test]
fn own_evidence_stands_before_the_parents_even_if_weaker() {
    let parent = parent(vec![evidence("ana", OwnerBasis::Label)]);
    let own = observation(vec![evidence("zoe", OwnerBasis::Container)]);
    assert_eq!(show(resolve(&own, Some(&parent)).as_ref()), "zoe container 20");
    let nobody = observation(vec![evidence("tbd", OwnerBasis::Label)]);
    assert_eq!(show(resolve(&nobody, Some(&parent)).as_ref()), "ana label 90");
}

#[test]
fn parent_without_owner_gives_none() {
    assert_eq!(resolve(&observation(vec![]), Some(&parent(vec![]))), None);
}

#[test]
fn inheritance_goes_on_from_child_to_grandchild() {
    let mut middle = parent(vec![]);
    middle.owner =
        resolve(&middle.observation, Some(&parent(vec![evidence("ana", OwnerBasis::Label)])));
    middle.observation.id = RecordId::new("aws:1", "iam-user", "middle");
    let owner = resolve(&observation(vec![]), Some(&middle)).unwrap();
    assert_eq!(show(Some(&owner)), "ana label 85");
    assert_eq!(owner.inherited_from.as_ref(), Some(middle.id()));
}

#[test]
fn inherited_confidence_does_not_go_below_zero() {
    let mut doubtful = parent(vec![evidence("ana", OwnerBasis::Label)]);
    doubtful.owner.as_mut().unwrap().confidence = Confidence::percent(3);
    assert_eq!(show(resolve(&observation(vec![]), Some(&doubtful)).as_ref()), "ana label 0");
}

proptest! {
    #[test]
    fn order_of_evidence_changes_nothing(
        picks in proptest::collection::vec((0..BASES.len(), "[a-c]{0,2}"), 0..6),
        turn in 0_usize..6,
    ) {
        let mut list: Vec<_> =
            picks.iter().map(|(basis, name)| evidence(name, BASES[*basis].0)).collect();
        let before = resolve(&observation(list.clone()), None);
        let turn = turn.min(list.len());
        list.rotate_left(turn);
        prop_assert_eq!(&before, &resolve(&observation(list.clone()), None));
        list.reverse();
        prop_assert_eq!(&before, &resolve(&observation(list), None));
    }
}
