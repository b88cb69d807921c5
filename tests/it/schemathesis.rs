//! The API against requests that nobody here thought of, made from its own description.

use crate::support::service::Service;
use crate::support::testbed::SCHEMATHESIS;

/// Requests to each operation; the seed is fixed, so that a failure comes again.
const EXAMPLES: &str = "25";

#[tokio::test]
async fn schemathesis_finds_nothing() {
    // It asks faster than any client should.
    let settings = serde_json::json!({"max_requests_per_second": 10_000});
    let service = Service::with(&settings).await;
    let token = service.token("fuzzer", "operator").await;
    let url = format!("http://{}", service.address);
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/openapi.json");
    let home = tempfile::tempdir().unwrap();
    let mut command = SCHEMATHESIS.python().script("fuzz.py");
    command
        .args(["run", document, "--url", &url, "--max-examples", EXAMPLES, "--seed", "1"])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--checks", "all", "--phases", "examples,coverage,fuzzing", "--no-color"])
        // What is well-formed may be refused all the same: a rule that does not exist, an end
        // beyond a year, a cursor that no list gave.
        .args(["--exclude-checks", "positive_data_acceptance"])
        // Few texts are one segment of a path; that says nothing about the API.
        .args(["--suppress-health-check", "filter_too_much"])
        // It has no end: `tests/it/api.rs` reads it.
        .args(["--exclude-path", "/v1/events"])
        .args(["--generation-database", "none", "--request-timeout", "60"])
        .current_dir(home.path());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let erred = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{erred}");
    assert!(said.contains("generated"), "it did not run:\n{said}\n{erred}");
    assert!(!said.contains("Unresolvable references"), "{said}");
}
