//! Programs that do what programs do: end early, hang, babble, leave others behind.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::sync::Arc;
use std::time::Duration;

use headcount_sdk::contract::Memo;
use headcount_sdk::{MemoryCache, Observation, Priority};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

const BEGIN: &str = r#"echo '{"type":"begin","schema":1,"scan":"s"}'"#;

/// A line that says that a key of this scope was seen.
fn seen(kind: &str, key: &str) -> String {
    let line = json!({"type": "observation", "scope": {"place": "lab:1", "kind": kind}, "observation": {
        "id": format!("lab:1:key/{key}"), "class": "credential", "kind": "key", "name": key}});
    format!("echo '{line}'")
}

fn complete(kind: &str) -> String {
    let line = json!({"type": "complete", "scope": {"place": "lab:1", "kind": kind}});
    format!("echo '{line}'")
}

/// A shell script as a source.
struct Lab {
    home: TempDir,
    connector: ExecConnector,
}

impl Lab {
    fn of(lines: &[&str]) -> Self {
        Self::with(lines, &json!({}))
    }

    fn with(lines: &[&str], more: &Value) -> Self {
        let home = tempfile::tempdir().unwrap();
        let script = home.path().join("script");
        std::fs::write(&script, lines.join("\n")).unwrap();
        let mut config = json!({
            "command": ["/bin/sh", script],
            "env": {"PATH": "/usr/bin:/bin"},
            "working_dir": home.path(),
            "deadline_secs": 60,
        });
        for (name, value) in more.as_object().unwrap() {
            config[name] = value.clone();
        }
        let config: Config = serde_json::from_value(config).unwrap();
        Self { home, connector: ExecConnector::new(config).unwrap() }
    }

    fn cx(scan: &str, pass: Pass) -> ScanContext {
        ScanContext {
            scan: scan.to_owned(),
            source: "lab".to_owned(),
            now: "2026-03-10T12:00:00Z".parse().unwrap(),
            priority: Priority::Scan,
            pass,
            cache: Arc::new(MemoryCache::default()),
            memo: Memo::default(),
        }
    }

    async fn scopes(&self) -> Result<Vec<String>, ScanError> {
        let scopes = self.connector.scopes(&Self::cx("one", Pass::First)).await?;
        Ok(scopes.into_iter().map(|scope| scope.kind).collect())
    }

    /// Names seen in a scope, and how that ended.
    async fn read(&self, kind: &str) -> (Vec<String>, Result<Complete, ScanError>) {
        self.read_in(&Self::cx("one", Pass::First), kind).await
    }

    async fn read_in(
        &self,
        cx: &ScanContext,
        kind: &str,
    ) -> (Vec<String>, Result<Complete, ScanError>) {
        let mut names = Vec::new();
        let mut sink = |observation: Observation| names.push(observation.name);
        let scope = Scope::new("lab:1", kind);
        let recorder = Recorder::new(scope.clone(), &mut sink);
        let outcome = self.connector.observe(cx, &scope, recorder).await;
        (names, outcome)
    }

    /// How often the script wrote a line to this file.
    fn count(&self, file: &str) -> usize {
        let path = self.home.path().join(file);
        std::fs::read_to_string(path).unwrap_or_default().lines().count()
    }

    fn pid(&self) -> String {
        std::fs::read_to_string(self.home.path().join("pid")).unwrap().trim().to_owned()
    }
}

/// Waits until a process is gone or only waits to be reaped; panics if it stays.
async fn ends(pid: &str) {
    let gone = async {
        loop {
            let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let state = status.rsplit(") ").next().and_then(|rest| rest.chars().next());
            if matches!(state, None | Some('Z' | 'X')) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.expect("the process is still there");
}

fn reason(outcome: Result<Complete, ScanError>) -> String {
    outcome.expect_err("it is not complete").to_string()
}

#[tokio::test]
async fn a_program_is_read_scope_by_scope_and_runs_once_a_scan() {
    let (a, b) = (seen("a", "1"), seen("b", "2"));
    let lab = Lab::of(&["echo run >> runs", BEGIN, &a, &b, &complete("a"), &complete("b")]);
    assert_eq!(lab.scopes().await.unwrap(), ["a", "b"]);
    let (names, outcome) = lab.read("a").await;
    assert_eq!((names, outcome.unwrap().recorded()), (vec!["1".to_owned()], 1));
    assert_eq!(lab.read("b").await.0, ["2"]);
    assert_eq!(lab.count("runs"), 1);
}

#[tokio::test]
async fn the_second_reading_of_the_brake_runs_the_program_again() {
    let lab = Lab::of(&["echo run >> runs", BEGIN, &complete("a"), &complete("b")]);
    lab.scopes().await.unwrap();
    lab.read("a").await.1.unwrap();
    let again = Lab::cx("one", Pass::Confirming);
    lab.read_in(&again, "a").await.1.unwrap();
    lab.read_in(&again, "b").await.1.unwrap();
    assert_eq!(lab.count("runs"), 2);
    lab.read_in(&Lab::cx("two", Pass::First), "a").await.1.unwrap();
    assert_eq!(lab.count("runs"), 3, "a scan of one scope alone runs it as well");
}

#[tokio::test]
async fn what_was_complete_stands_when_the_program_fails_later() {
    let open = seen("b", "2");
    let lab = Lab::of(&[BEGIN, &complete("a"), &open, "exit 3"]);
    assert_eq!(lab.scopes().await.unwrap(), ["a", "b"]);
    lab.read("a").await.1.unwrap();
    let (names, outcome) = lab.read("b").await;
    assert_eq!(names, ["2"], "what was seen was seen");
    assert!(reason(outcome).contains("exit code 3"));
}

#[tokio::test]
async fn without_complete_nothing_is_complete_however_well_the_program_ends() {
    let lab = Lab::of(&[BEGIN, &seen("a", "1")]);
    lab.scopes().await.unwrap();
    assert!(reason(lab.read("a").await.1).contains("without `complete`"));
    assert!(reason(lab.read("never-named").await.1).contains("did not speak"));
}

#[tokio::test]
async fn a_program_that_says_nothing_says_why() {
    let rows = [
        (vec!["exit 7"], "exit code 7"),
        (vec!["kill -9 $$"], "signal"),
        (vec![":"], "unexpected shape"),
        (vec!["echo Loading"], "unexpected shape at line 1"),
    ];
    for (lines, said) in rows {
        let error = Lab::of(&lines).scopes().await.unwrap_err().to_string();
        assert!(error.contains(said), "{lines:?}: {error}");
    }
    let missing = Lab::with(&[], &json!({"command": ["/nowhere/program"]}));
    let error = missing.scopes().await.unwrap_err().to_string();
    assert!(error.contains("could not be started"), "{error}");
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_all_that_it_started() {
    let lines = [BEGIN, &complete("a"), &seen("b", "1"), "sleep 1000 & echo $! > pid", "wait"];
    let lab = Lab::with(&lines, &json!({"deadline_secs": 1}));
    assert_eq!(lab.scopes().await.unwrap(), ["a", "b"]);
    lab.read("a").await.1.unwrap();
    assert!(reason(lab.read("b").await.1).contains("not done after 1 seconds"));
    ends(&lab.pid()).await;
}

#[tokio::test]
async fn what_a_program_leaves_behind_is_ended_and_holds_nothing_up() {
    let lines = [BEGIN, &complete("a"), &seen("b", "1"), "sleep 1000 & echo $! > pid", "exit 4"];
    let lab = Lab::of(&lines);
    lab.scopes().await.unwrap();
    lab.read("a").await.1.unwrap();
    let told = reason(lab.read("b").await.1);
    assert!(told.contains("exit code 4"), "its output has an end: {told}");
    ends(&lab.pid()).await;
}

#[tokio::test]
async fn a_scan_that_is_given_up_leaves_no_program_behind() {
    let lab = Lab::of(&["sleep 1000 & echo $! > pid", "wait"]);
    {
        let scan = lab.scopes();
        tokio::pin!(scan);
        let started = async {
            while std::fs::read_to_string(lab.home.path().join("pid"))
                .unwrap_or_default()
                .is_empty()
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = &mut scan => panic!("it hangs"),
            () = started => {}
        }
    }
    ends(&lab.pid()).await;
}

#[tokio::test]
async fn a_program_that_babbles_is_stopped_at_the_line() {
    let lines = [BEGIN, &complete("a"), &seen("b", "1"), "echo done!", "sleep 1000"];
    let lab = Lab::of(&lines);
    assert_eq!(lab.scopes().await.unwrap(), ["a", "b"]);
    lab.read("a").await.1.unwrap();
    assert!(reason(lab.read("b").await.1).contains("line 4"));
}

#[tokio::test]
async fn a_line_without_end_is_not_collected() {
    let lab =
        Lab::with(&[BEGIN, &seen("a", "1"), "cat /dev/zero"], &json!({"max_line_bytes": 4096}));
    // Without a newline there is no line to refuse; the deadline ends it.
    let lab = Lab {
        connector: ExecConnector::new(Config { deadline_secs: 2, ..lab.connector.config.clone() })
            .unwrap(),
        ..lab
    };
    lab.scopes().await.unwrap();
    assert!(lab.read("a").await.1.is_err());
}

#[tokio::test]
async fn stderr_is_no_output_and_holds_nothing_up() {
    let lab = Lab::of(&[
        BEGIN,
        "i=0; while [ $i -lt 3000 ]; do echo 'warning: {}' >&2; i=$((i+1)); done",
        &complete("a"),
    ]);
    assert_eq!(lab.scopes().await.unwrap(), ["a"]);
    lab.read("a").await.1.unwrap();
}

#[tokio::test]
async fn the_environment_is_what_is_configured_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let secret = home.path().join("token");
    std::fs::write(&secret, "EXAMPLE token\n").unwrap();
    let lab = Lab::with(
        &["env > environment", BEGIN],
        &json!({"env": {"PATH": "/usr/bin:/bin", "TENANT": "eu-1"},
                "secrets": {"TOKEN": format!("file:{}", secret.display())}}),
    );
    lab.scopes().await.unwrap();
    let said = std::fs::read_to_string(lab.home.path().join("environment")).unwrap();
    let mut names: Vec<&str> = said.lines().filter_map(|line| line.split('=').next()).collect();
    // What a shell sets for itself.
    names.retain(|name| !matches!(*name, "PWD" | "OLDPWD" | "SHLVL" | "_"));
    names.sort_unstable();
    assert_eq!(names, ["PATH", "TENANT", "TOKEN"], "{said}");
    assert!(said.contains("TOKEN=EXAMPLE token"));
    std::fs::remove_file(&secret).unwrap();
    let error = lab.connector.scopes(&Lab::cx("two", Pass::First)).await.unwrap_err();
    assert!(error.to_string().contains("cannot be read"), "{error}");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let token = format!("gh{}{}", "p_", "EXAMPLE".repeat(6));
    let rows = [
        (json!({"command": []}), "command is empty"),
        (json!({"command": ["python3"]}), "no path"),
        (json!({"command": ["/bin/x", token]}), "argument looks like a secret"),
        (json!({"command": ["/bin/x"], "env": {"A=B": "1"}}), "env: a name"),
        (json!({"command": ["/bin/x"], "env": {"T": token}}), "looks like a secret"),
        (
            json!({"command": ["/bin/x"], "env": {"T": "1"}, "secrets": {"T": "env:T"}}),
            "give it once",
        ),
    ];
    for (config, said) in rows {
        let config: Config = serde_json::from_value(config).unwrap();
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains("EXAMPLE"), "{error}");
    }
}

#[tokio::test]
async fn a_check_starts_nothing_and_says_what_is_missing() {
    let lab = Lab::of(&["echo run >> runs"]);
    let probes = lab.connector.check(&Lab::cx("check", Pass::First)).await;
    assert_eq!(probes[0].outcome, ProbeOutcome::Granted);
    assert!(matches!(probes[1].outcome, ProbeOutcome::NotTried(_)));
    assert_eq!(lab.count("runs"), 0);
    let plain = lab.home.path().join("script");
    let lab = Lab::with(&[], &json!({"command": [plain]}));
    let probes = lab.connector.check(&Lab::cx("check", Pass::First)).await;
    let ProbeOutcome::Failed(error) = &probes[0].outcome else { panic!("{probes:?}") };
    assert!(error.to_string().contains("chmod"), "{error}");
}
