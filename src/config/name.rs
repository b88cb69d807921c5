//! Names of sources, sinks and agents: they stand in ids, metrics and file names.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lower-case letters, digits and hyphens, beginning with a letter or digit.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = Name::PATTERN))]
pub struct Name(String);

impl Name {
    /// What the JSON Schema says of it.
    pub const PATTERN: &str = "^[a-z0-9][a-z0-9-]{0,62}$";

    /// Why a text is no name.
    pub fn check(text: &str) -> Result<(), String> {
        let first = text.bytes().next().is_some_and(|b| b != b'-');
        let rest = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if first && rest && text.len() <= 63 {
            Ok(())
        } else {
            Err("a name has up to 63 lower-case letters, digits and hyphens, and begins with a \
                 letter or digit"
                .to_owned())
        }
    }

    /// A name that the code itself gives.
    pub(crate) fn fixed(name: &'static str) -> Self {
        Self(name.to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::check(&text).map(|()| Self(text))
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
