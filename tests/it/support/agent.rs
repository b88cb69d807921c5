//! The real binary, with a configuration and an environment that nobody else has touched.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::moto::Key;
use super::receiver::{Receiver, SECRET};

/// Far more than any command of a test takes; only a hang gets here.
const ENDS_WITHIN: Duration = Duration::from_secs(300);

/// Headcount as one person would set it up: a configuration file and a data directory.
pub struct Agent {
    home: TempDir,
    config: PathBuf,
    key: Key,
}

impl Agent {
    /// The account of its own key at `endpoint`, and a webhook when there is a receiver.
    pub fn new(endpoint: &str, receiver: Option<&Receiver>) -> Self {
        Self::counting(&json!("ambient"), endpoint, receiver)
    }

    /// These accounts, in the words of the configuration.
    pub fn counting(accounts: &Value, endpoint: &str, receiver: Option<&Receiver>) -> Self {
        let source = json!({
            "name": "aws",
            "connector": "aws",
            "endpoint_url": endpoint,
            "accounts": accounts,
        });
        Self::reading(tempfile::tempdir().unwrap(), &[source], receiver)
    }

    /// These sources, in the words of the configuration; `home` may hold what they refer to.
    pub fn reading(home: TempDir, sources: &[Value], receiver: Option<&Receiver>) -> Self {
        let sinks = receiver.map(|receiver| {
            json!([{
                "name": "hook",
                "type": "webhook",
                "url": receiver.url(),
                "secrets": ["env:HEADCOUNT_TEST_SECRET"],
                "allow_cidrs": ["127.0.0.0/8"],
            }])
        });
        let config = json!({
            "data_dir": home.path().join("data"),
            "sources": sources,
            "sinks": sinks.unwrap_or_else(|| json!([])),
            "server": {"listen": "127.0.0.1:0"},
        });
        let file = home.path().join("headcount.yaml");
        std::fs::write(&file, config.to_string()).unwrap();
        let key = Key {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "not-a-secret".to_owned(),
            token: None,
        };
        Self { home, config: file, key }
    }

    /// Signs with this key.
    pub fn with_key(mut self, key: Key) -> Self {
        self.key = key;
        self
    }

    /// Reads events from this queue, and acts on them after a second.
    pub fn with_events(self, queue_url: &str) -> Self {
        let text = std::fs::read_to_string(&self.config).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        config["sources"][0]["events"] = json!({"queue_url": queue_url, "settle_secs": 1});
        std::fs::write(&self.config, config.to_string()).unwrap();
        self
    }

    /// Sends findings to these sinks, in the words of the configuration.
    pub fn with_sinks(self, sinks: &Value) -> Self {
        let text = std::fs::read_to_string(&self.config).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        config["sinks"] = sinks.clone();
        std::fs::write(&self.config, config.to_string()).unwrap();
        self
    }

    /// With these settings under `server` as well.
    pub fn serving(self, settings: &Value) -> Self {
        let text = std::fs::read_to_string(&self.config).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        for (name, value) in settings.as_object().into_iter().flatten() {
            config["server"][name] = value.clone();
        }
        std::fs::write(&self.config, config.to_string()).unwrap();
        self
    }

    /// Where the configuration is.
    pub fn config_path(&self) -> String {
        self.config.to_str().unwrap().to_owned()
    }

    /// A command with the configuration behind it, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("AWS_ACCESS_KEY_ID", &self.key.id)
            .env("AWS_SECRET_ACCESS_KEY", &self.key.secret)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("HEADCOUNT_TEST_SECRET", SECRET)
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(token) = &self.key.token {
            command.env("AWS_SESSION_TOKEN", token);
        }
        command
    }

    /// Runs `headcount ARGUMENTS --config FILE` to its end.
    pub async fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_with(arguments, &[]).await
    }

    /// As [`Self::run`], with files that variables of the environment name.
    pub async fn run_with(&self, arguments: &[&str], files: &[(&str, &Path)]) -> Outcome {
        let config = self.config.to_str().unwrap();
        let arguments = [arguments, &["--config", config]].concat();
        let output = self.command(&arguments).envs(files.iter().copied()).output();
        let output = tokio::time::timeout(ENDS_WITHIN, output).await;
        let output = output.unwrap_or_else(|_| panic!("{arguments:?} did not end")).unwrap();
        Outcome::of(&arguments, &output)
    }

    /// Starts `headcount ARGUMENTS --config FILE`.
    pub fn spawn(&self, arguments: &[&str]) -> tokio::process::Child {
        let config = self.config.to_str().unwrap();
        self.command(&[arguments, &["--config", config]].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// A complete scan; gives its records.
    pub async fn scan(&self) -> Vec<Value> {
        self.run(&["scan", "--format", "ndjson"]).await.ending(0).lines()
    }

    /// A scan that could not read everything; gives its records.
    pub async fn scan_incomplete(&self) -> Vec<Value> {
        self.run(&["scan", "--format", "ndjson"]).await.ending(4).lines()
    }

    /// Records of the inventory, chosen as on the command line.
    pub async fn inventory(&self, chosen: &[&str]) -> Vec<Value> {
        let arguments = [&["inventory", "list"], chosen, &["--format", "ndjson"]].concat();
        self.run(&arguments).await.ending(0).lines()
    }

    pub async fn findings(&self) -> Vec<Value> {
        self.run(&["findings", "--format", "ndjson"]).await.ending(0).lines()
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Outcome {
    pub command: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    fn of(arguments: &[&str], output: &Output) -> Self {
        Self {
            command: arguments.join(" "),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// Panics with everything that was said when it ended otherwise.
    pub fn ending(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "headcount {}\nstdout:\n{}\nstderr:\n{}",
            self.command,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Standard output as one JSON value a line.
    pub fn lines(&self) -> Vec<Value> {
        let parse =
            |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        self.stdout.lines().map(parse).collect()
    }
}
