//! The life of findings, step by step: what each verdict leads to, and what never happens.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::collections::BTreeSet;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::exceptions::{Ended, Selection};
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

fn target() -> Target<'static> {
    Target {
        subject: SUBJECT,
        source: "prod",
        kind: "iam-user",
        place: "aws:1",
        name: Some("u"),
        owner: Some("team-a"),
    }
}

/// Valid from the third hour up to the hundredth.
fn exception(id: &str) -> Exception {
    Exception {
        id: id.to_owned(),
        rule: rule().id.to_owned(),
        selection: Selection { subject: Some(SUBJECT.to_owned()), ..Selection::default() },
        reason: "it is replaced in May".to_owned(),
        author: "ana".to_owned(),
        created_at: hour(3),
        expires_at: hour(100),
        ended: None,
    }
}

/// A finding and the steps that it took.
#[derive(Default)]
struct Life {
    finding: Option<Finding>,
    steps: Vec<Transition>,
    exceptions: Exceptions,
}

impl Life {
    /// Takes a verdict, and returns the step that it led to.
    fn take(&mut self, verdict: impl Into<Verdict>, at: i64) -> Option<TransitionKind> {
        let stance = Stance { now: hour(at), exceptions: &self.exceptions, target: target() };
        let step = step(self.finding.as_ref(), rule(), about(), &verdict.into(), stance);
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
        life.exceptions = [exception("exc_1")].into_iter().collect();
        assert_eq!(life.take(violation(), 3), Some(TransitionKind::Suppressed));
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
    let exceptions = Exceptions::default();
    let stance = Stance { now: hour(1), exceptions: &exceptions, target: target() };
    let step = step(None, rule(), renamed, &other.into(), stance).unwrap();
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
                TransitionKind::Suppressed => unreachable!("there is no exception"),
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

#[test]
fn exception_suppresses_and_says_who_why_and_until_when() {
    let life = Life::suppressed();
    let finding = life.now();
    assert_eq!(finding.status, FindingStatus::Suppressed);
    assert_eq!((finding.opened_at, finding.updated_at), (hour(1), hour(3)));
    for (name, value) in [
        ("exception", "exc_1"),
        ("exception_author", "ana"),
        ("exception_reason", "it is replaced in May"),
        ("exception_expires_at", "1970-01-05T04:00:00Z"),
        ("n", "1"),
    ] {
        assert_eq!(finding.facts.get(name).map(String::as_str), Some(value), "{name}");
    }
    let why = finding.resolution.as_deref().unwrap();
    assert!(why.contains("ana") && why.contains("replaced in May"), "{why}");
}

#[test]
fn violation_that_is_accepted_from_the_start_never_opens() {
    let mut life =
        Life { exceptions: [exception("exc_1")].into_iter().collect(), ..Life::default() };
    assert_eq!(life.take(violation(), 5), Some(TransitionKind::Suppressed));
    assert_eq!((life.now().transitions, life.now().opened_at), (1, hour(5)));
    assert_eq!(life.take(violation(), 6), None);
}

#[test]
fn end_of_an_exception_reopens_and_says_so() {
    let ended = Exception {
        ended: Some(Ended { at: hour(50), by: "ben".to_owned() }),
        ..exception("exc_1")
    };
    let elsewhere = Exception {
        selection: Selection { owner: Some("team-b".to_owned()), ..Selection::default() },
        ..exception("exc_1")
    };
    let rows: [(i64, Option<Exception>, &str); 5] = [
        (100, Some(exception("exc_1")), "the exception exc_1 expired at 1970-01-05T04:00:00Z"),
        (50, Some(ended.clone()), "the exception exc_1 was ended by ben"),
        (100, Some(ended), "the exception exc_1 was ended by ben"),
        (50, Some(elsewhere), "the exception exc_1 does not cover the subject any more"),
        (50, None, "the exception exc_1 is over"),
    ];
    for verdict in [Verdict::from(violation()), unknown()] {
        for (at, exception, why) in rows.clone() {
            let mut life = Life::suppressed();
            life.exceptions = exception.into_iter().collect();
            assert_eq!(life.take(verdict.clone(), at), Some(TransitionKind::Reopened), "{why}");
            let finding = life.now();
            assert_eq!(finding.resolution.as_deref(), Some(why));
            assert_eq!((finding.status, finding.opened_at), (FindingStatus::Open, hour(1)));
            assert_eq!(finding.facts.keys().collect::<Vec<_>>(), ["n"]);
            assert_eq!(life.take(verdict.clone(), at + 1), None);
        }
    }
}

#[test]
fn exception_holds_up_to_the_moment_of_its_expiry() {
    let mut life = Life::suppressed();
    assert_eq!(life.take(violation(), 99), None);
    assert_eq!(life.take(violation(), 100), Some(TransitionKind::Reopened));
}

#[test]
fn accepted_finding_resolves_when_the_rule_is_clear_and_comes_back_suppressed() {
    let mut life = Life::suppressed();
    assert_eq!(life.take(Verdict::Clear, 5), Some(TransitionKind::Resolved));
    assert_eq!(life.now().facts.keys().collect::<Vec<_>>(), ["n"]);
    assert_eq!(life.take(unknown(), 6), None);
    assert_eq!(life.take(violation(), 7), Some(TransitionKind::Suppressed));
    assert_eq!(life.now().opened_at, hour(7));
}

#[test]
fn longer_exception_takes_over_without_opening_the_finding() {
    let mut life = Life::suppressed();
    let longer = Exception { expires_at: hour(200), ..exception("exc_2") };
    life.exceptions = [exception("exc_1"), longer].into_iter().collect();
    assert_eq!(life.take(violation(), 50), Some(TransitionKind::Updated));
    assert_eq!(exceptions::accepted_by(life.now()), Some("exc_2"));
    assert_eq!(life.take(violation(), 100), None);
    assert_eq!(life.take(violation(), 200), Some(TransitionKind::Reopened));
}

#[test]
fn selection_table() {
    let some = |text: &str| Some(text.to_owned());
    let none = Selection::default();
    let rows = [
        (none.clone(), false),
        (Selection { subject: some(SUBJECT), ..none.clone() }, true),
        (Selection { subject: some("aws:1:iam-user/*"), ..none.clone() }, false),
        (Selection { source: some("pr*"), ..none.clone() }, true),
        (Selection { kind: some("iam-role"), ..none.clone() }, false),
        (Selection { place: some("aws:*"), kind: some("iam-user"), ..none.clone() }, true),
        (Selection { name: some("v"), ..none.clone() }, false),
        (Selection { owner: some("team-*"), ..none.clone() }, true),
        (Selection { owner: some("team-*"), name: some("w"), ..none.clone() }, false),
    ];
    for (selection, expected) in rows {
        let exception = Exception { selection, ..exception("exc_1") };
        assert_eq!(exception.accepts(target(), hour(5)), expected, "{:?}", exception.selection);
        let scope = Target { name: None, owner: None, ..target() };
        let needs_more = exception.selection.name.is_some() || exception.selection.owner.is_some();
        assert_eq!(exception.accepts(scope, hour(5)), expected && !needs_more);
    }
    let others = [exception("exc_1")].into_iter().collect::<Exceptions>();
    assert!(others.accepting("stale-identity", target(), hour(5)).is_none());
    assert!(others.accepting(rule().id, target(), hour(2)).is_none(), "not made yet");
}

#[test]
fn exception_must_say_on_whom_why_and_until_when() {
    let draft = || exceptions::Draft {
        rule: rule().id.to_owned(),
        selection: Selection { name: Some("u*".to_owned()), ..Selection::default() },
        reason: "known".to_owned(),
        author: "ana".to_owned(),
        expires_at: hour(10),
    };
    let made = |draft: exceptions::Draft| draft.made("exc_1".to_owned(), hour(5));
    let exception = made(draft()).unwrap();
    assert!(exception.is_valid(hour(5)) && !exception.is_valid(hour(10)));
    let year = hour(5 + 366 * 24);
    assert!(made(exceptions::Draft { expires_at: year, ..draft() }).is_ok());
    let wrong = [
        exceptions::Draft { rule: "no-such-rule".to_owned(), ..draft() },
        exceptions::Draft { selection: Selection::default(), ..draft() },
        exceptions::Draft { reason: " ".to_owned(), ..draft() },
        exceptions::Draft { reason: "a\nb".to_owned(), ..draft() },
        exceptions::Draft { reason: "a".repeat(1_001), ..draft() },
        exceptions::Draft { author: String::new(), ..draft() },
        exceptions::Draft { expires_at: hour(5), ..draft() },
        exceptions::Draft { expires_at: hour(6 + 366 * 24), ..draft() },
    ];
    for draft in wrong {
        assert!(made(draft.clone()).is_err(), "{draft:?}");
    }
}
