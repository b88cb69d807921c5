//! The suite of `headcount_sdk::testkit` on a description that uses everything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use headcount_rest::{Described, Http, RestConnector, Settings, Tuning};
use headcount_sdk::Connector;
use headcount_sdk::testkit::{Bench, Fault, laws};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::server::{Server, Style};

pub const TOKEN: &str = "bench-EXAMPLE";

pub struct Rest {
    /// One for all connectors: to set TLS up takes longer than a scan.
    pub http: Arc<Http>,
    pub server: Server,
    pub described: Described,
}

pub fn tuning() -> Tuning {
    Tuning {
        attempts: 2,
        pause: Duration::from_millis(1),
        longest_wait: Duration::from_millis(5),
        deadline: Duration::from_secs(30),
        spacing: None,
    }
}

fn keys(prefix: &str, count: usize) -> Vec<Value> {
    (1..=count)
        .map(|n| {
            json!({"id": format!("{prefix}{n}"), "name": format!("key {n}"), "secret": "MARKED",
            "seen_at": if n == 2 { Value::Null } else { json!("2026-03-01T10:00:00Z") }})
        })
        .collect()
}

pub async fn bench() -> Rest {
    let server = Server::start(&format!("Bearer {TOKEN}")).await;
    let described = Described::load(include_str!("bench.yaml")).unwrap();
    server.list("/org", "getOrg", Style::One, &[json!({"id": "T1", "secret": "MARKED"})]);
    server.list("/cursor", "listCursor", Style::Cursor, &keys("c", 7));
    server.list("/linked", "listLinked", Style::Link, &keys("l", 4));
    server.list("/urls", "listUrls", Style::Url, &keys("u", 4));
    server.list("/pages", "listPages", Style::Page, &keys("p", 4));
    server.list("/offsets", "listOffsets", Style::Offset, &keys("o", 4));
    server.list("/posted", "listPosted", Style::Cursor, &keys("b", 4));
    let app = |n: u32, kind: &str, owner: Value| json!({"id": format!("app{n}"), "name": "shop", "kind": kind, "owner": owner});
    server.list(
        "/apps",
        "listApps",
        Style::Cursor,
        &[
            app(1, "machine", json!("ana")),
            app(2, "person", json!("ana")),
            app(3, "machine", json!("gone")),
            app(4, "machine", Value::Null),
        ],
    );
    for n in [1, 3, 4] {
        let keys = [json!({"id": "k1", "scopes": ["read", "admin"]}), json!({"id": "k2"})];
        server.list(&format!("/apps/app{n}/keys"), "listAppKeys", Style::Cursor, &keys);
        let at = json!({"at": "2026-02-01T00:00:00Z"});
        server.list(&format!("/apps/app{n}/use"), "getAppUse", Style::One, &[at]);
    }
    let people = [json!({"id": "ana", "password": "MARKED"}), json!({"id": "bo"})];
    server.list("/people", "listPeople", Style::Cursor, &people);
    Rest { http: Arc::new(Http::new().unwrap()), server, described }
}

impl Rest {
    pub fn read(&self) -> RestConnector {
        let settings = Settings { base_url: Some(self.server.url.clone()), ..Settings::default() };
        let secrets = BTreeMap::from([("token".to_owned(), SecretString::from(TOKEN))]);
        let over = (self.http.clone() as Arc<_>, tuning());
        RestConnector::with(&self.described, &settings, Arc::new(secrets), over).unwrap()
    }
}

#[async_trait]
impl Bench for Rest {
    async fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(self.read())
    }

    fn now(&self) -> Timestamp {
        "2026-03-10T12:00:00Z".parse().unwrap()
    }

    fn spoil(&self, fault: Option<(Fault, u64)>) {
        let mut script = self.server.script.lock().unwrap();
        script.fault = fault;
        script.exchanges = 0;
        script.operations.clear();
    }

    fn exchanges(&self) -> u64 {
        self.server.script.lock().unwrap().exchanges
    }

    fn operations(&self) -> Vec<String> {
        self.server.script.lock().unwrap().operations.clone()
    }

    fn page_size(&self, most: Option<usize>) {
        self.server.script.lock().unwrap().most = most;
    }

    fn secrets(&self) -> Vec<String> {
        [TOKEN, "MARKED", "<html", "Bearer", "cursor="].map(str::to_owned).into()
    }
}

#[tokio::test]
async fn an_undisturbed_scan_is_complete_and_declared() {
    laws::an_undisturbed_scan_is_complete_and_declared(&bench().await).await;
}

#[tokio::test]
async fn scans_repeat_themselves() {
    laws::scans_repeat_themselves(&bench().await).await;
}

#[tokio::test]
async fn page_sizes_change_nothing() {
    laws::page_sizes_change_nothing(&bench().await).await;
}

#[tokio::test]
async fn no_fault_makes_a_record_disappear() {
    laws::no_fault_makes_a_record_disappear(&bench().await).await;
}
