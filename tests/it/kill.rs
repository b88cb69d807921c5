//! The agent is killed, again and again, wherever it happens to be. Nothing may come of it.
//!
//! `SIGKILL` leaves no time to tidy up, so what this holds is the one commit per scope, the
//! outbox inside it, and ids that are computed rather than drawn.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use headcount::clock::{Clock as _, SystemClock};
use headcount_simulator::{Holder, Organization, Simulator, Size};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

use crate::support::agent::Agent;
use crate::support::receiver::{Received, Receiver};

const KILLS: u32 = 100;
/// Kills that fall on the baseline, before anything changes.
const BASELINE_KILLS: u32 = 12;
/// AWS builds a credential report at most every four hours.
const NEW_REPORT: SignedDuration = SignedDuration::from_hours(5);
const SEED: u64 = 20_261_121;

/// Ids of what was made after the baseline and is there still.
type Living = BTreeSet<String>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_a_hundred_times_it_loses_no_finding_and_delivers_none_under_two_ids() {
    let organization = Organization::seeded(SEED, Size::account(40, 25, 6));
    // In the agent's past, so that nothing it reads lies in the future.
    let start = SystemClock.now() - SignedDuration::from_hours(24 * 60);
    organization.clock().set(start);
    let simulator = Simulator::start(organization).await.unwrap();
    let receiver = Receiver::start().await;
    // A receiver that answers at once would leave no time to be killed while it is asked.
    receiver.answer_after(Duration::from_millis(5));
    let agent = Agent::new(&simulator.url(), Some(&receiver));
    let mut dice = fastrand::Rng::with_seed(SEED);
    let mut received = Vec::new();

    let (baseline, span) = spans(&simulator).await;
    let mut kills = 0;
    while kills < BASELINE_KILLS {
        kills += u32::from(killed(&agent, baseline, &mut dice).await);
    }
    agent.scan().await;
    received.extend(receiver.take());
    summary_counts_everything(&agent.findings().await, &received);

    let mut living = Living::new();
    while kills < KILLS {
        change(&simulator, &mut living, &mut dice);
        kills += u32::from(killed(&agent, span, &mut dice).await);
        agent.findings().await;
        received.extend(receiver.take());
    }
    simulator.clock().advance(NEW_REPORT);
    agent.scan().await;
    received.extend(receiver.take());

    one_id_per_event(&received);
    no_holes(&received);
    legal_lives(&received);
    let open = agent.findings().await;
    all_delivered(&open, &received);
    nothing_unnoticed(&living, &received);
}

/// How long a first scan takes that nobody kills, and how long the next one does.
async fn spans(simulator: &Simulator) -> (Duration, Duration) {
    // Has the credential report built; waiting for that is no part of the spans.
    Agent::new(&simulator.url(), None).scan().await;
    let agent = Agent::new(&simulator.url(), None);
    let begun = Instant::now();
    agent.scan().await;
    let baseline = begun.elapsed();
    agent.scan().await;
    (baseline, begun.elapsed() - baseline)
}

/// Runs a scan and kills it somewhere between its first instant and its last. Whether it did.
async fn killed(agent: &Agent, span: Duration, dice: &mut fastrand::Rng) -> bool {
    let mut scan = agent.spawn(&["scan"]);
    // A little more than its span, because deliveries come on top.
    let delay = span.mul_f64(dice.f64() * 1.2);
    match tokio::time::timeout(delay, scan.wait()).await {
        Ok(ended) => {
            let code = ended.unwrap().code();
            assert_eq!(code, Some(0), "a scan that nobody killed failed");
            false
        }
        Err(_) => {
            // SIGKILL on Unix.
            scan.kill().await.unwrap();
            true
        }
    }
}

fn is_baseline(received: &Received) -> bool {
    received.kind() == "dev.headcount.scan.baseline.v1"
}

/// Something happens in the organisation.
fn change(simulator: &Simulator, living: &mut Living, dice: &mut fastrand::Rng) {
    // Most scans find the credential report of an earlier one, as they would in life; to wait for
    // a new one would fill their time with waiting.
    if dice.u8(..5) == 0 {
        simulator.clock().advance(NEW_REPORT);
    }
    let mut org = simulator.change();
    let account = org.management().to_owned();
    let number = dice.u32(..);
    match dice.u8(..6) {
        0 | 1 => {
            let name = format!("svc-{number}");
            let user = org.create_user(&account, &name).unwrap();
            living.insert(format!("aws:{account}:iam-user/{user}"));
            let key = org.create_access_key(&account, &name).unwrap();
            living.insert(format!("aws:{account}:access-key/{key}"));
        }
        2 => {
            let name = format!("job-{number}");
            let trust = headcount_simulator::Trust::service("lambda.amazonaws.com");
            let role = org.create_role(&account, &name, &trust).unwrap();
            living.insert(format!("aws:{account}:iam-role/{role}"));
            org.tag(&account, Holder::Role(&name), "owner", "team-jobs").unwrap();
        }
        3 => {
            let keys: Vec<String> =
                living.iter().filter(|id| id.contains("access-key")).cloned().collect();
            if let Some(id) = dice.choice(&keys) {
                org.delete_access_key(id.rsplit('/').next().unwrap()).unwrap();
                living.remove(id);
            }
        }
        4 => {
            // Machines only: a person is no identity to be announced.
            let users = org.account(&account).unwrap().users();
            let names: Vec<String> =
                users.keys().filter(|name| name.starts_with("svc-")).cloned().collect();
            let name = dice.choice(&names).unwrap();
            let old = &users[name];
            living.remove(&format!("aws:{account}:iam-user/{}", old.id));
            for key in &old.access_keys {
                living.remove(&format!("aws:{account}:access-key/{key}"));
            }
            let user = org.recreate_user(&account, name).unwrap();
            living.insert(format!("aws:{account}:iam-user/{user}"));
        }
        _ => {
            let roles: Vec<String> =
                org.account(&account).unwrap().roles().keys().cloned().collect();
            let name = dice.choice(&roles).unwrap();
            let level = if dice.bool() { "team-a" } else { "none" };
            org.tag(&account, Holder::Role(name), "Owner", level).unwrap();
        }
    }
}

/// A message that came twice is the same message, and no two messages share a number.
fn one_id_per_event(received: &[Received]) {
    let mut events: BTreeMap<&str, &Value> = BTreeMap::new();
    let mut numbers: BTreeMap<u64, &str> = BTreeMap::new();
    for one in received {
        let known = events.entry(&one.id).or_insert(&one.event);
        assert_eq!(*known, &one.event, "one id for two events");
        let id = numbers.entry(one.sequence()).or_insert(&one.id);
        assert_eq!(*id, one.id, "one number for two events");
    }
    assert_eq!(events.len(), numbers.len());
}

fn no_holes(received: &[Received]) {
    let numbers: BTreeSet<u64> = received.iter().map(Received::sequence).collect();
    let missing: Vec<u64> =
        (1..=*numbers.last().unwrap()).filter(|n| !numbers.contains(n)).collect();
    assert!(missing.is_empty(), "never delivered: {missing:?}");
}

/// In the order of their numbers, the events of a finding tell one life: no step twice.
fn legal_lives(received: &[Received]) {
    for (finding, events) in by_finding(received) {
        let mut before: Option<&Value> = None;
        for event in events.values() {
            let step = event["type"].as_str().unwrap();
            let after = before.map(|e| e["type"].as_str().unwrap());
            let is_legal = match step {
                "dev.headcount.finding.opened.v1" => after.is_none(),
                "dev.headcount.finding.resolved.v1" => after != Some(step),
                _ => before.is_none_or(|e| e["data"] != event["data"]),
            };
            assert!(is_legal, "{finding}: {step} after {after:?}");
            before = Some(event);
        }
    }
}

fn by_finding(received: &[Received]) -> BTreeMap<&str, BTreeMap<u64, &Value>> {
    let mut lives: BTreeMap<&str, BTreeMap<u64, &Value>> = BTreeMap::new();
    for one in received {
        if let Some(finding) = one.finding() {
            lives.entry(finding).or_default().insert(one.sequence(), &one.event);
        }
    }
    lives
}

/// The first scan may have been cut short at any point; its one summary leaves nothing out. What
/// a later scan's share of a rolling sweep found was delivered by itself.
fn summary_counts_everything(open: &[Value], received: &[Received]) {
    let summaries: BTreeMap<&str, &Value> = received
        .iter()
        .filter(|r| is_baseline(r))
        .map(|r| (r.id.as_str(), &r.event["data"]["findings"]))
        .collect();
    assert_eq!(summaries.len(), 1, "{summaries:?}");
    let told: BTreeMap<(&str, &str), u64> = summaries
        .values()
        .flat_map(|findings| findings.as_array().unwrap())
        .map(|of| (rule_and_severity(of), of["count"].as_u64().unwrap()))
        .collect();
    let lives = by_finding(received);
    let mut silent: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for finding in open.iter().filter(|f| !lives.contains_key(f["id"].as_str().unwrap())) {
        *silent.entry(rule_and_severity(finding)).or_default() += 1;
    }
    assert_eq!(told, silent);
}

fn rule_and_severity(of: &Value) -> (&str, &str) {
    (of["rule"].as_str().unwrap(), of["severity"].as_str().unwrap())
}

/// What is open now was delivered as open, unless it is older than a baseline's summary.
fn all_delivered(open: &[Value], received: &[Received]) {
    let time = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    let summaries = received.iter().filter(|r| is_baseline(r));
    let baseline = summaries.map(|r| time(&r.event["data"]["finished_at"])).max().unwrap();
    let lives = by_finding(received);
    let open_ids: BTreeSet<&str> = open.iter().map(|f| f["id"].as_str().unwrap()).collect();
    for finding in open {
        let id = finding["id"].as_str().unwrap();
        match lives.get(id).and_then(|life| life.last_key_value()) {
            Some((_, last)) => assert_ne!(last["data"]["status"], "Resolved", "{finding}"),
            None => assert!(time(&finding["opened_at"]) <= baseline, "never delivered: {finding}"),
        }
    }
    for (id, life) in lives {
        let (_, last) = life.last_key_value().unwrap();
        let is_open = last["data"]["status"] != "Resolved";
        assert_eq!(is_open, open_ids.contains(id), "{id} ended as {}", last["data"]["status"]);
    }
}

/// Whatever appeared after the baseline and is still there was announced.
fn nothing_unnoticed(living: &Living, received: &[Received]) {
    let announced: BTreeSet<&str> = received
        .iter()
        .filter(|r| {
            matches!(r.rule(), Some("new-identity" | "new-credential" | "resurrected-identity"))
        })
        .map(Received::subject)
        .collect();
    let missed: Vec<&String> =
        living.iter().filter(|id| !announced.contains(id.as_str())).collect();
    assert!(missed.is_empty(), "made after the baseline and never announced: {missed:?}");
}
