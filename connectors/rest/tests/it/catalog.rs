//! Every description of the catalogue: it loads, reads its fixtures whole, and keeps no secret.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use headcount_rest::{
    Answer, Broken, Described, Fixtures, Rehearsal, Request, Transport, catalog, offline, rehearse,
};
use headcount_sdk::Connector;
use headcount_sdk::manifest::Need;
use headcount_sdk::model::{Observation, Usage};
use headcount_sdk::testkit::{Bench, Fault, laws, scan};
use jiff::Timestamp;
use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("catalog").join(name).join("fixtures")
}

async fn read(name: &str) -> Rehearsal {
    let described = catalog::load(name).unwrap();
    let described = described.unwrap_or_else(|error| panic!("{name}: {error}"));
    let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
    rehearse(&described, &folder(name), now).await.unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[tokio::test]
async fn every_description_reads_its_fixtures_to_the_end() {
    let mut listed = catalog::names();
    listed.sort_unstable();
    assert_eq!(listed, catalog::names(), "the catalogue is not sorted");
    for name in catalog::names() {
        let rehearsal = read(name).await;
        assert_eq!(rehearsal.unasked, Vec::<String>::new(), "{name}");
        for scope in &rehearsal.scopes {
            assert!(scope.complete, "{}: {:?}", scope.scope, scope.error);
            // Some hold what cannot be asked for now, which is said and leaves no field unread.
            let unread = scope.degraded.keys().filter(|field| *field != "records");
            assert_eq!(unread.count(), 0, "{}: {:?}", scope.scope, scope.degraded);
            assert!(!scope.records.is_empty(), "{}: no fixture for it", scope.scope);
        }
        insta::assert_json_snapshot!(format!("catalog-{name}"), rehearsal);
    }
}

/// Fixtures carry a mark wherever the vendor could put a secret.
#[tokio::test]
async fn what_could_be_a_secret_appears_nowhere() {
    for name in catalog::names() {
        let entries = std::fs::read_dir(folder(name)).unwrap();
        let texts = entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
        let marks: usize = texts.map(|text| text.matches("MARKED").count()).sum();
        assert!(marks > 0, "{name}: no field of its fixtures is marked");
        let shown = serde_json::to_string(&read(name).await).unwrap();
        assert!(!shown.contains("MARKED"), "{name}: a mark came through");
    }
}

/// Fixtures that are spoiled from some exchange on.
struct Spoiled {
    fixtures: Fixtures,
    /// Only the one exchange, and those after it are right again.
    once: bool,
    state: Mutex<(Option<(Fault, u64)>, u64)>,
}

#[async_trait]
impl Transport for Spoiled {
    async fn exchange(&self, request: Request) -> Result<Answer, Broken> {
        let fault = {
            let mut state = self.state.lock().unwrap();
            state.1 += 1;
            let struck = |at: u64| state.1 == at || state.1 > at && !self.once;
            state.0.filter(|(_, from)| struck(*from)).map(|(fault, _)| fault)
        };
        let mut answer = self.fixtures.exchange(request).await?;
        let spoil = |status: u16, body: &str| Answer {
            status,
            headers: Default::default(),
            body: body.as_bytes().to_vec(),
        };
        match fault {
            None => Ok(answer),
            Some(Fault::Denied) => Ok(spoil(403, r#"{"errors":["MARKED"]}"#)),
            Some(Fault::NotFound) => Ok(spoil(404, r#"{"errors":["MARKED"]}"#)),
            Some(Fault::Throttled) => Ok(spoil(429, "{}")),
            Some(Fault::ServerError) => Ok(spoil(500, "<html>MARKED</html>")),
            Some(Fault::Reset) => Err(Broken::Cut),
            Some(Fault::CutBody) => {
                answer.body.truncate(answer.body.len() / 2);
                Ok(answer)
            }
        }
    }
}

struct Offline {
    described: Described,
    spoiled: Arc<Spoiled>,
}

fn bench(name: &str, once: bool) -> Offline {
    let fixtures = Fixtures::read(&folder(name)).unwrap();
    let spoiled = Spoiled { fixtures, once, state: Mutex::default() };
    let described = catalog::load(name).unwrap().unwrap();
    Offline { described, spoiled: Arc::new(spoiled) }
}

#[async_trait]
impl Bench for Offline {
    async fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(offline(&self.described, self.spoiled.clone()).unwrap())
    }

    fn now(&self) -> Timestamp {
        "2026-03-10T12:00:00Z".parse().unwrap()
    }

    fn spoil(&self, fault: Option<(Fault, u64)>) {
        *self.spoiled.state.lock().unwrap() = (fault, 0);
    }

    fn exchanges(&self) -> u64 {
        self.spoiled.state.lock().unwrap().1
    }

    fn operations(&self) -> Vec<String> {
        Vec::new()
    }

    fn page_size(&self, _most: Option<usize>) {}

    fn secrets(&self) -> Vec<String> {
        vec!["MARKED".to_owned(), "<html".to_owned()]
    }
}

#[tokio::test]
async fn every_description_is_a_connector_like_any_other() {
    for name in catalog::names() {
        let bench = bench(name, false);
        laws::an_undisturbed_scan_is_complete_and_declared(&bench).await;
        laws::scans_repeat_themselves(&bench).await;
        laws::no_fault_makes_a_record_disappear(&bench).await;
    }
}

/// A record without what it names as unread.
fn claimed(record: &Observation, unread: &BTreeMap<String, String>) -> Value {
    let mut claimed = serde_json::to_value(record).unwrap();
    let fields = claimed.as_object_mut().unwrap();
    fields.remove("unread");
    fields.remove("evidence");
    for field in unread.keys() {
        match field.split_once('.') {
            Some((of, name)) => drop(fields[of].as_object_mut().map(|of| of.remove(name))),
            None if field == "owner_standing" => drop(fields.remove("owner_evidence")),
            None => drop(fields.remove(field)),
        }
    }
    claimed
}

/// A call that fails between others that work: what is complete lacks nothing, and claims
/// nothing that it did not read.
#[tokio::test]
async fn a_single_failure_is_never_hidden() {
    for name in catalog::names() {
        let bench = bench(name, true);
        let connector = bench.connector().await;
        let cache = || Arc::new(headcount_sdk::contract::MemoryCache::default());
        bench.spoil(None);
        let truth = scan(&bench, &*connector, cache(), "truth").await;
        let calls = bench.exchanges();
        let mut degraded = 0;
        for (at, fault) in (1..=calls).flat_map(|at| Fault::ALL.map(|fault| (at, fault))) {
            bench.spoil(Some((fault, at)));
            let scanned = scan(&bench, &*connector, cache(), "spoiled").await;
            let mut noticed = scanned.refused.is_some();
            for (scope, reading) in &scanned.scopes {
                let Ok(complete) = &reading.outcome else {
                    noticed = true;
                    continue;
                };
                degraded += complete.degradations().len();
                noticed |= !complete.degradations().is_empty();
                let before = &truth.scopes[scope].records;
                let ids =
                    |of: &BTreeMap<String, Observation>| of.keys().cloned().collect::<Vec<_>>();
                let case = format!("{fault:?} at {at}: {scope}");
                assert_eq!(ids(&reading.records), ids(before), "{case}");
                for (id, seen) in &reading.records {
                    let was = claimed(&before[id], &seen.unread);
                    assert_eq!(claimed(seen, &seen.unread), was, "{case}: {id}");
                }
            }
            assert!(noticed, "{name}: {fault:?} at {at} left no trace");
        }
        let enriches = connector.manifest().operations.iter();
        let enriches = enriches.filter(|o| matches!(o.need, Need::Enrichment(_))).count();
        assert!(enriches == 0 || degraded > 0, "{name}: its enrichments fail their scopes");
    }
}

/// Every name of a field in an answer.
fn names(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| names(item, into)),
        Value::Object(fields) => {
            for (name, value) in fields {
                into.insert(name.clone());
                names(value, into);
            }
        }
        _ => {}
    }
}

fn without(value: &mut Value, name: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| without(item, name)),
        Value::Object(fields) => {
            fields.remove(name);
            fields.values_mut().for_each(|field| without(field, name));
        }
        _ => {}
    }
}

/// Where the vendor itself leaves a field out to say "never", nobody can tell that from another
/// name of the field.
const LEFT_OUT: &[(&str, &str)] = &[
    // Protocol buffers in JSON have no field for what is not set:
    // https://protobuf.dev/programming-guides/json/
    ("gcp", "lastAuthenticatedTime"),
];

/// A vendor renames a field, or the description has its name wrong: what was used is not called
/// unused, and nobody is called gone.
#[tokio::test]
async fn a_field_that_is_missing_never_means_no_use() {
    for name in catalog::names() {
        let truth = read(name).await;
        let used: BTreeMap<String, &Observation> = truth
            .scopes
            .iter()
            .flat_map(|scope| &scope.records)
            .filter(|record| !matches!(record.usage, Usage::NeverSince { .. }))
            .map(|record| (record.id.to_string(), record))
            .collect();
        let mut fields = BTreeSet::new();
        let entries = std::fs::read_dir(folder(name)).unwrap();
        let files: Vec<(PathBuf, Value)> = entries
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let text = std::fs::read_to_string(&path).unwrap();
                (path, serde_json::from_str(&text).unwrap())
            })
            .collect();
        for exchange in files.iter().flat_map(|(_, file)| file.as_array().unwrap()) {
            names(&exchange["body"], &mut fields);
        }
        for field in fields {
            if LEFT_OUT.contains(&(name, field.as_str())) {
                continue;
            }
            let mutant = tempfile::tempdir().unwrap();
            for (path, file) in &files {
                let mut file = file.clone();
                for exchange in file.as_array_mut().unwrap() {
                    without(&mut exchange["body"], &field);
                }
                let target = mutant.path().join(path.file_name().unwrap());
                std::fs::write(target, file.to_string()).unwrap();
            }
            let described = catalog::load(name).unwrap().unwrap();
            let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
            let Ok(rehearsal) = rehearse(&described, mutant.path(), now).await else { continue };
            for record in rehearsal.scopes.iter().flat_map(|scope| &scope.records) {
                let was_used = used.contains_key(record.id.as_str());
                let unused = matches!(record.usage, Usage::NeverSince { .. });
                assert!(!(was_used && unused), "{name}: without {field}, {} is unused", record.id);
            }
        }
    }
}

/// The formulas of `call_budget`, with the numbers of the fixtures put in. The tenant is asked
/// for twice: when the scopes are listed, and when they are read.
#[tokio::test]
async fn budgets_are_kept() {
    for (name, formula) in [
        ("anthropic", 2 + 1 + 1 + 1),
        ("atlassian", 2 + 2 + 1),
        ("datadog", 2 + 1 + 1 + 2),
        ("entra", 2 + 2 + 1 + 2 + 1 + 1 + 1 + 1),
        ("gcp", 1 + 2 + 1 + 1 + 1 + 1 + 1),
        (
            "gitlab",
            2 + 1 + 1 + 1 + 1 + (1 + 1 + 1) + (2 + 3 * 2 + 1 + 1) + (1 + 2) + (1 + 2) + 4 + 5,
        ),
        ("okta", 3 + 1 + 1 + 1 + 3 + 2),
        ("openai", 1 + 2 + 1 + 2),
        ("pagerduty", 1 + 1),
        ("slack", 1 + 2),
        ("snowflake", 4 + 2 + 1),
        ("vault", 5 + 4 * 2 + 1 + 1 + (1 + 3)),
    ] {
        let bench = bench(name, false);
        bench.spoil(None);
        let connector = bench.connector().await;
        let cache = Arc::new(headcount_sdk::contract::MemoryCache::default());
        scan(&bench, &*connector, cache, "budget").await;
        let budget = connector.manifest().call_budget;
        assert_eq!(bench.exchanges(), formula, "{name}: {budget}");
    }
}
