//! A cluster under the real agent: its watches make findings within seconds, and losing sight of it
//! makes none but that.

use std::time::Duration;

use headcount_simulator::kubernetes::{
    Cluster, ClusterServer, Ending, Object, Resource, RoleRef, Rule, Size, Subject,
};
use serde_json::{Value, json};

use crate::support::agent::Agent;
use crate::support::receiver::{Received, Receiver};
use crate::support::running::Running;

/// Far more than an event takes; only a hang gets here.
const PATIENCE: Duration = Duration::from_secs(60);

async fn watched(receiver: &Receiver) -> (ClusterServer, Agent, Running) {
    let server = ClusterServer::start(Cluster::seeded(5, Size::default())).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let kubeconfig = home.path().join("kubeconfig");
    std::fs::write(&kubeconfig, server.kubeconfig()).unwrap();
    let source = json!({
        "name": "cluster",
        "connector": "kubernetes",
        "kubeconfig": kubeconfig,
        // Once a year: what is found is found by the watches.
        "schedule": "0 0 1 1 *",
    });
    let agent = Agent::reading(home, &[source], Some(receiver));
    let mut running = Running::start(&agent);
    let scanned = running.log("scan finished").await;
    assert_eq!(scanned["complete"], true, "{scanned}");
    server.until_watched(Resource::ServiceAccounts, 1).await;
    (server, agent, running)
}

async fn told(receiver: &Receiver, rule: &str, about: &str) {
    let is_it =
        |event: &Received| event.rule() == Some(rule) && event.event.to_string().contains(about);
    receiver.until(PATIENCE, |events| events.iter().any(is_it)).await;
}

#[tokio::test]
async fn what_happens_in_a_cluster_is_a_signed_finding_without_another_scan() {
    let receiver = Receiver::start().await;
    let (server, agent, _running) = watched(&receiver).await;

    server.change().create(Object::service_account("default", "made-now")).unwrap();
    told(&receiver, "new-identity", "default/made-now").await;

    let admin = RoleRef::cluster_role("cluster-admin");
    let subject = Subject::account("default", "made-now");
    let binding = Object::cluster_role_binding("all-powers", admin, &[subject]);
    server.change().create(binding).unwrap();
    told(&receiver, "admin-identity", "default/made-now").await;

    // The name comes back as somebody else and finds the binding waiting.
    server.change().recreate(Resource::ServiceAccounts, "default", "made-now").unwrap();
    told(&receiver, "resurrected-identity", "default/made-now").await;

    let records = agent.inventory(&["made-now", "--kind", "service-account"]).await;
    assert_eq!(records.len(), 1, "one account of that name, and it is the new one: {records:?}");
}

#[tokio::test]
async fn a_right_that_is_lost_while_watching_is_a_finding_and_takes_nothing_away() {
    let receiver = Receiver::start().await;
    let (server, agent, _running) = watched(&receiver).await;
    let before = agent.inventory(&["--kind", "service-account"]).await.len();
    assert!(before > 10, "{before}");
    {
        let mut cluster = server.change();
        cluster.deny("*", "serviceaccounts");
        cluster.end_watches(Resource::ServiceAccounts, Ending::Denied);
    }
    told(&receiver, "coverage-lost", "serviceaccounts").await;
    assert_eq!(
        agent.inventory(&["--kind", "service-account"]).await.len(),
        before,
        "what cannot be seen is still there"
    );
}

/// The rules of a ClusterRole as `headcount permissions` prints it.
fn rules(role: &Value) -> Vec<Rule> {
    let texts = |rule: &Value, field: &str| -> Vec<String> {
        let texts = rule[field].as_array().into_iter().flatten();
        texts.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let rules = role["rules"].as_array().unwrap().iter();
    let rule = |rule: &Value| {
        let [groups, resources, verbs, urls, names] =
            ["apiGroups", "resources", "verbs", "nonResourceURLs", "resourceNames"]
                .map(|field| texts(rule, field));
        let [groups, resources, verbs, urls] = [&groups, &resources, &verbs, &urls]
            .map(|texts| texts.iter().map(String::as_str).collect::<Vec<_>>());
        let limited = Rule::new(&groups, &resources, &verbs);
        let limited = names.iter().fold(limited, |limited, name| limited.named(name));
        if urls.is_empty() { limited } else { Rule::on_urls(&urls, &verbs) }
    };
    rules.map(rule).collect()
}

#[tokio::test]
async fn the_agents_own_account_is_a_finding_with_the_opt_in_and_none_without() {
    for (flag, is_reported) in [(None, false), (Some("--secret-metadata"), true)] {
        let mut cluster = Cluster::empty(5);
        cluster.create(Object::new_namespace("headcount")).unwrap();
        cluster.create(Object::service_account("headcount", "agent")).unwrap();
        let server = ClusterServer::start(cluster).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let kubeconfig = home.path().join("kubeconfig");
        std::fs::write(&kubeconfig, server.kubeconfig()).unwrap();
        let source = json!({
            "name": "cluster",
            "connector": "kubernetes",
            "kubeconfig": kubeconfig,
            "secret_metadata": is_reported,
        });
        let agent = Agent::reading(home, &[source], None);
        let mut printed = agent.command(&["permissions", "kubernetes"]);
        let printed = printed.args(flag).output().await.unwrap();
        let role: Value = serde_json::from_slice(&printed.stdout).unwrap();
        {
            let mut cluster = server.change();
            cluster.create(Object::cluster_role("headcount", &rules(&role))).unwrap();
            let account = Subject::account("headcount", "agent");
            let role = RoleRef::cluster_role("headcount");
            cluster.create(Object::cluster_role_binding("headcount", role, &[account])).unwrap();
        }
        agent.scan().await;
        let findings = agent.findings().await;
        let of_agent = findings.iter().filter(|f| f.to_string().contains("headcount/agent"));
        let reported = of_agent.filter(|f| f["rule"] == "admin-identity").count();
        assert_eq!(reported > 0, is_reported, "{findings:#?}");
    }
}
