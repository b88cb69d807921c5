//! Integration tests of the binary, one process for all of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "looks at the agent from outside, by the real clock")]

mod kill;
mod moto;
mod support;
