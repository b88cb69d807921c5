//! The conformance suite of the sdk, on a program and on pushes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod exec;
mod lines;
mod push;
