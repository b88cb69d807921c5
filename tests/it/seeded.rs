//! A data directory with three scans of a small made-up account in it, for the commands that read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use headcount::clock::ManualClock;
use headcount::config::Config;
use headcount::scan::{Engine, Settings, Silent, Source};
use headcount::store::sqlite::SqliteStore;
use headcount_sdk::{
    Affiliation, Class, Complete, Connector, Endpoint, Expiry, ExternalId, Level, Link, LinkKind,
    Manifest, Observation, OwnerBasis, OwnerEvidence, OwnerKind, Privilege, Probe, RecordId,
    Recorder, ScanContext, ScanError, Scope, Status, Trust, Usage,
};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

pub const PLACE: &str = "aws:123456789012";

/// A source whose answers are set from outside.
#[derive(Default)]
pub struct Script(pub Mutex<BTreeMap<Scope, Result<Vec<Observation>, ScanError>>>);

static MANIFEST: Manifest = Manifest {
    connector: "script",
    title: "Script",
    about: "A source for tests",
    kinds: &[],
    scopes: &[],
    operations: &[],
    call_budget: "0",
    cannot_see: &[],
};

#[async_trait]
impl Connector for Script {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    async fn scopes(&self, _cx: &ScanContext) -> Result<Vec<Scope>, ScanError> {
        Ok(self.0.lock().unwrap().keys().cloned().collect())
    }

    async fn observe(
        &self,
        _cx: &ScanContext,
        scope: &Scope,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let answer = self.0.lock().unwrap()[scope].clone();
        answer?.into_iter().for_each(|observation| recorder.record(observation));
        Ok(recorder.complete())
    }

    async fn check(&self, _cx: &ScanContext) -> Vec<Probe> {
        Vec::new()
    }
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Where a seeded inventory is, and the configuration that points there.
pub struct Seeded {
    dir: tempfile::TempDir,
}

impl Seeded {
    pub fn config(&self) -> PathBuf {
        self.dir.path().join("headcount.yaml")
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Three scans, a day apart, from 2026-03-01 on: a baseline, a change, and a lost permission.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let seeded = Self { dir };
        let data = seeded.root().join("data");
        let yaml =
            format!("data_dir: {}\nsources: [{{name: prod, connector: aws}}]\n", data.display());
        std::fs::write(seeded.config(), yaml).unwrap();
        std::fs::create_dir(&data).unwrap();
        tokio::runtime::Runtime::new().unwrap().block_on(scans(&seeded.config(), &data));
        seeded
    }
}

async fn scans(config: &Path, data: &Path) {
    let config = Config::load(Some(config)).unwrap();
    let store = Arc::new(SqliteStore::open(data).await.unwrap());
    let clock = ManualClock::at(at("2026-03-01T06:00:00Z"));
    let engine = Engine::new(
        store.clone(),
        Settings::from(&config),
        Arc::new(clock.clone()),
        CancellationToken::new(),
    );
    let script = Arc::new(Script::default());
    let connector: Arc<dyn Connector> = script.clone();
    let source = Source { name: "prod".to_owned(), connector };
    let answer = |kind: &str, answer: Result<Vec<Observation>, ScanError>| {
        script.0.lock().unwrap().insert(Scope::new(PLACE, kind), answer);
    };

    answer("users", Ok(vec![deploy_bot(), person()]));
    answer("roles", Ok(vec![reader_role()]));
    answer("access-keys", Ok(vec![old_key()]));
    engine.scan(&source, &Silent).await.unwrap();

    clock.set(at("2026-03-02T06:00:00Z"));
    let mut moved = deploy_bot();
    moved.labels.insert("Owner".to_owned(), "team-checkout".to_owned());
    moved.owner_evidence = vec![owned_by("team-checkout")];
    answer("users", Ok(vec![moved, person(), ci_bot()]));
    engine.scan(&source, &Silent).await.unwrap();

    clock.set(at("2026-03-03T06:00:00Z"));
    answer(
        "access-keys",
        Err(ScanError::Denied {
            operation: "iam:GetCredentialReport".to_owned(),
            permission: "iam:GetCredentialReport".to_owned(),
        }),
    );
    engine.scan(&source, &Silent).await.unwrap();
    store.close().await;
}

fn record(class: Class, kind: &str, key: &str, name: &str) -> Observation {
    let mut record = Observation::new(RecordId::new(PLACE, kind, key), class, kind, name);
    record.native = format!("arn:aws:iam::123456789012:{kind}/{name}");
    record.status = Status::Active;
    record.created_at = Some(at("2025-01-01T00:00:00Z"));
    record.expiry = Expiry::NotApplicable;
    record
}

fn used(text: &str) -> Usage {
    Usage::LastUsed { at: at(text), resolution_secs: 900, lag_secs: 0 }
}

pub fn owned_by(team: &str) -> OwnerEvidence {
    OwnerEvidence {
        reference: team.to_owned(),
        basis: OwnerBasis::Label,
        locator: "tag:Owner".to_owned(),
        kind: OwnerKind::Technical,
        standing: headcount_sdk::Standing::NotKnown,
    }
}

fn deploy_bot() -> Observation {
    let mut user = record(Class::Identity, "iam-user", "AIDADEPLOY", "deploy-bot");
    user.usage = used("2026-02-28T22:00:00Z");
    user.labels.insert("Owner".to_owned(), "team-payments".to_owned());
    user.owner_evidence = vec![owned_by("team-payments")];
    user.privilege =
        Some(Privilege { level: Level::Admin, reason: "policy Admin allows * on *".to_owned() });
    user
}

/// A name that a spreadsheet would run, and nobody who answers for it.
fn ci_bot() -> Observation {
    let mut user = record(Class::Identity, "iam-user", "AIDACI", "=cmd|' /C calc'!A0");
    user.created_at = Some(at("2026-03-02T05:30:00Z"));
    user.usage = Usage::NeverSince { tracking_start: at("2026-03-02T05:30:00Z"), lag_secs: 0 };
    user
}

fn person() -> Observation {
    let mut user = record(Class::Principal, "iam-user", "AIDAANA", "ana");
    user.usage = used("2026-02-28T08:00:00Z");
    user
}

fn reader_role() -> Observation {
    let mut role = record(Class::Identity, "iam-role", "AROAREADER", "reader");
    role.usage = used("2025-10-01T00:00:00Z");
    role.links = vec![Link {
        kind: LinkKind::Trusts,
        to: Endpoint::Account {
            place: "aws:999999999999".to_owned(),
            principal: None,
            affiliation: Affiliation::NotKnown,
        },
        trust: Some(Trust {
            subjects: Vec::new(),
            audiences: Vec::new(),
            external_id: ExternalId::Absent,
            narrowed_by: Vec::new(),
        }),
        confidence: headcount_sdk::Confidence::CERTAIN,
    }];
    role
}

fn old_key() -> Observation {
    let mut key = record(Class::Credential, "access-key", "AKIAOLD", "AKIAOLD");
    key.parent = Some(RecordId::new(PLACE, "iam-user", "AIDADEPLOY"));
    key.usage = Usage::NotObservable { reason: "not recorded".to_owned() };
    key.expiry = Expiry::Never;
    key.native = "AKIAOLD".to_owned();
    key
}
