//! Who may push, and what becomes of what they push.

use headcount_sdk::secret::{SecretError, SecretRef};
use headcount_sdk::{Cache, ScanError, Scope};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::kept::{self, Kept};
use super::{PUSH, unavailable};
use crate::spool::{Ending, Limits, Spool, Spooler};

/// A shorter token can be guessed, and is none.
const MIN_TOKEN: usize = 20;

/// The way in for one source.
#[derive(Debug)]
pub struct Door {
    tokens: Vec<SecretRef>,
}

/// Why nobody can come in.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("the token at {reference} is shorter than {MIN_TOKEN} characters")]
    Short { reference: String },
}

/// What was pushed could not be kept, so nothing of it counts.
#[derive(Debug, thiserror::Error)]
#[error("what was pushed could not be kept")]
pub struct Unkept;

impl Door {
    /// A way in for whoever shows one of these tokens.
    #[must_use]
    pub const fn new(tokens: Vec<SecretRef>) -> Self {
        Self { tokens }
    }

    /// Every token, as they stand now.
    pub(super) fn tokens(&self) -> Result<Vec<SecretString>, NoToken> {
        self.tokens.iter().map(token).collect()
    }

    /// Whether this is one of the tokens. Takes as long whichever of them it is, or none.
    #[must_use]
    pub fn admits(&self, shown: &str) -> bool {
        let shown = digest(shown);
        let mut is_one = false;
        for reference in &self.tokens {
            match token(reference) {
                Ok(token) => {
                    let token = digest(token.expose_secret());
                    is_one |= aws_lc_rs::constant_time::verify_slices_are_equal(
                        shown.as_ref(),
                        token.as_ref(),
                    )
                    .is_ok();
                }
                Err(error) => tracing::warn!(%error, "a token for pushes cannot be used"),
            }
        }
        is_one
    }

    /// Takes a stream in.
    #[must_use]
    pub fn spooler(now: Timestamp) -> Spooler {
        Spooler::new(Limits::default(), now)
    }

    /// Keeps what was pushed, and says which scopes are to be read. Only what is said to be
    /// complete brings records; of the rest it is kept why it is not.
    ///
    /// # Errors
    ///
    /// When a scope could not be kept. Sent again, it is taken up where it ended.
    pub async fn keep(
        cache: &dyn Cache,
        spool: Spool,
        now: Timestamp,
    ) -> Result<Vec<Scope>, Unkept> {
        let mut scopes = Vec::with_capacity(spool.batches.len());
        for (scope, mut batch) in spool.batches {
            let error = match &batch.ending {
                Ending::Complete { .. } => None,
                Ending::Failed { error } => Some(error.clone()),
                Ending::Open => Some(unended()),
            };
            if let Some(error) = error {
                batch = crate::spool::Batch::kept(Ending::Failed { error }, 0, Vec::new());
            }
            Kept::replace(cache, &scope, (&spool.scan, now), batch).await?;
            scopes.push(scope);
        }
        kept::list(cache, &scopes).await?;
        Ok(scopes)
    }
}

fn unended() -> ScanError {
    unavailable(PUSH, "the push ended without `complete` or `failed` for this scope")
}

fn token(reference: &SecretRef) -> Result<SecretString, NoToken> {
    let token = reference.resolve()?;
    if token.expose_secret().len() < MIN_TOKEN {
        return Err(NoToken::Short { reference: reference.to_string() });
    }
    Ok(token)
}

/// Of the same length, whatever goes in.
fn digest(text: &str) -> aws_lc_rs::digest::Digest {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes())
}
