//! NATS: the real server, with JetStream.

use async_nats::jetstream::{self, stream};
use serde_json::{Value, json};

use super::{Bench, SINK, agent, drain, event};
use crate::support::nats::Nats;
use headcount::store::Store as _;

const SUBJECT: &str = "security.headcount";

fn config(nats: &Nats) -> Value {
    json!({"type": "nats", "url": nats.url(), "subject": SUBJECT})
}

/// Makes the stream that takes the subject.
async fn stream(nats: &Nats) -> stream::Stream {
    let client = async_nats::connect(nats.url()).await.unwrap();
    let config = stream::Config {
        name: "HEADCOUNT".to_owned(),
        subjects: vec!["security.>".to_owned()],
        ..stream::Config::default()
    };
    jetstream::new(client).create_stream(config).await.unwrap()
}

async fn count(stream: &stream::Stream) -> u64 {
    stream.get_info().await.unwrap().state.messages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_stored_once_under_the_id_of_their_event() {
    let nats = Nats::start(&[]);
    let stream = stream(&nats).await;
    let bench = Bench::new().await;
    let deliverer = bench.deliverer(&config(&nats));
    let events: Vec<_> = (1..=200).map(|n| event(n, 0)).collect();
    bench.commit(events.clone()).await;
    let drained = drain(&deliverer).await;
    assert_eq!((drained.delivered, drained.failed), (200, 0), "{:?}", drained.error);
    assert_eq!(count(&stream).await, 200);
    let stored = stream.get_raw_message(1).await.unwrap();
    let header = |name: &str| stored.headers.get(name).unwrap().as_str().to_owned();
    let of = events.iter().find(|event| event.id == header("Nats-Msg-Id")).unwrap();
    assert_eq!(stored.payload, of.body.as_bytes());
    assert_eq!(stored.subject.as_str(), SUBJECT);
    assert_eq!(header("Content-Type"), "application/cloudevents+json");

    // The same events from an agent that lost its memory of having sent them.
    let again = Bench::new().await;
    again.commit(events).await;
    assert_eq!(drain(&again.deliverer(&config(&nats))).await.delivered, 200);
    assert_eq!(count(&stream).await, 200, "the server knows the ids");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_and_comes_back_gets_everything() {
    let mut nats = Nats::start(&[]);
    let stream = stream(&nats).await;
    let bench = Bench::new().await;
    let deliverer = bench.deliverer(&config(&nats));
    bench.commit(vec![event(1, 0)]).await;
    assert_eq!(drain(&deliverer).await.delivered, 1);
    nats.stop();
    bench.commit(vec![event(2, 0), event(3, 0)]).await;
    let error = bench.give_up(&deliverer).await;
    assert!(error.starts_with("127.0.0.1: "), "{error}");
    nats.start_again();
    assert_eq!(bench.replay(&deliverer).await, 2);
    assert_eq!(count(&stream).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subject_that_no_stream_takes_is_a_failure_and_not_a_loss() {
    let nats = Nats::start(&[]);
    let bench = Bench::new().await;
    let deliverer = bench.deliverer(&config(&nats));
    bench.commit(vec![event(1, 0)]).await;
    let drained = drain(&deliverer).await;
    assert_eq!((drained.delivered, drained.queue.pending), (0, 1));
    assert_eq!(drained.error.as_deref(), Some("127.0.0.1: no stream takes the subject"));
    let stream = stream(&nats).await;
    bench.clock.advance(jiff::SignedDuration::from_secs(10));
    assert_eq!(drain(&deliverer).await.delivered, 1);
    assert_eq!(count(&stream).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_credentials_are_said_without_being_shown_and_end_in_dead_letters() {
    let nats = Nats::start(&["--user", "agent", "--pass", "EXAMPLE-right"]);
    let bench = Bench::new().await;
    let url = format!("nats://agent:EXAMPLE-wrong@127.0.0.1:{}", nats.port);
    let deliverer = bench.deliverer(&json!({"type": "nats", "url": url}));
    bench.commit(vec![event(1, 0)]).await;
    for _ in 0..3 {
        drain(&deliverer).await;
        bench.clock.advance(jiff::SignedDuration::from_hours(1));
    }
    let [letter] = &bench.store.dead_letters(SINK).await.unwrap()[..] else { panic!("one") };
    assert_eq!(letter.attempts, 3);
    assert_eq!(letter.error, "127.0.0.1: the server refuses the credentials");
    let right = format!("nats://agent:EXAMPLE-right@127.0.0.1:{}", nats.port);
    let right = bench.deliverer(&json!({"type": "nats", "url": right}));
    bench.store.replay(SINK, None, jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    let error = drain(&right).await.error.unwrap();
    assert_eq!(error, "127.0.0.1: no stream takes the subject", "let in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_tests_the_sink() {
    let nats = Nats::start(&[]);
    let agent = agent(&config(&nats));
    let failed = agent.run(&["sinks", "test", SINK]).await.ending(1);
    assert!(failed.stderr.contains("no stream takes the subject"), "{}", failed.stderr);
    let stream = stream(&nats).await;
    agent.run(&["sinks", "test", SINK]).await.ending(0);
    let message = stream.get_raw_message(1).await.unwrap();
    let body: Value = serde_json::from_slice(&message.payload).unwrap();
    assert_eq!(body["type"], "dev.headcount.sink.test.v1");
    assert!(nats.folder().exists());
}
