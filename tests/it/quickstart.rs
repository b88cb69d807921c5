//! The quick starts as a reader would follow them: the files that they show are written, and every
//! command of ours and every request to the agent is run, in order, in one folder, against the
//! simulator. Where the simulator is not at the vendor's address, that is put into the file.
//!
//! Commands of others (aws, docker, helm, kubectl) are known by name and left out; a command that
//! is neither fails the test.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use headcount_simulator::github::{Hub, HubServer, ORGANIZATION};
use headcount_simulator::kubernetes::{Cluster, ClusterServer};
use headcount_simulator::saas::{Okta, SaasServer};
use headcount_simulator::{Clock, EXTERNAL_ID, Organization, Simulator, Size, github, kubernetes};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::support::pem;
use crate::support::running::get;
use crate::support::tools::{self, CHECKERS, HELMS};

const OF_OTHERS: [&str; 6] = ["aws", "docker", "helm", "kubectl", "export", "#"];

/// Somebody who reads a page and does what it says.
struct Reader {
    home: TempDir,
    env: Vec<(&'static str, String)>,
    /// What is put into files in place of what.
    instead: Vec<(&'static str, String)>,
    agent: Option<(Child, String)>,
    ran: u32,
}

impl Reader {
    fn new(instead: Vec<(&'static str, String)>) -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { home, env: Vec::new(), instead, agent: None, ran: 0 }
    }

    async fn follow(&mut self, page: &str) {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
        for (number, block) in text.split("\n```").enumerate() {
            // Every second part is inside of fences.
            if number % 2 == 0 {
                continue;
            }
            let (language, body) = block.split_once('\n').unwrap();
            match language {
                "yaml" => self.write(body),
                "sh" => self.run(page, body).await,
                _ => {}
            }
        }
    }

    /// A file whose first line is its name.
    fn write(&self, body: &str) {
        let Some(name) = body.lines().next().and_then(|line| line.strip_prefix("# ")) else {
            return;
        };
        let mut text = body.to_owned();
        for (what, with) in &self.instead {
            text = text.replace(what, with);
        }
        if text.contains("\nsources:") {
            // The port of the documentation may be taken.
            text.push_str("\nserver: { listen: \"127.0.0.1:0\" }\n");
        }
        fs::write(self.home.path().join(name), text).unwrap();
    }

    async fn run(&mut self, page: &str, body: &str) {
        for line in body.replace("\\\n", " ").lines().filter(|line| !line.is_empty()) {
            let program = line.split(' ').next().unwrap();
            if let Some(arguments) = line.strip_prefix("headcount run ") {
                self.start(arguments).await;
            } else if let Some(url) = line.strip_prefix("curl http://127.0.0.1:9464") {
                let (_, address) = self.agent.as_ref().unwrap();
                let answer = get(address, url).await;
                assert!(answer.starts_with("HTTP/1.1 200"), "{page}: {line}: {answer}");
            } else if ["headcount", "mv"].contains(&program) {
                let output = self.command("sh").args(["-c", line]).output().await.unwrap();
                assert!(output.status.success(), "{page}: {line}: {}", tools::text(&output));
            } else {
                assert!(OF_OTHERS.contains(&program), "{page}: {line}: what is `{program}`?");
                continue;
            }
            self.ran += 1;
        }
    }

    fn command(&self, program: &str) -> Command {
        let folder = Path::new(env!("CARGO_BIN_EXE_headcount")).parent().unwrap();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
            .env("HOME", self.home.path())
            .envs(self.env.iter().cloned())
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Starts the agent and waits until it says where it listens.
    async fn start(&mut self, arguments: &str) {
        let mut command = self.command(env!("CARGO_BIN_EXE_headcount"));
        let command = command.arg("run").args(arguments.split(' ')).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut logs = BufReader::new(child.stderr.take().unwrap()).lines();
        while let Some(line) = logs.next_line().await.unwrap() {
            let entry: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            if let Some(address) = entry["listen"].as_str() {
                let address = address.to_owned();
                // Reads on, because a full pipe would stop the agent.
                tokio::spawn(async move { while let Ok(Some(_)) = logs.next_line().await {} });
                self.agent = Some((child, address));
                return;
            }
        }
        panic!("`headcount run {arguments}` did not start");
    }

    async fn stop(&mut self) {
        if let Some((mut agent, _)) = self.agent.take() {
            agent.kill().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quick_start_of_aws_and_the_pages_of_operations_work_as_written() {
    let organization = Organization::seeded(11, Size::default());
    let simulator = Simulator::start(organization).await.unwrap();
    let mut reader = Reader::new(vec![("7f3a1c9e", EXTERNAL_ID.to_owned())]);
    reader.env = vec![
        ("AWS_ENDPOINT_URL", simulator.url()),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "not-a-secret".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    reader.follow("docs/quickstart-aws.md").await;
    reader.stop().await;
    assert!(reader.ran >= 14, "{}", reader.ran);
    reader.follow("docs/operations.md").await;
    assert!(reader.ran >= 18, "{}", reader.ran);
    let mut restore = CHECKERS.python().script("manifests.py");
    restore.arg(reader.home.path().join("restore.yaml")).arg("1.33");
    assert_eq!(tools::output(&mut restore).trim(), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quick_start_of_github_works_as_written() {
    let server = HubServer::start(Hub::seeded(5, github::Size::small())).await.unwrap();
    let app = server.read(|hub| hub.reader(ORGANIZATION).unwrap().app_id);
    let organizations = format!("    base_url: {}\n    organizations: [acme]", server.url());
    let mut reader = Reader::new(vec![
        ("app_id: 123456", format!("app_id: {app}")),
        ("    organizations: [acme]", organizations),
    ]);
    fs::write(reader.home.path().join("github-app.pem"), pem::key()).unwrap();
    reader.follow("docs/quickstart-github.md").await;
    assert!(reader.ran >= 7, "{}", reader.ran);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quick_start_of_kubernetes_works_as_written() {
    let cluster = Cluster::seeded(5, kubernetes::Size::default());
    let server = ClusterServer::start(cluster).await.unwrap();
    let mut reader = Reader::new(Vec::new());
    fs::write(reader.home.path().join("staging.kubeconfig"), server.kubeconfig()).unwrap();
    reader.follow("docs/quickstart-kubernetes.md").await;
    assert!(reader.ran >= 5, "{}", reader.ran);

    // The values that the page shows are values of the chart.
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/helm/headcount");
    for helm in HELMS {
        let mut render = helm.command();
        render.args(["template", "headcount"]).arg(&chart).arg("--values");
        let rendered = tools::output(render.arg(reader.home.path().join("values.yaml")));
        assert!(rendered.contains("secretName: headcount-webhook"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quick_start_of_saas_works_as_written() {
    let clock = Clock::at("2026-03-10T12:00:00Z".parse().unwrap());
    let server = SaasServer::start(Okta::seeded(&clock).unwrap()).await.unwrap();
    let url = server.url();
    let described = format!("    base_url: {url}\n    description: okta");
    let mut reader = Reader::new(vec![("    description: okta", described)]);
    fs::write(reader.home.path().join("okta-token"), Okta::TOKEN).unwrap();
    reader.follow("docs/quickstart-saas.md").await;
    assert!(reader.ran >= 11, "{}", reader.ran);
}
