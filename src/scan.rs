//! The shell around the pure core: reads scopes, commits what follows, again and again.
//!
//! One path serves the timer, the command line, a hint and a restart:
//! [`engine`] reads the scopes of a source; [`ledger`] turns one reading into one commit
//! (records, drift, findings, events); [`agent`] decides when.

use std::sync::Arc;

use headcount_core::inventory::Coverage;
use headcount_core::reconcile::Brake;
use headcount_core::rules::RuleConfig;
use headcount_sdk::{Connector, ScanError, Scope};
use jiff::Timestamp;

use crate::deliver::Subscriber;
use crate::store::StoreError;

pub mod agent;
pub mod engine;
pub mod ledger;

pub use engine::Engine;

#[cfg(test)]
mod tests;

/// One configured instance of a connector.
#[derive(Clone)]
pub struct Source {
    pub name: String,
    pub connector: Arc<dyn Connector>,
}

/// What the engine is told once.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The agent's name in events.
    pub agent: String,
    pub brake: Brake,
    pub rules: RuleConfig,
    /// Names of every configured source. A place belongs to one of them; what a source that is no
    /// longer configured had read is taken over by the one that reads it now.
    pub sources: Vec<String>,
    /// Who is told of findings, and of which.
    pub sinks: Vec<Subscriber>,
    /// Whether posture findings of a baseline go out one by one, instead of as one summary.
    pub emit_baseline: bool,
    pub places_in_parallel: usize,
}

/// Told how a scan goes on, for a progress bar.
pub trait Progress: Send + Sync {
    fn planned(&self, _scopes: &[Scope]) {}
    fn started(&self, _scope: &Scope) {}
    fn finished(&self, _report: &ScopeReport) {}
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {}

/// What one scan of one source did.
#[derive(Clone, Debug)]
pub struct ScanReport {
    pub source: String,
    pub scan: String,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    /// Whether this was the source's first scan.
    pub is_baseline: bool,
    /// In the order of the connector's scopes.
    pub scopes: Vec<ScopeReport>,
    /// Set when the source could not even list its scopes.
    pub unreachable: Option<ScanError>,
    /// Transitions that time alone brought; those of a reading stand with its scope.
    pub due: u64,
}

impl ScanReport {
    /// Number of all transitions of the scan.
    #[must_use]
    pub fn transitions(&self) -> u64 {
        self.scopes.iter().map(|s| s.transitions).sum::<u64>() + self.due
    }

    /// Whether everything was read that should have been.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unreachable.is_none() && !self.scopes.iter().any(|s| s.coverage.is_short())
    }
}

/// What one reading of one scope did.
#[derive(Clone, Debug)]
pub struct ScopeReport {
    pub scope: Scope,
    pub coverage: Coverage,
    /// Records held in the scope now.
    pub records: u64,
    pub appeared: u64,
    pub changed: u64,
    pub disappeared: u64,
    /// Enrichments that failed, as `field: error`.
    pub degraded: Vec<String>,
    pub transitions: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The agent is shutting down; what was committed stays, the rest is read next time.
    #[error("the scan was interrupted")]
    Interrupted,
}
