//! Events into Splunk, over its HTTP Event Collector.
//!
//! # What arrives
//!
//! Several events a request, each in the collector's envelope: `event` is the OCSF Detection Finding
//! (or the summary of a first scan), `time` the moment of the step in seconds with milliseconds,
//! `host` the agent's name, `source` `headcount`. `metadata.uid` in the finding is the same however
//! often it is sent, so `dedup metadata.uid` removes repeats.
//!
//! # When it counts as delivered
//!
//! When the collector answers 200 with `code: 0`: it has the events. 503 and 500 are tried again; 400,
//! 401 and 403 three times, and then the events are dead letters. An error says the collector's code
//! in plain words. A request of several events that is refused is sent again one by one, so that
//! none fails for another. Tokens with *indexer acknowledgement* are not supported.
//!
//! # Set it up
//!
//! ```yaml
//! sinks:
//!   - name: siem
//!     type: splunk
//!     url: https://splunk.example.com:8088
//!     token: "env:SPLUNK_HEC_TOKEN"
//!     index: security
//! ```

use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Batch, DeliveryError, Fault, Sink};
use crate::clock::Clock;
use crate::config::secret::SecretRef;
use crate::deliver::guard::Cidr;
use crate::deliver::http::{Address, Answer, Limits, Post};
use crate::store::Event;

const PATH: &str = "/services/collector/event";
const SOURCETYPE: &str = "_json";
/// Splunk Cloud takes requests of 1 MB:
/// <https://docs.splunk.com/Documentation/SplunkCloud/latest/Service/SplunkCloudservice>.
const MOST_BYTES: usize = 800_000;

/// Events into Splunk, over its HTTP Event Collector.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SplunkSink")]
pub struct SplunkConfig {
    /// Where the collector is; without a path, `/services/collector/event` is added.
    pub url: Address,
    /// Reference to the collector's token (`env:NAME` or `file:PATH`).
    pub token: SecretRef,
    /// The index to write to. Without it, the token's own.
    #[serde(default)]
    pub index: Option<String>,
    /// What Splunk calls events of this kind.
    #[serde(default = "sourcetype")]
    pub sourcetype: String,
    /// Networks that may be reached although they are this machine (`127.0.0.0/8`) or without TLS.
    /// Metadata and link-local addresses cannot be allowed.
    #[serde(default)]
    pub allow_cidrs: Vec<Cidr>,
}

fn sourcetype() -> String {
    SOURCETYPE.to_owned()
}

pub struct Splunk {
    post: Post,
    token: SecretString,
    index: Option<String>,
    sourcetype: String,
}

impl Splunk {
    pub fn new(config: &SplunkConfig, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let mut url = config.url.resolve(&["https", "http"])?;
        if url.path() == "/" {
            url.set_path(PATH);
        }
        Ok(Self {
            post: Post::new(url, Limits::of(&config.allow_cidrs), clock)?,
            token: config.token.resolve()?,
            index: config.index.clone(),
            sourcetype: config.sourcetype.clone(),
        })
    }

    /// <https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/format-events-for-http-event-collector>
    fn envelope(&self, event: &Event) -> Result<Value, DeliveryError> {
        let unreadable = |_| DeliveryError::Reject { reason: "the event is no JSON".to_owned() };
        let mut body: Value = serde_json::from_str(&event.body).map_err(unreadable)?;
        let agent = body["source"].as_str().unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "milliseconds stay far below 2^53")]
        let time = event.time.as_millisecond() as f64 / 1_000.0;
        let mut envelope = json!({
            "time": time,
            "host": agent.strip_prefix("/agents/").unwrap_or(agent),
            "source": "headcount",
            "sourcetype": self.sourcetype,
        });
        envelope["event"] = body["data"].take();
        if let Some(index) = &self.index {
            envelope["index"] = index.as_str().into();
        }
        Ok(envelope)
    }

    fn authorization(&self) -> Result<HeaderValue, DeliveryError> {
        let text = format!("Splunk {}", self.token.expose_secret().trim());
        let mut header = HeaderValue::try_from(text)
            .map_err(|_| DeliveryError::Reject { reason: "the token is none".to_owned() })?;
        header.set_sensitive(true);
        Ok(header)
    }
}

#[async_trait]
impl Sink for Splunk {
    fn batch(&self) -> Option<Batch> {
        Some(Batch { bytes: MOST_BYTES, ..Batch::default() })
    }

    async fn deliver(&self, event: &Event) -> Result<(), DeliveryError> {
        self.deliver_batch(&[event]).await
    }

    async fn deliver_batch(&self, events: &[&Event]) -> Result<(), DeliveryError> {
        let mut body = String::new();
        for event in events {
            // Writing to a String cannot fail.
            let _ = writeln!(body, "{}", self.envelope(event)?);
        }
        let request = self.post.json(body).header(AUTHORIZATION, self.authorization()?);
        let answer = self.post.send(request).await?;
        let code = code(&answer);
        let note = code.and_then(meaning).map(|text| format!(" ({text})")).unwrap_or_default();
        self.post.judge(&answer, &note)?;
        if code != Some(0) {
            return Err(self.post.stranger(&answer, "`code: 0`"));
        }
        Ok(())
    }
}

fn code(answer: &Answer) -> Option<u64> {
    serde_json::from_slice::<Value>(&answer.body).ok()?.get("code")?.as_u64()
}

/// What the collector means, in words of ours:
/// <https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/troubleshoot-http-event-collector>.
const fn meaning(code: u64) -> Option<&'static str> {
    match code {
        1 | 22 => Some("the token is disabled"),
        2 | 3 => Some("it wants a token in another form"),
        4 | 21 => Some("the token is not known"),
        5 | 6 | 12 | 13 | 15 => Some("it cannot read the event"),
        7 => Some("the token may not write to this index"),
        8 => Some("it failed inside"),
        9 | 18 | 20 | 24 | 25 | 26 | 27 => Some("it is busy"),
        10 | 11 => Some("the token wants indexer acknowledgement, which is not supported"),
        23 => Some("it is shutting down"),
        _ => None,
    }
}
