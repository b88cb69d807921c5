//! Every way in which an event may come, and what does not come through.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use serde_json::{Value, json};

use super::*;

fn record() -> Value {
    json!({
        "eventSource": "iam.amazonaws.com", "eventName": "CreateRole", "awsRegion": "us-east-1",
        "recipientAccountId": "123456789012", "requestParameters": {"roleName": "deployer"},
        "userIdentity": {"type": "IAMUser", "userName": "ana"},
    })
}

fn bridged(kind: &str, source: &str, detail: Value) -> Value {
    json!({"version": "0", "id": "e1", "detail-type": kind, "source": source,
        "account": "123456789012", "region": "us-east-1", "detail": detail})
}

fn in_sns(message: &Value) -> Value {
    json!({"Type": "Notification", "MessageId": "m1", "Message": message.to_string(),
        "TopicArn": "arn:aws:sns:us-east-1:123456789012:headcount"})
}

const KEY: &str =
    "AWSLogs/o-example/123456789012/CloudTrail/us-east-1/2026/01/15/123456789012_x.json.gz";

fn notified(bucket: &str, key: &str) -> Value {
    json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "awsRegion": "eu-west-1", "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}]})
}

fn object(region: Option<&str>) -> Vec<Notice> {
    vec![Notice::Object(Object {
        bucket: "trail".to_owned(),
        key: KEY.to_owned(),
        region: region.map(str::to_owned),
    })]
}

fn read_value(message: &Value) -> Result<Vec<Notice>, Unclear> {
    read(&message.to_string())
}

#[test]
fn an_event_is_found_in_every_wrapping() {
    let event = bridged("AWS API Call via CloudTrail", "aws.iam", record());
    let twice = in_sns(&in_sns(&event));
    for message in [
        record(),
        event.clone(),
        in_sns(&event),
        twice,
        in_sns(&record()),
        bridged("AWS Service Event via CloudTrail", "aws.iam", record()),
        json!({"Records": [record()]}),
    ] {
        let notices = read_value(&message).unwrap();
        let [Notice::Event(event)] = &notices[..] else { panic!("{message}: {notices:?}") };
        assert_eq!(event.place.to_string(), "aws:123456789012");
        assert_eq!(event.hints.len(), 1);
    }
}

#[test]
fn a_file_of_records_is_found_in_every_wrapping() {
    let notification = notified("trail", KEY);
    assert_eq!(read_value(&notification), Ok(object(Some("eu-west-1"))));
    assert_eq!(read_value(&in_sns(&notification)), Ok(object(Some("eu-west-1"))));
    let by_trail = json!({"s3Bucket": "trail", "s3ObjectKey": [KEY]});
    assert_eq!(read_value(&in_sns(&by_trail)), Ok(object(None)));
    let detail = json!({"bucket": {"name": "trail"}, "object": {"key": KEY}});
    let by_bridge = bridged("Object Created", "aws.s3", detail);
    assert_eq!(read_value(&by_bridge), Ok(object(Some("us-east-1"))));
    let escaped = notified("trail", "my+logs/AWSLogs/%C3%A9/CloudTrail/x.json.gz");
    let [Notice::Object(found)] = &read_value(&escaped).unwrap()[..] else { panic!() };
    assert_eq!(found.key, "my logs/AWSLogs/é/CloudTrail/x.json.gz");
}

#[test]
fn what_is_about_something_else_is_understood_and_empty() {
    let digest = KEY.replace("/CloudTrail/", "/CloudTrail-Digest/");
    let mut removed = notified("trail", KEY);
    removed["Records"][0]["eventName"] = json!("ObjectRemoved:Delete");
    let mut other = record();
    other["eventSource"] = json!("ec2.amazonaws.com");
    for message in [
        notified("trail", &digest),
        notified("trail", "reports/2026.csv"),
        removed,
        other.clone(),
        json!({"Records": []}),
        bridged("AWS API Call via CloudTrail", "aws.ec2", other),
        bridged("Scheduled Event", "aws.events", json!({})),
        json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "trail"}),
        json!({"Type": "Notification", "Message": "CloudTrail validation message."}),
        json!({"Type": "SubscriptionConfirmation", "Message": "…", "SubscribeURL": "https://x"}),
    ] {
        assert_eq!(read_value(&message), Ok(Vec::new()), "{message}");
    }
}

#[test]
fn what_is_not_understood_is_no_empty_message() {
    let mut nobodys = record();
    nobodys["recipientAccountId"] = Value::Null;
    let deep = (0..5).fold(record(), |message, _| in_sns(&message));
    let mut without_detail = bridged("AWS API Call via CloudTrail", "aws.iam", Value::Null);
    without_detail.as_object_mut().unwrap().remove("detail");
    for message in [
        json!({}),
        json!([]),
        json!(null),
        json!({"hello": "world"}),
        json!({"Type": "Notification"}),
        json!({"Type": "Notification", "Message": "not JSON"}),
        json!({"Records": [{}]}),
        json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]}),
        json!({"s3Bucket": "trail", "s3ObjectKey": [1]}),
        bridged("AWS API Call via CloudTrail", "aws.iam", nobodys.clone()),
        nobodys,
        without_detail,
        deep,
        notified("Trail", KEY),
        notified("a/../b", KEY),
        notified("169.254.169.254#", KEY),
        notified("trail", &"x".repeat(2000)),
    ] {
        assert!(read_value(&message).is_err(), "{message}");
    }
    let mut elsewhere = notified("trail", KEY);
    elsewhere["Records"][0]["awsRegion"] = json!("evil.example/");
    assert!(read_value(&elsewhere).is_err());
    for body in ["", "hello", "{", "\u{0}", "[[[[[[[["] {
        assert!(read(body).is_err(), "{body}");
    }
    assert!(read(&"[".repeat(1_000_000)).is_err(), "the parser does not follow it down");
}
