//! Writing the XML that the AWS Query protocol answers with. Nothing here knows an operation.

use jiff::{Timestamp, tz::TimeZone};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// RFC 3986 unreserved characters stay; IAM encodes everything else in policy documents
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_PolicyDetail.html>).
const RFC_3986: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An XML document under construction. Tags are trusted, text is escaped.
#[derive(Debug, Default)]
pub(crate) struct Xml(String);

impl Xml {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// `<tag>` + what `inside` writes + `</tag>`.
    pub(crate) fn nest(&mut self, tag: &str, inside: impl FnOnce(&mut Self)) {
        self.open(tag);
        inside(self);
        self.close(tag);
    }

    pub(crate) fn open(&mut self, tag: &str) {
        self.0.push('<');
        self.0.push_str(tag);
        self.0.push('>');
    }

    pub(crate) fn close(&mut self, tag: &str) {
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
    }

    pub(crate) fn text(&mut self, tag: &str, value: &str) {
        self.open(tag);
        self.escaped(value);
        self.close(tag);
    }

    /// Writes nothing for `None`: IAM leaves absent members out.
    pub(crate) fn maybe(&mut self, tag: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(tag, value);
        }
    }

    pub(crate) fn time(&mut self, tag: &str, at: Timestamp) {
        self.text(tag, &iso(at));
    }

    /// A policy document, percent-encoded as IAM does it.
    pub(crate) fn document(&mut self, tag: &str, json: &str) {
        self.open(tag);
        self.0.extend(utf8_percent_encode(json, RFC_3986));
        self.close(tag);
    }

    /// Appends markup that is already well-formed.
    pub(crate) fn raw(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }

    fn escaped(&mut self, value: &str) {
        for c in value.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                _ => self.0.push(c),
            }
        }
    }
}

/// `2026-01-15T09:00:00Z`: whole seconds in UTC, as IAM and the credential report print time.
pub(crate) fn iso(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
