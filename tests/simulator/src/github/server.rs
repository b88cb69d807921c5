//! The HTTP side: finds the route, asks who it is, takes from the budget, spoils where a plan
//! says so, and answers.

mod answer;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::edition::Edition;
use super::model::Hub;
use super::page::Links;
use crate::calls::Calls;
use crate::clock::Clock;
use crate::fault::{Fault, FaultPlan, Spoil};
use crate::wire::{Breakable, Wire};

/// Everything behind the lock.
#[derive(Debug)]
struct Inside {
    hub: Hub,
    faults: Vec<FaultPlan>,
    calls: Calls,
    public: String,
}

#[derive(Debug)]
struct Shared(Mutex<Inside>);

impl Shared {
    /// A panic in one test thread must not take the server away from the others.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    /// Counts an exchange; gives its number, its delay and its fault.
    fn begin(&mut self, account: &str, action: &str) -> (u64, Duration, Option<Fault>) {
        let number = self.calls.count(account, action);
        let spoil = Spoil::decide(&mut self.faults, number, account, action);
        (number, spoil.latency, spoil.fault)
    }
}

/// A [`Hub`] that answers over HTTP on 127.0.0.1. It ends when it is dropped.
///
/// Actions of a [`FaultPlan`] and of [`Calls`] are routes with their method:
/// `GET /orgs/{org}/hooks`, `POST /graphql`. Accounts are logins of organisations; requests with a
/// JWT count for `app`, refused ones for `unknown`.
pub struct HubServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    clock: Clock,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl HubServer {
    /// Serves `hub` on a free port, on the tokio runtime of the caller.
    pub async fn start(hub: Hub) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let clock = hub.clock().clone();
        let public = base(&format!("http://{address}"), hub.edition);
        let inside = Inside { hub, faults: Vec::new(), calls: Calls::default(), public };
        let shared = Arc::new(Shared(Mutex::new(inside)));
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(serve(listener, Arc::clone(&shared), stopped));
        Ok(Self { address, shared, clock, stop, server })
    }

    /// The address of the REST API: `http://127.0.0.1:PORT`, on a `Server` edition with `/api/v3`.
    pub fn url(&self) -> String {
        base(&self.origin(), self.shared.lock().hub.edition)
    }

    /// The address of the GraphQL API.
    pub fn graphql_url(&self) -> String {
        match self.shared.lock().hub.edition {
            Edition::Server => format!("{}/api/graphql", self.origin()),
            _ => format!("{}/graphql", self.origin()),
        }
    }

    fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on links and addresses in answers begin with `url`: for a proxy in front.
    pub fn behind(&self, url: &str) {
        self.shared.lock().public = url.trim_end_matches('/').to_owned();
    }

    /// The clock by which everything here lives.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Changes what exists while it is served. No request is answered while the guard lives, so
    /// let it go at the end of the statement or block.
    pub fn change(&self) -> HubChanges<'_> {
        HubChanges(self.shared.lock())
    }

    /// Looks at what exists: the truth to hold a scan against.
    pub fn read<T>(&self, look: impl FnOnce(&Hub) -> T) -> T {
        look(&self.shared.lock().hub)
    }

    /// From now on spoils the exchanges that `plan` picks. Of several plans that pick the same
    /// exchange the first wins; latencies add up.
    pub fn inject(&self, plan: FaultPlan) {
        self.shared.lock().faults.push(plan);
    }

    /// Forgets all fault plans.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Serves pages of at most so many rows (`None`: as many as were asked for).
    pub fn limit_pages(&self, most: Option<usize>) {
        self.shared.lock().hub.manners.most = most;
    }

    /// Says where `rel="next"` leads.
    pub fn set_links(&self, links: Links) {
        self.shared.lock().hub.manners.links = links;
    }

    /// The requests since the start or the last [`HubServer::reset_calls`].
    pub fn calls(&self) -> Calls {
        self.shared.lock().calls.clone()
    }

    /// How many requests there were; the next one is this number plus 1.
    pub fn exchanges(&self) -> u64 {
        self.shared.lock().calls.total()
    }

    /// Begins to count anew; the next exchange is number 1.
    pub fn reset_calls(&self) {
        self.shared.lock().calls = Calls::default();
    }

    /// Ends the server and waits until it is gone.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // The only error is a panic of the server task, which has printed itself.
        let _ = self.server.await;
    }
}

fn base(origin: &str, edition: Edition) -> String {
    match edition {
        Edition::Server => format!("{origin}/api/v3"),
        _ => origin.to_owned(),
    }
}

impl fmt::Debug for HubServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubServer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Exclusive access to what a running server serves.
pub struct HubChanges<'a>(MutexGuard<'a, Inside>);

impl Deref for HubChanges<'_> {
    type Target = Hub;

    fn deref(&self) -> &Hub {
        &self.0.hub
    }
}

impl DerefMut for HubChanges<'_> {
    fn deref_mut(&mut self) -> &mut Hub {
        &mut self.0.hub
    }
}

impl fmt::Debug for HubChanges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubChanges").finish_non_exhaustive()
    }
}

/// Serves until `stop` changes or its sender is gone.
async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: watch::Receiver<bool>) {
    let router = Router::new().fallback(exchange).with_state((shared, stop.clone()));
    let service = router.into_make_service_with_connect_info::<Wire>();
    let mut stop = stop;
    let stopped = async move {
        // An error means that the server was dropped, which is a stop as well.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    // Accept errors are retried inside; there is nobody left to tell about anything else.
    let _ = axum::serve(Breakable(listener), service).with_graceful_shutdown(stopped).await;
}

async fn exchange(
    State((shared, mut stop)): State<(Arc<Shared>, watch::Receiver<bool>)>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (call, number, late, fault) = {
        let mut inside = shared.lock();
        let call = answer::Call::read(&inside.hub, &method, &uri, &headers, &body);
        let (number, late, fault) = inside.begin(&call.account, &call.action);
        (call, number, late, fault)
    };
    if !late.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(late) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }
    let mut out = {
        let mut inside = shared.lock();
        let public = inside.public.clone();
        call.answer(&mut inside.hub, &public, number, fault)
    };
    match fault {
        Some(Fault::TruncatedBody) => out.body.truncate(out.body.len() / 2),
        Some(Fault::CutConnection) => wire.cut_body(out.body.len() / 2),
        Some(Fault::Reset) => wire.reset(),
        _ => {}
    }
    out.into_response()
}
