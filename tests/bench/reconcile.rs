//! One scope of 1,000,000 known records, of which 0.1 % changed, into the embedded store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use headcount::clock::SystemClock;
use headcount::scan::{Engine, Settings, Silent, Source};
use headcount::store::sqlite::SqliteStore;
use headcount_core::reconcile::Brake;
use headcount_core::rules::RuleConfig;
use headcount_sdk::manifest::Manifest;
use headcount_sdk::{
    Class, Complete, Connector, Expiry, Level, Observation, OwnerBasis, OwnerEvidence, OwnerKind,
    Privilege, Probe, RecordId, Recorder, ScanContext, ScanError, Scope, Status, Usage,
};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::measure;

const RECORDS: u32 = 1_000_000;
const CHANGED_ONE_IN: u32 = 1_000;
/// The baseline is loaded in growing readings, as a source that comes up slowly would.
const LOAD_STEP: u32 = 50_000;

static MANIFEST: Manifest = Manifest {
    connector: "benchmark",
    title: "Benchmark",
    about: "Records out of thin air",
    kinds: &[],
    scopes: &[],
    operations: &[],
    call_budget: "0",
    cannot_see: &[],
};

/// Reports `upto` records; every thousandth carries the edition in a label.
pub struct Records {
    upto: u32,
    edition: u32,
}

#[async_trait]
impl Connector for Records {
    fn manifest(&self) -> &'static Manifest {
        &MANIFEST
    }

    async fn scopes(&self, _cx: &ScanContext) -> Result<Vec<Scope>, ScanError> {
        Ok(vec![Scope::new("bench:1", "identities")])
    }

    async fn observe(
        &self,
        _cx: &ScanContext,
        _scope: &Scope,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        // The same instant in every scan of a run: use that moves would be written, and the figure
        // is about records that do not change.
        let day = 24 * 60 * 60;
        let yesterday = Timestamp::now().as_second() / day * day - day;
        let yesterday = Timestamp::from_second(yesterday).unwrap();
        for number in 0..self.upto {
            recorder.record(record(number, self.edition, yesterday));
        }
        if self.upto < RECORDS {
            let reason = "still coming up".to_owned();
            return Err(ScanError::Unavailable { operation: "list".to_owned(), reason });
        }
        Ok(recorder.complete())
    }

    async fn check(&self, _cx: &ScanContext) -> Vec<Probe> {
        Vec::new()
    }
}

fn record(number: u32, edition: u32, yesterday: Timestamp) -> Observation {
    let id = RecordId::new("bench:1", "role", &format!("AROA{number:016}"));
    let mut record = Observation::new(id, Class::Identity, "role", &format!("role-{number}"));
    record.native = format!("arn:bench:iam::1:role/service/role-{number}");
    record.status = Status::Active;
    record.created_at = Timestamp::from_second(1_700_000_000 + i64::from(number)).ok();
    record.expiry = Expiry::NotApplicable;
    record.usage = Usage::LastUsed { at: yesterday, resolution_secs: 86_400, lag_secs: 0 };
    record.privilege =
        Some(Privilege { level: Level::Read, reason: "policy read-only".to_owned() });
    record.owner_evidence = vec![OwnerEvidence {
        reference: format!("team-{}", number % 97),
        basis: OwnerBasis::Label,
        locator: "tag:Owner".to_owned(),
        kind: OwnerKind::Technical,
        standing: headcount_sdk::Standing::NotKnown,
    }];
    let shown = if number.is_multiple_of(CHANGED_ONE_IN) { edition } else { 0 };
    record.labels = BTreeMap::from([
        ("Owner".to_owned(), format!("team-{}", number % 97)),
        ("edition".to_owned(), shown.to_string()),
    ]);
    record
}

pub fn settings() -> Settings {
    Settings {
        agent: "bench".to_owned(),
        brake: Brake::default(),
        rules: RuleConfig::default(),
        sources: vec!["bench".to_owned()],
        sinks: Vec::new(),
        emit_baseline: false,
        places_in_parallel: 1,
    }
}

/// All records in an edition of their own.
pub const fn whole(edition: u32) -> Records {
    Records { upto: RECORDS, edition }
}

fn scan(directory: &str, connector: Records) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Arc::new(SqliteStore::open(Path::new(directory)).await.unwrap());
        let engine =
            Engine::new(store, settings(), Arc::new(SystemClock), CancellationToken::new());
        let source = Source { name: "bench".to_owned(), connector: Arc::new(connector) };
        engine.scan(&source, &Silent).await.unwrap();
    });
}

pub fn load(directory: &str) {
    for upto in (LOAD_STEP..=RECORDS).step_by(LOAD_STEP as usize) {
        scan(directory, Records { upto, edition: 1 });
    }
}

pub fn reconcile(directory: &str) {
    scan(directory, Records { upto: RECORDS, edition: 2 });
}

pub fn figures() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let program = std::env::current_exe().unwrap();
    let program = program.to_str().unwrap();
    let loaded = measure::measured(program, &["child", "load", path], &[]);
    measure::print("load 1,000,000 records in 20 growing scans", loaded);
    let used = measure::measured(program, &["child", "reconcile", path], &[]);
    measure::print("reconcile 1,000,000 known records, 0.1 % changed", used);
}
