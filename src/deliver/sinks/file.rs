//! A file of events, one line of JSON each, for whatever follows files.
//!
//! # When it counts as delivered
//!
//! Opened for each batch and only ever appended to, so it may be rotated under the agent. Lines
//! count as delivered once they are synced to disk. After a crash in the middle of a line the next
//! event begins on a fresh one; the event that was cut is written again whole.
//!
//! # Set it up
//!
//! ```yaml
//! sinks:
//!   - name: events
//!     type: file
//!     path: ./findings.ndjson
//! ```

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;

use super::{DeliveryError, Sink};
use crate::store::Event;

/// A file to which each event is appended as one line of JSON.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FileSink")]
pub struct FileConfig {
    /// Made if it is not there, readable only by the agent's user. Its folder must exist.
    pub path: PathBuf,
}

#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    /// Open while a batch is being written.
    open: Mutex<Option<File>>,
}

impl FileSink {
    #[must_use]
    pub fn new(config: &FileConfig) -> Self {
        Self { path: config.path.clone(), open: Mutex::new(None) }
    }

    fn failed(&self, doing: &str, error: &io::Error) -> DeliveryError {
        DeliveryError::retry(format!("cannot {doing} {}: {}", self.path.display(), error.kind()))
    }
}

#[async_trait]
impl Sink for FileSink {
    async fn deliver(&self, event: &Event) -> Result<(), DeliveryError> {
        let mut open = self.open.lock().await;
        // Taken out, so that after a failed write the file is opened and repaired anew.
        let mut file = match open.take() {
            Some(file) => file,
            None => append_to(&self.path).await.map_err(|error| self.failed("open", &error))?,
        };
        let line = format!("{}\n", event.body);
        let written = async {
            file.write_all(line.as_bytes()).await?;
            file.flush().await
        };
        written.await.map_err(|error| self.failed("write to", &error))?;
        *open = Some(file);
        Ok(())
    }

    async fn settle(&self) -> Result<(), DeliveryError> {
        match self.open.lock().await.take() {
            Some(file) => file.sync_all().await.map_err(|error| self.failed("sync", &error)),
            None => Ok(()),
        }
    }
}

async fn append_to(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(path).await?;
    if ends_within_a_line(&mut file).await? {
        file.write_all(b"\n").await?;
    }
    Ok(file)
}

async fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0)).await? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1)).await?;
    Ok(file.read_u8().await? != b'\n')
}
