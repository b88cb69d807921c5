//! One record on its trail over three sources, as people and scripts read it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};

use headcount::clock::ManualClock;
use headcount::config::Config;
use headcount::scan::{Engine, Settings, Silent, Source};
use headcount::store::sqlite::SqliteStore;
use headcount_sdk::{
    Class, Endpoint, Expiry, ExternalId, FederatedSubject, Link, LinkKind, Observation, RecordId,
    Scope, Status, Trust,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::seeded::{PLACE, Script, at, owned_by};

const CLUSTER: &str = "kubernetes:0f3c";
const ORGANISATION: &str = "github:42";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

static WORLD: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let sources =
        ["aws", "github", "k8s"].map(|name| format!("{{name: {name}, connector: aws}}")).join(", ");
    let yaml = format!("data_dir: {}\nsources: [{sources}]\n", data.display());
    std::fs::write(dir.path().join("headcount.yaml"), yaml).unwrap();
    std::fs::create_dir(&data).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(scan(dir.path()));
    dir
});

async fn scan(dir: &Path) {
    let config = Config::load(Some(&dir.join("headcount.yaml"))).unwrap();
    let store = Arc::new(SqliteStore::open(&dir.join("data")).await.unwrap());
    let engine = Engine::new(
        store.clone(),
        Settings::from(&config),
        Arc::new(ManualClock::at(at("2026-03-01T06:00:00Z"))),
        CancellationToken::new(),
    );
    for (name, place, records) in [
        (
            "aws",
            PLACE,
            vec![
                role("checkout", &["repo:acme/shop:environment:prod"]),
                role("ci", &["repo:acme/shop:*"]),
            ],
        ),
        ("github", ORGANISATION, vec![repository(), environment()]),
        ("k8s", CLUSTER, vec![deployment(), account()]),
    ] {
        let script = Script::default();
        script.0.lock().unwrap().insert(Scope::new(place, "records"), Ok(records));
        let source = Source { name: name.to_owned(), connector: Arc::new(script) };
        engine.scan(&source, &Silent).await.unwrap();
    }
    store.close().await;
}

fn record(place: &str, class: Class, kind: &str, name: &str) -> Observation {
    let mut record = Observation::new(RecordId::new(place, kind, name), class, kind, name);
    record.status = Status::Active;
    record.expiry = Expiry::NotApplicable;
    record
}

fn role(name: &str, subjects: &[&str]) -> Observation {
    let mut role = record(PLACE, Class::Identity, "iam-role", name);
    role.native = format!("arn:aws:iam::123456789012:role/{name}");
    let trust = Trust {
        subjects: subjects.iter().map(|s| (*s).to_owned()).collect(),
        audiences: vec!["sts.amazonaws.com".to_owned()],
        external_id: ExternalId::NotApplicable,
        narrowed_by: Vec::new(),
    };
    let to = Endpoint::Federation { issuer: ISSUER.to_owned() };
    role.links = vec![Link { trust: Some(trust), ..Link::new(LinkKind::Trusts, to) }];
    role
}

fn presenting(mut record: Observation, subject: &str) -> Observation {
    record.subjects =
        vec![FederatedSubject { issuer: ISSUER.to_owned(), subject: subject.to_owned() }];
    record
}

fn repository() -> Observation {
    let mut repository = record(ORGANISATION, Class::Workload, "repository", "acme/shop");
    repository.native = "acme/shop".to_owned();
    repository.owner_evidence = vec![owned_by("team-payments")];
    presenting(repository, "repo:acme/shop:*")
}

fn environment() -> Observation {
    let mut environment = record(ORGANISATION, Class::Workload, "environment", "acme/shop prod");
    environment.native = "acme/shop/environments/prod".to_owned();
    environment.parent = Some(repository().id);
    presenting(environment, "repo:acme/shop:environment:prod")
}

fn account() -> Observation {
    let mut account = record(CLUSTER, Class::Identity, "service-account", "shop/web");
    account.native = "system:serviceaccount:shop:web".to_owned();
    let to = |place: &str, native: &str| Endpoint::Native {
        place: place.to_owned(),
        native: native.to_owned(),
    };
    account.links = [
        to(PLACE, "arn:aws:iam::123456789012:role/checkout"),
        to(PLACE, "arn:aws:iam::123456789012:role/long-gone"),
        to("gcp", "web@acme.iam.gserviceaccount.com"),
    ]
    .map(|to| Link::new(LinkKind::Uses, to))
    .into();
    account
}

fn deployment() -> Observation {
    let mut deployment = record(CLUSTER, Class::Workload, "workload", "shop/web");
    deployment.links = vec![Link::new(LinkKind::Uses, Endpoint::Record { id: account().id })];
    deployment
}

fn printed(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_headcount"))
        .args(args)
        .arg("--config")
        .arg(WORLD.path().join("headcount.yaml"))
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), complaints.as_str()), (Some(0), ""), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The part of a page from this heading up to the next.
fn part<'a>(page: &'a str, heading: &str) -> &'a str {
    let start = page.find(&format!("\n{heading}\n")).unwrap() + 1;
    let part = &page[start..];
    &part[..part.find("\n\n").map_or(part.len(), |end| end + 1)]
}

#[test]
fn a_trail_is_shown_from_every_record_on_it() {
    let repository = printed(&["inventory", "show", "acme/shop"]);
    let role = printed(&["inventory", "show", "checkout"]);
    let account = printed(&["inventory", "show", "system:serviceaccount:shop:web"]);
    let owner = role.lines().find(|line| line.starts_with("owner")).unwrap();
    let texts = [
        part(&repository, "Trail"),
        owner,
        part(&role, "Trail"),
        part(&account, "Links"),
        part(&account, "Trail"),
    ];
    insta::assert_snapshot!(texts.join("\n----\n"));
}

#[test]
fn a_trail_keeps_its_fixed_names() {
    let then = ["--format", "json", "--at", "2026-03-01T07:00:00Z"];
    let detail = printed(&[&["inventory", "show", "ci"], &then[..]].concat());
    let past: Value = serde_json::from_str(&detail).unwrap();
    assert!(past.get("trail").is_none(), "the past has no trail");
    let detail = printed(&["inventory", "show", "ci", "--format", "json"]);
    let detail: Value = serde_json::from_str(&detail).unwrap();
    let shown = serde_json::json!({
        "owner": detail["owner"],
        "owner_path": detail["owner_path"],
        "linked_from": detail["linked_from"],
        "trail": detail["trail"],
    });
    insta::assert_snapshot!(serde_json::to_string_pretty(&shown).unwrap());
}

#[test]
fn workloads_are_listed_only_when_asked_for() {
    let names = |args: &[&str]| -> Vec<String> {
        let lines = printed(args);
        let line = |line: &str| -> Value { serde_json::from_str(line).unwrap() };
        lines.lines().map(|l| line(l)["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["inventory", "--format", "ndjson"]), ["checkout", "ci", "shop/web"]);
    assert_eq!(
        names(&["inventory", "--format", "ndjson", "--class", "workload"]),
        ["acme/shop prod", "acme/shop", "shop/web"]
    );
}
