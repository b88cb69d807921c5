//! A hundred readers of the API over 1,000,000 records while scans commit: no error, and how long a
//! page takes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use headcount::api::hooks::Hooks;
use headcount::api::limits::Limits;
use headcount::api::sessions::{Sessions, Transport};
use headcount::api::{self, Face};
use headcount::clock::SystemClock;
use headcount::config::ServerConfig;
use headcount::scan::{Engine, Silent, Source};
use headcount::store::Store;
use headcount::store::access::{AuditEntry, AuditOutcome, Role, Token, TokenHash};
use headcount::store::sqlite::SqliteStore;
use headcount::telemetry::Metrics;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{measure, reconcile};

const READERS: usize = 100;
const FOR: Duration = Duration::from_secs(30);
/// Opens a server of this benchmark and nothing else.
const TOKEN: &str = "hct_EXAMPLE";

/// Serves the inventory of a directory and scans it over and over.
pub fn serve(directory: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(Path::new(directory)).await.unwrap());
        admit(store.as_ref()).await;
        let cancel = CancellationToken::new();
        let clock = Arc::new(SystemClock);
        let settings = reconcile::settings();
        let engine =
            Arc::new(Engine::new(Arc::clone(&store), settings, clock.clone(), cancel.clone()));
        let limits = ServerConfig { max_requests_per_second: 10_000, ..ServerConfig::default() };
        let face = Face {
            store,
            metrics: Arc::new(Metrics::default()),
            sinks: Vec::new(),
            clock,
            is_ready: Arc::new(AtomicBool::new(true)),
            hooks: Arc::new(Hooks::new(Arc::clone(&engine), Vec::new())),
            engine: Arc::clone(&engine),
            sources: Arc::new(BTreeMap::new()),
            sessions: Arc::new(Sessions::new(Transport::Loopback)),
            limits: Arc::new(Limits::new(&limits)),
            stopping: cancel.clone(),
            #[cfg(feature = "open")]
            observations: Arc::new(headcount::api::observations::Doors::new(
                Arc::clone(&engine),
                Vec::new(),
            )),
        };
        let listener = api::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        println!("http://{}", listener.local_addr().unwrap());
        let scanning = async {
            for edition in 3.. {
                let connector = Arc::new(reconcile::whole(edition));
                let source = Source { name: "bench".to_owned(), connector };
                engine.scan(&source, &Silent).await.unwrap();
                println!("scanned");
            }
        };
        let serving = api::serve(listener, face, cancel);
        tokio::join!(async { serving.await.unwrap() }, scanning);
    });
}

async fn admit(store: &dyn Store) {
    let now = Timestamp::now();
    let token = Token {
        id: "tok_bench".to_owned(),
        name: "bench".to_owned(),
        role: Role::Viewer,
        created_at: now,
        expires_at: now + SignedDuration::from_hours(1),
        revoked_at: None,
        used_at: None,
    };
    let entry = AuditEntry {
        at: now,
        actor: "cli".to_owned(),
        role: None,
        action: "token.create".to_owned(),
        object: String::new(),
        outcome: AuditOutcome::Done,
        detail: None,
    };
    store.add_token(&token, &TokenHash::of(TOKEN), &entry).await.unwrap();
}

/// One reader: page after page, round and round. Returns how long each page took.
async fn read(url: String, number: usize, until: Instant) -> Vec<Duration> {
    let sorts = ["name", "-name", "first_seen", "last_use"];
    let lists = ["identities?", "identities?q=role-99&", "findings?status=open&"];
    let http = reqwest::Client::new();
    let mut times = Vec::new();
    let mut cursor = String::new();
    let list = lists[number % lists.len()];
    let sort = if list.starts_with("identities") { sorts[number % sorts.len()] } else { "newest" };
    while Instant::now() < until {
        let page = format!("{url}/v1/{list}sort={sort}&limit=100{cursor}");
        let began = Instant::now();
        let answer = http.get(&page).bearer_auth(TOKEN).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{page}");
        let answer: Value = answer.json().await.unwrap();
        times.push(began.elapsed());
        cursor = answer["next"].as_str().map(|next| format!("&cursor={next}")).unwrap_or_default();
    }
    times
}

pub fn figures() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let program = std::env::current_exe().unwrap();
    let program = program.to_str().unwrap();
    measure::measured(program, &["child", "load", path], &[]);
    let server = measure::Server::start(&["serve", path]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let until = Instant::now() + FOR;
    let mut times: Vec<Duration> = runtime.block_on(async {
        let readers =
            (0..READERS).map(|number| tokio::spawn(read(server.url.clone(), number, until)));
        let all = futures::future::join_all(readers).await;
        all.into_iter().flat_map(Result::unwrap).collect()
    });
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    let figure = "100 readers, 1,000,000 records, scans committing";
    measure::line(&format!("{figure}: pages"), &times.len().to_string());
    measure::line(&format!("{figure}: p50"), &format!("{:.0} ms", at(50).as_secs_f64() * 1e3));
    measure::line(&format!("{figure}: p99"), &format!("{:.0} ms", at(99).as_secs_f64() * 1e3));
    let peak = server.peak_mib();
    measure::line(&format!("{figure}: agent's peak memory"), &format!("{peak:.0} MiB"));
}
