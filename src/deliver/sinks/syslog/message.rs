//! How an event reads as one message of RFC 5424.

use std::fmt::Write as _;

use headcount_core::findings::Severity;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{DeliveryError, SyslogConfig};
use crate::deliver::reading::{Reading, Standing, TEST, Told, plain};
use crate::store::Event;

const MOST_PARAM: usize = 400;

/// The text of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Text {
    /// One sentence; everything else stands in the structured data.
    #[default]
    Line,
    /// The whole CloudEvent.
    Json,
}

/// <https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Facility {
    Daemon,
    Auth,
    Authpriv,
    Audit,
    #[default]
    Local0,
    Local1,
    Local2,
    Local3,
    Local4,
    Local5,
    Local6,
    Local7,
}

impl Facility {
    const fn code(self) -> u8 {
        match self {
            Self::Daemon => 3,
            Self::Auth => 4,
            Self::Authpriv => 10,
            Self::Audit => 13,
            Self::Local0 => 16,
            Self::Local1 => 17,
            Self::Local2 => 18,
            Self::Local3 => 19,
            Self::Local4 => 20,
            Self::Local5 => 21,
            Self::Local6 => 22,
            Self::Local7 => 23,
        }
    }
}

/// What a message says besides its event's id and type.
struct Words<'a> {
    agent: &'a str,
    /// <https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1>
    severity: u8,
    params: Vec<(&'static str, &'a str)>,
    line: String,
}

impl<'a> Words<'a> {
    fn of(reading: &'a Reading) -> Self {
        match reading {
            Reading::Finding(told) => Self::finding(told),
            Reading::Baseline(summary) => Self {
                agent: &summary.agent,
                severity: 6,
                params: vec![("source", &summary.source)],
                line: summary.to_string(),
            },
            Reading::Test => {
                Self { agent: "-", severity: 6, params: Vec::new(), line: TEST.to_owned() }
            }
        }
    }

    fn finding(told: &'a Told) -> Self {
        let severity = match (told.standing, told.severity) {
            (Standing::Resolved, _) | (_, Severity::Info) => 6,
            (_, Severity::Low) => 5,
            (_, Severity::Medium) => 4,
            (_, Severity::High) => 3,
            (_, Severity::Critical) => 2,
        };
        let params = vec![
            ("finding", told.finding.as_str()),
            ("rule", &told.rule),
            ("severity", told.severity.as_str()),
            ("change", &told.change),
            ("source", &told.source),
            ("subject", &told.subject),
            ("owner", told.owner.as_deref().unwrap_or_default()),
        ];
        let line = format!("{} {}: {}", told.severity.as_str(), told.change, told.title);
        Self { agent: &told.agent, severity, params, line }
    }
}

/// One message of RFC 5424, without a frame and without the byte order mark that it asks for in
/// front of UTF-8: JSON parsers behind receivers stumble over it.
pub(super) fn message(event: &Event, config: &SyslogConfig) -> Result<String, DeliveryError> {
    let reading = Reading::of(event)?;
    let words = Words::of(&reading);
    let kind = event.kind.trim_start_matches("dev.headcount.").trim_end_matches(".v1");
    let mut data = format!("[headcount@32473 event=\"{}\" type=\"{kind}\"", event.id);
    for (name, value) in words.params.iter().filter(|(_, value)| !value.is_empty()) {
        // Writing to a String cannot fail.
        let _ = write!(data, " {name}=\"{}\"", param(value));
    }
    let priority = config.facility.code() * 8 + words.severity;
    let time = event.time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
    let text = match config.message {
        Text::Line => plain(&words.line, 2_000),
        Text::Json => event.body.clone(),
    };
    // MSGID has up to 32 printable characters.
    let id: String = kind.chars().filter(char::is_ascii_graphic).take(32).collect();
    Ok(format!("<{priority}>1 {time} {} headcount - {id} {data}] {text}", words.agent))
}

/// A value of structured data: `"`, `\` and `]` are escaped
/// (<https://www.rfc-editor.org/rfc/rfc5424#section-6.3.3>), control characters are not let through.
fn param(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in plain(value, MOST_PARAM).chars() {
        if matches!(c, '"' | '\\' | ']') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
