//! Reads scopes of which somebody has brought news: what was pushed is committed while the sender
//! waits.
//!
//! The way is that of a scan, from the connector to the commit. What is not named is not read, and
//! nothing is said of it.

use headcount_sdk::{Priority, ScanError, Scope};

use super::{Engine, Run};
use crate::scan::{EngineError, ScanReport, Silent, Source};
use crate::store::SourceState;

impl Engine {
    /// Reads these scopes of a source now, and commits what they hold.
    ///
    /// # Errors
    ///
    /// When the store fails or the agent stops; what was committed until then stays.
    pub async fn take(&self, source: &Source, scopes: &[Scope]) -> Result<ScanReport, EngineError> {
        let started_at = self.clock.now();
        let state = self.begin(source, started_at).await?;
        let scan = self.scan_id(started_at);
        let is_baseline = state.baselined_at.is_none();
        let run = Run { source, scan, is_baseline, is_hinted: true, progress: &Silent };
        let mut report = ScanReport {
            source: source.name.clone(),
            scan: run.scan.clone(),
            started_at,
            finished_at: started_at,
            is_baseline,
            scopes: Vec::with_capacity(scopes.len()),
            unreachable: None,
            due: 0,
        };
        let cx = self.context(source, &run.scan, Priority::Hint);
        let taken = self.taken_places(source).await?;
        for scope in scopes {
            match taken.get(&scope.place) {
                None => report.scopes.push(self.read_scope(&run, &cx, scope).await?),
                Some(owner) => {
                    let error = taken_by(owner, &scope.place);
                    self.fail(&run, scope, &error, &mut report).await?;
                }
            }
        }
        report.due = self.judge_due(source).await?;
        report.finished_at = self.clock.now();
        self.end(&run, state, &report).await?;
        Ok(report)
    }

    /// Another scan of the source may have ended since this one began; what it has told is told.
    pub(super) async fn heed_other_scans(
        &self,
        state: &mut SourceState,
    ) -> Result<(), EngineError> {
        let states = self.store.source_states().await?;
        if let Some(stored) = states.into_iter().find(|stored| stored.name == state.name) {
            state.baselined_at = state.baselined_at.or(stored.baselined_at);
            state.last_summary_at = state.last_summary_at.max(stored.last_summary_at);
            state.last_complete_at = state.last_complete_at.max(stored.last_complete_at);
        }
        Ok(())
    }
}

/// Why a place that another source reads is not read.
pub(super) fn taken_by(owner: &str, place: &str) -> ScanError {
    let reason = format!("source {owner} reads {place} already");
    ScanError::Unavailable { operation: "scopes".to_owned(), reason }
}
