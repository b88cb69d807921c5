//! Attempts counted as they happen, for the metrics page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::store::Outcome;

/// Attempts since the process started, and which sinks fail right now.
#[derive(Debug, Default)]
pub struct Counters(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    attempts: BTreeMap<(String, &'static str), u64>,
    failing: BTreeSet<String>,
}

impl Counters {
    /// Attempts by sink and outcome (`delivered`, `retry` or `dead`).
    #[must_use]
    pub fn attempts(&self) -> BTreeMap<(String, &'static str), u64> {
        self.state().attempts.clone()
    }

    /// Whether the sink's last attempts all failed.
    #[must_use]
    pub fn is_failing(&self, sink: &str) -> bool {
        self.state().failing.contains(sink)
    }

    pub(super) fn count(&self, sink: &str, outcome: &Outcome) {
        let outcome = match outcome {
            Outcome::Delivered => "delivered",
            Outcome::Retry { .. } => "retry",
            Outcome::Dead { .. } => "dead",
        };
        *self.state().attempts.entry((sink.to_owned(), outcome)).or_default() += 1;
    }

    pub(super) fn fails(&self, sink: &str) {
        self.state().failing.insert(sink.to_owned());
    }

    pub(super) fn works(&self, sink: &str) {
        self.state().failing.remove(sink);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
