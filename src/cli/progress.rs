//! A progress bar on stderr, for people only: a pipe or a log collector gets nothing.

use std::io::IsTerminal as _;

use headcount_sdk::Scope;
use indicatif::{ProgressBar, ProgressStyle};

use crate::scan::{Progress, ScopeReport};

/// Shows how many scopes of a source are read.
pub struct Bar(ProgressBar);

impl Bar {
    /// Hidden unless stderr is a terminal.
    #[must_use]
    pub fn on_stderr(source: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar =
            ProgressBar::new_spinner().with_message("signing in").with_prefix(source.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {prefix}  {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        Self(bar)
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn planned(&self, scopes: &[Scope]) {
        self.0.set_length(scopes.len() as u64);
        let template = "{spinner:.cyan} {prefix}  [{bar:24.cyan/blue}] {pos}/{len}  {msg:.dim}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style.progress_chars("━━─"));
        }
    }

    fn started(&self, scope: &Scope) {
        self.0.set_message(scope.to_string());
    }

    fn finished(&self, _report: &ScopeReport) {
        self.0.inc(1);
    }
}
