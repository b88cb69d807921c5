//! Findings, and the steps of their lives.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use headcount_core::findings::{Finding, FindingStatus, Severity};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Face;
use crate::api::problem::Problem;
use crate::api::reply::{self, Asked, List};
use crate::store::paging::{FindingPlace, FindingQuery, FindingSort};
use crate::store::{FindingFilter, PastTransition};

/// The durable result of one rule on one subject.
#[derive(Serialize, ToSchema)]
#[schema(as = Finding)]
pub struct FindingShape {
    /// Of rule and subject; never changes.
    id: String,
    rule: String,
    /// `info`, `low`, `medium`, `high` or `critical`.
    severity: &'static str,
    /// `low`, `medium` or `high`.
    confidence: &'static str,
    /// `open`, `resolved`, or `suppressed` while an exception accepts it.
    status: &'static str,
    source: String,
    /// A record id, or `<place>/<scope kind>` where the rule judges a scope.
    subject: String,
    subject_name: String,
    title: String,
    /// Facts behind the title, by stable names.
    facts: BTreeMap<String, String>,
    opened_at: Timestamp,
    updated_at: Timestamp,
    resolved_at: Option<Timestamp>,
    /// Why it was resolved, by what it is accepted, or why it is open although it was.
    resolution: Option<String>,
    /// Steps so far.
    transitions: u32,
}

impl From<&Finding> for FindingShape {
    fn from(finding: &Finding) -> Self {
        Self {
            id: finding.id.clone(),
            rule: finding.rule.clone(),
            severity: finding.severity.as_str(),
            confidence: finding.confidence.as_str(),
            status: finding.status.as_str(),
            source: finding.source.clone(),
            subject: finding.subject.clone(),
            subject_name: finding.subject_name.clone(),
            title: finding.title.clone(),
            facts: finding.facts.clone(),
            opened_at: finding.opened_at,
            updated_at: finding.updated_at,
            resolved_at: finding.resolved_at,
            resolution: finding.resolution.clone(),
            transitions: finding.transitions,
        }
    }
}

/// Which findings, in which order.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Without it, findings of any status.
    #[param(inline)]
    pub status: Option<StatusParam>,
    /// Only of this rule.
    pub rule: Option<String>,
    /// Only of this configured source.
    pub source: Option<String>,
    /// Only on this record id or scope.
    pub subject: Option<String>,
    /// Only this severity and above.
    #[param(inline)]
    pub severity: Option<SeverityParam>,
    #[param(inline)]
    pub sort: Option<SortParam>,
    /// The `next` of the page before, with the same filters and order.
    pub cursor: Option<String>,
    /// Entries of a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    pub limit: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusParam {
    Open,
    Resolved,
    Suppressed,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeverityParam {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SortParam {
    /// Most severe first, then oldest.
    #[default]
    Severity,
    /// Opened last first.
    Newest,
}

impl From<StatusParam> for FindingStatus {
    fn from(status: StatusParam) -> Self {
        match status {
            StatusParam::Open => Self::Open,
            StatusParam::Resolved => Self::Resolved,
            StatusParam::Suppressed => Self::Suppressed,
        }
    }
}

impl From<SeverityParam> for Severity {
    fn from(severity: SeverityParam) -> Self {
        match severity {
            SeverityParam::Info => Self::Info,
            SeverityParam::Low => Self::Low,
            SeverityParam::Medium => Self::Medium,
            SeverityParam::High => Self::High,
            SeverityParam::Critical => Self::Critical,
        }
    }
}

/// What is or was wrong.
#[utoipa::path(get, path = "/v1/findings", tag = "findings", params(Wanted),
    responses((status = 200, body = List<FindingShape>), super::Refusals))]
pub async fn list(
    State(face): State<Face>,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let order = wanted.sort.unwrap_or_default();
    let place: Option<(SortParam, FindingPlace)> = reply::place(wanted.cursor.as_deref())?;
    if place.as_ref().is_some_and(|(given, _)| *given != order) {
        return Err(Problem::unprocessable("the cursor is one of another order"));
    }
    let query = FindingQuery {
        filter: FindingFilter {
            status: wanted.status.map(Into::into),
            rule: wanted.rule,
            source: wanted.source,
            subject: wanted.subject,
            at_least: wanted.severity.map(Into::into),
        },
        sort: match order {
            SortParam::Severity => FindingSort::Severity,
            SortParam::Newest => FindingSort::Newest,
        },
        after: place.map(|(_, place)| place),
        limit: reply::limit(wanted.limit)?,
    };
    let page = face.store.page_findings(&query).await?;
    let next = page.next.and_then(|next| reply::cursor(&(order, next)));
    reply::json(
        &headers,
        &List { items: page.items.iter().map(FindingShape::from).collect(), next },
    )
}

/// One finding with every step that it took.
#[derive(Serialize, ToSchema)]
pub struct FindingDetail {
    #[serde(flatten)]
    finding: FindingShape,
    history: Vec<StepShape>,
}

/// One step in the life of a finding.
#[derive(Serialize, ToSchema)]
#[schema(as = Transition)]
struct StepShape {
    number: u32,
    /// `opened`, `updated`, `reopened`, `resolved` or `suppressed`.
    kind: &'static str,
    at: Timestamp,
    /// As of then.
    severity: &'static str,
    title: String,
    resolution: Option<String>,
}

impl From<PastTransition> for StepShape {
    fn from(step: PastTransition) -> Self {
        Self {
            number: step.number,
            kind: step.kind.as_str(),
            at: step.at,
            severity: step.severity.as_str(),
            title: step.title,
            resolution: step.resolution,
        }
    }
}

/// One finding and its history.
#[utoipa::path(get, path = "/v1/findings/{id}", tag = "findings",
    params(("id" = String, Path, description = "The finding's id, `f_…`", pattern = "^f_[0-9a-f]{20}$")),
    responses((status = 200, body = FindingDetail), super::Refusals, super::Missing))]
pub async fn one(
    State(face): State<Face>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some((finding, steps)) = face.store.finding(&id).await? else {
        return Err(Problem::not_found("finding"));
    };
    let history = steps.into_iter().map(StepShape::from).collect();
    reply::json(&headers, &FindingDetail { finding: (&finding).into(), history })
}
