//! Alerts, dashboards and the metrics that they look at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use headcount_simulator::{Organization, Simulator, Size};
use serde_json::{Value, json};

use super::chart::{manifests, of_kind, render, root};
use crate::support::agent::Agent;
use crate::support::receiver::Receiver;
use crate::support::running::{Running, get};
use crate::support::tools::{self, HELMS};

/// Far more than anything here takes; only what is never there gets here.
const PATIENCE: Duration = Duration::from_secs(60);

/// The rules as the chart renders them with its own values, in a file as Prometheus reads it.
fn groups() -> Value {
    let rendered = render(HELMS[1], "default", &["prometheusRule.enabled=true"]);
    of_kind(&manifests(&rendered), "PrometheusRule")[0]["spec"].clone()
}

fn rules(groups: &Value) -> Vec<Value> {
    let groups = groups["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

/// Every expression of the dashboards, with Grafana's variables filled in.
fn shown() -> Vec<String> {
    let mut expressions = Vec::new();
    for entry in fs::read_dir(root().join("deploy/helm/headcount/dashboards")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            assert!(!panel["description"].as_str().unwrap().is_empty(), "{}", panel["title"]);
            for target in panel["targets"].as_array().unwrap() {
                let expression = target["expr"].as_str().unwrap();
                expressions.push(expression.replace("$namespace", ".*").replace("$source", ".*"));
            }
        }
    }
    expressions
}

/// Names of our metrics in an expression.
fn named(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("headcount_")).map(str::to_owned).collect()
}

#[test]
fn alerts_fire_when_they_should_and_not_before() {
    let home = tempfile::tempdir().unwrap();
    let groups = groups();
    let path = home.path().join("rules.json");
    fs::write(&path, groups.to_string()).unwrap();
    let tests = fs::read_to_string(root().join("tests/it/deploy/alerts.yaml")).unwrap();
    let tests = tests.replace("RULES", path.to_str().unwrap());
    let cases: Value = serde_saphyr::from_str(&tests).unwrap();
    let file = home.path().join("tests.yaml");
    fs::write(&file, &tests).unwrap();
    tools::output(tools::promtool().args(["check", "rules"]).arg(&path));
    tools::output(tools::promtool().args(["test", "rules"]).arg(&file));

    // Each alert was seen to fire and seen to be silent.
    let mut seen: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for case in cases["tests"].as_array().unwrap() {
        for check in case["alert_rule_test"].as_array().unwrap() {
            let fired = check["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
            seen.entry(check["alertname"].as_str().unwrap().to_owned()).or_default().insert(fired);
        }
    }
    for rule in rules(&groups) {
        let alert = rule["alert"].as_str().unwrap();
        assert_eq!(seen.get(alert).map(BTreeSet::len), Some(2), "{alert} is not tested both ways");
    }
}

#[test]
fn every_alert_has_a_runbook() {
    let operations = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    for rule in rules(&groups()) {
        let alert = rule["alert"].as_str().unwrap();
        assert!(operations.contains(&format!("\n### {alert}\n")), "no runbook for {alert}");
        let link = format!("docs/operations.md#{}", alert.to_lowercase());
        let says = rule["annotations"]["description"].as_str().unwrap();
        assert!(says.ends_with(&link), "{alert}: {says}");
    }
}

#[test]
fn dashboards_ask_what_prometheus_understands() {
    let shown = shown();
    let rules: Vec<Value> = shown
        .iter()
        .enumerate()
        .map(
            |(number, expression)| json!({"record": format!("panel:{number}"), "expr": expression}),
        )
        .collect();
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("panels.json");
    let file = json!({"groups": [{"name": "panels", "rules": rules}]});
    fs::write(&path, file.to_string()).unwrap();
    let said = tools::output(tools::promtool().args(["check", "rules"]).arg(&path));
    assert!(said.contains(&format!("{} rules found", shown.len())), "{said}");
}

#[tokio::test]
async fn a_running_agent_shows_every_metric_that_is_asked_for_and_each_is_sound() {
    let organization = Organization::seeded(3, Size::account(6, 6, 2));
    let simulator = Simulator::start(organization).await.unwrap();
    let receiver = Receiver::start().await;
    let agent = Agent::new(&simulator.url(), Some(&receiver));
    let mut running = Running::start(&agent);
    let address = running.log("headcount is running").await["listen"].as_str().unwrap().to_owned();
    running.log("scan finished").await;

    let alerts = rules(&groups());
    let alerts = alerts.iter().map(|rule| rule["expr"].as_str().unwrap().to_owned());
    let mut asked: BTreeSet<String> = alerts.chain(shown()).flat_map(|text| named(&text)).collect();
    assert!(asked.len() > 10, "{asked:?}");
    // These begin with the first event of a source.
    for later in ["hints", "hint_refreshes", "feed_ends"] {
        assert!(asked.remove(&format!("headcount_{later}_total")));
    }
    // What is counted is counted a moment after it is logged, and a delivery comes after the scan.
    let page = tokio::time::timeout(PATIENCE, async {
        loop {
            let answer = get(&address, "/metrics").await;
            let (head, page) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains("text/plain; version=0.0.4"), "{head}");
            let missing: Vec<&String> =
                asked.iter().filter(|name| !page.contains(&format!("\n{name}{{"))).collect();
            if missing.is_empty() {
                return page.to_owned();
            }
            eprintln!("not among the agent's metrics yet: {missing:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let page = page.await.expect("metrics are missing that alerts or dashboards ask for");

    let mut promtool = tools::promtool();
    let mut lint = promtool.args(["check", "metrics"]).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut lint.stdin.take().unwrap(), page.as_bytes()).unwrap();
    assert!(lint.wait().unwrap().success(), "promtool does not like\n{page}");
}
