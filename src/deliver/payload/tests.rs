//! Every kind of payload there is, hostile texts included, against the schema and pinned. Long, because
//! the cases and the records behind them are used by nearly every test here.

//! Every kind of event: valid OCSF, pinned shape, bounded size, and nothing that was not known.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use headcount_core::findings::{
    Certainty, Finding, FindingStatus, Severity, Transition, TransitionKind, finding_id,
};
use headcount_core::inventory::{Coverage, Origin, Owner, Record, ScopeState};
use headcount_core::rules::{Judges, Meta};
use headcount_sdk::{
    Class, Confidence, Degradation, Evidence, Level, Observation, OwnerBasis, OwnerKind, Privilege,
    Purpose, RecordId, ScanError, Scope, Status, Usage,
};
use jiff::Timestamp;
use serde_json::Value;

use super::*;

static OWNERLESS: Meta = Meta {
    id: "ownerless-identity",
    title: "Identity without an owner",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI1:2025", "NHI9:2025"],
    controls: &["CIS-Controls-8.1:5.5"],
    settings: &[],
    source: "//! ## What it does\n//! Reports identities that no evidence gives an owner.\n//!\n//! ## \
             Fix\n//! Tag it.\n//!\n//! ### CLI\n//! ```sh\n//! aws iam tag-user …\n//! ```\n\nuse \
             std::fmt;\n",
};

static COVERAGE: Meta = Meta {
    id: "coverage-lost",
    title: "Coverage lost",
    severity: Severity::High,
    judges: Judges::Scopes,
    owasp: &[],
    controls: &[],
    settings: &[],
    source: "",
};

const ENVELOPE: Envelope<'static> =
    Envelope { agent: "prod eu/1", scan: "scan-7", sequence: 42, version: "0.1.0" };

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn record(place: &str, class: Class, kind: &str, key: &str) -> Record {
    let mut seen =
        Observation::new(RecordId::new(place, kind, key), class, kind, "svc-billing-export");
    seen.native = format!("arn:aws:iam::123456789012:user/{key}");
    seen.status = Status::Active;
    seen.created_at = Some(at("2026-01-02T03:04:05Z"));
    seen.usage =
        Usage::LastUsed { at: at("2026-11-20T10:00:00Z"), resolution_secs: 900, lag_secs: 14_400 };
    seen.privilege = Some(Privilege { level: Level::Write, reason: "policy billing".to_owned() });
    seen.purpose =
        Some(Purpose { text: "monthly export".to_owned(), locator: "tag:purpose".to_owned() });
    seen.labels = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
    seen.evidence = vec![Evidence {
        operation: "iam:GetCredentialReport".to_owned(),
        object: seen.native.clone(),
        at: at("2026-11-21T20:00:00Z"),
    }];
    Record {
        observation: seen,
        source: "aws-prod".to_owned(),
        scope: Scope::new(place, "iam-users"),
        origin: Origin::Appeared,
        first_seen_at: at("2026-11-21T20:41:07.512Z"),
        changed_at: at("2026-11-21T20:41:07.512Z"),
        replaces: None,
        history: headcount_core::inventory::History::default(),
        owner: None,
    }
}

fn owned(mut record: Record) -> Record {
    record.owner = Some(Owner {
        reference: "team-billing".to_owned(),
        kind: OwnerKind::Technical,
        basis: OwnerBasis::Label,
        locator: "tag:Owner".to_owned(),
        confidence: Confidence::percent(95),
        inherited_from: None,
        path: Vec::new(),
        standing: headcount_sdk::Standing::NotKnown,
    });
    record
}

fn scope_state(coverage: Coverage) -> ScopeState {
    ScopeState {
        source: "aws-prod".to_owned(),
        scope: Scope::new("aws:123456789012", "access-keys"),
        coverage,
        last_read_at: at("2026-11-21T20:41:00Z"),
        last_complete_at: Some(at("2026-11-20T20:41:00Z")),
        baselined_at: Some(at("2026-10-01T00:00:00Z")),
        failures_in_a_row: 1,
        records: 12,
        expected: None,
        as_of: None,
        degradations: vec![],
        never_had: BTreeSet::new(),
        mass_removal: None,
        is_swept: false,
    }
}

fn denied() -> ScanError {
    ScanError::Denied {
        operation: "iam:ListAccessKeys".to_owned(),
        permission: "iam:ListAccessKeys".to_owned(),
    }
}

fn transition(kind: TransitionKind, rule: &Meta, subject: &str) -> Transition {
    let resolved = kind == TransitionKind::Resolved;
    let number = match kind {
        TransitionKind::Opened => 1,
        TransitionKind::Updated => 2,
        TransitionKind::Resolved => 3,
        TransitionKind::Reopened => 4,
        TransitionKind::Suppressed => 5,
    };

    let now = at("2026-11-21T20:41:07.512Z");
    Transition {
        kind,
        finding: Finding {
            id: finding_id(rule.id, subject),
            rule: rule.id.to_owned(),
            severity: rule.severity,
            confidence: Certainty::High,
            status: match kind {
                TransitionKind::Resolved => FindingStatus::Resolved,
                TransitionKind::Suppressed => FindingStatus::Suppressed,
                _ => FindingStatus::Open,
            },
            source: "aws-prod".to_owned(),
            subject: subject.to_owned(),
            subject_name: "svc-billing-export".to_owned(),
            title: "IAM user svc-billing-export has no owner".to_owned(),
            facts: BTreeMap::from([("evidence".to_owned(), "no owner tag".to_owned())]),
            opened_at: if number == 1 { now } else { at("2026-11-20T00:00:00Z") },
            updated_at: now,
            resolved_at: resolved.then_some(now),
            resolution: match kind {
                TransitionKind::Resolved => Some("the subject is gone".to_owned()),
                TransitionKind::Suppressed => Some("accepted by ana until 2027".to_owned()),
                _ => None,
            },
            transitions: number,
        },
    }
}

fn json_of(event: &Event) -> Value {
    serde_json::from_str(&event.body).unwrap()
}

const KINDS: [TransitionKind; 5] = [
    TransitionKind::Opened,
    TransitionKind::Updated,
    TransitionKind::Resolved,
    TransitionKind::Reopened,
    TransitionKind::Suppressed,
];

/// Texts that break renderers: markup, control characters, direction marks, sheer length.
fn hostile() -> Vec<String> {
    vec![
        "\"}],\"class_uid\":1,\"x\":[{\"".to_owned(),
        "\u{0}\u{1}\u{7f}\u{202e}\u{2028}\r\n".repeat(40),
        "🦀".repeat(5000),
        "\u{1}".repeat(100_000),
        "<script>alert(1)</script>' OR 1=1 --".to_owned(),
    ]
}

fn hostile_case(text: &str) -> (Transition, Record, Record) {
    let many = || (0..500).map(|n| (format!("{n}{text}"), text.to_owned())).collect();
    let mut child =
        owned(record("aws:123456789012", Class::Credential, "access-key", "AKIAEXAMPLE"));
    child.observation.name = text.to_owned();
    child.observation.native = text.to_owned();
    child.observation.labels = many();
    child.observation.unread = many();
    child.observation.usage = Usage::NotObservable { reason: text.to_owned() };
    child.observation.purpose = Some(Purpose { text: text.to_owned(), locator: text.to_owned() });
    child.observation.privilege =
        Some(Privilege { level: Level::Unknown, reason: text.to_owned() });
    let evidence = Evidence {
        operation: text.to_owned(),
        object: text.to_owned(),
        at: at("2026-11-21T20:00:00Z"),
    };
    child.observation.evidence = vec![evidence; 500];
    if let Some(owner) = &mut child.owner {
        owner.reference = text.to_owned();
        owner.locator = text.to_owned();
    }
    let mut parent = child.clone();
    parent.observation.id = RecordId::new("aws:123456789012", "iam-user", "AIDAEXAMPLE");
    let mut step = transition(TransitionKind::Resolved, &OWNERLESS, child.id().as_str());
    step.finding.title = text.to_owned();
    step.finding.subject_name = text.to_owned();
    step.finding.resolution = Some(text.to_owned());
    step.finding.facts = many();
    (step, child, parent)
}

/// Every kind of finding payload there is.
fn all_finding_events() -> Vec<Event> {
    let places = ["aws:123456789012", "aws-us-gov:123456789012"];
    let classes = [
        (Class::Identity, "iam-role"),
        (Class::AiAgent, "agent-identity"),
        (Class::Credential, "access-key"),
        (Class::Grant, "inline-policy"),
        (Class::Principal, "iam-user"),
    ];
    let parent = record("aws:123456789012", Class::Identity, "iam-user", "AIDAEXAMPLE");
    let mut events = Vec::new();
    for (place, (class, kind), step) in places
        .iter()
        .flat_map(|place| classes.iter().map(move |class| (place, class)))
        .flat_map(|(place, class)| KINDS.iter().map(move |kind| (place, *class, kind)))
    {
        let plain = record(place, class, kind, "AKIAEXAMPLE");
        for record in [plain.clone(), owned(plain)] {
            for parent in [None, Some(&parent)] {
                let step = transition(*step, &OWNERLESS, record.id().as_str());
                let about = About { meta: &OWNERLESS, record: Some(&record), parent, scope: None };
                events.push(finding_event(&ENVELOPE, &step, &about));
            }
        }
    }
    events.extend(scope_events());
    for text in hostile() {
        let (step, child, parent) = hostile_case(&text);
        let about =
            About { meta: &OWNERLESS, record: Some(&child), parent: Some(&parent), scope: None };
        events.push(finding_event(&ENVELOPE, &step, &about));
    }
    events
}

fn scope_events() -> Vec<Event> {
    let mut degraded = scope_state(Coverage::Complete);
    degraded.degradations = vec![Degradation { field: "usage".to_owned(), error: denied() }];
    let states = [
        scope_state(Coverage::Incomplete { error: denied() }),
        scope_state(Coverage::Held { would_remove: 9, of: 10 }),
        scope_state(Coverage::Sweeping { outstanding: 4 }),
        degraded,
    ];
    let subject = "aws:123456789012/access-keys";
    let mut events = Vec::new();
    for (state, kind) in states.iter().flat_map(|state| KINDS.map(|kind| (state, kind))) {
        let about = About { meta: &COVERAGE, record: None, parent: None, scope: Some(state) };
        events.push(finding_event(&ENVELOPE, &transition(kind, &COVERAGE, subject), &about));
    }
    for subject in [subject, "aws:123456789012:iam-role/AROAEXAMPLE"] {
        let about = About { meta: &COVERAGE, record: None, parent: None, scope: None };
        let gone = transition(TransitionKind::Resolved, &COVERAGE, subject);
        events.push(finding_event(&ENVELOPE, &gone, &about));
    }
    events
}

fn baseline() -> Event {
    let coverage =
        [scope_state(Coverage::Complete), scope_state(Coverage::Incomplete { error: denied() })];
    let summary = BaselineSummary {
        started_at: at("2026-11-21T20:40:00Z"),
        finished_at: at("2026-11-21T20:41:07.512Z"),
        records: BTreeMap::from([(Class::Identity, 40), (Class::Credential, 9)]),
        findings: BTreeMap::from([(("ownerless-identity".to_owned(), Severity::Medium), 7)]),
        coverage: &coverage,
    };
    baseline_event(&ENVELOPE, "aws-prod", &summary, summary.finished_at)
}

#[test]
fn every_finding_payload_is_valid_ocsf() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/specs/ocsf-1.6.0-detection-finding.schema.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return;
    };
    let schema: Value = serde_json::from_str(&text).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    for event in all_finding_events() {
        let data = &json_of(&event)["data"];
        let errors: Vec<_> =
            validator.iter_errors(data).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}\n{data:#}");
    }
}

#[test]
fn bodies_stay_under_the_bound_and_say_that_they_were_cut() {
    for event in all_finding_events() {
        assert!(event.body.len() < MAX_BODY, "{} bytes: {}", event.body.len(), event.id);
    }
    for text in hostile() {
        let (step, child, parent) = hostile_case(&text);
        let about =
            About { meta: &OWNERLESS, record: Some(&child), parent: Some(&parent), scope: None };
        let body = json_of(&finding_event(&ENVELOPE, &step, &about));
        assert_eq!(body["data"]["metadata"]["is_truncated"], true);
        assert_eq!(body["subject"], child.id().as_str(), "ids are never cut");
    }
}

#[test]
fn baseline_of_a_thousand_broken_scopes_stays_under_the_bound() {
    let coverage: Vec<_> = (0..1000)
        .map(|_| {
            let mut state = scope_state(Coverage::Incomplete { error: denied() });
            state.degradations =
                vec![Degradation { field: "usage".to_owned(), error: denied() }; 9];
            state
        })
        .collect();
    let summary = BaselineSummary {
        started_at: at("2026-11-21T20:40:00Z"),
        finished_at: at("2026-11-21T20:41:07Z"),
        records: BTreeMap::new(),
        findings: BTreeMap::new(),
        coverage: &coverage,
    };
    let event = baseline_event(&ENVELOPE, "aws-prod", &summary, summary.finished_at);
    assert!(event.body.len() < MAX_BODY, "{} bytes", event.body.len());
    let data = &json_of(&event)["data"];
    assert_eq!(data["complete"], false);
    assert_eq!(data["short_omitted"], 980);
    assert_eq!(data["scopes"]["incomplete"], 1000);
}

#[test]
fn envelope_follows_cloudevents() {
    let record = record("aws:123456789012", Class::Identity, "iam-user", "AIDAEXAMPLE");
    let step = transition(TransitionKind::Opened, &OWNERLESS, record.id().as_str());
    let about = About { meta: &OWNERLESS, record: Some(&record), parent: None, scope: None };
    let event = finding_event(&ENVELOPE, &step, &about);
    let body = json_of(&event);
    assert_eq!(event.id, step.event_id());
    assert_eq!(event.finding.as_deref(), Some(step.finding.id.as_str()));
    assert_eq!(body["id"], event.id.as_str());
    assert_eq!(body["type"], event.kind.as_str());
    assert_eq!(body["source"], "/agents/prod%20eu%2F1");
    assert_eq!(body["sequence"], "00000000000000000042");
    assert_eq!(body["severitynumber"], 13);
    let names = body.as_object().unwrap().keys();
    for name in names {
        assert!(name.len() <= 20 && name.bytes().all(|b| b.is_ascii_lowercase()), "{name}");
    }
}

#[test]
fn transition_kinds_map_to_type_activity_and_status() {
    let table = KINDS.map(|kind| {
        let step = transition(kind, &OWNERLESS, "aws:123456789012:iam-user/AIDAEXAMPLE");
        let about = About { meta: &OWNERLESS, record: None, parent: None, scope: None };
        let body = json_of(&finding_event(&ENVELOPE, &step, &about));
        let data = &body["data"];
        format!(
            "{} {} {} {} {}",
            body["type"], data["activity_id"], data["type_uid"], data["status"], data["is_alert"]
        )
    });
    assert_eq!(
        table,
        [
            r#""dev.headcount.finding.opened.v1" 1 200401 "New" true"#,
            r#""dev.headcount.finding.updated.v1" 2 200402 "New" true"#,
            r#""dev.headcount.finding.resolved.v1" 3 200403 "Resolved" false"#,
            r#""dev.headcount.finding.updated.v1" 2 200402 "New" true"#,
            r#""dev.headcount.finding.updated.v1" 2 200402 "Suppressed" false"#,
        ]
    );
}

#[test]
fn inherited_owner_says_over_whom_and_whether_they_have_left() {
    let mut role = owned(record("aws:123456789012", Class::Identity, "iam-role", "AROAEXAMPLE"));
    let data = |role: &Record| {
        let step = transition(TransitionKind::Opened, &OWNERLESS, role.id().as_str());
        let about = About { meta: &OWNERLESS, record: Some(role), parent: None, scope: None };
        let event = json_of(&finding_event(&ENVELOPE, &step, &about));
        event["data"]["resources"][0]["data"]["owner"].clone()
    };
    let own = data(&role);
    assert_eq!((own.get("inherited_via"), own.get("standing")), (None, None));
    let path = ["environment/1", "repository/1"].map(|id| RecordId::from_stored(id.to_owned()));
    let owner = role.owner.as_mut().unwrap();
    owner.inherited_from = Some(path[0].clone());
    owner.path = path.into();
    owner.standing = headcount_sdk::Standing::Left;
    let inherited = data(&role);
    assert_eq!(inherited["inherited_from"], "environment/1");
    assert_eq!(inherited["inherited_via"], serde_json::json!(["environment/1", "repository/1"]));
    assert_eq!(inherited["standing"], "left");
}

#[test]
fn unread_owner_is_not_called_ownerless() {
    let mut unread = record("aws:123456789012", Class::Identity, "iam-user", "AIDAEXAMPLE");
    let resource = |record: &Record| {
        let step = transition(TransitionKind::Opened, &OWNERLESS, record.id().as_str());
        let about = About { meta: &OWNERLESS, record: Some(record), parent: None, scope: None };
        json_of(&finding_event(&ENVELOPE, &step, &about))["data"]["resources"][0].clone()
    };
    let known = resource(&unread);
    assert!(known["labels"].as_array().unwrap().contains(&"headcount:ownerless".into()));
    assert_eq!(known["data"].get("owner"), Some(&Value::Null));
    unread.observation.unread =
        BTreeMap::from([("owner_evidence".to_owned(), "iam:ListUserTags".to_owned())]);
    let unknown = resource(&unread);
    assert!(!unknown["labels"].as_array().unwrap().contains(&"headcount:ownerless".into()));
    assert_eq!(unknown["data"].get("owner"), None);
    assert_eq!(unknown["data"]["unread"]["owner_evidence"], "iam:ListUserTags");
}

#[test]
fn systems_that_are_no_cloud_drop_the_profile() {
    let record = record("kubernetes:prod", Class::Identity, "service-account", "uid-1");
    let step = transition(TransitionKind::Opened, &OWNERLESS, record.id().as_str());
    let about = About { meta: &OWNERLESS, record: Some(&record), parent: None, scope: None };
    let data = json_of(&finding_event(&ENVELOPE, &step, &about))["data"].clone();
    assert_eq!(data.get("cloud"), None);
    assert_eq!(data["metadata"]["profiles"], serde_json::json!(["datetime"]));
}

#[test]
fn remediation_is_the_rules_own_text() {
    let step = transition(TransitionKind::Opened, &OWNERLESS, "aws:1:iam-user/A");
    let about = |meta| About { meta, record: None, parent: None, scope: None };
    let data = |meta| json_of(&finding_event(&ENVELOPE, &step, &about(meta)))["data"].clone();
    let documented = data(&OWNERLESS);
    assert_eq!(
        documented["remediation"]["desc"],
        "Tag it.\n\nCLI:\n```sh\naws iam tag-user …\n```"
    );
    assert_eq!(
        documented["finding_info"]["desc"],
        "Reports identities that no evidence gives an owner."
    );
    assert_eq!(data(&COVERAGE)["remediation"]["desc"], "See `headcount explain coverage-lost`.");
}

#[test]
fn payload_of_an_opened_finding_is_pinned() {
    let parent = owned(record("aws:123456789012", Class::Identity, "iam-user", "AIDAEXAMPLE"));
    let mut key = record("aws:123456789012", Class::Credential, "access-key", "AKIAEXAMPLE");
    key.observation.parent = Some(parent.id().clone());
    let step = transition(TransitionKind::Opened, &OWNERLESS, key.id().as_str());
    let about = About { meta: &OWNERLESS, record: Some(&key), parent: Some(&parent), scope: None };
    pin("opened", &finding_event(&ENVELOPE, &step, &about));
}

#[test]
fn payload_of_a_reopened_finding_is_pinned() {
    let role = owned(record("aws:123456789012", Class::Identity, "iam-role", "AROAEXAMPLE"));
    let step = transition(TransitionKind::Reopened, &OWNERLESS, role.id().as_str());
    let about = About { meta: &OWNERLESS, record: Some(&role), parent: None, scope: None };
    pin("reopened", &finding_event(&ENVELOPE, &step, &about));
}

#[test]
fn payload_of_a_resolved_finding_whose_subject_is_gone_is_pinned() {
    let subject = "aws:123456789012:iam-role/AROAEXAMPLE";
    let step = transition(TransitionKind::Resolved, &OWNERLESS, subject);
    let about = About { meta: &OWNERLESS, record: None, parent: None, scope: None };
    pin("resolved-gone", &finding_event(&ENVELOPE, &step, &about));
}

#[test]
fn payload_of_lost_coverage_is_pinned() {
    let state = scope_state(Coverage::Incomplete { error: denied() });
    let step = transition(TransitionKind::Opened, &COVERAGE, "aws:123456789012/access-keys");
    let about = About { meta: &COVERAGE, record: None, parent: None, scope: Some(&state) };
    pin("coverage-lost", &finding_event(&ENVELOPE, &step, &about));
}

#[test]
fn payloads_of_baseline_and_test_are_pinned() {
    pin("baseline", &baseline());
    pin("sink-test", &test_event("prod-eu1", "0.1.0", at("2026-11-21T20:41:07Z")));
}

/// Pins the order of fields as well, which is what people read.
fn pin(name: &str, event: &Event) {
    insta::assert_snapshot!(name, pretty(&event.body));
}

/// Indents JSON without touching the order of its fields.
fn pretty(json: &str) -> String {
    let (mut out, mut depth, mut quoted, mut escaped) = (String::new(), 0_usize, false, false);
    for c in json.chars() {
        let newline = |out: &mut String, depth: usize| {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        };
        match c {
            '}' | ']' if !quoted => {
                depth -= 1;
                newline(&mut out, depth);
                out.push(c);
            }
            '{' | '[' if !quoted => {
                depth += 1;
                out.push(c);
                newline(&mut out, depth);
            }
            ',' if !quoted => {
                out.push(c);
                newline(&mut out, depth);
            }
            ':' if !quoted => out.push_str(": "),
            c => {
                quoted ^= c == '"' && !escaped;
                out.push(c);
            }
        }
        escaped = c == '\\' && !escaped;
    }
    out
}
