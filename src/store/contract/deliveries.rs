//! Events and their ways to the sinks.

use std::collections::BTreeSet;

use headcount_core::findings::{Finding, Severity, Transition, TransitionKind};

use super::findings::finding;
use super::*;
use crate::store::{Attempt, Event, Outcome, Route, StoreError};

const SINK: &str = "hook";

pub fn event(sequence: u64, finding: Option<&str>) -> Event {
    Event {
        sequence,
        id: format!("evt_{sequence}"),
        kind: "io.headcount.finding.opened".to_owned(),
        finding: finding.map(str::to_owned),
        time: moment(i64::try_from(sequence).unwrap()),
        body: format!("{{\"n\":{sequence},\"é\":\"'\"}}"),
    }
}

fn events(at: i64, events: Vec<Event>) -> Commit {
    Commit { events, sinks: vec![Route::all(SINK)], ..commit(moment(at)) }
}

async fn due(store: &dyn Store, at: i64) -> Vec<u64> {
    let due = store.due_deliveries(SINK, moment(at), 100).await.unwrap();
    due.iter().map(|delivery| delivery.event.sequence).collect()
}

async fn attempt(store: &dyn Store, at: i64, sequence: u64, outcome: Outcome) {
    let attempt = Attempt { sequence, at: moment(at), outcome };
    store.record_attempts(SINK, &[attempt]).await.unwrap();
}

fn retry(at: i64) -> Outcome {
    Outcome::Retry { at: moment(at), error: "503".to_owned() }
}

fn dead() -> Outcome {
    Outcome::Dead { error: "410 Gone".to_owned() }
}

pub async fn sequence_has_no_holes(store: &dyn Store) {
    for sequence in 1..=3 {
        assert_eq!(store.next_sequence().await.unwrap(), sequence);
        store.commit(&events(0, vec![event(sequence, None)])).await.unwrap();
    }
    // A commit without events takes no number.
    store.commit(&commit(moment(1))).await.unwrap();
    store.commit(&events(2, (4..=150).map(|n| event(n, None)).collect())).await.unwrap();
    assert_eq!(store.next_sequence().await.unwrap(), 151);
    let all = store.due_deliveries(SINK, moment(2), 1_000).await.unwrap();
    let sequences: Vec<u64> = all.iter().map(|delivery| delivery.event.sequence).collect();
    assert_eq!(sequences, (1..=150).collect::<Vec<_>>());
    assert_eq!(all.get(6).unwrap().event, event(7, None));
}

pub async fn commit_out_of_sequence_leaves_nothing(store: &dyn Store) {
    store.commit(&events(0, vec![event(1, None)])).await.unwrap();
    for wrong in [vec![event(1, None)], vec![event(3, None)], vec![event(2, None), event(4, None)]]
    {
        let mut commit = events(1, wrong);
        commit.written = vec![written(record("1", "a", moment(1)))];
        let refused = store.commit(&commit).await;
        assert!(matches!(refused, Err(StoreError::Failed { .. })), "{refused:?}");
    }
    assert!(everything(store, None).await.is_empty());
    assert_eq!(store.next_sequence().await.unwrap(), 2);
    assert_eq!(due(store, 10).await, [1]);
}

pub async fn second_event_of_a_finding_waits_for_the_first(store: &dyn Store) {
    let first = vec![event(1, Some("f")), event(2, Some("g")), event(3, Some("f"))];
    store.commit(&events(0, first)).await.unwrap();
    store.commit(&events(1, vec![event(4, Some("f")), event(5, None)])).await.unwrap();
    assert_eq!(due(store, 1).await, [1, 2, 5]);
    attempt(store, 2, 1, retry(50)).await;
    assert_eq!(due(store, 2).await, [2, 5]);
    attempt(store, 50, 1, Outcome::Delivered).await;
    assert_eq!(due(store, 50).await, [2, 3, 5]);
    attempt(store, 51, 3, Outcome::Delivered).await;
    assert_eq!(due(store, 51).await, [2, 4, 5]);
    attempt(store, 52, 4, Outcome::Delivered).await;
    store.commit(&events(60, vec![event(6, Some("f"))])).await.unwrap();
    assert_eq!(due(store, 60).await, [2, 5, 6]);
    let queue = store.queue(SINK).await.unwrap();
    assert_eq!((queue.pending, queue.delivered, queue.dead), (3, 3, 0));
    assert_eq!(queue.oldest_pending_at, Some(moment(2)));
    assert_eq!(queue.next_due_at, Some(moment(0)));
}

pub async fn dead_letter_does_not_block_what_follows(store: &dyn Store) {
    store.commit(&events(0, vec![event(1, Some("f")), event(2, Some("f"))])).await.unwrap();
    attempt(store, 1, 1, retry(2)).await;
    attempt(store, 2, 1, dead()).await;
    assert_eq!(due(store, 2).await, [2]);
    let letters = store.dead_letters(SINK).await.unwrap();
    let letter = letters.first().unwrap();
    assert_eq!((letters.len(), letter.attempts, letter.failed_at), (1, 2, moment(2)));
    assert_eq!((letter.error.as_str(), &letter.event), ("410 Gone", &event(1, Some("f"))));
    assert_eq!(store.queue(SINK).await.unwrap().dead, 1);
}

pub async fn retry_is_due_at_its_time(store: &dyn Store) {
    store.commit(&events(0, vec![event(1, None)])).await.unwrap();
    attempt(store, 1, 1, retry(10)).await;
    attempt(store, 1, 1, retry(20)).await;
    assert_eq!(store.queue(SINK).await.unwrap().next_due_at, Some(moment(20)));
    assert!(due(store, 19).await.is_empty());
    let due = store.due_deliveries(SINK, moment(20), 10).await.unwrap();
    assert_eq!(due.first().unwrap().attempts, 2);
    attempt(store, 20, 1, Outcome::Delivered).await;
    assert_eq!(store.queue(SINK).await.unwrap().next_due_at, None);
}

pub async fn replayed_letter_goes_before_its_followers(store: &dyn Store) {
    store.commit(&events(0, (1..=4).map(|n| event(n, Some("f"))).collect())).await.unwrap();
    store.commit(&events(0, vec![event(5, None)])).await.unwrap();
    attempt(store, 1, 1, dead()).await;
    attempt(store, 2, 2, dead()).await;
    attempt(store, 3, 5, dead()).await;
    assert_eq!(due(store, 3).await, [3]);
    assert_eq!(store.replay(SINK, None, moment(4)).await.unwrap(), 3);
    assert!(store.dead_letters(SINK).await.unwrap().is_empty());
    let again = store.due_deliveries(SINK, moment(4), 10).await.unwrap();
    let again: Vec<_> = again.iter().map(|d| (d.event.sequence, d.attempts)).collect();
    assert_eq!(again, [(1, 0), (5, 0)]);

    // The third was under way when the others were replayed: its outcome still counts.
    attempt(store, 5, 3, retry(6)).await;
    assert_eq!(due(store, 6).await, [1, 5]);
    attempt(store, 6, 3, Outcome::Delivered).await;
    for (sequence, next) in [(1, 2), (2, 4)] {
        attempt(store, 7, sequence, Outcome::Delivered).await;
        assert_eq!(due(store, 7).await, [next, 5]);
    }
}

pub async fn replay_takes_only_what_failed_since(store: &dyn Store) {
    store.commit(&events(0, (1..=3).map(|n| event(n, None)).collect())).await.unwrap();
    for (at, sequence) in [(10, 1), (20, 2), (30, 3)] {
        attempt(store, at, sequence, dead()).await;
    }
    assert_eq!(store.replay(SINK, Some(moment(20)), moment(40)).await.unwrap(), 2);
    assert_eq!(due(store, 40).await, [2, 3]);
    assert_eq!(store.replay("other", None, moment(40)).await.unwrap(), 0);
}

pub async fn attempts_are_recorded_all_or_none(store: &dyn Store) {
    store.commit(&events(0, vec![event(1, None), event(2, None)])).await.unwrap();
    let delivered = |sequence| Attempt { sequence, at: moment(1), outcome: Outcome::Delivered };
    let failed = store.record_attempts(SINK, &[delivered(1), delivered(3)]).await;
    assert!(matches!(failed, Err(StoreError::Failed { .. })), "{failed:?}");
    assert_eq!(due(store, 1).await, [1, 2]);
    store.record_attempts(SINK, &[delivered(1), delivered(2)]).await.unwrap();
    assert_eq!(store.queue(SINK).await.unwrap().delivered, 2);
    let twice = store.record_attempts(SINK, &[delivered(1)]).await;
    assert!(matches!(twice, Err(StoreError::Failed { .. })), "{twice:?}");
}

pub async fn sinks_have_queues_of_their_own(store: &dyn Store) {
    let mut first = events(0, vec![event(1, Some("f"))]);
    first.sinks.push(Route::all("siem"));
    store.commit(&first).await.unwrap();
    attempt(store, 1, 1, Outcome::Delivered).await;
    assert!(due(store, 1).await.is_empty());
    assert_eq!(store.due_deliveries("siem", moment(1), 10).await.unwrap().len(), 1);
    // Without sinks an event is kept, and queued for nobody.
    store.commit(&Commit { sinks: Vec::new(), ..events(2, vec![event(2, None)]) }).await.unwrap();
    assert!(due(store, 2).await.is_empty());
    assert_eq!(store.next_sequence().await.unwrap(), 3);
}

/// Commits one step of a finding, which the route of the sink leaves out or not.
async fn step(store: &dyn Store, number: u32, kind: TransitionKind, is_left_out: Filtered) {
    let finding = Finding { transitions: number, ..finding("r", "s", Severity::Low, 0) };
    let transition = Transition { kind, finding };
    let sequence = store.next_sequence().await.unwrap();
    let event = Event {
        id: transition.event_id(),
        finding: Some(transition.finding.id.clone()),
        ..event(sequence, None)
    };
    let leaves_out = match is_left_out {
        Filtered::LeftOut => [sequence].into(),
        Filtered::Passes => BTreeSet::new(),
    };
    let sinks = vec![Route { sink: SINK.to_owned(), leaves_out }, Route::all("siem")];
    let commit = Commit {
        sinks,
        transitions: vec![transition],
        ..events(i64::try_from(sequence).unwrap(), vec![event])
    };
    store.commit(&commit).await.unwrap();
}

enum Filtered {
    LeftOut,
    Passes,
}

/// The severity of a finding falls below what its sink is there for, and it is resolved then.
pub async fn sink_that_was_told_of_a_finding_is_told_how_it_ends(store: &dyn Store) {
    use Filtered::{LeftOut, Passes};
    use TransitionKind::{Opened, Reopened, Resolved, Updated};
    let rows = [
        (Opened, LeftOut, false),
        (Updated, Passes, true),
        (Updated, LeftOut, true),
        (Resolved, LeftOut, true),
        // A new life: nobody was told of it.
        (Reopened, LeftOut, false),
        (Resolved, LeftOut, false),
        // Whoever is told only of the end was not told that it is open.
        (Resolved, Passes, true),
        (Reopened, LeftOut, false),
    ];
    let mut queued = 0;
    for (number, (kind, filtered, is_queued)) in (1_u32..).zip(rows) {
        step(store, number, kind, filtered).await;
        queued += u64::from(is_queued);
        assert_eq!(store.queue(SINK).await.unwrap().pending, queued, "step {number}, {kind:?}");
    }
    assert_eq!(store.queue("siem").await.unwrap().pending, 8);
}

/// A sink that is down, and long lines behind the first event of each finding: polling reads no
/// event that is not due.
pub async fn hundred_thousand_pending_are_drained_in_order_of_findings(store: &dyn Store) {
    const FINDINGS: u64 = 1_000;
    let all = (1..=100_000).map(|n| event(n, Some(&format!("f{}", n % FINDINGS)))).collect();
    store.commit(&events(0, all)).await.unwrap();
    assert_eq!(store.queue(SINK).await.unwrap().pending, 100_000);

    let first = store.due_deliveries(SINK, moment(0), 5_000).await.unwrap();
    let sequences: Vec<u64> = first.iter().map(|d| d.event.sequence).collect();
    assert_eq!(sequences, (1..=FINDINGS).collect::<Vec<_>>());
    let attempts: Vec<Attempt> = sequences
        .iter()
        .map(|sequence| Attempt { sequence: *sequence, at: moment(0), outcome: retry(100) })
        .collect();
    store.record_attempts(SINK, &attempts).await.unwrap();
    assert_eq!(store.queue(SINK).await.unwrap().next_due_at, Some(moment(100)));

    attempt(store, 99, 400, Outcome::Delivered).await;
    for _ in 0..100 {
        assert_eq!(due(store, 99).await, [1_400]);
    }
    let next = store.due_deliveries(SINK, moment(100), 3).await.unwrap();
    assert_eq!(next.iter().map(|d| d.event.sequence).collect::<Vec<_>>(), [1, 2, 3]);
}
