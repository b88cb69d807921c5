//! Who is logged in to the page: sessions in memory, so that a restart logs everybody out.
//!
//! A session stands for the token that opened it and ends with it. Its id is 256 random bits in a
//! cookie that no script can read and no other site can send; a request that changes something has
//! to show the session's second secret as well, in a form field or a header.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::constant_time;
use axum::http::{HeaderMap, HeaderValue, header};
use jiff::{SignedDuration, Timestamp};

use super::auth::random;
use crate::store::access::Token;

/// The cookie that carries a session's id.
pub const COOKIE: &str = "headcount_session";
/// The header (or form field) that carries its second secret.
pub const CSRF_HEADER: &str = "x-csrf-token";

const LASTS: SignedDuration = SignedDuration::from_hours(12);
/// The oldest goes when there are more.
const MOST: usize = 10_000;

/// One browser that is logged in.
#[derive(Clone)]
pub struct Session {
    /// The cookie's value. A secret.
    pub id: String,
    /// Every form that changes something carries it. A secret of this session.
    pub csrf: String,
    /// The id (not the value) of the token that opened it.
    pub token: String,
    pub expires_at: Timestamp,
}

impl Session {
    /// Whether a form or header shows this session's second secret.
    #[must_use]
    pub fn accepts(&self, csrf: &str) -> bool {
        constant_time::verify_slices_are_equal(self.csrf.as_bytes(), csrf.as_bytes()).is_ok()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("token", &self.token).finish_non_exhaustive()
    }
}

/// Every open session.
#[derive(Debug)]
pub struct Sessions {
    open: Mutex<BTreeMap<String, Session>>,
    /// Secrets of addresses that open one session each, and for whose token.
    links: Mutex<BTreeMap<String, Token>>,
    /// Whether the cookie travels over TLS only: wherever others than this machine can listen.
    transport: Transport,
}

/// How browsers reach the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// From this machine alone, in the clear.
    Loopback,
    /// Through an ingress that speaks TLS.
    Tls,
}

impl Sessions {
    #[must_use]
    pub fn new(transport: Transport) -> Self {
        Self { open: Mutex::default(), links: Mutex::default(), transport }
    }

    /// Opens a session for the bearer of a token, for twelve hours and never longer than the token.
    #[must_use]
    pub fn open(&self, token: &Token, now: Timestamp) -> Session {
        let session = Session {
            id: random(""),
            csrf: random(""),
            token: token.id.clone(),
            expires_at: now.checked_add(LASTS).unwrap_or(Timestamp::MAX).min(token.expires_at),
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, session| now < session.expires_at);
        if open.len() >= MOST
            && let Some(oldest) = open.values().min_by_key(|s| s.expires_at).map(|s| s.id.clone())
        {
            open.remove(&oldest);
        }
        open.insert(session.id.clone(), session.clone());
        session
    }

    /// A secret that opens one session for a token's bearer, once.
    #[must_use]
    pub fn link(&self, token: &Token) -> String {
        let secret = random("");
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.insert(secret.clone(), token.clone());
        secret
    }

    /// For whose token a secret opens a session; never again after this.
    #[must_use]
    pub fn redeem(&self, secret: &str) -> Option<Token> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).remove(secret)
    }

    /// The session whose cookie a request carries, if it is open.
    #[must_use]
    pub fn of(&self, headers: &HeaderMap, now: Timestamp) -> Option<Session> {
        let id = cookie(headers)?;
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(id).filter(|session| now < session.expires_at).cloned()
    }

    pub fn close(&self, session: &Session) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&session.id);
    }

    /// The `Set-Cookie` of a session.
    #[must_use]
    pub fn cookie(&self, session: &Session, now: Timestamp) -> HeaderValue {
        let seconds = session.expires_at.duration_since(now).as_secs().max(0);
        self.set_cookie(&session.id, seconds)
    }

    /// The `Set-Cookie` that takes it away again.
    #[must_use]
    pub fn no_cookie(&self) -> HeaderValue {
        self.set_cookie("", 0)
    }

    fn set_cookie(&self, value: &str, seconds: i64) -> HeaderValue {
        let secure = match self.transport {
            Transport::Loopback => "",
            Transport::Tls => "; Secure",
        };
        let text = format!(
            "{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
        );
        // Ids are base64url, so this cannot fail; an empty cookie logs nobody in.
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}
