//! The simulator read through the official clients, over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "compares with the real clock")]

mod access;
mod changes;
mod client;
mod faults;
mod github;
mod kubernetes;
mod paging;
mod parses;
mod report;
mod saas;
mod seeded;
