//! From committed events to sinks.
