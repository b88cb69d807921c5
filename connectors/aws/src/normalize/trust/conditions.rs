//! The conditions of a trust statement, sorted into what the model tells apart.

use std::collections::BTreeSet;

use headcount_sdk::{Endpoint, ExternalId, Trust};
use serde_json::Value;

use super::plain;
use crate::policy;

/// The `Condition` block of one statement.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    tests: Vec<Test>,
}

/// One operator on one key.
#[derive(Debug)]
struct Test {
    operator: Operator,
    /// As written; compared without case, as AWS does.
    key: String,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    /// The value is one of those given.
    Exactly,
    /// The value matches one of the patterns given.
    Like,
    /// Holds also where the request carries no such key (`…IfExists`, `ForAllValues:`).
    Optional,
    /// Anything else: it narrows, but not to the values given.
    Other,
}

impl Conditions {
    pub(super) fn read(block: Option<&Value>) -> Result<Self, &'static str> {
        let Some(block) = block else {
            return Ok(Self::default());
        };
        let mut tests = Vec::new();
        for (operator, keys) in block.as_object().ok_or("a condition")? {
            for (key, values) in keys.as_object().ok_or("a condition")? {
                let values = scalars(values).ok_or("a condition")?;
                tests.push(Test { operator: sort(operator), key: key.clone(), values });
            }
        }
        Ok(Self { tests })
    }

    pub(super) fn keys(&self) -> BTreeSet<String> {
        self.tests.iter().map(|test| test.key.clone()).collect()
    }

    /// What the conditions mean for a trust in `endpoint`.
    pub(super) fn apply(&self, endpoint: &Endpoint) -> Trust {
        let federated = matches!(endpoint, Endpoint::Federation { .. });
        let foreign = match endpoint {
            Endpoint::Account { affiliation, .. } => {
                *affiliation != headcount_sdk::Affiliation::SameAccount
            }
            Endpoint::Anyone | Endpoint::Dangling { .. } => true,
            _ => false,
        };
        let mut narrowed = BTreeSet::new();
        let (mut subjects, mut audiences) = (Vec::new(), Vec::new());
        let mut external_id = ExternalId::Absent;
        for test in &self.tests {
            match test.claim() {
                // A token always carries both claims, so an optional test restricts them as well.
                Some(Claim::Subject) if federated && test.selects() => subjects.push(test),
                Some(Claim::Audience) if federated && test.selects() => audiences.push(test),
                Some(Claim::ExternalId) if foreign => {
                    if matches!(test.operator, Operator::Exactly | Operator::Like)
                        && test
                            .values
                            .iter()
                            .all(|value| !value.trim_matches(['*', '?']).is_empty())
                    {
                        external_id = ExternalId::Required;
                    }
                }
                _ if test.operator == Operator::Other => {
                    narrowed.insert(format!("{} (other than equal)", test.key));
                }
                _ => {
                    narrowed.insert(test.key.clone());
                }
            }
        }
        let mut trust = plain(narrowed.into_iter().collect());
        trust.subjects = strictest(&subjects);
        trust.audiences = strictest(&audiences);
        if foreign {
            trust.external_id = external_id;
        }
        trust
    }
}

/// Tests on one key must all hold, so exact values outweigh patterns.
fn strictest(tests: &[&Test]) -> Vec<String> {
    let exact: Vec<&&Test> =
        tests.iter().filter(|test| test.operator == Operator::Exactly).collect();
    let chosen = if exact.is_empty() { tests.iter().collect() } else { exact };
    let values: BTreeSet<String> =
        chosen.into_iter().flat_map(|test| test.values.iter().cloned()).collect();
    values.into_iter().collect()
}

enum Claim {
    Subject,
    Audience,
    ExternalId,
}

impl Test {
    /// Whether the values given are the ones let through.
    fn selects(&self) -> bool {
        self.operator != Operator::Other
    }

    fn claim(&self) -> Option<Claim> {
        let key = self.key.to_ascii_lowercase();
        if key == "sts:externalid" {
            return Some(Claim::ExternalId);
        }
        match key.rsplit_once(':')?.1 {
            "sub" => Some(Claim::Subject),
            // Facebook and Login with Amazon call the audience an app.
            "aud" | "app_id" => Some(Claim::Audience),
            _ => None,
        }
    }
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
fn sort(operator: &str) -> Operator {
    let lower = operator.to_ascii_lowercase();
    let (lower, every) = match lower.strip_prefix("forallvalues:") {
        Some(rest) => (rest.to_owned(), true),
        None => (lower.strip_prefix("foranyvalue:").unwrap_or(&lower).to_owned(), false),
    };
    let (base, optional) = match lower.strip_suffix("ifexists") {
        Some(base) => (base, true),
        None => (lower.as_str(), every),
    };
    match base {
        "stringequals" | "stringequalsignorecase" | "arnequals" | "stringlike" | "arnlike"
            if optional =>
        {
            Operator::Optional
        }
        "stringequals" | "stringequalsignorecase" => Operator::Exactly,
        "stringlike" | "arnlike" | "arnequals" => Operator::Like,
        _ => Operator::Other,
    }
}

/// Condition values may be strings, numbers or booleans, single or listed.
fn scalars(value: &Value) -> Option<Vec<String>> {
    if let Some(strings) = policy::strings(value) {
        return Some(strings.into_iter().map(str::to_owned).collect());
    }
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    match value {
        Value::Array(many) => many.iter().map(scalar).collect(),
        one => scalar(one).map(|one| vec![one]),
    }
}
