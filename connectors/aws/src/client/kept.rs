//! Answers about the agent itself and its organisation: one per scan, and for hints a little longer.

use std::sync::Arc;

use headcount_sdk::{Priority, ScanContext};
use jiff::{SignedDuration, Timestamp};

/// For how long hints go by the last answer: a large organisation takes many calls to list, and
/// events come every few seconds.
const HINTS_GO_BY: SignedDuration = SignedDuration::from_mins(5);

pub(super) struct Kept<T> {
    scan: String,
    at: Timestamp,
    pub(super) answer: Arc<T>,
}

impl<T> Kept<T> {
    pub(super) fn new(cx: &ScanContext, answer: &Arc<T>) -> Self {
        Self { scan: cx.scan.clone(), at: cx.now, answer: Arc::clone(answer) }
    }

    pub(super) fn is_of(&self, cx: &ScanContext) -> bool {
        self.scan == cx.scan
    }

    pub(super) fn holds(&self, cx: &ScanContext) -> bool {
        let is_hint = cx.priority == Priority::Hint;
        self.is_of(cx) || (is_hint && cx.now < self.at + HINTS_GO_BY)
    }
}
