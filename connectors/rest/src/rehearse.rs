//! A description read offline: its requests are answered from a folder of fixtures.
//!
//! A fixture is a JSON file with one exchange or a list of them:
//! `{"request": "GET /v1/keys?limit=100", "status": 200, "headers": {}, "body": …}`. A request
//! without a query answers every query that no other fixture names; `asks` is a text that the
//! body of a POST must contain.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use headcount_sdk::contract::{Memo, MemoryCache, Pass, Priority};
use headcount_sdk::model::Observation;
use headcount_sdk::{Connector as _, Recorder, ScanContext, ScanError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::auth::{Authenticator, Filled};
use crate::config::{Secrets, Settings};
use crate::transport::{Answer, Body, Broken, Request, Transport};
use crate::{ConfigError, Described, RestConnector, Tuning};

/// What a description made of fixtures.
#[derive(Debug, Serialize)]
pub struct Rehearsal {
    pub scopes: Vec<Rehearsed>,
    /// Fixtures that nothing asked for.
    pub unasked: Vec<String>,
}

/// One scope of it.
#[derive(Debug, Serialize)]
pub struct Rehearsed {
    pub scope: String,
    /// Whether it was read to its end; if not, why.
    pub complete: bool,
    pub error: Option<ScanError>,
    /// Fields that could not be read, and why.
    pub degraded: BTreeMap<String, ScanError>,
    pub records: Vec<Observation>,
}

/// Why nothing could be rehearsed.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    #[error("{file}: {problem}")]
    Fixture { file: String, problem: String },
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the scopes cannot be listed: {0}")]
    Scopes(ScanError),
}

/// Reads every scope of a description from the fixtures in a folder, at the time `now`. Settings
/// are their defaults and examples; nobody has to prove who asks.
///
/// # Errors
///
/// When the fixtures cannot be read, or the description's tenant is not among them.
pub async fn rehearse(
    described: &Described,
    folder: &Path,
    now: Timestamp,
) -> Result<Rehearsal, RehearsalError> {
    let fixtures = Arc::new(Fixtures::read(folder)?);
    let connector = offline(described, Arc::clone(&fixtures) as Arc<dyn Transport>)?;
    let cx = ScanContext {
        scan: "rehearsal".to_owned(),
        source: described.description().name.clone(),
        now,
        priority: Priority::Scan,
        pass: Pass::First,
        cache: Arc::new(MemoryCache::default()),
        memo: Memo::default(),
    };
    let mut scopes = Vec::new();
    for scope in connector.scopes(&cx).await.map_err(RehearsalError::Scopes)? {
        let mut records = Vec::new();
        let mut sink = |record| records.push(record);
        let outcome = connector.observe(&cx, &scope, Recorder::new(scope.clone(), &mut sink)).await;
        let degraded = outcome.iter().flat_map(|complete| complete.degradations());
        let degraded = degraded.map(|d| (d.field.clone(), d.error.clone())).collect();
        scopes.push(Rehearsed {
            scope: scope.to_string(),
            complete: outcome.is_ok(),
            degraded,
            error: outcome.err(),
            records,
        });
    }
    Ok(Rehearsal { scopes, unasked: fixtures.unasked() })
}

/// A connector over any transport, with the settings of a rehearsal: for tests that spoil it.
///
/// # Errors
///
/// When the description's own examples do not fit it.
pub fn offline(
    described: &Described,
    transport: Arc<dyn Transport>,
) -> Result<RestConnector, ConfigError> {
    let description = described.description();
    // What is read on request alone is rehearsed, too.
    let asked: BTreeSet<&String> =
        description.scopes.iter().filter_map(|scope| scope.only_if.as_ref()).collect();
    let value = |(name, setting): (&String, &crate::describe::Setting)| {
        let given = setting.default.clone().unwrap_or_else(|| setting.example.clone());
        (name.clone(), if asked.contains(name) { "true".to_owned() } else { given })
    };
    let values = description.settings.iter().map(value).collect();
    let settings = Settings { values, ..Settings::default() };
    let tuning = Tuning {
        attempts: 1,
        longest_wait: Duration::ZERO,
        spacing: Some(Duration::ZERO),
        ..Tuning::default()
    };
    let nobody: Arc<dyn Secrets> = Arc::new(BTreeMap::<String, secrecy::SecretString>::new());
    let auth = Authenticator::new(Filled::Headers(Vec::new()), nobody);
    RestConnector::assemble(described, &settings, (auth, transport, tuning))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    request: String,
    #[serde(default)]
    asks: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Value,
}

const fn ok() -> u16 {
    200
}

#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    Many(Vec<Fixture>),
    One(Fixture),
}

/// Answers by request.
pub struct Fixtures {
    answers: BTreeMap<String, Vec<Fixture>>,
    asked: Mutex<BTreeSet<String>>,
}

impl Fixtures {
    /// Reads every fixture in a folder.
    ///
    /// # Errors
    ///
    /// Which file cannot be read, and why.
    pub fn read(folder: &Path) -> Result<Self, RehearsalError> {
        let failed = |file: &Path, problem: String| RehearsalError::Fixture {
            file: file.display().to_string(),
            problem,
        };
        let mut files = Vec::new();
        let entries = std::fs::read_dir(folder).map_err(|e| failed(folder, e.to_string()))?;
        for entry in entries {
            let path = entry.map_err(|e| failed(folder, e.to_string()))?.path();
            if path.extension().is_some_and(|end| end == "json") {
                files.push(path);
            }
        }
        files.sort();
        let mut answers = BTreeMap::<String, Vec<Fixture>>::new();
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(|e| failed(&file, e.to_string()))?;
            let parsed: File = serde_json::from_str(&text).map_err(|e| {
                failed(&file, format!("{e}; a fixture has request, status, headers and body"))
            })?;
            let fixtures = match parsed {
                File::Many(many) => many,
                File::One(one) => vec![one],
            };
            for fixture in fixtures {
                let Some(key) = described_key(&fixture.request) else {
                    return Err(failed(&file, "a request is `METHOD /path?query`".to_owned()));
                };
                let same = answers.entry(key).or_default();
                if same.iter().any(|other| other.asks == fixture.asks) {
                    return Err(failed(&file, format!("{} is answered twice", fixture.request)));
                }
                same.push(fixture);
            }
        }
        Ok(Self { answers, asked: Mutex::default() })
    }

    /// Those that nothing asked for yet.
    #[must_use]
    pub fn unasked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.answers.iter().flat_map(|(key, same)| same.iter().map(move |f| f.name(key)));
        all.filter(|name| !asked.contains(name)).collect()
    }
}

impl Fixture {
    /// What tells it from others.
    fn name(&self, key: &str) -> String {
        self.asks.as_ref().map_or_else(|| key.to_owned(), |asks| format!("{key} asking {asks}"))
    }

    fn fits(&self, body: &str) -> bool {
        self.asks.as_ref().is_none_or(|asks| body.contains(asks))
    }
}

#[async_trait]
impl Transport for Fixtures {
    async fn exchange(&self, request: Request) -> Result<Answer, Broken> {
        let exact = key(request.method, &request.url);
        let any = format!("{} {}", request.method, request.url.path());
        let body = match &request.body {
            Some(Body::Json(body)) => body.to_string(),
            _ => String::new(),
        };
        let found = [exact, any].into_iter().find_map(|key| {
            let fixture = self.answers.get(&key)?.iter().find(|fixture| fixture.fits(&body))?;
            Some((key, fixture))
        });
        let (key, fixture) = found.ok_or(Broken::NoFixture)?;
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(fixture.name(&key));
        let lower = |(name, value): (&String, &String)| (name.to_ascii_lowercase(), value.clone());
        Ok(Answer {
            status: fixture.status,
            headers: fixture.headers.iter().map(lower).collect(),
            body: fixture.body.to_string().into_bytes(),
        })
    }
}

/// The key of a request as a fixture writes it.
fn described_key(request: &str) -> Option<String> {
    let (method, path) = request.split_once(' ')?;
    let url = Url::parse(&format!("https://fixture.invalid{path}")).ok()?;
    path.starts_with('/').then(|| key(method, &url))
}

/// Method, path and query, in an order of its own.
fn key(method: &str, url: &Url) -> String {
    let mut query: Vec<String> =
        url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
    query.sort();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{method} {}{mark}{}", url.path(), query.join("&"))
}
