//! One simulated tenant, and the connector that reads it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headcount_rest::{Described, Http, RestConnector, Settings, Tuning, catalog};
use headcount_sdk::Connector;
use headcount_sdk::contract::MemoryCache;
use headcount_sdk::testkit::{Bench, Fault, Scanned, scan};
use headcount_simulator::saas::{GitLab, Google, Graph, MARKED, Okta, SaasServer, Slack, Tenant};
use headcount_simulator::{Clock, Fault as Spoiled, FaultPlan};
use jiff::Timestamp;
use secrecy::SecretString;

/// A tenant and who reads it.
pub struct Saas<T: Tenant> {
    pub server: SaasServer<T>,
    pub settings: Settings,
    described: Described,
    secrets: BTreeMap<String, SecretString>,
    /// One for all connectors: to set TLS up takes longer than a scan.
    http: OnceLock<Arc<Http>>,
}

pub fn clock() -> Clock {
    Clock::at("2026-03-10T12:00:00Z".parse().unwrap())
}

/// A key that no vendor knows; made once, because that takes a while.
fn pem() -> &'static str {
    static PEM: OnceLock<String> = OnceLock::new();
    PEM.get_or_init(|| {
        let der: Pkcs8V1Der<'_> = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
        let label = "PRIVATE KEY";
        let text = STANDARD.encode(der.as_ref());
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    })
}

async fn saas<T: Tenant>(
    name: &str,
    tenant: T,
    settings: &[(&str, &str)],
    secret: (&str, &str),
) -> Saas<T> {
    let server = SaasServer::start(tenant).await.unwrap();
    let values = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings =
        Settings { values: values.collect(), base_url: Some(server.url()), ..Settings::default() };
    Saas {
        server,
        settings,
        described: catalog::load(name).unwrap().unwrap(),
        secrets: BTreeMap::from([(secret.0.to_owned(), SecretString::from(secret.1))]),
        http: OnceLock::new(),
    }
}

pub async fn okta() -> Saas<Okta> {
    let settings = [("domain", "acme.okta.example.com")];
    saas("okta", Okta::seeded(&clock()).unwrap(), &settings, ("api_token", Okta::TOKEN)).await
}

/// The same read by an app that signs a JWT.
pub async fn okta_by_app() -> Saas<Okta> {
    let settings = [("domain", "acme.okta.example.com"), ("client_id", Okta::READER)];
    let tenant = Okta::seeded(&clock()).unwrap();
    let mut bench = saas("okta", tenant, &settings, ("private_key", pem())).await;
    bench.settings.auth = Some("private_key_jwt".to_owned());
    bench.settings.token_url = Some(format!("{}/oauth2/v1/token", bench.server.origin()));
    bench
}

pub async fn gitlab() -> Saas<GitLab> {
    let group = GitLab::GROUP.to_string();
    let settings =
        [("group", group.as_str()), ("each_access_token", "true"), ("administrator", "true")];
    saas("gitlab", GitLab::seeded(&clock()).unwrap(), &settings, ("token", GitLab::TOKEN)).await
}

pub async fn slack() -> Saas<Slack> {
    let settings = [("team_id", Slack::TEAM)];
    saas("slack", Slack::seeded(&clock()).unwrap(), &settings, ("token", Slack::TOKEN)).await
}

pub async fn graph() -> Saas<Graph> {
    let settings = [("tenant", Graph::TENANT), ("client_id", Graph::READER)];
    let secret = ("client_secret", Graph::SECRET);
    let mut bench = saas("entra", Graph::seeded(&clock()).unwrap(), &settings, secret).await;
    let origin = bench.server.origin();
    bench.settings.token_url = Some(format!("{origin}/{}/oauth2/v2.0/token", Graph::TENANT));
    bench
}

pub async fn google() -> Saas<Google> {
    let settings = [("project", Google::PROJECT), ("client_email", Google::READER)];
    let tenant = Google::seeded(&clock()).unwrap();
    let mut bench = saas("gcp", tenant, &settings, ("private_key", pem())).await;
    bench.settings.token_url = Some(format!("{}/token", bench.server.origin()));
    bench
}

impl<T: Tenant> Saas<T> {
    /// A new connector, without patience and without pauses.
    pub fn reader(&self) -> RestConnector {
        let tuning = Tuning {
            attempts: 2,
            pause: Duration::from_millis(1),
            longest_wait: Duration::from_millis(5),
            deadline: Duration::from_secs(30),
            spacing: Some(Duration::ZERO),
        };
        let over = (self.http() as Arc<_>, tuning);
        let secrets = Arc::new(self.secrets.clone());
        RestConnector::with(&self.described, &self.settings, secrets, over).unwrap()
    }

    pub fn http(&self) -> Arc<Http> {
        Arc::clone(self.http.get_or_init(|| Arc::new(Http::new().unwrap())))
    }

    /// The same, with the connections of another.
    pub fn over(mut self, http: Arc<Http>) -> Self {
        self.http = OnceLock::from(http);
        self
    }

    /// Scans with nothing kept.
    pub async fn scan(&self) -> Scanned {
        self.server.reset_calls();
        scan(self, &self.reader(), Arc::new(MemoryCache::default()), "scan").await
    }

    /// The operations of the description that such a request may be.
    fn named(&self, action: &str) -> Vec<String> {
        let (method, template) = action.split_once(' ').unwrap();
        if method == "POST" {
            return vec!["token".to_owned()];
        }
        let operations = self.described.description().operations.iter();
        let named = operations.filter(|(_, op)| is_same(op.path.source(), template));
        let named: Vec<String> = named.map(|(name, _)| name.clone()).collect();
        // A name that no manifest has, for the law to stumble over.
        if named.is_empty() { vec![action.to_owned()] } else { named }
    }
}

/// Whether two paths are one, when a parameter of either stands for a segment.
fn is_same(described: &str, served: &str) -> bool {
    // A name with slashes in it, as pools have.
    let described = described.replace("${+pool.name}", "{}/{}/{}/{}/{}/{}");
    let parameter = |part: &str| part.starts_with(['{', '$']);
    let (one, other): (Vec<&str>, Vec<&str>) =
        (described.split('/').collect(), served.split('/').collect());
    let same = |(a, b): (&&str, &&str)| a == b || parameter(a) || parameter(b);
    one.len() == other.len() && one.iter().zip(&other).all(same)
}

#[async_trait]
impl<T: Tenant> Bench for Saas<T> {
    async fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(self.reader())
    }

    fn now(&self) -> Timestamp {
        self.server.clock().now()
    }

    fn spoil(&self, fault: Option<(Fault, u64)>) {
        self.server.clear_faults();
        self.server.reset_calls();
        if let Some((fault, from)) = fault {
            let fault = match fault {
                Fault::Denied => Spoiled::Denied,
                Fault::NotFound => Spoiled::NotFound,
                Fault::Throttled => Spoiled::TooManyRequests,
                Fault::ServerError => Spoiled::HtmlError,
                Fault::CutBody => Spoiled::TruncatedBody,
                Fault::Reset => Spoiled::Reset,
            };
            self.server.inject(FaultPlan::new(fault).from_exchange(from));
        }
    }

    fn exchanges(&self) -> u64 {
        self.server.exchanges()
    }

    fn operations(&self) -> Vec<String> {
        self.server.calls().actions().into_iter().flat_map(|action| self.named(action)).collect()
    }

    fn page_size(&self, most: Option<usize>) {
        self.server.limit_pages(most);
    }

    fn secrets(&self) -> Vec<String> {
        let own = [
            MARKED,
            Okta::TOKEN,
            GitLab::TOKEN,
            Slack::TOKEN,
            Graph::SECRET,
            "-issued-",
            "PRIVATE KEY",
            "<html",
            "Bearer",
            "skiptoken=",
            "pageToken=",
            "after=",
        ];
        own.map(str::to_owned).into()
    }
}
