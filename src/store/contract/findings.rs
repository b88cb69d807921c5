//! Findings and their steps.

use std::collections::BTreeMap;

use headcount_core::findings::{
    Certainty, Finding, FindingStatus, Severity, Transition, TransitionKind, finding_id,
};

use super::*;
use crate::store::{Event, FindingFilter, Route, StoreError};

pub fn finding(rule: &str, subject: &str, severity: Severity, opened: i64) -> Finding {
    Finding {
        id: finding_id(rule, subject),
        rule: rule.to_owned(),
        severity,
        confidence: Certainty::High,
        status: FindingStatus::Open,
        source: SOURCE.to_owned(),
        subject: subject.to_owned(),
        subject_name: format!("name of {subject}"),
        title: format!("{rule} on \"{subject}\""),
        facts: BTreeMap::from([("days".to_owned(), "90".to_owned())]),
        opened_at: moment(opened),
        updated_at: moment(opened),
        resolved_at: None,
        resolution: None,
        transitions: 1,
    }
}

pub fn opened(finding: &Finding) -> Transition {
    Transition { kind: TransitionKind::Opened, finding: finding.clone() }
}

fn resolved(finding: &Finding, at: i64) -> Transition {
    let finding = Finding {
        status: FindingStatus::Resolved,
        updated_at: moment(at),
        resolved_at: Some(moment(at)),
        resolution: Some("it is gone".to_owned()),
        transitions: finding.transitions + 1,
        ..finding.clone()
    };
    Transition { kind: TransitionKind::Resolved, finding }
}

pub async fn finding_keeps_its_steps(store: &dyn Store) {
    let first = finding("stale-identity", "a", Severity::High, 0);
    let other = finding("new-identity", "a", Severity::Low, 0);
    let transitions = vec![opened(&first), opened(&other)];
    store.commit(&Commit { transitions, ..commit(moment(0)) }).await.unwrap();
    let last = resolved(&first, 10);
    let transitions = vec![last.clone()];
    store.commit(&Commit { transitions, ..commit(moment(10)) }).await.unwrap();

    let (now, steps) = store.finding(&first.id).await.unwrap().unwrap();
    assert_eq!(now, last.finding);
    let steps: Vec<_> = steps.iter().map(|s| (s.number, s.kind, s.at, s.severity)).collect();
    let expected = [
        (1, TransitionKind::Opened, moment(0), Severity::High),
        (2, TransitionKind::Resolved, moment(10), Severity::High),
    ];
    assert_eq!(steps, expected);
    let on = store.findings_on(&["a".to_owned(), "b".to_owned()]).await.unwrap();
    assert_eq!(on.len(), 2);
    assert!(on.contains(&last.finding) && on.contains(&other));
    let open = store.count_open_findings().await.unwrap();
    let key = ("new-identity".to_owned(), Severity::Low, SOURCE.to_owned());
    assert_eq!(open, BTreeMap::from([(key, 1)]));
}

pub async fn findings_come_most_severe_first(store: &dyn Store) {
    let all = [
        finding("r1", "a", Severity::Low, 0),
        finding("r1", "b", Severity::Critical, 20),
        finding("r2", "c", Severity::Critical, 10),
        finding("r2", "d", Severity::Info, 0),
        Finding { source: "lab".to_owned(), ..finding("r2", "e", Severity::High, 0) },
        Finding { status: FindingStatus::Suppressed, ..finding("r3", "f", Severity::Medium, 0) },
    ];
    let transitions = all.iter().map(opened).collect();
    store.commit(&Commit { transitions, ..commit(moment(0)) }).await.unwrap();
    let any = FindingFilter::default();
    let rows: [(FindingFilter, &[&str]); 6] = [
        (any.clone(), &["c", "b", "e", "f", "a", "d"]),
        (FindingFilter { at_least: Some(Severity::High), ..any.clone() }, &["c", "b", "e"]),
        (FindingFilter { rule: Some("r1".to_owned()), ..any.clone() }, &["b", "a"]),
        (FindingFilter { source: Some("lab".to_owned()), ..any.clone() }, &["e"]),
        (FindingFilter { subject: Some("d".to_owned()), ..any.clone() }, &["d"]),
        (FindingFilter { status: Some(FindingStatus::Suppressed), ..any }, &["f"]),
    ];
    for (filter, expected) in rows {
        let found = store.list_findings(&filter).await.unwrap();
        let found: Vec<&str> = found.iter().map(|finding| finding.subject.as_str()).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

/// The last statement of the commit fails, so all that came before it must be undone.
pub async fn step_taken_twice_leaves_nothing_of_its_commit(store: &dyn Store) {
    let first = finding("r", "a", Severity::High, 0);
    let transitions = vec![opened(&first)];
    store.commit(&Commit { transitions, ..commit(moment(0)) }).await.unwrap();

    let changed = Finding { title: "changed".to_owned(), ..first.clone() };
    let again = Commit {
        scope: Some(scope_state("roles", headcount_core::inventory::Coverage::Complete)),
        source_state: Some(source_state(SOURCE)),
        transitions: vec![opened(&finding("r", "b", Severity::Low, 1)), opened(&changed)],
        events: vec![Event {
            sequence: 1,
            id: "evt_1".to_owned(),
            kind: "k".to_owned(),
            finding: None,
            time: moment(1),
            body: "{}".to_owned(),
        }],
        sinks: vec![Route::all("hook")],
        ..commit_of(moment(1), [record("1", "a", moment(1))])
    };
    let failed = store.commit(&again).await;
    assert!(matches!(failed, Err(StoreError::Failed { .. })), "{failed:?}");

    assert!(everything(store, None).await.is_empty());
    assert!(store.known(SOURCE, &scope("roles")).await.unwrap().is_empty());
    assert!(store.scope_states(None).await.unwrap().is_empty());
    assert!(store.source_states().await.unwrap().is_empty());
    assert_eq!(store.list_findings(&FindingFilter::default()).await.unwrap(), vec![first]);
    assert_eq!(store.next_sequence().await.unwrap(), 1);
    assert!(store.due_deliveries("hook", Timestamp::MAX, 10).await.unwrap().is_empty());
    store.commit(&Commit { transitions: Vec::new(), ..again }).await.unwrap();
}
