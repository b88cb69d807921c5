//! References to secrets. A configuration never holds a secret, only where to find it, and this
//! is the one place that goes there, for the agent's own settings and for those of connectors.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// Where a secret is kept: `env:NAME` or `file:PATH`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^(env|file):.+$"))]
pub enum SecretRef {
    Env(String),
    File(PathBuf),
}

#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("a secret is given by reference: `env:NAME` or `file:PATH`, not in the clear")]
    NotAReference,
    #[error("environment variable {name} is not set (it is named by a secret reference)")]
    NoVariable { name: String },
    #[error("secret file {path} cannot be read: {reason}")]
    NoFile { path: String, reason: std::io::ErrorKind },
    #[error("the secret at {reference} is empty")]
    Empty { reference: String },
}

impl SecretRef {
    /// Reads the secret. Files lose one trailing newline, which editors add.
    #[expect(clippy::disallowed_methods, reason = "configuration reads the environment, here")]
    pub fn resolve(&self) -> Result<SecretString, SecretError> {
        let value = match self {
            Self::Env(name) => {
                std::env::var(name).map_err(|_| SecretError::NoVariable { name: name.clone() })?
            }
            Self::File(path) => std::fs::read_to_string(path).map_err(|error| {
                SecretError::NoFile { path: path.display().to_string(), reason: error.kind() }
            })?,
        };
        let value = value.strip_suffix('\n').unwrap_or(&value);
        let value = value.strip_suffix('\r').unwrap_or(value);
        if value.is_empty() {
            return Err(SecretError::Empty { reference: self.to_string() });
        }
        Ok(SecretString::from(value.to_owned()))
    }
}

impl FromStr for SecretRef {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            // The text itself may be the secret that somebody pasted, so it is not repeated.
            _ => Err(SecretError::NotAReference),
        }
    }
}

impl TryFrom<String> for SecretRef {
    type Error = SecretError;

    fn try_from(text: String) -> Result<Self, SecretError> {
        text.parse()
    }
}

impl From<SecretRef> for String {
    fn from(reference: SecretRef) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}
