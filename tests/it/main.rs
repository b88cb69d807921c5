//! Tests of the whole program, in one binary: one link instead of one per file.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod command_line;
mod configuration;
mod generated;
mod seeded;
