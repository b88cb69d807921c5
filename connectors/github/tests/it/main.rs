//! The connector through its whole stack, against a simulated GitHub on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod budget;
mod conformance;
mod events;
mod faults;
mod records;
mod support;
