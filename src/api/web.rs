//! The page: what an agent knows, for people with a browser.
//!
//! Rendered here, from compiled templates, out of what [`crate::store::Store`] answers. It needs no
//! script (the one there is only helps), loads nothing from elsewhere and says so to the browser
//! ([`POLICY`]). Every page asks for a session; what changes something asks for the session's second
//! secret and for the role as well.
//!
//! One page, one file: [`overview`], [`inventory`], [`record`], [`findings`], [`finding`],
//! [`sources`], [`login`]. What they draw is computed in pure modules: [`chart`], [`population`],
//! [`picture`], [`facets`]. Refuses: markup that did not come from a template (a test holds that no template
//! switches escaping off).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};

use super::Face;
use super::auth::{self, Role};

mod address;
mod assets;
mod chart;
mod decide;
mod facets;
mod finding;
mod findings;
mod inventory;
mod login;
mod overview;
mod picture;
mod population;
mod record;
mod shell;
mod sources;
#[cfg(test)]
mod tests;
mod totals;
mod words;

use shell::Failed;
use totals::Totals;

/// What a browser may do with the page: show it, its own style, script and pictures, and send its
/// forms back here. Nothing inline, nothing from elsewhere, in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(super) fn routes(face: &Face) -> Router<Face> {
    let pages = Router::new()
        .route("/", get(overview::page))
        .route("/inventory", get(inventory::page))
        .route("/record", get(record::page))
        .route("/findings", get(findings::page))
        .route("/finding", get(finding::page))
        .route("/finding/accept", post(finding::accept))
        .route("/finding/end", post(finding::end))
        .route("/sources", get(sources::page))
        .route("/logout", post(login::out))
        .layer(Extension(Arc::new(Totals::default())))
        .layer(middleware::from_fn_with_state(face.clone(), visit));
    Router::new()
        .merge(pages)
        .route("/login", get(login::form).post(login::submit))
        .route("/assets/{name}", get(assets::one))
        .layer(middleware::map_response(protected))
}

/// Lets in who has a session (or a token); sends everybody else to the login and back again.
async fn visit(State(face): State<Face>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let is_known = parts.headers.contains_key(header::AUTHORIZATION)
        || face.sessions.of(&parts.headers, face.clock.now()).is_some();
    if !is_known {
        // Somebody without a cookie knocks; that is no attempt at anything.
        return login::first(&parts);
    }
    match auth::recognize(&face, &parts, Role::Viewer).await {
        Ok(actor) => {
            parts.extensions.insert(actor);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => login::first(&parts),
        Err(problem) => Failed::from(problem).into_response(),
    }
}

/// The headers of every answer.
async fn protected(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let values: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in values {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
