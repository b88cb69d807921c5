//! The command line as people and scripts meet it: outputs, exit codes, pipes.

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use headcount_simulator::{Organization, Simulator, Size};
use serde_json::Value;

use crate::seeded::Seeded;

/// One inventory for all tests that only read.
static SEEDED: LazyLock<Seeded> = LazyLock::new(Seeded::new);

/// The binary without anything of the environment that it could read.
fn headcount(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
    command.args(args).env_clear().stdin(Stdio::null());
    command
}

fn reading(args: &[&str]) -> Output {
    headcount(args).arg("--config").arg(SEEDED.config()).output().unwrap()
}

/// Stdout of a command that ends well and has nothing to complain about.
fn printed(args: &[&str]) -> String {
    let output = reading(args);
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), complaints.as_str()), (Some(0), ""), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(output: &Output) -> (Option<i32>, String) {
    assert!(output.stdout.is_empty());
    (output.status.code(), String::from_utf8(output.stderr.clone()).unwrap())
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn records_keep_their_fixed_names() {
    insta::assert_snapshot!(printed(&["inventory", "--format", "ndjson"]));
}

#[test]
fn findings_keep_their_fixed_names() {
    insta::assert_snapshot!(printed(&["findings", "--format", "ndjson"]));
}

#[test]
fn changes_keep_their_fixed_names() {
    let args = ["diff", "2026-03-02", "2026-03-03", "--format", "ndjson"];
    insta::assert_snapshot!(printed(&args));
}

#[test]
fn csv_is_defused_for_spreadsheets() {
    insta::assert_snapshot!(printed(&["inventory", "--format", "csv"]));
}

#[test]
fn json_is_one_array_of_the_same_lines() {
    for command in ["inventory", "findings"] {
        let array: Vec<Value> =
            serde_json::from_str(&printed(&[command, "--format", "json"])).unwrap();
        assert_eq!(array, lines(&printed(&[command, "--format", "ndjson"])));
    }
}

#[test]
fn tables_are_for_people() {
    let at = "2026-03-02T12:00:00Z";
    let texts = [
        printed(&["inventory", "--at", at]),
        printed(&["inventory", "show", "deploy-bot", "--at", at]),
        printed(&["inventory", "show", "AKIAOLD", "--at", at]),
        printed(&["diff", "2026-03-01", "2026-03-04"]),
        printed(&["explain"]),
    ];
    insta::assert_snapshot!(texts.join("\n----\n"));
}

#[test]
fn people_are_left_out_unless_asked_for() {
    let names = |args: &[&str]| -> Vec<String> {
        lines(&printed(args)).iter().map(|r| r["name"].as_str().unwrap().to_owned()).collect()
    };
    let ana = "ana".to_owned();
    assert!(!names(&["inventory", "--format", "ndjson"]).contains(&ana));
    assert!(names(&["inventory", "--format", "ndjson", "--people"]).contains(&ana));
    assert_eq!(names(&["inventory", "--format", "ndjson", "--class", "principal"]), [ana]);
}

#[test]
fn the_past_is_shown_as_it_was() {
    let owner = |at: &str| {
        let detail = printed(&["inventory", "show", "deploy-bot", "--at", at, "--format", "json"]);
        let detail: Value = serde_json::from_str(&detail).unwrap();
        (detail["owner"]["ref"].clone(), detail["history"].as_array().unwrap().len())
    };
    assert_eq!(owner("2026-03-01T12:00:00Z"), ("team-payments".into(), 1));
    assert_eq!(owner("2026-03-02T12:00:00Z"), ("team-checkout".into(), 2));
}

#[test]
fn a_record_is_found_by_id_handle_and_name() {
    let id = "aws:123456789012:iam-user/AIDADEPLOY";
    for subject in [id, "arn:aws:iam::123456789012:iam-user/deploy-bot", "deploy-bot"] {
        let detail = printed(&["inventory", "show", subject, "--format", "json"]);
        let detail: Value = serde_json::from_str(&detail).unwrap();
        assert_eq!(detail["id"], id);
        assert_eq!(detail["linked_from"][0]["name"], "AKIAOLD");
    }
}

#[test]
fn a_name_that_fits_several_records_is_refused_with_their_ids() {
    let (code, text) = refused(&reading(&["inventory", "show", "iam-user"]));
    assert_eq!(code, Some(2));
    assert!(text.contains("3 records fit `iam-user`"), "{text}");
    assert!(text.contains("aws:123456789012:iam-user/AIDADEPLOY  deploy-bot"), "{text}");
}

#[test]
fn a_finding_is_shown_by_the_beginning_of_its_id() {
    let first = &lines(&printed(&["findings", "--format", "ndjson"]))[0];
    let id = first["id"].as_str().unwrap();
    let page = printed(&["findings", "show", &id[..8]]);
    for part in [id, "admin-identity", "History", "Fix", "headcount explain admin-identity"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
}

#[test]
fn ocsf_lines_are_detection_findings_without_a_delivery() {
    let ocsf = lines(&printed(&["findings", "--format", "ocsf"]));
    let ids: Vec<&Value> = ocsf.iter().map(|f| &f["finding_info"]["uid"]).collect();
    let own = lines(&printed(&["findings", "--format", "ndjson"]));
    assert_eq!(ids, own.iter().map(|f| &f["id"]).collect::<Vec<_>>());
    for finding in &ocsf {
        assert_eq!(finding["class_uid"], 2004);
        assert_eq!(finding["metadata"].get("sequence"), None);
    }
}

#[test]
fn findings_at_the_limit_end_with_3() {
    let code = |args: &[&str]| reading(args).status.code();
    assert_eq!(code(&["findings"]), Some(0));
    assert_eq!(code(&["findings", "--fail-on", "high"]), Some(3));
    assert_eq!(code(&["findings", "--fail-on", "critical"]), Some(0));
    assert_eq!(code(&["findings", "--status", "resolved", "--fail-on", "info"]), Some(0));
}

#[test]
fn wrong_usage_ends_with_2_and_a_hint() {
    let rows: [(&[&str], &str); 7] = [
        (&["explain", "stale-identiy"], "did you mean `stale-identity`?"),
        (&["findings", "--rule", "new-identty"], "did you mean `new-identity`?"),
        (&["findings", "show", "f_nothing"], "there is no finding `f_nothing`"),
        (&["permissions", "azure"], "there is no connector `azure`; there are: aws"),
        (&["scan", "--source", "staging"], "there is no source `staging`; there are: prod"),
        (&["diff", "now", "24h"], "is not before TO"),
        (&["diff", "yesterday"], "how long ago (`90m`, `24h`, `7d`, `2w`)"),
    ];
    for (args, hint) in rows {
        let (code, text) = refused(&reading(args));
        assert_eq!(code, Some(2), "{args:?}: {text}");
        assert!(text.contains(hint), "{args:?}: {text}");
    }
}

#[test]
fn a_wrong_configuration_ends_with_2_and_one_line_per_problem() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.yaml");
    std::fs::write(&file, "agnt: x\nbrake: {min_record: 1}\n").unwrap();
    let output = headcount(&["findings", "-c", "c.yaml"]).current_dir(&dir).output().unwrap();
    let (code, text) = refused(&output);
    assert_eq!(code, Some(2));
    assert_eq!(
        text,
        "c.yaml:1:1: agnt: unknown key (did you mean `agent`?)\n\
         c.yaml:2:9: brake.min_record: unknown key (did you mean `min_records`?)\n"
    );
}

#[test]
fn an_inventory_that_is_not_there_ends_with_1_and_the_way_to_one() {
    let dir = tempfile::tempdir().unwrap();
    let output = headcount(&["findings"]).current_dir(&dir).output().unwrap();
    assert_eq!(
        refused(&output),
        (
            Some(1),
            "headcount: there is no inventory in ./headcount-data yet; `headcount scan` makes one\n"
                .to_owned()
        )
    );
}

#[test]
fn a_reader_that_stops_reading_is_no_error() {
    let mut child = headcount(&["inventory", "--format", "ndjson"])
        .arg("--config")
        .arg(SEEDED.config())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program writes when it ends, so that this closes the pipe before.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
fn the_configuration_may_come_from_the_environment() {
    let output =
        headcount(&["inventory"]).env("HEADCOUNT_CONFIG", SEEDED.config()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("deploy-bot"));
}

#[test]
fn completions_know_the_subcommands() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(printed(&["completions", shell]).contains("inventory"), "{shell}");
    }
}

/// A small simulated account, and a configuration that scans it into a directory of its own.
struct Simulated {
    simulator: Simulator,
    environment: BTreeMap<&'static str, String>,
    dir: tempfile::TempDir,
}

impl Simulated {
    async fn start() -> Self {
        let organization = Organization::seeded(3, Size::account(45, 45, 10));
        let simulator = Simulator::start(organization).await.unwrap();
        let environment = simulator.environment().into_iter().collect();
        Self { simulator, environment, dir: tempfile::tempdir().unwrap() }
    }

    /// Runs the binary while the simulator answers it.
    async fn run(&self, args: &[&str]) -> Output {
        tokio::process::Command::new(env!("CARGO_BIN_EXE_headcount"))
            .args(args)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_without_a_configuration_counts_the_ambient_account() {
    let simulated = Simulated::start().await;
    let output = simulated.run(&["scan"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    for part in [
        "Headcount of aws",
        "identities",
        "first scan: this is the baseline",
        "NEW  none",
        "STALE",
        "OWNERLESS",
        "headcount explain stale-identity",
        "headcount inventory show",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains('\u{1b}'), "colours in a pipe: {text}");
    assert!(simulated.dir.path().join("headcount-data").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_prints_what_the_inventory_prints() {
    let simulated = Simulated::start().await;
    let scanned = simulated.run(&["scan", "--format", "ndjson"]).await;
    let listed = simulated.run(&["inventory", "--format", "ndjson"]).await;
    assert!(!scanned.stdout.is_empty());
    assert_eq!(scanned.stdout, listed.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incomplete_scan_ends_with_4_and_names_the_permission() {
    let simulated = Simulated::start().await;
    assert_eq!(simulated.run(&["scan", "--fail-on", "low"]).await.status.code(), Some(3));
    let account = simulated.simulator.read(|org| org.management().to_owned());
    simulated.simulator.change().deny(&account, "iam:ListServerCertificates").unwrap();

    let output = simulated.run(&["scan", "--fail-on", "low"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4), "4 wins over 3");
    assert!(text.contains("NOT READ"), "{text}");
    assert!(text.contains("grant iam:ListServerCertificates"), "{text}");

    let output = simulated.run(&["check"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(text.contains("A scan would be incomplete: 1 check failed."), "{text}");
    assert!(text.contains("incomplete without it: server-certificates"), "{text}");
}
