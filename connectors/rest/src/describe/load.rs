//! From text to a [`Description`]: YAML, types, expressions, then what types cannot say.

use schemars::Schema;
use serde_saphyr::Location;

use super::{Description, check};

/// Why a description cannot be used: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}; {remedy}")]
pub struct LoadError {
    /// `line 12, column 5`, or a path such as `scopes.api-tokens.steps[0]`.
    pub place: String,
    pub problem: String,
    pub remedy: String,
}

impl LoadError {
    pub(crate) fn at(place: &str, problem: &str, remedy: &str) -> Self {
        Self { place: place.to_owned(), problem: problem.to_owned(), remedy: remedy.to_owned() }
    }
}

/// Reads and checks a description.
///
/// # Errors
///
/// The first thing that is wrong with it.
pub fn load(text: &str) -> Result<Description, LoadError> {
    let description: Description =
        serde_saphyr::from_str(text).map_err(|error| not_understood(&error))?;
    check::check(&description)?;
    Ok(description)
}

/// The format as JSON Schema, for editors.
#[must_use]
pub fn schema() -> Schema {
    schemars::schema_for!(Description)
}

fn not_understood(error: &serde_saphyr::Error) -> LoadError {
    let place = error.location().map_or_else(
        || "the document".to_owned(),
        |at: Location| format!("line {}, column {}", at.line(), at.column()),
    );
    let text = error.without_snippet().to_string();
    let first = text.lines().next().unwrap_or_default();
    let problem = first.split(" at line ").next().unwrap_or(first);
    LoadError::at(&place, problem, "the format is shown by `headcount sources schema`")
}
