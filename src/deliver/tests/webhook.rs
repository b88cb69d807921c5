//! One attempt at a time: what is sent, and how answers are taken.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::Response;
use jiff::{SignedDuration, Timestamp};

use super::event;
use super::receiver::{NEW, OLD, Receiver, status, with_headers};
use crate::clock::ManualClock;
use crate::deliver::{DeliveryError, NamedSink, SinkConfig, build, sinks, test_sink};

fn sink(config: &SinkConfig) -> NamedSink {
    build(config).unwrap()
}

/// How one event fares with a receiver that answers like this.
async fn fate(answer: fn() -> Response<Body>) -> Result<(), DeliveryError> {
    let receiver = Receiver::start(move |_| answer()).await;
    sink(&receiver.config("hook")).deliver(&event(1, None)).await
}

fn refusal(receiver: &Receiver, url: &str, allow_cidrs: &[&str]) -> String {
    let config = receiver.config_with("hook", url, &["new"], allow_cidrs);
    match build(&config) {
        Ok(_) => "built".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn requests_are_signed_cloudevents() {
    let receiver = Receiver::answering(&[]).await;
    let event = event(7, Some("f_1"));
    sink(&receiver.config("hook")).deliver(&event).await.unwrap();
    let [seen] = &receiver.seen()[..] else { panic!("one request") };
    assert!(seen.is_genuine(NEW));
    assert!(!seen.is_genuine(OLD));
    assert_eq!(seen.id(), event.id);
    assert_eq!(seen.body, event.body.as_bytes());
    assert_eq!(seen.header("content-type"), "application/cloudevents+json; charset=utf-8");
    assert!(seen.header("user-agent").starts_with("headcount/"));
}

#[tokio::test]
async fn two_secrets_sign_twice_so_that_either_receiver_is_served() {
    let receiver = Receiver::answering(&[]).await;
    let url = receiver.url("127.0.0.1");
    let config = receiver.config_with("hook", &url, &["new", "old"], &["127.0.0.1"]);
    sink(&config).deliver(&event(1, None)).await.unwrap();
    let [seen] = &receiver.seen()[..] else { panic!("one request") };
    assert!(seen.is_genuine(NEW) && seen.is_genuine(OLD));
    assert_eq!(seen.header("webhook-signature").split(' ').count(), 2);
}

#[tokio::test]
async fn answers_are_classified_by_what_to_do() {
    for code in [400, 401, 403, 404, 413, 422] {
        let receiver = Receiver::answering(&[code]).await;
        let error = sink(&receiver.config("hook")).deliver(&event(1, None)).await.unwrap_err();
        assert_eq!(error, DeliveryError::Reject { reason: format!("127.0.0.1 answered {code}") },);
    }
    for code in [408, 409, 425, 429, 500, 502, 503, 504] {
        let receiver = Receiver::answering(&[code]).await;
        let error = sink(&receiver.config("hook")).deliver(&event(1, None)).await.unwrap_err();
        assert_eq!(error, DeliveryError::retry(format!("127.0.0.1 answered {code}")));
    }
    let gone = fate(|| status(410)).await.unwrap_err();
    assert_eq!(gone, DeliveryError::Gone { reason: "127.0.0.1 answered 410".to_owned() });
    for code in [200, 202, 204] {
        let receiver = Receiver::answering(&[code]).await;
        assert_eq!(sink(&receiver.config("hook")).deliver(&event(1, None)).await, Ok(()));
    }
}

#[tokio::test]
async fn pause_that_the_receiver_asks_for_is_kept() {
    let seconds = fate(|| with_headers(429, &[("retry-after", "120")])).await.unwrap_err();
    let after = |error| match error {
        DeliveryError::Retry { after, .. } => after,
        other => panic!("{other:?}"),
    };
    assert_eq!(after(seconds), Some(SignedDuration::from_mins(2)));
    let far = fate(|| with_headers(503, &[("retry-after", "Fri, 31 Dec 2199 23:59:59 GMT")]));
    assert_eq!(after(far.await.unwrap_err()), Some(SignedDuration::from_hours(24)));
    let nonsense = fate(|| with_headers(503, &[("retry-after", "whenever")])).await.unwrap_err();
    assert_eq!(after(nonsense), None);
}

#[tokio::test]
async fn redirects_are_refused_and_not_followed() {
    let target = Receiver::answering(&[]).await;
    let location = target.url("127.0.0.1");
    for code in [301, 302, 307, 308] {
        let location = location.clone();
        let receiver =
            Receiver::start(move |_| with_headers(code, &[("location", &location)])).await;
        let error = sink(&receiver.config("hook")).deliver(&event(1, None)).await.unwrap_err();
        let reason = format!("127.0.0.1 answered {code}, a redirect");
        assert_eq!(error, DeliveryError::Reject { reason });
    }
    assert!(target.seen().is_empty());
}

#[tokio::test]
async fn endless_answer_is_left_after_its_status() {
    let endless = || {
        let chunks = futures::stream::repeat(Ok::<_, std::convert::Infallible>(Bytes::from(vec![
                b'x';
                999
            ])));
        Response::new(Body::from_stream(chunks))
    };
    assert_eq!(fate(endless).await, Ok(()));
}

#[tokio::test]
async fn names_that_lead_to_this_machine_are_refused_unless_allowed() {
    let receiver = Receiver::answering(&[]).await;
    let port = receiver.port;
    for url in [receiver.url("localhost"), format!("https://localhost:{port}/hook")] {
        let closed = sink(&receiver.config_with("hook", &url, &["new"], &[]));
        let error = closed.deliver(&event(1, None)).await.unwrap_err();
        let reason = "localhost is refused: a loopback address has to be named in allow_cidrs";
        assert_eq!(error, DeliveryError::Reject { reason: reason.to_owned() });
    }
    assert!(receiver.seen().is_empty());
    let url = receiver.url("localhost");
    let open = sink(&receiver.config_with("hook", &url, &["new"], &["127.0.0.0/8"]));
    open.deliver(&event(1, None)).await.unwrap();
    assert_eq!(receiver.ids(), ["evt_1"]);
}

#[tokio::test]
async fn addresses_in_the_url_are_judged_before_anything_is_sent() {
    let receiver = Receiver::answering(&[]).await;
    let loopback = "a loopback address has to be named in allow_cidrs";
    let never = "a link-local or metadata address is never a sink";
    let everything = &["0.0.0.0/0", "::/0"][..];
    let table = [
        ("https://127.0.0.1/x", &[][..], format!("127.0.0.1 is refused: {loopback}")),
        ("https://2130706433/x", &[], format!("127.0.0.1 is refused: {loopback}")),
        ("https://0x7f.1/x", &[], format!("127.0.0.1 is refused: {loopback}")),
        ("https://[::1]/x", &[], format!("[::1] is refused: {loopback}")),
        ("https://[::ffff:7f00:1]/x", &[], format!("[::ffff:7f00:1] is refused: {loopback}")),
        ("http://169.254.169.254/x", everything, format!("169.254.169.254 is refused: {never}")),
        (
            "https://[::ffff:a9fe:a9fe]/x",
            everything,
            format!("[::ffff:a9fe:a9fe] is refused: {never}"),
        ),
        (
            "http://10.0.0.1/x",
            &[],
            "10.0.0.1 is refused: without TLS the address has to be named in allow_cidrs"
                .to_owned(),
        ),
        (
            "ftp://10.0.0.1/x",
            &[],
            "has a url that is not one: it has to begin with https://".into(),
        ),
    ];
    for (url, allowed, expected) in table {
        assert_eq!(refusal(&receiver, url, allowed), format!("sink hook {expected}"), "{url}");
    }
    assert_eq!(refusal(&receiver, "https://10.0.0.1/x", &[]), "built");
}

#[tokio::test]
async fn no_error_or_debug_output_shows_a_url_a_secret_or_an_answer() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let receiver = Receiver::answering(&[500, 401, 410]).await;
    let open = receiver.port;
    let mut shown = String::new();
    for port in [closed, open, open, open] {
        let url = format!("http://MARKED:MARKED@127.0.0.1:{port}/MARKED?token=MARKED");
        let config = receiver.config_with("hook", &url, &["new"], &["127.0.0.1"]);
        let error = sink(&config).deliver(&event(1, None)).await.unwrap_err();
        shown.push_str(&format!("{config:?} {error} {error:?}\n"));
    }
    assert_eq!(receiver.seen().len(), 3);
    assert!(shown.contains("connection refused"), "{shown}");
    for url in ["http://MARKED:x/MARKED", "MARKED", "https://127.0.0.1/MARKED?MARKED"] {
        let config = receiver.config_with("hook", url, &["new"], &[]);
        let Err(error) = build(&config) else { panic!("{url} was taken") };
        shown.push_str(&format!("{config:?} {error} {error:?}\n"));
    }
    assert!(!shown.contains("MARKED"), "{shown}");
    assert!(!shown.contains("C2FVsBQIhrscChlQIMV"), "{shown}");
}

#[tokio::test]
async fn missing_secret_is_known_at_the_start() {
    let receiver = Receiver::answering(&[]).await;
    let url = receiver.url("127.0.0.1");
    let config = receiver.config_with("hook", &url, &["absent"], &["127.0.0.1"]);
    let Err(error) = build(&config) else { panic!("built without its secret") };
    assert!(error.to_string().starts_with("sink hook cannot read a secret: "), "{error}");
    let config = receiver.config_with("hook", &url, &[], &["127.0.0.1"]);
    let Err(error) = build(&config) else { panic!("built without secrets") };
    assert_eq!(error.to_string(), "sink hook needs at least one secret to sign with");
}

#[tokio::test]
async fn url_may_be_a_reference() {
    let receiver = Receiver::answering(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    std::fs::write(&path, receiver.url("127.0.0.1")).unwrap();
    let reference = format!("file:{}", path.display());
    let config = receiver.config_with("hook", &reference, &["new"], &["127.0.0.1"]);
    sink(&config).deliver(&event(1, None)).await.unwrap();
    assert_eq!(receiver.ids(), ["evt_1"]);
}

#[tokio::test]
async fn the_test_message_is_signed_and_needs_a_2xx() {
    let receiver = Receiver::answering(&[200, 403]).await;
    let sink = sink(&receiver.config("hook"));
    let now = Timestamp::UNIX_EPOCH;
    test_sink(&*sink, "prod", now).await.unwrap();
    let error = test_sink(&*sink, "prod", now).await.unwrap_err();
    assert_eq!(error.to_string(), "127.0.0.1 answered 403");
    let seen = receiver.seen();
    assert!(seen[0].is_genuine(NEW));
    let body: serde_json::Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(body["type"], "dev.headcount.sink.test.v1");
}

#[tokio::test]
async fn time_in_the_signature_is_that_of_the_attempt() {
    let receiver = Receiver::answering(&[]).await;
    let clock = ManualClock::at("2026-11-21T00:00:00Z".parse().unwrap());
    let sink = sinks::build_with_clock(&receiver.config("hook"), Arc::new(clock.clone())).unwrap();
    sink.deliver(&event(1, None)).await.unwrap();
    clock.advance(SignedDuration::from_hours(1));
    sink.deliver(&event(1, None)).await.unwrap();
    let [first, second] = &receiver.seen()[..] else { panic!("two requests") };
    assert!(first.is_signed(NEW) && second.is_signed(NEW));
    assert_eq!(first.id(), second.id());
    assert_eq!(first.header("webhook-timestamp"), "1795219200");
    assert_eq!(second.header("webhook-timestamp"), "1795222800");
}

#[test]
fn unknown_keys_are_refused() {
    let parse = |text: &str| serde_json::from_str::<SinkConfig>(text);
    let error = parse(r#"{"name":"x","type":"stdout","path":"/tmp"}"#).unwrap_err().to_string();
    assert!(error.contains("unknown field `path`"), "{error}");
    let error = parse(r#"{"name":"x","type":"webhook","url":"https://h","secret":"s"}"#);
    assert!(error.unwrap_err().to_string().contains("unknown field `secret`"));
    let pasted = r#"{"name":"x","type":"webhook","url":"https://h","secrets":["MARKED"]}"#;
    let error = parse(pasted).unwrap_err().to_string();
    assert!(error.contains("env:NAME") && !error.contains("MARKED"), "{error}");
}
