//! Every description of the catalogue: it loads, reads its fixtures whole, and keeps no secret.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use headcount_rest::{
    Answer, Broken, Described, Fixtures, Rehearsal, Request, Transport, catalog, offline, rehearse,
};
use headcount_sdk::Connector;
use headcount_sdk::testkit::{Bench, Fault, laws};
use jiff::Timestamp;

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
            assert!(scope.degraded.is_empty(), "{}: {:?}", scope.scope, scope.degraded);
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
    state: Mutex<(Option<(Fault, u64)>, u64)>,
}

#[async_trait]
impl Transport for Spoiled {
    async fn exchange(&self, request: Request) -> Result<Answer, Broken> {
        let fault = {
            let mut state = self.state.lock().unwrap();
            state.1 += 1;
            state.0.filter(|(_, from)| state.1 >= *from).map(|(fault, _)| fault)
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

fn bench(name: &str) -> Offline {
    let fixtures = Fixtures::read(&folder(name)).unwrap();
    let spoiled = Spoiled { fixtures, state: Mutex::default() };
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
        let bench = bench(name);
        laws::an_undisturbed_scan_is_complete_and_declared(&bench).await;
        laws::scans_repeat_themselves(&bench).await;
        laws::no_fault_makes_a_record_disappear(&bench).await;
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
        ("entra", 2 + 2 + 1 + 2 + 1 + 1 + 1),
        ("gcp", 1 + 2 + 1 + 1 + 1 + 1),
        ("gitlab", 2 + 1 + 1 + 1 + 1 + 2 + 2 * 2),
        ("okta", 3 + 1 + 1 + 1 + 3 + 2),
        ("openai", 1 + 2 + 1 + 2),
        ("pagerduty", 1 + 1),
        ("slack", 1 + 2),
        ("snowflake", 4 + 2 + 1),
        ("vault", 5 + 4 * 2 + 1 + 1),
    ] {
        let bench = bench(name);
        bench.spoil(None);
        let connector = bench.connector().await;
        let cache = Arc::new(headcount_sdk::contract::MemoryCache::default());
        headcount_sdk::testkit::scan(&bench, &*connector, cache, "budget").await;
        let budget = connector.manifest().call_budget;
        assert_eq!(bench.exchanges(), formula, "{name}: {budget}");
    }
}
