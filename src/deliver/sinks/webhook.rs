//! Signed HTTP requests: CloudEvents in structured mode, signed as Standard Webhooks.
//!
//! # What arrives
//!
//! One `POST` per event, with `content-type: application/cloudevents+json`, and a CloudEvent 1.0
//! whose `data` is an OCSF Detection Finding. `webhook-id` is the event's id and the same however
//! often it is sent; `webhook-timestamp` is the time of the attempt; `webhook-signature` holds one
//! `v1` signature for each configured secret, so that secrets can be replaced without a gap.
//! Libraries for [Standard Webhooks](https://www.standardwebhooks.com) verify all three.
//!
//! # When it counts as delivered
//!
//! With any 2xx answer. 408, 409, 425, 429 and 5xx are tried again, not before `Retry-After`; other
//! 4xx and redirects, which are not followed, are tried three times, because somebody has to mend
//! something; 410 is a dead letter at once.
//!
//! # Set it up
//!
//! ```yaml
//! sinks:
//!   - name: security
//!     type: webhook
//!     url: https://hooks.example.com/headcount
//!     secrets: ["env:HEADCOUNT_WEBHOOK_SECRET"]
//! ```

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{DeliveryError, Fault, Sink};
use crate::clock::Clock;
use crate::config::secret::{SecretError, SecretRef};
use crate::deliver::guard::Cidr;
use crate::deliver::http::{Address, Limits, Post, TIMEOUT_SECS};
use crate::deliver::signature::Signer;
use crate::store::Event;

const CONCURRENCY: usize = 32;

/// Signed HTTP requests, in the form of Standard Webhooks.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WebhookSink")]
pub struct WebhookConfig {
    /// Where to post. `https`, unless the address is in `allow_cidrs`. If it holds a token, give a
    /// reference instead (`env:NAME` or `file:PATH`).
    pub url: Address,
    /// References to the secrets that sign (`env:NAME` or `file:PATH`). To replace one, list the
    /// new before the old until the receiver knows it: every message is signed with all of them.
    #[schemars(length(min = 1))]
    pub secrets: Vec<SecretRef>,
    /// Networks that may be reached although they are this machine (`127.0.0.0/8`) or without TLS.
    /// Metadata and link-local addresses cannot be allowed.
    #[serde(default)]
    pub allow_cidrs: Vec<Cidr>,
    /// How long the receiver may take to answer, in seconds.
    #[serde(default = "timeout_secs")]
    #[schemars(range(min = 1, max = 60))]
    pub timeout_secs: u64,
}

const fn timeout_secs() -> u64 {
    TIMEOUT_SECS
}

pub struct Webhook {
    signer: Signer,
    post: Post,
}

impl Webhook {
    pub fn new(name: &str, config: &WebhookConfig, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let secrets: Result<Vec<_>, SecretError> =
            config.secrets.iter().map(SecretRef::resolve).collect();
        let signer = Signer::new(&secrets?)?;
        if signer.is_weak() {
            tracing::warn!(sink = name, "a signing secret is shorter than 24 bytes");
        }
        let limits = Limits {
            timeout_secs: config.timeout_secs,
            connections: CONCURRENCY,
            ..Limits::of(&config.allow_cidrs)
        };
        Ok(Self { signer, post: Post::to(&config.url, limits, clock)? })
    }
}

#[async_trait]
impl Sink for Webhook {
    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    async fn deliver(&self, event: &Event) -> Result<(), DeliveryError> {
        let timestamp = self.post.now().as_second();
        let request = self
            .post
            .request()
            .header(CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
            .header("webhook-id", &event.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.signer.sign(&event.id, timestamp, &event.body))
            .body(event.body.clone());
        self.post.exchange(request).await.map(drop)
    }
}
