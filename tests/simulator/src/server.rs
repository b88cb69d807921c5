//! The AWS side: decodes a request, operates, and encodes the answer.
//!
//! All services answer on one address. Signatures are not checked; the access key id in the
//! `Authorization` header only says which account is asking.

mod decode;
mod encode;

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::response::Response;

use self::decode::{Decoded, Protocol};
use crate::call::{ApiError, Request, own};
use crate::clock::Clock;
use crate::fault::Fault;
use crate::organization::Organization;
use crate::page::{Pages, Quirk};
use crate::serving::{Inside, Served, Serving, Shared, Turn};
use crate::sts::NOT_A_SECRET;
use crate::{iam, organizations, sts};

/// An access key id that no organisation issues: it speaks for the management account.
pub const AMBIENT_KEY: &str = "AKIASIMULATORAMBIENT";

/// An [`Organization`] that answers over HTTP on 127.0.0.1, at one address for every service.
///
/// Actions of a [`FaultPlan`](crate::FaultPlan) and of [`Calls`](crate::Calls) are written like the
/// permission: `iam:ListRoles`. Requests whose credentials were refused count for `unknown`.
pub type Simulator = Serving<Organization>;

impl Simulator {
    /// What the official SDKs and tools read to talk to this simulator as the management
    /// account, and to nothing else.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_ACCESS_KEY_ID", AMBIENT_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", NOT_A_SECRET.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }
}

/// What operations work on.
#[derive(Debug)]
pub(crate) struct World<'a> {
    pub(crate) org: &'a mut Organization,
    pub(crate) pages: &'a mut Pages,
}

impl Served for Organization {
    type Call = Decoded;
    type Side = Pages;

    fn side(&self) -> Pages {
        Pages::new(self.management.bytes().map(u64::from).sum())
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn read(inside: &Inside<Self>, head: &Parts, body: Bytes) -> Decoded {
        decode::decode(&inside.world, &head.headers, &body)
    }

    fn counts_for(&self, call: &Decoded) -> (String, String) {
        let account = call.request.as_ref().map_or("unknown", |request| &request.account);
        (account.to_owned(), call.action.clone())
    }

    fn answer(shared: &Arc<Shared<Self>>, call: Decoded, turn: &Turn) -> Response {
        let Decoded { protocol, action, request } = call;
        let result = request.and_then(|request| {
            let quirk = turn.fault.and_then(Quirk::of);
            let request = Request { quirk, most: turn.most, ..request };
            let mut inside = shared.lock();
            let Inside { world: org, side: pages, .. } = &mut *inside;
            operate(&mut World { org, pages }, &request, turn.fault)
        });
        let out = match turn.fault {
            Some(Fault::HtmlError) => encode::html(),
            _ => encode::encode(protocol, &action, turn.number, result),
        };
        out.send(turn)
    }
}

fn operate(
    world: &mut World<'_>,
    request: &Request,
    fault: Option<Fault>,
) -> Result<String, ApiError> {
    if let Some(error) = fault.and_then(error) {
        return Err(error);
    }
    let account = own(world.org, request)?;
    if fault == Some(Fault::Denied) || account.denied.contains(&request.action) {
        return Err(ApiError::denied(&request.caller.arn(account), &request.action, "*"));
    }
    match request.action.split(':').next() {
        Some("iam") => iam::answer(world, request),
        Some("sts") => sts::answer(world, request),
        _ => organizations::answer(world, request),
    }
}

/// The other faults that are answers of the service itself.
fn error(fault: Fault) -> Option<ApiError> {
    match fault {
        Fault::Throttle => Some(ApiError::throttled()),
        Fault::TooManyRequests => Some(ApiError { status: 429, ..ApiError::throttled() }),
        Fault::NotFound => Some(ApiError::new(404, "NotFound", "Not Found")),
        Fault::ServerError => {
            Some(ApiError::new(500, "InternalFailure", "An internal error has occurred."))
        }
        Fault::Unavailable => {
            Some(ApiError::new(503, "ServiceUnavailable", "Service is unavailable."))
        }
        _ => None,
    }
}
