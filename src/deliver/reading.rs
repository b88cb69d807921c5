//! What an event says, read back from its body, for sinks that speak another language than
//! CloudEvents.
//!
//! Events are frozen when they are committed; a sink never asks the store what a finding is now.
//! Texts come from the systems that were read, so whoever shows them makes them harmless first:
//! [`plain`] takes out what could move a cursor or reverse a line.

use std::fmt;

use headcount_core::findings::Severity;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::DeliveryError;
use crate::store::Event;

/// What the message says that asks whether a sink works.
pub const TEST: &str = "Headcount asks whether this sink works. There is nothing to do.";

/// An event in the words of its kind.
#[derive(Debug)]
pub enum Reading {
    Finding(Box<Told>),
    Baseline(Summary),
    /// The message that asks whether a sink works.
    Test,
}

/// One step of a finding, as its event tells it.
#[derive(Debug)]
pub struct Told {
    pub agent: String,
    pub finding: String,
    pub rule: String,
    /// The rule's title.
    pub rule_title: String,
    /// The finding's own sentence.
    pub title: String,
    pub severity: Severity,
    pub standing: Standing,
    /// `opened`, `updated`, `reopened`, `resolved` …
    pub change: String,
    pub source: String,
    pub subject: String,
    pub subject_name: String,
    /// What kind of record the subject is, where it is one.
    pub subject_kind: Option<String>,
    pub owner: Option<String>,
    /// Why it was resolved.
    pub resolution: Option<String>,
    pub time: Timestamp,
}

/// Where a finding stands after the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Open,
    /// An exception accepts it: nobody has to act.
    Suppressed,
    Resolved,
}

/// What the first scan of a source counted.
#[derive(Debug)]
pub struct Summary {
    pub agent: String,
    pub source: String,
    pub complete: bool,
    pub records: u64,
    pub findings: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { agent, source, records, findings, .. } = self;
        write!(f, "First scan of {source} by {agent}: {records} records, {findings} findings")?;
        if self.complete { Ok(()) } else { f.write_str(", not complete") }
    }
}

#[derive(Deserialize)]
struct Envelope {
    source: String,
    subject: String,
    time: Timestamp,
    data: Value,
}

impl Reading {
    /// Reads an event. An event that this version cannot read is refused, not guessed at.
    pub fn of(event: &Event) -> Result<Self, DeliveryError> {
        let unreadable = || DeliveryError::Reject {
            reason: "the event is of a kind that this sink cannot put into words".to_owned(),
        };
        let envelope: Envelope = serde_json::from_str(&event.body).map_err(|_| unreadable())?;
        let data = &envelope.data;
        match data.get("schema").and_then(Value::as_str) {
            Some("headcount.test.v1") => return Ok(Self::Test),
            Some("headcount.baseline.v1") => {
                return Ok(Self::Baseline(summary(&envelope).ok_or_else(unreadable)?));
            }
            _ => {}
        }
        told(&envelope).map(|told| Self::Finding(Box::new(told))).ok_or_else(unreadable)
    }
}

fn told(envelope: &Envelope) -> Option<Told> {
    let data = &envelope.data;
    let text = |pointer: &str| data.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    Some(Told {
        agent: agent(&envelope.source),
        finding: text("/finding_info/uid")?,
        rule: text("/metadata/event_code")?,
        rule_title: text("/finding_info/title")?,
        title: text("/message")?,
        severity: severity(data.get("severity_id")?.as_u64()?)?,
        standing: standing(data.get("status_id")?.as_u64()?)?,
        change: text("/unmapped/change")?,
        source: text("/metadata/log_provider")?,
        subject: envelope.subject.clone(),
        subject_name: text("/resources/0/name")?,
        subject_kind: text("/resources/0/type"),
        owner: text("/resources/0/owner/name"),
        resolution: text("/status_detail"),
        time: envelope.time,
    })
}

/// As `payload` writes it: <https://schema.ocsf.io/1.6.0/classes/detection_finding>.
const fn severity(id: u64) -> Option<Severity> {
    match id {
        1 => Some(Severity::Info),
        2 => Some(Severity::Low),
        3 => Some(Severity::Medium),
        4 => Some(Severity::High),
        5 => Some(Severity::Critical),
        _ => None,
    }
}

const fn standing(id: u64) -> Option<Standing> {
    match id {
        1 | 2 => Some(Standing::Open),
        3 => Some(Standing::Suppressed),
        4 => Some(Standing::Resolved),
        _ => None,
    }
}

fn summary(envelope: &Envelope) -> Option<Summary> {
    let data = &envelope.data;
    let records = data.get("records")?.as_object()?.values();
    let findings = data.get("findings")?.as_array()?.iter();
    Some(Summary {
        agent: agent(&envelope.source),
        source: data.get("source")?.as_str()?.to_owned(),
        complete: data.get("complete")?.as_bool()?,
        records: records.map(Value::as_u64).sum::<Option<u64>>()?,
        findings: findings.map(|f| f.get("count")?.as_u64()).sum::<Option<u64>>()?,
    })
}

/// `/agents/NAME`; names need no escapes (`config::name`).
fn agent(source: &str) -> String {
    source.strip_prefix("/agents/").unwrap_or(source).to_owned()
}

/// A text of somebody else's on one line: control characters, and marks that change the direction
/// of what follows, are replaced; at most `limit` characters, with an ellipsis where it was cut.
#[must_use]
pub fn plain(text: &str, limit: usize) -> String {
    let harmless = |c: char| match c {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => '\u{fffd}',
        c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => '\u{fffd}',
        c => c,
    };
    let mut chars = text.chars().map(harmless);
    let mut cut: String = chars.by_ref().take(limit).collect();
    if chars.next().is_some() {
        cut.pop();
        cut.push('…');
    }
    cut
}

/// Where people look at findings: a URL in which `{finding}` and `{rule}` stand for their ids.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Link(String);

impl TryFrom<String> for Link {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let link = Self(text);
        match link.to("f_0", "rule").parse::<reqwest::Url>() {
            Ok(url) if matches!(url.scheme(), "https" | "http") => Ok(link),
            _ => Err("a link begins with https:// and may hold {finding} and {rule}".to_owned()),
        }
    }
}

impl Link {
    /// The address of one finding. Ids need no escapes.
    #[must_use]
    pub fn to(&self, finding: &str, rule: &str) -> String {
        self.0.replace("{finding}", finding).replace("{rule}", rule)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn texts_of_others_stay_on_their_line_and_within_their_limit() {
        assert_eq!(plain("a\nb\u{202e}c\u{1b}[31m", 20), "a\u{fffd}b\u{fffd}c\u{fffd}[31m");
        assert_eq!(plain("grün", 4), "grün");
        assert_eq!(plain("grüner", 4), "grü…");
    }

    #[test]
    fn links_lead_to_pages_and_nowhere_else() {
        let link = |text: &str| Link::try_from(text.to_owned());
        let to = link("https://h.example/#/findings/{finding}?rule={rule}").unwrap();
        assert_eq!(
            to.to("f_1", "new-identity"),
            "https://h.example/#/findings/f_1?rule=new-identity"
        );
        for text in ["javascript:alert(1)", "findings/{finding}", ""] {
            assert!(link(text).is_err(), "{text}");
        }
    }
}
