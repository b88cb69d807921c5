//! Headcount: a continuous head count of every non-human identity.
pub mod config;
pub mod deliver;
pub mod registry;
pub mod store;
