//! Coming in and going out.
//!
//! A person shows a token once and gets a session. The demo prints an address that opens one
//! session, once, instead.

use askama::Template;
use axum::Form;
use axum::extract::{Extension, FromRequest as _, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::address::{Address, onward};
use super::assets;
use super::shell::{Failed, html, show};
use crate::api::Face;
use crate::api::auth::{self, Actor};
use crate::api::sessions::Session;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    next: String,
    /// The secret of an address that opens one session.
    once: String,
}

#[derive(Deserialize)]
pub struct Shown {
    token: String,
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub struct Leaving {
    csrf: String,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    next: &'a str,
    wrong: &'a str,
    assets: &'static str,
}

#[derive(Template)]
#[template(path = "again.html")]
struct AgainPage<'a> {
    href: &'a str,
    assets: &'static str,
}

/// What somebody without a session gets.
pub fn first(parts: &Parts) -> Response {
    let asked = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let is_page = parts.method == Method::GET;
    let asked = if is_page { onward(asked) } else { "/" };
    // A browser that follows a link from another site (a chat, a ticket) leaves our cookie out. From
    // this page it goes on by itself, and brings the cookie along.
    let from = parts.headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    if is_page && from == Some("cross-site") {
        let page = AgainPage { href: asked, assets: assets::VERSION.as_str() };
        if let Ok(text) = page.render() {
            return html(text);
        }
    }
    let next = if asked == "/" { "" } else { asked };
    Redirect::to(&Address::of("/login").with("next", next).into_text()).into_response()
}

pub async fn form(
    State(face): State<Face>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Result<Response, Failed> {
    let now = face.clock.now();
    if !asked.once.is_empty()
        && let Some(token) = face.sessions.redeem(&asked.once)
    {
        return Ok(entered(&face, &face.sessions.open(&token, now), "/"));
    }
    // Whoever is in already is led on, also by an address that has done its work.
    if face.sessions.of(request.headers(), now).is_some() {
        return Ok(Redirect::to(onward(&asked.next)).into_response());
    }
    let wrong = match asked.once.as_str() {
        "" => "",
        _ => "This address has been used, or it is not this agent's. It opens one session, once.",
    };
    show(&LoginPage { next: onward(&asked.next), wrong, assets: assets::VERSION.as_str() })
}

pub async fn submit(State(face): State<Face>, request: Request) -> Result<Response, Failed> {
    let (parts, body) = request.into_parts();
    let request = Request::from_parts(parts.clone(), body);
    let form = Form::<Shown>::from_request(request, &face).await;
    let Ok(Form(Shown { token, next })) = form else {
        return Err(Failed::wrong("The form was not understood."));
    };
    match auth::log_in(&face, &parts, &token).await {
        Ok(session) => Ok(entered(&face, &session, onward(&next))),
        Err(problem) => {
            let wrong = match problem.status().as_u16() {
                401 => "That is no valid token.",
                _ => problem.detail(),
            };
            let next = onward(&next);
            let page = show(&LoginPage { next, wrong, assets: assets::VERSION.as_str() })?;
            Ok((problem.status(), page).into_response())
        }
    }
}

fn entered(face: &Face, session: &Session, next: &str) -> Response {
    let cookie = face.sessions.cookie(session, face.clock.now());
    ([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response()
}

pub async fn out(
    State(face): State<Face>,
    Extension(actor): Extension<Actor>,
    Form(leaving): Form<Leaving>,
) -> Result<Response, Failed> {
    accepted(&actor, &leaving.csrf)?;
    if let Some(session) = &actor.session {
        face.sessions.close(session);
    }
    let cookie = face.sessions.no_cookie();
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response())
}

/// Asks a form for the session's second secret: without it, it may have come from another site.
///
/// # Errors
/// `Forbidden` when it is not shown.
pub fn accepted(actor: &Actor, csrf: &str) -> Result<(), Failed> {
    if actor.session.as_ref().is_some_and(|session| session.accepts(csrf)) {
        Ok(())
    } else {
        Err(Failed::forbidden("The form is too old, or not from this page. Load the page again."))
    }
}
