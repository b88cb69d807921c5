//! What is around every page: who is here, what could not be read; and what a failure looks like.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::assets;
use super::totals::Sums;
use crate::api::auth::{Actor, Role};
use crate::api::problem::Problem;
use crate::store::StoreError;

/// The pages that stand in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    Overview,
    Inventory,
    Findings,
    Sources,
}

impl Tab {
    const ALL: [Self; 4] = [Self::Overview, Self::Inventory, Self::Findings, Self::Sources];

    const fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Overview => ("/", "Overview"),
            Self::Inventory => ("/inventory", "Inventory"),
            Self::Findings => ("/findings", "Findings"),
            Self::Sources => ("/sources", "Sources"),
        }
    }
}

/// The frame of a page.
#[derive(Debug)]
pub struct Shell {
    /// What is in the window's title.
    pub title: String,
    pub tabs: Vec<NavLink>,
    pub actor: String,
    pub role: &'static str,
    /// Whether the forms that change something are shown.
    pub may_operate: bool,
    /// Empty for a bearer without a session, who has no forms.
    pub csrf: String,
    /// Scopes with something unread in them, and of how many.
    pub gaps: usize,
    pub scopes: usize,
    pub assets: &'static str,
}

#[derive(Debug)]
pub struct NavLink {
    pub href: &'static str,
    pub label: &'static str,
    pub is_here: bool,
}

impl Shell {
    #[must_use]
    pub fn new(actor: &Actor, sums: &Sums, tab: Tab, title: &str) -> Self {
        let tabs = Tab::ALL.map(|one| {
            let (href, label) = one.place();
            NavLink { href, label, is_here: one == tab }
        });
        Self {
            title: title.to_owned(),
            tabs: tabs.into(),
            actor: actor.name.clone(),
            role: actor.role.as_str(),
            may_operate: actor.role >= Role::Operator,
            csrf: actor.session.as_ref().map(|s| s.csrf.clone()).unwrap_or_default(),
            gaps: sums.gaps(),
            scopes: sums.scopes.len(),
            assets: assets::VERSION.as_str(),
        }
    }
}

/// A page that cannot be shown, or something that was refused.
#[derive(Debug)]
pub struct Failed {
    status: StatusCode,
    detail: String,
}

impl Failed {
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, detail: format!("There is no such {what}.") }
    }

    #[must_use]
    pub fn forbidden(why: &str) -> Self {
        Self { status: StatusCode::FORBIDDEN, detail: why.to_owned() }
    }

    #[must_use]
    pub fn wrong(why: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, detail: why.into() }
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self { status: problem.status(), detail: problem.detail().to_owned() }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

#[derive(Template)]
#[template(path = "failed.html")]
struct FailedPage<'a> {
    title: &'a str,
    detail: &'a str,
    assets: &'static str,
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let page = FailedPage { title, detail: &self.detail, assets: assets::VERSION.as_str() };
        match page.render() {
            Ok(text) => (self.status, html(text)).into_response(),
            Err(_) => (self.status, title).into_response(),
        }
    }
}

/// Renders a page.
///
/// # Errors
/// When a template cannot be rendered, which none of ours does.
pub fn show(page: &impl Template) -> Result<Response, Failed> {
    match page.render() {
        Ok(text) => Ok(html(text)),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            let detail = "The page could not be rendered.".to_owned();
            Err(Failed { status: StatusCode::INTERNAL_SERVER_ERROR, detail })
        }
    }
}

pub fn html(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}
