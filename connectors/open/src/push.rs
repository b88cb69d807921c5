//! A job outside that sends what it saw, and is read from what it sent last.
//!
//! [`Door`] lets a sender in and keeps each scope's lines in the connector's cache; the connector
//! then reads them from there like any source, at once and at every scan. What was pushed ages:
//! after [`Config::expect_every_secs`] its scopes count as unread.
//!
//! A second reading of the same push proves nothing, so a removal that the brake holds waits for
//! another push: it stands when no record is missing from the new one that the one before had.

use async_trait::async_trait;
use headcount_sdk::contract::{Probe, ProbeOutcome};
use headcount_sdk::secret::SecretRef;
use headcount_sdk::{Complete, Connector, Manifest, Pass, Recorder, ScanContext, ScanError, Scope};
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::door::{Door, Unkept};
pub use self::kept::Earlier;
use self::kept::Kept;
pub use self::manifest::MANIFEST;
use crate::spool::Ending;

mod door;
mod kept;
mod manifest;

/// The operation of what was, or was not, pushed.
pub const PUSH: &str = "push";

/// The operation of what a second push has to agree with.
pub const CONFIRM: &str = "second push";

/// A job that posts observations to `/v1/observations/<name of the source>`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who may push: references to tokens of at least 20 characters, of which any one will do, so
    /// that a token can be replaced. Read again for every push.
    #[schemars(length(min = 1))]
    pub tokens: Vec<SecretRef>,
    /// How often something should be pushed, in seconds. After a longer silence the scopes count
    /// as unread. The default is 26 hours, for a job that runs every day.
    #[serde(default = "expect_every_secs")]
    #[schemars(range(min = 60))]
    pub expect_every_secs: u32,
}

const fn expect_every_secs() -> u32 {
    26 * 60 * 60
}

/// Why a source cannot be pushed to.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("tokens is empty: nobody could push; give a reference, such as `env:PUSH_TOKEN`")]
    NoToken,
}

impl Config {
    /// What no schema holds.
    ///
    /// # Errors
    ///
    /// The key that is meant, and what to do.
    pub const fn validate(&self) -> Result<(), ConfigError> {
        if self.tokens.is_empty() { Err(ConfigError::NoToken) } else { Ok(()) }
    }
}

/// Reads what was pushed.
#[derive(Debug)]
pub struct PushConnector {
    door: Door,
    expect_every: SignedDuration,
}

impl PushConnector {
    /// A connector for a configured source. No secret is asked for yet.
    ///
    /// # Errors
    ///
    /// When the settings cannot work.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            door: Door::new(config.tokens.clone()),
            expect_every: SignedDuration::from_secs(i64::from(config.expect_every_secs)),
        })
    }

    fn judge_age(&self, cx: &ScanContext, kept: &Kept) -> Result<(), ScanError> {
        if cx.now.duration_since(kept.pushed_at) <= self.expect_every {
            return Ok(());
        }
        Err(unavailable(PUSH, &format!("nothing was pushed since {}", kept.pushed_at)))
    }
}

fn unavailable(operation: &str, reason: &str) -> ScanError {
    ScanError::Unavailable { operation: operation.to_owned(), reason: reason.to_owned() }
}

#[async_trait]
impl Connector for PushConnector {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    async fn scopes(&self, cx: &ScanContext) -> Result<Vec<Scope>, ScanError> {
        let scopes = kept::scopes(&*cx.cache).await;
        if scopes.is_empty() {
            let reason = "nothing was pushed yet, or what was pushed is not kept any more";
            return Err(unavailable(PUSH, reason));
        }
        Ok(scopes)
    }

    async fn observe(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let lost = || unavailable(PUSH, "what was pushed is not kept any more");
        let kept = Kept::load(&*cx.cache, scope).await.ok_or_else(lost)?;
        self.judge_age(cx, &kept)?;
        let as_of = match &kept.batch.ending {
            Ending::Complete { as_of, .. } => as_of.unwrap_or(kept.pushed_at).min(kept.pushed_at),
            Ending::Failed { error } => return Err(error.clone()),
            Ending::Open => return Err(unavailable(PUSH, "the push did not end this scope")),
        };
        kept.batch.record(&mut recorder, PUSH, as_of).await?;
        if cx.pass == Pass::Confirming && !kept.is_confirmed()? {
            let reason = "the last push would remove too much at once; another one, under another \
                          scan id, has to lack the same records";
            return Err(unavailable(CONFIRM, reason));
        }
        recorder.as_of(as_of);
        Ok(recorder.complete())
    }

    async fn check(&self, cx: &ScanContext) -> Vec<Probe> {
        let probe = |operation: &str, outcome| Probe {
            place: cx.source.clone(),
            operation: operation.to_owned(),
            permission: "a token of the source".to_owned(),
            outcome,
        };
        let tokens = match self.door.tokens() {
            Ok(_) => ProbeOutcome::Granted,
            Err(error) => ProbeOutcome::Failed(unavailable("tokens", &error.to_string())),
        };
        let later = format!("waits for POST /v1/observations/{}", cx.source);
        vec![probe("tokens", tokens), probe(PUSH, ProbeOutcome::NotTried(later))]
    }
}

#[cfg(test)]
mod tests;
