//! Hands what one reading found to the ledger: block by block, and last of all how it ended.
//!
//! The scope's state is written with the last block. A process that is killed before leaves records
//! and their findings without a claim that the scope was read, and the next scan goes on from there.

use headcount_core::reconcile::{Disappeared, Found};
use headcount_sdk::{RecordId, Scope};

use super::pile::{self, Block, Pile};
use super::{Engine, Run};
use crate::scan::ledger::{Ending, Place};
use crate::scan::{EngineError, ScopeReport};

/// What a reading found.
pub(super) struct Finds {
    pub(super) found: Found,
    /// What is not in `found` any more, because there was too much.
    pub(super) pile: Pile,
}

impl Engine {
    pub(super) async fn commit(
        &self,
        run: &Run<'_>,
        scope: &Scope,
        finds: Finds,
        mut ending: Ending<'_>,
    ) -> Result<ScopeReport, EngineError> {
        let Finds { mut found, pile } = finds;
        let mut last = pile::rest(&mut found);
        let (mut appeared, mut changed, mut transitions) = (0, 0, 0);
        for block in pile.blocks() {
            let mut block = block?;
            let _committing = self.committing.lock().await;
            self.heed_hints(run, scope, &mut block, &mut Vec::new());
            let place = self.place(run);
            let done = self.ledger.commit_block(place, scope, block, &ending).await?;
            appeared += done.appeared;
            changed += done.changed;
            transitions += done.transitions;
            if self.cancel.is_cancelled() {
                return Err(EngineError::Interrupted);
            }
        }

        // What a hint has read again must not change between the look and the commit.
        let _committing = self.committing.lock().await;
        let mut nothing = Vec::new();
        self.heed_hints(run, scope, &mut last, ending.gone_mut().unwrap_or(&mut nothing));
        let done = self.ledger.commit_reading(self.place(run), scope, last, ending).await?;
        Ok(ScopeReport {
            scope: scope.clone(),
            coverage: done.state.coverage,
            records: done.state.records,
            appeared: appeared + done.counts.appeared,
            changed: changed + done.counts.changed,
            disappeared: done.disappeared,
            degraded: done
                .state
                .degradations
                .iter()
                .map(|d| format!("{}: {}", d.field, d.error))
                .collect(),
            transitions: transitions + done.counts.transitions,
        })
    }

    fn place<'a>(&self, run: &'a Run<'_>) -> Place<'a> {
        Place {
            source: &run.source.name,
            scan: &run.scan,
            now: self.clock.now(),
            is_baseline: run.is_baseline,
        }
    }

    /// Notes what a hint has had read again, or leaves it out of what an older scan says.
    fn heed_hints(
        &self,
        run: &Run<'_>,
        scope: &Scope,
        block: &mut Block,
        gone: &mut Vec<Disappeared>,
    ) {
        let (source, place) = (&run.source.name, &scope.place);
        if run.is_hinted {
            let touched = block.changed.iter().map(|o| &o.id);
            let touched = touched.chain(gone.iter().map(Disappeared::record)).cloned();
            self.younger.add(source, place, touched);
            return;
        }
        let younger = self.younger.of(source, place);
        let is_older = |id: &RecordId| !younger.contains(id);
        block.changed.retain(|o| is_older(&o.id));
        block.used.retain(|o| is_older(&o.id));
        gone.retain(|gone| is_older(gone.record()));
    }
}
