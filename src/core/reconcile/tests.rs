//! The laws of the comparison, held for any pair of snapshots.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use headcount_sdk::{Class, Extent, Recorder, ScanError, Status};
use proptest::prelude::*;

use super::*;

type Snapshot = BTreeMap<RecordId, Observation>;

fn id(number: u8) -> RecordId {
    RecordId::new("test:1", "thing", &number.to_string())
}

fn scope() -> Scope {
    Scope::new("test:1", "things")
}

fn observation(number: u8, version: u8, parent: Option<u8>) -> Observation {
    let mut observation =
        Observation::new(id(number), Class::Identity, "thing", &format!("thing-{number}"));
    observation.labels.insert("version".to_owned(), version.to_string());
    observation.parent = parent.map(id);
    if let Some(parent) = parent {
        observation.attributes.insert("holder".to_owned(), parent.to_string());
    }
    observation.status = if version.is_multiple_of(2) { Status::Active } else { Status::Disabled };
    observation
}

prop_compose! {
    fn snapshot()(things in prop::collection::btree_map(0u8..20, (0u8..4, prop::option::of(100u8..103)), 0..15))
        -> Snapshot {
        things.into_iter().map(|(n, (v, p))| (id(n), observation(n, v, p))).collect()
    }
}

/// The same things, some of them with who made them among their owner evidence.
fn told(snapshot: &Snapshot, of: &BTreeSet<u8>) -> Snapshot {
    let mut told = snapshot.clone();
    for (n, observation) in of.iter().filter_map(|n| Some((*n, snapshot.get(&id(*n))?.clone()))) {
        let evidence = [creator(n), label(n)];
        let observation = Observation { owner_evidence: evidence.to_vec(), ..observation };
        told.insert(observation.id.clone(), observation);
    }
    told
}

fn creator(number: u8) -> OwnerEvidence {
    OwnerEvidence {
        reference: format!("maker-{number}"),
        basis: OwnerBasis::Creator,
        locator: "event".to_owned(),
        kind: headcount_sdk::OwnerKind::Technical,
        standing: headcount_sdk::Standing::NotKnown,
    }
}

fn label(number: u8) -> OwnerEvidence {
    OwnerEvidence { basis: OwnerBasis::Label, locator: "tag:Owner".to_owned(), ..creator(number) }
}

fn known(snapshot: &Snapshot) -> Vec<Known> {
    snapshot
        .values()
        .enumerate()
        .map(|(row, o)| Known {
            key: key(&o.id),
            fingerprint: fingerprint(o),
            usage: usage_hash(o),
            row: i64::try_from(row).unwrap(),
        })
        .collect()
}

/// Reads `seen` against `before`, and applies what the extent proves.
fn read(before: &Snapshot, seen: &[Observation], extent: Extent) -> (Snapshot, Vec<RecordId>) {
    let mut ignore = |_| {};
    let recorder = Recorder::new(scope(), &mut ignore);
    let proof = match extent {
        Extent::Whole => recorder.complete(),
        Extent::Parents { parents, outstanding } => {
            recorder.complete_for_parents(parents, outstanding)
        }
        Extent::Records(records) => recorder.complete_for_records(records),
        Extent::AllBut { attribute, values } => {
            let reason = "made up".to_owned();
            let because = ScanError::NotSupported { operation: "list".to_owned(), reason };
            recorder.complete_all_but((&attribute, values), because)
        }
    };
    let mut reading = Reading::of(known(before));
    for observation in seen {
        reading.accept(observation.clone());
    }
    let found = reading.finish();
    let rows: Vec<&Observation> = before.values().collect();
    let unseen: Vec<Observation> =
        found.unseen.iter().map(|row| rows[usize::try_from(*row).unwrap()].clone()).collect();
    let gone = Found::proven_gone(&unseen, &proof);
    let mut after = before.clone();
    for observation in found.changed {
        let merged = match after.get(&observation.id) {
            Some(old) => merge(old, observation),
            None => observation,
        };
        after.insert(merged.id.clone(), merged);
    }
    for gone in &gone {
        after.remove(gone.record());
    }
    (after, gone.into_iter().map(|g| g.record().clone()).collect())
}

proptest! {
    #[test]
    fn a_snapshot_against_itself_brings_nothing(a in snapshot()) {
        let seen: Vec<Observation> = a.values().cloned().collect();
        let mut reading = Reading::of(known(&a));
        seen.into_iter().for_each(|o| reading.accept(o));
        let found = reading.finish();
        prop_assert!(found.changed.is_empty() && found.used.is_empty() && found.unseen.is_empty());
    }

    #[test]
    fn a_complete_reading_brings_exactly_what_was_seen(a in snapshot(), b in snapshot()) {
        let seen: Vec<Observation> = b.values().cloned().collect();
        prop_assert_eq!(read(&a, &seen, Extent::Whole).0, b);
    }

    #[test]
    fn order_and_repetition_change_nothing(
        a in snapshot(),
        b in snapshot(),
        seed in any::<u64>(),
    ) {
        let seen: Vec<Observation> = b.values().cloned().collect();
        let mut shuffled: Vec<Observation> = seen.iter().chain(&seen).cloned().collect();
        let len = shuffled.len().max(1) as u64;
        shuffled.sort_by_key(|o| key(&o.id) ^ u128::from(seed % len));
        prop_assert_eq!(
            read(&a, &seen, Extent::Whole),
            read(&a, &shuffled, Extent::Whole)
        );
    }

    /// Events tell who made a record, listings do not: what was told stays, is no drift, and is no
    /// reason to read the record as changed again.
    #[test]
    fn who_made_a_record_is_never_forgotten(
        a in snapshot(),
        of in prop::collection::btree_set(0u8..20, 0..8),
    ) {
        let before = told(&a, &of);
        let listed: Vec<Observation> = before
            .values()
            .map(|o| {
                let mut listed = o.clone();
                listed.owner_evidence.retain(|e| e.basis != OwnerBasis::Creator);
                listed
            })
            .collect();
        prop_assert_eq!(&read(&before, &listed, Extent::Whole).0, &before);
        for new in listed {
            let merged = merge(&before[&new.id], new.clone());
            prop_assert!(changes(&before[&new.id], &merged).is_empty());
            prop_assert_eq!(&merge(&merged, new), &merged);
        }
    }

    #[test]
    fn nothing_disappears_outside_of_what_the_proof_covers(
        a in snapshot(),
        b in snapshot(),
        covered in prop::collection::btree_set(100u8..103, 0..3),
    ) {
        let seen: Vec<Observation> = b.values().cloned().collect();
        let parents: BTreeSet<RecordId> = covered.into_iter().map(id).collect();
        let extent = Extent::Parents { parents: parents.clone(), outstanding: 0 };
        let (after, gone) = read(&a, &seen, extent);
        for (id, observation) in &a {
            let parent_covered = observation.parent.as_ref().is_some_and(|p| parents.contains(p));
            let expected_gone = parent_covered && !b.contains_key(id);
            prop_assert_eq!(gone.contains(id), expected_gone);
            prop_assert_eq!(after.contains_key(id), !expected_gone);
        }
    }

    #[test]
    fn what_hangs_on_things_that_could_not_be_asked_stays(
        a in snapshot(),
        b in snapshot(),
        unasked in prop::collection::btree_set(100u8..103, 1..3),
    ) {
        let seen: Vec<Observation> = b.values().cloned().collect();
        let values: BTreeSet<String> = unasked.iter().map(u8::to_string).collect();
        let extent = Extent::AllBut { attribute: "holder".to_owned(), values: values.clone() };
        let (_, gone) = read(&a, &seen, extent);
        for (id, observation) in &a {
            // Of what names nothing that it hangs on, nobody knows whether it could be asked for.
            let asked = observation.attributes.get("holder").is_some_and(|h| !values.contains(h));
            prop_assert_eq!(gone.contains(id), asked && !b.contains_key(id));
        }
    }

    #[test]
    fn a_new_name_is_a_change_and_never_a_new_record(a in snapshot(), name in "[a-z]{1,8}") {
        let seen: Vec<Observation> =
            a.values().map(|o| Observation { name: name.clone(), ..o.clone() }).collect();
        let (after, gone) = read(&a, &seen, Extent::Whole);
        prop_assert!(gone.is_empty());
        prop_assert_eq!(after.keys().collect::<Vec<_>>(), a.keys().collect::<Vec<_>>());
    }
}

#[test]
fn an_unread_field_keeps_what_was_known() {
    let before = observation(1, 0, None);
    let mut after = observation(1, 0, None);
    after.labels.clear();
    after.unread.insert("labels".to_owned(), "iam:ListRoles".to_owned());
    let merged = merge(&before, after);
    assert_eq!(merged.labels, before.labels);
    assert!(changes(&before, &merged).is_empty(), "a lost permission is not drift");
}

#[test]
fn a_creator_stays_beside_evidence_that_changes() {
    let mut before = observation(1, 0, None);
    before.owner_evidence = vec![label(1), creator(1)];
    let with = |evidence: Vec<OwnerEvidence>| {
        let mut new = observation(1, 0, None);
        new.owner_evidence = evidence;
        merge(&before, new).owner_evidence
    };
    assert_eq!(with(vec![]), [creator(1)], "a label that is gone is gone");
    assert_eq!(with(vec![label(2)]), [label(2), creator(1)]);
    assert_eq!(with(vec![label(1)]), [label(1), creator(1)]);
    // The source speaks of it again, perhaps because the person has left.
    let left = OwnerEvidence { standing: headcount_sdk::Standing::Left, ..creator(1) };
    assert_eq!(with(vec![left.clone()]), [left]);
    let mut unread = observation(1, 0, None);
    unread.unread.insert("owner_evidence".to_owned(), "t:Tags".to_owned());
    assert_eq!(merge(&before, unread).owner_evidence, before.owner_evidence);
}

#[test]
fn the_inventory_remembers_use_that_the_source_forgot() {
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let used =
        Usage::LastUsed { at: at("2025-01-01T00:00:00Z"), resolution_secs: 900, lag_secs: 0 };
    let never = |from: &str| Usage::NeverSince { tracking_start: at(from), lag_secs: 0 };
    let rows = [
        (used.clone(), never("2025-06-01T00:00:00Z"), used.clone()),
        (
            never("2024-01-01T00:00:00Z"),
            never("2025-01-01T00:00:00Z"),
            never("2024-01-01T00:00:00Z"),
        ),
        (never("2024-01-01T00:00:00Z"), used.clone(), used.clone()),
        (Usage::NotObservable { reason: "x".to_owned() }, used.clone(), used),
    ];
    for (before, now, expected) in rows {
        assert_eq!(later_usage(&before, now), expected);
    }
}

#[test]
fn the_brake_holds_large_removals_and_empties() {
    let brake = Brake { max_percent: 30, min_records: 5 };
    let rows = [
        // removed, known, held
        (0, 0, false),
        (0, 10, false),
        (1, 1, true),
        (2, 3, false),
        (4, 10, false),
        (5, 10, true),
        (30, 100, false),
        (31, 100, true),
        (100, 100, true),
    ];
    for (removed, known, held) in rows {
        assert_eq!(brake.holds(removed, known), held, "{removed} of {known}");
    }
}

#[test]
fn use_and_evidence_are_not_part_of_the_fingerprint() {
    let plain = observation(1, 0, None);
    let mut used = plain.clone();
    used.usage = Usage::NeverSince { tracking_start: jiff::Timestamp::UNIX_EPOCH, lag_secs: 1 };
    used.evidence.push(headcount_sdk::Evidence {
        operation: "op".to_owned(),
        object: "row".to_owned(),
        at: jiff::Timestamp::UNIX_EPOCH,
    });
    assert_eq!(fingerprint(&plain), fingerprint(&used));
    assert_ne!(usage_hash(&plain), usage_hash(&used));
}

#[test]
fn a_reading_of_a_slice_asks_about_the_slice_alone() {
    let known = |n: u8| Known { key: key(&id(n)), fingerprint: 0, usage: 0, row: i64::from(n) };
    let reading = Reading::of((0..5).map(known).collect());
    let found = reading.finish_about(&BTreeSet::from([id(1), id(3), id(9)]));
    let mut unseen = found.unseen;
    unseen.sort_unstable();
    assert_eq!(unseen, [1, 3]);
    assert_eq!(found.known, 5);
}
