//! What leaves the agent: CloudEvents 1.0 in structured JSON mode.
//!
//! Pure: the events are rendered before the commit that stores them, byte for byte as they are
//! signed and sent later. Structured mode, because the signature covers the body and not the
//! headers. No secret can be here, since the model has no field for one; texts that people wrote
//! are cut so that a body stays below [`MAX_BODY`].
//!
//! | type | data |
//! |---|---|
//! | `dev.headcount.finding.opened.v1`, `…updated.v1`, `…resolved.v1` | OCSF Detection Finding, see [`ocsf`] |
//! | `dev.headcount.scan.baseline.v1` | [`BaselineData`]: what the first scan of a source counted |
//! | `dev.headcount.sink.test.v1` | [`TestData`]: asks a sink for a 2xx and means nothing else |

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use headcount_core::findings::{Severity, Transition, TransitionKind};
use headcount_core::inventory::{Record, ScopeState};
use headcount_core::rules::Meta;
use headcount_sdk::Class;
use jiff::Timestamp;
use serde::Serialize;

use crate::store::Event;

mod finding;
pub mod ocsf;
#[cfg(test)]
mod tests;
mod trim;

/// Bound on an event's body, in bytes: what Standard Webhooks advises receivers to expect.
pub const MAX_BODY: usize = 20_000;

/// Short scopes that a baseline names one by one; the rest are counted.
const MAX_SHORT_SCOPES: usize = 20;

/// What every event of one commit shares, and its own place in the sequence.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The configured name of this agent; becomes the CloudEvents `source`.
    pub agent: &'a str,
    /// The scan that led to the event.
    pub scan: &'a str,
    pub sequence: u64,
    /// Version of Headcount.
    pub version: &'a str,
}

/// What is known about a finding's subject, as far as it is still there.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    pub meta: &'a Meta,
    pub record: Option<&'a Record>,
    /// The identity that the record belongs to.
    pub parent: Option<&'a Record>,
    /// Where the rule judges a scope: its state.
    pub scope: Option<&'a ScopeState>,
}

/// What the first scan of a source found.
#[derive(Clone, Debug)]
pub struct BaselineSummary<'a> {
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    pub records: BTreeMap<Class, u64>,
    /// Open findings, by rule and severity.
    pub findings: BTreeMap<(String, Severity), u64>,
    pub coverage: &'a [ScopeState],
}

/// One step of a finding, as the event that tells it.
#[must_use]
pub fn finding_event(envelope: &Envelope<'_>, transition: &Transition, about: &About<'_>) -> Event {
    let id = transition.event_id();
    let roomy = finding_body(envelope, transition, about, &trim::ROOMY);
    let body = if roomy.len() < MAX_BODY {
        roomy
    } else {
        finding_body(envelope, transition, about, &trim::TIGHT)
    };
    Event {
        sequence: envelope.sequence,
        id,
        kind: finding_type(transition.kind).to_owned(),
        finding: Some(transition.finding.id.clone()),
        time: transition.finding.updated_at,
        body,
    }
}

fn finding_body(
    envelope: &Envelope<'_>,
    transition: &Transition,
    about: &About<'_>,
    caps: &trim::Caps,
) -> String {
    let finding = &transition.finding;
    let (severitytext, severitynumber) = otel(finding.severity);
    json(&CloudEvent {
        subject: &finding.subject,
        dataschema: Some(ocsf::SCHEMA),
        sequence: Some(format!("{:020}", envelope.sequence)),
        correlationid: Some(envelope.scan),
        severitytext,
        severitynumber,
        ..CloudEvent::new(
            &transition.event_id(),
            finding_type(transition.kind),
            (envelope.agent, finding.updated_at),
            finding::render(envelope, transition, about, &trim::Trim::new(*caps)),
        )
    })
}

/// Receivers subscribe to three types; that a finding was reopened or accepted is an update, and
/// its status says which.
const fn finding_type(kind: TransitionKind) -> &'static str {
    match kind {
        TransitionKind::Opened => "dev.headcount.finding.opened.v1",
        TransitionKind::Updated | TransitionKind::Reopened | TransitionKind::Suppressed => {
            "dev.headcount.finding.updated.v1"
        }
        TransitionKind::Resolved => "dev.headcount.finding.resolved.v1",
    }
}

/// Severity on OpenTelemetry's log scale, as the CloudEvents `severity` extension wants it.
const fn otel(severity: Severity) -> (&'static str, u8) {
    match severity {
        Severity::Info | Severity::Low => ("INFO", 9),
        Severity::Medium => ("WARN", 13),
        Severity::High => ("ERROR", 17),
        Severity::Critical => ("FATAL", 21),
    }
}

/// The one summary that stands for a source's first scan.
#[must_use]
pub fn baseline_event(
    envelope: &Envelope<'_>,
    source: &str,
    summary: &BaselineSummary<'_>,
    time: Timestamp,
) -> Event {
    let id = event_id(&["baseline", envelope.agent, source, envelope.scan]);
    let kind = "dev.headcount.scan.baseline.v1";
    let body = json(&CloudEvent {
        subject: source,
        sequence: Some(format!("{:020}", envelope.sequence)),
        correlationid: Some(envelope.scan),
        ..CloudEvent::new(
            &id,
            kind,
            (envelope.agent, time),
            BaselineData::new(envelope, source, summary),
        )
    });
    Event { sequence: envelope.sequence, id, kind: kind.to_owned(), finding: None, time, body }
}

/// A message that only asks whether the sink works. It stands outside the sequence, because it
/// is never stored.
#[must_use]
pub fn test_event(agent: &str, version: &str, time: Timestamp) -> Event {
    let id = event_id(&["test", agent, &time.as_nanosecond().to_string()]);
    let kind = "dev.headcount.sink.test.v1";
    let data = TestData {
        schema: "headcount.test.v1",
        message: "Headcount asks whether this sink works. There is nothing to do.",
        version,
    };
    let event =
        CloudEvent { subject: "sink-test", ..CloudEvent::new(&id, kind, (agent, time), data) };
    let body = json(&event);
    Event { sequence: 0, id, kind: kind.to_owned(), finding: None, time, body }
}

#[derive(Serialize)]
struct CloudEvent<'a, D> {
    specversion: &'static str,
    id: &'a str,
    source: String,
    #[serde(rename = "type")]
    kind: &'a str,
    subject: &'a str,
    time: Timestamp,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataschema: Option<&'static str>,
    /// Zero-padded, because consumers compare it as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlationid: Option<&'a str>,
    severitytext: &'static str,
    severitynumber: u8,
    data: D,
}

impl<'a, D> CloudEvent<'a, D> {
    fn new(id: &'a str, kind: &'a str, (agent, time): (&str, Timestamp), data: D) -> Self {
        let (severitytext, severitynumber) = otel(Severity::Info);
        Self {
            specversion: "1.0",
            id,
            source: format!("/agents/{}", percent_encoded(agent)),
            kind,
            subject: "",
            time,
            datacontenttype: "application/json",
            dataschema: None,
            sequence: None,
            correlationid: None,
            severitytext,
            severitynumber,
            data,
        }
    }
}

/// `data` of a baseline: `headcount.baseline.v1`.
#[derive(Debug, Serialize)]
pub struct BaselineData {
    pub schema: &'static str,
    pub source: String,
    pub scan: String,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    /// Whether every scope was read to its end. If not, the counts are lower bounds.
    pub complete: bool,
    pub records: BTreeMap<&'static str, u64>,
    pub findings: Vec<BaselineFindings>,
    /// Number of scopes by coverage.
    pub scopes: BTreeMap<&'static str, u64>,
    /// The scopes that were not seen whole: not read to their end, or without an enrichment.
    pub short: Vec<ShortScope>,
    /// How many more there are than `short` names.
    pub short_omitted: u64,
}

#[derive(Debug, Serialize)]
pub struct BaselineFindings {
    pub rule: String,
    pub severity: Severity,
    pub count: u64,
}

#[derive(Debug, Serialize)]
pub struct ShortScope {
    pub scope: String,
    pub status: &'static str,
    pub gaps: Vec<ocsf::Gap>,
}

impl BaselineData {
    fn new(envelope: &Envelope<'_>, source: &str, summary: &BaselineSummary<'_>) -> Self {
        let mut scopes = BTreeMap::new();
        for state in summary.coverage {
            *scopes.entry(state.coverage.as_str()).or_default() += 1;
        }
        let short: Vec<_> = summary
            .coverage
            .iter()
            .filter(|state| state.coverage.is_short() || !state.degradations.is_empty())
            .collect();
        let findings = summary.findings.iter();
        Self {
            schema: "headcount.baseline.v1",
            source: source.to_owned(),
            scan: envelope.scan.to_owned(),
            started_at: summary.started_at,
            finished_at: summary.finished_at,
            complete: !summary.coverage.iter().any(|state| state.coverage.is_short()),
            records: summary.records.iter().map(|(class, n)| (class.as_str(), *n)).collect(),
            findings: findings
                .map(|((rule, severity), count)| BaselineFindings {
                    rule: rule.clone(),
                    severity: *severity,
                    count: *count,
                })
                .collect(),
            scopes,
            short_omitted: short.len().saturating_sub(MAX_SHORT_SCOPES) as u64,
            short: short.into_iter().take(MAX_SHORT_SCOPES).map(ShortScope::new).collect(),
        }
    }
}

impl ShortScope {
    fn new(state: &ScopeState) -> Self {
        Self {
            scope: state.scope.to_string(),
            status: state.coverage.as_str(),
            gaps: finding::gaps(state, &trim::Trim::new(trim::TIGHT)),
        }
    }
}

/// `data` of a test message: `headcount.test.v1`.
#[derive(Debug, Serialize)]
pub struct TestData<'a> {
    pub schema: &'static str,
    pub message: &'static str,
    pub version: &'a str,
}

fn event_id(parts: &[&str]) -> String {
    let digest = digest::digest(&digest::SHA256, parts.join("|").as_bytes());
    let hex = digest.as_ref().iter().take(13).map(|byte| format!("{byte:02x}"));
    format!("evt_{}", hex.collect::<String>())
}

/// Keeps an agent's name inside one segment of a URI reference.
fn percent_encoded(name: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(encode).collect()
}

#[expect(
    clippy::expect_used,
    reason = "JSON fails on maps without text keys and on failing Serialize impls; the types of \
              this module have neither, and the tests render every kind"
)]
fn json<T: Serialize>(event: &T) -> String {
    serde_json::to_string(event).expect("an event is plain data")
}
