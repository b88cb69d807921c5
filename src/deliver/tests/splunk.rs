//! Splunk's HTTP Event Collector, by what its documentation says of envelopes and answers.

use axum::body::Body;
use axum::http::Response;
use headcount_core::findings::Severity;
use jiff::Timestamp;
use serde_json::{Deserializer, Value, json};

use super::receiver::{NEW, Receiver, Seen, saying};
use super::told::{severe, summary, told};
use super::worker::{Bench, drain};
use crate::deliver::{DeliveryError, NamedSink, build, test_sink};
use crate::store::{Event, Store as _};

/// Stands in events that the collector of these tests cannot read.
const POISON: &str = "POISON";

/// Answers as the collector does.
pub fn splunk(seen: &Seen) -> Response<Body> {
    let refuse =
        |status, code, text: &str| saying(status, &json!({"text": text, "code": code}).to_string());
    if seen.header("authorization") != format!("Splunk {NEW}") {
        return refuse(403, 4, "Invalid token");
    }
    let envelopes: Result<Vec<Value>, _> =
        Deserializer::from_slice(&seen.body).into_iter().collect();
    let Ok(envelopes) = envelopes else { return refuse(400, 6, "Invalid data format") };
    if envelopes.is_empty() {
        return refuse(400, 5, "No data");
    }
    for (number, envelope) in envelopes.iter().enumerate() {
        let keys = ["time", "host", "source", "sourcetype", "index", "event", "fields"];
        let known = |key: &String| keys.contains(&key.as_str());
        let is_whole = envelope.as_object().is_some_and(|envelope| envelope.keys().all(known))
            && envelope["time"].is_f64()
            && !envelope["event"].is_null();
        if !is_whole || envelope.to_string().contains(POISON) {
            let said = json!({
                "text": "Invalid data format", "code": 6, "invalid-event-number": number,
            });
            return saying(400, &said.to_string());
        }
        if envelope["index"] == "forbidden" {
            return refuse(400, 7, "Incorrect index");
        }
    }
    saying(200, r#"{"text":"Success","code":0}"#)
}

fn sink(receiver: &Receiver, keys: Value) -> NamedSink {
    build(&receiver.config_of("splunk", keys)).unwrap()
}

#[tokio::test]
async fn several_findings_go_in_one_request_each_with_its_time() {
    let receiver = Receiver::start(splunk).await;
    let sink = sink(&receiver, json!({"index": "security"}));
    let events = [severe(1, Severity::Low), severe(2, Severity::High), summary(3)];
    sink.deliver_batch(&events.each_ref()).await.unwrap();
    let [seen] = &receiver.seen()[..] else { panic!("one request") };
    let sent: Vec<Value> =
        Deserializer::from_slice(&seen.body).into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(sent.len(), 3);
    for (sent, event) in sent.iter().zip(&events) {
        let body: Value = serde_json::from_str(&event.body).unwrap();
        assert_eq!(sent["event"], body["data"]);
        assert_eq!(sent["host"], "prod");
        assert_eq!((&sent["index"], &sent["sourcetype"]), (&json!("security"), &json!("_json")));
    }
    let text = String::from_utf8(seen.body.to_vec()).unwrap();
    assert!(text.contains(r#""time":1795219200.125"#), "{text}");
}

#[tokio::test]
async fn the_path_of_the_collector_is_added_where_none_is_given() {
    let seen_path = async |path: &str| {
        let receiver = Receiver::start(splunk).await;
        let url = format!("http://127.0.0.1:{}{path}", receiver.port);
        sink(&receiver, json!({"url": url})).deliver(&severe(1, Severity::Low)).await.unwrap();
        receiver.seen()[0].path.clone()
    };
    assert_eq!(seen_path("").await, "/services/collector/event");
    assert_eq!(seen_path("/").await, "/services/collector/event");
    assert_eq!(seen_path("/hec/services/collector").await, "/hec/services/collector");
}

#[tokio::test]
async fn one_event_that_is_not_taken_fails_for_itself_alone() {
    let bench = Bench::new().await;
    let receiver = Receiver::start(splunk).await;
    let sink = bench.sink(&receiver.config_of("splunk", json!({})));
    let deliverer = bench.deliverer(vec![sink]);
    let poison = told(2, |finding, _| finding.title = POISON.to_owned());
    let events = vec![severe(1, Severity::Low), poison, severe(3, Severity::Low)];
    bench.commit_events(&["hook"], events).await;
    let drained = drain(&deliverer).await;
    assert_eq!((drained.delivered, drained.failed, drained.queue.pending), (2, 1, 1));
    for _ in 0..2 {
        bench.wait(400);
        drain(&deliverer).await;
    }
    let [dead] = &bench.store.dead_letters("hook").await.unwrap()[..] else { panic!("one") };
    assert_eq!((dead.event.sequence, dead.attempts), (2, 3));
    assert_eq!(dead.error, "127.0.0.1 answered 400 (it cannot read the event)");
    assert_eq!(bench.store.queue("hook").await.unwrap().delivered, 2);
}

#[tokio::test]
async fn answers_of_the_collector_are_taken_by_what_to_do_and_said_in_words() {
    let event: Event = severe(1, Severity::Low);
    let fate = async |code: u16, said: Value| {
        let receiver = Receiver::start(move |_| saying(code, &said.to_string())).await;
        sink(&receiver, json!({})).deliver(&event).await
    };
    let rows = [
        (403, 1, "the token is disabled"),
        (401, 2, "it wants a token in another form"),
        (403, 4, "the token is not known"),
        (400, 7, "the token may not write to this index"),
        (400, 10, "the token wants indexer acknowledgement, which is not supported"),
    ];
    for (status, code, words) in rows {
        let reason = format!("127.0.0.1 answered {status} ({words})");
        let said = json!({"text": "MARKED", "code": code});
        assert_eq!(fate(status, said).await, Err(DeliveryError::Reject { reason }));
    }
    for (status, code, words) in [(503, 9, "it is busy"), (500, 8, "it failed inside")] {
        let reason = format!("127.0.0.1 answered {status} ({words})");
        let said = json!({"text": "MARKED", "code": code});
        assert_eq!(fate(status, said).await, Err(DeliveryError::retry(reason)));
    }
    // Only `code: 0` says that Splunk has the event.
    for said in [json!("<html>"), json!({"text": "?", "code": 6})] {
        assert!(matches!(fate(200, said).await, Err(DeliveryError::Reject { .. })));
    }
    let receiver = Receiver::start(splunk).await;
    let forbidden = sink(&receiver, json!({"index": "forbidden"})).deliver(&event).await;
    let reason = "127.0.0.1 answered 400 (the token may not write to this index)".to_owned();
    assert_eq!(forbidden, Err(DeliveryError::Reject { reason }));
    test_sink(&*sink(&receiver, json!({})), "prod", Timestamp::UNIX_EPOCH).await.unwrap();
}
