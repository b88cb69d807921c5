//! The pure heart of Headcount: what was, what was seen, and what follows from it.
//!
//! Nothing below this folder waits, reads, writes, logs, rolls dice or looks at a clock: every
//! input is an argument, `now` included, so that every decision can be replayed. Modules in
//! reading order; each may use only those before it:
//!
//! 1. [`reconcile`]: known records + observations + proof of completeness → drift.
//! 2. [`inventory`]: the record as rules see it, and the coverage of its scope.
//! 3. [`graph`]: which records a link means, across sources.
//! 4. [`owners`]: owner evidence → the resolved owner, with basis and confidence.
//! 5. [`rules`]: one rule, one file; each answers a [`rules::Verdict`].
//! 6. [`findings`]: verdicts → the lifecycle of findings.

pub mod findings;
pub mod graph;
pub mod inventory;
pub mod owners;
pub mod reconcile;
pub mod rules;
