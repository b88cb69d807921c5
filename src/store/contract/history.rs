//! The past: versions, drift, and the inventory as of a moment.

use std::collections::BTreeMap;

use headcount_core::reconcile::{Change, Drift};
use headcount_sdk::Class;

use super::*;

fn spans(versions: &[crate::store::Version]) -> Vec<(Timestamp, Option<Timestamp>, &str)> {
    versions
        .iter()
        .map(|v| (v.valid_from, v.valid_to, v.record.observation.name.as_str()))
        .collect()
}

pub async fn change_closes_the_version_before(store: &dyn Store) {
    store.commit(&commit_of(moment(0), [record("1", "a", moment(0))])).await.unwrap();
    let changed = Record { first_seen_at: moment(0), ..record("1", "b", moment(10)) };
    store.commit(&commit_of(moment(10), [changed.clone()])).await.unwrap();
    let versions = store.versions(&id("1")).await.unwrap();
    let expected = [(moment(0), Some(moment(10)), "a"), (moment(10), None, "b")];
    assert_eq!(spans(&versions), expected);
    assert_eq!(versions.last().unwrap().record, changed);

    assert_eq!(names(&everything(store, Some(moment(-1))).await), Vec::<&str>::new());
    assert_eq!(names(&everything(store, Some(moment(0))).await), ["a"]);
    let last = moment(10).checked_sub(SignedDuration::from_nanos(1)).unwrap();
    assert_eq!(names(&everything(store, Some(last)).await), ["a"]);
    assert_eq!(names(&everything(store, Some(moment(10))).await), ["b"]);
    assert_eq!(names(&everything(store, Some(Timestamp::MAX)).await), ["b"]);
}

pub async fn record_written_without_a_change_keeps_its_version(store: &dyn Store) {
    store.commit(&commit_of(moment(0), [record("1", "a", moment(0))])).await.unwrap();
    let mut again = record("1", "a", moment(0));
    again.observation.unread.clear();
    store.commit(&commit_of(moment(10), [again.clone()])).await.unwrap();
    assert_eq!(spans(&store.versions(&id("1")).await.unwrap()), [(moment(0), None, "a")]);
    assert_eq!(everything(store, None).await, vec![again.clone()]);
    let known = store.known(SOURCE, &scope("roles")).await.unwrap();
    assert_eq!(known.first().unwrap().fingerprint, written(again).fingerprint);
}

pub async fn vanished_records_are_found_by_id_and_name(store: &dyn Store) {
    let records = ["1", "2", "3"].map(|key| record(key, "deploy", moment(0)));
    store.commit(&commit_of(moment(0), records.clone())).await.unwrap();
    store.commit(&Commit { removed: vec![id("2")], ..commit(moment(1)) }).await.unwrap();
    store.commit(&Commit { removed: vec![id("1")], ..commit(moment(2)) }).await.unwrap();

    let [first, second, _] = records;
    let ids = [id("1"), id("2"), id("3"), id("4")];
    assert_eq!(store.vanished(&ids).await.unwrap(), vec![first, second]);
    let asked = |name: &str| ("iam-role".to_owned(), name.to_owned());
    let names = [asked("deploy"), asked("never"), ("user".to_owned(), "deploy".to_owned())];
    let found = store.vanished_by_name(SOURCE, &scope("roles"), &names).await.unwrap();
    assert_eq!(found, BTreeMap::from([(asked("deploy"), id("1"))]));
    assert!(store.vanished_by_name(SOURCE, &scope("users"), &names).await.unwrap().is_empty());
    assert!(store.vanished_by_name("other", &scope("roles"), &names).await.unwrap().is_empty());

    let absent = store.commit(&Commit { removed: vec![id("1")], ..commit(moment(3)) }).await;
    assert!(matches!(absent, Err(crate::store::StoreError::Failed { .. })));
}

pub async fn record_that_comes_back_opens_a_second_life(store: &dyn Store) {
    store.commit(&commit_of(moment(0), [record("1", "a", moment(0))])).await.unwrap();
    store.commit(&Commit { removed: vec![id("1")], ..commit(moment(10)) }).await.unwrap();
    assert!(everything(store, None).await.is_empty());
    assert!(store.known(SOURCE, &scope("roles")).await.unwrap().is_empty());
    let back = Record { first_seen_at: moment(0), ..record("1", "a", moment(20)) };
    store.commit(&commit_of(moment(20), [back.clone()])).await.unwrap();

    assert!(store.vanished(&[id("1")]).await.unwrap().is_empty());
    assert!(everything(store, Some(moment(10))).await.is_empty());
    assert_eq!(everything(store, Some(moment(20))).await, vec![back]);
    let expected = [(moment(0), Some(moment(10)), "a"), (moment(20), None, "a")];
    assert_eq!(spans(&store.versions(&id("1")).await.unwrap()), expected);
}

pub async fn clock_that_goes_back_never_makes_versions_overlap(store: &dyn Store) {
    store.commit(&commit_of(moment(100), [record("1", "a", moment(100))])).await.unwrap();
    store.commit(&commit_of(moment(50), [record("1", "b", moment(50))])).await.unwrap();
    store.commit(&Commit { removed: vec![id("1")], ..commit(moment(60)) }).await.unwrap();
    store.commit(&commit_of(moment(70), [record("1", "c", moment(70))])).await.unwrap();
    for (earlier, later) in [(0, 1), (1, 2)] {
        let versions = store.versions(&id("1")).await.unwrap();
        let (earlier, later) = (versions.get(earlier).unwrap(), versions.get(later).unwrap());
        assert!(earlier.valid_to.unwrap() <= later.valid_from);
        assert!(earlier.valid_from <= earlier.valid_to.unwrap());
    }
    assert_eq!(names(&everything(store, Some(moment(100))).await), ["c"]);
    assert!(everything(store, Some(moment(99))).await.is_empty());
}

pub async fn pages_of_the_past_follow_the_cursor(store: &dyn Store) {
    let keys: Vec<String> = (0..9).map(|n| n.to_string()).collect();
    let all = keys.iter().map(|key| record(key, key, moment(0)));
    store.commit(&commit_of(moment(0), all)).await.unwrap();
    let changed = ["1", "4", "7"].map(|key| record(key, "changed", moment(10)));
    let mut second = commit_of(moment(10), changed);
    second.removed = vec![id("2"), id("5")];
    store.commit(&second).await.unwrap();

    for (at, expected) in [(Some(moment(5)), 9), (Some(moment(10)), 7), (None, 7)] {
        let filter = RecordFilter { at, ..RecordFilter::default() };
        let mut paged = Vec::new();
        loop {
            let after = paged.last().map(|record: &Record| record.id().clone());
            let page = store.list_records(&filter, after.as_ref(), 2).await.unwrap();
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, everything(store, at).await);
        assert_eq!(paged.len(), expected);
        assert!(paged.is_sorted_by(|a, b| a.id() < b.id()));
    }
}

pub async fn filters_narrow_the_present_and_the_past(store: &dyn Store) {
    let mut key = record("2", "key", moment(0));
    key.observation.class = Class::Credential;
    key.observation.kind = "access-key".to_owned();
    let mut person = record("3", "ana", moment(0));
    person.observation.class = Class::Principal;
    let elsewhere = Record { source: "lab".to_owned(), ..record("4", "lab", moment(0)) };
    let records = [record("1", "role", moment(0)), key, person, elsewhere];
    store.commit(&commit_of(moment(0), records)).await.unwrap();
    let removed = ["1", "2", "3", "4"].map(id).to_vec();
    store.commit(&Commit { removed, ..commit(moment(10)) }).await.unwrap();

    let then = RecordFilter { at: Some(moment(5)), ..RecordFilter::default() };
    let rows = [
        (RecordFilter { source: Some("lab".to_owned()), ..then.clone() }, vec!["lab"]),
        (RecordFilter { source: Some("none".to_owned()), ..then.clone() }, vec![]),
        (RecordFilter { kind: Some("access-key".to_owned()), ..then.clone() }, vec!["key"]),
        (
            RecordFilter { classes: vec![Class::Principal, Class::Credential], ..then.clone() },
            vec!["key", "ana"],
        ),
        (
            RecordFilter {
                source: Some(SOURCE.to_owned()),
                classes: vec![Class::Identity],
                text: Some("rol".to_owned()),
                ..then
            },
            vec!["role"],
        ),
    ];
    for (filter, expected) in rows {
        let found = store.list_records(&filter, None, 10).await.unwrap();
        assert_eq!(names(&found), expected, "{filter:?}");
        let now = RecordFilter { at: None, ..filter };
        assert!(store.list_records(&now, None, 10).await.unwrap().is_empty());
    }
}

pub async fn search_takes_wildcards_as_letters_and_ignores_case(store: &dyn Store) {
    let all = ["100%", "1000", "a_b", "axb", "back\\slash", "Größe-ÄRZTE", "plain"];
    let records: Vec<Record> =
        all.iter().enumerate().map(|(n, name)| record(&format!("K{n}"), name, moment(0))).collect();
    store.commit(&commit_of(moment(0), records)).await.unwrap();
    let rows: [(&str, &[&str]); 8] = [
        ("100%", &["100%"]),
        ("A_B", &["a_b"]),
        ("\\", &["back\\slash"]),
        ("grÖSSE", &[]),
        ("grÖße-är", &["Größe-ÄRZTE"]),
        ("ROLE/PLAIN", &["plain"]),
        ("role/k3", &["axb"]),
        ("'", &[]),
    ];
    for (text, expected) in rows {
        let filter = RecordFilter { text: Some(text.to_owned()), ..RecordFilter::default() };
        let found = store.list_records(&filter, None, 10).await.unwrap();
        assert_eq!(names(&found), expected, "{text}");
    }
}

pub async fn drift_is_read_between_two_moments(store: &dyn Store) {
    let drift = |key: &str, change: Change| Drift {
        record: id(key),
        name: key.to_owned(),
        kind: "iam-role".to_owned(),
        scope: scope("roles"),
        change,
    };
    let fields = vec![headcount_core::reconcile::FieldChange {
        field: "labels.Owner".to_owned(),
        from: serde_json::Value::Null,
        to: serde_json::json!({"a": [1, null]}),
    }];
    let steps = [
        (0, vec![drift("2", Change::Appeared), drift("1", Change::Appeared)]),
        (10, vec![drift("1", Change::Changed { fields })]),
        (20, vec![drift("1", Change::Disappeared), drift("2", Change::Reappeared)]),
    ];
    for (at, drift) in &steps {
        store.commit(&Commit { drift: drift.clone(), ..commit(moment(*at)) }).await.unwrap();
    }
    let read = store.drift(moment(0), moment(20)).await.unwrap();
    let expected: Vec<Drift> = steps.iter().skip(1).flat_map(|(_, drift)| drift.clone()).collect();
    assert_eq!(read.iter().map(|past| past.drift.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(read.first().unwrap().at, moment(10));
    assert_eq!(read.first().unwrap().source, SOURCE);
    assert_eq!(store.drift(Timestamp::MIN, moment(0)).await.unwrap().len(), 2);
    assert!(store.drift(moment(20), Timestamp::MAX).await.unwrap().is_empty());
}

/// One step of [`past_moments_read_back`]: seconds since the step before, and for each of some
/// records what becomes of it.
pub type Step = (u8, Vec<Option<u8>>);

/// Whatever is committed, listing as of any past moment gives what was present then.
pub async fn past_moments_read_back(store: &dyn Store, steps: &[Step]) {
    let mut present: BTreeMap<RecordId, Record> = BTreeMap::new();
    let mut moments: Vec<(Timestamp, Vec<Record>)> = Vec::new();
    let mut now = 0;
    for (pause, fates) in steps {
        now += i64::from(*pause) + 1;
        let at = moment(now);
        let mut commit = commit(at);
        for (n, fate) in fates.iter().enumerate() {
            let key = n.to_string();
            match fate {
                Some(name) => {
                    let record = record(&key, &name.to_string(), at);
                    commit.written.push(written(record.clone()));
                    present.insert(id(&key), record);
                }
                None => commit.removed.extend(present.remove(&id(&key)).map(|_| id(&key))),
            }
        }
        store.commit(&commit).await.unwrap();
        moments.push((at, present.values().cloned().collect()));
    }
    for (n, (at, expected)) in moments.iter().enumerate() {
        assert_eq!(&everything(store, Some(*at)).await, expected);
        let before = at.checked_sub(SignedDuration::from_nanos(1)).unwrap();
        let earlier = n.checked_sub(1).and_then(|n| moments.get(n));
        let expected = earlier.map(|(_, records)| records.clone()).unwrap_or_default();
        assert_eq!(everything(store, Some(before)).await, expected);
    }
    assert_eq!(everything(store, None).await, present.into_values().collect::<Vec<_>>());
    let known = store.known(SOURCE, &scope("roles")).await.unwrap();
    assert_eq!(known.len(), everything(store, None).await.len());
}
