//! The connector against a simulated API server, through its whole stack.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod conformance;
mod faults;
mod logs;
mod real;
mod records;
mod support;
mod watching;
