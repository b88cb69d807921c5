//! A simulated organisation whose cloud APIs answer on loopback.
//!
//! [`Organization`] is what exists; [`Simulator`] serves it over HTTP as the AWS query API
//! (IAM, STS) and AWS Organizations, so that the vendor's own client reads it through its whole
//! stack. It pages for real, keeps its own [`Clock`], counts every request and breaks on
//! demand ([`FaultPlan`]). While it runs, `Simulator::change` scripts what happens.
//!
//! [`kubernetes`] does the same for a cluster: `Cluster` is what exists, `ClusterServer` serves it.
//! [`github`] does it for GitHub: `Hub` and `HubServer`. [`saas`] does it for Okta, GitLab, Slack,
//! Microsoft Graph and Google: tenants and one `SaasServer`.
//!
//! What all of these servers do alike is [`Serving`]: each of their names is one of it.
//!
//! It refuses to be more than it looks: signatures are not checked, permissions are not
//! evaluated (only denied by script), and no secret value exists anywhere in it.
//!
//! Start reading at [`Organization::seeded`] and `change`.

mod call;
mod calls;
mod change;
mod clock;
mod fault;
pub mod github;
mod iam;
mod ids;
pub mod kubernetes;
mod organization;
mod organizations;
mod out;
mod page;
mod policies;
mod report;
pub mod saas;
mod seed;
mod server;
mod serving;
mod sts;
mod trust;
mod wire;
mod xml;

pub use calls::Calls;
pub use change::{ChangeError, Changed, Holder};
pub use clock::Clock;
pub use fault::{Fault, FaultPlan};
pub use organization::*;
pub use policies::{Power, aws_managed};
pub use seed::{EXTERNAL_ID, READER_ROLE, Size};
pub use server::{AMBIENT_KEY, Simulator};
pub use serving::{Changes, Serving};
pub use sts::NOT_A_SECRET;
pub use trust::{GITHUB_ISSUER, Trust};
