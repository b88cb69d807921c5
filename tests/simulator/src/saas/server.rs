//! The HTTP side of every vendor: reads the request, asks who it is, takes from the budget, spoils
//! where a plan says so, and answers.

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
use url::form_urlencoded;

use super::ask::Ask;
use super::tenant::{Cut, Refusal, Tenant};
use crate::calls::Calls;
use crate::clock::Clock;
use crate::fault::{Fault, FaultPlan, Spoil};
use crate::out::Out;
use crate::wire::{Breakable, Wire};

/// What happens just before some exchange is answered.
type Script<T> = (u64, Box<dyn FnOnce(&mut T) + Send>);

/// What a proxy in front shows when it has no answer.
const TROUBLE: &str = "Service Unavailable";

/// Seconds that a scripted throttling asks for.
const RETRY_AFTER: i64 = 30;

/// Everything behind the lock.
struct Inside<T> {
    tenant: T,
    faults: Vec<FaultPlan>,
    script: Vec<Script<T>>,
    calls: Calls,
    most: Option<usize>,
    public: String,
}

/// A [`Tenant`] that answers over HTTP on 127.0.0.1. It ends when it is dropped.
///
/// Actions of a [`FaultPlan`] and of [`Calls`] are methods with routes below the base of the API:
/// `GET /api/v1/apps/{app}/grants`. The account of a request is `tenant`, or `unknown` where its
/// token was refused.
pub struct SaasServer<T: Tenant> {
    address: SocketAddr,
    inside: Arc<Mutex<Inside<T>>>,
    clock: Clock,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

/// A panic in one test thread must not take the server away from the others.
fn lock<T>(inside: &Mutex<Inside<T>>) -> MutexGuard<'_, Inside<T>> {
    inside.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Tenant> SaasServer<T> {
    /// Serves `tenant` on a free port, on the tokio runtime of the caller.
    pub async fn start(tenant: T) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let clock = tenant.holdings().clock().clone();
        let public = format!("http://{address}{}", T::BELOW);
        let inside = Inside {
            tenant,
            faults: Vec::new(),
            script: Vec::new(),
            calls: Calls::default(),
            most: None,
            public,
        };
        let inside = Arc::new(Mutex::new(inside));
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(serve(listener, Arc::clone(&inside), stopped));
        Ok(Self { address, inside, clock, stop, server })
    }

    /// The address of the API, with what stands before every path of it.
    pub fn url(&self) -> String {
        format!("{}{}", self.origin(), T::BELOW)
    }

    /// The address of the server, below which tokens are asked for as well.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on links in answers begin with `url`: for a proxy in front.
    pub fn behind(&self, url: &str) {
        lock(&self.inside).public = url.trim_end_matches('/').to_owned();
    }

    /// The clock by which everything here lives.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Changes what exists while it is served. No request is answered while the guard lives, so
    /// let it go at the end of the statement or block.
    pub fn change(&self) -> TenantChanges<'_, T> {
        TenantChanges(lock(&self.inside))
    }

    /// Looks at what exists: the truth to hold a scan against.
    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&lock(&self.inside).tenant)
    }

    /// Changes what exists when exchange `number` arrives, before it is answered.
    pub fn at_exchange(&self, number: u64, change: impl FnOnce(&mut T) + Send + 'static) {
        lock(&self.inside).script.push((number, Box::new(change)));
    }

    /// From now on spoils the exchanges that `plan` picks. Of several plans that pick the same
    /// exchange the first wins; latencies add up.
    pub fn inject(&self, plan: FaultPlan) {
        lock(&self.inside).faults.push(plan);
    }

    /// Forgets all fault plans.
    pub fn clear_faults(&self) {
        lock(&self.inside).faults.clear();
    }

    /// Serves pages of at most so many rows (`None`: as many as were asked for).
    pub fn limit_pages(&self, most: Option<usize>) {
        lock(&self.inside).most = most;
    }

    /// The requests since the start or the last [`SaasServer::reset_calls`].
    pub fn calls(&self) -> Calls {
        lock(&self.inside).calls.clone()
    }

    /// How many requests there were; the next one is this number plus 1.
    pub fn exchanges(&self) -> u64 {
        lock(&self.inside).calls.total()
    }

    /// Begins to count anew, with a full budget; the next exchange is number 1.
    pub fn reset_calls(&self) {
        let mut inside = lock(&self.inside);
        inside.calls = Calls::default();
        inside.tenant.holdings_mut().forget_spent();
    }

    /// Ends the server and waits until it is gone.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // The only error is a panic of the server task, which has printed itself.
        let _ = self.server.await;
    }
}

impl<T: Tenant> fmt::Debug for SaasServer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaasServer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Exclusive access to what a running server serves.
pub struct TenantChanges<'a, T>(MutexGuard<'a, Inside<T>>);

impl<T> Deref for TenantChanges<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.tenant
    }
}

impl<T> DerefMut for TenantChanges<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0.tenant
    }
}

impl<T> fmt::Debug for TenantChanges<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantChanges").finish_non_exhaustive()
    }
}

type Shared<T> = (Arc<Mutex<Inside<T>>>, watch::Receiver<bool>);

/// Serves until `stop` changes or its sender is gone.
async fn serve<T: Tenant>(
    listener: TcpListener,
    inside: Arc<Mutex<Inside<T>>>,
    mut stop: watch::Receiver<bool>,
) {
    let router = Router::new().fallback(exchange::<T>).with_state((inside, stop.clone()));
    let service = router.into_make_service_with_connect_info::<Wire>();
    let stopped = async move {
        // An error means that the server was dropped, which is a stop as well.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    // Accept errors are retried inside; there is nobody left to tell about anything else.
    let _ = axum::serve(Breakable(listener), service).with_graceful_shutdown(stopped).await;
}

async fn exchange<T: Tenant>(
    State((inside, mut stop)): State<Shared<T>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (mut out, spoil) = lock(&inside).exchange((&method, &uri, &headers), &body);
    if !spoil.latency.is_zero() {
        wait(spoil.latency, &mut stop).await;
    }
    match spoil.fault {
        Some(Fault::TruncatedBody) => out.body.truncate(out.body.len() / 2),
        Some(Fault::CutConnection) => wire.cut_body(out.body.len() / 2),
        Some(Fault::Reset) => wire.reset(),
        _ => {}
    }
    out.into_response()
}

async fn wait(late: Duration, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = tokio::time::sleep(late) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

impl<T: Tenant> Inside<T> {
    fn exchange(
        &mut self,
        (method, uri, headers): (&Method, &Uri, &HeaderMap),
        body: &Bytes,
    ) -> (Out, Spoil) {
        let coming = self.calls.total() + 1;
        for (_, change) in self.script.extract_if(.., |(at, _)| *at == coming) {
            change(&mut self.tenant);
        }
        let ask = Ask::read((method, uri, headers), T::ROUTES, (T::BELOW, &self.public));
        let known = self.tenant.authenticate(&ask);
        let asks_for_token = *method == Method::POST;
        let account = if known.is_ok() || asks_for_token { "tenant" } else { "unknown" };
        let action = ask.action();
        let number = self.calls.count(account, &action);
        let spoil = Spoil::decide(&mut self.faults, number, account, &action);
        if let Some(out) = self.trouble(&ask, spoil.fault) {
            return (out, spoil);
        }
        if asks_for_token {
            let form = form_urlencoded::parse(body).into_owned().collect();
            let out = self.tenant.exchange(uri.path(), &form);
            return (out.unwrap_or_else(|| self.tenant.refuse(&Refusal::NotFound)), spoil);
        }
        (self.answer(&ask, known, spoil.fault), spoil)
    }

    /// The faults that are answers of the vendor itself.
    fn trouble(&self, ask: &Ask, fault: Option<Fault>) -> Option<Out> {
        let refusal = match fault? {
            Fault::Throttle | Fault::TooManyRequests => Refusal::Throttled(RETRY_AFTER),
            Fault::Denied => Refusal::Denied(ask.route.map_or("", |route| route.needs)),
            Fault::NotFound => Refusal::NotFound,
            Fault::Unauthorized => Refusal::BadToken,
            Fault::ServerError => Refusal::Trouble(500),
            Fault::HtmlError => return Some(Out::html(500, TROUBLE)),
            Fault::Unavailable => Refusal::Trouble(503),
            _ => return None,
        };
        Some(self.tenant.refuse(&refusal))
    }

    fn answer(&mut self, ask: &Ask, known: Result<(), Refusal>, fault: Option<Fault>) -> Out {
        let (budget, exceeded) = match self.tenant.holdings_mut().spend() {
            Ok(budget) => (budget, None),
            Err((budget, wait)) => (budget, Some(Refusal::Throttled(wait))),
        };
        let cut = Cut { fault, most: self.most };
        let answered = match (known, exceeded) {
            (Err(refusal), _) | (Ok(()), Some(refusal)) => Err(refusal),
            (Ok(()), None) => self.tenant.answer(ask, cut),
        };
        let mut out = answered.unwrap_or_else(|refusal| self.tenant.refuse(&refusal));
        out.headers.extend(self.tenant.limits(budget));
        out
    }
}
