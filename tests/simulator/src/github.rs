//! A simulated GitHub: organisations whose REST and GraphQL APIs answer on loopback.
//!
//! [`Hub`] is what exists; [`HubServer`] serves it. It speaks App and token authentication, pages
//! by `Link` headers that lead elsewhere than was asked (as github.com's do), spends a real rate
//! budget, answers as the [`Edition`] and the installation's permissions say, and breaks on
//! demand. Faults, counts and the clock are those of the rest of the crate.
//!
//! It refuses to hold a secret: secrets are names, tokens are made up and say so, and the value of
//! a variable is a marker that no reader may ever repeat. Signatures of JWTs are not checked.
//!
//! Start reading at [`Hub`], then `change`; `route` is the list of what it serves.

mod ask;
mod audit;
mod auth;
mod change;
mod delivery;
mod edition;
mod graphql;
mod model;
mod page;
mod reply;
mod rest;
mod route;
mod seed;
mod server;
mod shape;

pub use auth::{Reader, Token};
pub use change::At;
pub use delivery::{About, Delivery, delivery};
pub use edition::{Edition, READ_PERMISSIONS};
pub use model::*;
pub use page::Links;
pub use seed::{ORGANIZATION, Size};
pub use server::HubServer;
