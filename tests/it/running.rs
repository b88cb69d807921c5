//! `headcount run` as a cluster would run it: ready, scanning, delivering, stopping when told.

use std::time::Duration;

use headcount_simulator::{Organization, Simulator, Size};

use crate::support::agent::Agent;
use crate::support::receiver::Receiver;
use crate::support::running::{Running, get, terminate};

/// How long an orchestrator waits after SIGTERM before it kills; the agent promises 10 s.
const GRACE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_running_agent_scans_delivers_shows_metrics_and_stops_when_told() {
    let organization = Organization::seeded(3, Size::account(12, 12, 3));
    let simulator = Simulator::start(organization).await.unwrap();
    let receiver = Receiver::start().await;
    let agent = Agent::new(&simulator.url(), Some(&receiver));

    let mut running = Running::start(&agent);
    let address = running.log("headcount is running").await["listen"].as_str().unwrap().to_owned();
    assert!(get(&address, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(get(&address, "/readyz").await.starts_with("HTTP/1.1 200"));

    let scanned = running.log("scan finished").await;
    assert_eq!(scanned["complete"], true, "{scanned}");
    // The agent holds the data directory; whoever only asks is let in beside it.
    let findings = agent.findings().await;
    assert!(!findings.is_empty());
    let second = agent.run(&["scan"]).await.ending(1);
    assert!(second.stderr.contains("in use"), "{}", second.stderr);
    let replayed = agent.run(&["sinks", "replay", "hook"]).await.ending(0);
    assert_eq!(replayed.stdout, "0 dead letters queued again.\n");

    let metrics = get(&address, "/metrics").await;
    for name in [
        "headcount_scans_total{source=\"aws\",outcome=\"complete\"} 1",
        "headcount_records{source=\"aws\",class=\"identity\",kind=\"iam-role\",status=\"active\"} 12",
        "headcount_scan_complete{source=\"aws\"",
        "headcount_findings_open{rule=",
        "headcount_sink_queue_depth{sink=\"hook\"} ",
        "headcount_sink_up{sink=\"hook\"} 1",
    ] {
        assert!(metrics.contains(name), "{name} is missing in\n{metrics}");
    }

    terminate(running.child.id().unwrap());
    let ended = tokio::time::timeout(GRACE, running.child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
    let delivered = receiver.take();
    assert_eq!(delivered.len(), 1, "one summary of the baseline and nothing else");
    assert_eq!(delivered[0].kind(), "dev.headcount.scan.baseline.v1");
}
