//! PagerDuty, by what its documentation says of Events API v2.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Response;
use headcount_core::findings::{FindingStatus, Severity};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::receiver::{NEW, Receiver, Seen, saying};
use super::told::{resolved, severe, summary, told};
use crate::deliver::{DeliveryError, NamedSink, build, test_sink};

/// Answers as PagerDuty does. <https://developer.pagerduty.com/docs/events-api-v2-overview>
pub fn pagerduty(seen: &Seen) -> Response<Body> {
    match fault(seen) {
        None => {
            let key = &seen.json()["dedup_key"];
            let said = json!({"status": "success", "message": "Event processed", "dedup_key": key});
            saying(202, &said.to_string())
        }
        Some(fault) => {
            let said = json!({"status": "invalid event", "message": "…", "errors": [fault]});
            saying(400, &said.to_string())
        }
    }
}

fn fault(seen: &Seen) -> Option<&'static str> {
    let Ok(event) = serde_json::from_slice::<Value>(&seen.body) else { return Some("no JSON") };
    let keys =
        ["routing_key", "event_action", "dedup_key", "payload", "links", "client", "client_url"];
    let text = |value: &Value, most: usize| {
        value.as_str().is_some_and(|text| !text.is_empty() && text.chars().count() <= most)
    };
    if event["routing_key"] != NEW {
        return Some("'routing_key' is invalid");
    }
    let known = |key: &String| keys.contains(&key.as_str());
    if !event.as_object().is_some_and(|event| event.keys().all(known)) {
        return Some("unknown key");
    }
    if !text(&event["dedup_key"], 255) || seen.body.len() > 512 * 1024 {
        return Some("'dedup_key' or size");
    }
    let payload = &event["payload"];
    match event["event_action"].as_str() {
        Some("resolve" | "acknowledge") => payload.is_object().then_some("'payload'"),
        Some("trigger") => {
            let severities = ["critical", "error", "warning", "info"];
            let fits = text(&payload["summary"], 1_024)
                && text(&payload["source"], 1_024)
                && payload["severity"].as_str().is_some_and(|s| severities.contains(&s));
            (!fits).then_some("'payload' is missing or blank")
        }
        _ => Some("'event_action' is invalid"),
    }
}

/// Alerts by key, as PagerDuty would have them, and how often each opened.
#[derive(Clone, Default)]
struct Alerts(Arc<Mutex<BTreeMap<String, (bool, u32)>>>);

impl Alerts {
    fn take(&self, seen: &Seen) -> Response<Body> {
        let answer = pagerduty(seen);
        if answer.status() == 202 {
            let event = seen.json();
            let mut alerts = self.0.lock().unwrap();
            let key = event["dedup_key"].as_str().unwrap().to_owned();
            let (is_open, opened) = alerts.entry(key).or_default();
            let triggers = event["event_action"] == "trigger";
            *opened += u32::from(triggers && !*is_open);
            *is_open = triggers;
        }
        answer
    }
}

async fn receiver() -> (Receiver, Alerts) {
    let alerts = Alerts::default();
    let taken = alerts.clone();
    (Receiver::start(move |seen| taken.take(seen)).await, alerts)
}

fn sink(receiver: &Receiver) -> NamedSink {
    let link = json!({"link": "https://h.example.com/findings/{finding}"});
    build(&receiver.config_of("pagerduty", link)).unwrap()
}

#[tokio::test]
async fn a_finding_is_one_alert_from_its_opening_to_its_end() {
    let (receiver, alerts) = receiver().await;
    let sink = sink(&receiver);
    let open = severe(1, Severity::High);
    let id = open.finding.clone().unwrap();
    let updated = told(1, |finding, _| {
        finding.severity = Severity::Low;
        finding.transitions = 2;
    });
    let accepted = told(1, |finding, _| finding.status = FindingStatus::Suppressed);
    let state = || alerts.0.lock().unwrap().get(&id).copied();
    for (event, expected) in [
        (&open, (true, 1)),
        (&open, (true, 1)),
        (&updated, (true, 1)),
        (&accepted, (false, 1)),
        (&updated, (true, 2)),
        (&resolved(1), (false, 2)),
    ] {
        sink.deliver(event).await.unwrap();
        assert_eq!(state(), Some(expected), "{}", event.body);
    }
    let first = receiver.seen()[0].json();
    let expected = json!({
        "summary": "Key 1 was not used for 120 days.",
        "source": "aws:123456789012:access-key/key-1",
        "severity": "error",
        "timestamp": "2026-11-21T00:00:00.125Z",
        "component": "svc-key-1",
        "group": "aws",
        "class": "stale-credential",
        "custom_details": {
            "rule": first["payload"]["custom_details"]["rule"],
            "owner": "team-billing",
            "severity": "high",
            "change": "opened",
            "explain": "headcount explain stale-credential",
        },
    });
    assert_eq!(first["payload"], expected);
    assert_eq!(first["client_url"], format!("https://h.example.com/findings/{id}"));
}

#[tokio::test]
async fn severities_are_those_of_pagerduty_and_long_texts_are_cut() {
    let (receiver, _) = receiver().await;
    let sink = sink(&receiver);
    let rows = [
        (Severity::Critical, "critical"),
        (Severity::High, "error"),
        (Severity::Medium, "warning"),
        (Severity::Low, "info"),
        (Severity::Info, "info"),
    ];
    for (number, (severity, expected)) in rows.into_iter().enumerate() {
        let event = told(1, |finding, _| {
            finding.severity = severity;
            finding.title = "x\n".repeat(2_000);
        });
        sink.deliver(&event).await.unwrap();
        assert_eq!(receiver.seen()[number].json()["payload"]["severity"], expected);
    }
}

#[tokio::test]
async fn summaries_page_nobody_and_the_test_leaves_nothing_open() {
    let (receiver, alerts) = receiver().await;
    let sink = sink(&receiver);
    sink.deliver(&summary(1)).await.unwrap();
    assert!(receiver.seen().is_empty());
    test_sink(&*sink, "prod", Timestamp::UNIX_EPOCH).await.unwrap();
    let alerts = alerts.0.lock().unwrap();
    assert_eq!(alerts.values().collect::<Vec<_>>(), [&(false, 1)]);
}

#[tokio::test]
async fn answers_of_pagerduty_are_taken_by_what_to_do() {
    let fate = async |code: u16, body: &'static str| {
        let receiver = Receiver::start(move |_| saying(code, body)).await;
        sink(&receiver).deliver(&severe(1, Severity::Low)).await
    };
    let invalid = fate(400, r#"{"status":"invalid event","errors":["MARKED"]}"#).await;
    let reason = "127.0.0.1 answered 400".to_owned();
    assert_eq!(invalid, Err(DeliveryError::Reject { reason }));
    for code in [429, 500, 503] {
        let expected = DeliveryError::retry(format!("127.0.0.1 answered {code}"));
        assert_eq!(fate(code, "").await, Err(expected));
    }
    let Err(DeliveryError::Reject { reason }) = fate(200, "<html>").await else {
        panic!("a page of a proxy is no PagerDuty")
    };
    assert!(reason.contains("without `status: success`"), "{reason}");
}
