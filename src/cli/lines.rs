//! The three formats for programs, written line by line.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use super::format::{FindingFormat, Format};

/// A shape with a flat form for spreadsheets.
pub trait Line: Serialize {
    const COLUMNS: &'static [&'static str];

    fn cells(&self) -> Vec<String>;
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
