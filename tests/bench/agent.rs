//! The release binary against the simulated organisation: scans, start, idling, size.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use headcount_simulator::{AMBIENT_KEY, NOT_A_SECRET, Organization, Simulator, Size};

use crate::measure::{self, Server};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_headcount");
const CUSTOMER_POLICIES: usize = 50;
/// How long an agent is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(120);

/// Serves one account until it is killed.
pub fn simulate(users: &str, roles: &str) {
    let size = Size::account(users.parse().unwrap(), roles.parse().unwrap(), CUSTOMER_POLICIES);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let simulator = Simulator::start(Organization::seeded(7, size)).await.unwrap();
        println!("{}", simulator.url());
        std::future::pending::<()>().await;
    });
}

fn configure(directory: &Path, endpoint: &str, listen: &str) -> String {
    let path = directory.join("headcount.yaml");
    let data = directory.join("data");
    let text = format!(
        "data_dir: {}\nserver: {{listen: \"{listen}\"}}\nsources:\n  - name: aws\n    connector: aws\n    \
         endpoint_url: {endpoint}\n    region: us-east-1\n",
        data.display()
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Credentials that only the simulator takes.
const ENVIRONMENT: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", AMBIENT_KEY),
    ("AWS_SECRET_ACCESS_KEY", NOT_A_SECRET),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

fn scans(users: u32, roles: u32) {
    let server = Server::start(&["simulate", &users.to_string(), &roles.to_string()]);
    let directory = tempfile::tempdir().unwrap();
    let config = configure(directory.path(), &server.url, "127.0.0.1:0");
    let arguments = ["scan", "--config", &config, "--format", "ndjson"];
    let what = format!("AWS scan of {users} users and {roles} roles");
    measure::print(&format!("{what}, first"), measure::measured(PROGRAM, &arguments, &ENVIRONMENT));
    measure::print(
        &format!("{what}, unchanged"),
        measure::measured(PROGRAM, &arguments, &ENVIRONMENT),
    );
}

/// An agent that runs until it is dropped.
pub struct Agent {
    child: Child,
    address: String,
}

impl Agent {
    pub fn start(config: &str, address: &str) -> Self {
        let mut command = Command::new(PROGRAM);
        command.envs(ENVIRONMENT).args(["run", "--config", config, "--log-level", "error"]);
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        Self { child, address: address.to_owned() }
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Asks until the answer contains `text`.
    pub fn wait_for(&self, path: &str, text: &str) -> Duration {
        let start = Instant::now();
        while !self.get(path).is_some_and(|answer| answer.contains(text)) {
            assert!(start.elapsed() < PATIENCE, "{path} never said {text}");
            std::thread::sleep(Duration::from_millis(2));
        }
        start.elapsed()
    }

    fn resident_mib(&self) -> f64 {
        self.mib("VmRSS:")
    }

    /// The most memory it had so far.
    pub fn peak_mib(&self) -> f64 {
        self.mib("VmHWM:")
    }

    fn mib(&self, field: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|l| l.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

pub fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn running() {
    // Users, their keys and grants, roles and theirs: about 10,000 records.
    let server = Server::start(&["simulate", "2000", "2000"]);
    let directory = tempfile::tempdir().unwrap();
    let address = free_address();
    let config = configure(directory.path(), &server.url, &address);
    let started = Instant::now();
    let agent = Agent::start(&config, &address);
    agent.wait_for("/readyz", "200 OK");
    measure::line(
        "agent start to ready",
        &format!("{:.0} ms", started.elapsed().as_secs_f64() * 1e3),
    );
    agent.wait_for("/metrics", "headcount_scans_total{");
    let metrics = agent.get("/metrics").unwrap();
    let records: f64 = metrics
        .lines()
        .filter(|l| l.starts_with("headcount_records{"))
        .map(|l| l.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    std::thread::sleep(IDLE);
    measure::line(
        &format!("idle agent after its first scan, {records} records"),
        &format!("{:.0} MiB", agent.resident_mib()),
    );
    drop(agent);
    let again = Agent::start(&config, &address);
    again.wait_for("/metrics", "headcount_scans_total{");
    std::thread::sleep(IDLE);
    measure::line(
        &format!("idle agent after a restart, {records} records"),
        &format!("{:.0} MiB", again.resident_mib()),
    );
}

pub fn figures() {
    scans(2_000, 1_000);
    scans(20_000, 10_000);
    running();
    let bytes = std::fs::metadata(PROGRAM).unwrap().len();
    let mib = f64::from(u32::try_from(bytes / 1024).unwrap()) / 1024.0;
    measure::line("release binary", &format!("{mib:.1} MiB"));
}
