//! A sink of every kind, each with a receiver of its own on this machine that keeps every byte.
//!
//! A secret by which a sink proves itself is a mark like any other. It is taken out of the one place
//! in which the protocol puts it, and has to be there; anywhere else it is found as a leak. Slack's
//! messages name the fifteen worst events of a batch; all the others carry every event.

mod http;
mod nats;
mod syslog;

use std::path::PathBuf;

use serde_json::{Value, json};

use self::http::Http;
use self::nats::Nats;
use self::syslog::Syslog;
use super::marks::mark;
use super::world::{Files, Search};

/// What is found in each, and what the search must find people's own words in.
pub const RECEIVED: [&str; 8] = [
    "file sink",
    "nats sink",
    "pagerduty sink",
    "s3 sink",
    "slack sink",
    "splunk sink",
    "syslog sink",
    "webhook sink",
];

/// Sinks that are answered, so that an answer can hold a mark.
pub const ANSWERED: [&str; 6] = ["nats", "pagerduty", "s3", "slack", "splunk", "webhook"];

/// How receivers answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manners {
    #[default]
    Kind,
    /// Nothing is taken, and every answer holds marks.
    Rude,
}

/// The receivers; they end when this is dropped.
pub struct Sinks {
    http: Http,
    nats: Nats,
    syslog: Syslog,
    /// Events as the file sink wrote them.
    events: PathBuf,
}

impl Sinks {
    pub async fn start(events: PathBuf) -> Self {
        let (http, nats, syslog) = (Http::start(), Nats::start(), Syslog::start());
        Self { http: http.await, nats: nats.await, syslog: syslog.await, events }
    }

    /// In the words of the configuration; nothing waits for others to share a message with.
    pub fn configured(&self, files: &Files) -> Value {
        let secret = |name: &str, text: &str| files.put(&format!("sink-{name}"), text);
        let own = |name: &str| secret(name, &mark(&format!("own-{name}")));
        let url = |name: &str, after: &str| format!("{}/{name}{after}", self.http.url());
        let webhook = url("webhook", &format!("?code={}", mark("own-webhook-url")));
        let slack = url("slack", &format!("/{}", mark("own-slack-path")));
        let login = format!("{}:{}", nats::USER, mark("own-nats-password"));
        let nats = format!("nats://{login}@127.0.0.1:{}", self.nats.port());
        let mut sinks = json!([
            {"name": "file", "type": "file", "path": self.events},
            {"name": "out", "type": "stdout"},
            {
                "name": "webhook", "type": "webhook", "url": secret("webhook-url", &webhook),
                "secrets": ["env:HEADCOUNT_TEST_SECRET"],
            },
            {
                "name": "slack", "type": "slack", "url": secret("slack-url", &slack),
                "digest_secs": 0,
            },
            {
                "name": "pagerduty", "type": "pagerduty", "url": url("pagerduty", ""),
                "routing_key": own("routing-key"),
            },
            {
                "name": "splunk", "type": "splunk", "url": url("splunk", ""),
                "token": own("hec-token"),
            },
            {
                "name": "s3", "type": "s3", "endpoint_url": url("s3", ""), "bucket": "acme",
                "every_secs": 0, "access_key_id": own("s3-id"), "secret_access_key": own("s3-key"),
            },
            {"name": "nats", "type": "nats", "url": secret("nats-url", &nats)},
            {
                "name": "syslog", "type": "syslog", "transport": "tcp",
                "address": format!("127.0.0.1:{}", self.syslog.port()),
            },
        ]);
        for sink in sinks.as_array_mut().unwrap() {
            if !["file", "stdout"].contains(&sink["type"].as_str().unwrap()) {
                sink["allow_cidrs"] = json!(["127.0.0.0/8"]);
            }
        }
        sinks
    }

    pub fn manners(&self, manners: Manners) {
        self.http.manners(manners);
        self.nats.manners(manners);
    }

    /// Searches what has come since the last time.
    pub fn keep(&self, what: &str, search: &mut Search) {
        if let Ok(bytes) = std::fs::read(&self.events) {
            search.keep(&format!("{what}: file sink"), &bytes);
        }
        for (sink, bytes) in self.http.take() {
            search.keep(&format!("{what}: {sink} sink"), &bytes);
        }
        search.keep(&format!("{what}: nats sink"), &self.nats.take());
        search.keep(&format!("{what}: syslog sink"), &self.syslog.take());
    }
}

/// Takes a secret out of where it has to stand, once.
fn taken(text: &str, before: &str, secret: &str) -> String {
    let whole = format!("{before}{}", mark(secret));
    assert!(text.contains(&whole), "{before}: its secret is not where the protocol puts it");
    text.replacen(&whole, before, 1)
}
