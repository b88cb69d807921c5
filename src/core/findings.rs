//! The life of a finding: open → (updated) → resolved → reopened; suppressed while an exception
//! accepts it.
//!
//! A finding is the durable answer to one rule on one subject. Its id never changes; every
//! transition has a number of its own, so that a consumer can tell a repeat from news.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::rules::{Meta, Verdict};

pub mod exceptions;
#[cfg(test)]
mod tests;

use exceptions::{Exception, Exceptions, Target};

/// Why a finding was resolved: the rule looked again and found nothing.
pub const CLEARED: &str = "what was seen no longer violates the rule";
/// Why a finding was resolved: the rule was switched off, or the subject became one that it does
/// not judge.
pub const NOT_JUDGED: &str = "the rule no longer applies to the subject";
/// Why a finding was resolved: its subject is proven to be gone.
pub const SUBJECT_GONE: &str = "the subject is gone";

/// How bad it is. Ordered.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// How sure we are that it is so. Apart from severity: a certain trifle, a suspected disaster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    Low,
    Medium,
    High,
}

impl Certainty {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingStatus {
    Open,
    Resolved,
    Suppressed,
}

impl FindingStatus {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Suppressed => "suppressed",
        }
    }
}

/// The durable result of one rule on one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// See [`finding_id`].
    pub id: String,
    pub rule: String,
    pub severity: Severity,
    pub confidence: Certainty,
    pub status: FindingStatus,
    pub source: String,
    /// A record id, or `<place>/<scope kind>` where the rule judges a scope.
    pub subject: String,
    /// What people call the subject.
    pub subject_name: String,
    /// One sentence that stays the same while the finding does.
    pub title: String,
    /// Facts behind the title, by stable names.
    pub facts: BTreeMap<String, String>,
    pub opened_at: Timestamp,
    pub updated_at: Timestamp,
    pub resolved_at: Option<Timestamp>,
    /// Why it was resolved, by what it is accepted, or why it is open although it was.
    pub resolution: Option<String>,
    /// Transitions so far, the last included; numbers them within the finding.
    pub transitions: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    Opened,
    Updated,
    Reopened,
    Resolved,
    /// An exception accepts it.
    Suppressed,
}

impl TransitionKind {
    pub const ALL: [Self; 5] =
        [Self::Opened, Self::Updated, Self::Reopened, Self::Resolved, Self::Suppressed];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::Reopened => "reopened",
            Self::Resolved => "resolved",
            Self::Suppressed => "suppressed",
        }
    }
}

/// One step in the life of a finding, with the finding as it is after the step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    pub kind: TransitionKind,
    pub finding: Finding,
}

impl Transition {
    /// The id under which this step leaves the agent: the same however often it is sent.
    #[must_use]
    pub fn event_id(&self) -> String {
        let text = format!("{}#{}", self.finding.id, self.finding.transitions);
        format!("evt_{}", hex(&Sha256::digest(text.as_bytes())[..13]))
    }
}

/// The id of a finding: rule and subject, never a name or a title.
#[must_use]
pub fn finding_id(rule: &str, subject: &str) -> String {
    let digest = Sha256::digest(format!("{rule}|{subject}").as_bytes());
    format!("f_{}", hex(&digest[..10]))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Whom a verdict is about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    pub source: &'a str,
    pub subject: &'a str,
    pub subject_name: &'a str,
}

/// When a verdict is taken, and under which exceptions.
#[derive(Clone, Copy, Debug)]
pub struct Stance<'a> {
    pub now: Timestamp,
    /// Those that are over included: they say why a finding is open again.
    pub exceptions: &'a Exceptions,
    /// The subject as selections see it.
    pub target: Target<'a>,
}

/// The step that a verdict leads to, or `None` when nothing changes.
///
/// `existing` is the finding of this rule on this subject, whatever its status. `Unknown` neither
/// opens nor resolves; whether an exception holds is known also then, because it depends on nobody's
/// answer. An open finding is news again when its severity, confidence or title changes; facts may
/// move from day to day and are no news by themselves.
#[must_use]
pub fn step(
    existing: Option<&Finding>,
    rule: &Meta,
    about: About<'_>,
    verdict: &Verdict,
    stance: Stance<'_>,
) -> Option<Transition> {
    let now = stance.now;
    let accepted = stance.exceptions.accepting(rule.id, stance.target, now);
    match verdict {
        Verdict::Unknown { .. } => lapse(existing?, accepted, stance),
        Verdict::Clear => resolve(existing, CLEARED, now),
        Verdict::NotApplicable => resolve(existing, NOT_JUDGED, now),
        Verdict::Violation(violation) => {
            let next = Finding {
                id: finding_id(rule.id, about.subject),
                rule: rule.id.to_owned(),
                severity: violation.severity,
                confidence: violation.confidence,
                status: FindingStatus::Open,
                source: about.source.to_owned(),
                subject: about.subject.to_owned(),
                subject_name: about.subject_name.to_owned(),
                title: violation.title.clone(),
                facts: violation.facts.clone(),
                opened_at: now,
                updated_at: now,
                resolved_at: None,
                resolution: None,
                transitions: 1,
            };
            violated(existing, under(next, accepted), stance)
        }
    }
}

/// The finding as an exception leaves it.
fn under(mut finding: Finding, accepted: Option<&Exception>) -> Finding {
    exceptions::unmark(&mut finding.facts);
    if let Some(exception) = accepted {
        finding.status = FindingStatus::Suppressed;
        finding.resolution = Some(exception.words());
        exception.mark(&mut finding.facts);
    }
    finding
}

fn violated(
    existing: Option<&Finding>,
    mut next: Finding,
    stance: Stance<'_>,
) -> Option<Transition> {
    let Some(old) = existing else {
        let kind = match next.status {
            FindingStatus::Suppressed => TransitionKind::Suppressed,
            FindingStatus::Open | FindingStatus::Resolved => TransitionKind::Opened,
        };
        return Some(Transition { kind, finding: next });
    };
    next.transitions = old.transitions + 1;
    if old.status != FindingStatus::Resolved {
        next.opened_at = old.opened_at;
    }
    let kind = match (old.status, next.status) {
        (FindingStatus::Resolved | FindingStatus::Open, FindingStatus::Suppressed) => {
            TransitionKind::Suppressed
        }
        (FindingStatus::Resolved, _) => TransitionKind::Reopened,
        (FindingStatus::Suppressed, FindingStatus::Open) => {
            next.resolution = Some(stance.exceptions.why_lapsed(old, stance.now));
            TransitionKind::Reopened
        }
        _ => {
            let same = old.severity == next.severity
                && old.confidence == next.confidence
                && old.title == next.title
                && exceptions::accepted_by(old) == exceptions::accepted_by(&next);
            if same {
                return None;
            }
            TransitionKind::Updated
        }
    };
    Some(Transition { kind, finding: next })
}

/// What an exception that came or ended does to a finding that cannot be judged: its facts stay.
fn lapse(old: &Finding, accepted: Option<&Exception>, stance: Stance<'_>) -> Option<Transition> {
    if old.status == FindingStatus::Resolved {
        return None;
    }
    let next = Finding {
        status: FindingStatus::Open,
        resolution: None,
        updated_at: stance.now,
        ..old.clone()
    };
    violated(Some(old), under(next, accepted), stance)
}

/// Resolves a finding that is still open, for example because its subject is gone
/// ([`SUBJECT_GONE`]).
#[must_use]
pub fn resolve(existing: Option<&Finding>, reason: &str, now: Timestamp) -> Option<Transition> {
    let old = existing.filter(|f| f.status != FindingStatus::Resolved)?;
    let mut finding = Finding {
        status: FindingStatus::Resolved,
        updated_at: now,
        resolved_at: Some(now),
        resolution: Some(reason.to_owned()),
        transitions: old.transitions + 1,
        ..old.clone()
    };
    exceptions::unmark(&mut finding.facts);
    Some(Transition { kind: TransitionKind::Resolved, finding })
}
