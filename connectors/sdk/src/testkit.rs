//! The conformance suite: what must hold for every connector, whatever it reads.
//!
//! A connector's tests build a [`Bench`], which is a server that the connector reads and that can be told to
//! spoil its answers, and call the [`laws`]. Each law panics with what was broken and how to get
//! there again: which fault, from which exchange on, with an empty or a filled cache.
//!
//! The suite knows nothing of a vendor. What it demands of a spoiled scan is that a scope that
//! claims to be complete lacks no record, and differs from the truth only in fields that it
//! names as unread.

pub mod laws;
mod scan;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::contract::Connector;

pub use self::scan::{Scanned, scan};

/// How a server spoils an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 403, in the vendor's words for a missing permission.
    Denied,
    /// 404, in the vendor's words or not.
    NotFound,
    /// 429, or whatever the vendor throttles with.
    Throttled,
    /// 500 with an HTML page.
    ServerError,
    /// The right answer, cut in its middle and framed as if it were whole.
    CutBody,
    /// The connection breaks.
    Reset,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Denied,
        Self::NotFound,
        Self::Throttled,
        Self::ServerError,
        Self::CutBody,
        Self::Reset,
    ];
}

/// A connector's server under test, and the connector that reads it.
///
/// Keep what it serves small, one place will do, and the connector's patience short: the sweep
/// scans it once for every fault, exchange and state of the cache.
#[async_trait]
pub trait Bench: Send + Sync {
    /// A new connector that reads the server and has read nothing before.
    async fn connector(&self) -> Arc<dyn Connector>;

    /// The time at the server.
    fn now(&self) -> Timestamp;

    /// From now on spoils exchange `from` (the first is 1) and all after it, or nothing. Begins
    /// to count exchanges and operations anew.
    fn spoil(&self, fault: Option<(Fault, u64)>);

    /// Exchanges since the last [`Bench::spoil`].
    fn exchanges(&self) -> u64;

    /// Operations since the last [`Bench::spoil`], named as in the manifest.
    fn operations(&self) -> Vec<String>;

    /// Serves pages of at most so many records from now on; `None`: as many as were asked for.
    fn page_size(&self, most: Option<usize>);

    /// What no error text may contain: tokens, keys, pieces of the bodies served.
    fn secrets(&self) -> Vec<String>;
}
