//! What other programs read: the shapes of records, findings and changes, and the three formats
//! that carry them. Field names are a promise; the model can change below them.

use std::borrow::Cow;
use std::io::{self, Write};

use headcount_core::findings::Finding;
use headcount_core::inventory::Record;
use headcount_core::reconcile::{Change, FieldChange};
use headcount_sdk::Usage;
use jiff::Timestamp;
use serde::Serialize;

use super::format::{FindingFormat, Format};
use crate::store::PastDrift;

/// One record of the inventory.
#[derive(Debug, Serialize)]
pub struct RecordLine<'a> {
    pub id: &'a str,
    /// `identity`, `credential`, `grant`; `principal` (a person) only on request.
    pub class: &'static str,
    pub kind: &'a str,
    pub source: &'a str,
    /// `<place>/<scope kind>`
    pub scope: String,
    pub name: &'a str,
    pub status: &'static str,
    /// `null` = the source does not tell.
    pub created_at: Option<Timestamp>,
    pub usage: UsageLine,
    /// `null` = no evidence names anyone.
    pub owner: Option<OwnerLine<'a>>,
    /// `null` = the record has no such thing, or it could not be read yet.
    pub privilege: Option<&'static str>,
    pub first_seen_at: Timestamp,
}

#[derive(Debug, Serialize)]
pub struct UsageLine {
    /// `last_used`, `never_since` or `not_observable`.
    pub state: &'static str,
    /// Last use, or since when there was none; `null` when use is not observable.
    pub at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
pub struct OwnerLine<'a> {
    #[serde(rename = "ref")]
    pub reference: &'a str,
    pub basis: &'static str,
    /// From 0 to 1.
    pub confidence: f64,
}

impl<'a> From<&'a Record> for RecordLine<'a> {
    fn from(record: &'a Record) -> Self {
        let seen = &record.observation;
        Self {
            id: seen.id.as_str(),
            class: seen.class.as_str(),
            kind: &seen.kind,
            source: &record.source,
            scope: record.scope.to_string(),
            name: &seen.name,
            status: seen.status.as_str(),
            created_at: seen.created_at,
            usage: UsageLine::from(&seen.usage),
            owner: record.owner.as_ref().map(|owner| OwnerLine {
                reference: &owner.reference,
                basis: owner.basis.as_str(),
                confidence: owner.confidence.as_fraction(),
            }),
            privilege: seen.privilege.as_ref().map(|p| p.level.as_str()),
            first_seen_at: record.first_seen_at,
        }
    }
}

impl From<&Usage> for UsageLine {
    fn from(usage: &Usage) -> Self {
        Self { state: usage.state(), at: usage.at() }
    }
}

/// One finding.
#[derive(Debug, Serialize)]
pub struct FindingLine<'a> {
    pub id: &'a str,
    pub rule: &'a str,
    pub severity: &'static str,
    pub confidence: &'static str,
    pub status: &'static str,
    pub subject: &'a str,
    pub title: &'a str,
    pub opened_at: Timestamp,
}

impl<'a> From<&'a Finding> for FindingLine<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            id: &finding.id,
            rule: &finding.rule,
            severity: finding.severity.as_str(),
            confidence: finding.confidence.as_str(),
            status: finding.status.as_str(),
            subject: &finding.subject,
            title: &finding.title,
            opened_at: finding.opened_at,
        }
    }
}

/// One change between two snapshots.
#[derive(Debug, Serialize)]
pub struct DriftLine<'a> {
    pub at: Timestamp,
    /// `appeared`, `reappeared`, `changed` or `disappeared`.
    pub change: &'static str,
    pub id: &'a str,
    pub kind: &'a str,
    pub source: &'a str,
    pub scope: String,
    pub name: &'a str,
    /// What changed; empty unless `changed`.
    pub fields: &'a [FieldChange],
}

impl<'a> From<&'a PastDrift> for DriftLine<'a> {
    fn from(past: &'a PastDrift) -> Self {
        let drift = &past.drift;
        let (change, fields): (_, &[FieldChange]) = match &drift.change {
            Change::Appeared => ("appeared", &[]),
            Change::Reappeared => ("reappeared", &[]),
            Change::Changed { fields } => ("changed", fields),
            Change::Disappeared => ("disappeared", &[]),
        };
        Self {
            at: past.at,
            change,
            id: drift.record.as_str(),
            kind: &drift.kind,
            source: &past.source,
            scope: drift.scope.to_string(),
            name: &drift.name,
            fields,
        }
    }
}

/// A shape with a flat form for spreadsheets.
pub trait Line: Serialize {
    const COLUMNS: &'static [&'static str];

    fn cells(&self) -> Vec<String>;
}

impl Line for RecordLine<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "class",
        "kind",
        "source",
        "scope",
        "name",
        "status",
        "created_at",
        "usage_state",
        "usage_at",
        "owner_ref",
        "owner_basis",
        "owner_confidence",
        "privilege",
        "first_seen_at",
    ];

    fn cells(&self) -> Vec<String> {
        let owner = self.owner.as_ref();
        let owned = |part: fn(&OwnerLine<'_>) -> String| owner.map(part).unwrap_or_default();
        vec![
            self.id.to_owned(),
            self.class.to_owned(),
            self.kind.to_owned(),
            self.source.to_owned(),
            self.scope.clone(),
            self.name.to_owned(),
            self.status.to_owned(),
            moment(self.created_at),
            self.usage.state.to_owned(),
            moment(self.usage.at),
            owned(|o| o.reference.to_owned()),
            owned(|o| o.basis.to_owned()),
            owned(|o| o.confidence.to_string()),
            self.privilege.unwrap_or_default().to_owned(),
            self.first_seen_at.to_string(),
        ]
    }
}

impl Line for FindingLine<'_> {
    const COLUMNS: &'static [&'static str] =
        &["id", "rule", "severity", "confidence", "status", "subject", "title", "opened_at"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_owned(),
            self.rule.to_owned(),
            self.severity.to_owned(),
            self.confidence.to_owned(),
            self.status.to_owned(),
            self.subject.to_owned(),
            self.title.to_owned(),
            self.opened_at.to_string(),
        ]
    }
}

impl Line for DriftLine<'_> {
    const COLUMNS: &'static [&'static str] =
        &["at", "change", "id", "kind", "source", "scope", "name", "fields"];

    fn cells(&self) -> Vec<String> {
        let fields: Vec<String> =
            self.fields.iter().map(|f| format!("{}: {} -> {}", f.field, f.from, f.to)).collect();
        vec![
            self.at.to_string(),
            self.change.to_owned(),
            self.id.to_owned(),
            self.kind.to_owned(),
            self.source.to_owned(),
            self.scope.clone(),
            self.name.to_owned(),
            fields.join("; "),
        ]
    }
}

fn moment(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

/// How lines are written for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFormat {
    Json,
    Ndjson,
    Csv,
}

impl Format {
    /// `None` = the table.
    #[must_use]
    pub const fn lines(self) -> Option<LineFormat> {
        match self {
            Self::Table => None,
            Self::Json => Some(LineFormat::Json),
            Self::Ndjson => Some(LineFormat::Ndjson),
            Self::Csv => Some(LineFormat::Csv),
        }
    }
}

impl FindingFormat {
    /// `None` = the table, or OCSF, which has a shape of its own.
    #[must_use]
    pub const fn lines(self) -> Option<LineFormat> {
        match self {
            Self::Table | Self::Ocsf => None,
            Self::Json => Some(LineFormat::Json),
            Self::Ndjson => Some(LineFormat::Ndjson),
            Self::Csv => Some(LineFormat::Csv),
        }
    }
}

/// Writes lines one by one, so that an inventory of any size needs the memory of one page.
pub struct Lines<'w> {
    form: Form<'w>,
    written: u64,
}

enum Form<'w> {
    Json(&'w mut (dyn Write + Send)),
    Ndjson(&'w mut (dyn Write + Send)),
    Csv(Box<csv::Writer<&'w mut (dyn Write + Send)>>),
}

impl<'w> Lines<'w> {
    pub fn new(format: LineFormat, out: &'w mut (dyn Write + Send)) -> Self {
        let form = match format {
            LineFormat::Json => Form::Json(out),
            LineFormat::Ndjson => Form::Ndjson(out),
            LineFormat::Csv => Form::Csv(Box::new(csv::Writer::from_writer(out))),
        };
        Self { form, written: 0 }
    }

    pub fn write<L: Line>(&mut self, line: &L) -> io::Result<()> {
        let is_first = self.written == 0;
        self.written += 1;
        match &mut self.form {
            Form::Json(out) => {
                out.write_all(if is_first { b"[\n" } else { b",\n" })?;
                serde_json::to_writer(&mut **out, line).map_err(io::Error::from)
            }
            Form::Ndjson(out) => {
                serde_json::to_writer(&mut **out, line).map_err(io::Error::from)?;
                out.write_all(b"\n")
            }
            Form::Csv(csv) => {
                if is_first {
                    csv.write_record(L::COLUMNS).map_err(into_io)?;
                }
                let cells = line.cells();
                csv.write_record(cells.iter().map(|cell| defused(cell).into_owned()))
                    .map_err(into_io)
            }
        }
    }

    /// Ends the document. `L` gives the header of an empty table.
    pub fn finish<L: Line>(mut self) -> io::Result<()> {
        match &mut self.form {
            Form::Json(out) if self.written == 0 => out.write_all(b"[]\n"),
            Form::Json(out) => out.write_all(b"\n]\n"),
            Form::Ndjson(_) => Ok(()),
            Form::Csv(csv) => {
                if self.written == 0 {
                    csv.write_record(L::COLUMNS).map_err(into_io)?;
                }
                csv.flush()
            }
        }
    }
}

fn into_io(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A cell that no spreadsheet takes for a formula: names and tags are written by strangers.
/// <https://owasp.org/www-community/attacks/CSV_Injection>
#[must_use]
pub fn defused(cell: &str) -> Cow<'_, str> {
    match cell.as_bytes().first() {
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r') => Cow::Owned(format!("'{cell}")),
        _ => Cow::Borrowed(cell),
    }
}

/// Writes one JSON document, indented.
pub fn write_json<T: Serialize>(out: &mut dyn Write, value: &T) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn cells_that_a_spreadsheet_would_run_are_defused() {
        let rows = [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("a=1", "a=1"),
            ("'=1", "'=1"),
            ("", ""),
        ];
        for (cell, expected) in rows {
            assert_eq!(defused(cell), expected);
        }
    }

    #[derive(Serialize)]
    struct Word(&'static str);

    impl Line for Word {
        const COLUMNS: &'static [&'static str] = &["word"];

        fn cells(&self) -> Vec<String> {
            vec![self.0.to_owned()]
        }
    }

    fn written(format: LineFormat, words: &[&'static str]) -> String {
        let mut out: Vec<u8> = Vec::new();
        let mut lines = Lines::new(format, &mut out);
        for word in words {
            lines.write(&Word(word)).unwrap();
        }
        lines.finish::<Word>().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_format_is_whole_with_none_one_and_two_lines() {
        assert_eq!(written(LineFormat::Json, &[]), "[]\n");
        assert_eq!(written(LineFormat::Json, &["a"]), "[\n\"a\"\n]\n");
        assert_eq!(written(LineFormat::Json, &["a", "b"]), "[\n\"a\",\n\"b\"\n]\n");
        assert_eq!(written(LineFormat::Ndjson, &[]), "");
        assert_eq!(written(LineFormat::Ndjson, &["a", "b"]), "\"a\"\n\"b\"\n");
        assert_eq!(written(LineFormat::Csv, &[]), "word\n");
        assert_eq!(written(LineFormat::Csv, &["a,b", "=c"]), "word\n\"a,b\"\n'=c\n");
    }
}
