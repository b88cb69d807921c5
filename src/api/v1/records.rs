//! Identities, credentials and grants; one record and what stands around it.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use headcount_core::graph::Connection;
use headcount_core::inventory::Record;
use headcount_sdk::{Class, RecordId, Status};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::findings::FindingShape;
use crate::api::Face;
use crate::api::problem::Problem;
use crate::api::reply::{self, Asked, List};
use crate::snapshot::record::RecordShape;
use crate::store::paging::{Direction, Ownership, RecordPlace, RecordQuery, RecordSort};
use crate::store::{FindingFilter, RecordFilter};
use crate::view::around::around;

/// Which records, in which order.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only of this configured source.
    pub source: Option<String>,
    /// Only of this kind, e.g. `iam-role`.
    pub kind: Option<String>,
    /// Part of the name, the vendor's handle or the id, without case.
    pub q: Option<String>,
    #[param(inline)]
    pub status: Option<StatusParam>,
    /// `true` = only those with an owner, `false` = only those without.
    pub owned: Option<bool>,
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
    Active,
    Disabled,
    Unknown,
}

/// An order; `-` before a name turns it round. By last use, records of which none is known stand
/// before all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum SortParam {
    #[default]
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-name")]
    NameDown,
    #[serde(rename = "first_seen")]
    FirstSeen,
    #[serde(rename = "-first_seen")]
    FirstSeenDown,
    #[serde(rename = "last_use")]
    LastUse,
    #[serde(rename = "-last_use")]
    LastUseDown,
}

impl SortParam {
    const fn parts(self) -> (RecordSort, Direction) {
        match self {
            Self::Name => (RecordSort::Name, Direction::Ascending),
            Self::NameDown => (RecordSort::Name, Direction::Descending),
            Self::FirstSeen => (RecordSort::FirstSeen, Direction::Ascending),
            Self::FirstSeenDown => (RecordSort::FirstSeen, Direction::Descending),
            Self::LastUse => (RecordSort::LastUse, Direction::Ascending),
            Self::LastUseDown => (RecordSort::LastUse, Direction::Descending),
        }
    }
}

/// Roles, service accounts, apps, bots, AI agents: every actor that is not a person.
#[utoipa::path(get, path = "/v1/identities", tag = "inventory", params(Wanted),
    responses((status = 200, body = List<RecordShape>), super::Refusals))]
pub async fn identities(
    State(face): State<Face>,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    list(&face, &headers, wanted, &[Class::Identity, Class::AiAgent]).await
}

/// Keys, tokens, certificates, client secrets: what proves an identity, never the secret itself.
#[utoipa::path(get, path = "/v1/credentials", tag = "inventory", params(Wanted),
    responses((status = 200, body = List<RecordShape>), super::Refusals))]
pub async fn credentials(
    State(face): State<Face>,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    list(&face, &headers, wanted, &[Class::Credential]).await
}

/// Powers that identities hold.
#[utoipa::path(get, path = "/v1/grants", tag = "inventory", params(Wanted),
    responses((status = 200, body = List<RecordShape>), super::Refusals))]
pub async fn grants(
    State(face): State<Face>,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    list(&face, &headers, wanted, &[Class::Grant]).await
}

async fn list(
    face: &Face,
    headers: &HeaderMap,
    wanted: Wanted,
    classes: &[Class],
) -> Result<Response, Problem> {
    let order = wanted.sort.unwrap_or_default();
    let place: Option<(SortParam, RecordPlace)> = reply::place(wanted.cursor.as_deref())?;
    if place.as_ref().is_some_and(|(given, _)| *given != order) {
        return Err(Problem::unprocessable("the cursor is one of another order"));
    }
    let (sort, direction) = order.parts();
    let query = RecordQuery {
        filter: RecordFilter {
            source: wanted.source,
            classes: classes.to_vec(),
            kind: wanted.kind,
            text: wanted.q,
            at: None,
        },
        status: wanted.status.map(|status| match status {
            StatusParam::Active => Status::Active,
            StatusParam::Disabled => Status::Disabled,
            StatusParam::Unknown => Status::Unknown,
        }),
        ownership: wanted.owned.map(|owned| match owned {
            true => Ownership::Owned,
            false => Ownership::Ownerless,
        }),
        sort,
        direction,
        after: place.map(|(_, place)| place),
        limit: reply::limit(wanted.limit)?,
    };
    let page = face.store.page_records(&query).await?;
    let next = page.next.and_then(|next| reply::cursor(&(order, next)));
    let items = page.items.iter().map(RecordShape::from).collect();
    reply::json(headers, &List { items, next })
}

/// As of when a record is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// A past moment; without it, now.
    pub at: Option<Timestamp>,
}

/// One record with its evidence, its versions and its findings.
#[derive(Serialize, ToSchema)]
pub struct RecordDetail {
    #[serde(flatten)]
    record: RecordShape,
    /// Where what is said of it comes from.
    evidence: Vec<EvidenceShape>,
    /// When it was like that; the last is the present one if it has no end.
    versions: Vec<VersionShape>,
    /// Findings on it, resolved ones included; not asked of the past.
    findings: Vec<FindingShape>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Evidence)]
struct EvidenceShape {
    /// The vendor's operation.
    operation: String,
    /// The object that it spoke of, in the vendor's words.
    object: String,
    at: Timestamp,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Version)]
struct VersionShape {
    from: Timestamp,
    /// `null` = it is the present one.
    to: Option<Timestamp>,
}

/// One record, now or at a past moment.
#[utoipa::path(get, path = "/v1/records/{id}", tag = "inventory",
    params(("id" = String, Path, description = "The record's id, percent-encoded"), When),
    responses((status = 200, body = RecordDetail), super::Refusals, super::Missing))]
pub async fn one(
    State(face): State<Face>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Asked(when): Asked<When>,
) -> Result<Response, Problem> {
    let id = RecordId::from_stored(id);
    let versions = face.store.versions(&id).await?;
    let fits = |version: &&crate::store::Version| match when.at {
        None => version.valid_to.is_none(),
        Some(at) => version.valid_from <= at && version.valid_to.is_none_or(|to| at < to),
    };
    let Some(version) = versions.iter().find(fits) else {
        return Err(Problem::not_found("record at that moment"));
    };
    let findings = match when.at {
        Some(_) => Vec::new(),
        None => {
            let filter =
                FindingFilter { subject: Some(id.to_string()), ..FindingFilter::default() };
            face.store.list_findings(&filter).await?
        }
    };
    let evidence = &version.record.observation.evidence;
    reply::json(
        &headers,
        &RecordDetail {
            record: RecordShape::from(&version.record),
            evidence: evidence
                .iter()
                .map(|evidence| EvidenceShape {
                    operation: evidence.operation.clone(),
                    object: evidence.object.clone(),
                    at: evidence.at,
                })
                .collect(),
            versions: versions
                .iter()
                .map(|version| VersionShape { from: version.valid_from, to: version.valid_to })
                .collect(),
            findings: findings.iter().map(FindingShape::from).collect(),
        },
    )
}

/// What stands around a record.
#[derive(Serialize, ToSchema)]
pub struct Links {
    /// Records that its links lead to.
    outgoing: Vec<LinkShape>,
    /// Records whose links lead to it.
    incoming: Vec<LinkShape>,
    /// Records that belong to it.
    children: Vec<Far>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Link)]
struct LinkShape {
    /// `uses`, `trusts`, `mounts`, `issues` or `belongs_to`.
    kind: &'static str,
    record: Far,
    /// From 0 to 1: how sure it is that the link means this record.
    confidence: f64,
    /// Why they belong together.
    basis: String,
}

/// A record at the other end, in short.
#[derive(Serialize, ToSchema)]
struct Far {
    id: String,
    class: &'static str,
    kind: String,
    name: String,
    place: String,
}

impl From<&Record> for Far {
    fn from(record: &Record) -> Self {
        let seen = &record.observation;
        Self {
            id: seen.id.to_string(),
            class: seen.class.as_str(),
            kind: seen.kind.clone(),
            name: seen.name.clone(),
            place: record.scope.place.clone(),
        }
    }
}

/// The links around a present record, over all sources.
#[utoipa::path(get, path = "/v1/records/{id}/links", tag = "inventory",
    params(("id" = String, Path, description = "The record's id, percent-encoded")),
    responses((status = 200, body = Links), super::Refusals, super::Missing))]
pub async fn links(
    State(face): State<Face>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = face.store.records(&[RecordId::from_stored(id)]).await?;
    let Some(record) = found.first() else { return Err(Problem::not_found("present record")) };
    let around = around(face.store.as_ref(), record).await?;
    let shapes = |ends: Vec<(Record, Connection)>| {
        ends.iter()
            .map(|(far, connection)| LinkShape {
                kind: connection.kind.as_str(),
                record: far.into(),
                confidence: connection.confidence.as_fraction(),
                basis: connection.basis.clone(),
            })
            .collect()
    };
    reply::json(
        &headers,
        &Links {
            outgoing: shapes(around.outgoing),
            incoming: shapes(around.incoming),
            children: around.children.iter().map(Far::from).collect(),
        },
    )
}
