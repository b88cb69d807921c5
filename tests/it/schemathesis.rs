//! The API against requests that nobody here thought of, made from its own description.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::service::Service;
use crate::support::testbed::SCHEMATHESIS;

/// Requests to each operation; the seed is fixed, so that a failure comes again.
const EXAMPLES: &str = "25";

#[tokio::test]
async fn schemathesis_finds_nothing() {
    // It asks faster than any client should.
    let service = Service::with(&json!({"max_requests_per_second": 10_000})).await;
    let token = service.token("fuzzer", "operator").await;
    let url = format!("http://{}", service.address);
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/openapi.json");
    let home = tempfile::tempdir().unwrap();
    configure(&home.path().join("schemathesis.toml"), &service, &token).await;
    let mut command = SCHEMATHESIS.python().script("fuzz.py");
    command
        .args(["run", document, "--url", &url, "--max-examples", EXAMPLES, "--seed", "1"])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--checks", "all", "--phases", "examples,coverage,fuzzing", "--no-color"])
        // It has no end: `tests/it/api.rs` reads it.
        .args(["--exclude-path", "/v1/events"])
        .args(["--generation-database", "none", "--request-timeout", "60"])
        .current_dir(home.path());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let erred = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{erred}");
    assert!(said.contains("generated"), "it did not run:\n{said}\n{erred}");
    for warning in ["Unresolvable references", "Missing test data"] {
        assert!(!said.contains(warning), "{said}");
    }
}

/// Ids of things that are there, so that what is behind a 404 is asked too; and what a request that
/// keeps to the description may be told: never that it cannot be understood (400).
async fn configure(file: &Path, service: &Service, token: &str) {
    let id = |list: &Value| list["items"][0]["id"].as_str().unwrap().to_owned();
    // What stands in a path is taken as it is.
    let record = id(&service.see("/v1/credentials", token).await).replace('/', "%2F");
    let finding = id(&service.see("/v1/findings", token).await);
    let in_a_week = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(7 * 24);
    let exception = json!({
        "rule": "stale-credential",
        "match": {"kind": "access-key"},
        "reason": "there to be asked for",
        "expires_at": in_a_week,
    });
    let (_, exception) = service.post("/v1/exceptions", token, &exception).await;
    let exception = exception["id"].as_str().unwrap().to_owned();
    let mut config = String::from(
        "[checks.positive_data_acceptance]\n\
         expected-statuses = [\"2xx\", \"304\", \"403\", \"404\", \"409\", \"422\"]\n",
    );
    for (operation, id) in [
        ("GET /v1/records/{id}", &record),
        ("GET /v1/records/{id}/links", &record),
        ("GET /v1/findings/{id}", &finding),
        ("GET /v1/exceptions/{id}", &exception),
        ("POST /v1/exceptions/{id}/end", &exception),
    ] {
        let id = json!(id);
        config.push_str(&format!(
            "[[operations]]\ninclude-name = \"{operation}\"\nparameters = {{ \"path.id\" = {id} }}\n"
        ));
    }
    std::fs::write(file, config).unwrap();
}
