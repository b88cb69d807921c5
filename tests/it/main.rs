//! Integration tests of the binary, one process for all of them: one link instead of one per file.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "looks at the agent from outside, by the real clock")]

mod abuse;
mod api;
mod browser;
mod cluster;
mod command_line;
mod configuration;
mod deploy;
mod duckdb;
mod generated;
mod hooks;
mod hygiene;
mod kill;
mod moto;
mod open;
mod openbao;
mod prism;
mod quickstart;
mod running;
mod schemathesis;
mod seeded;
#[cfg(all(feature = "nats", feature = "s3"))]
mod sinks;
mod sources;
mod support;
mod tidy;
mod trail;
