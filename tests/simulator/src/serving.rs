//! What every server here does alike: it listens, reads a request, counts it, decides what spoils
//! it, waits where that is late, lets it be answered, and ends.
//!
//! A [`Served`] is what exists and how it talks: one per vendor, or per family of vendors. It is
//! changed, looked at and asked behind one lock, which is never held across a wait.
//!
//! Start at [`Serving::start`]; the way of a request is `exchange`, at the end.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::calls::Calls;
use crate::clock::Clock;
use crate::fault::{Fault, FaultPlan, Spoil};
use crate::wire::{Breakable, Wire};

/// What can be served. Those in this crate are all there are.
pub trait Served: Send + Sized + 'static {
    /// A request, read.
    type Call: Send;
    /// What only the serving of it needs: page markers, open watches.
    type Side: Send;

    fn side(&self) -> Self::Side;

    /// The clock by which it lives.
    fn clock(&self) -> &Clock;

    /// What stands before every path of the API.
    fn below(&self) -> &'static str {
        ""
    }

    /// Reads a request when it comes.
    fn read(inside: &Inside<Self>, head: &Parts, body: Bytes) -> Self::Call;

    /// The account and the action that a request counts for.
    fn counts_for(&self, call: &Self::Call) -> (String, String);

    /// Answers when it is time to, and applies the fault to the answer.
    fn answer(shared: &Arc<Shared<Self>>, call: Self::Call, turn: &Turn) -> Response;

    /// A change is over; the lock goes right after this.
    fn changed(_side: &mut Self::Side) {}

    /// Counting began anew.
    fn counted_anew(&mut self) {}
}

/// What happens just before some exchange is answered.
type Script<S> = (u64, Box<dyn FnOnce(&mut S) + Send>);

/// Everything behind the lock.
pub struct Inside<S: Served> {
    pub(crate) world: S,
    pub(crate) side: S::Side,
    /// Where the API is, as answers write it.
    pub(crate) public: String,
    faults: Vec<FaultPlan>,
    script: Vec<Script<S>>,
    calls: Calls,
    most: Option<usize>,
}

/// What requests and the owner of the server share.
pub struct Shared<S: Served> {
    inside: Mutex<Inside<S>>,
    stop: watch::Receiver<bool>,
}

/// What is said to one answer.
#[derive(Debug)]
pub struct Turn {
    /// Of the exchange. The first is 1.
    pub(crate) number: u64,
    pub(crate) fault: Option<Fault>,
    /// Pages have at most so many rows, whatever was asked for.
    pub(crate) most: Option<usize>,
    /// Where the API is, as answers write it.
    pub(crate) public: String,
    /// The connection that the answer goes out on.
    pub(crate) wire: Wire,
}

impl<S: Served> Shared<S> {
    /// A panic in one test thread must not take the server away from the others.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inside<S>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the server is to end.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + use<S> {
        let mut stop = self.stop.clone();
        async move {
            // An error means that the server was dropped, which is a stop as well.
            let _ = stop.wait_for(|stop| *stop).await;
        }
    }
}

impl<S: Served> Inside<S> {
    /// Reads and counts a request, and decides what spoils it.
    fn begin(&mut self, head: &Parts, body: Bytes, wire: Wire) -> (S::Call, Turn, Duration) {
        let coming = self.calls.total() + 1;
        for (_, change) in self.script.extract_if(.., |(at, _)| *at == coming) {
            change(&mut self.world);
            S::changed(&mut self.side);
        }
        let call = S::read(self, head, body);
        let (account, action) = self.world.counts_for(&call);
        let number = self.calls.count(&account, &action);
        let Spoil { latency, fault } = Spoil::decide(&mut self.faults, number, &account, &action);
        let turn = Turn { number, fault, most: self.most, public: self.public.clone(), wire };
        (call, turn, latency)
    }
}

/// Something that answers over HTTP on 127.0.0.1. It ends when it is dropped.
pub struct Serving<S: Served> {
    address: SocketAddr,
    clock: Clock,
    pub(crate) shared: Arc<Shared<S>>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl<S: Served> Serving<S> {
    /// Serves `world` on a free port, on the tokio runtime of the caller.
    pub async fn start(world: S) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let clock = world.clock().clone();
        let inside = Inside {
            side: world.side(),
            public: format!("http://{address}{}", world.below()),
            world,
            faults: Vec::new(),
            script: Vec::new(),
            calls: Calls::default(),
            most: None,
        };
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared { inside: Mutex::new(inside), stop: stopped });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { address, clock, shared, stop, server })
    }

    /// The address of the API: `http://127.0.0.1:PORT`, with what stands before every path of it.
    pub fn url(&self) -> String {
        format!("{}{}", self.origin(), self.shared.lock().world.below())
    }

    /// The address of the server: `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on the links that answers hold begin with `url`: for a proxy in front.
    pub fn behind(&self, url: &str) {
        self.shared.lock().public = url.trim_end_matches('/').to_owned();
    }

    /// The clock by which everything here lives.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Changes what exists while it is served: `server.change().create_user(…)`. No request is
    /// answered while the guard lives, and a second guard in the same thread would wait for ever,
    /// so let it go at the end of the statement or block, before any `await`.
    pub fn change(&self) -> Changes<'_, S> {
        Changes(self.shared.lock())
    }

    /// Looks at what exists: the truth to hold a scan against.
    pub fn read<T>(&self, look: impl FnOnce(&S) -> T) -> T {
        look(&self.shared.lock().world)
    }

    /// Changes what exists when exchange `number` arrives, before it is answered.
    pub fn at_exchange(&self, number: u64, change: impl FnOnce(&mut S) + Send + 'static) {
        self.shared.lock().script.push((number, Box::new(change)));
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

    /// Serves pages of at most so many rows from now on (`None`: as many as were asked for), as a
    /// vendor may at any time.
    pub fn limit_pages(&self, most: Option<usize>) {
        self.shared.lock().most = most;
    }

    /// The requests since the start or the last [`Serving::reset_calls`].
    pub fn calls(&self) -> Calls {
        self.shared.lock().calls.clone()
    }

    /// How many requests there were since the start or the last [`Serving::reset_calls`]; the
    /// next one is this number plus 1.
    pub fn exchanges(&self) -> u64 {
        self.shared.lock().calls.total()
    }

    /// Begins to count anew; the next exchange is number 1.
    pub fn reset_calls(&self) {
        let mut inside = self.shared.lock();
        inside.calls = Calls::default();
        inside.world.counted_anew();
    }

    /// Ends the server and waits until it is gone.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // The only error is a panic of the server task, which has printed itself.
        let _ = self.server.await;
    }
}

impl<S: Served> fmt::Debug for Serving<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Exclusive access to what a running server serves.
pub struct Changes<'a, S: Served>(MutexGuard<'a, Inside<S>>);

impl<S: Served> Deref for Changes<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0.world
    }
}

impl<S: Served> DerefMut for Changes<'_, S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.0.world
    }
}

impl<S: Served> Drop for Changes<'_, S> {
    fn drop(&mut self) {
        S::changed(&mut self.0.side);
    }
}

impl<S: Served> fmt::Debug for Changes<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}

async fn serve<S: Served>(listener: TcpListener, shared: Arc<Shared<S>>) {
    let stopped = shared.stopped();
    let router = Router::new().fallback(exchange::<S>).with_state(shared);
    let service = router.into_make_service_with_connect_info::<Wire>();
    // Accept errors are retried inside; there is nobody left to tell about anything else.
    let _ = axum::serve(Breakable(listener), service).with_graceful_shutdown(stopped).await;
}

async fn exchange<S: Served>(
    State(shared): State<Arc<Shared<S>>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    head: Parts,
    body: Bytes,
) -> Response {
    let (call, turn, latency) = shared.lock().begin(&head, body, wire);
    if !latency.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(latency) => {}
            () = shared.stopped() => {}
        }
    }
    S::answer(&shared, call, &turn)
}
