//! From committed events to sinks.
pub mod payload;
