//! The connector against a simulated organisation, over HTTP and through the AWS SDK.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod accounts;
mod budget;
mod conformance;
mod faults;
mod keys;
mod records;
mod refresh;
mod support;
