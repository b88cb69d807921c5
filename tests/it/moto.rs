//! The real binary against moto, a server of AWS's APIs that nobody here wrote, with everything
//! in the account made by boto3. The server is installed below `target/` by the first test.
//!
//! What moto cannot do is part of the tests: `ListServiceSpecificCredentials` answers HTTP 500
//! with an HTML page, so that one scope can never be read and every scan ends with exit code 4.

mod changes;
mod feed;
mod found;
mod organization;
mod permissions;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::moto::ACCOUNT;
use crate::support::receiver::Received;

/// The scope that moto cannot serve.
const UNSERVED: &str = "service-specific-credentials";

fn id(kind: &str, key: &str) -> String {
    format!("aws:{ACCOUNT}:{kind}/{key}")
}

fn ids(records: &[Value]) -> BTreeSet<String> {
    records.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

/// The rules of opened findings, with what they are about, in order.
fn opened(received: &[Received]) -> Vec<(String, String)> {
    let mut opened: Vec<(String, String)> = received
        .iter()
        .filter(|r| r.kind() == "dev.headcount.finding.opened.v1")
        .map(|r| (r.rule().unwrap().to_owned(), r.subject().to_owned()))
        .collect();
    opened.sort();
    opened
}
