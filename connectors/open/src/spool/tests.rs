//! What must hold between lines, wherever the bytes are cut.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn now() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

fn scope(kind: &str) -> Scope {
    Scope::new("acme:eu-1", kind)
}

fn begin() -> Value {
    json!({"type": "begin", "schema": 1, "scan": "run-1"})
}

fn seen(kind: &str, key: &str) -> Value {
    json!({"type": "observation", "scope": scope(kind), "observation": {
        "id": format!("acme:eu-1:key/{key}"), "class": "credential", "kind": "key", "name": key}})
}

fn complete(kind: &str) -> Value {
    json!({"type": "complete", "scope": scope(kind)})
}

fn text(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn spool(text: &[u8], limits: Limits) -> (Spool, Vec<Refused>) {
    let mut spooler = Spooler::new(limits, now());
    spooler.feed(text);
    spooler.end();
    let problems = spooler.problems().to_vec();
    (spooler.finish(), problems)
}

fn refused(lines: &[Value]) -> Refused {
    let (_, problems) = spool(text(lines).as_bytes(), Limits::default());
    problems.first().expect("something is refused").clone()
}

#[test]
fn scopes_may_be_mixed_and_each_ends_by_itself() {
    let lines = [
        begin(),
        seen("a", "1"),
        seen("b", "2"),
        json!({"type": "complete", "scope": scope("a"), "expected": 1}),
        seen("b", "3"),
    ];
    let (spool, problems) = spool(text(&lines).as_bytes(), Limits::default());
    assert_eq!(problems, []);
    assert_eq!(spool.scan, "run-1");
    assert!(matches!(spool.batches[&scope("a")].ending, Ending::Complete { .. }));
    assert_eq!(spool.batches[&scope("b")].ending, Ending::Open, "nobody said that it is complete");
    assert_eq!(spool.batches[&scope("b")].count, 2);
}

#[test]
fn what_contradicts_an_earlier_line_is_refused_with_its_number() {
    let rows: Vec<(Vec<Value>, u64, &str)> = vec![
        (vec![seen("a", "1")], 1, "type"),
        (vec![begin(), begin()], 2, "type"),
        (vec![begin(), seen("a", "1"), seen("a", "1")], 3, "observation.id"),
        (vec![begin(), seen("a", "1"), seen("b", "1")], 3, "observation.id"),
        (vec![begin(), complete("a"), seen("a", "1")], 3, "scope"),
        (vec![begin(), complete("a"), complete("a")], 3, "scope"),
        (
            vec![
                begin(),
                seen("a", "1"),
                json!({"type": "complete", "scope": scope("a"), "expected": 2}),
            ],
            3,
            "expected",
        ),
    ];
    for (lines, line, path) in rows {
        let refused = refused(&lines);
        assert_eq!((refused.line, refused.wrong.path.as_str()), (line, path), "{lines:?}");
    }
    assert_eq!(refused(&[]).line, 0, "nothing at all is no scan");
}

#[test]
fn a_refused_line_strikes_its_scope_and_the_open_ones_and_no_other() {
    let lines =
        [begin(), complete("done"), seen("open", "1"), complete("named"), seen("named", "2")];
    let (spool, problems) = spool(text(&lines).as_bytes(), Limits::default());
    assert_eq!(problems.len(), 1);
    let malformed = |batch: &Batch| matches!(&batch.ending, Ending::Failed { error: ScanError::Malformed { path, .. } } if path == "line 5, scope");
    assert!(matches!(spool.batches[&scope("done")].ending, Ending::Complete { .. }));
    assert!(malformed(&spool.batches[&scope("open")]));
    assert!(malformed(&spool.batches[&scope("named")]), "it said more after its end");
}

#[test]
fn what_is_too_much_is_refused() {
    let lines = text(&[begin(), seen("a", "1"), seen("b", "2"), seen("b", "3")]);
    let tight = |limits: Limits| {
        let (_, problems) = spool(lines.as_bytes(), limits);
        problems.first().expect("it is too much").clone()
    };
    let all = Limits::default();
    let long = tight(Limits { line_bytes: 100, ..all });
    assert_eq!((long.line, long.is_too_large), (2, true));
    assert!(tight(Limits { lines: 2, ..all }).is_too_large);
    assert!(tight(Limits { bytes: 200, ..all }).is_too_large);
    assert_eq!(tight(Limits { scopes: 1, ..all }).line, 3);
}

#[test]
fn a_long_line_is_dropped_as_it_comes_and_the_next_is_read() {
    let limits = Limits { line_bytes: 1_000, ..Limits::default() };
    let mut spooler = Spooler::new(limits, now());
    for _ in 0..1_000 {
        spooler.feed(&[b'x'; 1_000]);
        assert!(spooler.partial.len() <= 1_000, "it is not collected");
    }
    spooler.feed(format!("\n{}\n", begin()).as_bytes());
    assert_eq!(spooler.problems().len(), 1);
    assert_eq!(spooler.scan(), Some("run-1"));
}

#[tokio::test]
async fn many_observations_are_small_and_come_back_as_they_were() {
    let mut spooler = Spooler::new(Limits::default(), now());
    spooler.feed(text(&[begin()]).as_bytes());
    let count = 20_000;
    let mut bytes = 0;
    for number in 0..count {
        let line = text(&[seen("a", &format!("{number:06}"))]);
        bytes += line.len();
        spooler.feed(line.as_bytes());
    }
    spooler.feed(text(&[complete("a")]).as_bytes());
    let batch = spooler.finish().batches.remove(&scope("a")).unwrap();
    assert_eq!(batch.count, count);
    assert!(batch.packed.len() * 10 < bytes, "{} of {bytes} bytes", batch.packed.len());
    let mut ids = Vec::new();
    let mut sink = |observation: Observation| {
        assert_eq!(observation.evidence[0].operation, "test", "a claim comes from somewhere");
        ids.push(observation.id.to_string());
    };
    let mut recorder = Recorder::new(scope("a"), &mut sink);
    batch.record(&mut recorder, "test", now()).await.unwrap();
    assert_eq!(recorder.complete().recorded(), count);
    assert_eq!(ids[19_999], "acme:eu-1:key/019999");
}

#[tokio::test]
async fn what_cannot_be_read_back_is_an_error_and_no_empty_scope() {
    let (spool, _) = spool(text(&[begin(), seen("a", "1")]).as_bytes(), Limits::default());
    let whole = &spool.batches[&scope("a")];
    for length in 0..whole.packed.len() {
        let packed = whole.packed[..length].to_vec();
        let batch = Batch::kept(whole.ending.clone(), whole.count, packed);
        let mut sink = |_| {};
        let mut recorder = Recorder::new(scope("a"), &mut sink);
        let error = batch.record(&mut recorder, "test", now()).await.unwrap_err();
        assert_eq!(error.cause(), "unavailable", "{length} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the bytes arrive, the same is understood.
    #[test]
    fn where_the_bytes_are_cut_changes_nothing(cuts in prop::collection::vec(1_usize..200, 1..40)) {
        let whole = text(&[begin(), seen("a", "1"), seen("b", "2"), complete("a"), json!("x"), seen("a", "4")]);
        let (expected, problems) = spool(whole.as_bytes(), Limits::default());
        let mut spooler = Spooler::new(Limits::default(), now());
        let mut rest = whole.as_bytes();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            spooler.feed(head);
            rest = tail;
        }
        spooler.end();
        prop_assert_eq!(spooler.problems(), problems);
        let spool = spooler.finish();
        prop_assert_eq!(spool.digest, expected.digest);
        for (scope, batch) in &expected.batches {
            prop_assert_eq!(&spool.batches[scope].ending, &batch.ending);
            prop_assert_eq!(spool.batches[scope].count, batch.count);
        }
    }

    /// Whatever bytes come, nothing is complete that did not say so, and nothing panics.
    #[test]
    fn babble_completes_nothing(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut text = text(&[begin(), seen("a", "1")]).into_bytes();
        text.extend(bytes);
        let (spool, _) = spool(&text, Limits::default());
        let is_complete = |batch: &Batch| matches!(batch.ending, Ending::Complete { .. });
        prop_assert!(!spool.batches.values().any(is_complete));
    }
}
