//! A source to scan, and what a scan of it brought.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use headcount_github::{AppAuth, Auth, Config, GithubConnector, Secrets, TokenAuth, Tuning};
use headcount_sdk::{
    Complete, Connector, Memo, MemoryCache, Observation, Pass, Priority, Recorder, ScanContext,
    ScanError, Scope,
};
use headcount_simulator::github::{Hub, HubServer, ORGANIZATION, Token};
use secrecy::SecretString;

/// A tuning in which nothing waits.
pub const HURRIED: Tuning = Tuning {
    max_attempts: 2,
    initial_backoff: Duration::from_millis(1),
    patience: Duration::ZERO,
    spacing: Duration::ZERO,
    audit_poll: Duration::from_millis(5),
};

/// Signs nothing but what is sent to the simulator.
pub const WEBHOOK_SECRET: &str = "EXAMPLE of a webhook secret";

/// An RSA key in PEM, made when the tests start.
fn pem() -> String {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(|| {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = AsDer::<Pkcs8V1Der>::as_der(&pair).unwrap();
        let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let label = "PRIVATE KEY";
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    })
    .clone()
}

fn config(url: &str, auth: Auth) -> Config {
    let organizations = serde_json::json!([ORGANIZATION]);
    let auth = serde_json::to_value(auth).unwrap();
    let config =
        serde_json::json!({ "organizations": organizations, "base_url": url, "auth": auth });
    serde_json::from_value(config).unwrap()
}

/// As the App that a seeded hub has for readers.
pub fn app(server: &HubServer) -> GithubConnector {
    app_at(server, &server.url())
}

/// The same, at another address.
pub fn app_at(server: &HubServer, url: &str) -> GithubConnector {
    let app_id = server.read(|hub| hub.reader(ORGANIZATION).unwrap().app_id);
    let auth = Auth::App(AppAuth { app_id, private_key: "file:/nowhere".parse().unwrap() });
    let webhook = Some(SecretString::from(WEBHOOK_SECRET.to_owned()));
    let secrets = Secrets { login: SecretString::from(pem()), webhook };
    GithubConnector::with(config(url, auth), HURRIED, Some(secrets)).unwrap()
}

/// With the token of an owner.
pub fn token(server: &HubServer) -> GithubConnector {
    let token = {
        let mut hub = server.change();
        let org = hub.organization(ORGANIZATION).unwrap().id;
        hub.token(Token::Owner(org))
    };
    let auth = Auth::Token(TokenAuth { token: "env:NOWHERE".parse().unwrap() });
    let secrets = Secrets { login: SecretString::from(token), webhook: None };
    GithubConnector::with(config(&server.url(), auth), HURRIED, Some(secrets)).unwrap()
}

/// A connector, the organisation it reads, and its cache.
pub struct Source {
    pub server: HubServer,
    pub connector: GithubConnector,
    pub cache: Arc<MemoryCache>,
    scans: u32,
}

/// Outcome of one scope.
pub type Outcome = Result<Complete, ScanError>;

/// What one scan brought.
pub struct Scanned {
    pub records: BTreeMap<String, Observation>,
    pub outcomes: BTreeMap<String, Outcome>,
    pub calls: u64,
}

impl Source {
    pub async fn of(hub: Hub) -> Self {
        let server = HubServer::start(hub).await.unwrap();
        let connector = app(&server);
        Self { server, connector, cache: Arc::default(), scans: 0 }
    }

    pub async fn with_token(hub: Hub) -> Self {
        let server = HubServer::start(hub).await.unwrap();
        let connector = token(&server);
        Self { server, connector, cache: Arc::default(), scans: 0 }
    }

    pub fn context(&mut self, pass: Pass) -> ScanContext {
        self.scans += 1;
        ScanContext {
            scan: format!("scan-{}", self.scans),
            source: "github".to_owned(),
            now: self.server.clock().now(),
            priority: Priority::Scan,
            pass,
            cache: self.cache.clone(),
            memo: Memo::default(),
        }
    }

    /// Reads every scope of every place, each place with a memo of its own.
    pub async fn scan(&mut self) -> Scanned {
        self.server.reset_calls();
        let cx = self.context(Pass::First);
        let mut scanned = Scanned { records: BTreeMap::new(), outcomes: BTreeMap::new(), calls: 0 };
        let mut memos: BTreeMap<String, Memo> = BTreeMap::new();
        for scope in self.connector.scopes(&cx).await.unwrap() {
            let memo = memos.entry(scope.place.clone()).or_default().clone();
            let cx = ScanContext { memo, ..cx.clone() };
            let outcome = self.observe(&cx, &scope, &mut scanned.records).await;
            scanned.outcomes.insert(scope.kind, outcome);
        }
        scanned.calls = self.server.calls().total();
        scanned
    }

    pub async fn observe(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        records: &mut BTreeMap<String, Observation>,
    ) -> Outcome {
        let mut sink = |observation: Observation| {
            let known = records.insert(observation.id.to_string(), observation);
            assert!(known.is_none(), "recorded twice: {}", known.unwrap().id);
        };
        self.connector.observe(cx, scope, Recorder::new(scope.clone(), &mut sink)).await
    }

    pub async fn refresh(&mut self, kind: &str, subject: &str) -> (Vec<Observation>, Outcome) {
        let cx = ScanContext { priority: Priority::Hint, ..self.context(Pass::First) };
        let scope = Scope::new(&self.place(), kind);
        let subjects = BTreeSet::from([subject.to_owned()]);
        let mut seen = Vec::new();
        let mut sink = |observation| seen.push(observation);
        let outcome = self
            .connector
            .refresh(&cx, &scope.clone(), &subjects, Recorder::new(scope, &mut sink))
            .await;
        (seen, outcome)
    }

    pub fn place(&self) -> String {
        let id = self.server.read(|hub| hub.organization(ORGANIZATION).unwrap().id);
        format!("github:{id}")
    }
}

impl Scanned {
    pub fn outcome(&self, kind: &str) -> &Outcome {
        self.outcomes.get(kind).unwrap_or_else(|| panic!("no scope {kind}"))
    }

    pub fn complete(&self, kind: &str) -> &Complete {
        self.outcome(kind).as_ref().unwrap_or_else(|error| panic!("{kind}: {error}"))
    }

    pub fn error(&self, kind: &str) -> &ScanError {
        self.outcome(kind).as_ref().unwrap_err()
    }

    pub fn all_complete(&self) {
        for (scope, outcome) in &self.outcomes {
            let complete = outcome.as_ref().unwrap_or_else(|error| panic!("{scope}: {error}"));
            assert_eq!(complete.degradations(), [], "{scope}");
        }
    }

    pub fn of_kind(&self, kind: &str) -> Vec<&Observation> {
        self.records.values().filter(|record| record.kind == kind).collect()
    }

    /// The only record of a kind with this name.
    pub fn named(&self, kind: &str, name: &str) -> &Observation {
        let mut found = self.of_kind(kind).into_iter().filter(|record| record.name == name);
        let record = found.next().unwrap_or_else(|| panic!("no {kind} {name}"));
        assert!(found.next().is_none(), "more than one {kind} {name}");
        record
    }

    /// What `before` had and this has not, although this claims to have read it.
    pub fn gone_since(&self, before: &Self) -> Vec<String> {
        let mut gone = Vec::new();
        for record in before.records.values().filter(|r| !self.records.contains_key(r.id.as_str()))
        {
            let covers = |complete: &Complete| complete.extent().covers(record);
            let scope = before.scope_of(record);
            if self.outcomes[&scope].as_ref().is_ok_and(covers) {
                gone.push(record.id.to_string());
            }
        }
        gone
    }

    /// The scope that a record came from.
    fn scope_of(&self, record: &Observation) -> String {
        let level = record.attributes.get("level").map_or("", String::as_str);
        let role = record.attributes.get("role").map_or("", String::as_str);
        match (record.kind.as_str(), level) {
            ("actions-secret", "environment") => "environment-secrets".to_owned(),
            (kind @ ("actions-secret" | "dependabot-secret" | "agents-secret"), "repository") => {
                format!("repository-{kind}s")
            }
            ("webhook", "repository") => "repository-webhooks".to_owned(),
            ("self-hosted-runner", "repository") => "repository-runners".to_owned(),
            ("runner-group", _) => "self-hosted-runners".to_owned(),
            ("private-registry", _) => "private-registries".to_owned(),
            ("classic-token" | "ssh-key" | "oauth-token" | "app-user-token", _) => {
                "authorized-credentials".to_owned()
            }
            ("repository", _) => "repositories".to_owned(),
            ("machine-user", _) => format!("{role}s"),
            (kind, _) => format!("{kind}s"),
        }
    }
}
