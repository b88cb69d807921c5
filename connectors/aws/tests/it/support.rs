//! A source to scan, and what a scan of it brought.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use headcount_aws::{Accounts, AwsConnector, Config, Credentials, Tuning};
use headcount_sdk::{
    Complete, Connector, Extent, Memo, MemoryCache, Observation, Pass, Priority, Recorder,
    ScanContext, ScanError, Scope,
};
use headcount_simulator::{AMBIENT_KEY, NOT_A_SECRET, Organization, Simulator};

/// A tuning in which nothing waits.
pub const HURRIED: Tuning = Tuning {
    max_attempts: 2,
    initial_backoff: Duration::from_millis(1),
    throttle_pause: Duration::ZERO,
    report_poll: Duration::from_millis(1),
    report_polls: 4,
};

pub fn credentials() -> Credentials {
    Credentials::new(AMBIENT_KEY, NOT_A_SECRET, None, None, "test")
}

pub fn connector(url: &str, accounts: Accounts) -> AwsConnector {
    let config = Config {
        accounts,
        endpoint_url: Some(url.to_owned()),
        region: Some("us-east-1".to_owned()),
        ..Config::default()
    };
    AwsConnector::with(config, HURRIED, Some(credentials())).unwrap()
}

/// A connector, the organisation it reads, and its cache.
pub struct Source {
    pub simulator: Simulator,
    pub connector: AwsConnector,
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
    pub async fn of(organization: Organization) -> Self {
        Self::reading(organization, Accounts::Ambient).await
    }

    pub async fn reading(organization: Organization, accounts: Accounts) -> Self {
        let simulator = Simulator::start(organization).await.unwrap();
        let connector = connector(&simulator.url(), accounts);
        Self { simulator, connector, cache: Arc::default(), scans: 0 }
    }

    pub fn lose_cache(&mut self) {
        self.cache = Arc::default();
    }

    pub fn context(&mut self, pass: Pass) -> ScanContext {
        self.scans += 1;
        ScanContext {
            scan: format!("scan-{}", self.scans),
            source: "aws".to_owned(),
            now: self.simulator.clock().now(),
            priority: Priority::Scan,
            pass,
            cache: self.cache.clone(),
            memo: Memo::default(),
        }
    }

    /// Reads every scope of every place, each place with a memo of its own.
    pub async fn scan(&mut self) -> Scanned {
        self.simulator.reset_calls();
        let cx = self.context(Pass::First);
        let mut scanned = Scanned { records: BTreeMap::new(), outcomes: BTreeMap::new(), calls: 0 };
        let mut memos: BTreeMap<String, Memo> = BTreeMap::new();
        for scope in self.connector.scopes(&cx).await.unwrap() {
            let memo = memos.entry(scope.place.clone()).or_default().clone();
            let cx = ScanContext { memo, ..cx.clone() };
            let outcome = self.observe(&cx, &scope, &mut scanned.records).await;
            scanned.outcomes.insert(scope.to_string(), outcome);
        }
        scanned.calls = self.simulator.calls().total();
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
        self.refresh_all(kind, &[subject]).await
    }

    pub async fn refresh_all(
        &mut self,
        kind: &str,
        subjects: &[&str],
    ) -> (Vec<Observation>, Outcome) {
        let cx = ScanContext { priority: Priority::Hint, ..self.context(Pass::First) };
        let scope = Scope::new(&self.place(), kind);
        let subjects: BTreeSet<String> = subjects.iter().map(|s| (*s).to_owned()).collect();
        let mut seen = Vec::new();
        let mut sink = |observation| seen.push(observation);
        let outcome = self
            .connector
            .refresh(&cx, &scope.clone(), &subjects, Recorder::new(scope, &mut sink))
            .await;
        (seen, outcome)
    }

    /// The management account, by which the ambient credentials read.
    pub fn account(&self) -> String {
        self.simulator.read(|org| org.management().to_owned())
    }

    pub fn place(&self) -> String {
        format!("aws:{}", self.account())
    }

    pub fn id(&self, kind: &str, key: &str) -> String {
        format!("{}:{kind}/{key}", self.place())
    }

    pub fn scope(&self, kind: &str) -> Scope {
        Scope::new(&self.place(), kind)
    }
}

impl Scanned {
    /// The outcome of a scope in the only account there is.
    pub fn outcome(&self, kind: &str) -> &Outcome {
        let mut found =
            self.outcomes.iter().filter(|(scope, _)| scope.ends_with(&format!("/{kind}")));
        let (_, outcome) = found.next().unwrap();
        assert!(found.next().is_none(), "more than one account");
        outcome
    }

    pub fn complete(&self, kind: &str) -> &Complete {
        self.outcome(kind).as_ref().unwrap()
    }

    pub fn whole(&self, kind: &str) -> bool {
        *self.complete(kind).extent() == Extent::Whole
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

    /// As [`Scanned::all_complete`]; details of providers may still be on their way.
    pub fn all_complete_but_swept(&self) {
        for (scope, outcome) in &self.outcomes {
            outcome.as_ref().unwrap_or_else(|error| panic!("{scope}: {error}"));
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
}
