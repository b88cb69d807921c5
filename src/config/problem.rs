//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;

/// A position in the document, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: u64,
    pub column: u64,
}

impl Place {
    pub const START: Self = Self { line: 1, column: 1 };
}

/// One fault. Values are not repeated unless the allowed ones are a fixed list: a value may be a
/// secret that somebody put in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub at: Option<Place>,
    /// The key, e.g. `sources[0].accounts`; empty for the document itself.
    pub path: String,
    pub message: String,
}

impl Problem {
    #[must_use]
    pub fn new(at: Option<Place>, path: &str, message: String) -> Self {
        Self { at, path: path.to_owned(), message }
    }
}

/// Everything that is wrong with one file.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError {
    /// As it was given on the command line.
    pub file: String,
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:", self.file)?;
            if let Some(at) = problem.at {
                write!(f, "{}:{}:", at.line, at.column)?;
            }
            if !problem.path.is_empty() {
                write!(f, " {}:", problem.path)?;
            }
            write!(f, " {}", problem.message)?;
        }
        Ok(())
    }
}

/// The candidate that was most likely meant, if any is near enough.
#[must_use]
pub fn nearest<'a>(given: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase().replace('-', "_");
    candidates
        .map(|c| (strsim::jaro_winkler(&given, &c.replace('-', "_")), c))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, candidate)| candidate)
}

/// ` (did you mean …?)`, or the list of what is allowed when nothing is near.
#[must_use]
pub fn suggestion<'a>(given: &str, candidates: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(given, candidates.clone()) {
        Some(candidate) => format!(" (did you mean `{candidate}`?)"),
        None => {
            let mut known: Vec<String> = candidates.map(|c| format!("`{c}`")).collect();
            known.sort();
            if known.is_empty() { String::new() } else { format!(" (known: {})", known.join(", ")) }
        }
    }
}
