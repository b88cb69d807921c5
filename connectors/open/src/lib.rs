#![doc = include_str!("../README.md")]
//!
//! # The code
//!
//! `line` is the observation schema as it stands on a line: types, validation, JSON Schema; pure.
//! `spool` takes a stream of lines apart, scope by scope, and keeps it small. `exec` starts a
//! program and reads what it writes; `push` keeps what was sent and is read from there. Both are
//! connectors like any other: what they bring goes the way of every reading.

pub mod exec;
pub mod line;
pub mod push;
pub mod spool;

pub use exec::ExecConnector;
pub use push::PushConnector;

/// The operation name of what was not understood, in either of the two.
pub(crate) const LINES: &str = "lines";
