//! Every source there is, stuffed, and the agent that reads them, its output searched as it comes.

use std::path::PathBuf;
use std::sync::Arc;

use headcount_rest::catalog;
use headcount_simulator::github::{At, Hub, HubServer, ORGANIZATION, Store};
use headcount_simulator::kubernetes::{Cluster, ClusterServer};
use headcount_simulator::{Organization, Simulator, github, kubernetes};
use serde_json::{Value, json};

use super::marks::{CONTROL, Haystack, MARK, Needle, files, mark};
use super::serve::{Sky, Stuffed, Weather};
use super::sinks::Sinks;
use crate::support::agent::{Agent, Outcome};
use crate::support::moto::Key;
use crate::support::pem;

/// Everything that is read, and the agent that reads it.
pub struct World {
    pub agent: Agent,
    pub sky: Arc<Sky>,
    pub sinks: Sinks,
    pub data: PathBuf,
    pub search: Search,
    pub hub: HubServer,
    pub cluster: ClusterServer,
    _simulator: Simulator,
    _stuffed: Vec<Stuffed>,
}

/// What is looked for, and what was found. Texts are searched and dropped: finest logs are long.
pub struct Search {
    needles: Vec<(&'static str, Needle)>,
    control: Needle,
    texts: usize,
    bytes: usize,
    leaks: Vec<String>,
    /// Texts that hold people's own words.
    controls: Vec<String>,
}

impl Search {
    /// For marks, and for what the agent proves itself with where a simulator made it up.
    pub fn new(own: &[(&'static str, String)]) -> Self {
        let mut needles = vec![("a mark", Needle::of(MARK))];
        needles.extend(own.iter().map(|(name, text)| (*name, Needle::of(text))));
        Self {
            needles,
            control: Needle::of(CONTROL),
            texts: 0,
            bytes: 0,
            leaks: Vec::new(),
            controls: Vec::new(),
        }
    }

    /// From now on for this as well.
    pub fn also(&mut self, name: &'static str, text: &str) {
        self.needles.push((name, Needle::of(text)));
    }

    fn through(&mut self, hay: &Haystack) {
        self.texts += 1;
        self.bytes += hay.len();
        for (name, needle) in &self.needles {
            if let Some(around) = needle.find(hay) {
                self.leaks.push(format!("{name} in {}: …{around}…", hay.name));
            }
        }
        if self.control.find(hay).is_some() {
            self.controls.push(hay.name.clone());
        }
    }

    pub fn keep(&mut self, name: &str, bytes: &[u8]) {
        self.through(&Haystack::new(name, bytes));
    }

    pub fn keep_all(&mut self, all: Vec<Haystack>) {
        all.iter().for_each(|hay| self.through(hay));
    }

    /// Fails if a mark was found, and if people's own words were not found in each of these.
    pub fn judge(&self, controls: &[&str]) {
        for part in controls {
            let is_there = self.controls.iter().any(|name| name.contains(part));
            assert!(is_there, "the search finds nothing in {part}: {:?}", self.controls);
        }
        let (leaks, texts, bytes) = (&self.leaks, self.texts, self.bytes);
        let count = leaks.len();
        assert!(leaks.is_empty(), "{count} leaks, {texts} texts, {bytes} bytes: {leaks:#?}");
    }
}

/// Secrets of the agent's own, in files as people would mount them.
pub struct Files(tempfile::TempDir);

impl Files {
    pub fn put(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("file:{}", path.display())
    }
}

fn hub() -> Hub {
    // Calls to GitHub are spaced for GitHub's sake, so there is no more than one of each kind.
    let size = github::Size { members: 2, repositories: 0, apps: 1, tokens: 2 };
    let mut hub = Hub::seeded(5, size);
    let full = "acme/everything";
    hub.add_repository(full).unwrap();
    hub.set_secret(At::Repository(full), Store::Actions, "AWS_ACCESS_KEY_ID").unwrap();
    hub.set_variable(At::Repository(full), Store::Actions, "REGION").unwrap();
    hub.add_deploy_key(full, "deploy", "founder").unwrap();
    for at in [At::Repository(full), At::Organization(ORGANIZATION)] {
        hub.add_hook(at, "hook.example.com").unwrap();
    }
    hub
}

/// A description of the catalogue, its settings those of its examples.
fn described(name: &str, base: &str, files: &Files) -> Value {
    let description = catalog::load(name).unwrap().unwrap();
    let description = description.description();
    let template = description.base_url.source();
    let after = template.split_once("://").map_or(template, |(_, after)| after);
    let path = after.split_once('/').map_or("", |(_, path)| path);
    let mut settings: serde_json::Map<String, Value> = description
        .settings
        .iter()
        .map(|(name, setting)| (name.clone(), setting.example.clone().into()))
        .collect();
    if name == "vault" {
        settings.insert("address".to_owned(), base.into());
    }
    // Tokens are exchanged with this machine in place of the vendor's.
    let text = catalog::text(name).unwrap();
    let text = ["https://login.microsoftonline.com", "https://oauth2.googleapis.com"]
        .iter()
        .fold(text.to_owned(), |text, host| text.replace(host, &format!("{base}/token")));
    let text = without_pauses(&text);
    let file = files.put(&format!("{name}.yaml"), &text);
    let secret = |secret: &str| match (name, secret) {
        ("gcp", _) => files.put("gcp.pem", &pem::key()),
        _ => files.put(&format!("{name}-{secret}"), &mark(&format!("own-{name}-{secret}"))),
    };
    let named: Vec<&str> = text
        .split("secret: ")
        .skip(1)
        .filter_map(|rest| rest.split([',', '}', '\n', ' ']).next())
        .collect();
    json!({
        "name": name,
        "connector": "rest",
        "description": file.trim_start_matches("file:"),
        "base_url": format!("{base}/{name}/{path}"),
        "settings": settings,
        "secrets": named.iter().map(|s| ((*s).to_owned(), json!(secret(s)))).collect::<serde_json::Map<_, _>>(),
    })
}

/// A description that spaces no calls: what is read here has no limits that others share.
fn without_pauses(text: &str) -> String {
    let mut parts = text.split("spacing_ms: ");
    let mut without = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        without.push_str("spacing_ms: 0");
        without.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    without
}

impl World {
    pub async fn new() -> Self {
        let sky = Arc::<Sky>::default();
        let files = Files(tempfile::tempdir().unwrap());
        let organization = Organization::seeded(3, headcount_simulator::Size::account(8, 8, 3));
        let simulator = Simulator::start(organization).await.unwrap();
        let aws = Stuffed::before(&simulator.url(), &sky).await;

        let hub = hub();
        let reader = hub.reader(ORGANIZATION).unwrap();
        let key = pem::key();
        let hub = HubServer::start(hub).await.unwrap();
        let github = Stuffed::before(&hub.url(), &sky).await;
        hub.behind(github.url());

        let cluster = ClusterServer::start(Cluster::seeded(5, kubernetes::Size::default())).await;
        let cluster = cluster.unwrap();
        let kubernetes = Stuffed::before(&cluster.url(), &sky).await;
        let kubeconfig = cluster.kubeconfig().replace(&cluster.url(), kubernetes.url());
        let kubeconfig = files.put("kubeconfig", &kubeconfig);

        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("connectors/rest/catalog");
        let saas = Stuffed::catalogue(&folder, &sky).await;
        let hook_secret = mark("own-webhook-secret");
        // Once a year: what is scanned is scanned when the test says so.
        let yearly = "0 0 1 1 *";
        let mut sources = vec![
            json!({"name": "aws", "connector": "aws", "endpoint_url": aws.url(), "schedule": yearly}),
            json!({
                "name": "github", "connector": "github", "organizations": [ORGANIZATION],
                "base_url": github.url(), "schedule": yearly,
                "auth": {"app_id": reader.app_id, "private_key": files.put("app.pem", &key)},
                "webhook_secret": files.put("github-webhook", &hook_secret),
            }),
            json!({
                "name": "cluster", "connector": "kubernetes", "secret_metadata": true,
                "kubeconfig": kubeconfig.trim_start_matches("file:"), "schedule": yearly,
            }),
        ];
        for name in catalog::names() {
            let mut source = described(name, saas.url(), &files);
            source["schedule"] = yearly.into();
            sources.push(source);
        }
        let (data, events) = (files.0.path().join("data"), files.0.path().join("events.ndjson"));
        std::fs::create_dir(&data).unwrap();
        let sinks = Sinks::start(events).await;
        let configured = sinks.configured(&files);
        let agent = Agent::reading(files.0, &sources, None)
            .with_sinks(&configured)
            // Pages are asked for as fast as they come.
            .serving(&json!({"max_requests_per_second": 10_000}))
            .with_key(Key {
                id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
                secret: mark("own-secret-access-key"),
                token: Some(mark("own-session-token")),
            });
        let text = std::fs::read_to_string(agent.config_path()).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        config["emit_baseline"] = true.into();
        std::fs::write(agent.config_path(), config.to_string()).unwrap();
        let own = [
            // What the simulator's installation tokens begin with, and what JWTs do.
            ("a token of GitHub", "made-up-token-".to_owned()),
            ("a JWT", "eyJ0eXAiOiJKV1Qi".to_owned()),
            ("a JWT", "eyJhbGciOiJSUzI1NiI".to_owned()),
            ("a private key", key.lines().nth(1).unwrap().to_owned()),
            ("the token for the cluster", kubernetes::BEARER.to_owned()),
            ("the secret that signs", crate::support::receiver::SECRET.to_owned()),
        ];
        Self {
            agent,
            sky,
            sinks,
            data,
            search: Search::new(&own),
            hub,
            cluster,
            _simulator: simulator,
            _stuffed: vec![aws, github, kubernetes, saas],
        }
    }

    pub fn weather(&self, weather: Weather) {
        *self.sky.weather.lock().unwrap() = weather;
    }

    /// Runs a command with the finest logs, and searches what it said and wrote.
    pub async fn run(&mut self, what: &str, arguments: &[&str]) -> Outcome {
        let outcome = self.ask(what, arguments).await;
        self.keep_files(what);
        outcome
    }

    /// As [`Self::run`], when what was written is searched later.
    pub async fn ask(&mut self, what: &str, arguments: &[&str]) -> Outcome {
        let all = [arguments, &["--log-level", "trace"]].concat();
        let outcome = self.agent.run(&all).await;
        self.search.keep(&format!("{what}: stdout"), outcome.stdout.as_bytes());
        self.search.keep(&format!("{what}: stderr"), outcome.stderr.as_bytes());
        outcome
    }

    /// What stands in the store now, and what sinks have sent.
    pub fn keep_files(&mut self, what: &str) {
        self.search.keep_all(files(&format!("{what}: data"), &self.data));
        self.sinks.keep(what, &mut self.search);
    }
}
