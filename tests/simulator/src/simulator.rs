//! A running simulator: its address, its clock, its script and its counts.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, MutexGuard};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::calls::Calls;
use crate::clock::Clock;
use crate::fault::FaultPlan;
use crate::organization::Organization;
use crate::server::{self, Inside, Shared};
use crate::sts::NOT_A_SECRET;

/// An access key id that no organisation issues: it speaks for the management account.
pub const AMBIENT_KEY: &str = "AKIASIMULATORAMBIENT";

/// An organisation that answers over HTTP on 127.0.0.1. It ends when it is dropped.
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    clock: Clock,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Simulator {
    /// Serves `organization` on a free port, on the tokio runtime of the caller.
    pub async fn start(organization: Organization) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let clock = organization.clock().clone();
        let shared = Arc::new(Shared::new(organization));
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(server::serve(listener, Arc::clone(&shared), stopped));
        Ok(Self { address, shared, clock, stop, server })
    }

    /// `http://127.0.0.1:PORT`, the endpoint of every service.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

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

    /// The clock by which the organisation lives.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Changes the organisation while it runs: `sim.change().create_user(…)`. No request is
    /// answered while the guard lives, and a second guard in the same thread would wait for
    /// ever, so let it go at the end of the statement or block.
    pub fn change(&self) -> Changes<'_> {
        Changes(self.shared.lock())
    }

    /// Looks at the organisation: the truth to hold a scan against.
    pub fn read<T>(&self, look: impl FnOnce(&Organization) -> T) -> T {
        look(&self.shared.lock().world.org)
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

    /// Serves pages of at most so many records from now on (`None`: as many as were asked for), as
    /// AWS may at any time.
    pub fn limit_pages(&self, most: Option<usize>) {
        self.shared.lock().world.pages.most = most;
    }

    /// The requests since the start or the last [`Simulator::reset_calls`].
    pub fn calls(&self) -> Calls {
        self.shared.lock().calls.clone()
    }

    /// How many requests there were since the start or the last [`Simulator::reset_calls`];
    /// the next one is this number plus 1.
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

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Exclusive access to the organisation of a running simulator.
pub struct Changes<'a>(MutexGuard<'a, Inside>);

impl Deref for Changes<'_> {
    type Target = Organization;

    fn deref(&self) -> &Organization {
        &self.0.world.org
    }
}

impl DerefMut for Changes<'_> {
    fn deref_mut(&mut self) -> &mut Organization {
        &mut self.0.world.org
    }
}

impl fmt::Debug for Changes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}
