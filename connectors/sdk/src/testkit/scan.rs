//! One scan, as the agent would make it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Bench;
use crate::contract::{
    Cache, Complete, Connector, Memo, Pass, Priority, Recorder, ScanContext, ScanError, Scope,
};
use crate::model::Observation;

/// What a scan brought.
#[derive(Debug)]
pub struct Scanned {
    /// Why not even the scopes could be listed.
    pub refused: Option<ScanError>,
    pub scopes: BTreeMap<Scope, Reading>,
}

/// What reading one scope brought.
#[derive(Debug)]
pub struct Reading {
    /// By record id, evidence taken out: it carries the time of the reading.
    pub records: BTreeMap<String, Observation>,
    /// Ids that were recorded more than once.
    pub doubled: Vec<String>,
    pub outcome: Result<Complete, ScanError>,
}

/// Reads every scope of every place, each place with a memo of its own.
pub async fn scan(
    bench: &dyn Bench,
    connector: &dyn Connector,
    cache: Arc<dyn Cache>,
    name: &str,
) -> Scanned {
    let cx = |memo: Memo| ScanContext {
        scan: name.to_owned(),
        source: "bench".to_owned(),
        now: bench.now(),
        priority: Priority::Scan,
        pass: Pass::First,
        cache: Arc::clone(&cache),
        memo,
    };
    let listed = match connector.scopes(&cx(Memo::default())).await {
        Ok(listed) => listed,
        Err(error) => return Scanned { refused: Some(error), scopes: BTreeMap::new() },
    };
    let mut memos: BTreeMap<String, Memo> = BTreeMap::new();
    let mut scopes = BTreeMap::new();
    for scope in listed {
        let memo = memos.entry(scope.place.clone()).or_default().clone();
        let reading = read(connector, &cx(memo), &scope).await;
        scopes.insert(scope, reading);
    }
    Scanned { refused: None, scopes }
}

async fn read(connector: &dyn Connector, cx: &ScanContext, scope: &Scope) -> Reading {
    let mut records = BTreeMap::new();
    let mut doubled = Vec::new();
    let mut sink = |mut observation: Observation| {
        observation.evidence.clear();
        let id = observation.id.to_string();
        if records.insert(id.clone(), observation).is_some() {
            doubled.push(id);
        }
    };
    let recorder = Recorder::new(scope.clone(), &mut sink);
    let outcome = connector.observe(cx, scope, recorder).await;
    Reading { records, doubled, outcome }
}
