//! The life of findings, step by step: what each verdict leads to, and what never happens.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::collections::BTreeSet;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::rules::{Violation, find};

const SUBJECT: &str = "aws:1:iam-user/u";

fn hour(hour: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_hours(hour)).unwrap()
}

fn rule() -> &'static Meta {
    find("ownerless-identity").unwrap().meta()
}

fn about() -> About<'static> {
    About { source: "prod", subject: SUBJECT, subject_name: "u" }
}

fn violation() -> Violation {
    Violation::new(Severity::Medium, Certainty::High, "u has no owner".to_owned()).fact("n", 1)
}

fn unknown() -> Verdict {
    Verdict::unknown("usage")
}

/// A finding and the steps that it took.
#[derive(Default)]
struct Life {
    finding: Option<Finding>,
    steps: Vec<Transition>,
}

impl Life {
    /// Takes a verdict, and returns the step that it led to.
    fn take(&mut self, verdict: impl Into<Verdict>, at: i64) -> Option<TransitionKind> {
        let step = step(self.finding.as_ref(), rule(), about(), &verdict.into(), hour(at));
        self.keep(step)
    }

    fn keep(&mut self, step: Option<Transition>) -> Option<TransitionKind> {
        let step = step?;
        self.finding = Some(step.finding.clone());
        self.steps.push(step.clone());
        Some(step.kind)
    }

    fn opened() -> Self {
        let mut life = Self::default();
        assert_eq!(life.take(violation(), 1), Some(TransitionKind::Opened));
        life
    }

    fn resolved() -> Self {
        let mut life = Self::opened();
        assert_eq!(life.take(Verdict::Clear, 2), Some(TransitionKind::Resolved));
        life
    }

    fn suppressed() -> Self {
        let mut life = Self::opened();
        life.finding.as_mut().unwrap().status = FindingStatus::Suppressed;
        life
    }

    fn now(&self) -> &Finding {
        self.finding.as_ref().unwrap()
    }
}

#[test]
fn violation_opens_a_finding_with_all_that_is_known() {
    let life = Life::opened();
    assert_eq!(
        *life.now(),
        Finding {
            id: finding_id("ownerless-identity", SUBJECT),
            rule: "ownerless-identity".to_owned(),
            severity: Severity::Medium,
            confidence: Certainty::High,
            status: FindingStatus::Open,
            source: "prod".to_owned(),
            subject: SUBJECT.to_owned(),
            subject_name: "u".to_owned(),
            title: "u has no owner".to_owned(),
            facts: BTreeMap::from([("n".to_owned(), "1".to_owned())]),
            opened_at: hour(1),
            updated_at: hour(1),
            resolved_at: None,
            resolution: None,
            transitions: 1,
        }
    );
}

#[test]
fn verdict_by_status_table() {
    use TransitionKind as T;
    type Row = (fn() -> Life, [Option<TransitionKind>; 4]);
    let rows: [Row; 4] = [
        // Violation, Clear, NotApplicable, Unknown
        (Life::default, [Some(T::Opened), None, None, None]),
        (Life::opened, [None, Some(T::Resolved), Some(T::Resolved), None]),
        (Life::suppressed, [None, Some(T::Resolved), Some(T::Resolved), None]),
        (Life::resolved, [Some(T::Reopened), None, None, None]),
    ];
    for (number, (life, expected)) in rows.into_iter().enumerate() {
        let verdicts = [violation().into(), Verdict::Clear, Verdict::NotApplicable, unknown()];
        for (verdict, expected) in verdicts.into_iter().zip(expected) {
            assert_eq!(life().take(verdict.clone(), 5), expected, "row {number} {verdict:?}");
        }
    }
}

#[test]
fn same_violation_keeps_the_finding_as_it_is() {
    let mut life = Life::opened();
    let before = life.now().clone();
    assert_eq!(life.take(violation(), 9), None);
    assert_eq!(*life.now(), before);
}

#[test]
fn unknown_changes_nothing_however_often() {
    for mut life in [Life::opened(), Life::resolved(), Life::suppressed()] {
        let before = life.now().clone();
        for at in 3..9 {
            assert_eq!(life.take(unknown(), at), None);
        }
        assert_eq!(*life.now(), before);
    }
}

#[test]
fn severity_confidence_or_title_update_an_open_finding() {
    let changes = [
        Violation { severity: Severity::High, ..violation() },
        Violation { confidence: Certainty::Low, ..violation() },
        Violation { title: "u has no owner left".to_owned(), ..violation() },
    ];
    for change in changes {
        let mut life = Life::opened();
        assert_eq!(life.take(change.clone(), 9), Some(TransitionKind::Updated));
        assert_eq!(life.now().severity, change.severity);
        assert_eq!(life.now().confidence, change.confidence);
        assert_eq!(life.now().title, change.title);
        assert_eq!((life.now().opened_at, life.now().updated_at), (hour(1), hour(9)));
        assert_eq!(life.now().status, FindingStatus::Open);
        assert_eq!(life.now().transitions, 2);
        assert_eq!(life.take(change, 10), None);
    }
}

#[test]
fn facts_alone_are_no_news() {
    let mut life = Life::opened();
    assert_eq!(life.take(violation().fact("n", 2).fact("m", 3), 9), None);
}

#[test]
fn suppressed_finding_stays_suppressed_when_it_is_updated() {
    let mut life = Life::suppressed();
    let worse = Violation { severity: Severity::Critical, ..violation() };
    assert_eq!(life.take(worse, 9), Some(TransitionKind::Updated));
    assert_eq!(life.now().status, FindingStatus::Suppressed);
}

#[test]
fn resolution_says_why_and_when() {
    let mut cleared = Life::opened();
    cleared.take(Verdict::Clear, 3);
    let mut off = Life::opened();
    off.take(Verdict::NotApplicable, 3);
    for (life, why) in [(cleared, CLEARED), (off, NOT_JUDGED)] {
        assert_eq!(life.now().status, FindingStatus::Resolved);
        assert_eq!(life.now().resolved_at, Some(hour(3)));
        assert_eq!(life.now().updated_at, hour(3));
        assert_eq!(life.now().opened_at, hour(1));
        assert_eq!(life.now().resolution.as_deref(), Some(why));
        assert_eq!(life.now().title, "u has no owner");
    }
}

#[test]
fn reopened_finding_starts_anew_under_its_old_id() {
    let mut life = Life::resolved();
    assert_eq!(life.take(violation(), 7), Some(TransitionKind::Reopened));
    assert_eq!(life.now().id, life.steps[0].finding.id);
    assert_eq!(life.now().status, FindingStatus::Open);
    assert_eq!((life.now().opened_at, life.now().updated_at), (hour(7), hour(7)));
    assert_eq!((life.now().resolved_at, &life.now().resolution), (None, &None));
    assert_eq!(life.now().transitions, 3);
}

#[test]
fn gone_subject_resolves_what_is_open_once() {
    for mut life in [Life::opened(), Life::suppressed()] {
        let gone = resolve(life.finding.as_ref(), SUBJECT_GONE, hour(4));
        assert_eq!(life.keep(gone), Some(TransitionKind::Resolved));
        assert_eq!(life.now().resolution.as_deref(), Some(SUBJECT_GONE));
        assert_eq!(resolve(life.finding.as_ref(), SUBJECT_GONE, hour(5)), None);
    }
    assert_eq!(resolve(None, SUBJECT_GONE, hour(4)), None);
}

#[test]
fn finding_id_depends_on_rule_and_subject_alone() {
    let id = finding_id("new-identity", SUBJECT);
    // Consumers keep these ids: they may not change from release to release.
    assert_eq!(id, "f_2f54b54b1c0211e015f6");
    assert_ne!(id, finding_id("new-identity", "aws:1:iam-user/v"));
    assert_ne!(id, finding_id("stale-identity", SUBJECT));
    let renamed = About { source: "other", subject_name: "v", ..about() };
    let other = Violation { title: "other".to_owned(), ..violation() };
    let step = step(None, rule(), renamed, &other.into(), hour(1)).unwrap();
    assert_eq!(step.finding.id, Life::opened().now().id);
}

#[test]
fn event_id_is_the_same_for_the_same_step_and_pinned() {
    let (one, two) = (Life::opened(), Life::opened());
    assert_eq!(one.steps[0].event_id(), two.steps[0].event_id());
    assert_eq!(one.steps[0].event_id(), "evt_e8859d7bef88fd4bd28ddbb680");
}

#[test]
fn order_of_severity_and_certainty() {
    use Severity as S;
    assert!([S::Info, S::Low, S::Medium, S::High, S::Critical].is_sorted());
    assert!([Certainty::Low, Certainty::Medium, Certainty::High].is_sorted());
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        (0..3_u8).prop_map(|n| { Violation { title: format!("u {n}"), ..violation() }.into() }),
        Just(Verdict::Clear),
        Just(Verdict::NotApplicable),
        Just(unknown()),
    ]
}

proptest! {
    /// A consumer tells a repeat from news by the event id alone, and can rely on the order.
    #[test]
    fn every_life_is_well_formed(verdicts in proptest::collection::vec(verdict(), 0..30)) {
        let mut life = Life::default();
        for (at, verdict) in verdicts.iter().enumerate() {
            life.take(verdict.clone(), i64::try_from(at).unwrap());
        }
        let mut open = false;
        for (number, step) in life.steps.iter().enumerate() {
            prop_assert_eq!(usize::try_from(step.finding.transitions).unwrap(), number + 1);
            open = match step.kind {
                TransitionKind::Opened => { prop_assert_eq!(number, 0); true }
                TransitionKind::Reopened => { prop_assert!(!open && number > 0); true }
                TransitionKind::Updated => { prop_assert!(open); true }
                TransitionKind::Resolved => { prop_assert!(open); false }
            };
            prop_assert_eq!(step.finding.status == FindingStatus::Open, open);
            prop_assert_eq!(step.finding.resolved_at.is_none(), open);
            prop_assert!(step.finding.opened_at <= step.finding.updated_at);
        }
        let ids: BTreeSet<_> = life.steps.iter().map(Transition::event_id).collect();
        prop_assert_eq!(ids.len(), life.steps.len());
    }
}
