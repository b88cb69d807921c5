//! The settings of a program: what is started, with what, and for how long.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headcount_sdk::secret::{SecretError, SecretRef};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::line::is_secret;

/// A program that writes observations.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The program by its path, and its arguments. No shell is between, and nothing is looked up.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// The program's environment: this and `secrets`, and nothing of the agent's own. Add `PATH`
    /// if the program starts others.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Environment variables that hold secrets, by reference; read again before each run.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretRef>,
    /// The folder in which it runs. Left out, the agent's own.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub working_dir: Option<PathBuf>,
    /// How long one run may take, in seconds. After that the program and everything it started is
    /// told to end, and killed five seconds later.
    #[serde(default = "deadline_secs")]
    #[schemars(range(min = 1, max = 3_600))]
    pub deadline_secs: u32,
    /// Longest line that is read, in bytes.
    #[serde(default = "max_line_bytes")]
    #[schemars(range(min = 1_024, max = 16_777_216))]
    pub max_line_bytes: u32,
}

const fn deadline_secs() -> u32 {
    600
}

const fn max_line_bytes() -> u32 {
    1024 * 1024
}

/// Why a program cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("command is empty: give the path of a program")]
    Empty,
    #[error("command: `{program}` is no path; nothing is looked up, so give one with a `/` in it")]
    NotAPath { program: String },
    #[error("{list}: a name is empty or holds `=`; it is the name of an environment variable")]
    Name { list: &'static str },
    #[error("env: {name} is given under `secrets` as well; give it once")]
    Twice { name: String },
    #[error("env: the value of {name} looks like a secret; give it by reference, under `secrets`")]
    InTheClear { name: String },
    #[error(
        "command: an argument looks like a secret, and arguments are seen by everyone on the \
             machine; give it by reference, under `secrets`"
    )]
    InAnArgument,
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("{path} {problem}")]
    File { path: String, problem: String },
}

impl Config {
    /// What no schema holds.
    ///
    /// # Errors
    ///
    /// The key that is meant, and what to do.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let program = self.command.first().ok_or(ConfigError::Empty)?;
        if !program.contains('/') {
            return Err(ConfigError::NotAPath { program: program.clone() });
        }
        if self.command.iter().any(|argument| is_secret(argument)) {
            return Err(ConfigError::InAnArgument);
        }
        let names = |list: &'static str, mut names: Box<dyn Iterator<Item = &String> + '_>| {
            let wrong = names.any(|name| name.is_empty() || name.contains(['=', '\0']));
            if wrong { Err(ConfigError::Name { list }) } else { Ok(()) }
        };
        names("env", Box::new(self.env.keys()))?;
        names("secrets", Box::new(self.secrets.keys()))?;
        for (name, value) in &self.env {
            if self.secrets.contains_key(name) {
                return Err(ConfigError::Twice { name: name.clone() });
            }
            if is_secret(value) {
                return Err(ConfigError::InTheClear { name: name.clone() });
            }
        }
        Ok(())
    }

    pub(crate) fn line_bytes(&self) -> usize {
        usize::try_from(self.max_line_bytes).unwrap_or(usize::MAX)
    }
}

/// One run, everything at hand.
pub(crate) struct Plan {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) env: Vec<(String, SecretString)>,
    pub(crate) working_dir: Option<PathBuf>,
    pub(crate) deadline: Duration,
}

impl Plan {
    /// Reads the secrets.
    pub(crate) fn of(config: &Config) -> Result<Self, ConfigError> {
        let (program, arguments) = config.command.split_first().ok_or(ConfigError::Empty)?;
        // A relative path is the agent's, also when the program runs in another folder.
        let program = std::path::absolute(program).map_err(|error| ConfigError::File {
            path: program.clone(),
            problem: error.kind().to_string(),
        })?;
        let plain = config.env.iter();
        let mut env: Vec<(String, SecretString)> =
            plain.map(|(name, value)| (name.clone(), SecretString::from(value.clone()))).collect();
        for (name, reference) in &config.secrets {
            env.push((name.clone(), reference.resolve()?));
        }
        Ok(Self {
            program,
            arguments: arguments.to_vec(),
            env,
            working_dir: config.working_dir.clone(),
            deadline: Duration::from_secs(u64::from(config.deadline_secs)),
        })
    }

    /// Whether the program is there and the folder to run it in.
    pub(crate) fn startable(&self) -> Result<(), ConfigError> {
        let wrong = |path: &Path, problem: String| ConfigError::File {
            path: path.display().to_string(),
            problem,
        };
        let about = |path: &Path| {
            std::fs::metadata(path).map_err(|error| wrong(path, error.kind().to_string()))
        };
        let program = about(&self.program)?;
        if !program.is_file() || program.permissions().mode() & 0o111 == 0 {
            return Err(wrong(&self.program, "is no program (chmod +x?)".to_owned()));
        }
        match &self.working_dir {
            Some(folder) if !about(folder)?.is_dir() => {
                Err(wrong(folder, "is no folder".to_owned()))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn env(&self) -> impl Iterator<Item = (&str, &str)> {
        self.env.iter().map(|(name, value)| (name.as_str(), value.expose_secret()))
    }
}
