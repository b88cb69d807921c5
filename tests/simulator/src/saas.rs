//! Simulated SaaS tenants: Okta, GitLab, Slack, Microsoft Graph and Google, whose JSON APIs answer
//! on loopback.
//!
//! A [`Tenant`] is what exists at one vendor; [`SaasServer`] serves it. What the vendors share is
//! written once: routes, pages, faults, a budget of calls, tokens that end. What they do not share
//! (who asks, how a page says that there is more, what an error looks like) is one file per vendor.
//! Rows are kept in the shape in which the vendor writes them, under the path where it serves
//! them; a change edits a row. The clock, the faults and the counts are those of the crate.
//!
//! It refuses to hold a secret. Where a vendor's own read answers carry one, the row carries
//! [`MARKED`], which no reader may ever repeat. Signatures of JWTs are not checked.
//!
//! Start at [`SaasServer`] and [`Okta`]; `tenant` is what a vendor says of itself.

mod ask;
mod gitlab;
mod google;
mod graph;
mod holdings;
mod okta;
mod page;
mod server;
mod slack;
mod tenant;

pub use gitlab::GitLab;
pub use google::Google;
pub use graph::Graph;
pub use holdings::Holdings;
pub use okta::Okta;
pub use server::SaasServer;
pub use slack::Slack;
pub use tenant::Tenant;

/// Stands wherever a vendor answers a read with a secret. Whoever reads must drop it.
pub const MARKED: &str = "MARKED-not-to-be-kept";
