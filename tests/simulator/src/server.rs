//! The HTTP side: decodes a request, counts it, spoils it where a plan says so, answers it.
//!
//! All services answer on one address. Signatures are not checked; the access key id in the
//! `Authorization` header only says which account is asking.

mod decode;
mod encode;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::decode::{Decoded, Protocol};
use self::encode::Answer;
use crate::call::{ApiError, Request, own};
use crate::calls::Calls;
use crate::fault::{Fault, FaultPlan, Spoil};
use crate::organization::Organization;
use crate::page::{Pages, Quirk};
use crate::wire::{Breakable, Wire};
use crate::{iam, organizations, sts};

/// What operations work on.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) org: Organization,
    pub(crate) pages: Pages,
}

/// Everything behind the lock.
#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) world: World,
    pub(crate) faults: Vec<FaultPlan>,
    pub(crate) calls: Calls,
}

/// The state that requests, script and counts share.
#[derive(Debug)]
pub(crate) struct Shared(Mutex<Inside>);

impl Shared {
    pub(crate) fn new(org: Organization) -> Self {
        let pages = Pages::new(org.management.bytes().map(u64::from).sum());
        let world = World { org, pages };
        Self(Mutex::new(Inside { world, faults: Vec::new(), calls: Calls::default() }))
    }

    /// A panic in one test thread must not take the server away from the others.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an exchange; returns its number and what spoils it.
    fn begin(&self, account: &str, action: &str) -> (u64, Spoil) {
        let mut inside = self.lock();
        let number = inside.calls.count(account, action);
        (number, Spoil::decide(&mut inside.faults, number, account, action))
    }

    fn answer(&self, request: &Request) -> Result<String, ApiError> {
        let mut inside = self.lock();
        let world = &mut inside.world;
        let account = own(&world.org, request)?;
        if account.denied.contains(&request.action) {
            return Err(ApiError::denied(&request.caller.arn(account), &request.action, "*"));
        }
        match request.action.split(':').next() {
            Some("iam") => iam::answer(world, request),
            Some("sts") => sts::answer(world, request),
            _ => organizations::answer(world, request),
        }
    }
}

/// Serves until `stop` changes or its sender is gone.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: watch::Receiver<bool>) {
    let router = Router::new().fallback(exchange).with_state((shared, stop.clone()));
    let service = router.into_make_service_with_connect_info::<Wire>();
    let mut stop = stop;
    let stopped = async move {
        // An error means that the simulator was dropped, which is a stop as well.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    // Accept errors are retried inside; there is nobody left to tell about anything else.
    let _ = axum::serve(Breakable(listener), service).with_graceful_shutdown(stopped).await;
}

async fn exchange(
    State((shared, mut stop)): State<(Arc<Shared>, watch::Receiver<bool>)>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Decoded { protocol, action, request } = decode::decode(&shared, &headers, &body);
    let account = request.as_ref().map_or("unknown", |request| request.account.as_str());
    let (number, spoil) = shared.begin(account, &action);
    if !spoil.latency.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(spoil.latency) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
    let result = request.and_then(|mut request| {
        if let Some(error) = spoil.fault.and_then(|fault| error(fault, &shared, &request)) {
            return Err(error);
        }
        request.quirk = spoil.fault.and_then(quirk);
        shared.answer(&request)
    });
    let answer = encode::encode(protocol, &action, number, result);
    dress(answer, spoil.fault, &wire)
}

/// The faults that are answers of the service itself.
fn error(fault: Fault, shared: &Shared, request: &Request) -> Option<ApiError> {
    match fault {
        Fault::Throttle => Some(ApiError::throttled()),
        Fault::TooManyRequests => Some(ApiError { status: 429, ..ApiError::throttled() }),
        Fault::Denied => {
            let inside = shared.lock();
            let account = own(&inside.world.org, request).ok()?;
            Some(ApiError::denied(&request.caller.arn(account), &request.action, "*"))
        }
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

fn quirk(fault: Fault) -> Option<Quirk> {
    match fault {
        Fault::RepeatedMarker => Some(Quirk::RepeatedMarker),
        Fault::MissingMarker => Some(Quirk::MissingMarker),
        Fault::EmptyPage => Some(Quirk::EmptyPage),
        _ => None,
    }
}

/// The faults that happen to an answer on its way.
fn dress(mut answer: Answer, fault: Option<Fault>, wire: &Wire) -> Response {
    match fault {
        Some(Fault::HtmlError) => answer = Answer::html(),
        Some(Fault::TruncatedBody) => answer.body.truncate(answer.body.len() / 2),
        Some(Fault::CutConnection) => wire.cut_body(answer.body.len() / 2),
        Some(Fault::Reset) => wire.reset(),
        _ => {}
    }
    answer.into_response()
}
