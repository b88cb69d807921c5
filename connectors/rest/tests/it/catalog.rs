//! Every description of the catalogue: it loads, reads its fixtures whole, and keeps no secret.

use std::path::PathBuf;

use headcount_rest::{Rehearsal, catalog, rehearse};
use jiff::Timestamp;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("catalog").join(name).join("fixtures")
}

async fn read(name: &str) -> Rehearsal {
    let described = catalog::load(name).unwrap();
    let described = described.unwrap_or_else(|error| panic!("{name}: {error}"));
    let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
    rehearse(&described, &folder(name), now).await.unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[tokio::test]
async fn every_description_reads_its_fixtures_to_the_end() {
    let mut listed = catalog::names();
    listed.sort_unstable();
    assert_eq!(listed, catalog::names(), "the catalogue is not sorted");
    for name in catalog::names() {
        let rehearsal = read(name).await;
        assert_eq!(rehearsal.unasked, Vec::<String>::new(), "{name}");
        for scope in &rehearsal.scopes {
            assert!(scope.complete, "{}: {:?}", scope.scope, scope.error);
            assert!(scope.degraded.is_empty(), "{}: {:?}", scope.scope, scope.degraded);
            assert!(!scope.records.is_empty(), "{}: no fixture for it", scope.scope);
        }
        insta::assert_json_snapshot!(format!("catalog-{name}"), rehearsal);
    }
}

/// Fixtures carry a mark wherever the vendor could put a secret.
#[tokio::test]
async fn what_could_be_a_secret_appears_nowhere() {
    for name in catalog::names() {
        let entries = std::fs::read_dir(folder(name)).unwrap();
        let texts = entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
        let marks: usize = texts.map(|text| text.matches("MARKED").count()).sum();
        assert!(marks > 0, "{name}: no field of its fixtures is marked");
        let shown = serde_json::to_string(&read(name).await).unwrap();
        assert!(!shown.contains("MARKED"), "{name}: a mark came through");
    }
}
