//! THE list of connectors, rules and sinks: explicit, sorted, one line each.

use headcount_core::rules::{self, Rule};

/// Every rule, sorted by id.
#[must_use]
pub fn rules() -> &'static [&'static dyn Rule] {
    rules::ALL
}
