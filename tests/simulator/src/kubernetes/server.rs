//! A running cluster: its address, its script, its counts, and the HTTP side of it.

mod answer;
mod exchange;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, MutexGuard};

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::cluster::Cluster;
use super::resource::Resource;
use super::shared::{Inside, Shared};
use crate::calls::Calls;
use crate::clock::Clock;
use crate::fault::FaultPlan;
use crate::wire::{Breakable, Wire};

/// The one bearer token that the server takes. Made up, and not a secret.
pub const BEARER: &str = "not-a-secret-bearer-EXAMPLE";

/// A cluster that answers over HTTP on 127.0.0.1. It ends when it is dropped.
pub struct ClusterServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    clock: Clock,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl ClusterServer {
    /// Serves `cluster` on a free port, on the tokio runtime of the caller.
    pub async fn start(cluster: Cluster) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let clock = cluster.clock().clone();
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared::new(cluster, stopped.clone()));
        let router = Router::new().fallback(exchange::exchange).with_state(Arc::clone(&shared));
        let service = router.into_make_service_with_connect_info::<Wire>();
        let mut stopped = stopped;
        let stopping = async move {
            // An error means that the server was dropped, which is a stop as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let serving = axum::serve(Breakable(listener), service).with_graceful_shutdown(stopping);
        let server = tokio::spawn(async move {
            // Accept errors are retried inside; nobody is left to tell about anything else.
            let _ = serving.await;
        });
        Ok(Self { address, shared, clock, stop, server })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A kubeconfig file that points at this server, with [`BEARER`] in it.
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\n\
             kind: Config\n\
             clusters:\n\
             - name: simulated\n  cluster:\n    server: {}\n\
             users:\n\
             - name: headcount\n  user:\n    token: {BEARER}\n\
             contexts:\n\
             - name: simulated\n  context:\n    cluster: simulated\n    user: headcount\n\
             current-context: simulated\n",
            self.url()
        )
    }

    /// The clock by which the cluster lives.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Changes the cluster while it runs: `server.change().create(…)`. Watches are told when the
    /// guard goes. No request is answered while it lives, and a second guard in the same thread
    /// would wait for ever, so let it go at the end of the statement or block, before any
    /// `await`.
    pub fn change(&self) -> ClusterChanges<'_> {
        ClusterChanges { inside: self.shared.lock(), shared: &self.shared }
    }

    /// Looks at the cluster: the truth to hold a scan against.
    pub fn read<T>(&self, look: impl FnOnce(&Cluster) -> T) -> T {
        look(&self.shared.lock().cluster)
    }

    /// From now on spoils the exchanges that `plan` picks: `.on("list pods")`,
    /// `.on("get /version")`. Of several plans that pick the same exchange the first wins.
    pub fn inject(&self, plan: FaultPlan) {
        self.shared.lock().faults.push(plan);
    }

    /// Forgets all fault plans.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Serves pages of at most so many objects from now on (`None`: as many as were asked for),
    /// also to those who asked for no pages.
    pub fn limit_pages(&self, most: Option<usize>) {
        self.shared.lock().most = most;
    }

    /// The requests since the start or the last [`ClusterServer::reset_calls`]: by the cluster's
    /// id, and by verb and resource like `list pods`, `watch pods`, `get /version`.
    pub fn calls(&self) -> Calls {
        self.shared.lock().calls.clone()
    }

    /// How many requests there were since the start or the last reset; the next one is this
    /// number plus 1.
    pub fn exchanges(&self) -> u64 {
        self.shared.lock().calls.total()
    }

    /// Begins to count anew; the next exchange is number 1.
    pub fn reset_calls(&self) {
        self.shared.lock().calls = Calls::default();
    }

    /// How many watches of a resource are open.
    pub fn watches(&self, resource: Resource) -> usize {
        self.shared.watches().borrow().get(&resource).copied().unwrap_or_default()
    }

    /// Waits until at least `count` watches of a resource are open.
    pub async fn until_watched(&self, resource: Resource, count: usize) {
        let mut watches = self.shared.watches();
        // The sender lives in what this server holds on to.
        let _ = watches
            .wait_for(|open| open.get(&resource).copied().unwrap_or_default() >= count)
            .await;
    }

    /// Waits until no watch of a resource is open.
    pub async fn until_unwatched(&self, resource: Resource) {
        let mut watches = self.shared.watches();
        let _ =
            watches.wait_for(|open| open.get(&resource).copied().unwrap_or_default() == 0).await;
    }

    /// Ends the server and waits until it is gone.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // The only error is a panic of the server task, which has printed itself.
        let _ = self.server.await;
    }
}

impl fmt::Debug for ClusterServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterServer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Exclusive access to a running cluster.
pub struct ClusterChanges<'a> {
    inside: MutexGuard<'a, Inside>,
    shared: &'a Shared,
}

impl Deref for ClusterChanges<'_> {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.inside.cluster
    }
}

impl DerefMut for ClusterChanges<'_> {
    fn deref_mut(&mut self) -> &mut Cluster {
        &mut self.inside.cluster
    }
}

impl Drop for ClusterChanges<'_> {
    /// Watches look again. They wait for the lock, which goes right after this.
    fn drop(&mut self) {
        self.shared.wake();
    }
}

impl fmt::Debug for ClusterChanges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterChanges").finish_non_exhaustive()
    }
}
