//! Tokens, the audit, exceptions, and what is kept over time.

use headcount_core::findings::exceptions::{Exception, Selection};
use headcount_core::findings::{FindingStatus, Severity, Transition, TransitionKind};
use headcount_sdk::ScanError;

use super::findings::finding;
use super::*;
use crate::store::access::{AuditEntry, AuditOutcome, Role, Token, TokenHash, Written as Wrote};
use crate::store::over_time::Census;
use crate::store::{AuditFilter, Judged};

fn entry(actor: &str, at: i64, outcome: AuditOutcome) -> AuditEntry {
    AuditEntry {
        at: moment(at),
        actor: actor.to_owned(),
        role: Some(Role::Operator),
        action: "token.create".to_owned(),
        object: "ci".to_owned(),
        outcome,
        detail: Some("said why".to_owned()),
    }
}

fn done(at: i64) -> AuditEntry {
    entry("cli:ana", at, AuditOutcome::Done)
}

fn token(id: &str, name: &str) -> Token {
    Token {
        id: id.to_owned(),
        name: name.to_owned(),
        role: Role::Auditor,
        created_at: moment(0),
        expires_at: moment(100),
        revoked_at: None,
        used_at: None,
    }
}

pub async fn tokens_are_found_by_hash_until_they_are_over(store: &dyn Store) {
    let (hash, other) = (TokenHash::of("EXAMPLE-1"), TokenHash::of("EXAMPLE-2"));
    let first = token("tok_1", "ci");
    assert_eq!(store.add_token(&first, &hash, &done(0)).await.unwrap(), Wrote::Done);
    let same_name = store.add_token(&token("tok_2", "ci"), &other, &done(1)).await.unwrap();
    assert_eq!(same_name, Wrote::Taken);
    assert_eq!(store.token(&hash).await.unwrap(), Some(first.clone()));
    assert_eq!(store.token_by_id("tok_1").await.unwrap(), Some(first));
    assert_eq!(store.token(&other).await.unwrap(), None);

    store.token_used("tok_1", moment(7)).await.unwrap();
    assert_eq!(store.revoke_token("ci", &done(9)).await.unwrap(), Wrote::Done);
    assert_eq!(store.revoke_token("ci", &done(9)).await.unwrap(), Wrote::NotThere);
    let over = store.token(&hash).await.unwrap().unwrap();
    assert_eq!((over.revoked_at, over.used_at), (Some(moment(9)), Some(moment(7))));
    assert!(!over.is_valid(moment(10)) && !over.is_valid(moment(1)));
    // The name is free again.
    assert_eq!(
        store.add_token(&token("tok_2", "ci"), &other, &done(10)).await.unwrap(),
        Wrote::Done
    );
    assert_eq!(store.tokens().await.unwrap().len(), 2);
    let lines = store.audit(&AuditFilter::default(), None, 10).await.unwrap();
    assert_eq!(lines.len(), 3, "what changed nothing leaves no line");
}

pub async fn audit_keeps_what_was_noted(store: &dyn Store) {
    let entries = [
        entry("cli:ana", 1, AuditOutcome::Done),
        AuditEntry {
            role: None,
            detail: None,
            ..entry("anonymous@192.0.2.1", 2, AuditOutcome::Denied)
        },
        entry("cli:ana", 3, AuditOutcome::Failed),
    ];
    store.note(&entries).await.unwrap();
    let all = store.audit(&AuditFilter::default(), None, 2).await.unwrap();
    let lines: Vec<_> = all.iter().map(|(_, entry)| entry.clone()).collect();
    assert_eq!(lines, [entries[2].clone(), entries[1].clone()]);
    let rest = store.audit(&AuditFilter::default(), Some(all[1].0), 9).await.unwrap();
    assert_eq!(rest.iter().map(|(_, e)| e.clone()).collect::<Vec<_>>(), [entries[0].clone()]);
    let denied =
        AuditFilter { actor: Some("cli:ana".to_owned()), outcome: Some(AuditOutcome::Failed) };
    assert_eq!(store.audit(&denied, None, 9).await.unwrap().len(), 1);
}

fn exception(id: &str, subject: Option<String>) -> Exception {
    Exception {
        id: id.to_owned(),
        rule: "stale-identity".to_owned(),
        selection: Selection { subject, kind: Some("*".to_owned()), ..Selection::default() },
        reason: "known".to_owned(),
        author: "ana".to_owned(),
        created_at: moment(20),
        expires_at: moment(500),
        ended: None,
    }
}

async fn due(store: &dyn Store, at: i64) -> Vec<String> {
    let due = store.due(SOURCE, moment(at), 100).await.unwrap();
    due.into_iter().map(|record| record.observation.name).collect()
}

/// Three records, judged and due never; the first two have a stale finding.
async fn judged(store: &dyn Store) -> Commit {
    let keys = ["1", "2", "3"];
    let mut commit = commit_of(moment(0), keys.map(|key| record(key, key, moment(0))));
    commit.judged = keys.map(|key| Judged { id: id(key), owner: None, next_at: None }).to_vec();
    for key in ["1", "2"] {
        let mut finding = finding("stale-identity", id(key).as_str(), Severity::Low, 0);
        if key == "2" {
            finding.status = FindingStatus::Suppressed;
            finding.facts.insert("exception".to_owned(), "exc_1".to_owned());
        }
        commit.transitions.push(Transition { kind: TransitionKind::Opened, finding });
    }
    store.commit(&commit).await.unwrap();
    Commit { written: Vec::new(), transitions: Vec::new(), ..commit }
}

pub async fn exception_makes_what_it_concerns_due(store: &dyn Store) {
    let again = judged(store).await;
    assert!(due(store, 400).await.is_empty());
    let one = exception("exc_1", Some(id("1").to_string()));
    store.add_exception(&one, &done(20)).await.unwrap();
    assert_eq!(due(store, 19).await, Vec::<String>::new());
    assert_eq!(due(store, 20).await, ["1"]);
    store.add_exception(&exception("exc_2", None), &done(21)).await.unwrap();
    assert_eq!(due(store, 21).await, ["1", "2"]);
    assert_eq!(store.exceptions().await.unwrap().len(), 2);

    let version = store.exceptions_version().await.unwrap();
    assert_eq!(version, 2);
    let commit = Commit { at: moment(30), exceptions_version: version, ..again };
    store.commit(&commit).await.unwrap();
    assert!(due(store, 400).await.is_empty());
    assert_eq!(store.end_exception("exc_1", &done(40)).await.unwrap(), Wrote::Done);
    assert_eq!(due(store, 40).await, ["2"], "the one that it suppresses");
    assert_eq!(store.end_exception("exc_1", &done(41)).await.unwrap(), Wrote::NotThere);
    assert_eq!(store.end_exception("exc_9", &done(41)).await.unwrap(), Wrote::NotThere);
    let all = store.exceptions().await.unwrap();
    let ended = all.iter().find(|e| e.id == "exc_1").unwrap().ended.clone().unwrap();
    assert_eq!((ended.at, ended.by.as_str()), (moment(40), "cli:ana"));
    assert_eq!(store.end_exception("exc_2", &done(500)).await.unwrap(), Wrote::NotThere);
}

pub async fn exception_that_came_meanwhile_is_judged_again(store: &dyn Store) {
    let late = judged(store).await;
    store.add_exception(&exception("exc_1", None), &done(20)).await.unwrap();
    // Judged under version 0, before the exception was there.
    store.commit(&Commit { at: moment(25), ..late }).await.unwrap();
    assert_eq!(due(store, 25).await, ["1", "2", "3"]);
}

pub async fn population_of_a_day_is_its_last_census(store: &dyn Store) {
    judged(store).await;
    let taken = store.take_census(SOURCE, moment(60)).await.unwrap();
    let census = Census {
        at: moment(60),
        source: SOURCE.to_owned(),
        class: Class::Identity,
        records: 3,
        ownerless: 3,
        stale: 1,
    };
    assert_eq!(taken, std::slice::from_ref(&census));
    let hour = 3_600;
    let rows = [(1, 5), (2, 7), (26, 9)].map(|(hours, records)| Census {
        at: moment(hours * hour),
        records,
        ..census.clone()
    });
    for row in &rows {
        let commit = Commit { census: vec![row.clone()], ..commit(row.at) };
        store.commit(&commit).await.unwrap();
    }
    let kept = store.census(moment(0), moment(30 * hour)).await.unwrap();
    assert_eq!(kept, rows[1..]);
    assert_eq!(store.census(moment(0), moment(3 * hour)).await.unwrap(), rows[1..2]);
}

pub async fn past_coverage_is_what_was_known_then(store: &dyn Store) {
    let denied = Coverage::Incomplete {
        error: ScanError::Denied {
            operation: "iam:ListRoles".to_owned(),
            permission: "iam:ListRoles".to_owned(),
        },
    };
    let day = 86_400;
    let readings = [
        (10, Coverage::Complete),
        (20, Coverage::Complete),
        (30, denied),
        (40, Coverage::Complete),
        (day + 10, Coverage::Complete),
    ];
    for (at, coverage) in readings.clone() {
        let state = ScopeState { last_read_at: moment(at), ..scope_state("roles", coverage) };
        store.commit(&Commit { scope: Some(state), ..commit(moment(at)) }).await.unwrap();
    }
    let then = async |at: i64| store.coverage_at(moment(at)).await.unwrap();
    assert!(then(9).await.is_empty(), "nothing was recorded by then");
    let rows = [
        (10, 0, 10, 20),
        (25, 0, 10, 20),
        (30, 2, 30, 30),
        (day, 3, 40, 40),
        (9 * day, 4, day + 10, day + 10),
    ];
    for (at, reading, first, last) in rows {
        let found = then(at).await;
        assert_eq!(found.len(), 1, "{at}");
        assert_eq!(found[0].state.coverage, readings[reading].1, "{at}");
        assert_eq!((found[0].first_at, found[0].last_at), (moment(first), moment(last)), "{at}");
    }
    judged(store).await;
    let counts = store.counts_at(moment(5)).await.unwrap();
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [3]);
    assert!(store.counts_at(moment(-5)).await.unwrap().is_empty());
}
