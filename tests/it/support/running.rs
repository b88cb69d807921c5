//! `headcount run` from outside: its logs, its HTTP face, its end.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr};

use super::agent::Agent;

/// Far more than anything here takes; only a hang gets here.
const PATIENCE: Duration = Duration::from_secs(120);

/// An agent that runs until it is told to stop or dropped.
pub struct Running {
    pub child: Child,
    logs: Lines<BufReader<ChildStderr>>,
}

impl Running {
    pub fn start(agent: &Agent) -> Self {
        let config = agent.config_path();
        let mut child = agent
            .command(&["run", "--config", &config])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let logs = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, logs }
    }

    /// The first log line with this message, as JSON: nothing here is a terminal.
    pub async fn log(&mut self, message: &str) -> Value {
        let found = async {
            while let Some(line) = self.logs.next_line().await.unwrap() {
                let entry: Value = serde_json::from_str(&line).unwrap();
                if entry["message"] == message {
                    return entry;
                }
            }
            panic!("the agent ended without saying: {message}");
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap()
    }
}

/// Tells a process to end, as an orchestrator does.
pub fn terminate(pid: u32) {
    kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGTERM).unwrap();
}

pub async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Posts a body with these headers; gives the status and the answer.
pub async fn post(
    address: &str,
    path: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> (u16, String) {
    let mut request = reqwest::Client::new().post(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let answer = request.body(body.to_vec()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}
