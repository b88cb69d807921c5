//! How many there were, day by day.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Face;
use crate::api::problem::Problem;
use crate::api::reply::{self, Asked};
use crate::store::over_time::Census;

/// Without `from`, this far back.
const BACK: SignedDuration = SignedDuration::from_hours(90 * 24);
/// The longest span that is answered at once.
const LONGEST: SignedDuration = SignedDuration::from_hours(3_660 * 24);

/// From which day to which.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// From the day of this moment; without it, 90 days back.
    pub from: Option<Timestamp>,
    /// To the day of this moment; without it, today.
    pub to: Option<Timestamp>,
}

/// The population over time.
#[derive(Serialize, ToSchema)]
pub struct Population {
    /// By day, source and class. Days on which no scan ended are left out.
    census: Vec<CensusShape>,
}

/// The records of one class of one source at the end of a day's last scan.
#[derive(Serialize, ToSchema)]
#[schema(as = Census)]
struct CensusShape {
    at: Timestamp,
    source: String,
    class: &'static str,
    records: u64,
    /// Of which no owner is known.
    ownerless: u64,
    /// On which a rule about disuse has an open finding.
    stale: u64,
}

impl From<&Census> for CensusShape {
    fn from(census: &Census) -> Self {
        Self {
            at: census.at,
            source: census.source.clone(),
            class: census.class.as_str(),
            records: census.records,
            ownerless: census.ownerless,
            stale: census.stale,
        }
    }
}

/// How many records there were, how many without an owner and how many unused, day by day.
#[utoipa::path(get, path = "/v1/population", tag = "inventory", params(Wanted),
    responses((status = 200, body = Population), super::Refusals))]
pub async fn by_day(
    State(face): State<Face>,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let to = wanted.to.unwrap_or_else(|| face.clock.now());
    let from = wanted.from.unwrap_or_else(|| to.checked_sub(BACK).unwrap_or(to));
    if to.duration_since(from) > LONGEST {
        return Err(Problem::unprocessable("ask for ten years at most"));
    }
    let census = face.store.census(from, to).await?;
    reply::json(&headers, &Population { census: census.iter().map(CensusShape::from).collect() })
}
