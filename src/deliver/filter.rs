//! Which events a sink is there for.
//!
//! Pure. A filter is asked when events are queued, in the commit that makes them: what it leaves
//! out is never queued for the sink, so nothing waits, fails or is replayed that nobody wants.
//! What it cannot decide alone is how a finding ends that the sink was told of: the store knows
//! which those are ([`Route`]), and later events of theirs are queued whatever the filter says.

use headcount_core::findings::Severity;
use headcount_core::rules::glob;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::store::Route;

/// Stands in `owners` for findings whose subject has no owner that is known.
const NOBODY: &str = "nobody";

/// Which findings go to the sink; every key that is given must match. A sink that was told of a
/// finding is also told how it goes on and ends, even if it no longer matches. The summary of a
/// first scan counts as a finding of severity info, without a rule and without an owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Ids of rules; empty = every rule.
    pub rules: Vec<String>,
    /// The least severity.
    pub at_least: Option<Severity>,
    /// Names of sources; empty = every source.
    pub sources: Vec<String>,
    /// Owners as findings name them, in which `*` stands for any text; empty = every owner.
    /// `nobody` stands for findings whose subject has no known owner.
    pub owners: Vec<String>,
}

/// What a filter looks at.
#[derive(Clone, Copy, Debug)]
pub struct Matter<'a> {
    /// `None` = the event is no finding's.
    pub rule: Option<&'a str>,
    pub severity: Severity,
    pub source: &'a str,
    /// `None` = nobody owns the subject, or nobody knows who does.
    pub owner: Option<&'a str>,
}

impl Filter {
    /// Whether the sink is there for this.
    #[must_use]
    pub fn takes(&self, matter: &Matter<'_>) -> bool {
        let listed = |list: &[String], text: &str| list.iter().any(|entry| entry == text);
        let owned = |pattern: &String| match matter.owner {
            Some(owner) => glob(pattern, owner),
            None => pattern == NOBODY && matter.rule.is_some(),
        };
        self.at_least.is_none_or(|least| matter.severity >= least)
            && (self.rules.is_empty() || matter.rule.is_some_and(|rule| listed(&self.rules, rule)))
            && (self.sources.is_empty() || listed(&self.sources, matter.source))
            && (self.owners.is_empty() || self.owners.iter().any(owned))
    }
}

/// A sink as the ledger knows it: who it is, and what it is there for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscriber {
    pub name: String,
    pub filter: Filter,
}

impl Subscriber {
    /// Somebody who is told everything.
    #[must_use]
    pub fn to_all(name: &str) -> Self {
        Self { name: name.to_owned(), filter: Filter::default() }
    }

    /// Which of these events, by sequence, go to the sink.
    #[must_use]
    pub fn route(&self, matters: &[(u64, Matter<'_>)]) -> Route {
        let left_out = matters.iter().filter(|(_, matter)| !self.filter.takes(matter));
        Route {
            sink: self.name.clone(),
            leaves_out: left_out.map(|(sequence, _)| *sequence).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use serde_json::json;

    use super::*;

    const KEY: Matter<'_> = Matter {
        rule: Some("stale-credential"),
        severity: Severity::Medium,
        source: "aws",
        owner: Some("team:payments"),
    };

    #[test]
    fn every_key_that_is_given_must_match() {
        let unowned = Matter { owner: None, ..KEY };
        let summary = Matter { rule: None, severity: Severity::Info, owner: None, ..KEY };
        let rows = [
            (json!({}), [true, true, true]),
            (json!({"at_least": "medium"}), [true, true, false]),
            (json!({"at_least": "high"}), [false, false, false]),
            (json!({"rules": ["stale-credential", "x"]}), [true, true, false]),
            (json!({"rules": ["new-identity"]}), [false, false, false]),
            (json!({"sources": ["aws"]}), [true, true, true]),
            (json!({"sources": ["aw"]}), [false, false, false]),
            (json!({"owners": ["team:payments"]}), [true, false, false]),
            (json!({"owners": ["team:*"]}), [true, false, false]),
            (json!({"owners": ["team:pay"]}), [false, false, false]),
            (json!({"owners": ["nobody"]}), [false, true, false]),
            (json!({"owners": ["team:*", "nobody"]}), [true, true, false]),
            (json!({"at_least": "low", "sources": ["github"]}), [false, false, false]),
        ];
        for (filter, expected) in rows {
            let read: Filter = serde_json::from_value(filter.clone()).unwrap();
            assert_eq!([KEY, unowned, summary].map(|m| read.takes(&m)), expected, "{filter}");
        }
    }

    #[test]
    fn only_what_is_left_out_is_named() {
        let filter = Filter { at_least: Some(Severity::High), ..Filter::default() };
        let pager = Subscriber { name: "pager".to_owned(), filter };
        let matters = [(7, KEY), (8, Matter { severity: Severity::Critical, ..KEY })];
        assert_eq!(pager.route(&matters).leaves_out, [7].into());
        assert_eq!(Subscriber::to_all("siem").route(&matters), Route::all("siem"));
    }
}
