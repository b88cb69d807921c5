//! The documentation of rules, taken from their own files: one text for `headcount explain`, the
//! reference pages and the remediation in payloads.

use std::fmt::Write as _;

use super::{ALL, Judges, Meta};

/// The parts of a rule's documentation, in the order in which every rule has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    WhatItDoes,
    WhyItMatters,
    HowItIsFound,
    NotReported,
    Severity,
    Fix,
    Cli,
    Terraform,
}

impl Section {
    pub const ALL: [Self; 8] = [
        Self::WhatItDoes,
        Self::WhyItMatters,
        Self::HowItIsFound,
        Self::NotReported,
        Self::Severity,
        Self::Fix,
        Self::Cli,
        Self::Terraform,
    ];

    /// The heading as it stands in the rule's file.
    #[must_use]
    pub const fn heading(self) -> &'static str {
        match self {
            Self::WhatItDoes => "## What it does",
            Self::WhyItMatters => "## Why it matters",
            Self::HowItIsFound => "## How it is found",
            Self::NotReported => "## Not reported",
            Self::Severity => "## Severity",
            Self::Fix => "## Fix",
            Self::Cli => "### CLI",
            Self::Terraform => "### Terraform",
        }
    }
}

/// Names of the OWASP Non-Human Identities Top 10 – 2025, by id.
const OWASP: [(&str, &str); 10] = [
    ("NHI1:2025", "Improper Offboarding"),
    ("NHI2:2025", "Secret Leakage"),
    ("NHI3:2025", "Vulnerable Third-Party NHI"),
    ("NHI4:2025", "Insecure Authentication"),
    ("NHI5:2025", "Overprivileged NHI"),
    ("NHI6:2025", "Insecure Cloud Deployment Configurations"),
    ("NHI7:2025", "Long-Lived Secrets"),
    ("NHI8:2025", "Environment Isolation"),
    ("NHI9:2025", "NHI Reuse"),
    ("NHI10:2025", "Human Use of NHI"),
];

/// What OWASP calls the risk with this id.
#[must_use]
pub fn owasp_name(id: &str) -> Option<&'static str> {
    OWASP.iter().find(|(known, _)| *known == id).map(|(_, name)| *name)
}

/// The rule's documentation as Markdown: the `//!` lines at the head of its file.
#[must_use]
pub fn text(meta: &Meta) -> String {
    let mut text = String::new();
    for line in meta.source.lines().map_while(|line| line.strip_prefix("//!")) {
        text.push_str(line.strip_prefix(' ').unwrap_or(line));
        text.push('\n');
    }
    text
}

/// The body of one section, without its heading and without the sections below it. Empty when
/// the rule lacks it, which a test forbids.
#[must_use]
pub fn section(meta: &Meta, section: Section) -> String {
    let text = text(meta);
    let body = text
        .lines()
        .skip_while(|line| *line != section.heading())
        .skip(1)
        .take_while(|line| !is_heading(line));
    body.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// A single `#` begins a comment in a code block; headings of ours have two or three.
fn is_heading(line: &str) -> bool {
    line.starts_with("## ") || line.starts_with("### ")
}

/// The reference page of one rule, as Markdown.
#[must_use]
pub fn page(meta: &Meta) -> String {
    let mut page = format!("# {}\n\n| | |\n|--|--|\n", meta.title);
    let mut row = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| {name} | {value} |");
    };
    row("Rule", &format!("`{}`", meta.id));
    row("Severity", meta.severity.as_str());
    row("Judges", judges(meta.judges));
    let owasp = |id: &&str| format!("{id} {}", owasp_name(id).unwrap_or_default());
    row("OWASP NHI Top 10", &join(meta.owasp.iter().map(owasp)));
    row("Controls", &join(meta.controls.iter().map(|control| format!("`{control}`"))));
    page.push_str("\n## Settings\n\n| key | default | meaning |\n|--|--|--|\n");
    page.push_str("| `enabled` | `true` | `false` switches the rule off. |\n");
    page.push_str("| `severity` | as below | Report at this severity instead. |\n");
    for setting in meta.settings {
        let (key, default) = (setting.key(), setting.default_text());
        let _ = writeln!(page, "| `{key}` | `{default}` | {} |", setting.about());
    }
    page.push('\n');
    page.push_str(&text(meta));
    page
}

/// The list of all rules, as Markdown, linking to their pages (`<id>.md`).
#[must_use]
pub fn index() -> String {
    let mut index = String::from(
        "# Rules\n\n| rule | reports | severity | judges | OWASP NHI Top 10 |\n|--|--|--|--|--|\n",
    );
    for meta in ALL.iter().map(|rule| rule.meta()) {
        let (id, title, severity) = (meta.id, meta.title, meta.severity.as_str());
        let owasp = join(meta.owasp.iter().map(|id| (*id).to_owned()));
        let judges = judges(meta.judges);
        let _ =
            writeln!(index, "| [`{id}`]({id}.md) | {title} | {severity} | {judges} | {owasp} |");
    }
    index
}

const fn judges(judges: Judges) -> &'static str {
    match judges {
        Judges::Records => "records",
        Judges::Scopes => "scopes",
    }
}

/// A dash instead of nothing, because an empty cell looks like a mistake.
fn join(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() { "–".to_owned() } else { parts.join(", ") }
}
