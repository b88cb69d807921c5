//! Signed HTTP requests: CloudEvents in structured mode, signed as Standard Webhooks.
//!
//! Only a 2xx is success. Redirects are not followed, proxies of the environment not used, and
//! what the receiver answers is neither kept nor logged.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{DeliveryError, Fault, Sink};
use crate::clock::Clock;
use crate::config::secret::{SecretError, SecretRef};
use crate::deliver::guard::{Cidr, Guard, Refused, Transport, Unresolved};
use crate::deliver::retry::LONGEST;
use crate::deliver::signature::Signer;
use crate::store::Event;

const TIMEOUT_SECS: u64 = 20;
const CONCURRENCY: usize = 32;
/// An answer is read this far, so that its connection can be used again.
const MAX_ANSWER: usize = 64 * 1024;
/// A date in a header is one of mail; that its weekday is right does not matter.
const HTTP_DATE: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
const USER_AGENT: &str = concat!("headcount/", env!("CARGO_PKG_VERSION"));

/// Signed HTTP requests, in the form of Standard Webhooks.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WebhookSink")]
pub struct WebhookConfig {
    /// Names the sink in logs, metrics and commands. Unique.
    pub name: String,
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

/// A URL, in the clear or by reference. Never printed: it often holds a token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(from = "String")]
#[schemars(with = "String")]
pub enum Address {
    Clear(SecretString),
    Reference(SecretRef),
}

impl From<String> for Address {
    fn from(text: String) -> Self {
        match text.parse() {
            Ok(reference) => Self::Reference(reference),
            Err(_) => Self::Clear(SecretString::from(text)),
        }
    }
}

impl Address {
    fn resolve(&self) -> Result<Url, Fault> {
        let text = match self {
            Self::Clear(text) => text.clone(),
            Self::Reference(reference) => reference.resolve()?,
        };
        let url = |reason: &str| Fault::Url { reason: reason.to_owned() };
        // The parser's errors name the fault, never the text.
        let parsed: Url =
            text.expose_secret().trim().parse().map_err(|error| url(&format!("{error}")))?;
        match parsed.scheme() {
            "https" | "http" if parsed.has_host() => Ok(parsed),
            _ => Err(url("it has to begin with https://")),
        }
    }
}

pub struct Webhook {
    name: String,
    url: Url,
    /// The one part of the URL that may be shown.
    host: String,
    signer: Signer,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl Webhook {
    pub fn new(config: &WebhookConfig, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let url = config.url.resolve()?;
        let secrets: Result<Vec<_>, SecretError> =
            config.secrets.iter().map(SecretRef::resolve).collect();
        let signer = Signer::new(&secrets?)?;
        if signer.is_weak() {
            tracing::warn!(sink = config.name, "a signing secret is shorter than 24 bytes");
        }
        let transport = if url.scheme() == "https" { Transport::Tls } else { Transport::Plain };
        let host = url.host_str().unwrap_or_default().to_owned();
        let guard = Guard::new(&config.allow_cidrs, transport);
        check_literal(&guard, &host)?;
        let client = Client::builder()
            .dns_resolver(guard)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(config.timeout_secs.clamp(1, 60)))
            .pool_max_idle_per_host(CONCURRENCY)
            .user_agent(USER_AGENT)
            .build()
            .map_err(|error| Fault::Client { reason: cause(&error) })?;
        Ok(Self { name: config.name.clone(), url, host, signer, client, clock })
    }

    /// What to do about a request that got no answer.
    fn unanswered(&self, error: &reqwest::Error) -> DeliveryError {
        if let Some(refused) = refused(error) {
            return DeliveryError::Reject { reason: refused.to_string() };
        }
        DeliveryError::retry(format!("{}: {}", self.host, cause(error)))
    }

    fn answered(&self, response: &Response) -> Result<(), DeliveryError> {
        let status = response.status();
        let reason = format!("{} answered {}", self.host, status.as_u16());
        match status {
            status if status.is_success() => Ok(()),
            StatusCode::GONE => Err(DeliveryError::Gone { reason }),
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::CONFLICT
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS => Err(self.busy(reason, response.headers())),
            status if status.is_redirection() => {
                Err(DeliveryError::Reject { reason: format!("{reason}, a redirect") })
            }
            status if status.is_client_error() => Err(DeliveryError::Reject { reason }),
            _ => Err(self.busy(reason, response.headers())),
        }
    }

    fn busy(&self, reason: String, headers: &HeaderMap) -> DeliveryError {
        let after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = after.and_then(|text| retry_after(text, self.clock.now()));
        DeliveryError::Retry { reason, after }
    }
}

#[async_trait]
impl Sink for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    async fn deliver(&self, event: &Event) -> Result<(), DeliveryError> {
        let timestamp = self.clock.now().as_second();
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
            .header("webhook-id", &event.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.signer.sign(&event.id, timestamp, &event.body))
            .body(event.body.clone());
        let response = request.send().await.map_err(|error| self.unanswered(&error))?;
        let answer = self.answered(&response);
        discard(response).await;
        answer
    }
}

/// Reads the answer to its end, so that the connection can be used again, but not for ever.
async fn discard(mut response: Response) {
    let mut read = 0;
    while read < MAX_ANSWER {
        match response.chunk().await {
            Ok(Some(chunk)) => read += chunk.len(),
            // The status has decided already; a body that breaks off changes nothing.
            Ok(None) | Err(_) => return,
        }
    }
}

/// Names are judged when they are resolved; an address in the URL never is, so it is judged here.
fn check_literal(guard: &Guard, host: &str) -> Result<(), Fault> {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    let Ok(address) = literal.parse::<IpAddr>() else { return Ok(()) };
    let refuse = |refusal| Refused { host: host.to_owned(), refusal };
    Ok(guard.check(address).map_err(refuse)?)
}

/// How long the receiver asks to be left alone: seconds or an HTTP date.
fn retry_after(text: &str, now: Timestamp) -> Option<SignedDuration> {
    let wait = match text.trim().parse::<u32>() {
        Ok(seconds) => SignedDuration::from_secs(i64::from(seconds)),
        Err(_) => {
            let at = HTTP_DATE.parse_timestamp(text.trim()).ok()?;
            at.duration_since(now).max(SignedDuration::ZERO)
        }
    };
    Some(wait.min(LONGEST))
}

fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let error: &(dyn Error + 'static) = error;
    std::iter::successors(Some(error), |error| (*error).source())
}

fn refused(error: &reqwest::Error) -> Option<&Refused> {
    chain(error).find_map(|error| match error.downcast_ref() {
        Some(Unresolved::Refused(refused)) => Some(refused),
        _ => None,
    })
}

/// What went wrong, in words that hold nothing of the URL. Only causes that are known to be free
/// of it are quoted.
fn cause(error: &reqwest::Error) -> String {
    for error in chain(error) {
        let inner = error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        let tls = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(tls) = tls.or_else(|| error.downcast_ref()) {
            return format!("TLS failed: {tls}");
        }
    }
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    if error.is_dns() {
        return "the name cannot be resolved".to_owned();
    }
    let io = chain(error).find_map(|error| error.downcast_ref::<std::io::Error>());
    match io {
        Some(io) => io.kind().to_string(),
        None if error.is_builder() => "no TLS roots or settings that fit".to_owned(),
        None => "the connection failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn pauses_are_read_as_seconds_and_as_dates() {
        let now: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
        let seconds = |text| retry_after(text, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:51:37 GMT"), Some(120));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(seconds("4000000000"), Some(86_400));
        assert_eq!(seconds("Fri, 06 Nov 2054 08:49:37 GMT"), Some(86_400));
        assert_eq!(seconds("soon"), None);
        assert_eq!(seconds("-5"), None);
    }
}
