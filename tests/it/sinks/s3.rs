//! S3, as moto has it.

use std::collections::BTreeSet;
use std::io::Read as _;

use flate2::read::GzDecoder;
use headcount::store::{Event, Store as _};
use object_store::ObjectStoreExt as _;
use object_store::aws::AmazonS3Builder;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Bench, SINK, agent, drain, event};
use crate::support::moto::Moto;
use crate::support::testbed::free_port;

const BUCKET: &str = "acme-security";

/// Keys of an access key, as files: what a sink refers to.
struct Keys(TempDir);

impl Keys {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("id"), "AKIAIOSFODNN7EXAMPLE\n").unwrap();
        std::fs::write(folder.path().join("key"), "not-a-secret\n").unwrap();
        Self(folder)
    }

    fn config(&self, endpoint: &str) -> Value {
        let reference = |name| format!("file:{}", self.0.path().join(name).display());
        json!({
            "type": "s3",
            "bucket": BUCKET,
            "prefix": "agents/prod",
            "endpoint_url": endpoint,
            "access_key_id": reference("id"),
            "secret_access_key": reference("key"),
        })
    }
}

fn moto() -> Moto {
    let moto = Moto::start();
    moto.call([("s3", "create_bucket", json!({"Bucket": BUCKET}))]);
    moto
}

fn keys_in(moto: &Moto) -> Vec<String> {
    let [listed] = moto.call([("s3", "list_objects_v2", json!({"Bucket": BUCKET}))]);
    let objects = listed["Contents"].as_array().cloned().unwrap_or_default();
    objects.iter().map(|object| object["Key"].as_str().unwrap().to_owned()).collect()
}

/// The lines of an object.
async fn lines(moto: &Moto, key: &str) -> Vec<String> {
    let client = AmazonS3Builder::new()
        .with_bucket_name(BUCKET)
        .with_endpoint(moto.url())
        .with_allow_http(true)
        .with_access_key_id("AKIAIOSFODNN7EXAMPLE")
        .with_secret_access_key("not-a-secret")
        .build()
        .unwrap();
    let bytes = client.get(&key.into()).await.unwrap().bytes().await.unwrap();
    let mut text = String::new();
    if key.ends_with(".gz") {
        GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(bytes.to_vec()).unwrap();
    }
    text.lines().map(str::to_owned).collect()
}

fn bodies(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.body.clone()).collect()
}

#[tokio::test]
async fn objects_hold_the_events_of_one_hour_and_are_written_once() {
    let (moto, keys, bench) = (moto(), Keys::new(), Bench::new().await);
    let config = keys.config(moto.url());
    // Two seconds before the hour, and after it.
    let events = vec![event(1, 0), event(2, 1), event(3, 2), event(4, 3)];
    bench.commit(events.clone()).await;
    let drained = drain(&bench.deliverer(&config)).await;
    assert_eq!((drained.delivered, drained.failed), (4, 0), "{:?}", drained.error);
    let written = keys_in(&moto);
    let stems: Vec<&str> = written.iter().map(|key| key.rsplit_once('-').unwrap().0).collect();
    assert_eq!(
        stems,
        [
            "agents/prod/dt=2026-11-21/hour=20/00000000000000000001-00000000000000000002",
            "agents/prod/dt=2026-11-21/hour=21/00000000000000000003-00000000000000000004",
        ]
    );
    assert!(written.iter().all(|key| key.ends_with(".ndjson.gz")), "{written:?}");
    assert_eq!(lines(&moto, &written[0]).await, bodies(&events[..2]));
    assert_eq!(lines(&moto, &written[1]).await, bodies(&events[2..]));

    // An agent that lost its memory of having written them writes them nowhere else.
    let again = Bench::new().await;
    again.commit(events).await;
    assert_eq!(drain(&again.deliverer(&config)).await.delivered, 4);
    assert_eq!(keys_in(&moto), written);
    // Other events under the same numbers (another agent with this prefix) take nothing away.
    let other = Bench::new().await;
    let others = vec![super::titled(1, 0, "x"), event(2, 1)];
    other.commit(others.clone()).await;
    assert_eq!(drain(&other.deliverer(&config)).await.delivered, 2);
    let all: BTreeSet<String> = keys_in(&moto).into_iter().collect();
    assert_eq!(all.len(), 3);
    let third = all.iter().find(|key| !written.contains(key)).unwrap();
    assert_eq!(lines(&moto, third).await, bodies(&others));
    assert_eq!(lines(&moto, &written[0]).await, bodies(&[event(1, 0), event(2, 1)]));
}

#[tokio::test]
async fn an_outage_ends_in_dead_letters_and_a_replay_writes_them() {
    let (moto, keys, bench) = (moto(), Keys::new(), Bench::new().await);
    let nobody = format!("http://127.0.0.1:{}", free_port());
    bench.commit(vec![event(1, 0), event(2, 0)]).await;
    let error = bench.give_up(&bench.deliverer(&keys.config(&nobody))).await;
    assert_eq!(error, "bucket acme-security: no answer, or not with success");
    let mut config = keys.config(moto.url());
    config["compression"] = "none".into();
    let deliverer = bench.deliverer(&config);
    assert_eq!(bench.replay(&deliverer).await, 2);
    let [key] = &keys_in(&moto)[..] else { panic!("one object") };
    assert!(key.ends_with(".ndjson"), "{key}");
    assert_eq!(lines(&moto, key).await, bodies(&[event(1, 0), event(2, 0)]));
}

#[tokio::test]
async fn a_bucket_that_is_not_there_or_not_open_is_said_and_nothing_is_lost() {
    let (moto, keys) = (moto(), Keys::new());
    let mut absent = keys.config(moto.url());
    absent["bucket"] = "acme-absent".into();
    let fate = async |config: &Value| {
        let bench = Bench::new().await;
        bench.commit(vec![event(1, 0)]).await;
        let drained = drain(&bench.deliverer(config)).await;
        assert_eq!(bench.store.queue(SINK).await.unwrap().pending, 1);
        drained.error.unwrap()
    };
    assert_eq!(fate(&absent).await, "bucket acme-absent: there is none");
    moto.enforce_policies().await;
    let closed = fate(&keys.config(moto.url())).await;
    assert_eq!(closed, "bucket acme-security: the credentials may not write to it");
}

#[tokio::test]
async fn the_command_line_tests_the_sink_with_the_credentials_of_the_environment() {
    let moto = moto();
    let sink = json!({"type": "s3", "bucket": BUCKET, "endpoint_url": moto.url()});
    agent(&sink).run(&["sinks", "test", SINK]).await.ending(0);
    let [key] = &keys_in(&moto)[..] else { panic!("one object") };
    assert!(key.starts_with("headcount/dt="), "{key}");
    let [line] = &lines(&moto, key).await[..] else { panic!("one line") };
    assert!(line.contains("dev.headcount.sink.test.v1"), "{line}");
}
