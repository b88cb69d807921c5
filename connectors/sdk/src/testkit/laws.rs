//! The laws themselves. Each is a test on its own.
#![allow(clippy::panic, reason = "a law that is broken fails the test that called it")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::scan::Reading;
use super::{Bench, Fault, Scanned, scan};
use crate::contract::{
    Cache, Complete, Degradation, Extent, LEFT_OUT, MemoryCache, ScanError, Scope,
};
use crate::manifest::{Manifest, Need};
use crate::model::{Class, Observation};

type Records = BTreeMap<String, Observation>;

/// A scan that nothing disturbs is complete, says everything once, and calls and records only
/// what the manifest declares.
pub async fn an_undisturbed_scan_is_complete_and_declared(bench: &dyn Bench) {
    let connector = bench.connector().await;
    bench.spoil(None);
    let scanned = truth(bench).await;
    let manifest = connector.manifest();
    for operation in bench.operations() {
        assert!(manifest.operation(&operation).is_some(), "{operation} is not in the manifest");
    }
    for (scope, reading) in &scanned.scopes {
        for record in reading.records.values() {
            assert!(
                record.id.as_str().starts_with(&format!("{}:{}/", scope.place, record.kind)),
                "{} does not begin with its place and kind",
                record.id
            );
        }
        if manifest.is_open() {
            continue;
        }
        let declared = manifest.scopes.iter().find(|kind| kind.name == scope.kind);
        let declared = declared.unwrap_or_else(|| panic!("scope {scope} is not in the manifest"));
        for record in reading.records.values() {
            assert!(
                declared.kinds.contains(&record.kind.as_str()),
                "{scope} yields a {}, which the manifest does not say",
                record.kind
            );
            let class = manifest.kinds.iter().find(|kind| kind.name == record.kind);
            assert!(
                class.is_some_and(|kind| kind.class == record.class)
                    || record.class == Class::Principal,
                "{} has a class that the manifest does not say",
                record.id
            );
        }
    }
}

/// Two scans say the same, with what was kept between them and without.
pub async fn scans_repeat_themselves(bench: &dyn Bench) {
    let connector = bench.connector().await;
    let cache: Arc<dyn Cache> = Arc::new(MemoryCache::default());
    let first = scan(bench, &*connector, Arc::clone(&cache), "first").await;
    let second = scan(bench, &*connector, cache, "second").await;
    assert_agree(&first, &second, "a second scan");
    assert_agree(&first, &truth(bench).await, "a scan with nothing kept");
}

/// However the source cuts its lists into pages, they say the same.
pub async fn page_sizes_change_nothing(bench: &dyn Bench) {
    let whole = truth(bench).await;
    for most in [1, 2, 3, 7] {
        bench.page_size(Some(most));
        assert_agree(&whole, &truth(bench).await, &format!("pages of {most}"));
    }
    bench.page_size(None);
}

/// Whatever breaks, from whichever exchange on: no scope claims to be complete and lacks a
/// record, a field that differs is named as unread, and no error tells a secret.
pub async fn no_fault_makes_a_record_disappear(bench: &dyn Bench) {
    let truth = truth(bench).await;
    for kept in [Kept::Nothing, Kept::LastScan] {
        for fault in Fault::ALL {
            // The number of exchanges shrinks as more of them fail, so the sweep ends by itself.
            let mut from = 1;
            loop {
                let struck = spoiled(bench, kept, fault, from, &truth).await;
                if !struck {
                    break;
                }
                from += 1;
            }
            assert!(from > 1, "{fault:?}: no exchange was struck");
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Nothing,
    LastScan,
}

/// Scans with one fault and judges the outcome. False when the scan ended before the fault came.
async fn spoiled(bench: &dyn Bench, kept: Kept, fault: Fault, from: u64, truth: &Scanned) -> bool {
    let connector = bench.connector().await;
    let cache: Arc<dyn Cache> = Arc::new(MemoryCache::default());
    if kept == Kept::LastScan {
        bench.spoil(None);
        let _ = scan(bench, &*connector, Arc::clone(&cache), "before").await;
    }
    bench.spoil(Some((fault, from)));
    let scanned = scan(bench, &*connector, cache, "spoiled").await;
    let struck = bench.exchanges() >= from;
    let operations = bench.operations();
    bench.spoil(None);
    let case = format!("{fault:?} from exchange {from} on, cache: {kept:?}");
    let manifest = connector.manifest();
    for operation in operations {
        assert!(manifest.operation(&operation).is_some(), "{case}: {operation} is not declared");
    }
    for error in errors(&scanned) {
        let text = error.to_string();
        for secret in bench.secrets() {
            assert!(!text.contains(&secret), "{case}: an error tells a secret: {text}");
        }
    }
    for (scope, reading) in &scanned.scopes {
        let before = truth.scopes.get(scope);
        let before = before.unwrap_or_else(|| panic!("{case}: {scope} was not there before"));
        judge_reading(scope, &before.records, reading, &case);
        for degradation in reading.outcome.iter().flat_map(unread) {
            judge_degradation(manifest, scope, &degradation.error, &case);
        }
    }
    struck
}

/// A reading that claims to be complete holds all that was there, or names what it lacks.
fn judge_reading(scope: &Scope, before: &Records, reading: &Reading, case: &str) {
    assert!(reading.doubled.is_empty(), "{case}: {scope} says {:?} twice", reading.doubled);
    let Ok(complete) = &reading.outcome else { return };
    for record in before.values().filter(|record| complete.extent().covers(record)) {
        let seen = reading.records.get(record.id.as_str());
        let seen =
            seen.unwrap_or_else(|| panic!("{case}: {scope} is complete without {}", record.id));
        let undeclared = differences(record, seen);
        assert!(
            undeclared.is_empty(),
            "{case}: {} differs in {undeclared:?}, which it does not name as unread",
            record.id
        );
    }
}

/// An operation without which a scope cannot be read must fail the scope, not degrade it.
fn judge_degradation(manifest: &Manifest, scope: &Scope, error: &ScanError, case: &str) {
    let Some(operation) = manifest.operation(error.operation()) else { return };
    if let Need::Scopes(scopes) = operation.need {
        assert!(
            !scopes.contains(&scope.kind.as_str()),
            "{case}: {scope} is complete although {} failed, which it needs",
            operation.name
        );
    }
}

/// What was not read that could have been: not what the proof leaves out, which it says.
fn unread(complete: &Complete) -> impl Iterator<Item = &Degradation> {
    let leaves_out = matches!(complete.extent(), Extent::AllBut { .. });
    complete.degradations().iter().filter(move |d| !(leaves_out && d.field == LEFT_OUT))
}

fn errors(scanned: &Scanned) -> impl Iterator<Item = &ScanError> {
    let outcomes = scanned.scopes.values().map(|reading| &reading.outcome);
    let degraded = outcomes.clone().filter_map(|outcome| outcome.as_ref().ok());
    let degraded = degraded.flat_map(|complete| complete.degradations()).map(|d| &d.error);
    scanned
        .refused
        .iter()
        .chain(outcomes.filter_map(|outcome| outcome.as_ref().err()))
        .chain(degraded)
}

/// A scan of the undisturbed server with nothing kept.
async fn truth(bench: &dyn Bench) -> Scanned {
    bench.spoil(None);
    let connector = bench.connector().await;
    let scanned = scan(bench, &*connector, Arc::new(MemoryCache::default()), "truth").await;
    assert!(scanned.refused.is_none(), "scopes: {:?}", scanned.refused);
    assert!(!scanned.scopes.is_empty(), "there are no scopes");
    for (scope, reading) in &scanned.scopes {
        assert!(reading.doubled.is_empty(), "{scope} says {:?} twice", reading.doubled);
        match &reading.outcome {
            Ok(complete) => {
                assert_eq!(complete.scope(), scope, "a proof for another scope");
                assert_eq!(unread(complete).next(), None, "{scope}");
                assert_eq!(complete.recorded(), reading.records.len() as u64, "{scope}");
            }
            Err(error) => panic!("{scope}: {error}"),
        }
    }
    let mut seen = BTreeSet::new();
    for id in scanned.scopes.values().flat_map(|reading| reading.records.keys()) {
        assert!(seen.insert(id), "{id} is in two scopes");
    }
    scanned
}

/// Two scans of the same thing: neither lacks what the other has, as far as it claims to have
/// read everything, and what both have is the same.
fn assert_agree(before: &Scanned, after: &Scanned, what: &str) {
    assert_eq!(
        before.scopes.keys().collect::<Vec<_>>(),
        after.scopes.keys().collect::<Vec<_>>(),
        "{what} has other scopes"
    );
    for ((scope, one), other) in before.scopes.iter().zip(after.scopes.values()) {
        assert_includes(scope, &one.records, other, what);
        assert_includes(scope, &other.records, one, what);
    }
}

fn assert_includes(scope: &Scope, records: &Records, reading: &Reading, what: &str) {
    let complete = reading.outcome.as_ref();
    let complete = complete.unwrap_or_else(|error| panic!("{what}: {scope}: {error}"));
    for record in records.values() {
        match reading.records.get(record.id.as_str()) {
            Some(other) => {
                let differing = differences(record, other);
                assert!(differing.is_empty(), "{what} differs in {differing:?} of {}", record.id);
            }
            None => {
                assert!(!complete.extent().covers(record), "{what}: {} is not in both", record.id)
            }
        }
    }
}

/// Fields in which `seen` is not what `truth` is and that it does not name as unread.
fn differences(truth: &Observation, seen: &Observation) -> Vec<String> {
    let (before, after) = (flat(truth), flat(seen));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let excused = |name: &str| {
        let unread = |field: &str| seen.unread.contains_key(field);
        let top = name.split('.').next().unwrap_or(name);
        // Person or machine decides the class.
        name == "unread" || unread(name) || unread(top) || (name == "class" && unread("nature"))
    };
    let differing = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differing.filter(|name| !excused(name)).cloned().collect()
}

/// Fields by name; entries of `attributes` and `labels` on their own.
fn flat(observation: &Observation) -> BTreeMap<String, Value> {
    let Ok(Value::Object(fields)) = serde_json::to_value(observation) else {
        panic!("an observation is not an object");
    };
    let mut flat = BTreeMap::new();
    for (name, value) in fields {
        match value {
            Value::Object(entries) if matches!(name.as_str(), "attributes" | "labels") => {
                flat.extend(
                    entries.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)),
                );
            }
            _ if matches!(name.as_str(), "unread" | "evidence") => {}
            value => drop(flat.insert(name, value)),
        }
    }
    flat
}
