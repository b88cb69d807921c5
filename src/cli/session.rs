//! What a command works with: the configuration, the store, and one reading of the clock.

use std::path::Path;
use std::sync::Arc;

use headcount_core::inventory::Record;
use jiff::Timestamp;

use super::Globals;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::registry;
use crate::store::{RecordFilter, Store};
use crate::view::each_record;

pub struct Session {
    pub config: Config,
    pub store: Arc<dyn Store>,
    pub now: Timestamp,
}

impl Session {
    /// For commands that only ask. They also work while an agent runs.
    pub async fn to_read(globals: &Globals) -> anyhow::Result<Self> {
        let config = globals.load()?;
        if !is_there(&config.data_dir) {
            anyhow::bail!(
                "there is no inventory in {} yet; `headcount scan` makes one",
                config.data_dir.display()
            );
        }
        let store = registry::store_to_read(&config.data_dir).await?;
        Ok(Self { config, store, now: SystemClock.now() })
    }

    /// For commands that change the inventory or the queues.
    pub async fn to_write(globals: &Globals) -> anyhow::Result<Self> {
        let config = globals.load()?;
        let store = registry::store_to_write(&config.data_dir).await?;
        Ok(Self { config, store, now: SystemClock.now() })
    }

    /// For commands that make a small change, also while an agent runs.
    pub async fn to_note(globals: &Globals) -> anyhow::Result<Self> {
        let config = globals.load()?;
        let store = registry::store_to_note(&config.data_dir).await?;
        Ok(Self { config, store, now: SystemClock.now() })
    }

    /// Hands over every record that fits, page by page in id order.
    pub async fn each_record(
        &self,
        filter: &RecordFilter,
        with: impl FnMut(&Record) -> anyhow::Result<()> + Send,
    ) -> anyhow::Result<()> {
        each_record(&*self.store, filter, with).await
    }
}

fn is_there(dir: &Path) -> bool {
    dir.read_dir().is_ok_and(|mut entries| entries.next().is_some())
}
