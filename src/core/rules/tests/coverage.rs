//! `coverage-lost` and `mass-disappearance`.
use headcount_sdk::{Degradation, ScanError};

use super::*;
use crate::inventory::MassRemoval;

#[track_caller]
fn check(scope: &ScopeState, expected: &str) {
    assert_eq!(show(&judge_one_scope("coverage-lost", scope, day(1))), expected);
}

fn denied() -> ScanError {
    let permission = "iam:ListAccessKeys".to_owned();
    ScanError::Denied { operation: permission.clone(), permission }
}

/// Every cause that may pass by itself.
fn passing() -> [ScanError; 3] {
    let operation = "iam:ListAccessKeys".to_owned();
    let reason = "reset".to_owned();
    [
        ScanError::Throttled { operation: operation.clone(), retry_after_secs: None },
        ScanError::Unavailable { operation: operation.clone(), reason },
        ScanError::Malformed { operation, path: "Keys".to_owned() },
    ]
}

fn unsupported() -> ScanError {
    let operation = "iam:ListAccessKeys".to_owned();
    ScanError::NotSupported { operation, reason: "no such edition".to_owned() }
}

fn failed(error: ScanError, failures_in_a_row: u32) -> ScopeState {
    ScopeState { coverage: Coverage::Incomplete { error }, failures_in_a_row, ..scope() }
}

fn degraded(degradations: &[(&str, ScanError)]) -> ScopeState {
    let degradations = degradations
        .iter()
        .map(|(field, error)| Degradation { field: (*field).to_owned(), error: error.clone() });
    ScopeState { degradations: degradations.collect(), ..scope() }
}

#[test]
fn complete_scope_is_clear() {
    check(&scope(), "clear");
    check(&ScopeState { coverage: Coverage::Sweeping { outstanding: 9 }, ..scope() }, "clear");
}

#[test]
fn denied_scope_is_lost_at_once_and_names_the_permission() {
    for failures in [0, 1, 3] {
        check(&failed(denied(), failures), "high/high");
    }
    let found = violation(judge_one_scope("coverage-lost", &failed(denied(), 1), day(1)));
    assert_eq!(
        found.title,
        "Lost iam:ListAccessKeys: access-keys of aws:123456789012 can no longer be read"
    );
    assert_eq!(found.facts["last_complete_at"], "2026-01-01T00:00:00Z");
    assert_eq!(found.facts["permissions"], "iam:ListAccessKeys");
}

#[test]
fn other_failures_are_unknown_until_the_third_in_a_row() {
    for error in passing() {
        let unknown = format!("unknown a complete reading ({})", error.cause());
        for (failures, expected) in
            [(1, unknown.as_str()), (2, &unknown), (3, "medium/high"), (4, "medium/high")]
        {
            check(&failed(error.clone(), failures), expected);
        }
    }
    let held = |failures_in_a_row| ScopeState {
        coverage: Coverage::Held { would_remove: 40, of: 40 },
        failures_in_a_row,
        ..scope()
    };
    check(&held(1), "unknown a complete reading (held)");
    check(&held(2), "unknown a complete reading (held)");
    check(&held(3), "medium/high");
}

#[test]
fn title_of_a_failing_scope_does_not_count_days() {
    let title = |failures| {
        let [error, ..] = passing();
        violation(judge_one_scope("coverage-lost", &failed(error, failures), day(1))).title
    };
    assert_eq!(title(3), title(300));
}

#[test]
fn scope_never_read_to_its_end_cannot_be_lost() {
    for state in [failed(denied(), 9), degraded(&[("usage", denied())])] {
        check(&ScopeState { last_complete_at: None, ..state }, "not applicable");
    }
}

#[test]
fn what_the_source_does_not_have_is_not_lost() {
    check(&failed(unsupported(), 9), "not applicable");
    let coverage = Coverage::NotSupported { reason: "no such edition".to_owned() };
    check(&ScopeState { coverage, ..scope() }, "not applicable");
    check(&degraded(&[("usage", unsupported())]), "clear");
}

#[test]
fn denied_field_is_lost_unless_it_was_never_had() {
    let state = degraded(&[("usage", denied()), ("labels", denied())]);
    check(&state, "medium/high");
    let title = violation(judge_one_scope("coverage-lost", &state, day(1))).title;
    assert_eq!(
        title,
        "Lost iam:ListAccessKeys: labels, usage of access-keys of aws:123456789012 \
         can no longer be read"
    );
    let never_had = |fields: &[&str]| fields.iter().map(|f| (*f).to_owned()).collect();
    check(&ScopeState { never_had: never_had(&["usage"]), ..state.clone() }, "medium/high");
    check(&ScopeState { never_had: never_had(&["usage", "labels"]), ..state }, "clear");
}

#[test]
fn field_that_failed_otherwise_is_unknown() {
    for error in passing() {
        check(&degraded(&[("usage", error.clone())]), "unknown usage");
        check(&degraded(&[("usage", error), ("labels", denied())]), "medium/high");
    }
}

#[test]
fn scopes_are_judged_by_configuration_too() {
    let judged = |json| {
        let config: RuleConfig = serde_json::from_value(json).unwrap();
        config.validate().expect("a valid configuration");
        let outcome = judge_scope(&config, &failed(denied(), 1), day(1));
        let lost = outcome.verdicts.into_iter().find(|(m, _)| m.id == "coverage-lost");
        show(&lost.unwrap().1)
    };
    let over = |selector: serde_json::Value| {
        judged(serde_json::json!({ "coverage-lost": {
            "overrides": [{ "match": selector, "severity": "low" }]
        }}))
    };
    assert_eq!(over(serde_json::json!({ "kind": "access-keys" })), "low/high");
    assert_eq!(over(serde_json::json!({ "place": "aws:*", "source": "p*" })), "low/high");
    assert_eq!(over(serde_json::json!({ "place": "aws:9*" })), "high/high");
    let off = serde_json::json!({ "coverage-lost": { "enabled": false } });
    assert_eq!(judged(off), "not applicable");
}

#[test]
fn selector_on_records_is_refused_for_scopes() {
    for selector in
        [serde_json::json!({ "name": "x" }), serde_json::json!({ "labels": {"a": "b"} })]
    {
        let config: RuleConfig = serde_json::from_value(serde_json::json!({ "coverage-lost": {
            "overrides": [{ "match": selector, "enabled": false }]
        }}))
        .unwrap();
        assert_eq!(
            config.validate().unwrap_err(),
            ["rules.coverage-lost.overrides[0].match: coverage-lost judges scopes, \
              which have neither `name` nor `labels`"]
        );
    }
}

fn removed(removed: u64) -> ScopeState {
    let mass_removal = Some(MassRemoval { at: day(0), removed, of: 40 });
    ScopeState { mass_removal, ..scope() }
}

#[test]
fn mass_disappearance_by_size_and_age() {
    for (state, now, expected) in [
        (removed(40), day(0), "high/high until 7d"),
        (removed(5), day(0), "high/high until 7d"),
        (removed(4), day(0), "low/high until 7d"),
        (removed(1), day(0), "low/high until 7d"),
        (removed(40), second(7 * DAY - 1), "high/high until 7d"),
        (removed(40), day(7), "clear"),
        (scope(), day(0), "clear"),
        (failed(denied(), 3), day(0), "clear"),
    ] {
        let judgement = judge_one_scope("mass-disappearance", &state, now);
        assert_eq!(show(&judgement), expected);
        later_than(now, &judgement);
    }
    let found = violation(judge_one_scope("mass-disappearance", &removed(12), day(0)));
    assert_eq!(found.title, "12 of 40 access-keys vanished from aws:123456789012");
}

/// A scope that could not be read says nothing about a removal that was proven before.
#[test]
fn proven_removal_outlives_a_failed_reading() {
    let state = ScopeState { mass_removal: removed(9).mass_removal, ..failed(denied(), 1) };
    let judgement = judge_one_scope("mass-disappearance", &state, day(1));
    assert_eq!(show(&judgement), "high/high until 7d");
}
