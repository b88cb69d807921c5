//! The connector against servers that follow a script, over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]
#![allow(clippy::panic, reason = "tests fail by panicking")]

mod answers;
mod auth;
mod catalog;
mod conformance;
mod loading;
mod reading;
mod server;
mod simulated;
mod vendors;
