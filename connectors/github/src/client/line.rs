//! One credential, and the way a request takes on it: quota, turn, token, answer, verdict.
//!
//! Requests on one credential are made one after the other, as GitHub asks. What GitHub throttles
//! for a moment is waited for and tried again; what it throttles for longer comes back as an
//! error with the time to come again, and nothing is sent until then.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headcount_sdk::governor::{Governor, Limits};
use headcount_sdk::{Priority, ScanContext, ScanError};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::time::Instant;

use super::Tuning;
use super::error::{Permissions, Verdict, denied_for, judge, malformed, unavailable};
use super::quota::{Quota, resource};
use super::transport::{Answer, Api, Call, Caller, Lost, Transport};

/// A token is renewed when it would not outlive this.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(5);

/// How long GitHub lets an installation token live.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// What GitHub asks for when it throttles and does not say for how long.
const UNTOLD_WAIT: u64 = 60;

const MINT: &str = "POST /app/installations/{installation_id}/access_tokens";

/// Who asks.
pub(super) enum Login {
    App {
        app_id: u64,
        key: octocrab::EncodingKey,
    },
    Token(SecretString),
    /// An App in one organisation; its token is minted by the App.
    Installation {
        id: u64,
        app: Arc<Credential>,
    },
}

/// One credential with what it may spend.
pub(super) struct Credential {
    login: Login,
    transport: Transport,
    tuning: Tuning,
    reserve: u8,
    governor: Governor,
    quota: Mutex<Quota>,
    session: tokio::sync::Mutex<Option<Session>>,
}

/// A token inside the client that uses it. Never written anywhere.
#[derive(Clone)]
struct Session {
    caller: Caller,
    /// By GitHub's clock; `None`: it does not end.
    expires_at: Option<Timestamp>,
    minted: Instant,
}

impl Session {
    fn lasts(&self, now: Timestamp) -> bool {
        let margin = Duration::try_from(RENEW_BEFORE).unwrap_or_default();
        self.expires_at.is_none_or(|end| {
            end > now + RENEW_BEFORE && self.minted.elapsed() + margin < TOKEN_LIFE
        })
    }
}

#[derive(Deserialize)]
struct Minted {
    token: String,
    expires_at: Timestamp,
}

/// A credential in use by one scan.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) credential: Arc<Credential>,
    pub(super) permissions: Permissions,
    priority: Priority,
    begun: Timestamp,
    opened: Instant,
}

impl Credential {
    pub(super) fn new(login: Login, transport: Transport, tuning: Tuning, reserve: u8) -> Self {
        let limits = Limits { concurrency: 1, spacing: tuning.spacing };
        Self {
            login,
            transport,
            tuning,
            reserve,
            governor: Governor::new(limits),
            quota: Mutex::default(),
            session: tokio::sync::Mutex::default(),
        }
    }

    fn quota(&self) -> std::sync::MutexGuard<'_, Quota> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_installation(&self, installation: u64) -> bool {
        matches!(self.login, Login::Installation { id, .. } if id == installation)
    }

    pub(super) fn line(self: &Arc<Self>, cx: &ScanContext, permissions: Permissions) -> Line {
        Line {
            credential: Arc::clone(self),
            permissions,
            priority: cx.priority,
            begun: cx.now,
            opened: Instant::now(),
        }
    }
}

impl Line {
    /// The time at the source, as far as the scan knows it.
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.opened.elapsed()).unwrap_or_default();
        self.begun.checked_add(passed).unwrap_or(self.begun)
    }

    /// Sends a request until it is answered well, refused, or out of attempts.
    pub(super) async fn exchange(
        &self,
        operation: &'static str,
        call: &Call,
    ) -> Result<Answer, ScanError> {
        let mut renewed = false;
        let mut attempt = 1;
        loop {
            let answer = self.attempt(operation, call).await?;
            let last = attempt >= self.attempts(call);
            let verdict = match &answer {
                Ok(answer) => judge(operation, answer, &self.permissions, self.now().as_second()),
                Err(_) => Verdict::Failed(0),
            };
            match (verdict, answer) {
                (Verdict::Good, Ok(answer)) => return Ok(answer),
                (Verdict::Refused(error), _) => return Err(error),
                (Verdict::Unauthenticated, _) if !renewed && self.renewable() => {
                    *self.credential.session.lock().await = None;
                    renewed = true;
                    continue;
                }
                (Verdict::Unauthenticated, _) => {
                    return Err(denied_for(operation, "a valid credential"));
                }
                (Verdict::Throttled(wait), _) => self.rest(operation, wait, last)?,
                (_, Err(lost)) if last => return Err(unavailable(operation, lost.reason())),
                (Verdict::Failed(status), _) if last => {
                    return Err(unavailable(operation, format!("HTTP {status}")));
                }
                _ => self.pause(attempt).await,
            }
            attempt += 1;
        }
    }

    /// A heavy query that timed out is not repeated: whoever asked makes it smaller.
    fn attempts(&self, call: &Call) -> u32 {
        if call.api == Api::Graphql { 1 } else { self.credential.tuning.max_attempts }
    }

    fn renewable(&self) -> bool {
        matches!(self.credential.login, Login::Installation { .. })
    }

    async fn attempt(
        &self,
        operation: &'static str,
        call: &Call,
    ) -> Result<Result<Answer, Lost>, ScanError> {
        let credential = &self.credential;
        let caller = self.caller().await?;
        let turn = credential.governor.turn(self.priority).await;
        let resource = resource(call);
        if let Some(wait) = credential.quota().wait(resource, credential.reserve, self.now()) {
            return Err(throttled(operation, wait));
        }
        let answer = caller.send(call).await;
        if let Ok(answer) = &answer {
            credential.quota().note(resource, &answer.headers);
        }
        drop(turn);
        Ok(answer)
    }

    /// Waits out a short throttle; for a long one nobody sends anything until it is over.
    fn rest(&self, operation: &str, wait: Option<u64>, last: bool) -> Result<(), ScanError> {
        let wait = wait.unwrap_or(UNTOLD_WAIT);
        let rest = Duration::from_secs(wait);
        if last || rest > self.credential.tuning.patience {
            self.credential.quota().block(self.now(), wait);
            return Err(throttled(operation, wait));
        }
        self.credential.governor.back_off(rest);
        Ok(())
    }

    /// The same for a throttle that came inside a good answer.
    pub(super) fn spent(&self, operation: &str, answer: &Answer) -> ScanError {
        let now = self.now();
        let reset = super::error::number(&answer.headers, "x-ratelimit-reset");
        let wait =
            reset.and_then(|at| u64::try_from(i64::try_from(at).ok()? - now.as_second()).ok());
        let wait = wait.unwrap_or(UNTOLD_WAIT);
        self.credential.quota().block(now, wait);
        throttled(operation, wait)
    }

    async fn pause(&self, attempt: u32) {
        let factor = 2_u32.saturating_pow(attempt.saturating_sub(1));
        tokio::time::sleep(self.credential.tuning.initial_backoff * factor).await;
    }

    /// The client with a token that outlives the request.
    async fn caller(&self) -> Result<Caller, ScanError> {
        let mut kept = self.credential.session.lock().await;
        if let Some(session) = kept.as_ref().filter(|session| session.lasts(self.now())) {
            return Ok(session.caller.clone());
        }
        let transport = &self.credential.transport;
        let unusable = |lost: Lost| unavailable("base_url", lost.reason());
        let (caller, expires_at) = match &self.credential.login {
            Login::App { app_id, key } => (transport.app(*app_id, key).map_err(unusable)?, None),
            Login::Token(token) => (transport.token(token.clone()).map_err(unusable)?, None),
            Login::Installation { id, app } => {
                let minted = Box::pin(self.mint(*id, app)).await?;
                let token = SecretString::from(minted.token);
                (transport.token(token).map_err(unusable)?, Some(minted.expires_at))
            }
        };
        *kept = Some(Session { caller: caller.clone(), expires_at, minted: Instant::now() });
        Ok(caller)
    }

    async fn mint(&self, installation: u64, app: &Arc<Credential>) -> Result<Minted, ScanError> {
        let line = Self {
            credential: Arc::clone(app),
            permissions: Permissions::Token,
            priority: self.priority,
            begun: self.now(),
            opened: Instant::now(),
        };
        let path = format!("/app/installations/{installation}/access_tokens");
        let call = Call { api: Api::Rest, path, body: Some(serde_json::json!({})) };
        let answer = line.exchange(MINT, &call).await?;
        serde_json::from_slice(&answer.body).map_err(|_| malformed(MINT, "token, expires_at"))
    }
}

fn throttled(operation: &str, wait: u64) -> ScanError {
    ScanError::Throttled { operation: operation.to_owned(), retry_after_secs: Some(wait) }
}
