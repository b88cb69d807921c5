//! The inventory as of a moment, for the engines that people already run: NDJSON, CSV and Parquet,
//! with a manifest that says what of it was complete.
//!
//! Versions of the past do not change, so a document can be read page by page while the agent goes on
//! writing, and comes out the same; only use and owner, which move without a version, are those that
//! held last while the version was valid. The API and `headcount snapshot` write the same bytes.

use std::sync::Arc;

use futures::Stream;
use jiff::Timestamp;

use crate::store::{RecordFilter, Store, StoreError};

pub mod coverage;
#[cfg(feature = "parquet")]
mod parquet;
pub mod record;
#[cfg(test)]
mod tests;
pub mod write;

use write::{Format, WriteError, Writer};

/// Records read from the store at a time.
const PAGE: u32 = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The inventory of a moment as a document, piece by piece. A stream that ends with an error is no
/// document: whoever hands it on must not end it in an orderly way.
pub fn document(
    store: Arc<dyn Store>,
    filter: RecordFilter,
    format: Format,
) -> Result<impl Stream<Item = Result<Vec<u8>, SnapshotError>> + Send + 'static, SnapshotError> {
    let state = State { store, filter, after: None, writer: Some(Writer::new(format)?) };
    Ok(futures::stream::unfold(state, |mut state| async move {
        match state.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), state)),
            Ok(None) => None,
            Err(error) => {
                state.writer = None;
                Some((Err(error), state))
            }
        }
    }))
}

/// The filter for everything that is counted at a moment, people and workloads included.
#[must_use]
pub fn everything(at: Timestamp) -> RecordFilter {
    RecordFilter { at: Some(at), ..RecordFilter::default() }
}

struct State {
    store: Arc<dyn Store>,
    filter: RecordFilter,
    after: Option<headcount_sdk::RecordId>,
    /// `None` = everything was written.
    writer: Option<Writer>,
}

impl State {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, SnapshotError> {
        let Some(mut writer) = self.writer.take() else { return Ok(None) };
        let page = self.store.list_records(&self.filter, self.after.as_ref(), PAGE).await?;
        for record in &page {
            writer.write(record)?;
        }
        if page.len() < PAGE as usize {
            let last = writer.take()?;
            return Ok(Some([last, writer.finish()?].concat()));
        }
        self.after = page.last().map(|record| record.id().clone());
        let bytes = writer.take()?;
        self.writer = Some(writer);
        Ok(Some(bytes))
    }
}
