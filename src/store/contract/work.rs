//! Pages for people who work: findings with owners, records behind a count.

use headcount_core::findings::{Finding, FindingStatus, Severity};

use super::findings::{finding, opened};
use super::*;
use crate::store::RecordCount;
use crate::store::work::{Whose, WorkFilter};

/// Two records with owners, one without; findings on each, on a scope and on what is gone.
async fn seed(store: &dyn Store) {
    let mut nobody = Record { owner: None, ..record("3", "c", moment(0)) };
    nobody.observation.unread.insert("owner_evidence".to_owned(), "iam:ListTags".to_owned());
    let other = Record { owner: Some(owner("team-b")), ..record("2", "b", moment(0)) };
    // Another name and the same owner: they are counted together.
    let same = record("4", "d", moment(0));
    let records = [record("1", "a", moment(0)), other, nobody, same];
    let on = |key: &str, severity, at| finding("r1", id(key).as_str(), severity, at);
    let all = [
        on("1", Severity::Low, 0),
        on("2", Severity::High, 7),
        on("3", Severity::High, 5),
        finding("r2", id("1").as_str(), Severity::Critical, 9),
        finding("r2", id("4").as_str(), Severity::Low, 11),
        finding("r3", "aws:1/roles", Severity::Medium, 3),
        Finding { status: FindingStatus::Resolved, ..on("gone", Severity::Critical, 1) },
    ];
    let transitions = all.iter().map(opened).collect();
    store.commit(&Commit { transitions, ..commit_of(moment(0), records) }).await.unwrap();
}

fn open() -> WorkFilter {
    WorkFilter { status: Some(FindingStatus::Open), ..WorkFilter::default() }
}

pub async fn findings_are_paged_and_narrowed_by_owner(store: &dyn Store) {
    seed(store).await;
    let (a, b, c) = ("team-a", "team-b", "nobody");
    let rows: [(WorkFilter, &[(Severity, &str)]); 6] = [
        (
            open(),
            &[
                (Severity::Critical, a),
                (Severity::High, c),
                (Severity::High, b),
                (Severity::Medium, c),
                (Severity::Low, a),
                (Severity::Low, a),
            ],
        ),
        (
            WorkFilter { whose: Whose::Nobodys, ..open() },
            &[(Severity::High, c), (Severity::Medium, c)],
        ),
        (WorkFilter { whose: Whose::Of("team-b".to_owned()), ..open() }, &[(Severity::High, b)]),
        (
            WorkFilter { rule: Some("r1".to_owned()), at_least: Some(Severity::High), ..open() },
            &[(Severity::High, c), (Severity::High, b)],
        ),
        (WorkFilter { source: Some("lab".to_owned()), ..open() }, &[]),
        (
            WorkFilter { status: Some(FindingStatus::Resolved), ..open() },
            &[(Severity::Critical, c)],
        ),
    ];
    for (filter, expected) in rows {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        // Two at a time, so that every boundary between pages is met.
        loop {
            let page = store.list_work(&filter, after.as_deref(), 2).await.unwrap();
            after = page.last().map(|work| work.finding.id.clone());
            if page.is_empty() {
                break;
            }
            found.extend(page.into_iter().map(|work| {
                let owner = work.owner.map_or("nobody".to_owned(), |owner| owner.reference);
                (work.finding.severity, owner)
            }));
        }
        let found: Vec<(Severity, &str)> = found.iter().map(|(s, o)| (*s, o.as_str())).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

pub async fn unread_evidence_of_an_owner_is_told(store: &dyn Store) {
    seed(store).await;
    let work = store.list_work(&open(), None, 10).await.unwrap();
    let unread = work.iter().filter(|work| work.is_owner_unread);
    let unread: Vec<&str> = unread.map(|work| work.finding.subject.as_str()).collect();
    assert_eq!(unread, [id("3").as_str()]);
}

pub async fn work_is_counted_by_owner_and_severity(store: &dyn Store) {
    seed(store).await;
    let counts = store.count_work(&open()).await.unwrap();
    let counts: Vec<_> =
        counts.iter().map(|c| (c.owner.as_deref(), c.severity, c.count, c.oldest)).collect();
    let expected = [
        (None, Severity::High, 1, moment(5)),
        (None, Severity::Medium, 1, moment(3)),
        (Some("team-a"), Severity::Critical, 1, moment(9)),
        (Some("team-a"), Severity::Low, 2, moment(0)),
        (Some("team-b"), Severity::High, 1, moment(7)),
    ];
    assert_eq!(counts, expected);
    let narrowed = WorkFilter { rule: Some("r1".to_owned()), ..open() };
    assert_eq!(store.count_work(&narrowed).await.unwrap().len(), 3);
}

pub async fn records_behind_a_count_are_paged(store: &dyn Store) {
    let mut records: Vec<Record> =
        (0..5).map(|n| record(&n.to_string(), &format!("r{n}"), moment(0))).collect();
    records[2].owner = None;
    records[3].observation.status = Status::Disabled;
    store.commit(&commit_of(moment(0), records)).await.unwrap();
    let counts = store.count_records().await.unwrap();
    let mut seen = 0;
    for count in &counts {
        let (mut after, mut found) = (0, Vec::new());
        loop {
            let page = store.list_counted(count, after, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.row;
            found.extend(page.into_iter().map(|listed| listed.record));
        }
        assert_eq!(found.len() as u64, count.count, "{count:?}");
        for record in &found {
            let seen = &record.observation;
            assert_eq!(seen.status.as_str(), count.status);
            assert_eq!(record.owner.is_some(), count.owned);
        }
        seen += found.len();
    }
    assert_eq!((seen, counts.len()), (5, 3));
    let nowhere = RecordCount { source: "lab".to_owned(), ..counts[0].clone() };
    assert!(store.list_counted(&nowhere, 0, 10).await.unwrap().is_empty());
}
