//! Deliveries against a receiver in this process.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod batches;
mod file;
mod outage;
mod pagerduty;
mod receiver;
mod slack;
mod splunk;
mod syslog;
mod told;
mod webhook;
mod worker;

use jiff::Timestamp;

use crate::store::Event;

/// An event of a finding (or of none), whose id follows from its sequence.
fn event(sequence: u64, finding: Option<&str>) -> Event {
    Event {
        sequence,
        id: format!("evt_{sequence}"),
        kind: "dev.headcount.finding.opened.v1".to_owned(),
        finding: finding.map(str::to_owned),
        time: Timestamp::UNIX_EPOCH,
        body: format!(r#"{{"id":"evt_{sequence}","text":"täxt"}}"#),
    }
}
