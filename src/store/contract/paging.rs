//! Lists page by page.

use headcount_core::findings::{FindingStatus, Severity, Transition, TransitionKind};
use headcount_core::reconcile::{Change, Drift};

use super::findings::finding;
use super::*;
use crate::store::paging::{
    Direction, FindingQuery, FindingSort, Ownership, RecordQuery, RecordSort, WALK,
};
use crate::store::{FindingFilter, Used};

pub fn query(sort: RecordSort, direction: Direction) -> RecordQuery {
    RecordQuery {
        filter: RecordFilter::default(),
        status: None,
        ownership: None,
        sort,
        direction,
        after: None,
        limit: 2,
    }
}

/// The names of all pages, and how many pages there were.
async fn walk(store: &dyn Store, mut query: RecordQuery) -> (Vec<String>, usize) {
    let (mut all, mut pages) = (Vec::new(), 0);
    loop {
        let page = store.page_records(&query).await.unwrap();
        all.extend(page.items.into_iter().map(|record| record.observation.name));
        pages += 1;
        match page.next {
            Some(next) => query.after = Some(next),
            None => return (all, pages),
        }
    }
}

/// Five records: names, first sights and uses in three different orders, two of them alike in each.
async fn five(store: &dyn Store) {
    let rows = [
        ("1", "ann", 40, Some(5)),
        ("2", "bob", 10, None),
        ("3", "bob", 10, Some(900)),
        ("4", "cyd", 30, Some(5)),
        ("5", "dan", 20, None),
    ];
    let records = rows.map(|(key, name, seen, used)| {
        let mut record = record(key, name, moment(seen));
        record.observation.usage = match used {
            Some(at) => Usage::LastUsed { at: moment(at), resolution_secs: 900, lag_secs: 14_400 },
            None => Usage::NotObservable { reason: "nobody tells".to_owned() },
        };
        if key == "5" {
            record.owner = None;
            record.observation.class = Class::Credential;
        }
        record
    });
    store.commit(&commit_of(moment(50), records)).await.unwrap();
}

pub async fn pages_of_records_follow_every_order(store: &dyn Store) {
    five(store).await;
    let rows = [
        (RecordSort::Name, ["ann", "bob", "bob", "cyd", "dan"]),
        (RecordSort::FirstSeen, ["bob", "bob", "dan", "cyd", "ann"]),
        (RecordSort::LastUse, ["bob", "dan", "ann", "cyd", "bob"]),
    ];
    for (sort, expected) in rows {
        let (all, pages) = walk(store, query(sort, Direction::Ascending)).await;
        assert_eq!((all, pages), (expected.map(str::to_owned).to_vec(), 3), "{sort:?}");
        let (mut all, _) = walk(store, query(sort, Direction::Descending)).await;
        all.reverse();
        assert_eq!(all, expected, "{sort:?} backwards");
    }
    let narrowed = [
        (RecordQuery { ownership: Some(Ownership::Ownerless), ..by_name() }, vec!["dan"]),
        (
            RecordQuery { ownership: Some(Ownership::Owned), ..by_name() },
            vec!["ann", "bob", "bob", "cyd"],
        ),
        (RecordQuery { status: Some(Status::Disabled), ..by_name() }, vec![]),
        (
            RecordQuery {
                filter: RecordFilter {
                    classes: vec![Class::Credential, Class::Grant],
                    ..RecordFilter::default()
                },
                ..by_name()
            },
            vec!["dan"],
        ),
        (
            RecordQuery {
                filter: RecordFilter { text: Some("B".to_owned()), ..RecordFilter::default() },
                ..by_name()
            },
            vec!["bob", "bob"],
        ),
    ];
    for (query, expected) in narrowed {
        assert_eq!(walk(store, query).await.0, expected);
    }
    // Use moves without a version, and the order with it.
    let usage = Usage::LastUsed { at: moment(9_000), resolution_secs: 900, lag_secs: 14_400 };
    let used = Used { id: id("5"), usage, usage_hash: 1, history: History::default() };
    store.commit(&Commit { used: vec![used], ..commit(moment(60)) }).await.unwrap();
    let (all, _) = walk(store, query(RecordSort::LastUse, Direction::Ascending)).await;
    assert_eq!(all, ["bob", "ann", "cyd", "bob", "dan"]);
}

fn by_name() -> RecordQuery {
    query(RecordSort::Name, Direction::Ascending)
}

pub async fn pages_stay_in_place_while_records_come_and_go(store: &dyn Store) {
    five(store).await;
    let first = store.page_records(&by_name()).await.unwrap();
    assert_eq!(names(&first.items), ["ann", "bob"]);
    let mut later =
        commit_of(moment(60), [record("0", "aaa", moment(60)), record("9", "bzz", moment(60))]);
    later.removed = vec![id("1"), id("2")];
    store.commit(&later).await.unwrap();
    let rest = RecordQuery { after: first.next, limit: 10, ..by_name() };
    let rest = store.page_records(&rest).await.unwrap();
    assert_eq!(names(&rest.items), ["bob", "bzz", "cyd", "dan"]);
    assert_eq!(rest.next, None);
}

pub async fn page_looks_at_a_bounded_number_of_rows(store: &dyn Store) {
    let many = WALK + 5;
    let records = (0..many).map(|n| record(&format!("{n:06}"), &format!("{n:06}"), moment(0)));
    store.commit(&commit_of(moment(0), records)).await.unwrap();
    let last = format!("{:06}", many - 1);
    let filter = RecordFilter { text: Some(last.clone()), ..RecordFilter::default() };
    // Also where all of them share one key: they were used at the same time.
    for sort in [RecordSort::Name, RecordSort::LastUse] {
        let query = query(sort, Direction::Ascending);
        let query = RecordQuery { filter: filter.clone(), ..query };
        let first = store.page_records(&query).await.unwrap();
        assert!(first.items.is_empty() && first.next.is_some());
        let second = RecordQuery { after: first.next, ..query };
        let second = store.page_records(&second).await.unwrap();
        assert_eq!((names(&second.items), second.next), (vec![last.as_str()], None));
    }
}

pub async fn pages_of_findings_follow_both_orders(store: &dyn Store) {
    let rows = [
        ("a", Severity::Low, 5),
        ("b", Severity::High, 9),
        ("c", Severity::High, 3),
        ("d", Severity::Critical, 7),
        ("e", Severity::High, 3),
    ];
    let mut transitions = Vec::new();
    for (subject, severity, opened) in rows {
        let mut finding = finding("stale-identity", subject, severity, opened);
        if subject == "d" {
            finding.status = FindingStatus::Suppressed;
        }
        transitions.push(Transition { kind: TransitionKind::Opened, finding });
    }
    store.commit(&Commit { transitions, ..commit(moment(10)) }).await.unwrap();
    let ids = |subjects: &[&str]| -> Vec<String> {
        subjects
            .iter()
            .map(|subject| headcount_core::findings::finding_id("stale-identity", subject))
            .collect()
    };
    // Those that are alike come in the order of their ids.
    let mut alike = ids(&["c", "e"]);
    alike.sort();
    let status = |status| FindingFilter { status, ..FindingFilter::default() };
    let rows = [
        (
            status(None),
            FindingSort::Severity,
            [ids(&["d"]), alike.clone(), ids(&["b", "a"])].concat(),
        ),
        (
            status(Some(FindingStatus::Open)),
            FindingSort::Severity,
            [alike.clone(), ids(&["b", "a"])].concat(),
        ),
        (
            FindingFilter { at_least: Some(Severity::High), ..status(Some(FindingStatus::Open)) },
            FindingSort::Severity,
            [alike.clone(), ids(&["b"])].concat(),
        ),
        (
            FindingFilter { source: Some("other".to_owned()), ..status(None) },
            FindingSort::Severity,
            vec![],
        ),
        (
            FindingFilter { subject: Some("b".to_owned()), ..status(None) },
            FindingSort::Newest,
            ids(&["b"]),
        ),
        (status(None), FindingSort::Newest, {
            let mut newest = [alike, ids(&["a", "d", "b"])].concat();
            newest.reverse();
            newest
        }),
    ];
    for limit in [1, 2, 9] {
        for (filter, sort, expected) in &rows {
            let mut query =
                FindingQuery { filter: filter.clone(), sort: *sort, after: None, limit };
            let mut all = Vec::new();
            loop {
                let page = store.page_findings(&query).await.unwrap();
                all.extend(page.items.into_iter().map(|finding| finding.id));
                match page.next {
                    Some(next) => query.after = Some(next),
                    None => break,
                }
            }
            assert_eq!(all, *expected, "{filter:?} {sort:?} by {limit}");
        }
    }
}

pub async fn pages_of_drift_follow_the_lines(store: &dyn Store) {
    for at in [5, 5, 8] {
        let drift = ["a", "b"].map(|key| Drift {
            record: id(key),
            name: key.to_owned(),
            kind: "iam-role".to_owned(),
            scope: scope("roles"),
            change: Change::Disappeared,
        });
        store.commit(&Commit { drift: drift.to_vec(), ..commit(moment(at)) }).await.unwrap();
    }
    let between = (moment(4), moment(8));
    let mut after = None;
    let mut all = Vec::new();
    loop {
        let page = store.page_drift(between, after, 4).await.unwrap();
        let Some((number, line)) = page.last() else { break };
        after = Some((line.at, *number));
        all.extend(page.into_iter().map(|(_, line)| line));
    }
    assert_eq!(all.len(), 6);
    assert_eq!(all, store.drift(between.0, between.1).await.unwrap());
}
