//! A Kubernetes cluster: how soon an event is a signed webhook, and what a large cluster costs.

use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use headcount_simulator::kubernetes::{Cluster, ClusterServer, Object, PodTemplate};
use standardwebhooks::Webhook;
use tokio::sync::mpsc;

use crate::agent::Agent;
use crate::measure;

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// Accounts of the cluster in which latency is measured.
const ACCOUNTS: usize = 10_000;
/// Accounts made one after the other, each timed until its finding arrived.
const EVENTS: usize = 300;

/// A large cluster.
const MANY_ACCOUNTS: usize = 100_000;
const MANY_PODS: usize = 50_000;

const PATIENCE: Duration = Duration::from_secs(120);

/// Accounts spread over namespaces, and pods that run as some of them.
fn cluster(accounts: usize, pods: usize) -> Cluster {
    let mut cluster = Cluster::empty(7);
    for number in 0..accounts.div_ceil(100) {
        cluster.create(Object::new_namespace(&format!("team-{number}"))).unwrap();
    }
    for number in 0..accounts {
        let namespace = format!("team-{}", number / 100);
        let account = Object::service_account(&namespace, &format!("svc-{number}"));
        cluster.create(account.label("app.kubernetes.io/name", "svc")).unwrap();
    }
    for number in 0..pods {
        let account = number % accounts.max(1);
        let template = PodTemplate::running_as(&format!("svc-{account}"));
        let namespace = format!("team-{}", account / 100);
        cluster.create(Object::pod(&namespace, &format!("pod-{number}"), template)).unwrap();
    }
    cluster
}

fn configure(directory: &Path, server: &ClusterServer, listen: &str, hook: Option<&str>) -> String {
    let kubeconfig = directory.join("kubeconfig");
    std::fs::write(&kubeconfig, server.kubeconfig()).unwrap();
    let secret = directory.join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let sinks = hook.map(|url| {
        serde_json::json!([{
            "name": "hook", "type": "webhook", "url": url,
            "secrets": [format!("file:{}", secret.display())],
            "allow_cidrs": ["127.0.0.0/8"],
        }])
    });
    let config = serde_json::json!({
        "data_dir": directory.join("data"),
        "server": {"listen": listen},
        "sources": [{"name": "cluster", "connector": "kubernetes", "kubeconfig": kubeconfig}],
        "sinks": sinks.unwrap_or_else(|| serde_json::json!([])),
    });
    let path = directory.join("headcount.yaml");
    std::fs::write(&path, config.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Takes signed findings and passes on when the finding on each new account arrived.
async fn receiver() -> (String, mpsc::UnboundedReceiver<(String, Instant)>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (arrived, arrivals) = mpsc::unbounded_channel();
    let receive = move |headers: HeaderMap, body: Bytes| async move {
        let now = Instant::now();
        Webhook::new(SECRET).unwrap().verify(&body, &headers).unwrap();
        let event: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let finding = &event["data"]["finding_info"];
        if finding["analytic"]["uid"] == "new-identity" {
            arrived.send((event["data"]["message"].as_str().unwrap().to_owned(), now)).unwrap();
        }
        StatusCode::NO_CONTENT
    };
    let routes = Router::new().route("/", post(receive));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (url, arrivals)
}

async fn latency() {
    let server = ClusterServer::start(cluster(ACCOUNTS, 0)).await.unwrap();
    let (hook, mut arrivals) = receiver().await;
    let directory = tempfile::tempdir().unwrap();
    let address = crate::agent::free_address();
    let config = configure(directory.path(), &server, &address, Some(&hook));
    let agent = Agent::start(&config, &address);
    agent.wait_for("/metrics", "headcount_scans_total{");
    let mut latencies = Vec::with_capacity(EVENTS);
    for number in 0..EVENTS {
        let name = format!("latency-{number}");
        let made = Instant::now();
        server.change().create(Object::service_account("team-0", &name)).unwrap();
        let arrival = async {
            loop {
                let (title, at) = arrivals.recv().await.unwrap();
                if title.contains(&format!("{name} ")) {
                    return at;
                }
            }
        };
        let at = tokio::time::timeout(PATIENCE, arrival).await.unwrap();
        latencies.push(at - made);
    }
    latencies.sort_unstable();
    let percentile = |percent: usize| {
        let rank = (latencies.len() * percent).div_ceil(100).saturating_sub(1);
        format!("{} ms", latencies[rank].as_millis())
    };
    let what = format!("service account made → webhook, {ACCOUNTS} accounts");
    measure::line(&format!("{what}, p50"), &percentile(50));
    measure::line(&format!("{what}, p99"), &percentile(99));
    drop(agent);
    server.stop().await;
}

async fn memory() {
    let server = ClusterServer::start(cluster(MANY_ACCOUNTS, MANY_PODS)).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let config = configure(directory.path(), &server, "127.0.0.1:0", None);
    let arguments = ["scan", "--config", &config, "--format", "ndjson"];
    let what = format!("cluster of {MANY_ACCOUNTS} accounts, {MANY_PODS} pods, scan");
    for turn in ["first", "unchanged"] {
        let used = tokio::task::block_in_place(|| {
            measure::measured(crate::agent::PROGRAM, &arguments, &[])
        });
        measure::print(&format!("{what}, {turn}"), used);
    }
    let address = crate::agent::free_address();
    let config = configure(directory.path(), &server, &address, None);
    let agent = Agent::start(&config, &address);
    agent.wait_for("/metrics", "headcount_scans_total{");
    let mib = format!("{:.0} MiB", agent.peak_mib());
    measure::line("the same, agent with its watches, peak memory", &mib);
    drop(agent);
    server.stop().await;
}

pub fn figures() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(latency());
    runtime.block_on(memory());
}
