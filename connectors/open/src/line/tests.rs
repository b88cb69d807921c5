//! What a line must be, and that what is refused is named by its place and never repeated.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use headcount_sdk::{Status, Usage};
use serde_json::json;

use super::*;

fn now() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

fn parse_value(value: &Value) -> Result<Line, Wrong> {
    parse(value.to_string().as_bytes(), now())
}

/// An observation line with these fields over the four that must be there.
fn seen(more: &Value) -> Value {
    let mut observation = json!({
        "id": "acme:eu-1:api-key/k1", "class": "credential", "kind": "api-key", "name": "one",
    });
    for (name, value) in more.as_object().unwrap() {
        observation[name] = value.clone();
    }
    json!({
        "type": "observation",
        "scope": {"place": "acme:eu-1", "kind": "api-keys"},
        "observation": observation,
    })
}

fn full() -> Value {
    json!({
        "native": "k1", "parent": "acme:eu-1:bot/b1", "status": "active",
        "created_at": "2025-01-01T00:00:00Z",
        "expiry": {"state": "at", "at": "2027-01-01T00:00:00Z"},
        "usage": {"state": "last_used", "at": "2026-03-01T00:00:00Z", "resolution_secs": 60, "lag_secs": 0},
        "privilege": {"level": "write", "reason": "scope keys:write"},
        "nature": {"kind": "machine", "basis": "it is a key", "confidence": 100},
        "owner_evidence": [{"ref": "team-payments", "basis": "label", "locator": "label:owner", "kind": "technical", "standing": "not_known"}],
        "purpose": {"text": "exports", "locator": "description"},
        "links": [{"kind": "uses", "to": {"type": "service", "name": "s3"}, "trust": null, "confidence": 100}],
        "subjects": [{"issuer": "https://issuer.example.com", "subject": "a"}],
        "attributes": {"plan": "free"}, "labels": {"team": "payments"},
        "evidence": [{"operation": "GET /keys", "object": "k1", "at": "2026-03-10T11:00:00Z"}],
        "unread": {"attributes.plan": "plans:read"},
    })
}

#[test]
fn what_is_left_out_of_an_observation_is_not_known() {
    let Line::Observation(line) = parse_value(&seen(&json!({}))).unwrap() else { panic!() };
    let id = RecordId::new("acme:eu-1", "api-key", "k1");
    assert_eq!(line.observation, Observation::new(id, Class::Credential, "api-key", "one"));
    assert_eq!(line.observation.status, Status::Unknown);
    assert!(matches!(line.observation.usage, Usage::NotObservable { .. }));
}

#[test]
fn everything_that_the_model_holds_can_be_said() {
    let Line::Observation(line) = parse_value(&seen(&full())).unwrap() else { panic!() };
    let said = serde_json::to_value(&line.observation).unwrap();
    for (name, value) in full().as_object().unwrap() {
        if !matches!(name.as_str(), "owner_evidence" | "links") {
            assert_eq!(&said[name], value, "{name}");
        }
    }
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    let scope = json!({"place": "acme:eu-1", "kind": "api-keys"});
    let with = |more: Value| seen(&more);
    let mut no_class = seen(&json!({}));
    no_class["observation"].as_object_mut().unwrap().remove("class");
    let rows: Vec<(Value, &str)> = vec![
        (json!([1]), ""),
        (json!({"type": "record"}), "type"),
        (json!({"scan": "x"}), "type"),
        (json!({"type": "begin", "schema": 2, "scan": "x"}), "schema"),
        (json!({"type": "begin", "schema": 1, "scan": "a b"}), "scan"),
        (json!({"type": "begin", "schema": 1, "scan": "x", "extra": 1}), "extra"),
        (json!({"type": "observation", "scope": scope}), "observation"),
        (no_class, "observation.class"),
        (with(json!({"class": "robot"})), "observation.class"),
        (with(json!({"kind": "API Key"})), "observation.kind"),
        (with(json!({"name": " "})), "observation.name"),
        (with(json!({"id": "acme:eu-2:api-key/k1"})), "observation.id"),
        (with(json!({"id": "acme:eu-1:other/k1"})), "observation.id"),
        (with(json!({"id": "acme:eu-1:api-key/"})), "observation.id"),
        (with(json!({"id": "acme:eu-1:api-key/a b"})), "observation.id"),
        (with(json!({"parent": "b1"})), "observation.parent"),
        (with(json!({"parent": "acme:eu-1:api-key/k1"})), "observation.parent"),
        (with(json!({"usgae": 1})), "observation.usgae"),
        (
            with(json!({"usage": {"state": "not_observable", "reason": "x", "lag": 1}})),
            "observation.usage.lag",
        ),
        (with(json!({"usage": {"state": "last_used"}})), "observation.usage"),
        (with(json!({"usage": null})), "observation.usage"),
        (
            with(
                json!({"links": [{"kind": "uses", "to": {"type": "service", "name": "s3", "x": 1}}]}),
            ),
            "observation.links[0].to.x",
        ),
        (
            with(json!({"nature": {"kind": "machine", "basis": "x", "confidence": 101}})),
            "observation",
        ),
        (with(json!({"unread": {"usages": "keys:read"}})), "observation.unread"),
        (
            json!({"type": "complete", "scope": {"place": "acme", "kind": "api-keys"}}),
            "scope.place",
        ),
        (
            json!({"type": "complete", "scope": {"place": "acme:", "kind": "api-keys"}}),
            "scope.place",
        ),
        (
            json!({"type": "complete", "scope": {"place": "acme:1/2", "kind": "api-keys"}}),
            "scope.place",
        ),
        (json!({"type": "complete", "scope": {"place": "acme:1", "kind": "Keys"}}), "scope.kind"),
        (
            json!({"type": "complete", "scope": {"place": "acme:1", "kind": "keys", "x": 1}}),
            "scope.x",
        ),
        (json!({"type": "complete", "scope": scope, "as_of": "2026-03-11T12:00:00Z"}), "as_of"),
        (json!({"type": "complete", "scope": scope, "expected": -1}), "expected"),
        (json!({"type": "failed", "scope": scope}), ""),
        (
            json!({"type": "failed", "scope": scope, "error": {"cause": "denied", "operation": "x"}}),
            "error",
        ),
        (
            json!({"type": "failed", "scope": scope, "error": {"cause": "unavailable", "operation": "x", "reason": "a\nb"}}),
            "error",
        ),
    ];
    for (line, path) in rows {
        let wrong = parse_value(&line).unwrap_err();
        assert_eq!(wrong.path, path, "{line}: {wrong:?}");
        assert!(!wrong.problem.is_empty() && !wrong.remedy.is_empty(), "{line}");
    }
}

#[test]
fn what_is_no_json_is_told_from_what_is_cut() {
    let babble = parse(b"Loading ...", now()).unwrap_err();
    assert!(babble.problem.contains("no JSON"), "{}", babble.problem);
    let cut = parse(br#"{"type":"begin","sch"#, now()).unwrap_err();
    assert!(cut.problem.contains("ends in the middle"), "{}", cut.problem);
}

/// Put together here, so that no scanner takes this file for a leak.
fn tokens() -> Vec<String> {
    let long = "EXAMPLE".repeat(8);
    let claims = format!("eyJ{long}.eyJ{long}.{long}");
    vec![
        format!("gh{}{long}", "p_"),
        format!("see github{}{long} for it", "_pat_"),
        format!("glp{}{long}", "at-"),
        format!("xo{}{long}", "xb-"),
        format!("sk{}{long}", "-ant-api03-"),
        format!("AI{}{long}", "za"),
        format!("-----BEGIN RSA {} KEY-----\nMII", "PRIVATE"),
        claims,
    ]
}

#[test]
fn what_looks_like_a_secret_is_refused_wherever_it_stands_and_never_repeated() {
    for token in tokens() {
        for (line, path) in [
            (seen(&json!({"name": token})), "observation.name"),
            (seen(&json!({"attributes": {"note": token}})), "observation.attributes.note"),
            (seen(&json!({"links": [{"x": token}]})), "observation.links[0].x"),
            (
                seen(&json!({"labels": {(token.as_str()): "x"}})),
                "observation.labels (the name of a field)",
            ),
            (json!({"type": token}), "type"),
        ] {
            let wrong = parse_value(&line).unwrap_err();
            assert_eq!(wrong.path, path);
            let told = format!("{wrong:?}");
            assert!(!told.contains("EXAMPLE") && !told.contains("MII"), "{told}");
        }
    }
}

#[test]
fn ids_and_words_that_only_resemble_a_secret_pass() {
    for name in [
        "AKIAIOSFODNN7EXAMPLE",
        "xoxb-rotation",
        "the sk-ant-admin key",
        "arn:aws:iam::123456789012:role/eyJournal.eyJournal.x",
        "npm_publish_token",
        "dapify",
    ] {
        assert!(parse_value(&seen(&json!({"name": name}))).is_ok(), "{name}");
    }
}

#[test]
fn no_message_repeats_a_value() {
    for line in [
        seen(&json!({"class": "MARKED"})),
        seen(&json!({"status": "MARKED"})),
        seen(&json!({"created_at": "MARKED"})),
        seen(&json!({"labels": "MARKED"})),
        seen(&json!({"usage": {"state": "MARKED"}})),
        json!({"type": "MARKED"}),
        json!({"type": "complete", "scope": "MARKED"}),
    ] {
        let wrong = parse_value(&line).unwrap_err();
        assert!(!format!("{} {}", wrong.problem, wrong.remedy).contains("MARKED"), "{wrong:?}");
    }
}

#[test]
fn the_schema_says_what_the_reader_says() {
    let schema = schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let scope = json!({"place": "acme:eu-1", "kind": "api-keys"});
    let good = [
        json!({"type": "begin", "schema": 1, "scan": "run-1"}),
        seen(&json!({})),
        seen(&full()),
        json!({"type": "complete", "scope": scope}),
        json!({"type": "complete", "scope": scope, "expected": 3, "as_of": "2026-03-01T00:00:00Z",
               "degraded": [{"field": "usage", "error": {"cause": "denied", "operation": "o", "permission": "p"}}]}),
        json!({"type": "failed", "scope": scope, "error": {"cause": "throttled", "operation": "o", "retry_after_secs": null}}),
    ];
    for line in good {
        let errors: Vec<String> = validator.iter_errors(&line).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{line}: {errors:?}");
        assert!(parse_value(&line).is_ok(), "{line}: {:?}", parse_value(&line));
    }
    let bad = [
        json!({"type": "begin", "schema": 2, "scan": "run-1"}),
        json!({"type": "begin", "schema": 1, "scan": "a b"}),
        json!({"type": "begin", "schema": 1, "scan": "a", "more": 1}),
        seen(&json!({"usgae": 1})),
        seen(&json!({"class": "robot"})),
        seen(&json!({"usage": {"state": "not_observable", "reason": "x", "lag": 1}})),
        json!({"type": "observation", "scope": scope, "observation": {"id": "x", "kind": "y", "name": "z"}}),
        json!({"type": "complete", "scope": {"place": "acme:1"}}),
        json!({"type": "failed", "scope": scope, "error": {"cause": "bored", "operation": "o"}}),
        json!({"scope": scope}),
    ];
    for line in bad {
        assert!(!validator.is_valid(&line), "{line}");
        assert!(parse_value(&line).is_err(), "{line}");
    }
}
