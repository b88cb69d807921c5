//! Pure judgement: one rule, one file, one line in [`ALL`].
//!
//! A rule sees one subject and answers a [`Verdict`]. It does not loop over the inventory, keep
//! state or read a clock. Where something it needs could not be read it answers `Unknown`, which
//! neither opens nor resolves a finding. Each file's `//!` header is the rule's documentation:
//! `headcount explain` and the reference pages print that text.

use std::collections::BTreeMap;

use headcount_sdk::model::Class;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::findings::{Certainty, Severity};
use crate::inventory::{Record, ScopeState};

/// Every rule, sorted by id.
pub static ALL: &[&dyn Rule] = &[];

/// What is fixed about a rule.
#[derive(Debug)]
pub struct Meta {
    /// Names the problem, in kebab case; never changes once shipped.
    pub id: &'static str,
    pub title: &'static str,
    pub severity: Severity,
    /// OWASP Non-Human Identities Top 10 ids, e.g. `NHI1:2025`.
    pub owasp: &'static [&'static str],
    /// Controls that it evidences, e.g. `CIS-Controls-8.1:5.3`.
    pub controls: &'static [&'static str],
    /// The settings it reads, with their defaults.
    pub settings: &'static [Setting],
    /// The rule's own source; its leading `//!` lines are the documentation.
    pub source: &'static str,
}

/// A threshold that configuration may change, for the whole rule or for a selector.
#[derive(Debug)]
pub enum Setting {
    Days { default: u32, about: &'static str },
    MinConfidence { default: u8, about: &'static str },
    TrustedAccounts { about: &'static str },
}

/// One rule.
pub trait Rule: Send + Sync {
    fn meta(&self) -> &'static Meta;

    /// Judges one record. Most rules override this one.
    fn judge(&self, _cx: &Context<'_>, _subject: &Subject<'_>) -> Judgement {
        Judgement::steady(Verdict::NotApplicable)
    }

    /// Judges the coverage of one scope.
    fn judge_scope(&self, _cx: &Context<'_>, _scope: &ScopeState) -> Judgement {
        Judgement::steady(Verdict::NotApplicable)
    }
}

/// What a rule may know besides its subject.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The completion time of the snapshot that is judged.
    pub now: Timestamp,
    /// The rule's settings for this subject, selectors applied.
    pub settings: &'a Resolved,
}

/// A record and its linked neighbourhood.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub record: &'a Record,
    /// The identity that it belongs to. `None` with `record.observation.parent` set means that
    /// the parent is not in the inventory (yet).
    pub parent: Option<&'a Record>,
}

/// A rule's answer on one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Violation(Violation),
    Clear,
    NotApplicable,
    /// Something it needs could not be read; says what.
    Unknown {
        missing: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub severity: Severity,
    pub confidence: Certainty,
    /// One sentence without anything that changes from day to day.
    pub title: String,
    pub facts: BTreeMap<String, String>,
}

/// A verdict, and the moment at which time alone can change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub verdict: Verdict,
    pub next_at: Option<Timestamp>,
}

impl Judgement {
    /// A verdict that only new facts can change.
    #[must_use]
    pub const fn steady(verdict: Verdict) -> Self {
        Self { verdict, next_at: None }
    }

    /// A verdict that must be taken again at `at`.
    #[must_use]
    pub const fn until(verdict: Verdict, at: Timestamp) -> Self {
        Self { verdict, next_at: Some(at) }
    }
}

/// One rule's section of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RuleSettings {
    /// Switch the rule off with `false`.
    pub enabled: Option<bool>,
    /// Report at this severity instead of the rule's own.
    pub severity: Option<Severity>,
    /// The rule's threshold in whole days, where it has one.
    pub days: Option<u32>,
    /// Least confidence in percent, where the rule has such a threshold.
    pub min_confidence: Option<u8>,
    /// Accounts outside the organisation that may be trusted, where the rule looks at trust.
    pub trusted_accounts: Option<Vec<String>>,
    /// Other thresholds for some records; the last selector that matches wins.
    pub overrides: Vec<Override>,
}

/// Thresholds for the records that a selector picks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    #[serde(rename = "match")]
    pub selector: Selector,
    pub enabled: Option<bool>,
    pub severity: Option<Severity>,
    pub days: Option<u32>,
    pub min_confidence: Option<u8>,
    pub trusted_accounts: Option<Vec<String>>,
}

/// Picks records; every field that is given must match. `*` in a pattern stands for any text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Selector {
    pub source: Option<String>,
    /// Record kind, e.g. `access-key`.
    pub kind: Option<String>,
    /// Pattern on the name.
    pub name: Option<String>,
    /// Pattern on the place, e.g. `aws:123456789012`.
    pub place: Option<String>,
    /// Tags that must be there with these values (patterns).
    pub labels: BTreeMap<String, String>,
}

/// A rule's settings for one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    pub enabled: bool,
    pub severity: Severity,
    pub days: u32,
    pub min_confidence: u8,
    pub trusted_accounts: Vec<String>,
}

impl Resolved {
    /// The day threshold as a span of absolute time.
    #[must_use]
    pub fn span(&self) -> SignedDuration {
        SignedDuration::from_hours(24 * i64::from(self.days))
    }
}

/// Whether a record is counted: people are kept, not counted.
#[must_use]
pub fn is_counted(record: &Record) -> bool {
    record.observation.class != Class::Principal
}
