//! Integration tests of the binary, one process for all of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod kill;
mod moto;
mod support;
