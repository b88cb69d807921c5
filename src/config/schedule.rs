//! When a source is scanned: a cron expression, in UTC.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Six fields (second minute hour day month weekday); the usual five get second 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("format" = "cron"))]
pub struct Schedule(String);

impl Schedule {
    /// Why a text is no schedule.
    pub fn check(text: &str) -> Result<(), String> {
        Self::try_from(text.to_owned()).map(drop)
    }

    /// The six-field expression, as the scheduler wants it.
    #[must_use]
    pub fn as_cron(&self) -> &str {
        &self.0
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self("0 0 * * * *".to_owned())
    }
}

impl TryFrom<String> for Schedule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let six = match fields.len() {
            5 => format!("0 {}", fields.join(" ")),
            _ => fields.join(" "),
        };
        // The scheduler itself is asked, so that what is accepted here runs later.
        match tokio_cron_scheduler::Job::new(six.as_str(), |_, _| {}) {
            Ok(_) => Ok(Self(six)),
            Err(_) => Err("not a cron expression; write five fields (`*/15 * * * *`: minute hour \
                           day month weekday) or six with the seconds first, in UTC"
                .to_owned()),
        }
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.0
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
