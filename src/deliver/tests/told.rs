//! Events as the ledger renders them, for sinks that put them into other words.

use std::collections::BTreeMap;

use headcount_core::findings::{Certainty, Finding, FindingStatus, Severity, Transition};
use headcount_core::findings::{TransitionKind, finding_id};
use headcount_core::inventory::{History, Origin, Owner, Record};
use headcount_core::rules;
use headcount_sdk::{Class, Confidence, Observation, OwnerBasis, OwnerKind, RecordId, Scope};
use jiff::Timestamp;

use crate::deliver::payload::{self, About, BaselineSummary, Envelope};
use crate::store::Event;

const RULE: &str = "stale-credential";

fn envelope(sequence: u64) -> Envelope<'static> {
    Envelope { agent: "prod", scan: "scan-7", sequence, version: "0.1.0" }
}

/// A step of a finding of its own: opened at severity medium on a record that team-billing owns,
/// unless it is changed.
pub fn told(sequence: u64, change: impl FnOnce(&mut Finding, &mut Record)) -> Event {
    let now: Timestamp = "2026-11-21T00:00:00.125Z".parse().unwrap();
    let id = RecordId::new("aws:123456789012", "access-key", &format!("key-{sequence}"));
    let mut record = record(id, now);
    let mut finding = Finding {
        id: finding_id(RULE, record.id().as_str()),
        rule: RULE.to_owned(),
        severity: Severity::Medium,
        confidence: Certainty::High,
        status: FindingStatus::Open,
        source: "aws".to_owned(),
        subject: record.id().to_string(),
        subject_name: record.observation.name.clone(),
        title: format!("Key {sequence} was not used for 120 days."),
        facts: BTreeMap::new(),
        opened_at: now,
        updated_at: now,
        resolved_at: None,
        resolution: None,
        transitions: 1,
    };
    change(&mut finding, &mut record);
    let kind = match finding.status {
        FindingStatus::Resolved => TransitionKind::Resolved,
        _ if finding.transitions == 1 => TransitionKind::Opened,
        _ => TransitionKind::Updated,
    };
    let meta = rules::find(RULE).unwrap().meta();
    let about = About { meta, record: Some(&record), parent: None, scope: None };
    payload::finding_event(&envelope(sequence), &Transition { kind, finding }, &about)
}

fn record(id: RecordId, now: Timestamp) -> Record {
    let name = format!("svc-{}", id.as_str().rsplit('/').next().unwrap());
    Record {
        observation: Observation::new(id, Class::Credential, "access-key", &name),
        source: "aws".to_owned(),
        scope: Scope::new("aws:123456789012", "access-keys"),
        origin: Origin::Appeared,
        first_seen_at: now,
        changed_at: now,
        replaces: None,
        history: History::default(),
        owner: Some(Owner {
            reference: "team-billing".to_owned(),
            kind: OwnerKind::Technical,
            basis: OwnerBasis::Label,
            locator: "tag:Owner".to_owned(),
            confidence: Confidence::percent(95),
            inherited_from: None,
            path: Vec::new(),
            standing: headcount_sdk::Standing::NotKnown,
        }),
    }
}

/// As [`told`], at this severity.
pub fn severe(sequence: u64, severity: Severity) -> Event {
    told(sequence, |finding, _| finding.severity = severity)
}

/// As [`told`], resolved.
pub fn resolved(sequence: u64) -> Event {
    told(sequence, |finding, _| {
        finding.status = FindingStatus::Resolved;
        finding.resolution = Some("the key is gone".to_owned());
        finding.transitions = 2;
    })
}

/// The summary of a first scan.
pub fn summary(sequence: u64) -> Event {
    let time = "2026-11-21T00:00:00Z".parse().unwrap();
    let summary = BaselineSummary {
        started_at: time,
        finished_at: time,
        records: BTreeMap::from([(Class::Identity, 3), (Class::Credential, 4)]),
        findings: BTreeMap::from([((RULE.to_owned(), Severity::Medium), 2)]),
        coverage: &[],
    };
    payload::baseline_event(&envelope(sequence), "aws", &summary, time)
}
