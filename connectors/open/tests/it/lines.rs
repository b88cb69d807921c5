//! What both benches say: two scopes, a few records with everything that can be said.

use headcount_sdk::testkit::Fault;
use serde_json::{Value, json};

/// The place that is read.
const PLACE: &str = "lab:1";

/// Each scope's name and how many records it has.
const SCOPES: [(&str, u32); 2] = [("bots", 2), ("keys", 3)];

/// Text that stands in the lines and in no error.
pub const MARKED: &str = "MARKED";

/// Every line of an undisturbed scan, after `begin`.
pub fn undisturbed() -> Vec<Value> {
    let mut lines = Vec::new();
    for (name, count) in SCOPES {
        let scope = json!({"place": PLACE, "kind": name});
        for number in 1..=count {
            let observation = json!({
                "id": format!("{PLACE}:{name}/{number}"),
                "class": if name == "bots" { "identity" } else { "credential" },
                "kind": name,
                "name": format!("{MARKED} {number}"),
                "usage": {"state": "last_used", "at": "2026-03-01T00:00:00Z", "resolution_secs": 60, "lag_secs": 0},
                "labels": {"team": "payments"},
            });
            lines.push(json!({"type": "observation", "scope": scope, "observation": observation}));
        }
        lines.push(json!({"type": "complete", "scope": scope, "expected": count}));
    }
    lines
}

pub fn begin(scan: &str) -> Value {
    json!({"type": "begin", "schema": 1, "scan": scan})
}

/// What stands in a line's place when it is spoiled; none = the stream breaks off there.
pub fn spoiled(line: &Value, fault: Fault) -> Option<String> {
    let failed = |error: Value| {
        Some(json!({"type": "failed", "scope": line["scope"], "error": error}).to_string())
    };
    match fault {
        Fault::Denied => {
            failed(json!({"cause": "denied", "operation": "list", "permission": "keys:read"}))
        }
        Fault::Throttled => {
            failed(json!({"cause": "throttled", "operation": "list", "retry_after_secs": null}))
        }
        // The program leaves the line out, as if there were no such record.
        Fault::NotFound => Some(String::new()),
        Fault::ServerError => Some(format!("<html>{MARKED}</html>")),
        Fault::CutBody => {
            let text = line.to_string();
            Some(text[..text.len() / 2].to_owned())
        }
        Fault::Reset => None,
    }
}
