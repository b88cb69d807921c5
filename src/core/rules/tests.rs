//! Rule tables: each rule has a file of rows, and every row goes through [`Case::check`], which
//! takes the same way as the agent: [`super::judge_record`] with a configuration.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use headcount_sdk::Scope;
use headcount_sdk::model::{
    Class, Confidence, Expiry, Level, Observation, OwnerBasis, OwnerKind, Privilege, RecordId,
    Status, Usage,
};
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::inventory::{Coverage, Origin, Owner, Surroundings};

mod agents;
mod change;
mod consent;
mod coverage;
mod credential;
mod engine;
mod expiring;
mod github;
mod keys;
mod kinds;
mod kubernetes;
mod laws;
mod links;
mod new;
mod orphan;
mod owner;
mod power;
mod secrets;
mod stale;
mod trust;

pub(super) const PLACE: &str = "aws:123456789012";
pub(super) const DAY: i64 = 86_400;

/// Seconds after the start of the test's calendar.
pub(super) fn second(second: i64) -> Timestamp {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    start.checked_add(SignedDuration::from_secs(second)).unwrap()
}

pub(super) fn day(day: i64) -> Timestamp {
    second(day * DAY)
}

/// A record to judge, with its parent and the moment.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub record: Record,
    pub parent: Option<Record>,
    pub around: Surroundings,
    pub settings: RuleSettings,
    pub now: Timestamp,
}

/// A record made, seen and last used on day 0, owned outright, without power or expiry.
pub(super) fn record(class: Class, kind: &str, name: &str) -> Record {
    let mut observation = Observation::new(RecordId::new(PLACE, kind, name), class, kind, name);
    observation.status = Status::Active;
    observation.created_at = Some(day(0));
    observation.usage = Usage::LastUsed { at: day(0), resolution_secs: 0, lag_secs: 0 };
    observation.privilege = level(Level::Read);
    observation.expiry = Expiry::NotApplicable;
    Record {
        observation,
        source: "prod".to_owned(),
        scope: Scope::new(PLACE, &format!("{kind}s")),
        origin: Origin::Baseline,
        first_seen_at: day(0),
        changed_at: day(0),
        replaces: None,
        history: crate::inventory::History::default(),
        owner: Some(owner(OwnerBasis::Label)),
    }
}

pub(super) fn level(level: Level) -> Option<Privilege> {
    Some(Privilege { level, reason: "policy P".to_owned() })
}

pub(super) fn owner(basis: OwnerBasis) -> Owner {
    Owner {
        reference: "team-a".to_owned(),
        kind: OwnerKind::Business,
        basis,
        locator: "tag:owner".to_owned(),
        confidence: crate::owners::weight(basis),
        inherited_from: None,
        path: Vec::new(),
        standing: headcount_sdk::Standing::NotKnown,
    }
}

impl Case {
    pub fn of(record: Record) -> Self {
        Self {
            record,
            parent: None,
            around: Surroundings::default(),
            settings: RuleSettings::default(),
            now: day(1),
        }
    }

    pub fn identity() -> Self {
        Self::of(record(Class::Identity, "iam-role", "deploy"))
    }

    pub fn person() -> Self {
        Self::of(record(Class::Principal, "iam-user", "ana"))
    }

    pub fn root() -> Self {
        Self::of(record(Class::Identity, "root-user", "root"))
    }

    /// An access key of the machine user `ci`.
    pub fn credential() -> Self {
        Self::credential_of(record(Class::Identity, "iam-user", "ci"))
    }

    pub fn credential_of(parent: Record) -> Self {
        let mut case = Self::of(record(Class::Credential, "access-key", "AKIA1"));
        case.record.observation.parent = Some(parent.id().clone());
        case.record.observation.expiry = Expiry::Never;
        case.parent = Some(parent);
        case
    }

    pub fn on(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// Changes what the source reported.
    pub fn seen(mut self, change: impl FnOnce(&mut Observation)) -> Self {
        change(&mut self.record.observation);
        self
    }

    /// Changes what the agent keeps beside it.
    pub fn kept(mut self, change: impl FnOnce(&mut Record)) -> Self {
        change(&mut self.record);
        self
    }

    pub fn set(mut self, change: impl FnOnce(&mut RuleSettings)) -> Self {
        change(&mut self.settings);
        self
    }

    pub fn unread(self, field: &str) -> Self {
        let field = field.to_owned();
        self.seen(|o| drop(o.unread.insert(field, "iam:Read".to_owned())))
    }

    pub fn status(self, status: Status) -> Self {
        self.seen(|o| o.status = status)
    }

    pub fn attribute(self, name: &str, value: &str) -> Self {
        self.seen(|o| drop(o.attributes.insert(name.to_owned(), value.to_owned())))
    }

    /// One more that belongs to it.
    pub fn with(mut self, child: Case) -> Self {
        let mut child = child.record;
        child.observation.parent = Some(self.record.id().clone());
        self.around.children.push(child);
        self
    }

    pub fn trust_class(self, class: &str) -> Self {
        self.attribute("trust_class", class)
    }

    pub fn judge(&self, rule: &str) -> Judgement {
        let config = RuleConfig(BTreeMap::from([(rule.to_owned(), self.settings.clone())]));
        config.validate().expect("settings that the rule reads");
        let subject =
            Subject { record: &self.record, parent: self.parent.as_ref(), around: &self.around };
        let outcome = judge_record(&config, &subject, self.now);
        let found = outcome.verdicts.into_iter().find(|(meta, _)| meta.id == rule);
        found.expect("a rule in ALL that judges records").1
    }

    /// Compares the judgement as [`show`] writes it.
    #[track_caller]
    pub fn check(&self, rule: &str, expected: &str) {
        let judgement = self.judge(rule);
        assert_eq!(show(&judgement), expected, "{judgement:#?}");
        later_than(self.now, &judgement);
    }

    #[track_caller]
    pub fn violation(&self, rule: &str) -> Violation {
        violation(self.judge(rule))
    }
}

#[track_caller]
pub(super) fn violation(judgement: Judgement) -> Violation {
    match judgement.verdict {
        Verdict::Violation(violation) => violation,
        other => panic!("no violation: {other:?}"),
    }
}

/// Judging again at `next_at` must come to an end, so it lies ahead.
#[track_caller]
pub(super) fn later_than(now: Timestamp, judgement: &Judgement) {
    assert!(judgement.next_at.is_none_or(|at| at > now), "{now} {judgement:?}");
}

/// A judgement in one line: `high/medium until 7d`, `clear until 90d+1s`, `unknown usage`.
/// Moments count from [`day`] 0.
pub(super) fn show(judgement: &Judgement) -> String {
    let verdict = match &judgement.verdict {
        Verdict::Violation(v) => format!("{}/{}", v.severity.as_str(), v.confidence.as_str()),
        Verdict::Clear => "clear".to_owned(),
        Verdict::NotApplicable => "not applicable".to_owned(),
        Verdict::Unknown { missing } => format!("unknown {missing}"),
    };
    let Some(at) = judgement.next_at else { return verdict };
    let seconds = at.duration_since(day(0)).as_secs();
    match seconds % DAY {
        0 => format!("{verdict} until {}d", seconds / DAY),
        rest => format!("{verdict} until {}d+{rest}s", seconds / DAY),
    }
}

/// A scope of access keys that was read to its end on day 0.
pub(super) fn scope() -> ScopeState {
    ScopeState {
        source: "prod".to_owned(),
        scope: Scope::new(PLACE, "access-keys"),
        coverage: Coverage::Complete,
        last_read_at: day(0),
        last_complete_at: Some(day(0)),
        baselined_at: Some(day(0)),
        failures_in_a_row: 0,
        records: 40,
        expected: None,
        as_of: None,
        degradations: Vec::new(),
        never_had: BTreeSet::new(),
        mass_removal: None,
        is_swept: false,
    }
}

pub(super) fn judge_one_scope(rule: &str, scope: &ScopeState, now: Timestamp) -> Judgement {
    let outcome = judge_scope(&RuleConfig::default(), scope, now);
    let found = outcome.verdicts.into_iter().find(|(meta, _)| meta.id == rule);
    found.expect("a rule in ALL that judges scopes").1
}
