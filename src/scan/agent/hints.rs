//! From event to commit: keeps a connector's feed running, gathers its hints, has what they name
//! read again, and tells the feed what became of them.
//!
//! Hints that come together are gathered, so that ten events on one subject cost one read. A hint
//! on one subject is acted on at once. A hint that makes a whole scope dirty is acted on at most
//! once in [`WHOLE_EVERY`], whatever the source sends. A hint that is lost costs only time: the
//! next scan finds the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use headcount_sdk::{Handled, Hinted, Hints, Scope};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Observer;
use crate::scan::engine::{Engine, Refreshed};
use crate::scan::{EngineError, Source};

/// Messages that may wait; a feed waits for room, an inbound message is refused.
pub const QUEUE: usize = 10_000;

/// How long hints are gathered before they are acted on.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// How often hints may have one whole scope read.
const WHOLE_EVERY: Duration = Duration::from_secs(30);

/// Pause before a feed that ended is started again: at first, and at most.
const FEED_PAUSE: Duration = Duration::from_secs(1);
const FEED_PAUSE_MAX: Duration = Duration::from_secs(300);

/// A feed that ran this long was well; its next end starts with the first pause again.
const FEED_WELL: Duration = Duration::from_secs(600);

/// Runs the connector's feed, and starts it again when it ends.
pub async fn feed(
    engine: &Engine,
    source: &Source,
    hints: Hints,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) {
    let mut pause = FEED_PAUSE;
    loop {
        let cx = engine.feed_context(source);
        let started = Instant::now();
        let running = source.connector.feed(&cx, hints.clone());
        let Some(ended) = cancel.run_until_cancelled(running).await else { return };
        observer.feed_ended(&source.name);
        if started.elapsed() >= FEED_WELL {
            pause = FEED_PAUSE;
        }
        let again_in_secs = pause.as_secs();
        match ended {
            Ok(()) => tracing::info!(
                source = source.name,
                again_in_secs,
                "the feed of hints ended and is started again"
            ),
            Err(error) => tracing::warn!(
                source = source.name, %error, again_in_secs,
                "the feed of hints broke; scans go on by schedule, and it is started again"
            ),
        }
        if cancel.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
        pause = (pause * 2).min(FEED_PAUSE_MAX);
    }
}

/// Acts on the hints of one source until `cancel`.
pub async fn follow(
    engine: Arc<Engine>,
    source: Source,
    mut queue: mpsc::Receiver<Hinted>,
    observer: Arc<dyn Observer>,
    cancel: CancellationToken,
) {
    let mut dirt = Dirt::default();
    loop {
        let wait = dirt.next_due().map(|due| due.saturating_duration_since(Instant::now()));
        let received = async {
            match wait {
                Some(wait) => tokio::time::timeout(wait, queue.recv()).await.ok(),
                None => Some(queue.recv().await),
            }
        };
        match cancel.run_until_cancelled(received).await {
            None | Some(Some(None)) => return,
            Some(None) => {}
            Some(Some(Some(first))) => {
                let mut count = dirt.add(first);
                if cancel.run_until_cancelled(tokio::time::sleep(DEBOUNCE)).await.is_none() {
                    return;
                }
                while let Ok(more) = queue.try_recv() {
                    count += dirt.add(more);
                }
                observer.hinted(&source.name, count);
            }
        }
        while let Some((scope, subjects)) = dirt.take_due(Instant::now()) {
            let done = engine.refresh(&source, &scope, &subjects).await;
            if matches!(done, Err(EngineError::Interrupted)) {
                return;
            }
            let outcome = match told(&source, &scope, done) {
                Outcome::Failed if subjects.contains("") => Outcome::WholeFailed,
                outcome => outcome,
            };
            observer.refreshed(&source.name, outcome.as_str());
            dirt.settle(&scope, outcome, Instant::now());
        }
    }
}

/// How acting on one scope's hints ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Subjects,
    Whole,
    WantsWhole,
    Failed,
    /// The whole scope was tried; it is not tried again at once, however often it is named.
    WholeFailed,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Subjects => "subjects",
            Self::Whole => "whole",
            Self::WantsWhole => "postponed",
            Self::Failed | Self::WholeFailed => "failed",
        }
    }

    const fn is_failed(self) -> bool {
        matches!(self, Self::Failed | Self::WholeFailed)
    }
}

fn told(source: &Source, scope: &Scope, done: Result<Refreshed, EngineError>) -> Outcome {
    let lost = "a hint was not acted on; the next scan finds the same";
    match done {
        Ok(Refreshed::Subjects(_)) => Outcome::Subjects,
        Ok(Refreshed::Whole(report)) if report.coverage.is_short() => Outcome::WholeFailed,
        Ok(Refreshed::Whole(_)) => Outcome::Whole,
        Ok(Refreshed::WantsWhole) => Outcome::WantsWhole,
        Ok(Refreshed::Failed(error)) => {
            tracing::warn!(source = source.name, scope = %scope, %error, "{lost}");
            Outcome::Failed
        }
        Err(error) => {
            tracing::error!(source = source.name, scope = %scope, %error, "{lost}");
            Outcome::Failed
        }
    }
}

/// What is dirty, and who waits for it.
#[derive(Debug, Default)]
struct Dirt {
    scopes: BTreeMap<Scope, BTreeSet<String>>,
    /// When each scope was last read whole because of a hint.
    read_whole: BTreeMap<Scope, Instant>,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    receipt: oneshot::Sender<Handled>,
    scopes: BTreeMap<Scope, Wants>,
    is_failed: bool,
}

/// What of a scope must have been read before somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wants {
    Subjects,
    Whole,
}

impl Dirt {
    /// Takes a message in; returns the number of its hints.
    fn add(&mut self, hinted: Hinted) -> u64 {
        let count = hinted.hints.len() as u64;
        let mut scopes: BTreeMap<Scope, Wants> = BTreeMap::new();
        for hint in hinted.hints {
            let wants = if hint.subject.is_empty() { Wants::Whole } else { Wants::Subjects };
            let known = scopes.entry(hint.scope.clone()).or_insert(wants);
            *known = wants.max(*known);
            self.scopes.entry(hint.scope).or_default().insert(hint.subject);
        }
        match hinted.receipt {
            Some(receipt) if scopes.is_empty() => {
                // The one who waited may have gone; then there is nobody to tell.
                let _ = receipt.send(Handled::Committed);
            }
            Some(receipt) => self.waiting.push(Waiting { receipt, scopes, is_failed: false }),
            None => {}
        }
        count
    }

    /// A scope that may be acted on now. While the whole of a scope has to wait, its single
    /// subjects have not.
    fn take_due(&mut self, now: Instant) -> Option<(Scope, BTreeSet<String>)> {
        let due = self.scopes.iter().find(|(scope, dirt)| self.due(scope, dirt) <= Some(now));
        let scope = due.map(|(scope, _)| scope.clone())?;
        let mut subjects = self.scopes.remove(&scope)?;
        if self.whole_due(&scope) > Some(now) && subjects.remove("") {
            self.scopes.insert(scope.clone(), BTreeSet::from([String::new()]));
        }
        Some((scope, subjects))
    }

    /// When the next scope may be acted on; `None` = nothing is dirty.
    fn next_due(&self) -> Option<Instant> {
        let now = Instant::now();
        self.scopes.iter().map(|(scope, dirt)| self.due(scope, dirt).unwrap_or(now)).min()
    }

    /// When there is something to do about a scope; `None` = at once.
    fn due(&self, scope: &Scope, dirt: &BTreeSet<String>) -> Option<Instant> {
        let is_whole_alone = dirt.len() == 1 && dirt.contains("");
        self.whole_due(scope).filter(|_| is_whole_alone)
    }

    /// When the scope may be read whole; `None` = at once.
    fn whole_due(&self, scope: &Scope) -> Option<Instant> {
        self.read_whole.get(scope).map(|read_at| *read_at + WHOLE_EVERY)
    }

    fn settle(&mut self, scope: &Scope, outcome: Outcome, now: Instant) {
        match outcome {
            Outcome::WantsWhole => {
                // Nobody is told yet: the scope is read whole when its time has come.
                self.scopes.entry(scope.clone()).or_default().insert(String::new());
                for waiting in &mut self.waiting {
                    waiting.scopes.entry(scope.clone()).and_modify(|wants| *wants = Wants::Whole);
                }
                return;
            }
            Outcome::Whole | Outcome::WholeFailed => {
                self.read_whole.insert(scope.clone(), now);
            }
            Outcome::Subjects | Outcome::Failed => {}
        }
        let is_whole = matches!(outcome, Outcome::Whole | Outcome::WholeFailed);
        for waiting in &mut self.waiting {
            let wants = waiting.scopes.get(scope).copied();
            if wants.is_some_and(|wants| is_whole || wants == Wants::Subjects) {
                waiting.scopes.remove(scope);
                waiting.is_failed |= outcome.is_failed();
            }
        }
        for done in self.waiting.extract_if(.., |waiting| waiting.scopes.is_empty()) {
            let handled = if done.is_failed { Handled::Failed } else { Handled::Committed };
            // As above.
            let _ = done.receipt.send(handled);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

    use headcount_sdk::Hint;

    use super::*;

    fn scope(kind: &str) -> Scope {
        Scope::new("lab:1", kind)
    }

    fn hinted(hints: &[(&str, &str)]) -> (Hinted, oneshot::Receiver<Handled>) {
        let (receipt, handled) = oneshot::channel();
        let hints = hints.iter().map(|(kind, subject)| Hint::new(scope(kind), subject)).collect();
        (Hinted { hints, receipt: Some(receipt) }, handled)
    }

    #[tokio::test(start_paused = true)]
    async fn ten_hints_on_one_subject_are_one_piece_of_work() {
        let mut dirt = Dirt::default();
        for _ in 0..10 {
            assert_eq!(dirt.add(hinted(&[("roles", "ci")]).0), 1);
        }
        let (scope, subjects) = dirt.take_due(Instant::now()).unwrap();
        assert_eq!((scope.kind.as_str(), subjects.len()), ("roles", 1));
        assert!(dirt.take_due(Instant::now()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_receipt_is_given_when_the_last_scope_is_done_and_tells_of_any_failure() {
        let mut dirt = Dirt::default();
        let (first, mut told_first) = hinted(&[("roles", "a"), ("users", "b")]);
        let (second, mut told_second) = hinted(&[("roles", "c")]);
        dirt.add(first);
        dirt.add(second);
        dirt.settle(&scope("roles"), Outcome::Subjects, Instant::now());
        assert!(told_first.try_recv().is_err(), "users are not done");
        assert_eq!(told_second.try_recv(), Ok(Handled::Committed));
        dirt.settle(&scope("users"), Outcome::Failed, Instant::now());
        assert_eq!(told_first.try_recv(), Ok(Handled::Failed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_without_hints_is_done_at_once() {
        let mut dirt = Dirt::default();
        let (empty, mut told) = hinted(&[]);
        dirt.add(empty);
        assert_eq!(told.try_recv(), Ok(Handled::Committed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_whole_scope_is_read_once_in_a_while_whether_it_worked_or_not() {
        for outcome in [Outcome::Whole, Outcome::WholeFailed] {
            once_in_a_while(outcome).await;
        }
    }

    async fn once_in_a_while(outcome: Outcome) {
        let mut dirt = Dirt::default();
        dirt.add(hinted(&[("repositories", "")]).0);
        assert!(dirt.take_due(Instant::now()).is_some());
        dirt.settle(&scope("repositories"), outcome, Instant::now());
        let (both, mut told) = hinted(&[("repositories", ""), ("repositories", "r1")]);
        dirt.add(both);
        let (_, subjects) = dirt.take_due(Instant::now()).unwrap();
        assert_eq!(subjects, BTreeSet::from(["r1".to_owned()]), "single subjects need not wait");
        dirt.settle(&scope("repositories"), Outcome::Subjects, Instant::now());
        assert!(told.try_recv().is_err(), "the whole is still to be read");
        assert!(dirt.take_due(Instant::now()).is_none(), "too soon");
        tokio::time::advance(WHOLE_EVERY).await;
        let (_, subjects) = dirt.take_due(Instant::now()).unwrap();
        assert!(subjects.contains(""));
        dirt.settle(&scope("repositories"), Outcome::Whole, Instant::now());
        assert_eq!(told.try_recv(), Ok(Handled::Committed));
    }

    #[tokio::test(start_paused = true)]
    async fn subjects_that_cannot_be_read_alone_wait_for_their_scope() {
        let mut dirt = Dirt::default();
        let (message, mut told) = hinted(&[("users", "ana")]);
        dirt.add(message);
        dirt.take_due(Instant::now()).unwrap();
        dirt.settle(&scope("users"), Outcome::WantsWhole, Instant::now());
        assert!(told.try_recv().is_err());
        let (_, subjects) = dirt.take_due(Instant::now()).unwrap();
        assert!(subjects.contains(""));
    }
}
