//! One address that sinks post to: who may be reached, for how long, and what an answer means.
//!
//! Every sink over HTTP goes through here. Redirects are not followed, proxies of the environment
//! not used. What a receiver answers is read for a sink that has to know more than the status, and
//! neither kept nor logged; an error names the host and the status, never the URL (which may be a
//! secret), a header or a word of the answer.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, redirect};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::DeliveryError;
use super::guard::{Cidr, Guard, Refused, Transport, Unresolved};
use super::retry::LONGEST;
use super::sinks::Fault;
use crate::clock::Clock;
use crate::config::secret::SecretRef;

/// How long a receiver may take when nothing else is configured.
pub const TIMEOUT_SECS: u64 = 20;
/// An answer is read this far, so that its connection can be used again.
const MAX_ANSWER: usize = 64 * 1024;
/// A date in a header is one of mail; that its weekday is right does not matter.
const HTTP_DATE: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);
const USER_AGENT: &str = concat!("headcount/", env!("CARGO_PKG_VERSION"));

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
    /// The URL, if its scheme is one of `schemes`, the first of which is the one to use.
    pub fn resolve(&self, schemes: &[&str]) -> Result<Url, Fault> {
        let text = match self {
            Self::Clear(text) => text.clone(),
            Self::Reference(reference) => reference.resolve()?,
        };
        let url = |reason: String| Fault::Url { reason };
        // The parser's errors name the fault, never the text.
        let parsed: Url =
            text.expose_secret().trim().parse().map_err(|error| url(format!("{error}")))?;
        if schemes.contains(&parsed.scheme()) && parsed.has_host() {
            return Ok(parsed);
        }
        let first = schemes.first().copied().unwrap_or_default();
        Err(url(format!("it has to begin with {first}://")))
    }
}

/// Whom a client may reach, and how patient it is.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    pub allow_cidrs: &'a [Cidr],
    pub timeout_secs: u64,
    /// Connections that are kept open.
    pub connections: usize,
}

impl<'a> Limits<'a> {
    /// The usual ones, for one request at a time.
    #[must_use]
    pub const fn of(allow_cidrs: &'a [Cidr]) -> Self {
        Self { allow_cidrs, timeout_secs: TIMEOUT_SECS, connections: 1 }
    }

    /// A client that may reach this URL and no address that the guard refuses.
    pub fn client(&self, url: &Url) -> Result<Client, Fault> {
        let transport = if url.scheme() == "https" { Transport::Tls } else { Transport::Plain };
        let guard = Guard::new(self.allow_cidrs, transport);
        check_literal(&guard, url.host_str().unwrap_or_default())?;
        Client::builder()
            .dns_resolver(guard)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(self.timeout_secs.clamp(1, 60)))
            .pool_max_idle_per_host(self.connections)
            .user_agent(USER_AGENT)
            .build()
            .map_err(|error| Fault::Client { reason: cause(&error) })
    }
}

/// One address, ready to be posted to.
pub struct Post {
    url: Url,
    /// The one part of the URL that may be shown.
    host: String,
    client: Client,
    clock: Arc<dyn Clock>,
}

/// What came back: a status, and as much of the body as was read.
pub struct Answer {
    pub status: StatusCode,
    pub body: Vec<u8>,
    after: Option<SignedDuration>,
}

impl Post {
    /// To an address as configured.
    pub fn to(address: &Address, limits: Limits<'_>, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        Self::new(address.resolve(&["https", "http"])?, limits, clock)
    }

    pub fn new(url: Url, limits: Limits<'_>, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let client = limits.client(&url)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        Ok(Self { url, host, client, clock })
    }

    /// The time by which signatures are made.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn request(&self) -> RequestBuilder {
        self.client.post(self.url.clone())
    }

    /// A request with a body of JSON.
    pub fn json(&self, body: String) -> RequestBuilder {
        self.request().header(CONTENT_TYPE, "application/json").body(body)
    }

    /// Sends, and takes nothing for an answer but success.
    pub async fn exchange(&self, request: RequestBuilder) -> Result<Answer, DeliveryError> {
        let answer = self.send(request).await?;
        self.judge(&answer, "")?;
        Ok(answer)
    }

    /// Sends, and reads the answer to its end, so that the connection can be used again, but not
    /// for ever. An error here is one of a request that got no answer.
    pub async fn send(&self, request: RequestBuilder) -> Result<Answer, DeliveryError> {
        let response = request.send().await.map_err(|error| self.unanswered(&error))?;
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = after.and_then(|text| retry_after(text, self.now()));
        let status = response.status();
        Ok(Answer { status, after, body: read(response).await })
    }

    /// What to do about an answer: only a 2xx is success. `note` is said with a failure, and may
    /// hold nothing that the receiver said.
    pub fn judge(&self, answer: &Answer, note: &str) -> Result<(), DeliveryError> {
        let reason = format!("{} answered {}{note}", self.host, answer.status.as_u16());
        match answer.status {
            status if status.is_success() => Ok(()),
            StatusCode::GONE => Err(DeliveryError::Gone { reason }),
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::CONFLICT
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS => {
                Err(DeliveryError::Retry { reason, after: answer.after })
            }
            status if status.is_redirection() => {
                Err(DeliveryError::Reject { reason: format!("{reason}, a redirect") })
            }
            status if status.is_client_error() => Err(DeliveryError::Reject { reason }),
            _ => Err(DeliveryError::Retry { reason, after: answer.after }),
        }
    }

    /// A success that does not say what this kind of receiver says: something else answers there.
    #[must_use]
    pub fn stranger(&self, answer: &Answer, expected: &str) -> DeliveryError {
        let (host, status) = (&self.host, answer.status.as_u16());
        DeliveryError::Reject {
            reason: format!("{host} answered {status} without {expected}: something else is there"),
        }
    }

    fn unanswered(&self, error: &reqwest::Error) -> DeliveryError {
        if let Some(refused) = refused(error) {
            return DeliveryError::Reject { reason: refused.to_string() };
        }
        DeliveryError::retry(format!("{}: {}", self.host, cause(error)))
    }
}

async fn read(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < MAX_ANSWER {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            // What a sink needs of it is missing then, which it says.
            Ok(None) | Err(_) => break,
        }
    }
    body
}

/// Names are judged when they are resolved; an address in the URL never is, so it is judged here.
pub fn check_literal(guard: &Guard, host: &str) -> Result<(), Fault> {
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

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// The guard's refusal, if that is what stands behind an error.
#[must_use]
pub fn refused<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Refused> {
    chain(error).find_map(|error| match error.downcast_ref() {
        Some(Unresolved::Refused(refused)) => Some(refused),
        _ => None,
    })
}

/// What went wrong, in words that hold nothing of the URL. Only causes that are known to be free
/// of it are quoted.
fn cause(error: &reqwest::Error) -> String {
    if let Some(tls) = tls_fault(error) {
        return tls;
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

/// Why TLS failed, if it did.
#[must_use]
pub fn tls_fault(error: &(dyn Error + 'static)) -> Option<String> {
    chain(error).find_map(|error| {
        let inner = error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        let tls = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let tls = tls.or_else(|| error.downcast_ref())?;
        Some(format!("TLS failed: {tls}"))
    })
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
