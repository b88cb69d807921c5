//! Documented acceptances: made and ended by operators, seen by everybody.

use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use headcount_core::findings::exceptions::{Draft, Exception, Selection};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Face;
use crate::api::auth::Actor;
use crate::api::problem::Problem;
use crate::api::reply::{self, Asked, List, Told};
use crate::store::access::Written;

/// The caller waits so long for the findings concerned; after that they follow by themselves.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(5);

/// An acceptance of findings of one rule on some subjects, until a day.
#[derive(Serialize, ToSchema)]
#[schema(as = Exception)]
pub struct ExceptionShape {
    id: String,
    rule: String,
    #[serde(rename = "match")]
    selection: SelectionShape,
    reason: String,
    /// The token that made it, or who did on the command line.
    author: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    ended_at: Option<Timestamp>,
    ended_by: Option<String>,
    /// `valid`, `expired` or `ended`.
    status: &'static str,
}

/// On which subjects. Every field that is given must match, and one must be given; all but
/// `subject` are patterns in which `*` stands for any text.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = Selection)]
#[serde(deny_unknown_fields)]
pub struct SelectionShape {
    /// A record id, or `<place>/<scope kind>` where the rule judges scopes.
    #[schema(max_length = 1000)]
    subject: Option<String>,
    /// The configured source.
    #[schema(max_length = 1000)]
    source: Option<String>,
    /// The record kind, or the scope kind.
    #[schema(max_length = 1000)]
    kind: Option<String>,
    #[schema(max_length = 1000)]
    place: Option<String>,
    #[schema(max_length = 1000)]
    name: Option<String>,
    /// The owner that was resolved.
    #[schema(max_length = 1000)]
    owner: Option<String>,
}

/// What to accept, why and until when.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewException {
    /// The rule whose findings are accepted.
    rule: String,
    #[serde(rename = "match")]
    selection: SelectionShape,
    /// Why, for whoever asks later.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
    /// At most a year ahead: an acceptance is looked at again.
    expires_at: Timestamp,
}

impl ExceptionShape {
    fn new(exception: &Exception, now: Timestamp) -> Self {
        let Selection { subject, source, kind, place, name, owner } = exception.selection.clone();
        let ended = exception.ended.as_ref();
        Self {
            id: exception.id.clone(),
            rule: exception.rule.clone(),
            selection: SelectionShape { subject, source, kind, place, name, owner },
            reason: exception.reason.clone(),
            author: exception.author.clone(),
            created_at: exception.created_at,
            expires_at: exception.expires_at,
            ended_at: ended.map(|ended| ended.at),
            ended_by: ended.map(|ended| ended.by.clone()),
            status: match ended {
                Some(_) => "ended",
                None if exception.is_valid(now) => "valid",
                None => "expired",
            },
        }
    }
}

/// Which exceptions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Also those that expired or were ended.
    pub all: Option<bool>,
    /// Only of this rule.
    pub rule: Option<String>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// Entries of a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    pub limit: Option<u32>,
}

/// What is accepted, newest first.
#[utoipa::path(get, path = "/v1/exceptions", tag = "exceptions", params(Wanted),
    responses((status = 200, body = List<ExceptionShape>), super::Refusals))]
pub async fn list(
    State(face): State<Face>,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let now = face.clock.now();
    let limit = reply::limit(wanted.limit)? as usize;
    let after: Option<(Timestamp, String)> = reply::place(wanted.cursor.as_deref())?;
    let is_wanted = |exception: &&Exception| {
        (wanted.all.unwrap_or_default() || exception.is_valid(now))
            && wanted.rule.as_ref().is_none_or(|rule| *rule == exception.rule)
    };
    let mut all = face.store.exceptions().await?;
    all.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    let mut rest = all.iter().filter(is_wanted).filter(|exception| {
        after.as_ref().is_none_or(|(at, id)| (exception.created_at, &exception.id) < (*at, id))
    });
    let page: Vec<&Exception> = rest.by_ref().take(limit).collect();
    let is_last = rest.next().is_none();
    let next = page
        .last()
        .filter(|_| !is_last)
        .and_then(|last| reply::cursor(&(last.created_at, &last.id)));
    let items = page.into_iter().map(|exception| ExceptionShape::new(exception, now)).collect();
    reply::json(&headers, &List { items, next })
}

/// One exception.
#[utoipa::path(get, path = "/v1/exceptions/{id}", tag = "exceptions",
    params(("id" = String, Path, description = "The exception's id, `exc_…`", pattern = "^exc_[0-9A-Za-z_-]{1,64}$")),
    responses((status = 200, body = ExceptionShape), super::Refusals, super::Missing))]
pub async fn one(
    State(face): State<Face>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let exception = find(&face, &id).await?;
    reply::json(&headers, &ExceptionShape::new(&exception, face.clock.now()))
}

async fn find(face: &Face, id: &str) -> Result<Exception, Problem> {
    let all = face.store.exceptions().await?;
    let found = all.into_iter().find(|exception| exception.id == id);
    found.ok_or_else(|| Problem::not_found("exception"))
}

/// Accepts findings. Those that are open become `suppressed` at once, with an event.
#[utoipa::path(post, path = "/v1/exceptions", tag = "exceptions", request_body = NewException,
    responses((status = 201, body = ExceptionShape,
        headers(("Location" = String, description = "Where the exception is"))),
        super::Refusals, super::BodyRefusals))]
pub async fn add(
    State(face): State<Face>,
    Extension(actor): Extension<Actor>,
    Told(new): Told<NewException>,
) -> Result<Response, Problem> {
    let now = face.clock.now();
    let SelectionShape { subject, source, kind, place, name, owner } = new.selection;
    let draft = Draft {
        rule: new.rule,
        selection: Selection { subject, source, kind, place, name, owner },
        reason: new.reason,
        author: actor.label(),
        expires_at: new.expires_at,
    };
    let exception = add_drafted(&face, &actor, draft).await?;
    let shape = ExceptionShape::new(&exception, now);
    let location = HeaderValue::from_str(&format!("/v1/exceptions/{}", exception.id))
        .unwrap_or(HeaderValue::from_static("/v1/exceptions"));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(shape)).into_response())
}

/// Keeps an exception and has the findings concerned judged.
///
/// # Errors
/// 422 with what is wrong with the draft.
pub async fn add_drafted(face: &Face, actor: &Actor, draft: Draft) -> Result<Exception, Problem> {
    let now = face.clock.now();
    let exception = make(draft, now).map_err(Problem::unprocessable)?;
    let mut entry = actor.did("exception.add", &exception.id, now);
    entry.detail = Some(format!("{} until {}", exception.rule, exception.expires_at));
    face.store.add_exception(&exception, &entry).await?;
    follow(face).await;
    Ok(exception)
}

/// Gives a draft its id.
///
/// # Errors
/// What is wrong with it, for people.
pub fn make(draft: Draft, now: Timestamp) -> Result<Exception, String> {
    let id = crate::api::auth::random("exc_");
    // 96 random bits name it; nothing hangs on whether they can be guessed.
    draft.made(id.chars().take(20).collect(), now)
}

/// Ends an exception before it expires. What it accepted is open again at once.
#[utoipa::path(post, path = "/v1/exceptions/{id}/end", tag = "exceptions",
    params(("id" = String, Path, description = "The exception's id, `exc_…`", pattern = "^exc_[0-9A-Za-z_-]{1,64}$")),
    responses((status = 200, body = ExceptionShape),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "It is over already"),
        super::Refusals, super::Missing))]
pub async fn end(
    State(face): State<Face>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    end_now(&face, &actor, &id).await?;
    let exception = find(&face, &id).await?;
    Ok(axum::Json(ExceptionShape::new(&exception, face.clock.now())).into_response())
}

/// Ends an exception and has the findings concerned judged.
///
/// # Errors
/// 404 when there is none of that id, 409 when it is over already.
pub async fn end_now(face: &Face, actor: &Actor, id: &str) -> Result<(), Problem> {
    find(face, id).await?;
    let entry = actor.did("exception.end", id, face.clock.now());
    match face.store.end_exception(id, &entry).await? {
        Written::Done => {}
        Written::NotThere | Written::Taken => {
            return Err(Problem::new(StatusCode::CONFLICT, "the exception is over already"));
        }
    }
    follow(face).await;
    Ok(())
}

/// Has the findings concerned judged. If that takes longer than a caller waits, it goes on.
async fn follow(face: &Face) {
    let (engine, sources) = (face.engine.clone(), face.sources.clone());
    let judging = tokio::spawn(async move {
        for control in sources.values() {
            if let Err(error) = engine.judge_due(&control.source).await {
                tracing::error!(
                    source = control.source.name, %error,
                    "due verdicts were not taken; they stay due"
                );
            }
        }
    });
    let _ = tokio::time::timeout(FOLLOWS_WITHIN, judging).await;
}
