//! Scripted days in the life of a source: what the law says must happen, and must not.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use headcount_core::findings::{Finding, FindingStatus};
use headcount_sdk::manifest::Manifest;
use headcount_sdk::{
    Class, Complete, Connector, Expiry, Observation, OwnerBasis, OwnerEvidence, OwnerKind, Probe,
    RecordId, Recorder, ScanContext, ScanError, Scope, Status, Usage,
};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::engine::Refreshed;
use super::*;
use crate::clock::{Clock as _, ManualClock};
use crate::store::sqlite::SqliteStore;
use crate::store::{FindingFilter, RecordFilter, Store};

mod below;
mod described;
mod events;
mod exceptions;
mod filters;
mod graph;
mod large;
mod pushed;

const PLACE: &str = "test:1";

type Answer = Result<Vec<Observation>, ScanError>;

/// A source whose answers the test writes.
#[derive(Default)]
struct Script {
    scopes: Mutex<BTreeMap<Scope, Answer>>,
    /// Answers for the next readings only, before those of `scopes`.
    once: Mutex<BTreeMap<Scope, Vec<Answer>>>,
    unreachable: Mutex<Option<ScanError>>,
    /// What a refresh sees of the record that the hint names; `None` = refresh is not supported.
    refreshed: Mutex<Option<Vec<Observation>>>,
    /// How every refresh fails.
    refused: Mutex<Option<ScanError>>,
    readings: Mutex<u32>,
}

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
        match self.unreachable.lock().unwrap().clone() {
            Some(error) => Err(error),
            None => Ok(self.scopes.lock().unwrap().keys().cloned().collect()),
        }
    }

    async fn observe(
        &self,
        _cx: &ScanContext,
        scope: &Scope,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        *self.readings.lock().unwrap() += 1;
        let scripted = {
            let mut once = self.once.lock().unwrap();
            once.get_mut(scope).filter(|answers| !answers.is_empty()).map(|a| a.remove(0))
        };
        let answer = match scripted {
            Some(answer) => answer,
            None => self.scopes.lock().unwrap()[scope].clone(),
        };
        for observation in answer? {
            recorder.record(observation);
        }
        Ok(recorder.complete())
    }

    async fn refresh(
        &self,
        _cx: &ScanContext,
        _scope: &Scope,
        subjects: &BTreeSet<String>,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        if let Some(error) = self.refused.lock().unwrap().clone() {
            return Err(error);
        }
        let Some(seen) = self.refreshed.lock().unwrap().clone() else {
            let reason = "not scripted".to_owned();
            return Err(ScanError::NotSupported { operation: "refresh".to_owned(), reason });
        };
        for observation in seen {
            recorder.record(observation);
        }
        let named = subjects.iter().map(|subject| RecordId::new(PLACE, "user", subject));
        Ok(recorder.complete_for_records(named.collect()))
    }

    async fn check(&self, _cx: &ScanContext) -> Vec<Probe> {
        Vec::new()
    }
}

struct World {
    script: Arc<Script>,
    store: Arc<SqliteStore>,
    engine: Engine,
    source: Source,
    clock: ManualClock,
    _dir: tempfile::TempDir,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn scope(kind: &str) -> Scope {
    Scope::new(PLACE, kind)
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(dir.path()).await.unwrap());
        let clock = ManualClock::at(at("2026-01-01T00:00:00Z"));
        let script = Arc::new(Script::default());
        let settings = Settings {
            agent: "test".to_owned(),
            brake: Brake::default(),
            rules: RuleConfig::default(),
            sources: vec!["s".to_owned()],
            sinks: vec![Subscriber::to_all("hook")],
            emit_baseline: false,
            places_in_parallel: 2,
        };
        let engine =
            Engine::new(store.clone(), settings, Arc::new(clock.clone()), CancellationToken::new());
        let source =
            Source { name: "s".to_owned(), connector: Arc::clone(&script) as Arc<dyn Connector> };
        Self { script, store, engine, source, clock, _dir: dir }
    }

    fn answers(&self, kind: &str, answer: Answer) {
        self.script.scopes.lock().unwrap().insert(scope(kind), answer);
    }

    fn answers_once(&self, kind: &str, answer: Answer) {
        self.script.once.lock().unwrap().entry(scope(kind)).or_default().push(answer);
    }

    /// Scans one hour later.
    async fn scan(&self) -> ScanReport {
        self.clock.advance(SignedDuration::from_hours(1));
        self.engine.scan(&self.source, &Silent).await.unwrap()
    }

    async fn names(&self) -> BTreeSet<String> {
        let records = self.store.list_records(&RecordFilter::default(), None, 1_000).await.unwrap();
        records.into_iter().map(|r| r.observation.name).collect()
    }

    async fn open(&self) -> BTreeSet<(String, String)> {
        let filter =
            FindingFilter { status: Some(FindingStatus::Open), ..FindingFilter::default() };
        let findings: Vec<Finding> = self.store.list_findings(&filter).await.unwrap();
        findings.into_iter().map(|f| (f.rule, f.subject_name)).collect()
    }

    async fn delivered(&self) -> Vec<String> {
        let far = self.clock.now() + SignedDuration::from_hours(24);
        let due = self.store.due_deliveries("hook", far, 1_000).await.unwrap();
        due.into_iter().map(|d| d.event.kind).collect()
    }
}

fn user(key: &str, name: &str) -> Observation {
    let mut user =
        Observation::new(RecordId::new(PLACE, "user", key), Class::Identity, "user", name);
    user.status = Status::Active;
    user.created_at = Some(at("2025-12-01T00:00:00Z"));
    user.usage =
        Usage::LastUsed { at: at("2025-12-31T00:00:00Z"), resolution_secs: 900, lag_secs: 0 };
    user.expiry = Expiry::NotApplicable;
    user.privilege =
        Some(headcount_sdk::Privilege { level: headcount_sdk::Level::Read, reason: String::new() });
    user
}

fn owned(mut observation: Observation, owner: &str) -> Observation {
    observation.owner_evidence = vec![OwnerEvidence {
        reference: owner.to_owned(),
        basis: OwnerBasis::Label,
        locator: "tag:Owner".to_owned(),
        kind: OwnerKind::Technical,
        standing: headcount_sdk::Standing::NotKnown,
    }];
    observation
}

fn key(id: &str, parent: &str) -> Observation {
    let mut key =
        Observation::new(RecordId::new(PLACE, "key", id), Class::Credential, "access-key", id);
    key.parent = Some(RecordId::new(PLACE, "user", parent));
    key.status = Status::Active;
    key.created_at = Some(at("2025-12-31T00:00:00Z"));
    key.expiry = Expiry::Never;
    key.usage = Usage::NeverSince { tracking_start: at("2025-12-31T00:00:00Z"), lag_secs: 0 };
    key
}

fn unavailable() -> ScanError {
    ScanError::Unavailable { operation: "t:Get".to_owned(), reason: "busy".to_owned() }
}

fn denied() -> ScanError {
    ScanError::Denied { operation: "t:List".to_owned(), permission: "t:List".to_owned() }
}

fn pairs(expected: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[tokio::test]
async fn the_first_scan_is_a_baseline_and_the_second_brings_news() {
    let world = World::new().await;
    world.answers("users", Ok(vec![owned(user("1", "ci"), "team-a")]));
    let first = world.scan().await;
    assert!(first.is_baseline && first.is_complete());
    assert!(world.open().await.is_empty(), "an owned, used identity is no finding");
    assert_eq!(world.delivered().await, ["dev.headcount.scan.baseline.v1"]);

    world.answers("users", Ok(vec![owned(user("1", "ci"), "team-a"), user("2", "cd")]));
    let second = world.scan().await;
    assert!(!second.is_baseline);
    assert_eq!(world.open().await, pairs(&[("new-identity", "cd"), ("ownerless-identity", "cd")]));
    assert_eq!(world.delivered().await.len(), 3, "the summary and two findings");
}

#[tokio::test]
async fn an_unchanged_scan_writes_no_version_and_no_event() {
    let world = World::new().await;
    world.answers("users", Ok(vec![user("1", "ci")]));
    world.scan().await;
    let before = world.store.next_sequence().await.unwrap();
    let report = world.scan().await;
    assert_eq!(report.transitions(), 0);
    assert_eq!(world.store.next_sequence().await.unwrap(), before);
    let versions = world.store.versions(&RecordId::new(PLACE, "user", "1")).await.unwrap();
    assert_eq!(versions.len(), 1);
}

#[tokio::test]
async fn a_denied_scope_keeps_everything_and_says_which_permission_is_gone() {
    let world = World::new().await;
    world.answers("users", Ok(vec![user("1", "ci"), user("2", "cd")]));
    world.scan().await;
    world.answers("users", Err(denied()));
    let report = world.scan().await;
    assert!(!report.is_complete());
    assert_eq!(world.names().await, BTreeSet::from(["ci".to_owned(), "cd".to_owned()]));
    let coverage = ("coverage-lost".to_owned(), "test:1/users".to_owned());
    assert!(world.open().await.contains(&coverage));

    world.answers("users", Ok(vec![user("1", "ci"), user("2", "cd")]));
    world.scan().await;
    assert!(!world.open().await.contains(&coverage), "granted again, resolved again");
}

#[tokio::test]
async fn a_source_that_lists_no_scopes_loses_nothing() {
    let world = World::new().await;
    world.answers("users", Ok(vec![user("1", "ci")]));
    world.scan().await;
    *world.script.unreachable.lock().unwrap() = Some(denied());
    let report = world.scan().await;
    assert!(!report.is_complete());
    assert_eq!(world.names().await.len(), 1);
    *world.script.unreachable.lock().unwrap() = None;
    world.script.scopes.lock().unwrap().clear();
    let report = world.scan().await;
    assert!(!report.is_complete(), "a scope that is not listed any more was not read");
    assert_eq!(world.names().await.len(), 1);
}

#[tokio::test]
async fn a_removed_record_resolves_its_findings_and_stays_readable_in_the_past() {
    let world = World::new().await;
    let all = |n: u32| (0..n).map(|i| user(&i.to_string(), &format!("u{i}"))).collect::<Vec<_>>();
    world.answers("users", Ok(all(10)));
    world.scan().await;
    let then = world.clock.now();
    world.answers("users", Ok(all(9)));
    let report = world.scan().await;
    assert_eq!(report.scopes[0].disappeared, 1);
    assert!(!world.names().await.contains("u9"));
    assert!(!world.open().await.contains(&("ownerless-identity".to_owned(), "u9".to_owned())));
    let filter = RecordFilter { at: Some(then), ..RecordFilter::default() };
    assert_eq!(world.store.list_records(&filter, None, 100).await.unwrap().len(), 10);
}

#[tokio::test]
async fn an_empty_answer_is_read_twice_before_anything_goes() {
    let world = World::new().await;
    let all: Vec<_> = (0..10).map(|i| user(&i.to_string(), &format!("u{i}"))).collect();
    world.answers("users", Ok(all.clone()));
    world.scan().await;

    // Once empty, then whole again: the first answer was the odd one out.
    world.answers_once("users", Ok(Vec::new()));
    let report = world.scan().await;
    assert!(report.is_complete());
    assert_eq!(world.names().await.len(), 10);

    // Two answers that disagree beyond the brake: nothing goes, and the scan says so.
    world.answers_once("users", Ok(Vec::new()));
    world.answers_once("users", Ok(all[..2].to_vec()));
    let report = world.scan().await;
    assert_eq!(report.scopes[0].coverage.as_str(), "held");
    assert_eq!(world.names().await.len(), 10);

    // Empty twice: it is so, as one finding beside the removals.
    world.answers("users", Ok(Vec::new()));
    let report = world.scan().await;
    assert_eq!(report.scopes[0].disappeared, 10);
    assert!(world.names().await.is_empty());
    let open = world.open().await;
    assert!(open.contains(&("mass-disappearance".to_owned(), "test:1/users".to_owned())));
}

#[tokio::test]
async fn a_recreated_name_is_a_new_identity_and_a_finding() {
    let world = World::new().await;
    world.answers("users", Ok(vec![user("1", "ci"), user("2", "cd"), user("3", "x")]));
    world.scan().await;
    world.answers("users", Ok(vec![user("1b", "ci"), user("2", "cd"), user("3", "x")]));
    world.scan().await;
    assert!(world.open().await.contains(&("resurrected-identity".to_owned(), "ci".to_owned())));
    let records = world.store.records(&[RecordId::new(PLACE, "user", "1b")]).await.unwrap();
    assert_eq!(records[0].replaces, Some(RecordId::new(PLACE, "user", "1")));
}

#[tokio::test]
async fn a_record_that_comes_back_under_its_id_is_not_new() {
    let world = World::new().await;
    world.answers("users", Ok(vec![user("1", "ci"), user("2", "cd"), user("3", "x")]));
    world.scan().await;
    let seen_first = world.clock.now();
    world.answers("users", Ok(vec![user("2", "cd"), user("3", "x")]));
    world.scan().await;
    world.answers("users", Ok(vec![user("1", "ci"), user("2", "cd"), user("3", "x")]));
    world.scan().await;
    assert!(!world.open().await.contains(&("new-identity".to_owned(), "ci".to_owned())));
    let records = world.store.records(&[RecordId::new(PLACE, "user", "1")]).await.unwrap();
    assert_eq!(records[0].first_seen_at, seen_first);
}

#[tokio::test]
async fn a_credential_follows_the_owner_of_its_identity() {
    let world = World::new().await;
    world.answers("users", Ok(vec![owned(user("1", "ci"), "team-a")]));
    world.answers("keys", Ok(vec![key("AK1", "1")]));
    world.scan().await;
    let key_id = RecordId::new(PLACE, "key", "AK1");
    let owner = |records: Vec<headcount_core::inventory::Record>| {
        records[0].owner.as_ref().map(|o| o.reference.clone())
    };
    // `keys` is read before `users`: the owner arrives with the identity.
    assert_eq!(
        owner(world.store.records(std::slice::from_ref(&key_id)).await.unwrap()),
        Some("team-a".to_owned())
    );
    world.answers("users", Ok(vec![owned(user("1", "ci"), "team-b")]));
    world.scan().await;
    assert_eq!(owner(world.store.records(&[key_id]).await.unwrap()), Some("team-b".to_owned()));
}

#[tokio::test]
async fn time_alone_makes_a_credential_stale() {
    let world = World::new().await;
    world.answers("users", Ok(vec![owned(user("1", "ci"), "team-a")]));
    world.answers("keys", Ok(vec![key("AK1", "1")]));
    world.scan().await;
    assert!(world.open().await.is_empty());
    world.clock.advance(SignedDuration::from_hours(24 * 120));
    let transitions = world.engine.judge_due(&world.source).await.unwrap();
    assert!(transitions > 0, "no scan ran, and the verdict changed all the same");
    let open = world.open().await;
    assert!(open.contains(&("stale-credential".to_owned(), "AK1".to_owned())));
    assert!(open.contains(&("stale-identity".to_owned(), "ci".to_owned())));
}

#[tokio::test]
async fn use_resolves_staleness_without_a_new_version() {
    let world = World::new().await;
    world.answers("keys", Ok(vec![key("AK1", "1")]));
    world.scan().await;
    world.clock.advance(SignedDuration::from_hours(24 * 120));
    world.scan().await;
    let stale = ("stale-credential".to_owned(), "AK1".to_owned());
    assert!(world.open().await.contains(&stale));
    let mut used = key("AK1", "1");
    used.usage = Usage::LastUsed { at: world.clock.now(), resolution_secs: 900, lag_secs: 0 };
    world.answers("keys", Ok(vec![used]));
    world.scan().await;
    assert!(!world.open().await.contains(&stale));
    let versions = world.store.versions(&RecordId::new(PLACE, "key", "AK1")).await.unwrap();
    assert_eq!(versions.len(), 1, "use is not drift");
}

#[tokio::test]
async fn a_scope_that_appears_later_has_a_baseline_of_its_own() {
    let world = World::new().await;
    world.answers("users", Ok(vec![owned(user("1", "ci"), "team-a")]));
    world.answers("keys", Err(denied()));
    world.scan().await;
    world.answers("keys", Ok(vec![key("AK1", "1")]));
    world.scan().await;
    let open = world.open().await;
    assert!(
        !open.contains(&("new-credential".to_owned(), "AK1".to_owned())),
        "nobody can say that the key is new: it could not be read before"
    );
    world.answers("keys", Ok(vec![key("AK1", "1"), key("AK2", "1")]));
    world.scan().await;
    assert!(world.open().await.contains(&("new-credential".to_owned(), "AK2".to_owned())));
}

#[tokio::test]
async fn a_renamed_source_takes_its_records_over_without_news() {
    let mut world = World::new().await;
    world.answers("users", Ok(vec![user("1", "ci"), user("2", "cd")]));
    world.scan().await;
    world.source.name = "renamed".to_owned();
    let report = world.scan().await;
    assert!(!report.is_complete(), "the place still belongs to the configured source `s`");
    let settings =
        Settings { sources: vec!["renamed".to_owned()], ..world.engine.settings().clone() };
    world.engine = Engine::new(
        world.store.clone(),
        settings,
        Arc::new(world.clock.clone()),
        CancellationToken::new(),
    );
    let before = world.open().await;
    let report = world.scan().await;
    assert!(report.is_complete());
    assert_eq!(world.open().await, before, "nothing is new about a new name in a file");
    let records = world.store.list_records(&RecordFilter::default(), None, 10).await.unwrap();
    assert!(records.iter().all(|r| r.source == "renamed") && records.len() == 2);
    let report = world.scan().await;
    assert_eq!(report.scopes[0].appeared + report.scopes[0].changed, 0);
}

#[tokio::test]
async fn an_interrupted_scan_keeps_what_it_had_committed() {
    let world = World::new().await;
    world.answers("users", Ok(vec![user("1", "ci")]));
    world.scan().await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let settings = Settings {
        agent: "test".to_owned(),
        brake: Brake::default(),
        rules: RuleConfig::default(),
        sources: vec!["s".to_owned()],
        sinks: Vec::new(),
        emit_baseline: false,
        places_in_parallel: 1,
    };
    let engine = Engine::new(world.store.clone(), settings, Arc::new(world.clock.clone()), cancel);
    let outcome = engine.scan(&world.source, &Silent).await;
    assert!(matches!(outcome, Err(EngineError::Interrupted)));
    assert_eq!(world.names().await.len(), 1);
}

#[tokio::test]
async fn a_scope_read_late_is_told_of_in_a_summary_and_not_one_by_one() {
    let world = World::new().await;
    world.answers("users", Ok(vec![owned(user("1", "ci"), "team-a")]));
    world.answers("keys", Err(denied()));
    world.scan().await;
    let old = Observation { created_at: Some(at("2024-01-01T00:00:00Z")), ..key("AK1", "1") };
    world.answers("keys", Ok(vec![old]));
    world.scan().await;
    assert!(world.open().await.contains(&("long-lived-credential".to_owned(), "AK1".to_owned())));
    let summaries = ["dev.headcount.scan.baseline.v1", "dev.headcount.scan.baseline.v1"];
    assert_eq!(world.delivered().await, summaries);
    world.scan().await;
    assert_eq!(world.delivered().await.len(), 2, "told once");
}

/// Passes on how each scan ended.
struct Told(tokio::sync::mpsc::UnboundedSender<bool>);

impl agent::Observer for Told {
    fn scanned(&self, report: &ScanReport) {
        self.0.send(report.is_complete()).unwrap();
    }

    fn failed(&self, _source: &str, _error: &EngineError) {
        self.0.send(false).unwrap();
    }
}

#[tokio::test]
async fn the_schedule_scans_again_and_again_and_survives_a_failing_source() {
    let world = World::new().await;
    world.answers("users", Ok(vec![user("1", "ci")]));
    let broken = Arc::new(Script::default());
    *broken.unreachable.lock().unwrap() = Some(denied());
    let every_second = |name: &str, connector: Arc<dyn Connector>| {
        let scheduled = agent::Scheduled {
            source: Source { name: name.to_owned(), connector },
            schedule: "* * * * * *".to_owned(),
            jitter: std::time::Duration::ZERO,
        };
        (scheduled, agent::Inbox::default())
    };
    let sources = vec![
        every_second("broken", broken),
        every_second("s", Arc::clone(&world.script) as Arc<dyn Connector>),
    ];
    let (told, mut outcomes) = tokio::sync::mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    let running = tokio::spawn(agent::run(
        Arc::new(world.engine),
        sources,
        Arc::new(Told(told)),
        cancel.clone(),
    ));
    let mut seen = Vec::new();
    while seen.iter().filter(|complete| **complete).count() < 3 {
        seen.push(outcomes.recv().await.unwrap());
    }
    assert!(seen.contains(&false), "the broken source was tried as well");
    cancel.cancel();
    running.await.unwrap().unwrap();
    assert!(*world.script.readings.lock().unwrap() >= 3);
}

#[tokio::test]
async fn a_hint_becomes_a_finding_without_a_scan_and_proves_absence_for_its_subject_alone() {
    let world = World::new().await;
    world.answers("users", Ok(vec![user("1", "ci"), user("2", "cd")]));
    world.scan().await;
    let refresh = async |subject: &str| {
        let subjects = BTreeSet::from([subject.to_owned()]);
        let done = world.engine.refresh(&world.source, &scope("users"), &subjects).await.unwrap();
        let Refreshed::Subjects(report) = done else { panic!("{done:?}") };
        report
    };

    *world.script.refreshed.lock().unwrap() = Some(vec![user("3", "made-just-now")]);
    let report = refresh("3").await;
    assert_eq!((report.appeared, report.disappeared), (1, 0), "others were not looked at");
    assert!(world.open().await.contains(&("new-identity".to_owned(), "made-just-now".to_owned())));

    *world.script.refreshed.lock().unwrap() = Some(Vec::new());
    let report = refresh("3").await;
    assert_eq!((report.disappeared, report.records), (1, 2));
    assert_eq!(report.coverage.as_str(), "complete", "the scope keeps its coverage");
}

#[tokio::test]
async fn a_hint_to_a_connector_without_refresh_asks_for_the_whole_scope() {
    let world = World::new().await;
    world.answers("users", Ok(vec![user("1", "ci")]));
    world.scan().await;
    world.answers("users", Ok(vec![user("1", "ci"), user("2", "cd")]));
    let refresh = async |subject: &str| {
        let subjects = BTreeSet::from([subject.to_owned()]);
        world.engine.refresh(&world.source, &scope("users"), &subjects).await.unwrap()
    };
    assert!(matches!(refresh("2").await, Refreshed::WantsWhole));
    let Refreshed::Whole(report) = refresh("").await else { panic!("the scope was not read") };
    assert_eq!(report.appeared, 1);
    assert!(world.open().await.contains(&("new-identity".to_owned(), "cd".to_owned())));
}
