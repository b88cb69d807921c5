//! Documented acceptances: a person says that findings of one rule on some subjects are known and
//! taken on, until a day.
//!
//! An exception never hides a finding: it leads it to `suppressed`, which is an event, and back when
//! it ends. It must say who, why and until when. What it picks is what its fields say now: a record
//! that another owner takes over may fall out of it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Finding;
use crate::inventory::{Record, ScopeState};
use crate::rules::{self, glob};

/// The facts that a suppressed finding carries about its exception.
const FACTS: [&str; 4] =
    ["exception", "exception_author", "exception_reason", "exception_expires_at"];

/// One documented acceptance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// `exc_…`, given when it is made.
    pub id: String,
    /// The rule whose findings are accepted.
    pub rule: String,
    /// On which subjects.
    #[serde(rename = "match")]
    pub selection: Selection,
    pub reason: String,
    pub author: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// Set when somebody ended it before it expired.
    #[serde(default)]
    pub ended: Option<Ended>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub at: Timestamp,
    pub by: String,
}

/// Picks subjects; every field that is given must match, and one must be given. `*` in a pattern
/// stands for any text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// A record id, or `<place>/<scope kind>` where the rule judges scopes. No pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Pattern on the name of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Pattern on the record kind, or on the scope kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Pattern on the place, e.g. `aws:123456789012`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Pattern on the name. A scope has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Pattern on the owner that was resolved. Nobody's records and scopes have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl Selection {
    /// Whether it says nothing and so would pick everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Whom a verdict is about, from the sides that a selection looks at.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub(super) subject: &'a str,
    pub(super) source: &'a str,
    pub(super) kind: &'a str,
    pub(super) place: &'a str,
    pub(super) name: Option<&'a str>,
    pub(super) owner: Option<&'a str>,
}

impl<'a> From<&'a Record> for Target<'a> {
    fn from(record: &'a Record) -> Self {
        Self {
            subject: record.id().as_str(),
            source: &record.source,
            kind: &record.observation.kind,
            place: &record.scope.place,
            name: Some(&record.observation.name),
            owner: record.owner.as_ref().map(|owner| owner.reference.as_str()),
        }
    }
}

impl<'a> Target<'a> {
    /// A scope, under the name that its findings have.
    #[must_use]
    pub fn scope(subject: &'a str, state: &'a ScopeState) -> Self {
        Self {
            subject,
            source: &state.source,
            kind: &state.scope.kind,
            place: &state.scope.place,
            name: None,
            owner: None,
        }
    }
}

impl Exception {
    /// Whether it holds at `now`; at the moment of its expiry it does not hold any more.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.created_at <= now
            && now < self.expires_at
            && self.ended.as_ref().is_none_or(|ended| now < ended.at)
    }

    /// Whether it accepts findings of its rule on a subject at `now`.
    #[must_use]
    pub fn accepts(&self, target: Target<'_>, now: Timestamp) -> bool {
        let Selection { subject, source, kind, place, name, owner } = &self.selection;
        let fits = |pattern: &Option<String>, side: Option<&str>| match (pattern, side) {
            (None, _) => true,
            (Some(pattern), Some(text)) => glob(pattern, text),
            (Some(_), None) => false,
        };
        self.is_valid(now)
            && !self.selection.is_empty()
            && subject.as_ref().is_none_or(|subject| subject == target.subject)
            && fits(source, Some(target.source))
            && fits(kind, Some(target.kind))
            && fits(place, Some(target.place))
            && fits(name, target.name)
            && fits(owner, target.owner)
    }

    /// What a step that it leads to says.
    pub(super) fn words(&self) -> String {
        format!(
            "accepted by {} until {}: {} ({})",
            self.author, self.expires_at, self.reason, self.id
        )
    }

    /// Puts down in a finding's facts whose acceptance it is.
    pub(super) fn mark(&self, facts: &mut BTreeMap<String, String>) {
        let values = [
            self.id.clone(),
            self.author.clone(),
            self.reason.clone(),
            self.expires_at.to_string(),
        ];
        facts.extend(FACTS.into_iter().map(str::to_owned).zip(values));
    }
}

/// Every exception that was made, by rule.
#[derive(Clone, Debug, Default)]
pub struct Exceptions(BTreeMap<String, Vec<Exception>>);

impl FromIterator<Exception> for Exceptions {
    fn from_iter<T: IntoIterator<Item = Exception>>(exceptions: T) -> Self {
        let mut by_rule: BTreeMap<String, Vec<Exception>> = BTreeMap::new();
        for exception in exceptions {
            by_rule.entry(exception.rule.clone()).or_default().push(exception);
        }
        Self(by_rule)
    }
}

impl Exceptions {
    /// Whether there is or was one for a rule.
    #[must_use]
    pub fn know(&self, rule: &str) -> bool {
        self.0.contains_key(rule)
    }

    /// The one that accepts findings of a rule on a subject; of several the one that holds longest,
    /// so that the end of the others changes nothing.
    #[must_use]
    pub fn accepting(&self, rule: &str, target: Target<'_>, now: Timestamp) -> Option<&Exception> {
        let of_rule = self.0.get(rule)?;
        let fitting = of_rule.iter().filter(|exception| exception.accepts(target, now));
        fitting.max_by(|a, b| (a.expires_at, &a.id).cmp(&(b.expires_at, &b.id)))
    }

    /// Why a suppressed finding is open again.
    pub(super) fn why_lapsed(&self, finding: &Finding, now: Timestamp) -> String {
        let Some(id) = accepted_by(finding) else {
            return "its exception is not known any more".to_owned();
        };
        match self.0.values().flatten().find(|exception| exception.id == id) {
            Some(exception) => match &exception.ended {
                Some(Ended { by, .. }) => format!("the exception {id} was ended by {by}"),
                None if exception.is_valid(now) => {
                    format!("the exception {id} does not cover the subject any more")
                }
                None => format!("the exception {id} expired at {}", exception.expires_at),
            },
            None => format!("the exception {id} is over"),
        }
    }
}

/// The exception under which a finding was suppressed.
#[must_use]
pub fn accepted_by(finding: &Finding) -> Option<&str> {
    finding.facts.get(FACTS[0]).map(String::as_str)
}

/// Takes the facts about an exception away again.
pub(super) fn unmark(facts: &mut BTreeMap<String, String>) {
    for name in FACTS {
        facts.remove(name);
    }
}

/// The furthest that an acceptance may reach ahead: it is to be looked at again.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);
/// The longest text in one, in characters.
const LONGEST_TEXT: usize = 1_000;

/// An exception that somebody asks for.
#[derive(Clone, Debug)]
pub struct Draft {
    pub rule: String,
    pub selection: Selection,
    pub reason: String,
    pub author: String,
    pub expires_at: Timestamp,
}

impl Draft {
    /// The exception, if everything that must be said was said.
    ///
    /// # Errors
    /// What is missing or wrong, for people.
    pub fn made(self, id: String, now: Timestamp) -> Result<Exception, String> {
        let Self { rule, selection, reason, author, expires_at } = self;
        if rules::find(&rule).is_none() {
            return Err("there is no such rule".to_owned());
        }
        if selection.is_empty() {
            return Err(
                "an exception must say on which subjects: one field of `match` at least".to_owned()
            );
        }
        let Selection { subject, source, kind, place, name, owner } = &selection;
        let patterns = [subject, source, kind, place, name, owner].into_iter().flatten();
        for text in patterns.chain([&reason, &author]) {
            if text.trim().is_empty() {
                return Err("a text of the exception is empty".to_owned());
            }
            if text.chars().count() > LONGEST_TEXT || text.chars().any(char::is_control) {
                return Err(format!(
                    "a text of the exception is longer than {LONGEST_TEXT} characters or has \
                     control characters"
                ));
            }
        }
        if expires_at <= now {
            return Err("an exception must expire in the future".to_owned());
        }
        if expires_at.duration_since(now) > LONGEST {
            return Err("an exception may hold for a year at most; renew it then".to_owned());
        }
        let (created_at, ended) = (now, None);
        Ok(Exception { id, rule, selection, reason, author, created_at, expires_at, ended })
    }
}
