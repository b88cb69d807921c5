//! `/v1`: the inventory, findings and what people decide about them, over HTTP.
//!
//! One file per resource. Every route stands in the gathering of the least role that it needs; the
//! guard is put before the gathering, and the document (`docs/reference/openapi.json`) is made of the
//! same gatherings, so that it cannot tell of other routes than those that are served.

use axum::Router;
use utoipa::IntoResponses;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Face;
use super::auth::{Role, guard};
use super::problem::Problem;

pub mod audit;
pub mod coverage;
pub mod drift;
pub mod events;
pub mod exceptions;
pub mod findings;
pub mod inventory;
pub mod population;
pub mod records;
pub mod sources;

fn viewers() -> OpenApiRouter<Face> {
    OpenApiRouter::new()
        .routes(routes!(records::identities))
        .routes(routes!(records::credentials))
        .routes(routes!(records::grants))
        .routes(routes!(records::one))
        .routes(routes!(records::links))
        .routes(routes!(findings::list))
        .routes(routes!(findings::one))
        .routes(routes!(exceptions::list))
        .routes(routes!(exceptions::one))
        .routes(routes!(coverage::now))
        .routes(routes!(sources::list))
        .routes(routes!(drift::between))
        .routes(routes!(population::by_day))
        .routes(routes!(events::stream))
        .routes(routes!(describe))
}

fn auditors() -> OpenApiRouter<Face> {
    OpenApiRouter::new()
        .routes(routes!(inventory::export))
        .routes(routes!(inventory::coverage))
        .routes(routes!(audit::list))
}

fn operators() -> OpenApiRouter<Face> {
    OpenApiRouter::new()
        .routes(routes!(exceptions::add))
        .routes(routes!(exceptions::end))
        .routes(routes!(sources::scan))
}

/// Every route of `/v1`, each behind the guard of its role.
pub(super) fn routes(face: &Face) -> Router<Face> {
    let gatherings =
        [(viewers(), Role::Viewer), (auditors(), Role::Auditor), (operators(), Role::Operator)];
    gatherings.into_iter().fold(Router::new(), |routes, (gathering, role)| {
        let (gathered, _) = gathering.split_for_parts();
        routes.merge(guard(gathered, face, role))
    })
}

/// What the API takes and gives, as OpenAPI 3.1.
#[must_use]
pub fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Headcount")
        .version("v1")
        .description(Some(
            "A continuous head count of every non-human identity. Every request carries a bearer \
             token (`headcount tokens create`): a `viewer` reads, an `auditor` also exports and \
             reads the audit, an `operator` also accepts findings and starts scans.",
        ))
        .build();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    let mut components = Components::new();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let mut document = OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some([SecurityRequirement::new::<_, [&str; 0], &str>("bearer", [])]))
        .build();
    for gathering in [viewers(), auditors(), operators()] {
        let (_, part) = gathering.split_for_parts();
        document.merge(part);
    }
    document
}

/// The document as a file.
#[must_use]
pub fn document_text() -> String {
    // A document of texts and numbers is always JSON.
    document().to_pretty_json().map(|json| json + "\n").unwrap_or_default()
}

/// This description of the API.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "api",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value), Refusals))]
async fn describe() -> axum::Json<OpenApi> {
    axum::Json(document())
}

/// What every request may be told instead.
#[derive(IntoResponses)]
pub enum Refusals {
    /// The client has this answer already
    #[response(status = 304)]
    NotModified,
    /// A parameter or the body cannot be understood
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(Problem),
    /// No valid token
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Problem),
    /// The token's role is not enough
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// The request took too long
    #[response(status = 408, content_type = "application/problem+json")]
    Timeout(Problem),
    /// A parameter or the body is understood and asks for what cannot be: a moment to come, a cursor
    /// of another list, a rule that does not exist
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(Problem),
    /// Too many requests with this token
    #[response(status = 429, content_type = "application/problem+json")]
    TooOften(Problem),
    /// Too many requests at once, or the store does not answer
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Problem),
}

/// What a request for one thing may be told as well.
#[derive(IntoResponses)]
pub enum Missing {
    /// There is no such thing
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
}

/// What a request with a body may be told as well.
#[derive(IntoResponses)]
pub enum BodyRefusals {
    /// The body is too large
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The body is not JSON
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(Problem),
}
