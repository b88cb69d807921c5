//! One limit per credential and upstream limit class, shared by scans and hints.
//!
//! A scanner spends the same quota as production, so the governor bounds the calls in flight,
//! spaces them out, stops everyone after a throttle for as long as the source asked, and lets
//! hints pass before scans.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::contract::Priority;

/// What a credential may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls in flight at once, at least 1.
    pub concurrency: u32,
    /// Shortest time between the starts of two calls.
    pub spacing: Duration,
}

/// Hands out turns. Cheap to clone; all clones share one limit.
#[derive(Clone, Debug)]
pub struct Governor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    in_flight: Arc<Semaphore>,
    state: Mutex<State>,
    hints_done: Notify,
}

#[derive(Debug)]
struct State {
    /// No call may start before this instant.
    not_before: Instant,
    hints_waiting: u32,
}

/// A turn; the call is in flight until it is dropped.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// Announces a waiting hint, and takes the announcement back even when the wait is cancelled.
struct WaitingHint<'a>(&'a Inner);

impl<'a> WaitingHint<'a> {
    fn announce(inner: &'a Inner) -> Self {
        inner.state().hints_waiting += 1;
        Self(inner)
    }
}

impl Drop for WaitingHint<'_> {
    fn drop(&mut self) {
        self.0.state().hints_waiting -= 1;
        self.0.hints_done.notify_waiters();
    }
}

impl Inner {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Governor {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let permits = limits.concurrency.max(1) as usize;
        Self(Arc::new(Inner {
            limits,
            in_flight: Arc::new(Semaphore::new(permits)),
            state: Mutex::new(State { not_before: Instant::now(), hints_waiting: 0 }),
            hints_done: Notify::new(),
        }))
    }

    /// Waits for a turn. Scans wait until no hint does.
    pub async fn turn(&self, priority: Priority) -> Turn {
        let _announced =
            (priority == Priority::Hint).then(|| WaitingHint::announce(self.0.as_ref()));
        loop {
            if priority == Priority::Scan {
                self.hints_first().await;
            }
            // The semaphore lives as long as `self` and is never closed.
            let Ok(permit) = Arc::clone(&self.0.in_flight).acquire_owned().await else {
                continue;
            };
            let wait = {
                let mut state = self.0.state();
                if priority == Priority::Scan && state.hints_waiting > 0 {
                    continue;
                }
                let now = Instant::now();
                if state.not_before <= now {
                    state.not_before = now + self.0.limits.spacing;
                    return Turn(permit);
                }
                state.not_before - now
            };
            drop(permit);
            tokio::time::sleep(wait).await;
        }
    }

    /// Stops every call on this credential for as long as the source asked.
    pub fn back_off(&self, wait: Duration) {
        let mut state = self.0.state();
        state.not_before = state.not_before.max(Instant::now() + wait);
    }

    async fn hints_first(&self) {
        loop {
            let done = self.0.hints_done.notified();
            tokio::pin!(done);
            // Registered before the count is read, so that a hint that ends in between is not missed.
            done.as_mut().enable();
            if self.0.state().hints_waiting == 0 {
                return;
            }
            done.await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

    use super::*;

    fn governor(concurrency: u32, spacing_ms: u64) -> Governor {
        Governor::new(Limits { concurrency, spacing: Duration::from_millis(spacing_ms) })
    }

    #[tokio::test(start_paused = true)]
    async fn calls_in_flight_never_exceed_the_limit() {
        let governor = governor(2, 0);
        let _first = governor.turn(Priority::Scan).await;
        let second = governor.turn(Priority::Scan).await;
        let third = tokio::time::timeout(Duration::from_secs(60), governor.turn(Priority::Scan));
        assert!(third.await.is_err(), "a third call started while two were in flight");
        drop(second);
        governor.turn(Priority::Scan).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_hint_goes_before_a_scan_that_waited_longer() {
        let governor = governor(1, 0);
        let busy = governor.turn(Priority::Scan).await;
        let (order, mut turns) = tokio::sync::mpsc::unbounded_channel();
        for priority in [Priority::Scan, Priority::Hint] {
            let (governor, order) = (governor.clone(), order.clone());
            tokio::spawn(async move {
                let _turn = governor.turn(priority).await;
                order.send(priority).unwrap();
            });
            tokio::task::yield_now().await;
        }
        drop(busy);
        assert_eq!(turns.recv().await, Some(Priority::Hint));
        assert_eq!(turns.recv().await, Some(Priority::Scan));
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_stops_everyone_for_as_long_as_the_source_asked() {
        let governor = governor(4, 0);
        governor.back_off(Duration::from_secs(30));
        let start = Instant::now();
        governor.turn(Priority::Hint).await;
        assert!(Instant::now() - start >= Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_hint_does_not_hold_scans_back() {
        let governor = governor(1, 0);
        let busy = governor.turn(Priority::Scan).await;
        let hint = tokio::time::timeout(Duration::from_secs(1), governor.turn(Priority::Hint));
        assert!(hint.await.is_err());
        drop(busy);
        governor.turn(Priority::Scan).await;
    }
}
