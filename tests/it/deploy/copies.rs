//! `headcount backup` and `headcount restore` as an operator uses them: a copy while the agent runs,
//! a disk that is lost, and an agent that goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use headcount_simulator::{Organization, Simulator, Size};
use serde_json::{Value, json};

use crate::support::agent::Agent;
use crate::support::receiver::{Received, Receiver};
use crate::support::running::Running;

async fn simulator() -> Simulator {
    Simulator::start(Organization::seeded(9, Size::account(8, 8, 2))).await.unwrap()
}

/// Something that is news.
fn someone_makes(simulator: &Simulator, name: &str) {
    let mut organization = simulator.change();
    let account = organization.management().to_owned();
    organization.create_user(&account, name).unwrap();
    organization.create_access_key(&account, name).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn home(agent: &Agent) -> std::path::PathBuf {
    Path::new(&agent.config_path()).parent().unwrap().to_owned()
}

fn numbers(events: &[Received]) -> Vec<u64> {
    let mut numbers: Vec<u64> = events.iter().map(Received::sequence).collect();
    numbers.sort_unstable();
    numbers
}

fn sorted(mut records: Vec<Value>) -> Vec<Value> {
    records.sort_by_key(ToString::to_string);
    records
}

#[tokio::test]
async fn a_copy_made_beside_the_running_agent_restores_everything_and_goes_on_with_its_numbers() {
    let (simulator, receiver) = (simulator().await, Receiver::start().await);
    let agent = Agent::new(&simulator.url(), Some(&receiver));
    let mut running = Running::start(&agent);
    running.log("scan finished").await;
    let said = agent.run(&["backup", "copy.db"]).await.ending(0);
    assert!(said.stdout.starts_with("wrote copy.db ("), "{}", said.stdout);
    running.child.kill().await.unwrap();
    let (records, findings) = (agent.inventory(&[]).await, agent.findings().await);
    assert!(!records.is_empty() && !findings.is_empty());
    let before = receiver.take();
    let last = before.iter().map(Received::sequence).max().unwrap();

    // What is made after the copy is in the old inventory only.
    someone_makes(&simulator, "svc-after-the-copy");
    agent.scan().await;
    let lost = receiver.take();
    assert_eq!(numbers(&lost)[0], last + 1);

    let folder = home(&agent);
    let copy = folder.join("copy.db");
    assert_eq!(mode(&copy), 0o600);
    fs::rename(folder.join("data"), folder.join("data.lost")).unwrap();
    agent.run(&["restore", "copy.db"]).await.ending(0);
    assert_eq!(mode(&folder.join("data")), 0o700);
    assert_eq!(mode(&folder.join("data/headcount.db")), 0o600);
    assert_eq!(sorted(agent.inventory(&[]).await), sorted(records));
    assert_eq!(sorted(agent.findings().await), sorted(findings));

    // The next scan finds it again, under the numbers that follow the copy and the ids it had.
    agent.scan().await;
    let again = receiver.take();
    assert_eq!(numbers(&again), numbers(&lost));
    let ids = |events: &[Received]| -> Vec<String> {
        let mut ids: Vec<String> = events.iter().map(|event| event.id.clone()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&again), ids(&lost), "whoever remembers ids sees nothing twice");
}

#[tokio::test]
async fn standard_output_gets_the_same_copy_and_nothing_stays_behind() {
    let simulator = simulator().await;
    let agent = Agent::new(&simulator.url(), None);
    agent.scan().await;
    let config = agent.config_path();
    let arguments = ["backup", "-", "--config", &config];
    let output = agent.command(&arguments).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.starts_with(b"SQLite format 3\0"));
    let left: Vec<_> = fs::read_dir(home(&agent).join("data"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("backup") || name.contains("partial"))
        .collect();
    assert!(left.is_empty(), "{left:?}");

    let other = Agent::new(&simulator.url(), None);
    let copy = home(&other).join("streamed.db");
    fs::write(&copy, &output.stdout).unwrap();
    other.run(&["restore", "streamed.db"]).await.ending(0);
    assert_eq!(sorted(other.inventory(&[]).await), sorted(agent.inventory(&[]).await));
}

#[tokio::test]
async fn a_restore_overwrites_nothing_and_takes_nothing_that_is_no_whole_copy() {
    let simulator = simulator().await;
    let agent = Agent::new(&simulator.url(), None);
    agent.run(&["backup", "early.db"]).await.ending(1);
    agent.scan().await;
    agent.run(&["backup", "copy.db"]).await.ending(0);
    let folder = home(&agent);
    let refused = async |arguments: &[&str], why: &str| {
        let outcome = agent.run(arguments).await.ending(1);
        assert!(outcome.stderr.contains(why), "{}", outcome.stderr);
    };
    refused(&["backup", "copy.db"], "it is there already").await;
    refused(&["restore", "copy.db"], "holds an inventory; move it away first").await;

    fs::rename(folder.join("data"), folder.join("old")).unwrap();
    fs::write(folder.join("empty.db"), "").unwrap();
    refused(&["restore", "empty.db"], "no copy of an inventory").await;
    fs::write(folder.join("text.db"), json!({"not": "a copy"}).to_string().repeat(100)).unwrap();
    refused(&["restore", "text.db"], "not a database").await;
    let whole = fs::read(folder.join("copy.db")).unwrap();
    fs::write(folder.join("cut.db"), &whole[..whole.len() / 2]).unwrap();
    refused(&["restore", "cut.db"], "malformed").await;
    let mut holed = whole.clone();
    let middle = whole.len() / 2 / 4096 * 4096;
    holed[middle..middle + 4096].fill(0);
    fs::write(folder.join("holed.db"), &holed).unwrap();
    refused(&["restore", "holed.db"], "damaged copy").await;
    assert!(!folder.join("data/headcount.db").exists());

    // A log of an inventory that is gone would be folded into the copy.
    fs::create_dir_all(folder.join("data")).unwrap();
    fs::copy(folder.join("copy.db"), folder.join("data/headcount.db-wal")).unwrap();
    refused(&["restore", "copy.db"], "move it away first").await;
    fs::remove_file(folder.join("data/headcount.db-wal")).unwrap();
    agent.run(&["restore", "copy.db"]).await.ending(0);
}
