//! What of pushes stays in the connector's cache: per scope the last one, and the answers given.
//!
//! A cache swallows errors, and a push that is answered with success must be there: everything is
//! read back before it counts as kept. What is lost later makes its scope unread, nothing more.

use std::collections::{BTreeSet, HashSet};

use headcount_sdk::{Cache, ScanError, Scope};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{PUSH, Unkept, unavailable};
use crate::spool::{Batch, Ending, key};

const INDEX: &str = "push:scopes";
const ANSWERS: &str = "push:answers";

/// Scopes of one source, and answers that are remembered.
const MAX_SCOPES: usize = 10_000;
const MAX_ANSWERS: usize = 256;

/// The last push of one scope.
#[derive(Clone, Debug)]
pub struct Kept {
    pub scan: String,
    pub pushed_at: Timestamp,
    pub batch: Batch,
    /// Ids, as numbers, of the last complete push before this one.
    before: Option<HashSet<u128>>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    scan: String,
    pushed_at: Timestamp,
    ending: Ending,
    count: u64,
    /// How many ids follow; none = there was no complete push before.
    before: Option<u64>,
}

impl Kept {
    /// What is kept of a scope, if it can be read.
    pub async fn load(cache: &dyn Cache, scope: &Scope) -> Option<Self> {
        let bytes = cache.get(&scope_key(scope)).await?;
        Self::from_bytes(&bytes)
    }

    /// Puts a push in the place of the one before.
    pub(super) async fn replace(
        cache: &dyn Cache,
        scope: &Scope,
        (scan, now): (&str, Timestamp),
        batch: Batch,
    ) -> Result<(), Unkept> {
        let before = match Self::load(cache, scope).await {
            None => None,
            // A push that is sent again, after the agent was killed, is still the same push: it
            // does not agree with itself.
            Some(same) if same.scan == scan => same.before,
            Some(last) => match last.batch.ending {
                Ending::Complete { .. } => last.ids().ok(),
                Ending::Failed { .. } | Ending::Open => last.before,
            },
        };
        let kept = Self { scan: scan.to_owned(), pushed_at: now, batch, before };
        let bytes = kept.to_bytes().ok_or(Unkept)?;
        put(cache, &scope_key(scope), bytes).await
    }

    /// Whether nothing is missing here that the push before this one had. Then every record that
    /// is missing was missing twice.
    pub(super) fn is_confirmed(&self) -> Result<bool, ScanError> {
        let Some(before) = &self.before else { return Ok(false) };
        let now = self.ids()?;
        Ok(before.is_subset(&now))
    }

    fn ids(&self) -> Result<HashSet<u128>, ScanError> {
        let ids = self.batch.observations().map(|observation| Ok(key(observation?.id.as_str())));
        let ids: std::io::Result<HashSet<u128>> = ids.collect();
        ids.map_err(|_| unavailable(PUSH, "what was pushed cannot be read back"))
    }

    fn to_bytes(&self) -> Option<Vec<u8>> {
        let header = Header {
            scan: self.scan.clone(),
            pushed_at: self.pushed_at,
            ending: self.batch.ending.clone(),
            count: self.batch.count,
            before: self.before.as_ref().map(|ids| ids.len() as u64),
        };
        let header = serde_json::to_vec(&header).ok()?;
        let mut bytes = u32::try_from(header.len()).ok()?.to_le_bytes().to_vec();
        bytes.extend(header);
        let mut ids: Vec<u128> = self.before.iter().flatten().copied().collect();
        ids.sort_unstable();
        bytes.extend(ids.into_iter().flat_map(u128::to_le_bytes));
        bytes.extend_from_slice(&self.batch.packed);
        Some(bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (header, rest) = rest.split_at_checked(length)?;
        let Header { scan, pushed_at, ending, count, before } =
            serde_json::from_slice(header).ok()?;
        let number = usize::try_from(before.unwrap_or_default()).ok()?;
        let (ids, packed) = rest.split_at_checked(number.checked_mul(16)?)?;
        let (ids, _) = ids.as_chunks::<16>();
        let ids = ids.iter().map(|id| u128::from_le_bytes(*id)).collect();
        let batch = Batch::kept(ending, count, packed.to_vec());
        Some(Self { scan, pushed_at, batch, before: before.map(|_| ids) })
    }
}

fn scope_key(scope: &Scope) -> String {
    format!("push:scope:{scope}")
}

async fn put(cache: &dyn Cache, key: &str, bytes: Vec<u8>) -> Result<(), Unkept> {
    cache.put(key, bytes.clone()).await;
    if cache.get(key).await.is_some_and(|kept| kept == bytes) { Ok(()) } else { Err(Unkept) }
}

/// Every scope that was ever pushed, those of one place together.
pub(super) async fn scopes(cache: &dyn Cache) -> Vec<Scope> {
    let Some(bytes) = cache.get(INDEX).await else { return Vec::new() };
    // What cannot be read is as good as lost: the source counts as unread then.
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Adds scopes to those that were pushed.
pub(super) async fn list(cache: &dyn Cache, more: &[Scope]) -> Result<(), Unkept> {
    let mut all: BTreeSet<Scope> = scopes(cache).await.into_iter().collect();
    all.extend(more.iter().cloned());
    if all.len() > MAX_SCOPES {
        return Err(Unkept);
    }
    let bytes = serde_json::to_vec(&all).map_err(|_| Unkept)?;
    put(cache, INDEX, bytes).await
}

/// An answer that was given, under the name of the scan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Earlier {
    pub scan: String,
    /// Of the bytes that were pushed.
    pub digest: String,
    pub answer: Value,
}

impl Earlier {
    /// The answer to an earlier push of this name.
    pub async fn find(cache: &dyn Cache, scan: &str) -> Option<Self> {
        all(cache).await.into_iter().find(|earlier| earlier.scan == scan)
    }

    /// Remembers an answer.
    ///
    /// # Errors
    ///
    /// When it could not be kept.
    pub async fn remember(self, cache: &dyn Cache) -> Result<(), Unkept> {
        let mut all = all(cache).await;
        all.retain(|earlier| earlier.scan != self.scan);
        all.push(self);
        let too_many = all.len().saturating_sub(MAX_ANSWERS);
        all.drain(..too_many);
        let bytes = serde_json::to_vec(&all).map_err(|_| Unkept)?;
        put(cache, ANSWERS, bytes).await
    }
}

async fn all(cache: &dyn Cache) -> Vec<Earlier> {
    let Some(bytes) = cache.get(ANSWERS).await else { return Vec::new() };
    serde_json::from_slice(&bytes).unwrap_or_default()
}
