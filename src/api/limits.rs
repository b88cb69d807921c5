//! How much is taken in at once, and how often from one side.
//!
//! A bearer has a bucket of requests that refills; so has every address for tokens that open
//! nothing. Behind an ingress everybody has one address, so an empty bucket of that kind turns away
//! only those whose token opens nothing: whoever has a valid one is let in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, Instant};

use super::problem::Problem;
use crate::config::ServerConfig;

/// Wrong tokens from one address: this many at once, then one in [`FAILURE_EVERY`].
const FAILURES: f64 = 60.0;
const FAILURE_EVERY: Duration = Duration::from_secs(1);
/// Lines of the audit about strangers: this many at once, then one in [`NOTE_EVERY`].
const NOTES: f64 = 100.0;
const NOTE_EVERY: Duration = Duration::from_secs(10);
/// Bytes of messages that are held at once before their signatures are proven.
const MESSAGE_BYTES: usize = 64 * 1024 * 1024;
/// Buckets kept; past this, full ones are dropped, which changes nothing.
const MOST: usize = 10_000;

/// What a server allows, and how much of it is in use.
#[derive(Debug)]
pub struct Limits {
    per_bearer: Buckets<String>,
    failures: Buckets<IpAddr>,
    notes: Buckets<()>,
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    message_kib: Arc<Semaphore>,
    /// The longest that a request may take, its body included; streams are not bound by it.
    pub request_time: Duration,
    /// The largest body of a request, in bytes; messages of sources have a limit of their own.
    pub body_bytes: usize,
}

impl Limits {
    #[must_use]
    pub fn new(config: &ServerConfig) -> Self {
        let per_second = f64::from(config.max_requests_per_second);
        Self {
            // Room for a page that asks for a few things at once.
            per_bearer: Buckets::new(per_second * 4.0, per_second),
            failures: Buckets::new(FAILURES, 1.0 / FAILURE_EVERY.as_secs_f64()),
            notes: Buckets::new(NOTES, 1.0 / NOTE_EVERY.as_secs_f64()),
            requests: Arc::new(Semaphore::new(usize::from(config.max_requests_at_once))),
            message_kib: Arc::new(Semaphore::new(MESSAGE_BYTES / 1024)),
            streams: Arc::new(Semaphore::new(usize::from(config.max_streams_at_once))),
            request_time: Duration::from_secs(u64::from(config.request_seconds)),
            body_bytes: config.max_body_kib as usize * 1024,
        }
    }

    /// Takes one request from a bearer's bucket.
    pub fn take(&self, token: &str) -> Result<(), Problem> {
        self.per_bearer.take(token.to_owned()).map_err(too_often)
    }

    /// An address showed a token that opens nothing, or none: fails when it does so too often.
    pub fn failed(&self, peer: IpAddr) -> Result<(), Problem> {
        self.failures.take(peer).map_err(too_often)
    }

    /// Whether a stranger's denial is still written down.
    #[must_use]
    pub fn may_note(&self) -> bool {
        self.notes.take(()).is_ok()
    }

    /// A place for one request.
    pub fn request(&self) -> Result<OwnedSemaphorePermit, Problem> {
        place(&self.requests)
    }

    /// Room for a message of so many bytes from somebody who may be a stranger.
    pub fn message(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX);
        room(&self.message_kib, kib)
    }

    /// A place for one answer that goes on for long.
    pub fn stream(&self) -> Result<OwnedSemaphorePermit, Problem> {
        place(&self.streams)
    }
}

fn place(semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
    room(semaphore, 1)
}

fn room(semaphore: &Arc<Semaphore>, permits: u32) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(semaphore).try_acquire_many_owned(permits).map_err(|_| {
        let detail = "too many requests are being answered; try again later";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
    })
}

fn too_often(wait: Duration) -> Problem {
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least one and bounded by a bucket's size"
    )]
    let seconds = seconds as u64;
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many requests; slow down").retry_after(seconds)
}

/// Token buckets by key.
#[derive(Debug)]
struct Buckets<K> {
    size: f64,
    per_second: f64,
    levels: Mutex<BTreeMap<K, (f64, Instant)>>,
}

impl<K: Ord + Clone> Buckets<K> {
    fn new(size: f64, per_second: f64) -> Self {
        Self { size, per_second, levels: Mutex::default() }
    }

    /// Takes one; or says how long to wait for it.
    fn take(&self, key: K) -> Result<(), Duration> {
        let now = Instant::now();
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        if levels.len() >= MOST {
            levels.retain(|_, (level, at)| self.filled(*level, *at, now) < self.size);
        }
        let (level, at) = levels.entry(key).or_insert((self.size, now));
        *level = self.filled(*level, *at, now);
        *at = now;
        self.check(*level)?;
        *level -= 1.0;
        Ok(())
    }

    fn check(&self, level: f64) -> Result<(), Duration> {
        if level >= 1.0 {
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - level) / self.per_second))
    }

    fn filled(&self, level: f64, at: Instant, now: Instant) -> f64 {
        (level + now.duration_since(at).as_secs_f64() * self.per_second).min(self.size)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bucket_gives_what_it_holds_and_refills_in_time() {
        let buckets = Buckets::new(2.0, 1.0);
        assert!(buckets.take("a").is_ok() && buckets.take("a").is_ok());
        let wait = buckets.take("a").unwrap_err();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert!(buckets.take("b").is_ok(), "another key has its own");
        tokio::time::advance(Duration::from_millis(1_001)).await;
        assert!(buckets.take("a").is_ok());
        assert!(buckets.take("a").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_tokens_from_one_address_are_stopped_and_others_go_on() {
        let limits = Limits::new(&ServerConfig::default());
        let (one, other): (IpAddr, IpAddr) =
            ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for _ in 0..60 {
            assert!(limits.failed(one).is_ok());
        }
        assert_eq!(limits.failed(one).unwrap_err().status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(limits.failed(other).is_ok());
    }

    #[test]
    fn places_are_given_back() {
        let config = ServerConfig { max_streams_at_once: 1, ..ServerConfig::default() };
        let limits = Limits::new(&config);
        let held = limits.stream().unwrap();
        assert_eq!(limits.stream().unwrap_err().status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(held);
        assert!(limits.stream().is_ok());
    }
}
