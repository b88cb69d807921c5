//! Standard output, for a pipe into something that people already run.
//!
//! One CloudEvent a line. It counts as delivered when it was written.
//!
//! # Set it up
//!
//! ```yaml
//! sinks:
//!   - name: pipe
//!     type: stdout
//! ```

use std::io::Write as _;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{DeliveryError, Sink};
use crate::store::Event;

/// Standard output, one line of JSON per event.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StdoutSink")]
pub struct StdoutConfig {}

#[derive(Debug)]
pub struct Stdout;

#[async_trait]
impl Sink for Stdout {
    async fn deliver(&self, event: &Event) -> Result<(), DeliveryError> {
        let line = format!("{}\n", event.body);
        // A pipe that nobody reads blocks; the runtime must not.
        let written = tokio::task::spawn_blocking(move || {
            let mut out = std::io::stdout().lock();
            out.write_all(line.as_bytes()).and_then(|()| out.flush())
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(DeliveryError::retry(format!("stdout: {}", error.kind()))),
            Err(_) => Err(DeliveryError::retry("stdout: the writer stopped")),
        }
    }
}
