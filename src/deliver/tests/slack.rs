//! Slack, by what its documentation says of incoming webhooks and of Block Kit.

use axum::body::Body;
use axum::http::Response;
use headcount_core::findings::{FindingStatus, Severity};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::receiver::{Receiver, Seen, saying, with_headers};
use super::told::{resolved, severe, summary, told};
use crate::deliver::{DeliveryError, NamedSink, build, test_sink};
use crate::store::Event;

/// Answers as Slack does: `ok`, or what is wrong with the message.
/// <https://docs.slack.dev/reference/block-kit/blocks>
pub fn slack(seen: &Seen) -> Response<Body> {
    match fault(seen) {
        None => saying(200, "ok"),
        Some(fault) => saying(400, fault),
    }
}

fn fault(seen: &Seen) -> Option<&'static str> {
    let Ok(message) = serde_json::from_slice::<Value>(&seen.body) else {
        return Some("invalid_payload");
    };
    if seen.header("content-type") != "application/json" {
        return Some("invalid_payload");
    }
    let keys = ["text", "blocks", "unfurl_links", "unfurl_media"];
    let known = |key: &String| keys.contains(&key.as_str());
    if !message.as_object().is_some_and(|message| message.keys().all(known)) {
        return Some("invalid_payload");
    }
    let Some(text) = message["text"].as_str().filter(|text| !text.is_empty()) else {
        return Some("no_text");
    };
    let blocks = message["blocks"].as_array().cloned().unwrap_or_default();
    if blocks.is_empty() || blocks.len() > 50 || text.chars().count() > 4_000 {
        return Some("invalid_blocks");
    }
    if message.to_string().chars().count() > 13_000 {
        return Some("msg_blocks_too_long");
    }
    let good = |block: &Value| match block["type"].as_str() {
        Some("header") => is_text(&block["text"], "plain_text", 150),
        Some("section") => is_text(&block["text"], "mrkdwn", 3_000),
        Some("context") => {
            let elements = block["elements"].as_array().unwrap();
            elements.len() <= 10 && elements.iter().all(|e| is_text(e, "mrkdwn", 2_000))
        }
        _ => false,
    };
    (!blocks.iter().all(good)).then_some("invalid_blocks")
}

/// Within its limit, and with no control sequence of Slack's but links.
fn is_text(text: &Value, kind: &str, limit: usize) -> bool {
    let Some(said) = text["text"].as_str() else { return false };
    let links_only =
        kind == "plain_text" || said.split('<').skip(1).all(|rest| rest.starts_with("https://"));
    text["type"] == kind && (1..=limit).contains(&said.chars().count()) && links_only
}

fn sections(message: &Value) -> Vec<String> {
    let blocks = message["blocks"].as_array().unwrap().iter();
    let sections = blocks.filter(|block| block["type"] == "section");
    sections.map(|block| block["text"]["text"].as_str().unwrap().to_owned()).collect()
}

async fn receiver() -> Receiver {
    Receiver::start(slack).await
}

fn sink(receiver: &Receiver, keys: Value) -> NamedSink {
    build(&receiver.config_of("slack", keys)).unwrap()
}

async fn send(receiver: &Receiver, keys: Value, events: &[Event]) -> Value {
    let events: Vec<&Event> = events.iter().collect();
    sink(receiver, keys).deliver_batch(&events).await.unwrap();
    receiver.seen().last().unwrap().json()
}

#[tokio::test]
async fn a_digest_counts_names_the_worst_first_and_says_how_many_more() {
    let receiver = receiver().await;
    let mut events: Vec<Event> = (1..=17).map(|n| severe(n, Severity::Low)).collect();
    events.extend([resolved(18), severe(19, Severity::High), severe(20, Severity::Critical)]);
    let link = json!({"link": "https://h.example.com/findings/{finding}"});
    let message = send(&receiver, link, &events).await;
    let head = "Headcount: 19 opened, 1 resolved (1 critical, 1 high, 17 low)";
    assert_eq!(message["blocks"][0]["text"]["text"], head);
    assert_eq!(message["text"], head);
    let sections = sections(&message);
    assert_eq!(sections.len(), 15);
    let id = events[19].finding.as_deref().unwrap();
    let first = format!(
        "*critical* <https://h.example.com/findings/{id}|Key 20 was not used for 120 days.>\n\
         `stale-credential` in aws, owned by team-billing"
    );
    assert_eq!(sections[0], first);
    assert!(sections[1].starts_with("*high*") && sections[2].starts_with("*low*"));
    let more = &message["blocks"].as_array().unwrap().last().unwrap()["elements"][0]["text"];
    assert_eq!(more, "… and 5 more: `headcount findings`");
}

#[tokio::test]
async fn names_of_others_notify_nobody_and_break_nothing() {
    let receiver = receiver().await;
    let hostile = "<!channel> & <https://evil.example|click>\n> \u{202e}x";
    let event = |n| {
        told(n, |finding, record| {
            finding.title = format!("{hostile}{}", "<".repeat(5_000));
            finding.resolution = Some("&".repeat(5_000));
            record.owner.as_mut().unwrap().reference = hostile.to_owned();
        })
    };
    let link = json!({"link": "https://headcount.example.com/some/where/findings/{finding}"});
    send(&receiver, link, &(1..=40).map(event).collect::<Vec<_>>()).await;
    let message = send(&receiver, json!({}), &[event(1)]).await;
    let [section] = &sections(&message)[..] else { panic!("one section: {message}") };
    let escaped = "&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;\u{fffd}&gt; \u{fffd}x";
    assert!(section.starts_with(&format!("*medium* {escaped}")), "{section}");
    assert!(section.contains(&format!("owned by {escaped}")), "{section}");
}

#[tokio::test]
async fn resolved_accepted_and_first_scans_are_told_in_their_own_words() {
    let receiver = receiver().await;
    let accepted = told(2, |finding, _| {
        finding.status = FindingStatus::Suppressed;
        finding.transitions = 2;
    });
    let message = send(&receiver, json!({}), &[resolved(1), accepted, summary(3)]).await;
    let sections = sections(&message);
    assert_eq!(sections[0], "First scan of aws by prod: 7 records, 2 findings");
    assert!(
        sections[1].starts_with("*resolved* Key 1") && sections[1].ends_with("the key is gone")
    );
    assert!(sections[2].starts_with("*suppressed* Key 2"), "{}", sections[2]);
    let alone = send(&receiver, json!({}), &[summary(3)]).await;
    assert_eq!(alone["text"], "First scan of aws by prod: 7 records, 2 findings");
}

#[tokio::test]
async fn answers_of_slack_are_taken_by_what_to_do() {
    let fate = async |code: u16, body: &'static str| {
        let receiver = Receiver::start(move |_| saying(code, body)).await;
        sink(&receiver, json!({})).deliver(&severe(1, Severity::Low)).await
    };
    assert_eq!(fate(200, "ok").await, Ok(()));
    for (code, body) in [(400, "invalid_payload"), (403, "action_prohibited"), (404, "no_service")]
    {
        let reason = format!("127.0.0.1 answered {code}");
        assert_eq!(fate(code, body).await, Err(DeliveryError::Reject { reason }));
    }
    let archived = DeliveryError::Gone { reason: "127.0.0.1 answered 410".to_owned() };
    assert_eq!(fate(410, "channel_is_archived").await, Err(archived));
    let failed = DeliveryError::retry("127.0.0.1 answered 500");
    assert_eq!(fate(500, "rollup_error").await, Err(failed));
    // A page of a proxy is no message in a channel.
    let reason = "127.0.0.1 answered 200 without `ok`: something else is there".to_owned();
    assert_eq!(fate(200, "<html>").await, Err(DeliveryError::Reject { reason }));

    let busy = Receiver::start(|_| with_headers(429, &[("retry-after", "30")])).await;
    let error = sink(&busy, json!({})).deliver(&severe(1, Severity::Low)).await.unwrap_err();
    let after = Some(SignedDuration::from_secs(30));
    let reason = "127.0.0.1 answered 429".to_owned();
    assert_eq!(error, DeliveryError::Retry { reason, after });
}

#[tokio::test]
async fn the_test_message_is_one_that_slack_takes() {
    let receiver = receiver().await;
    test_sink(&*sink(&receiver, json!({})), "prod", Timestamp::UNIX_EPOCH).await.unwrap();
    let message = receiver.seen()[0].json();
    assert_eq!(message["text"], "Headcount asks whether this sink works. There is nothing to do.");
}

#[test]
fn only_what_is_critical_and_open_is_urgent() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let receiver = runtime.block_on(receiver());
    let sink = sink(&receiver, json!({}));
    let over = told(4, |finding, _| {
        finding.severity = Severity::Critical;
        finding.status = FindingStatus::Resolved;
    });
    let events = [severe(1, Severity::Critical), severe(2, Severity::High), summary(3), over];
    assert_eq!(events.map(|event| sink.is_urgent(&event)), [true, false, false, false]);
}
