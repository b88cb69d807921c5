//! Headcount: a continuous head count of every non-human identity.
//!
//! The map, in reading order:
//! - [`cli`] parses and runs; [`config`] is the only reader of files and of the environment;
//! - `headcount_core` (under `core/`) is the pure heart: reconcile, inventory, owners, rules, findings;
//! - [`scan`] reads sources and commits what follows; [`store`] remembers;
//! - [`deliver`] sends what was committed;
//! - [`view`] is what people are shown, on a terminal or in a browser;
//! - [`registry`] is the list of connectors, rules and sinks.
pub mod api;
pub mod cli;
pub mod clock;
pub mod config;
pub mod deliver;
pub mod registry;
pub mod scan;
pub mod snapshot;
pub mod store;
pub mod telemetry;
pub mod view;
