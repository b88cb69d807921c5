//! Messages that are given up: what is kept of them, so that none is lost in silence.
//!
//! Never the body: whoever may write to the queue may write anything. Where the queue has a
//! dead-letter queue, SQS moves a message there before it is given up here.

use headcount_sdk::Cache;
use serde::{Deserialize, Serialize};

/// Under which name they are kept in the source's cache.
pub(crate) const KEPT: &str = "events/set-aside";

/// Messages remembered one by one; the count goes on.
const LAST: usize = 50;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SetAside {
    pub(crate) count: u64,
    /// The newest last.
    pub(crate) last: Vec<GivenUp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GivenUp {
    pub(crate) message: String,
    pub(crate) why: String,
    pub(crate) receives: u32,
}

/// Notes messages that are given up; gives how many there were in all.
pub(crate) async fn note(cache: &dyn Cache, given_up: Vec<GivenUp>) -> u64 {
    let kept = cache.get(KEPT).await;
    let kept = kept.and_then(|kept| serde_json::from_slice::<SetAside>(&kept).ok());
    let mut kept = kept.unwrap_or_default();
    kept.count += given_up.len() as u64;
    kept.last.extend(given_up);
    let old = kept.last.len().saturating_sub(LAST);
    kept.last.drain(..old);
    // Plain text and numbers, so this cannot fail; and it may be lost.
    if let Ok(bytes) = serde_json::to_vec(&kept) {
        cache.put(KEPT, bytes).await;
    }
    kept.count
}
