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

fn record(observation: Observation) -> Record {
    Record {
        observation,
        source: "prod".to_owned(),
        scope: Scope::new("aws:1", "users"),
        origin: Origin::Baseline,
        first_seen_at: Timestamp::UNIX_EPOCH,
        changed_at: Timestamp::UNIX_EPOCH,
        replaces: None,
        history: crate::inventory::History::default(),
        owner: None,
    }
}

/// A record of that name, its owner resolved from its own evidence.
fn named(name: &str, class: Class, owner_evidence: Vec<OwnerEvidence>) -> Record {
    let mut seen = observation(owner_evidence);
    seen.id = RecordId::new("aws:1", "thing", name);
    seen.class = class;
    let owner = evidenced(&seen);
    Record { owner, ..record(seen) }
}

fn parent(owner_evidence: Vec<OwnerEvidence>) -> Record {
    named("parent", Class::Identity, owner_evidence)
}

/// The owner of an observation that nothing uses.
fn alone(observation: &Observation, parent: Option<&Record>) -> Option<Owner> {
    resolve(&record(observation.clone()), parent, &Surroundings::default())
}

fn used_by(user: Record, confidence: u8) -> Neighbour {
    Neighbour {
        record: user,
        kind: LinkKind::Uses,
        confidence: Confidence::percent(confidence),
        basis: String::new(),
    }
}

fn labelled(name: &str, owner: &str) -> Record {
    named(name, Class::Workload, vec![evidence(owner, OwnerBasis::Label)])
}

/// `owner basis percent, over a/b`, or `-`.
#[track_caller]
fn check_users(users: Vec<Neighbour>, expected: &str) {
    let around = Surroundings { incoming: users, ..Surroundings::default() };
    let owner = resolve(&named("u", Class::Identity, vec![]), None, &around);
    let path = owner.iter().flat_map(|o| &o.path).map(|id| id.as_str().replace("aws:1:thing/", ""));
    let path = path.collect::<Vec<_>>().join("/");
    let shown = show(owner.as_ref());
    let shown = if path.is_empty() { shown } else { format!("{shown}, over {path}") };
    assert_eq!(shown, expected);
}

/// `reference basis confidence`, or `-`.
fn show(owner: Option<&Owner>) -> String {
    owner.map_or("-".to_owned(), |o| {
        format!("{} {} {}", o.reference, o.basis.as_str(), o.confidence.as_percent())
    })
}

#[track_caller]
fn check(evidence: Vec<OwnerEvidence>, expected: &str) {
    assert_eq!(show(alone(&observation(evidence), None).as_ref()), expected);
}

#[test]
fn every_basis_has_its_confidence() {
    for (basis, percent) in BASES {
        check(vec![evidence("ana", basis)], &format!("ana {} {percent}", basis.as_str()));
        let owner = alone(&observation(vec![evidence("ana", basis)]), None).unwrap();
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
    assert_eq!(alone(&observation(both), None).unwrap().locator, "a");
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
    let owner = alone(&observation(vec![]), Some(&parent)).unwrap();
    assert_eq!(show(Some(&owner)), "ana label 90");
    assert_eq!(owner.inherited_from.as_ref(), Some(parent.id()));
    assert_eq!(owner.locator, "from:label");
}

#[test]
fn own_evidence_stands_before_the_parents_even_if_weaker() {
    let parent = parent(vec![evidence("ana", OwnerBasis::Label)]);
    let own = observation(vec![evidence("zoe", OwnerBasis::Path)]);
    assert_eq!(show(alone(&own, Some(&parent)).as_ref()), "zoe path 40");
    let nobody = observation(vec![evidence("tbd", OwnerBasis::Label)]);
    assert_eq!(show(alone(&nobody, Some(&parent)).as_ref()), "ana label 90");
}

#[test]
fn a_mere_candidate_stands_only_where_nothing_surer_is_inherited() {
    for basis in [OwnerBasis::Creator, OwnerBasis::Container] {
        let own = observation(vec![evidence("zoe", basis)]);
        let sure = parent(vec![evidence("ana", OwnerBasis::Label)]);
        assert_eq!(show(alone(&own, Some(&sure)).as_ref()), "ana label 90");
        let guess = parent(vec![evidence("ana", OwnerBasis::Container)]);
        let kept = alone(&own, Some(&guess)).unwrap();
        assert_eq!((kept.reference.as_str(), kept.inherited_from), ("zoe", None));
    }
}

#[test]
fn who_uses_an_identity_lends_it_an_owner() {
    let a = || used_by(labelled("a", "ana"), 100);
    check_users(vec![a()], "ana label 90, over a");
    check_users(vec![used_by(labelled("a", "ana"), 80)], "ana label 71, over a");
    // Nobody's users have no say, and the same owner twice is one.
    check_users(
        vec![used_by(named("n", Class::Workload, vec![]), 100), a()],
        "ana label 90, over a",
    );
    check_users(vec![a(), used_by(labelled("b", "Ana"), 95)], "ana label 90, over a");
    // Several owners: it is shared.
    check_users(vec![a(), used_by(labelled("b", "bob"), 100)], "-");
    // What is not sure is not asked, exactly at the threshold included.
    check_users(vec![a(), used_by(labelled("b", "bob"), SURE - 1)], "ana label 90, over a");
    check_users(vec![a(), used_by(labelled("b", "bob"), SURE)], "-");
    check_users(vec![used_by(labelled("b", "bob"), SURE - 1)], "-");
    // Other links say nothing of use.
    check_users(vec![Neighbour { kind: LinkKind::Issues, ..a() }], "-");
    check_users(vec![Neighbour { kind: LinkKind::Trusts, ..a() }], "-");
    check_users(vec![Neighbour { kind: LinkKind::Mounts, ..a() }], "ana label 90, over a");
}

#[test]
fn own_evidence_and_the_parent_go_before_users() {
    let around = Surroundings {
        incoming: vec![used_by(labelled("a", "ana"), 100)],
        ..Surroundings::default()
    };
    let own = record(observation(vec![evidence("zoe", OwnerBasis::Path)]));
    assert_eq!(show(resolve(&own, None, &around).as_ref()), "zoe path 40");
    let child = record(observation(vec![]));
    let parent = parent(vec![evidence("pat", OwnerBasis::Path)]);
    assert_eq!(show(resolve(&child, Some(&parent), &around).as_ref()), "pat path 35");
}

#[test]
fn people_and_workloads_inherit_nothing_from_what_links_to_them() {
    let around = Surroundings {
        incoming: vec![used_by(labelled("a", "ana"), 100)],
        ..Surroundings::default()
    };
    for class in [Class::Principal, Class::Workload] {
        assert_eq!(resolve(&named("u", class, vec![]), None, &around), None);
    }
}

#[test]
fn an_owner_never_comes_back_to_where_it_came_from() {
    let me = named("u", Class::Identity, vec![]);
    let mut friend = named("friend", Class::Identity, vec![]);
    let far = labelled("far", "ana").owner.unwrap();
    friend.owner = Some(Owner { path: vec![me.id().clone()], ..far });
    check_users(vec![used_by(friend.clone(), 100)], "-");
    friend.owner.as_mut().unwrap().path =
        (0..LONGEST).map(|n| RecordId::new("aws:1", "thing", &n.to_string())).collect();
    check_users(vec![used_by(friend, 100)], "-");
    check_users(vec![used_by(Record { owner: labelled("u", "ana").owner, ..me }, 100)], "-");
}

#[test]
fn what_is_known_of_the_person_travels_with_the_owner() {
    let mut left = evidence("ana", OwnerBasis::Label);
    left.standing = headcount_sdk::Standing::Left;
    let user = named("a", Class::Workload, vec![left]);
    let around = Surroundings { incoming: vec![used_by(user, 100)], ..Surroundings::default() };
    let owner = resolve(&named("u", Class::Identity, vec![]), None, &around).unwrap();
    assert_eq!(owner.standing, headcount_sdk::Standing::Left);
}

#[test]
fn parent_without_owner_gives_none() {
    assert_eq!(alone(&observation(vec![]), Some(&parent(vec![]))), None);
}

#[test]
fn inheritance_goes_on_from_child_to_grandchild() {
    let mut middle = named("middle", Class::Identity, vec![]);
    middle.owner =
        alone(&middle.observation, Some(&parent(vec![evidence("ana", OwnerBasis::Label)])));
    let owner = alone(&observation(vec![]), Some(&middle)).unwrap();
    assert_eq!(show(Some(&owner)), "ana label 85");
    assert_eq!(owner.inherited_from.as_ref(), Some(middle.id()));
}

#[test]
fn inherited_confidence_does_not_go_below_zero() {
    let mut doubtful = parent(vec![evidence("ana", OwnerBasis::Label)]);
    doubtful.owner.as_mut().unwrap().confidence = Confidence::percent(3);
    assert_eq!(show(alone(&observation(vec![]), Some(&doubtful)).as_ref()), "ana label 0");
}

/// Resolves every record of a graph without cycles, in the given order, until nothing moves.
/// `uses[n]` = the records that `n` uses, all after `n`.
fn settled(owners: &[Option<u8>], uses: &[(usize, usize)], order: &[usize]) -> Vec<String> {
    let mut records: Vec<Record> = owners
        .iter()
        .enumerate()
        .map(|(n, owner)| {
            let label = owner.map(|o| evidence(&format!("team-{o}"), OwnerBasis::Label));
            let mut record = named(&n.to_string(), Class::Identity, label.into_iter().collect());
            record.owner = None;
            record
        })
        .collect();
    for _ in 0..=records.len() {
        for at in order.iter().copied() {
            let incoming = uses
                .iter()
                .filter(|(_, used)| *used == at)
                .map(|(user, _)| used_by(records[*user].clone(), 90))
                .collect();
            let around = Surroundings { incoming, ..Surroundings::default() };
            records[at].owner = resolve(&records[at], None, &around);
        }
    }
    records.iter().map(|r| format!("{:?}", r.owner)).collect()
}

proptest! {
    #[test]
    fn the_order_in_which_a_trail_is_resolved_changes_nothing(
        owners in proptest::collection::vec(proptest::option::weighted(0.3, 0_u8..2), 1..8),
        pairs in proptest::collection::vec((0_usize..8, 0_usize..8), 0..12),
        seed in proptest::prelude::any::<u64>(),
    ) {
        let n = owners.len();
        let mut uses: Vec<(usize, usize)> =
            pairs.into_iter().filter(|(a, b)| a < b && *b < n).collect();
        let forward: Vec<usize> = (0..n).collect();
        let mut shuffled = forward.clone();
        shuffled.sort_by_key(|at| (*at as u64 + 1).wrapping_mul(seed | 1));
        let expected = settled(&owners, &uses, &forward);
        prop_assert_eq!(&expected, &settled(&owners, &uses, &shuffled));
        uses.reverse();
        prop_assert_eq!(&expected, &settled(&owners, &uses, &shuffled));
    }

    #[test]
    fn order_of_evidence_changes_nothing(
        picks in proptest::collection::vec((0..BASES.len(), "[a-c]{0,2}"), 0..6),
        turn in 0_usize..6,
    ) {
        let mut list: Vec<_> =
            picks.iter().map(|(basis, name)| evidence(name, BASES[*basis].0)).collect();
        let before = alone(&observation(list.clone()), None);
        let turn = turn.min(list.len());
        list.rotate_left(turn);
        prop_assert_eq!(&before, &alone(&observation(list.clone()), None));
        list.reverse();
        prop_assert_eq!(&before, &alone(&observation(list), None));
    }
}
