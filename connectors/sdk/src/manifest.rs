//! Static facts about a connector, in one place.
//!
//! Permission policies, `headcount check`, `headcount permissions` and the reference pages are
//! generated from here; the conformance suite fails when a connector calls anything else.

use crate::model::Class;

/// Everything that can be said of a connector without calling its source.
#[derive(Debug)]
pub struct Manifest {
    /// The connector's name in configuration: a noun of the service.
    pub connector: &'static str,
    pub title: &'static str,
    pub about: &'static str,
    /// Empty, together with `scopes`, where whoever is read decides what there is.
    pub kinds: &'static [Kind],
    pub scopes: &'static [ScopeKind],
    pub operations: &'static [Operation],
    /// Calls per scan as a formula, with its symbols explained.
    pub call_budget: &'static str,
    /// Blind spots, in full sentences.
    pub cannot_see: &'static [&'static str],
}

/// One kind of record.
#[derive(Debug)]
pub struct Kind {
    pub name: &'static str,
    pub class: Class,
    pub about: &'static str,
}

/// One kind of scope; a place holds one of each.
#[derive(Debug)]
pub struct ScopeKind {
    pub name: &'static str,
    pub about: &'static str,
    /// The record kinds that it yields.
    pub kinds: &'static [&'static str],
}

/// One operation of the vendor that the connector calls.
#[derive(Debug)]
pub struct Operation {
    /// As the vendor names it, e.g. `iam:ListRoles`.
    pub name: &'static str,
    /// The permission it needs, which need not be its name.
    pub permission: &'static str,
    pub need: Need,
    /// Whose credentials call it.
    pub caller: Caller,
    pub why: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Without it nothing can be read at that place.
    Access,
    /// Without it these scopes are incomplete.
    Scopes(&'static [&'static str]),
    /// Without it a field is unread; the scopes stay complete.
    Enrichment(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The credentials the agent starts with.
    Agent,
    /// The role assumed in each place that is scanned; in a single place, the agent itself.
    Reader,
    /// Needs no permission at the source.
    Free,
}

impl Manifest {
    /// Whether kinds and scopes are those that its program or sender names.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.kinds.is_empty() && self.scopes.is_empty()
    }

    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&'static Operation> {
        self.operations.iter().find(|o| o.name == name)
    }
}
