//! The suite on a shell script that spoils its lines from the one on that it is told.

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use headcount_open::ExecConnector;
use headcount_sdk::Connector;
use headcount_sdk::testkit::{Bench, Fault, laws};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lines::{MARKED, begin, spoiled, undisturbed};

struct Program {
    home: TempDir,
    order: Mutex<Vec<Value>>,
}

impl Program {
    fn new() -> Self {
        let program = Self { home: tempfile::tempdir().unwrap(), order: Mutex::new(undisturbed()) };
        program.spoil(None);
        program
    }

    fn script(&self) -> std::path::PathBuf {
        self.home.path().join("script")
    }

    fn count(&self) -> std::path::PathBuf {
        self.home.path().join("count")
    }
}

/// One line of the script per line of the program.
fn script(lines: &[Value], fault: Option<(Fault, u64)>, count: &Path) -> String {
    let mut script = String::new();
    for (number, line) in (1..).zip(lines) {
        let text = match fault {
            Some((fault, from)) if number >= from => spoiled(line, fault),
            _ => Some(line.to_string()),
        };
        script.push_str(&format!("echo >> '{}'\n", count.display()));
        match text {
            Some(text) => script.push_str(&format!("echo '{text}'\n")),
            None => script.push_str("kill -9 $$\n"),
        }
    }
    script
}

#[async_trait]
impl Bench for Program {
    async fn connector(&self) -> Arc<dyn Connector> {
        let config = json!({"command": ["/bin/sh", self.script()]});
        let config = serde_json::from_value(config).unwrap();
        Arc::new(ExecConnector::new(config).unwrap())
    }

    fn now(&self) -> Timestamp {
        "2026-03-10T12:00:00Z".parse().unwrap()
    }

    fn spoil(&self, fault: Option<(Fault, u64)>) {
        let mut lines = vec![begin("bench")];
        lines.extend(self.order.lock().unwrap().iter().cloned());
        std::fs::write(self.script(), script(&lines, fault, &self.count())).unwrap();
        std::fs::write(self.count(), "").unwrap();
    }

    fn exchanges(&self) -> u64 {
        std::fs::read_to_string(self.count()).unwrap().lines().count() as u64
    }

    fn operations(&self) -> Vec<String> {
        vec!["run".to_owned()]
    }

    /// Scopes take turns after so many lines.
    fn page_size(&self, most: Option<usize>) {
        let whole = undisturbed();
        let (bots, keys): (Vec<Value>, Vec<Value>) =
            whole.into_iter().partition(|line| line["scope"]["kind"] == "bots");
        let most = most.unwrap_or(usize::MAX);
        let (mut bots, mut keys) = (bots.chunks(most), keys.chunks(most));
        let mut order = Vec::new();
        loop {
            let turn = [bots.next(), keys.next()];
            if turn.iter().all(Option::is_none) {
                break;
            }
            order.extend(turn.into_iter().flatten().flatten().cloned());
        }
        *self.order.lock().unwrap() = order;
        self.spoil(None);
    }

    fn secrets(&self) -> Vec<String> {
        [MARKED, "<html"].map(str::to_owned).into()
    }
}

#[tokio::test]
async fn an_undisturbed_scan_is_complete_and_declared() {
    laws::an_undisturbed_scan_is_complete_and_declared(&Program::new()).await;
}

#[tokio::test]
async fn scans_repeat_themselves() {
    laws::scans_repeat_themselves(&Program::new()).await;
}

#[tokio::test]
async fn page_sizes_change_nothing() {
    laws::page_sizes_change_nothing(&Program::new()).await;
}

#[tokio::test]
async fn no_fault_makes_a_record_disappear() {
    laws::no_fault_makes_a_record_disappear(&Program::new()).await;
}
