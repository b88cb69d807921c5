//! From committed events to sinks: at least once, in order per finding, never silently dropped.
//!
//! A commit queues each event for each sink; what happens here cannot lose one. Reading order:
//! - [`payload`] renders events, before the commit; [`filter`] says who gets them;
//! - [`sinks`] knows the destinations and their configuration: a [`Sink`] takes one event, or some;
//!   [`reading`] reads events back for those that do not speak CloudEvents, [`digest`] makes one
//!   message of several;
//! - [`http`] posts for those that speak it, [`host`] is for those that connect by themselves,
//!   [`signature`] signs webhooks, [`guard`] keeps sinks away from addresses that are nobody's
//!   business;
//! - [`retry`] decides what follows an attempt, [`worker`] makes the attempts.
//!
//! Nothing here writes to the store but the outcome of attempts. Dead letters are listed and
//! replayed through [`crate::store::Store`] itself; a running worker finds what is due again.

use jiff::SignedDuration;

pub mod counters;
pub mod digest;
pub mod filter;
pub mod guard;
pub mod host;
pub mod http;
pub mod payload;
pub mod reading;
pub mod retry;
pub mod signature;
pub mod sinks;
#[cfg(test)]
mod tests;
pub mod worker;

pub use counters::Counters;
pub use filter::{Filter, Subscriber};
pub use sinks::{Batch, NamedSink, Sink, SinkConfig, SinkError, build, test_sink};
pub use worker::{Deliverer, Drained, Pace};

/// Why a sink did not take an event, by what to do next.
///
/// The texts name hosts and status codes. They never hold a URL (which may be a secret), a
/// header, or anything that the receiver said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// It may work later, not before `after` when the receiver said so.
    #[error("{reason}")]
    Retry { reason: String, after: Option<SignedDuration> },
    /// It will not work until somebody changes something: few attempts, then a dead letter.
    #[error("{reason}")]
    Reject { reason: String },
    /// The receiver is gone for good: a dead letter at once.
    #[error("{reason}")]
    Gone { reason: String },
}

impl DeliveryError {
    /// A failure that nobody gave a time for.
    #[must_use]
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { reason: reason.into(), after: None }
    }
}
