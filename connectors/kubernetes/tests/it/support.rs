//! A connector, the cluster it reads, and an agent that is small enough to be seen through.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use headcount_kubernetes::{Config, KubernetesConnector, Tuning};
use headcount_sdk::{
    Complete, Connector, Extent, Hinted, Hints, Memo, MemoryCache, Observation, Pass, Priority,
    Recorder, ScanContext, ScanError, Scope,
};
use headcount_simulator::kubernetes::{Cluster, ClusterServer};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A tuning in which nothing waits.
pub const HURRIED: Tuning = Tuning {
    attempts: 2,
    backoff: Duration::from_millis(1),
    longest_backoff: Duration::from_millis(5),
    spacing: Duration::ZERO,
    page_size: 500,
    list_deadline: Duration::from_secs(10),
    settle: Duration::from_secs(10),
    stream_silence: Duration::from_secs(10),
};

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn with_secrets() -> Config {
    Config { secret_metadata: true, ..Config::default() }
}

pub async fn way_to(server: &ClusterServer) -> kube::Config {
    let file = Kubeconfig::from_yaml(&server.kubeconfig()).unwrap();
    let options = KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(file, &options).await.unwrap();
    config.default_retry = false;
    config
}

pub type Outcome = Result<Complete, ScanError>;

/// A connector and its cluster.
pub struct Source {
    pub server: ClusterServer,
    pub connector: Arc<KubernetesConnector>,
    pub cache: Arc<MemoryCache>,
}

/// What one scan brought.
pub struct Scanned {
    pub records: BTreeMap<String, Observation>,
    pub outcomes: BTreeMap<String, Outcome>,
}

impl Source {
    pub async fn of(cluster: Cluster) -> Self {
        Self::reading(cluster, Config::default()).await
    }

    pub async fn reading(cluster: Cluster, config: Config) -> Self {
        let server = ClusterServer::start(cluster).await.unwrap();
        let way = way_to(&server).await;
        let connector = KubernetesConnector::with(config, HURRIED, Some(way)).unwrap();
        Self { server, connector: Arc::new(connector), cache: Arc::default() }
    }

    pub fn context(&self, priority: Priority) -> ScanContext {
        ScanContext {
            scan: "scan".to_owned(),
            source: "cluster".to_owned(),
            now: self.server.clock().now(),
            priority,
            pass: Pass::First,
            cache: self.cache.clone(),
            memo: Memo::default(),
        }
    }

    pub fn place(&self) -> String {
        format!("kubernetes:{}", self.server.read(Cluster::id))
    }

    /// Reads every scope.
    pub async fn scan(&self) -> Scanned {
        let cx = self.context(Priority::Scan);
        let mut scanned = Scanned { records: BTreeMap::new(), outcomes: BTreeMap::new() };
        for scope in self.connector.scopes(&cx).await.unwrap() {
            let outcome = observe(&self.connector, &cx, &scope, &mut scanned.records).await;
            scanned.outcomes.insert(scope.kind, outcome);
        }
        scanned
    }

    /// Starts the feed, and an agent that follows it.
    pub fn watch(&self) -> Agent {
        let mut agent = self.idle();
        agent.begin();
        agent
    }

    /// An agent whose feed has not begun.
    pub fn idle(&self) -> Agent {
        Agent::of(&self.connector, self.context(Priority::Hint))
    }
}

async fn observe(
    connector: &KubernetesConnector,
    cx: &ScanContext,
    scope: &Scope,
    records: &mut BTreeMap<String, Observation>,
) -> Outcome {
    let mut sink = |observation: Observation| {
        let known = records.insert(observation.id.to_string(), observation);
        assert!(known.is_none(), "recorded twice: {}", known.unwrap().id);
    };
    connector.observe(cx, scope, Recorder::new(scope.clone(), &mut sink)).await
}

impl Scanned {
    pub fn outcome(&self, scope: &str) -> &Outcome {
        self.outcomes.get(scope).unwrap_or_else(|| panic!("no scope {scope}"))
    }

    pub fn complete(&self, scope: &str) -> &Complete {
        self.outcome(scope).as_ref().unwrap_or_else(|error| panic!("{scope}: {error}"))
    }

    pub fn error(&self, scope: &str) -> &ScanError {
        self.outcome(scope).as_ref().unwrap_err()
    }

    pub fn of_kind(&self, kind: &str) -> Vec<&Observation> {
        self.records.values().filter(|record| record.kind == kind).collect()
    }

    pub fn names(&self, kind: &str) -> BTreeSet<&str> {
        self.of_kind(kind).into_iter().map(|record| record.name.as_str()).collect()
    }

    /// The only record of a kind with this name.
    pub fn named(&self, kind: &str, name: &str) -> &Observation {
        named(&self.records, kind, name).unwrap_or_else(|| panic!("no {kind} {name}"))
    }
}

fn named<'r>(
    records: &'r BTreeMap<String, Observation>,
    kind: &str,
    name: &str,
) -> Option<&'r Observation> {
    let mut found = records.values().filter(|record| record.kind == kind && record.name == name);
    let record = found.next();
    assert!(found.next().is_none(), "more than one {kind} {name}");
    record
}

/// Keeps an inventory by hints, as the agent does: a refresh where there is one, else the scope.
pub struct Agent {
    connector: Arc<KubernetesConnector>,
    cx: ScanContext,
    hints: Hints,
    queue: mpsc::Receiver<Hinted>,
    feed: Option<JoinHandle<Result<(), ScanError>>>,
    pub records: BTreeMap<String, Observation>,
    pub outcomes: BTreeMap<String, Outcome>,
    /// Scope and subject of every hint.
    pub heard: Vec<(String, String)>,
}

impl Agent {
    /// One that begins when it is told to.
    pub fn of(connector: &Arc<KubernetesConnector>, cx: ScanContext) -> Self {
        let (hints, queue) = Hints::queue(1_000);
        Self {
            connector: Arc::clone(connector),
            cx,
            hints,
            queue,
            feed: None,
            records: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            heard: Vec::new(),
        }
    }

    /// Starts the feed.
    pub fn begin(&mut self) {
        let (connector, cx) = (Arc::clone(&self.connector), self.cx.clone());
        let hints = self.hints.clone();
        self.feed = Some(tokio::spawn(async move { connector.feed(&cx, hints).await }));
    }

    /// The scan at the start.
    pub async fn scan(&mut self) {
        let cx = ScanContext { priority: Priority::Scan, ..self.cx.clone() };
        for scope in self.connector.scopes(&cx).await.unwrap() {
            self.read(&scope).await;
        }
    }

    async fn read(&mut self, scope: &Scope) {
        let cx = ScanContext { memo: Memo::default(), ..self.cx.clone() };
        let mut seen = BTreeMap::new();
        let outcome = observe(&self.connector, &cx, scope, &mut seen).await;
        self.settle(scope, seen, outcome);
    }

    fn settle(&mut self, scope: &Scope, seen: BTreeMap<String, Observation>, outcome: Outcome) {
        if let Ok(proof) = &outcome {
            let manifest = self.connector.manifest();
            let declared = manifest.scopes.iter().find(|kind| kind.name == scope.kind).unwrap();
            self.records.retain(|id, record| {
                let is_covered = match proof.extent() {
                    Extent::Whole => declared.kinds.contains(&record.kind.as_str()),
                    Extent::Records(ids) => ids.contains(&record.id),
                    Extent::Parents { .. } | Extent::AllBut { .. } => {
                        unreachable!("no scope is read in parts")
                    }
                };
                !is_covered || seen.contains_key(id)
            });
        }
        self.records.extend(seen);
        self.outcomes.insert(scope.kind.clone(), outcome);
    }

    /// Acts on one hint.
    async fn follow(&mut self, hint: headcount_sdk::Hint) {
        self.heard.push((hint.scope.kind.clone(), hint.subject.clone()));
        let subjects = BTreeSet::from([hint.subject]);
        let mut seen = BTreeMap::new();
        let mut sink = |made: Observation| drop(seen.insert(made.id.to_string(), made));
        let recorder = Recorder::new(hint.scope.clone(), &mut sink);
        let outcome = self.connector.refresh(&self.cx, &hint.scope, &subjects, recorder).await;
        match outcome {
            Err(ScanError::NotSupported { .. }) => self.read(&hint.scope).await,
            outcome => self.settle(&hint.scope, seen, outcome),
        }
    }

    /// Follows hints until what is known is as `is_so` says.
    pub async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let followed = tokio::time::timeout(PATIENCE, async {
            while !is_so(self) {
                let Some(hinted) = self.queue.recv().await else {
                    panic!("the feed ended before {what}")
                };
                for hint in hinted.hints {
                    self.follow(hint).await;
                }
            }
        });
        let heard = followed.await;
        assert!(heard.is_ok(), "it never came to this: {what}; heard {:?}", self.heard);
    }

    pub fn named(&self, kind: &str, name: &str) -> Option<&Observation> {
        named(&self.records, kind, name)
    }

    pub fn has(&self, kind: &str, name: &str) -> bool {
        self.named(kind, name).is_some()
    }

    /// Ends the feed as a stopping agent does.
    pub async fn stop(self) {
        let feed = self.feed.unwrap();
        feed.abort();
        assert!(feed.await.unwrap_err().is_cancelled());
    }
}
