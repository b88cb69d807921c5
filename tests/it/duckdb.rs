//! What is exported is read by an engine that people already run.

use std::path::Path;

use headcount_simulator::{Organization, Simulator, Size};
use serde_json::Value;

use crate::support::agent::Agent;
use crate::support::testbed::DUCKDB;

/// The rows that DuckDB answers with.
fn ask(file: &Path, sql: &str) -> Vec<Value> {
    let output = DUCKDB.python().script("ask.py").arg(file).arg(sql).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{sql}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn duckdb_says_which_machine_accounts_had_no_owner_on_that_day() {
    let organization = Organization::seeded(3, Size::account(12, 12, 3));
    let simulator = Simulator::start(organization).await.unwrap();
    let agent = Agent::new(&simulator.url(), None);
    let records = agent.scan().await;
    let expected: Vec<&str> = {
        let ownerless = records.iter().filter(|r| r["class"] == "identity" && r["owner"].is_null());
        let mut ids: Vec<&str> = ownerless.map(|record| record["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        ids
    };
    assert!(!expected.is_empty());
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("day");
    let folder = out.to_str().unwrap();
    let taken = ["snapshot", "--format", "parquet", "-o", folder];
    // One scope is swept little by little, and the snapshot says so.
    let written = agent.run(&taken).await.ending(4);
    let file = out.join("inventory.parquet");
    assert!(written.stdout.contains("inventory.parquet"), "{}", written.stdout);

    let ownerless = ask(
        &file,
        "SELECT id FROM inventory WHERE class = 'identity' AND owner IS NULL ORDER BY id",
    );
    let ids: Vec<&str> = ownerless.iter().map(|row| row[0].as_str().unwrap()).collect();
    assert_eq!(ids, expected);
    let types = ask(&file, "SELECT column_name, column_type FROM (DESCRIBE inventory)");
    let typed = |name: &str| types.iter().find(|row| row[0] == name).unwrap()[1].clone();
    assert_eq!(typed("usage_at"), "TIMESTAMP WITH TIME ZONE");
    assert_eq!((typed("id"), typed("owner_confidence")), ("VARCHAR".into(), "DOUBLE".into()));

    let manifest: Value =
        serde_json::from_slice(&std::fs::read(out.join("coverage.json")).unwrap()).unwrap();
    let counted = ask(&file, "SELECT count(*) FROM inventory");
    assert_eq!((&manifest["records"], &manifest["complete"]), (&counted[0][0], &false.into()));
    let scopes = manifest["scopes"].as_array().unwrap();
    let short = scopes.iter().filter(|scope| scope["complete"] == false);
    assert_eq!(short.map(|scope| &scope["coverage"]).collect::<Vec<_>>(), ["sweeping"]);
    let length = std::fs::metadata(&file).unwrap().len();
    assert_eq!(manifest["files"][0]["bytes"], length);

    // Before anything was counted nothing is known, and that is said.
    let early = home.path().join("early");
    let early_out = early.to_str().unwrap();
    let taken = ["snapshot", "--at", "2020-01-01", "--format", "parquet", "-o", early_out];
    agent.run(&taken).await.ending(4);
    let none = ask(&early.join("inventory.parquet"), "SELECT count(*) FROM inventory");
    assert_eq!(none[0][0], 0);
}
