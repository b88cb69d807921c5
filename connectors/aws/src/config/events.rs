//! The queue of events, as a person configures it.

use schemars::JsonSchema;

use super::{ConfigError, is_web};

/// A queue that EventBridge, or the notifications of a trail's bucket, write to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// URL of the SQS queue. Nothing else may read from it.
    pub queue_url: String,
    /// The queue's region, where its URL does not tell.
    #[serde(default)]
    pub region: Option<String>,
    /// Seconds between an event and the reading of what it names, 1 to 120: IAM shows a change a
    /// little later than CloudTrail does.
    #[serde(default = "default_settle_secs")]
    #[schemars(range(min = 1, max = 120))]
    pub settle_secs: u32,
}

const fn default_settle_secs() -> u32 {
    10
}

impl Events {
    /// `https://sqs.eu-west-1.amazonaws.com/…`, its older forms, and private endpoints
    /// (`vpce-….sqs.eu-west-1.vpce.amazonaws.com`).
    pub(crate) fn region(&self) -> Option<&str> {
        let told = self.region.as_deref();
        told.or_else(|| {
            let host = self.queue_url.split_once("://")?.1.split(['/', ':']).next()?;
            let labels: Vec<&str> = host.split('.').collect();
            if !labels.contains(&"amazonaws") {
                return None;
            }
            let at = labels.iter().position(|label| matches!(*label, "sqs" | "queue"))?;
            let around = [labels.get(at + 1), at.checked_sub(1).and_then(|at| labels.get(at))];
            around.into_iter().flatten().copied().find(|label| is_region(label))
        })
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let path = self.queue_url.split_once("://").map(|(_, rest)| rest);
        let named = path.is_some_and(|rest| rest.split('/').filter(|p| !p.is_empty()).count() >= 2);
        if !is_web(&self.queue_url) || !named {
            return Err(ConfigError::NotAQueue);
        }
        if !self.region.iter().all(|region| is_region(region)) {
            return Err(ConfigError::NotARegion);
        }
        if !(1..=120).contains(&self.settle_secs) {
            return Err(ConfigError::Settle);
        }
        Ok(())
    }
}

/// `eu-west-1`, `us-gov-west-1`: what may stand in the name of a host.
pub(crate) fn is_region(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.len() <= 32
        && text.chars().all(plain)
        && text.matches('-').count() >= 2
        && text.ends_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use serde_json::{Value, json};

    use crate::Config;

    const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/headcount";

    fn parse(value: Value) -> Result<Config, String> {
        let config: Config = serde_json::from_value(value).map_err(|e| e.to_string())?;
        config.validate().map_err(|e| e.to_string())?;
        Ok(config)
    }

    #[test]
    fn mistakes_are_named() {
        let rows = [
            (json!({ "events": {} }), "missing field `queue_url`"),
            (json!({ "events": { "queue_url": QUEUE, "queue": 1 } }), "unknown field `queue`"),
            (json!({ "events": { "queue_url": "headcount" } }), "events.queue_url is not"),
            (
                json!({ "events": { "queue_url": "https://sqs.example/" } }),
                "events.queue_url is not",
            ),
            (
                json!({ "events": { "queue_url": QUEUE, "region": "eu-west-1/.." } }),
                "events.region is not",
            ),
            (
                json!({ "events": { "queue_url": QUEUE, "settle_secs": 0 } }),
                "events.settle_secs must be",
            ),
        ];
        for (value, expected) in rows {
            let error = parse(value).unwrap_err();
            assert!(error.contains(expected), "{error} lacks {expected}");
        }
    }

    #[test]
    fn a_queue_tells_its_region_unless_it_is_set() {
        let region = |url: &str, set: Option<&str>| {
            let events = json!({ "queue_url": url, "region": set });
            let events = parse(json!({ "events": events })).unwrap().events.unwrap();
            assert_eq!(events.settle_secs, 10);
            events.region().map(str::to_owned)
        };
        let rows = [
            (QUEUE, Some("eu-west-1")),
            ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q", Some("cn-north-1")),
            ("https://eu-west-2.queue.amazonaws.com/123456789012/q", Some("eu-west-2")),
            (
                "https://vpce-0example.sqs.us-gov-west-1.vpce.amazonaws.com/123456789012/q",
                Some("us-gov-west-1"),
            ),
            ("https://queue.amazonaws.com/123456789012/q", None),
            ("http://127.0.0.1:5000/123456789012/sqs.eu-west-1.amazonaws.com", None),
        ];
        for (url, expected) in rows {
            assert_eq!(region(url, None).as_deref(), expected, "{url}");
        }
        assert_eq!(region(QUEUE, Some("us-east-1")).as_deref(), Some("us-east-1"));
    }
}
