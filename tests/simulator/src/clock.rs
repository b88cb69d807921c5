//! The one clock of a simulated organisation.
//!
//! It stands still until somebody moves it: nothing in this crate reads the system clock, so a
//! script that spans ninety days runs in milliseconds and runs the same way twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// A movable clock. Clones are handles to the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    /// A clock that stands at `start` (kept to the microsecond).
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.as_microsecond())))
    }

    /// Where the clock stands.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }

    /// Moves the clock to `moment`, forwards or backwards.
    pub fn set(&self, moment: Timestamp) {
        self.0.store(moment.as_microsecond(), Ordering::SeqCst);
    }

    /// Moves the clock by `step` (negative: backwards) and returns where it stands now.
    pub fn advance(&self, step: SignedDuration) -> Timestamp {
        let micros = i64::try_from(step.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(micros, Ordering::SeqCst);
        self.now()
    }
}
