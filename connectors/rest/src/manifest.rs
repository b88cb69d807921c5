//! The manifest of a description: what it says, in the form in which the agent wants it.
//!
//! A manifest lives as long as the process, so that coded and described connectors look alike.
//! Loading the same description again, as a new configuration does, gives the same manifest.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use headcount_sdk::manifest::{Caller, Kind, Manifest, Need, Operation, ScopeKind};

use crate::auth::TOKEN;
use crate::describe::{AuthKind, Description};

/// The manifest of a description that was loaded from `text`.
pub fn of(description: &Description, text: &str) -> &'static Manifest {
    static MADE: Mutex<BTreeMap<String, &'static Manifest>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.entry(text.to_owned()).or_insert_with(|| Box::leak(Box::new(build(description))))
}

fn build(description: &Description) -> Manifest {
    Manifest {
        connector: forever(&description.name),
        title: forever(&description.title),
        about: forever(description.about.trim()),
        kinds: slice(kinds(description)),
        scopes: slice(scopes(description)),
        operations: slice(operations(description)),
        call_budget: forever(description.call_budget.trim()),
        cannot_see: words(description.cannot_see.iter().map(String::as_str)),
    }
}

fn kinds(description: &Description) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for record in description.scopes.iter().flat_map(|scope| &scope.records) {
        if !kinds.iter().any(|kind| kind.name == record.kind) {
            kinds.push(Kind {
                name: forever(&record.kind),
                class: record.class,
                about: forever(record.about.trim()),
            });
        }
    }
    kinds
}

fn scopes(description: &Description) -> Vec<ScopeKind> {
    let scope = |scope: &crate::describe::ScopeOf| ScopeKind {
        name: forever(&scope.name),
        about: forever(scope.about.trim()),
        kinds: words(scope.records.iter().map(|record| record.kind.as_str())),
    };
    description.scopes.iter().map(scope).collect()
}

fn operations(description: &Description) -> Vec<Operation> {
    let mut operations: Vec<Operation> = description
        .operations
        .iter()
        .map(|(name, operation)| Operation {
            name: forever(name),
            permission: forever(&operation.permission),
            need: need(description, name),
            caller: if operation.permission == "none" { Caller::Free } else { Caller::Reader },
            why: forever(operation.why.trim()),
        })
        .collect();
    let exchanges = description
        .auth
        .iter()
        .any(|auth| matches!(auth.how, AuthKind::ClientCredentials(_) | AuthKind::SignedJwt(_)));
    if exchanges {
        operations.push(Operation {
            name: TOKEN,
            permission: "a client that the token server accepts",
            need: Need::Access,
            caller: Caller::Free,
            why: "a token for every other call",
        });
    }
    operations
}

fn need(description: &Description, name: &str) -> Need {
    if description.place.operation.as_deref() == Some(name) {
        return Need::Access;
    }
    let walks = description.scopes.iter().filter(|scope| scope.calls().any(|call| call == name));
    let walks = words(walks.map(|scope| scope.name.as_str()));
    if !walks.is_empty() {
        return Need::Scopes(walks);
    }
    let mut fields: Vec<&str> = description
        .scopes
        .iter()
        .flat_map(|scope| {
            let lookups =
                scope.lookups.iter().filter(|l| l.operation == name).flat_map(|l| &l.fields);
            lookups
                .chain(scope.enrich.iter().filter(|e| e.operation == name).flat_map(|e| &e.fields))
        })
        .map(String::as_str)
        .collect();
    fields.sort_unstable();
    fields.dedup();
    Need::Enrichment(forever(&fields.join(", ")))
}

fn forever(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn slice<T>(items: Vec<T>) -> &'static [T] {
    Box::leak(items.into_boxed_slice())
}

fn words<'a>(items: impl Iterator<Item = &'a str>) -> &'static [&'static str] {
    slice(items.map(forever).collect())
}
