//! Several events as one message to people: counted, what has to be acted on first, and cut short.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use headcount_core::findings::Severity;

use super::reading::{Reading, Standing, TEST, Told};

/// What happened within a short time.
#[derive(Debug)]
pub struct Digest<'a> {
    /// `Headcount: 3 opened (1 critical, 2 high), 1 resolved`.
    pub head: String,
    /// First scans and tests, a sentence each.
    pub lines: Vec<String>,
    /// Steps of findings: open ones first, the worst before the rest; then in the order of events.
    pub told: Vec<&'a Told>,
    /// How many more there are of both.
    pub more: usize,
}

impl<'a> Digest<'a> {
    /// Names at most so many steps of findings, and as many first scans.
    #[must_use]
    pub fn of(readings: &'a [Reading], most: usize) -> Self {
        let mut told: Vec<&Told> = Vec::new();
        let mut lines: Vec<String> = Vec::new();
        for reading in readings {
            match reading {
                Reading::Finding(finding) => told.push(finding),
                Reading::Baseline(summary) => lines.push(summary.to_string()),
                Reading::Test => lines.push(TEST.to_owned()),
            }
        }
        told.sort_by_key(|told| (told.standing != Standing::Open, Reverse(told.severity)));
        let head = head(&told);
        let more = told.len().saturating_sub(most) + lines.len().saturating_sub(most);
        told.truncate(most);
        lines.truncate(most);
        Self { head, lines, told, more }
    }
}

fn head(told: &[&Told]) -> String {
    let mut changes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut severities: BTreeMap<Reverse<Severity>, usize> = BTreeMap::new();
    for told in told {
        *changes.entry(&told.change).or_default() += 1;
        if told.standing == Standing::Open {
            *severities.entry(Reverse(told.severity)).or_default() += 1;
        }
    }
    let changes = listed(changes.iter().map(|(change, n)| (*n, *change)));
    let severities = listed(severities.iter().map(|(severity, n)| (*n, severity.0.as_str())));
    match (changes.is_empty(), severities.is_empty()) {
        (true, _) => "Headcount".to_owned(),
        (false, true) => format!("Headcount: {changes}"),
        (false, false) => format!("Headcount: {changes} ({severities})"),
    }
}

/// `1 critical, 2 high`.
fn listed<'a>(counts: impl Iterator<Item = (usize, &'a str)>) -> String {
    counts.map(|(n, what)| format!("{n} {what}")).collect::<Vec<_>>().join(", ")
}
