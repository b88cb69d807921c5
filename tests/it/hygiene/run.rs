//! `headcount run` with the finest logs, all of them kept.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Child;
use tokio::sync::watch;

use super::world::Search;
use crate::support::agent::Agent;
use crate::support::running::terminate;

/// Far more than anything here takes; only a hang gets here.
const PATIENCE: Duration = Duration::from_secs(240);

/// What the agent has said so far.
#[derive(Default)]
struct Said {
    text: String,
    address: Option<String>,
    scans: usize,
}

/// An agent that runs.
pub struct Run {
    child: Child,
    said: watch::Receiver<Said>,
    pub address: String,
}

impl Run {
    /// Comes back when each of so many sources was scanned.
    pub async fn start(agent: &Agent, sources: usize) -> Self {
        let config = agent.config_path();
        let mut child = agent
            .command(&["run", "--config", &config, "--log-level", "trace"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, mut said) = watch::channel(Said::default());
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        // Read as it comes: who is not read stops.
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                sender.send_modify(|said| said.hear(&line));
            }
        });
        let is_ready = |said: &Said| said.address.is_some() && said.scans >= sources;
        let ready = tokio::time::timeout(PATIENCE, said.wait_for(is_ready)).await;
        let address = ready.unwrap().unwrap().address.clone().unwrap();
        Self { child, said, address }
    }

    /// How often it has said this so far.
    pub fn count(&self, said: &str) -> usize {
        self.said.borrow().text.matches(said).count()
    }

    /// Stops the agent, and searches what it said.
    pub async fn end(mut self, search: &mut Search) {
        terminate(self.child.id().unwrap());
        let mut stdout = Vec::new();
        let all = self.child.stdout.take().unwrap().read_to_end(&mut stdout).await;
        all.unwrap();
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        assert_eq!(ended.code(), Some(0));
        // The sender goes when the last line is read.
        let _ = self.said.wait_for(|_| false).await;
        search.keep("run: log", self.said.borrow().text.as_bytes());
        search.keep("run: stdout", &stdout);
    }
}

impl Said {
    fn hear(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.scans += usize::from(line.contains("\"scan finished\""));
        if line.contains("\"headcount is running\"") {
            let line: Value = serde_json::from_str(line).unwrap();
            self.address = line["listen"].as_str().map(str::to_owned);
        }
    }
}
