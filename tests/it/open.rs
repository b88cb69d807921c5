//! The open door on the real binary: the programs of `config/examples` as sources, and what jobs push.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::agent::Agent;
use crate::support::running::{Running, get, post, terminate};

const TOKEN: &str = "EXAMPLE of a token for pushes";
const NEXT_TOKEN: &str = "EXAMPLE of the next token for pushes";
const WAY: &str = "/v1/observations/erp";

/// Far more than anything here takes; only a hang gets here.
const PATIENCE: Duration = Duration::from_secs(60);

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/open").join(name)
}

/// The tests' own: somewhere on it there is Python.
fn path() -> String {
    std::env::var("PATH").unwrap()
}

fn names(records: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = records.iter().map(|r| r["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn the_shell_example_counts_keys_and_loses_none_that_it_could_not_read() {
    let home = tempfile::tempdir().unwrap();
    let homes = home.path().join("homes");
    let file = |user: &str| homes.join(user).join(".ssh/authorized_keys");
    for (user, keys) in [
        ("ci", "ssh-ed25519 AAAAC3EXAMPLE1 ci \"nightly\" key\n# a comment\n"),
        (
            "ana",
            "from=\"10.0.0.1\",no-pty ssh-rsa AAAAB3EXAMPLE2 ana@example.com\nssh-rsa AAAAB3EXAMPLE3\n",
        ),
    ] {
        std::fs::create_dir_all(file(user).parent().unwrap()).unwrap();
        std::fs::write(file(user), keys).unwrap();
    }
    let source = json!({
        "name": "host",
        "connector": "exec",
        "command": [example("authorized-keys.sh")],
        "env": {"PATH": path(), "HOST": "build-1", "HOMES": homes},
    });
    let agent = Agent::reading(home, &[source], None);
    let records = agent.scan().await;
    assert_eq!(records.len(), 5, "{records:?}");
    assert!(names(&records).contains(&"ci \"nightly\" key"));
    let keys = agent.inventory(&["--kind", "ssh-key"]).await;
    assert_eq!(keys.len(), 3);

    std::fs::write(file("ana"), "ssh-rsa AAAAB3EXAMPLE3\n").unwrap();
    agent.scan().await;
    let kept = agent.inventory(&["--kind", "ssh-key"]).await;
    assert_eq!(kept.len(), 2, "a key that was taken out is gone: {kept:?}");

    // Not readable for anybody, also for root.
    std::fs::remove_file(file("ci")).unwrap();
    std::fs::create_dir(file("ci")).unwrap();
    agent.scan_incomplete().await;
    assert_eq!(agent.inventory(&["--kind", "ssh-key"]).await, kept);
}

const CSV: &str = "id,name,owner,created_at,last_used_at,disabled\n";

#[tokio::test]
async fn the_python_example_counts_an_export_and_a_cut_one_removes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let export = home.path().join("accounts.csv");
    let rows = "1,nightly,team-payments,2025-01-01T00:00:00Z,2026-02-01T00:00:00Z,no\n\
                2,old import,,2024-05-01T00:00:00Z,,yes\n";
    std::fs::write(&export, format!("{CSV}{rows}")).unwrap();
    let source = json!({
        "name": "erp",
        "connector": "exec",
        "command": [example("export.py"), export, "--place", "erp:prod"],
        "env": {"PATH": path()},
    });
    let agent = Agent::reading(home, &[source], None);
    let records = agent.scan().await;
    assert_eq!(names(&records), ["nightly", "old import"]);
    assert_eq!(records[0]["owner"]["ref"], "team-payments", "{}", records[0]);
    for broken in [format!("{CSV}1,nightly,te"), "id,name\n1,nightly\n".to_owned(), String::new()] {
        std::fs::write(&export, &broken).unwrap();
        agent.scan_incomplete().await;
        assert_eq!(agent.inventory(&[]).await.len(), 2, "after {broken:?}");
    }
    let checked = agent.run(&["check"]).await.ending(0);
    assert!(checked.stdout.contains("run"), "{}", checked.stdout);
}

#[tokio::test]
async fn an_agent_that_is_told_to_stop_leaves_no_program_behind() {
    let home = tempfile::tempdir().unwrap();
    let (script, pid) = (home.path().join("script"), home.path().join("pid"));
    std::fs::write(&script, "sleep 1000 & echo $! > pid; echo $TOKEN >&2; wait").unwrap();
    std::fs::write(home.path().join("token"), "EXAMPLE").unwrap();
    let source = json!({
        "name": "hangs",
        "connector": "exec",
        "command": ["/bin/sh", script],
        "working_dir": home.path(),
        "env": {"PATH": path()},
        "secrets": {"TOKEN": format!("file:{}", home.path().join("token").display())},
    });
    let agent = Agent::reading(home, &[source], None);
    let mut running = Running::start(&agent);
    let said = running.log("the program says").await;
    assert_eq!((said["source"].as_str(), said["said"].as_str()), (Some("hangs"), Some("EXAMPLE")));
    let pid = std::fs::read_to_string(pid).unwrap().trim().to_owned();
    terminate(running.child.id().unwrap());
    tokio::time::timeout(PATIENCE, running.child.wait()).await.unwrap().unwrap();
    let gone = async {
        while std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z"))
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the program is still there");
}

/// An agent to which a source called `erp` may be pushed.
struct Pushed {
    agent: Agent,
    running: Running,
    address: String,
}

impl Pushed {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let tokens: Vec<String> = [("old", TOKEN), ("next", NEXT_TOKEN)]
            .iter()
            .map(|(name, token)| {
                let file = home.path().join(name);
                std::fs::write(&file, token).unwrap();
                format!("file:{}", file.display())
            })
            .collect();
        let source = json!({
            "name": "erp",
            "connector": "push",
            "tokens": tokens,
            "schedule": "0 0 1 1 *",
        });
        let agent = Agent::reading(home, &[source], None);
        let (running, address) = Self::run(&agent).await;
        Self { agent, running, address }
    }

    async fn run(agent: &Agent) -> (Running, String) {
        let mut running = Running::start(agent);
        let said = running.log("headcount is running").await;
        let address = said["listen"].as_str().unwrap().to_owned();
        running.log("scan finished").await;
        (running, address)
    }

    async fn post(&self, token: &str, path: &str, body: &str) -> (u16, Value) {
        let authorization = ("authorization".to_owned(), format!("Bearer {token}"));
        let (status, text) = post(&self.address, path, &[authorization], body.as_bytes()).await;
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")))
    }

    /// Pushes these accounts; gives what is said of their scope.
    async fn push(&self, scan: &str, accounts: std::ops::Range<u32>, end: &str) -> Value {
        let (status, answer) = self.post(TOKEN, WAY, &body(scan, accounts, end)).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["scan"], scan);
        answer["scopes"][0].clone()
    }

    async fn count(&self) -> usize {
        self.agent.inventory(&[]).await.len()
    }

    async fn scans(&self) -> String {
        let metrics = get(&self.address, "/metrics").await;
        let scans = metrics.lines().filter(|line| line.starts_with("headcount_scans_total"));
        scans.collect::<Vec<_>>().join("\n")
    }
}

const COMPLETE: &str =
    "{\"type\":\"complete\",\"scope\":{\"place\":\"erp:prod\",\"kind\":\"accounts\"}}\n";

fn body(scan: &str, accounts: std::ops::Range<u32>, end: &str) -> String {
    let mut body = format!("{}\n", json!({"type": "begin", "schema": 1, "scan": scan}));
    for number in accounts {
        let line = json!({
            "type": "observation",
            "scope": {"place": "erp:prod", "kind": "accounts"},
            "observation": {
                "id": format!("erp:prod:account/{number}"),
                "class": "identity", "kind": "account", "name": format!("account {number}"),
            },
        });
        body.push_str(&format!("{line}\n"));
    }
    body + end
}

#[tokio::test]
async fn what_is_pushed_is_committed_before_the_answer_and_survives_the_agent() {
    let mut pushed = Pushed::start().await;
    let told = pushed.push("one", 0..12, COMPLETE).await;
    assert_eq!(
        (told["outcome"].as_str(), told["appeared"].as_u64()),
        (Some("committed"), Some(12))
    );
    assert_eq!(pushed.count().await, 12);

    // Without `complete` nothing disappears, and nothing is taken.
    let told = pushed.push("two", 5..20, "").await;
    assert_eq!(
        (told["outcome"].as_str(), told["records"].as_u64()),
        (Some("incomplete"), Some(12))
    );
    assert!(told["reason"].as_str().unwrap().contains("without `complete`"), "{told}");

    let told = pushed.push("three", 1..12, COMPLETE).await;
    assert_eq!(
        (told["outcome"].as_str(), told["disappeared"].as_u64()),
        (Some("committed"), Some(1))
    );
    assert_eq!(pushed.count().await, 11);

    // The same again: the same answer, and no scan.
    let scans = pushed.scans().await;
    assert_eq!(pushed.push("three", 1..12, COMPLETE).await, told);
    assert_eq!(pushed.scans().await, scans);
    let (status, problem) = pushed.post(TOKEN, WAY, &body("three", 1..13, COMPLETE)).await;
    assert_eq!((status, problem["status"].as_u64()), (422, Some(422)), "{problem}");

    // A new agent reads the last push again.
    pushed.running.child.kill().await.unwrap();
    let (running, address) = Pushed::run(&pushed.agent).await;
    (pushed.running, pushed.address) = (running, address);
    // It is counted a moment after it is logged.
    let counted = async { while !pushed.scans().await.contains("outcome=\"complete\"} 1") {} };
    tokio::time::timeout(PATIENCE, counted).await.expect("the last push was not read again");
    assert_eq!(pushed.push("three", 1..12, COMPLETE).await, told, "answers are remembered");
    assert_eq!(pushed.count().await, 11);
}

#[tokio::test]
async fn a_removal_beyond_the_brake_waits_for_another_push() {
    let pushed = Pushed::start().await;
    pushed.push("one", 0..12, COMPLETE).await;
    let held = pushed.push("two", 10..13, COMPLETE).await;
    assert_eq!(held["outcome"], "held", "{held}");
    assert_eq!(held["appeared"], 1, "what is new counts while the removal waits: {held}");
    assert_eq!(pushed.count().await, 13);
    assert_eq!(pushed.push("two", 10..13, COMPLETE).await, held, "the same push proves nothing");
    assert_eq!(pushed.count().await, 13);
    let told = pushed.push("three", 10..13, COMPLETE).await;
    assert_eq!(
        (told["outcome"].as_str(), told["disappeared"].as_u64()),
        (Some("committed"), Some(10))
    );
    assert_eq!(pushed.count().await, 3);
    let findings = pushed.agent.findings().await;
    assert!(findings.iter().any(|f| f["rule"] == "mass-disappearance"), "{findings:?}");
}

#[tokio::test]
async fn who_has_no_token_learns_nothing_and_what_is_wrong_changes_nothing() {
    let pushed = Pushed::start().await;
    pushed.push("one", 0..3, COMPLETE).await;
    let good = body("two", 0..1, COMPLETE);
    for (token, path, status) in [
        ("EXAMPLE of somebody else's token", WAY, 401),
        ("EXAMPLE of somebody else's token", "/v1/observations/nobody", 401),
        ("", WAY, 401),
        (TOKEN, "/v1/observations/nobody", 404),
    ] {
        let (told, problem) = pushed.post(token, path, &good).await;
        assert_eq!(
            (told, problem["status"].as_u64()),
            (status, Some(u64::from(status))),
            "{problem}"
        );
    }
    let secret = format!("gh{}{}", "p_", "EXAMPLE".repeat(6));
    let leaking = body("two", 0..1, COMPLETE).replace("account 0", &secret);
    let twice = format!("{}{COMPLETE}", body("two", 0..1, COMPLETE));
    let unknown = body("two", 0..1, COMPLETE).replace("\"name\"", "\"nam\"");
    for (body, status, line, at) in [
        (leaking, 400, Some(2), Some("observation.name")),
        (twice, 400, Some(4), Some("scope")),
        (unknown, 400, Some(2), Some("observation.name")),
        (good[..good.len() - 20].to_owned(), 400, Some(3), Some("")),
        ("hello".to_owned(), 400, Some(1), Some("")),
        (String::new(), 400, None, None),
        (format!("{good}{}", "x".repeat(1024 * 1024 + 1)), 413, Some(4), Some("")),
    ] {
        let (told, problem) = pushed.post(TOKEN, WAY, &body).await;
        assert_eq!(told, status, "{problem}");
        assert_eq!((problem["line"].as_u64(), problem["at"].as_str()), (line, at), "{problem}");
        assert!(!problem.to_string().contains(&secret), "{problem}");
    }
    assert_eq!(pushed.count().await, 3);
    assert_eq!(pushed.post(NEXT_TOKEN, WAY, &body("two", 0..4, COMPLETE)).await.0, 200);
    assert_eq!(pushed.count().await, 4);
}

/// The head of a push that promises so many bytes.
fn head(length: usize) -> String {
    format!(
        "POST {WAY} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\
         Authorization: Bearer {TOKEN}\r\nContent-Length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_body_that_is_cut_changes_nothing_and_two_at_once_do_not_overtake() {
    let pushed = Pushed::start().await;
    pushed.push("one", 0..3, COMPLETE).await;
    let whole = body("two", 0..2, COMPLETE);

    let mut slow = TcpStream::connect(&pushed.address).await.unwrap();
    slow.write_all(head(whole.len()).as_bytes()).await.unwrap();
    let (first, rest) = whole.split_at(100);
    slow.write_all(first.as_bytes()).await.unwrap();
    // Whether the first has arrived shows only in what the second is told.
    let mut statuses = Vec::new();
    let refused = async {
        loop {
            let (status, _) = pushed.post(TOKEN, WAY, &body("one", 0..3, COMPLETE)).await;
            statuses.push(status);
            if status == 409 {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
    assert!(statuses.iter().all(|status| matches!(status, 200 | 409)), "{statuses:?}");
    slow.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(pushed.count().await, 2);

    // Cut at the end of its last line: all that was promised and did not come.
    let mut cut = TcpStream::connect(&pushed.address).await.unwrap();
    let third = body("three", 0..1, COMPLETE);
    cut.write_all(head(third.len() + 100).as_bytes()).await.unwrap();
    cut.write_all(third.as_bytes()).await.unwrap();
    drop(cut);
    // The way is free again once the agent has noticed.
    let taken =
        async { while pushed.post(TOKEN, WAY, &body("four", 0..2, COMPLETE)).await.0 != 200 {} };
    tokio::time::timeout(PATIENCE, taken).await.unwrap();
    assert_eq!(pushed.count().await, 2, "nothing of the cut body counts");
}

#[tokio::test]
async fn the_python_example_can_be_pushed() {
    let pushed = Pushed::start().await;
    let home = tempfile::tempdir().unwrap();
    let export = home.path().join("accounts.csv");
    std::fs::write(&export, format!("{CSV}1,nightly,,2025-01-01T00:00:00Z,,no\n")).unwrap();
    let made = std::process::Command::new(example("export.py"))
        .args([export.to_str().unwrap(), "--place", "erp:prod", "--scan", "night-1"])
        .output()
        .unwrap();
    let lines = String::from_utf8(made.stdout).unwrap();
    let (status, answer) = pushed.post(TOKEN, WAY, &lines).await;
    assert_eq!((status, answer["scopes"][0]["appeared"].as_u64()), (200, Some(1)), "{answer}");
    assert_eq!(names(&pushed.agent.inventory(&[]).await), ["nightly"]);
}

fn headcount(arguments: &[&str], input: &str) -> Output {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_headcount"));
    command.args(arguments).env_clear().write_stdin(input).output().unwrap()
}

#[test]
fn lines_are_checked_without_an_agent_and_every_mistake_is_named() {
    let validate = ["sources", "validate"];
    let good = headcount(&validate, &body("one", 0..3, COMPLETE));
    let said = String::from_utf8(good.stdout).unwrap();
    assert_eq!(good.status.code(), Some(0), "{said}");
    assert!(said.contains("erp:prod/accounts") && said.contains("3 records"), "{said}");

    let open = headcount(&validate, &body("one", 0..3, ""));
    assert_eq!(open.status.code(), Some(4));

    let wrong =
        body("one", 0..3, COMPLETE).replace("account 1", "").replace("account/2", "account/0");
    let told = headcount(&["sources", "validate", "-"], &wrong);
    let said = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.status.code(), Some(2), "{said}");
    assert!(said.contains("line 3, observation.name"), "{said}");
    assert!(said.contains("line 4, observation.id"), "{said}");
}

#[test]
fn the_printed_schema_takes_what_the_examples_write() {
    let printed = headcount(&["sources", "schema", "--observations"], "");
    let schema: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for line in body("one", 0..2, COMPLETE).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(validator.is_valid(&line), "{line}");
    }
    assert!(!validator.is_valid(&json!({"type": "observation"})));
}
