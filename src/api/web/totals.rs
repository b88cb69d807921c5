//! The sums that every page shows, asked of the store no more than once in [`LASTS`], however many
//! people look: each of them reads an index of the whole inventory.

use std::collections::BTreeMap;
use std::sync::Arc;

use headcount_core::findings::Severity;
use headcount_core::inventory::ScopeState;
use tokio::sync::Mutex;
use tokio::time::{Duration, Instant};

use crate::store::{RecordCount, Result, Store};

const LASTS: Duration = Duration::from_secs(2);

/// Everything that is counted.
#[derive(Debug)]
pub struct Sums {
    pub records: Vec<RecordCount>,
    /// Open findings by (rule, severity, source).
    pub open: BTreeMap<(String, Severity, String), u64>,
    pub scopes: Vec<ScopeState>,
}

#[derive(Debug, Default)]
pub struct Totals(Mutex<Option<(Instant, Arc<Sums>)>>);

impl Totals {
    /// Whoever comes while they are being read waits for the same answer.
    pub async fn of(&self, store: &dyn Store) -> Result<Arc<Sums>> {
        let mut kept = self.0.lock().await;
        if let Some((at, sums)) = kept.as_ref()
            && at.elapsed() < LASTS
        {
            return Ok(Arc::clone(sums));
        }
        let sums = Arc::new(Sums {
            records: store.count_records().await?,
            open: store.count_open_findings().await?,
            scopes: store.scope_states(None).await?,
        });
        *kept = Some((Instant::now(), Arc::clone(&sums)));
        Ok(sums)
    }

    /// Whoever changed something sees what it changed.
    pub async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

impl Sums {
    /// Scopes whose last reading leaves something unseen, or in which a field could not be read.
    #[must_use]
    pub fn gaps(&self) -> usize {
        self.scopes.iter().filter(|s| s.coverage.is_short() || !s.degradations.is_empty()).count()
    }
}
