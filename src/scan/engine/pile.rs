//! What a reading found and no commit has taken yet, small in memory.
//!
//! The first reading of a scope finds all of it, and a new day moves the use of all of it. A
//! hundred thousand observations as they are would be most of the agent's memory, so all but the
//! last few wait deflated, and are committed block by block.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use headcount_core::reconcile::{Found, Reading};
use headcount_sdk::Observation;
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// Observations that are kept as they are.
const BLOCK: usize = 1_024;

/// What one commit takes of a reading.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::scan) struct Block {
    /// Of records that are new or differ.
    pub changed: Vec<Observation>,
    /// Of records whose use moved.
    pub used: Vec<Observation>,
}

#[derive(Debug, Default)]
pub(super) struct Pile {
    deflated: Vec<Vec<u8>>,
    /// The first failure; the sink that fills the pile has nobody to tell.
    failed: Option<String>,
}

impl Pile {
    /// Takes the reading's finds over once there are many.
    pub(super) fn relieve(&mut self, reading: &mut Reading) {
        if reading.held() < BLOCK {
            return;
        }
        let (changed, used) = reading.take();
        match deflate(&Block { changed, used }) {
            Ok(bytes) => self.deflated.push(bytes),
            Err(error) => {
                self.failed.get_or_insert(error.to_string());
            }
        }
    }

    /// The blocks in the order in which they were found.
    pub(super) fn blocks(self) -> impl Iterator<Item = Result<Block, StoreError>> {
        let damaged = |reason| StoreError::Damaged { what: "pile of observations", reason };
        let failed = self.failed.map(|reason| Err(damaged(reason)));
        let blocks = self
            .deflated
            .into_iter()
            .map(move |bytes| inflate(&bytes).map_err(|error| damaged(error.to_string())));
        failed.into_iter().chain(blocks)
    }
}

/// The last of a reading's finds; leaves the rest of `found` as it is.
pub(super) fn rest(found: &mut Found) -> Block {
    Block { changed: std::mem::take(&mut found.changed), used: std::mem::take(&mut found.used) }
}

fn deflate(block: &Block) -> std::io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    serde_json::to_writer(std::io::BufWriter::new(&mut encoder), block)?;
    encoder.flush()?;
    let mut bytes = encoder.finish()?;
    bytes.shrink_to_fit();
    Ok(bytes)
}

fn inflate(bytes: &[u8]) -> std::io::Result<Block> {
    let mut text = Vec::new();
    DeflateDecoder::new(bytes).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

    use headcount_sdk::{Class, RecordId};

    use super::*;

    #[test]
    fn nothing_is_lost_on_the_pile_and_little_stays_in_the_reading() {
        let mut reading = Reading::of(Vec::new());
        let mut pile = Pile::default();
        for number in 0..2_500 {
            let id = RecordId::new("lab:1", "role", &format!("{number:05}"));
            reading.accept(Observation::new(id, Class::Identity, "role", "r"));
            pile.relieve(&mut reading);
        }
        let mut found = reading.finish();
        assert_eq!(found.changed.len(), 2_500 - 2 * BLOCK);
        let mut ids: Vec<String> = Vec::new();
        for block in pile.blocks().chain([Ok(rest(&mut found))]) {
            ids.extend(block.unwrap().changed.into_iter().map(|o| o.id.to_string()));
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 2_500);
    }
}
