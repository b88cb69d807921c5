//! A running cluster: what it has beyond other servers, which is watches.

mod answer;
mod exchange;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::response::Response;
use tokio::sync::watch;

use super::cluster::Cluster;
use super::resource::Resource;
use super::route::{self, Asked};
use super::signals::Signals;
use crate::clock::Clock;
use crate::serving::{Inside, Served, Serving, Shared, Turn};

/// The one bearer token that the server takes. Made up, and not a secret.
pub const BEARER: &str = "not-a-secret-bearer-EXAMPLE";

/// A [`Cluster`] that answers over HTTP on 127.0.0.1. Watches are told of a change when its guard
/// goes. Limited pages are given to those who asked for no pages, too.
///
/// Requests count for the cluster's id, and by verb and resource: `list pods`, `watch pods`,
/// `get /version`. So are they written in a [`FaultPlan`](crate::FaultPlan).
pub type ClusterServer = Serving<Cluster>;

impl ClusterServer {
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

    fn open_watches(&self) -> watch::Receiver<BTreeMap<Resource, usize>> {
        self.shared.lock().side.watches.subscribe()
    }

    /// How many watches of a resource are open.
    pub fn watches(&self, resource: Resource) -> usize {
        self.open_watches().borrow().get(&resource).copied().unwrap_or_default()
    }

    /// Waits until at least `count` watches of a resource are open.
    pub async fn until_watched(&self, resource: Resource, count: usize) {
        let mut watches = self.open_watches();
        // The sender lives in what this server holds on to.
        let _ = watches
            .wait_for(|open| open.get(&resource).copied().unwrap_or_default() >= count)
            .await;
    }

    /// Waits until no watch of a resource is open.
    pub async fn until_unwatched(&self, resource: Resource) {
        let mut watches = self.open_watches();
        let _ =
            watches.wait_for(|open| open.get(&resource).copied().unwrap_or_default() == 0).await;
    }
}

impl Served for Cluster {
    type Call = Asked;
    type Side = Signals;

    fn side(&self) -> Signals {
        Signals::default()
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn read(_: &Inside<Self>, head: &Parts, _: Bytes) -> Asked {
        route::read(head)
    }

    fn counts_for(&self, asked: &Asked) -> (String, String) {
        (self.id(), asked.action())
    }

    fn answer(shared: &Arc<Shared<Self>>, asked: Asked, turn: &Turn) -> Response {
        exchange::answer(shared, &asked, turn)
    }

    /// Watches look again. They wait for the lock.
    fn changed(signals: &mut Signals) {
        signals.moved.send_modify(|moves| *moves += 1);
    }
}
