//! Syslog: rsyslog over UDP, TCP and TLS.

use headcount::store::Store as _;
use serde_json::{Value, json};

use super::{Bench, SINK, agent, drain, event, titled};
use crate::support::rsyslog::Rsyslog;
use crate::support::testbed::free_port;

fn config(transport: &str, port: u16) -> Value {
    json!({"type": "syslog", "transport": transport, "address": format!("127.0.0.1:{port}")})
}

#[tokio::test]
async fn rsyslog_reads_every_message_as_it_was_meant() {
    let rsyslog = Rsyslog::start().await;
    let mut expected = 0;
    for (transport, port) in [("udp", rsyslog.udp), ("tcp", rsyslog.tcp)] {
        let bench = Bench::new().await;
        let hostile = "break\nand 12 <34>1 frame";
        bench.commit(vec![event(1, 0), titled(2, 1, hostile), event(3, 2)]).await;
        let drained = drain(&bench.deliverer(&config(transport, port))).await;
        assert_eq!((drained.delivered, drained.failed), (3, 0), "{:?}", drained.error);
        expected += 3;
        let messages = rsyslog.messages(expected).await;
        assert_eq!(messages.len(), expected, "{messages:?}");
        let [first, second, _] = &messages[expected - 3..] else { panic!("three") };
        assert_eq!(first["by"], transport);
        assert_eq!((&first["pri"], &first["host"]), (&json!("131"), &json!("prod")));
        assert_eq!(first["time"], "2026-11-21T20:59:58.125Z");
        assert_eq!(
            (&first["app"], &first["msgid"]),
            (&json!("headcount"), &json!("finding.opened"))
        );
        assert_eq!(first["msg"], "high opened: Key 1 was not used for 120 days.");
        let data = first["data"].as_str().unwrap();
        assert!(data.starts_with("[headcount@32473 event=\"evt_1\""), "{data}");
        assert!(data.contains("finding=\"f_1\" rule=\"stale-credential\" severity=\"high\""));
        assert!(data.ends_with(r#"owner="team\]\"\\x"]"#), "{data}");
        assert_eq!(second["msg"], "high opened: break\u{fffd}and 12 <34>1 frame");
    }
}

#[tokio::test]
async fn whole_cloudevents_arrive_byte_for_byte() {
    let (rsyslog, bench) = (Rsyslog::start().await, Bench::new().await);
    let mut config = config("tcp", rsyslog.tcp);
    config["message"] = "json".into();
    let events: Vec<_> = (1..=100).map(|n| titled(n, 0, &"grün ".repeat(3_000))).collect();
    bench.commit(events.clone()).await;
    assert_eq!(drain(&bench.deliverer(&config)).await.delivered, 100);
    let messages = rsyslog.messages(100).await;
    for (message, event) in messages.iter().zip(&events) {
        assert_eq!(message["msg"].as_str().unwrap(), event.body);
    }
}

#[tokio::test]
async fn an_outage_ends_in_dead_letters_and_a_replay_writes_them() {
    let (rsyslog, bench) = (Rsyslog::start().await, Bench::new().await);
    bench.commit(vec![event(1, 0), event(2, 0)]).await;
    let error = bench.give_up(&bench.deliverer(&config("tcp", free_port()))).await;
    assert_eq!(error, "127.0.0.1: connection refused");
    assert_eq!(bench.replay(&bench.deliverer(&config("tcp", rsyslog.tcp))).await, 2);
    assert_eq!(rsyslog.messages(2).await.len(), 2);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (rsyslog, bench) = (Rsyslog::start().await, Bench::new().await);
    bench.commit(vec![event(1, 0)]).await;
    let drained = drain(&bench.deliverer(&config("tls", rsyslog.tls))).await;
    assert_eq!(bench.store.queue(SINK).await.unwrap().pending, 1);
    let error = drained.error.unwrap();
    assert!(error.starts_with("127.0.0.1: TLS failed: "), "{error}");
}

#[tokio::test]
async fn the_command_line_tests_the_sink_over_tls() {
    let rsyslog = Rsyslog::start().await;
    let mut sink = config("tls", rsyslog.tls);
    sink["address"] = format!("localhost:{}", rsyslog.tls).into();
    let agent = agent(&sink);
    let authority = rsyslog.authority();
    let outcome = agent.run_with(&["sinks", "test", SINK], &[("SSL_CERT_FILE", &authority)]).await;
    outcome.ending(0);
    let [message] = &rsyslog.messages(1).await[..] else { panic!("one message") };
    assert_eq!((&message["by"], &message["msgid"]), (&json!("tls"), &json!("sink.test")));
}
