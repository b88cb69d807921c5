//! One transition of a finding as an OCSF Detection Finding.

use headcount_core::findings::{Certainty, FindingStatus, Severity, Transition, TransitionKind};
use headcount_core::inventory::{Coverage, Origin, Owner, Record, ScopeState};
use headcount_core::rules::Meta;
use headcount_core::rules::docs::{self, Section};
use headcount_sdk::{Evidence, ScanError, Usage};
use jiff::Timestamp;

use super::ocsf::{
    Account, Analytic, Api, Cloud, Coded, DetectionFinding, DiffData, EvidenceArtifact,
    EvidenceData, FindingInfo, Gap, KeyValue, KeyValues, Metadata, OwnerData, Product, PurposeData,
    Reasoned, RecordData, Remediation, Resource, ResourceData, ScopeData, Unmapped, User, VERSION,
};
use super::trim::Trim;
use super::{About, Envelope};

const CLASS: u32 = 2004;
const TARGET: Coded = (1, "Target");
const RELATED: Coded = (4, "Related");

pub fn render(
    envelope: &Envelope<'_>,
    transition: &Transition,
    about: &About<'_>,
    trim: &Trim,
) -> DetectionFinding {
    let finding = &transition.finding;
    let (activity_id, activity_name) = activity(transition.kind);
    let (severity_id, severity) = severity(finding.severity);
    let (confidence_id, confidence) = certainty(finding.confidence);
    let (status_id, status) = status(finding.status);
    let cloud = cloud(place(transition, about));
    let mut finding = DetectionFinding {
        class_uid: CLASS,
        class_name: "Detection Finding",
        category_uid: 2,
        category_name: "Findings",
        activity_id,
        activity_name,
        type_uid: CLASS * 100 + u32::from(activity_id),
        type_name: format!("Detection Finding: {activity_name}"),
        severity_id,
        severity,
        confidence_id,
        confidence,
        status_id,
        status,
        status_detail: finding.resolution.as_deref().map(|text| trim.text(text)),
        is_alert: finding.status == FindingStatus::Open,
        time: finding.updated_at.as_millisecond(),
        time_dt: finding.updated_at,
        message: trim.text(&finding.title),
        metadata: metadata(envelope, transition, cloud.is_some()),
        finding_info: info(transition, about.meta, trim),
        cloud,
        resources: resources(transition, about, trim),
        evidences: evidences(transition, about, trim),
        remediation: Remediation { desc: fix(about.meta, trim) },
        unmapped: Unmapped {
            dedup_key: format!("{}|{}", finding.rule, finding.subject),
            transition: finding.transitions,
            change: transition.kind.as_str(),
        },
    };
    finding.metadata.is_truncated = trim.was_cut().then_some(true);
    finding
}

const fn activity(kind: TransitionKind) -> Coded {
    match kind {
        TransitionKind::Opened => (1, "Create"),
        TransitionKind::Updated | TransitionKind::Reopened | TransitionKind::Suppressed => {
            (2, "Update")
        }
        TransitionKind::Resolved => (3, "Close"),
    }
}

const fn severity(severity: Severity) -> Coded {
    match severity {
        Severity::Info => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

const fn certainty(certainty: Certainty) -> Coded {
    match certainty {
        Certainty::Low => (1, "Low"),
        Certainty::Medium => (2, "Medium"),
        Certainty::High => (3, "High"),
    }
}

/// Nobody works on a finding inside Headcount, so an open one is always "New".
const fn status(status: FindingStatus) -> Coded {
    match status {
        FindingStatus::Open => (1, "New"),
        FindingStatus::Suppressed => (3, "Suppressed"),
        FindingStatus::Resolved => (4, "Resolved"),
    }
}

fn metadata(envelope: &Envelope<'_>, transition: &Transition, in_cloud: bool) -> Metadata {
    let cloud = in_cloud.then_some("cloud");
    Metadata {
        version: VERSION,
        uid: transition.event_id(),
        correlation_uid: envelope.scan.to_owned(),
        event_code: transition.finding.rule.clone(),
        log_name: "headcount.findings",
        log_provider: transition.finding.source.clone(),
        sequence: envelope.sequence,
        profiles: cloud.into_iter().chain(["datetime"]).collect(),
        product: Product {
            uid: "headcount",
            name: "Headcount",
            vendor_name: "Headcount",
            version: envelope.version.to_owned(),
        },
        is_truncated: None,
    }
}

fn info(transition: &Transition, meta: &Meta, trim: &Trim) -> FindingInfo {
    let finding = &transition.finding;
    let tags = [("owasp-nhi", meta.owasp), ("control", meta.controls)]
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(name, values)| KeyValues {
            name,
            values: values.iter().map(|&value| value.to_owned()).collect(),
        })
        .collect();
    FindingInfo {
        uid: finding.id.clone(),
        title: meta.title.to_owned(),
        desc: documented(meta, Section::WhatItDoes).map(|text| trim.prose(&text)),
        types: vec![format!("headcount.{}", finding.rule)],
        created_time: finding.opened_at.as_millisecond(),
        created_time_dt: finding.opened_at,
        modified_time: finding.updated_at.as_millisecond(),
        modified_time_dt: finding.updated_at,
        analytic: Analytic {
            uid: finding.rule.clone(),
            name: meta.title.to_owned(),
            type_id: 1,
            type_name: "Rule",
        },
        tags,
    }
}

/// Where the subject is. A record that is gone is no longer there to ask, but its id still says.
fn place<'a>(transition: &'a Transition, about: &About<'a>) -> &'a str {
    if let Some(record) = about.record {
        return &record.scope.place;
    }
    if let Some(state) = about.scope {
        return &state.scope.place;
    }
    let subject = transition.finding.subject.as_str();
    let head = subject.split_once('/').map_or(subject, |(head, _)| head);
    // `aws:123456789012:access-key` or `aws:123456789012`.
    match head.match_indices(':').nth(1) {
        Some((end, _)) => head.get(..end).unwrap_or(head),
        None => head,
    }
}

/// AWS places are `<partition>:<account>`; other systems are no cloud in OCSF's sense.
fn cloud(place: &str) -> Option<Cloud> {
    let (partition, account) = place.split_once(':')?;
    if partition != "aws" && !partition.starts_with("aws-") {
        return None;
    }
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let account = is_account.then(|| Account {
        uid: account.to_owned(),
        type_id: 10,
        type_name: "AWS Account",
    });
    Some(Cloud { provider: "AWS", cloud_partition: partition.to_owned(), account })
}

fn resources(transition: &Transition, about: &About<'_>, trim: &Trim) -> Vec<Resource> {
    let finding = &transition.finding;
    let mut target = match (about.record, about.scope) {
        (Some(record), _) => of_record(record, TARGET, trim),
        (None, Some(state)) => of_scope(state, trim),
        (None, None) => bare(TARGET),
    };
    target.uid.clone_from(&finding.subject);
    target.name = trim.text(&finding.subject_name);
    target.labels.push(format!("headcount:{}", finding.rule));
    if transition.kind == TransitionKind::Reopened {
        target.labels.push("headcount:reopened".to_owned());
    }
    let parent = about.parent.map(|parent| of_record(parent, RELATED, trim));
    std::iter::once(target).chain(parent).collect()
}

const fn bare(role: Coded) -> Resource {
    Resource {
        uid: String::new(),
        uid_alt: None,
        name: String::new(),
        type_name: None,
        role_id: role.0,
        role: role.1,
        created_time: None,
        created_time_dt: None,
        labels: Vec::new(),
        tags: Vec::new(),
        owner: None,
        data: None,
    }
}

fn of_record(record: &Record, role: Coded, trim: &Trim) -> Resource {
    let seen = &record.observation;
    let mut labels = vec![format!("headcount:{}", seen.class.as_str())];
    if record.origin == Origin::Appeared {
        labels.push("headcount:new".to_owned());
    }
    if record.owner.is_none() && owner_was_read(record) {
        labels.push("headcount:ownerless".to_owned());
    }
    let tags = trim.list(seen.labels.iter());
    Resource {
        uid: seen.id.to_string(),
        uid_alt: (!seen.native.is_empty()).then(|| trim.text(&seen.native)),
        name: trim.text(&seen.name),
        type_name: Some(seen.kind.clone()),
        created_time: seen.created_at.map(Timestamp::as_millisecond),
        created_time_dt: seen.created_at,
        labels,
        tags: tags
            .map(|(name, value)| KeyValue { name: trim.text(name), value: trim.text(value) })
            .collect(),
        owner: record.owner.as_ref().map(|owner| User { name: trim.text(&owner.reference) }),
        data: Some(ResourceData::Record(Box::new(record_data(record, trim)))),
        ..bare(role)
    }
}

/// Whether "no owner" is knowledge; what could not be read is not missing.
fn owner_was_read(record: &Record) -> bool {
    let unread = &record.observation.unread;
    !unread.contains_key("owner_evidence") && !unread.contains_key("labels")
}

fn record_data(record: &Record, trim: &Trim) -> RecordData {
    let seen = &record.observation;
    let owner = record.owner.as_ref().map(|owner| owner_data(owner, trim));
    RecordData {
        schema: "headcount.record.v1",
        class: seen.class.as_str(),
        kind: seen.kind.clone(),
        status: seen.status.as_str(),
        usage: usage(&seen.usage, trim),
        expiry: seen.expiry.clone(),
        privilege: seen.privilege.as_ref().map(|privilege| Reasoned {
            level: privilege.level.as_str(),
            reason: trim.text(&privilege.reason),
        }),
        owner: (owner.is_some() || owner_was_read(record)).then_some(owner),
        purpose: seen.purpose.as_ref().map(|purpose| PurposeData {
            text: trim.text(&purpose.text),
            locator: trim.text(&purpose.locator),
        }),
        diff: DiffData {
            origin: record.origin,
            first_seen_at: record.first_seen_at,
            changed_at: record.changed_at,
            replaces: record.replaces.as_ref().map(ToString::to_string),
        },
        unread: trim.map(&seen.unread),
    }
}

fn usage(usage: &Usage, trim: &Trim) -> Usage {
    match usage {
        Usage::NotObservable { reason } => Usage::NotObservable { reason: trim.text(reason) },
        Usage::LastUsed { .. } | Usage::NeverSince { .. } => usage.clone(),
    }
}

fn owner_data(owner: &Owner, trim: &Trim) -> OwnerData {
    OwnerData {
        reference: trim.text(&owner.reference),
        kind: owner.kind,
        basis: owner.basis.as_str(),
        locator: trim.text(&owner.locator),
        confidence: owner.confidence.as_fraction(),
        inherited_from: owner.inherited_from.as_ref().map(ToString::to_string),
        inherited_via: match owner.path.as_slice() {
            [] | [_] => Vec::new(),
            path => path.iter().map(ToString::to_string).collect(),
        },
        standing: owner.standing,
    }
}

fn of_scope(state: &ScopeState, trim: &Trim) -> Resource {
    let data = ScopeData {
        schema: "headcount.scope.v1",
        place: state.scope.place.clone(),
        kind: state.scope.kind.clone(),
        coverage: state.coverage.as_str(),
        gaps: gaps(state, trim),
        last_read_at: state.last_read_at,
        last_complete_at: state.last_complete_at,
        records: state.records,
    };
    Resource {
        type_name: Some("scope".to_owned()),
        data: Some(ResourceData::Scope(Box::new(data))),
        ..bare(TARGET)
    }
}

/// What a reading of the scope did not see, and why: its own error, and every enrichment that
/// failed.
pub(super) fn gaps(state: &ScopeState, trim: &Trim) -> Vec<Gap> {
    let whole = match &state.coverage {
        Coverage::Incomplete { error } => Some((None, error)),
        _ => None,
    };
    let parts: Vec<_> = whole
        .into_iter()
        .chain(state.degradations.iter().map(|d| (Some(d.field.as_str()), &d.error)))
        .collect();
    trim.list(parts.into_iter()).map(|(field, error)| gap(field, error, trim)).collect()
}

fn gap(field: Option<&str>, error: &ScanError, trim: &Trim) -> Gap {
    let missing_permission = match error {
        ScanError::Denied { permission, .. } => Some(trim.text(permission)),
        _ => None,
    };
    Gap {
        field: field.map(|field| trim.text(field)),
        operation: trim.text(error.operation()),
        cause: error.cause(),
        missing_permission,
    }
}

fn evidences(transition: &Transition, about: &About<'_>, trim: &Trim) -> Vec<EvidenceArtifact> {
    let facts = &transition.finding.facts;
    let facts = (!facts.is_empty()).then(|| EvidenceArtifact {
        name: "facts",
        api: None,
        data: EvidenceData::Facts(trim.map(facts)),
    });
    let observed = about.record.map_or(&[][..], |record| &record.observation.evidence);
    facts.into_iter().chain(trim.list(observed.iter()).map(|e| observation(e, trim))).collect()
}

fn observation(evidence: &Evidence, trim: &Trim) -> EvidenceArtifact {
    EvidenceArtifact {
        name: "observation",
        api: Some(Api { operation: trim.text(&evidence.operation) }),
        data: EvidenceData::Observed { object: trim.text(&evidence.object), at: evidence.at },
    }
}

/// How to mend it: the rule's own text, commands included.
fn fix(meta: &Meta, trim: &Trim) -> String {
    let parts =
        [(Section::Fix, ""), (Section::Cli, "CLI:\n"), (Section::Terraform, "Terraform:\n")];
    let text: Vec<_> = parts
        .into_iter()
        .filter_map(|(section, head)| Some(format!("{head}{}", documented(meta, section)?)))
        .collect();
    if text.is_empty() {
        return format!("See `headcount explain {}`.", meta.id);
    }
    trim.prose(&text.join("\n\n"))
}

fn documented(meta: &Meta, section: Section) -> Option<String> {
    Some(docs::section(meta, section)).filter(|text| !text.is_empty())
}
