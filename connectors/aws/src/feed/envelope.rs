//! What stands in the body of a message: an event, or the name of an object that holds events.
//!
//! Pure. One queue may be fed in several ways at once: by EventBridge, by notifications of a
//! trail's bucket or by the trail itself, and all of them through SNS.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::event::{self, Event};
use crate::config::is_region;

/// A message in SNS in SNS, and no further.
const DEEPEST: u32 = 3;

/// What SNS carries when CloudTrail tries out a topic.
const TRAIL_TEST: &str = "CloudTrail validation message.";

/// One thing that a message tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    Event(Box<Event>),
    Object(Object),
}

/// Where a file of CloudTrail records lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Object {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) region: Option<String>,
}

/// Why a message was not understood. Says nothing of what was in it.
pub(crate) type Unclear = &'static str;

/// Everything that a message tells of; nothing, when it is about something else.
pub(crate) fn read(body: &str) -> Result<Vec<Notice>, Unclear> {
    unwrap(&parse(body)?, DEEPEST)
}

fn parse(body: &str) -> Result<Value, Unclear> {
    serde_json::from_str(body).map_err(|_| "it is not JSON")
}

fn unwrap(message: &Value, deepest: u32) -> Result<Vec<Notice>, Unclear> {
    let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
    if let Some(kind) = text("/detail-type") {
        return bridged(message, kind);
    }
    match text("/Type") {
        Some("Notification") => {
            let inner = text("/Message").ok_or("a notification without its message")?;
            if inner == TRAIL_TEST {
                return Ok(Vec::new());
            }
            let deepest = deepest.checked_sub(1).ok_or("wrapped too often")?;
            return unwrap(&parse(inner)?, deepest);
        }
        Some("SubscriptionConfirmation" | "UnsubscribeConfirmation") => return Ok(Vec::new()),
        _ => {}
    }
    if let Some(records) = message.get("Records").and_then(Value::as_array) {
        return gathered(records);
    }
    if text("/Event") == Some("s3:TestEvent") {
        return Ok(Vec::new());
    }
    if let (Some(bucket), Some(keys)) =
        (text("/s3Bucket"), message.get("s3ObjectKey").and_then(Value::as_array))
    {
        let keys = keys.iter().map(|key| key.as_str().ok_or("s3ObjectKey"));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let objects = keys.into_iter().map(|key| object(bucket, key.to_owned(), None));
        return Ok(objects.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect());
    }
    if text("/eventSource").is_some() && text("/eventName").is_some() {
        return recorded(message);
    }
    Err("it is neither an event nor a notification")
}

/// An event of EventBridge.
fn bridged(message: &Value, kind: &str) -> Result<Vec<Notice>, Unclear> {
    let detail = message.get("detail").ok_or("an event without its detail")?;
    let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
    match (kind, text("/source")) {
        ("AWS API Call via CloudTrail" | "AWS Service Event via CloudTrail", _) => recorded(detail),
        ("Object Created", Some("aws.s3")) => {
            let bucket = text("/detail/bucket/name").ok_or("detail.bucket.name")?;
            let key = text("/detail/object/key").ok_or("detail.object.key")?;
            Ok(object(bucket, key.to_owned(), text("/region"))?.into_iter().collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// Notifications of S3, or bare records of CloudTrail.
fn gathered(records: &[Value]) -> Result<Vec<Notice>, Unclear> {
    let mut notices = Vec::new();
    for record in records {
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        match text("/eventSource") {
            Some("aws:s3") => {
                let name = text("/eventName").unwrap_or_default();
                if !name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
                    continue;
                }
                let bucket = text("/s3/bucket/name").ok_or("s3.bucket.name")?;
                let key = decoded(text("/s3/object/key").ok_or("s3.object.key")?)?;
                notices.extend(object(bucket, key, text("/awsRegion"))?);
            }
            Some(_) => notices.extend(recorded(record)?),
            None => return Err("a record without its source"),
        }
    }
    Ok(notices)
}

fn recorded(record: &Value) -> Result<Vec<Notice>, Unclear> {
    Ok(event::read(record)?.map(|event| Notice::Event(Box::new(event))).into_iter().collect())
}

/// S3 writes keys as forms do.
fn decoded(key: &str) -> Result<String, Unclear> {
    let key = key.replace('+', " ");
    let key = percent_decode_str(&key).decode_utf8().map_err(|_| "s3.object.key")?;
    Ok(key.into_owned())
}

/// `None` for objects that lie beside the records: digests, insights, whatever else is there.
fn object(bucket: &str, key: String, region: Option<&str>) -> Result<Option<Notice>, Unclear> {
    let is_bucket = (3..=63).contains(&bucket.len())
        && bucket
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c));
    if !is_bucket || bucket.contains("..") {
        return Err("the name of a bucket");
    }
    if key.len() > 1024 || key.chars().any(char::is_control) {
        return Err("the key of an object");
    }
    if !region.is_none_or(is_region) {
        return Err("the name of a region");
    }
    let holds_records = format!("/{key}").contains("/CloudTrail/") && key.ends_with(".json.gz");
    let region = region.map(str::to_owned);
    let object = Object { bucket: bucket.to_owned(), key, region };
    Ok(holds_records.then_some(Notice::Object(object)))
}

#[cfg(test)]
mod tests;
