//! What answers mean: the vendor's words for failures, and the quota that is left.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use headcount_rest::{
    Answer, Broken, Described, Request, RestConnector, Settings, Transport, Tuning, catalog,
    offline,
};
use headcount_sdk::contract::{Memo, MemoryCache, Pass, Priority};
use headcount_sdk::{Connector, Recorder, ScanContext, ScanError, Scope};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::conformance::tuning;

/// Gives the same answer to everything, and notes when it was asked.
struct Same {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Value,
    asked: Mutex<Vec<Instant>>,
}

#[async_trait]
impl Transport for Same {
    async fn exchange(&self, _request: Request) -> Result<Answer, Broken> {
        self.asked.lock().unwrap().push(Instant::now());
        let body = self.body.to_string().into_bytes();
        Ok(Answer { status: self.status, headers: self.headers.clone(), body })
    }
}

fn same(status: u16, headers: &[(&str, &str)], body: Value) -> Arc<Same> {
    let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Arc::new(Same { status, headers, body, asked: Mutex::default() })
}

fn context(scan: &str) -> ScanContext {
    ScanContext {
        scan: scan.to_owned(),
        source: "answers".to_owned(),
        now: "2026-03-10T12:00:00Z".parse().unwrap(),
        priority: Priority::Scan,
        pass: Pass::First,
        cache: Arc::new(MemoryCache::default()),
        memo: Memo::default(),
    }
}

async fn read(described: &Described, scope: &Scope, over: Arc<Same>) -> Result<u64, ScanError> {
    let connector = offline(described, over).unwrap();
    let cx = context("answers");
    let mut sink = |_| {};
    let recorder = Recorder::new(scope.clone(), &mut sink);
    Ok(connector.observe(&cx, scope, recorder).await?.recorded())
}

#[tokio::test]
async fn failures_mean_what_the_vendor_says() {
    let slack = catalog::load("slack").unwrap().unwrap();
    let bots = Scope::new("slack:T0EXAMPLE", "bots");
    let said = |error: &str| json!({"ok": false, "error": error});
    for (status, body, cause) in [
        (
            200,
            json!({"ok": true, "members": [], "response_metadata": {"next_cursor": ""}}),
            "complete",
        ),
        (200, said("missing_scope"), "denied"),
        (200, said("ratelimited"), "throttled"),
        (200, said("not_an_enterprise"), "not_supported"),
        // A word that is new must not pass for success, nor for an empty list.
        (200, said("MARKED"), "unavailable"),
        (200, json!({"members": []}), "unavailable"),
        (200, json!({"ok": true}), "malformed"),
        (200, json!({"ok": true, "members": [{"id": "U1", "deleted": false}]}), "malformed"),
        (401, json!({}), "denied"),
        (403, json!({}), "denied"),
        (404, json!({}), "unavailable"),
        (429, json!({}), "throttled"),
        (302, json!({}), "unavailable"),
        (400, json!({}), "unavailable"),
        (503, json!({}), "unavailable"),
    ] {
        let outcome = read(&slack, &bots, same(status, &[], body.clone())).await;
        let found = outcome.as_ref().map_or_else(ScanError::cause, |_| "complete");
        assert_eq!(found, cause, "{status} {body}");
        let text = outcome.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(!text.contains("MARKED"), "{text}");
    }
}

#[tokio::test]
async fn an_empty_list_is_only_what_the_vendor_calls_so() {
    let vault = catalog::load("vault").unwrap().unwrap();
    // The same answer tells the cluster, and is the list.
    let scope = Scope::new("vault:c1", "entities");
    for (body, cause) in [
        (json!({"cluster_id": "c1", "errors": []}), "unavailable"),
        (json!({"cluster_id": "c1", "data": {"keys": []}}), "complete"),
        (json!({"cluster_id": "c1"}), "malformed"),
    ] {
        let status = if body.get("errors").is_some() { 404 } else { 200 };
        let outcome = read(&vault, &scope, same(status, &[], body.clone())).await;
        let found = outcome.map_or_else(|error| error.cause(), |_| "complete");
        assert_eq!(found, cause, "{body}");
    }
}

#[tokio::test]
async fn what_is_left_of_the_quota_is_left_to_others() {
    let text = catalog::text("datadog").unwrap();
    let text = text.replace("total: meta.page.total_filtered_count}", "more: more}");
    let datadog = Described::load(&text).unwrap();
    let scope = Scope::new("datadog:o1", "api-keys");
    // The tenant, the users and the keys are one answer: the last page of an empty list.
    let body = json!({"data": [], "more": false});
    let org = json!({"data": {"relationships": {"org": {"data": {"id": "o1"}}}}});
    let over = same(200, &[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "0.2")], body);
    let over = Arc::new(Turned { first: org, then: over });
    let keys = ["api_key", "application_key"];
    let secrets = keys.map(|name| (name.to_owned(), SecretString::from("EXAMPLE")));
    let secrets = Arc::new(BTreeMap::from(secrets));
    let tuning = Tuning { longest_wait: Duration::from_secs(1), ..tuning() };
    let settings = Settings::default();
    let connector =
        RestConnector::with(&datadog, &settings, secrets, (over.clone(), tuning)).unwrap();
    let cx = context("quota");
    let mut sink = |_| {};
    let recorder = Recorder::new(scope.clone(), &mut sink);
    connector.observe(&cx, &scope, recorder).await.unwrap();
    let asked = over.then.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 3);
    for pair in asked.windows(2) {
        // The description leaves two calls to others, and one was left.
        assert!(pair[1] - pair[0] >= Duration::from_millis(200), "the quota was spent: {asked:?}");
    }
}

/// Another body to the first request.
struct Turned {
    first: Value,
    then: Arc<Same>,
}

#[async_trait]
impl Transport for Turned {
    async fn exchange(&self, request: Request) -> Result<Answer, Broken> {
        let first = self.then.asked.lock().unwrap().is_empty();
        let mut answer = self.then.exchange(request).await?;
        if first {
            answer.body = self.first.to_string().into_bytes();
        }
        Ok(answer)
    }
}

/// Takes requests and never answers.
struct Silent;

#[async_trait]
impl Transport for Silent {
    async fn exchange(&self, _request: Request) -> Result<Answer, Broken> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_scope_that_takes_too_long_is_unavailable() {
    let slack = catalog::load("slack").unwrap().unwrap();
    let values = BTreeMap::from([("team_id".to_owned(), "T0EXAMPLE".to_owned())]);
    let settings = Settings { values, ..Settings::default() };
    let secrets = BTreeMap::from([("token".to_owned(), SecretString::from("EXAMPLE"))]);
    let tuning = Tuning { deadline: Duration::from_millis(20), ..tuning() };
    let over = (Arc::new(Silent) as Arc<_>, tuning);
    let connector = RestConnector::with(&slack, &settings, Arc::new(secrets), over).unwrap();
    let scope = Scope::new("slack:T0EXAMPLE", "bots");
    let mut sink = |_| {};
    let recorder = Recorder::new(scope.clone(), &mut sink);
    let outcome = connector.observe(&context("slow"), &scope, recorder).await;
    assert!(matches!(outcome, Err(ScanError::Unavailable { .. })), "{outcome:?}");
}
