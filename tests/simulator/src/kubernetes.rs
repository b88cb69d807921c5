//! A simulated Kubernetes cluster whose API answers on loopback.
//!
//! [`Cluster`] is what exists, with a history of what changed; [`ClusterServer`] serves it so that
//! the vendor's own client lists and watches it through its whole stack: pages bound to a
//! snapshot, chunked watches, bookmarks, streaming lists, `Status` errors. What a real API server
//! does only on a bad day is a method here (`expire_history`, `end_watches`, `swallow_deletes`).
//!
//! It refuses to be a control plane: nothing is scheduled, no controller makes pods out of
//! deployments, nothing can be written over HTTP, and roles grant nothing (permissions are only
//! taken away by script). Objects are kept as compact structs and written when they are asked
//! for. No secret has a value; who reads one in full gets [`MARKED_SECRET`].
//!
//! Start reading at [`Cluster`] and `script`.

mod body;
mod cluster;
mod discovery;
mod fields;
mod json;
mod list;
mod log;
mod object;
mod resource;
mod route;
mod script;
mod seed;
mod select;
mod server;
mod signals;
mod status;
mod watch;

pub use body::{
    Binding, Body, Condition, CronJob, PodTemplate, Projection, Request, RoleRef, Rule, Subject,
};
pub use cluster::{Cluster, Setup};
pub use json::{MARKED_SECRET, MARKED_SECRET_BASE64};
pub use object::{Object, Owner, Text, Uid};
pub use resource::Resource;
pub use script::{Ending, Expiry, Revocation};
pub use seed::Size;
pub use server::{BEARER, ClusterServer};
