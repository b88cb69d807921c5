//! One PagerDuty alert per finding, which is resolved with it.
//!
//! # What arrives
//!
//! [Events API v2](https://developer.pagerduty.com/docs/events-api-v2-overview) alert events. The
//! `dedup_key` is the finding's id, so that every event about a finding is about one alert: opened,
//! updated and reopened findings `trigger` (an update of an open alert pages nobody again), resolved
//! ones `resolve`. A finding that an exception accepts is resolved as well, because nobody has to act;
//! when the exception ends, the same key opens a new alert. Severity critical stays `critical`, high
//! is `error`, medium `warning`, low and info `info`.
//!
//! The summary of a source's first scan is not sent: it is no problem of any system.
//!
//! # When it counts as delivered
//!
//! When PagerDuty answers 202 with `status: success`. 429 and 5xx are tried again; a 400 (the routing
//! key or the event is not valid) three times, and then the event is a dead letter.
//!
//! `headcount sinks test` opens an alert of severity info and resolves it at once.
//!
//! # Set it up
//!
//! Add an integration *Events API v2* to a service and give its key by reference. Without a filter
//! every finding becomes an alert, so set one.
//!
//! ```yaml
//! sinks:
//!   - name: pager
//!     type: pagerduty
//!     routing_key: "env:PAGERDUTY_ROUTING_KEY"
//!     filter: { at_least: high }
//! ```

use std::sync::Arc;

use async_trait::async_trait;
use headcount_core::findings::Severity;
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{DeliveryError, Fault, Sink};
use crate::clock::Clock;
use crate::config::secret::SecretRef;
use crate::deliver::guard::Cidr;
use crate::deliver::http::{Address, Limits, Post};
use crate::deliver::reading::{Link, Reading, Standing, TEST, Told, plain};
use crate::store::Event;

/// PagerDuty throttles a service that sends many events at a time.
const CONCURRENCY: usize = 4;
/// <https://developer.pagerduty.com/docs/send-alert-event>
const MOST_SUMMARY: usize = 1_024;
const URL: &str = "https://events.pagerduty.com/v2/enqueue";

/// One PagerDuty alert per finding, which is resolved with it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PagerDutySink")]
pub struct PagerDutyConfig {
    /// Reference to the integration's key (`env:NAME` or `file:PATH`).
    pub routing_key: SecretRef,
    /// Where to post. Accounts in the EU use `https://events.eu.pagerduty.com/v2/enqueue`.
    #[serde(default = "url")]
    #[schemars(extend("default" = URL))]
    pub url: Address,
    /// Where people look at findings: a URL in which `{finding}` and `{rule}` stand for their ids.
    #[serde(default)]
    pub link: Option<Link>,
    /// Networks that may be reached although they are this machine (`127.0.0.0/8`) or without TLS.
    /// Metadata and link-local addresses cannot be allowed.
    #[serde(default)]
    pub allow_cidrs: Vec<Cidr>,
}

fn url() -> Address {
    Address::from(URL.to_owned())
}

pub struct PagerDuty {
    post: Post,
    routing_key: SecretString,
    link: Option<Link>,
}

impl PagerDuty {
    pub fn new(config: &PagerDutyConfig, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let limits = Limits { connections: CONCURRENCY, ..Limits::of(&config.allow_cidrs) };
        Ok(Self {
            post: Post::to(&config.url, limits, clock)?,
            routing_key: config.routing_key.resolve()?,
            link: config.link.clone(),
        })
    }

    async fn send(&self, mut event: Value) -> Result<(), DeliveryError> {
        event["routing_key"] = self.routing_key.expose_secret().trim().into();
        let answer = self.post.exchange(self.post.json(event.to_string())).await?;
        let said: Option<Value> = serde_json::from_slice(&answer.body).ok();
        if said.is_none_or(|said| said["status"] != "success") {
            return Err(self.post.stranger(&answer, "`status: success`"));
        }
        Ok(())
    }

    fn alert(&self, told: &Told) -> Value {
        let mut event = json!({"event_action": action(told.standing), "dedup_key": told.finding});
        if told.standing != Standing::Open {
            return event;
        }
        event["payload"] = json!({
            "summary": plain(&told.title, MOST_SUMMARY),
            "source": plain(&told.subject, MOST_SUMMARY),
            "severity": severity(told.severity),
            "timestamp": told.time,
            "component": plain(&told.subject_name, MOST_SUMMARY),
            "group": told.source,
            "class": told.rule,
            "custom_details": {
                "rule": told.rule_title,
                "owner": told.owner.as_deref().unwrap_or("nobody that is known"),
                "severity": told.severity.as_str(),
                "change": told.change,
                "explain": format!("headcount explain {}", told.rule),
            },
        });
        event["client"] = format!("Headcount ({})", told.agent).into();
        if let Some(link) = &self.link {
            let url = link.to(&told.finding, &told.rule);
            event["client_url"] = url.as_str().into();
            event["links"] = json!([{"href": url, "text": "The finding in Headcount"}]);
        }
        event
    }
}

#[async_trait]
impl Sink for PagerDuty {
    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    async fn deliver(&self, event: &Event) -> Result<(), DeliveryError> {
        match Reading::of(event)? {
            Reading::Finding(told) => self.send(self.alert(&told)).await,
            Reading::Baseline(_) => Ok(()),
            Reading::Test => {
                let key = format!("headcount-test-{}", event.id);
                let payload = json!({"summary": TEST, "source": "headcount", "severity": "info"});
                let open = json!({"event_action": "trigger", "dedup_key": key, "payload": payload});
                self.send(open).await?;
                self.send(json!({"event_action": "resolve", "dedup_key": key})).await
            }
        }
    }
}

const fn action(standing: Standing) -> &'static str {
    match standing {
        Standing::Open => "trigger",
        Standing::Suppressed | Standing::Resolved => "resolve",
    }
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "info",
    }
}
