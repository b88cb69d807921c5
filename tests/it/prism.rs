//! Simulated systems, and what reads them, held to their vendors' own descriptions by prism.
//!
//! A simulator written here by whoever writes the connector can be wrong in the same way twice;
//! this is the outside referee. The descriptions are not part of the project: where one is
//! missing, its tests say so and pass.

mod github;
mod saas;
