//! A program that the agent starts, and that says what it sees.
//!
//! It runs once per scan, when the scopes are asked for; what it wrote is kept, deflated, until
//! each scope is observed. The second reading that the brake asks for runs it again, and so does a
//! scan of one scope alone. Only one of a source's programs runs at a time.

use std::collections::BTreeMap;

use async_trait::async_trait;
use headcount_sdk::contract::{Probe, ProbeOutcome};
use headcount_sdk::{Complete, Connector, Manifest, Pass, Recorder, ScanContext, ScanError, Scope};
use tokio::sync::Mutex;

use self::config::Plan;
pub use self::config::{Config, ConfigError};
pub use self::manifest::MANIFEST;
use self::process::Ended;
use crate::spool::{Batch, Ending, Limits, Spooler};

mod config;
mod manifest;
mod process;

/// The operation of everything that concerns the program as a whole.
pub(crate) const RUN: &str = "run";

/// Runs that are kept: the present scan's, and the brake's second.
const RUNS: usize = 2;

/// Reads what a program says.
#[derive(Debug)]
pub struct ExecConnector {
    config: Config,
    runs: Mutex<Vec<Run>>,
}

/// What one run said.
#[derive(Debug)]
struct Run {
    scan: String,
    pass: Pass,
    said: Result<BTreeMap<Scope, Batch>, ScanError>,
}

impl ExecConnector {
    /// A connector for a configured source. Nothing is started yet.
    ///
    /// # Errors
    ///
    /// When the settings cannot work.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { config, runs: Mutex::new(Vec::new()) })
    }

    /// What the scan's run said, running the program if it has not been.
    async fn run_of<T>(
        &self,
        cx: &ScanContext,
        ask: impl FnOnce(&mut Run) -> T + Send,
    ) -> Result<T, ScanError> {
        let mut runs = self.runs.lock().await;
        let of_this = |run: &Run| run.scan == cx.scan && run.pass == cx.pass;
        let at = match runs.iter().position(of_this) {
            Some(at) => at,
            None => {
                let said = self.run(cx).await;
                if runs.len() >= RUNS {
                    runs.remove(0);
                }
                runs.push(Run { scan: cx.scan.clone(), pass: cx.pass, said });
                runs.len() - 1
            }
        };
        let lost = || failed("what the program said is not kept any more");
        runs.get_mut(at).map(ask).ok_or_else(lost)
    }

    async fn run(&self, cx: &ScanContext) -> Result<BTreeMap<Scope, Batch>, ScanError> {
        let plan = Plan::of(&self.config).map_err(|error| failed(&error.to_string()))?;
        let limits = Limits { line_bytes: self.config.line_bytes(), ..Limits::default() };
        let spooler = Spooler::new(limits, cx.now);
        let (spooler, ended) = process::run(&plan, &cx.source, spooler).await;
        judge(spooler, &ended)
    }
}

/// What a run that ended like this proves, scope by scope.
fn judge(mut spooler: Spooler, ended: &Ended) -> Result<BTreeMap<Scope, Batch>, ScanError> {
    let has_begun = spooler.scan().is_some();
    if !ended.is_well() {
        // It was interrupted in the middle of a word: how it ended says more.
        spooler.forget_partial();
    }
    spooler.end();
    let problem = spooler.problems().first().cloned();
    if let Some(refused) = &problem {
        tracing::warn!(at = refused.path(), "the program's output was refused from there on");
    }
    let mut batches = spooler.finish().batches;
    let error = match &problem {
        // It had not begun to speak: how it ended says more than what is missing.
        Some(_) if !has_begun && !ended.is_well() && !ended.is_refused() => ended.error(),
        Some(refused) => refused.error(),
        None => ended.error(),
    };
    for batch in batches.values_mut().filter(|batch| batch.ending == Ending::Open) {
        batch.ending = Ending::Failed { error: error.clone() };
    }
    if batches.is_empty() && !(ended.is_well() && problem.is_none()) {
        return Err(error);
    }
    Ok(batches)
}

fn failed(reason: &str) -> ScanError {
    ScanError::Unavailable { operation: RUN.to_owned(), reason: reason.to_owned() }
}

#[async_trait]
impl Connector for ExecConnector {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    async fn scopes(&self, cx: &ScanContext) -> Result<Vec<Scope>, ScanError> {
        let named = |run: &mut Run| match &run.said {
            Ok(batches) => Ok(batches.keys().cloned().collect()),
            Err(error) => Err(error.clone()),
        };
        self.run_of(cx, named).await?
    }

    async fn observe(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        // Taken out, so that it is not held longer than it is needed.
        let take = |run: &mut Run| match &mut run.said {
            Ok(batches) => Ok(batches.remove(scope)),
            Err(error) => Err(error.clone()),
        };
        let batch = self.run_of(cx, take).await??;
        let batch = batch.ok_or_else(|| failed("the program did not speak of this scope"))?;
        batch.record(&mut recorder, RUN, cx.now).await?;
        match batch.ending {
            Ending::Complete { as_of, .. } => {
                if let Some(at) = as_of {
                    recorder.as_of(at);
                }
                Ok(recorder.complete())
            }
            Ending::Failed { error } => Err(error),
            Ending::Open => Err(failed("the program said nothing of this scope's end")),
        }
    }

    /// Everything that can be known without starting the program, which may take its time.
    async fn check(&self, cx: &ScanContext) -> Vec<Probe> {
        let probe = |operation: &str, outcome| Probe {
            place: cx.source.clone(),
            operation: operation.to_owned(),
            permission: String::new(),
            outcome,
        };
        let plan = match Plan::of(&self.config) {
            Ok(plan) => plan,
            Err(error) => {
                let error = failed(&error.to_string());
                return vec![probe(RUN, ProbeOutcome::Failed(error))];
            }
        };
        let outcome = match plan.startable() {
            Ok(()) => ProbeOutcome::Granted,
            Err(error) => ProbeOutcome::Failed(failed(&error.to_string())),
        };
        let later = "a scan starts it; try it alone with `PROGRAM | headcount sources validate`";
        vec![probe(RUN, outcome), probe("lines", ProbeOutcome::NotTried(later.to_owned()))]
    }
}

#[cfg(test)]
mod tests;
