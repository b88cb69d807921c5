//! Who asks, and whether they may.
//!
//! One function decides, [`admit`]: a bearer token, or the cookie of a session that such a token
//! opened (see [`super::sessions`]). Routes are gathered by the least role that they need and each
//! gathering goes through [`guard`], so that a route without a guard does not come about by leaving
//! something out. What is denied is written to the audit.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};

use super::Face;
use super::problem::Problem;
use super::sessions::{CSRF_HEADER, Session};
use crate::store::access::{AuditEntry, AuditOutcome, Token, TokenHash};

pub use crate::store::access::Role;

/// What a bearer token begins with, so that scanners for leaked secrets can know it.
pub const PREFIX: &str = "hct_";

/// How exactly the last use of a token is kept.
const USED_TO_THE: SignedDuration = SignedDuration::from_hours(1);

/// Whoever was let in; in the extensions of every request behind [`guard`].
#[derive(Clone, Debug)]
pub struct Actor {
    /// The token's name.
    pub name: String,
    pub role: Role,
    /// Set when it is a browser: the page puts its `csrf` into every form.
    pub session: Option<Session>,
}

impl Actor {
    /// As the audit has it.
    #[must_use]
    pub fn label(&self) -> String {
        format!("token:{}", self.name)
    }

    /// A line of the audit about something that this actor did.
    #[must_use]
    pub fn did(&self, action: &str, object: &str, at: Timestamp) -> AuditEntry {
        AuditEntry {
            at,
            actor: self.label(),
            role: Some(self.role),
            action: action.to_owned(),
            object: object.to_owned(),
            outcome: AuditOutcome::Done,
            detail: None,
        }
    }
}

/// 256 random bits as text, behind a prefix.
///
/// # Panics
/// When the operating system gives no randomness; nothing secret can be made then.
#[must_use]
#[expect(clippy::expect_used, reason = "without randomness there is nothing safe to answer")]
pub fn random(prefix: &str) -> String {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Puts a guard before routes: only bearers of `role` or more come through.
pub fn guard(routes: Router<Face>, face: &Face, role: Role) -> Router<Face> {
    routes.layer(middleware::from_fn_with_state((face.clone(), role), pass))
}

async fn pass(State((face, role)): State<(Face, Role)>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match admit(&face, &parts, role).await {
        Ok(actor) => {
            parts.extensions.insert(actor);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// Decides whether a request may go on, as whom. A request with a session that changes something
/// must show the session's [`CSRF_HEADER`]; where it is a form's field instead, use [`recognize`]
/// and [`Session::accepts`].
///
/// # Errors
/// 401 when nobody known asks, 403 when they may not, 429 when they ask too often.
pub async fn admit(face: &Face, parts: &Parts, role: Role) -> Result<Actor, Problem> {
    let actor = recognize(face, parts, role).await?;
    let changes = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if let Some(session) = actor.session.as_ref().filter(|_| changes) {
        let shown = parts.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
        if !shown.is_some_and(|csrf| session.accepts(csrf)) {
            let why = "the request does not show that it comes from the page";
            deny(face, parts, Some(&actor), why).await;
            return Err(Problem::new(StatusCode::FORBIDDEN, why));
        }
    }
    Ok(actor)
}

/// As [`admit`], but leaves it to the caller to ask for the session's second secret.
///
/// # Errors
/// As [`admit`].
pub async fn recognize(face: &Face, parts: &Parts, role: Role) -> Result<Actor, Problem> {
    let now = face.clock.now();
    let peer = peer(parts);
    let (token, session) = match bearer(&parts.headers) {
        Some(text) => (face.store.token(&TokenHash::of(text)).await?, None),
        None => match face.sessions.of(&parts.headers, now) {
            Some(session) => (face.store.token_by_id(&session.token).await?, Some(session)),
            None => (None, None),
        },
    };
    let Some(token) = token.filter(|token| token.is_valid(now)) else {
        face.limits.failed(peer)?;
        let why = "a valid bearer token is needed (`headcount tokens create` makes one)";
        deny(face, parts, None, why).await;
        return Err(Problem::new(StatusCode::UNAUTHORIZED, why));
    };
    face.limits.take(&token.id)?;
    note_use(face, &token, now).await;
    let actor = Actor { name: token.name, role: token.role, session };
    if actor.role < role {
        let why = format!("the role `{}` is needed", role.as_str());
        deny(face, parts, Some(&actor), &why).await;
        return Err(Problem::new(StatusCode::FORBIDDEN, why));
    }
    Ok(actor)
}

/// Opens a session for whoever shows a valid token.
///
/// # Errors
/// As [`admit`].
pub async fn log_in(face: &Face, parts: &Parts, text: &str) -> Result<Session, Problem> {
    let (now, peer) = (face.clock.now(), peer(parts));
    let token = face.store.token(&TokenHash::of(text.trim())).await?;
    let Some(token) = token.filter(|token| token.is_valid(now)) else {
        face.limits.failed(peer)?;
        let why = "no valid token was shown";
        deny(face, parts, None, why).await;
        return Err(Problem::new(StatusCode::UNAUTHORIZED, why));
    };
    let session = face.sessions.open(&token, now);
    let actor = Actor { name: token.name, role: token.role, session: None };
    face.store.note(&[actor.did("login", "", now)]).await?;
    Ok(session)
}

/// Writes a denial to the audit; of nobody's knocking only so much that it cannot fill the disk.
async fn deny(face: &Face, parts: &Parts, actor: Option<&Actor>, why: &str) {
    if actor.is_none() && !face.limits.may_note() {
        return;
    }
    let entry = AuditEntry {
        at: face.clock.now(),
        actor: actor.map_or_else(|| format!("anonymous@{}", peer(parts)), Actor::label),
        role: actor.map(|actor| actor.role),
        action: format!("{} {}", parts.method, short(parts.uri.path())),
        object: String::new(),
        outcome: AuditOutcome::Denied,
        detail: Some(why.to_owned()),
    };
    if let Err(error) = face.store.note(&[entry]).await {
        tracing::error!(%error, "a denied request could not be written to the audit");
    }
}

/// What a stranger wrote is kept no longer than people read it.
fn short(path: &str) -> String {
    path.chars().filter(|c| !c.is_control()).take(120).collect()
}

async fn note_use(face: &Face, token: &Token, now: Timestamp) {
    let is_noted = token.used_at.is_some_and(|at| now.duration_since(at) < USED_TO_THE);
    if is_noted {
        return;
    }
    // Whoever may ask is not turned away because of a note.
    if let Err(error) = face.store.token_used(&token.id, now).await {
        tracing::warn!(%error, "the use of a token could not be noted");
    }
}

/// What stands behind `Authorization: Bearer`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn peer(parts: &Parts) -> IpAddr {
    parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip())
}
