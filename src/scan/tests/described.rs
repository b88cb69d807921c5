//! Descriptions of the catalogue and the rules meet: what their own fixtures lead to, read, linked
//! and judged as in any scan. It holds the words that both must share.

use headcount_rest::{Fixtures, catalog, offline};

use std::path::{Path, PathBuf};

use super::*;

/// Rules that judge by attributes which only descriptions set.
const RULES: [&str; 8] = [
    "admin-consent",
    "ai-key-without-owner",
    "expiring-credential",
    "multiple-active-secrets",
    "non-expiring-credential",
    "third-party-grant",
    "token-of-departed-user",
    "unrestricted-api-key",
];

/// Reads the fixtures of a description on 2026-03-10.
async fn scanned(name: &str) -> World {
    let mut world = World::new().await;
    world.clock.advance(SignedDuration::from_hours(24 * 68));
    world.source = reading(name, &fixtures(name));
    let report = world.scan().await;
    assert!(report.is_complete(), "{name}");
    world
}

fn fixtures(name: &str) -> PathBuf {
    let folder = format!("connectors/rest/catalog/{name}/fixtures");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// The source whose answers are in this folder.
fn reading(name: &str, folder: &Path) -> Source {
    let fixtures = Arc::new(Fixtures::read(folder).unwrap());
    let described = catalog::load(name).unwrap().unwrap();
    let connector = Arc::new(offline(&described, fixtures).unwrap());
    Source { name: "s".to_owned(), connector }
}

async fn found(name: &str) -> BTreeSet<(String, String)> {
    let open = scanned(name).await.open().await;
    open.into_iter().filter(|(rule, _)| RULES.contains(&rule.as_str())).collect()
}

#[tokio::test]
async fn rules_understand_what_descriptions_say() {
    let key =
        "projects/acme-prod/serviceAccounts/shop@acme-prod.iam.gserviceaccount.com/keys/EXAMPLE1";
    let one_api = "00000000-0000-4000-8000-0000000EXAM2";
    let expected: [(&str, &[(&str, &str)]); 12] = [
        ("anthropic", &[]),
        ("atlassian", &[]),
        ("datadog", &[("token-of-departed-user", "old")]),
        (
            "entra",
            &[
                ("admin-consent", "Directory.ReadWrite.All"),
                ("admin-consent", "consent for all"),
                ("expiring-credential", "shadow"),
                ("multiple-active-secrets", "Billing export"),
                ("third-party-grant", "Notes"),
            ],
        ),
        (
            "gcp",
            &[
                ("non-expiring-credential", key),
                ("unrestricted-api-key", one_api),
                ("unrestricted-api-key", "maps"),
            ],
        ),
        (
            "gitlab",
            &[
                ("multiple-active-secrets", "production"),
                ("non-expiring-credential", "deploy"),
                ("non-expiring-credential", "pull"),
                ("non-expiring-credential", "spare"),
                ("token-of-departed-user", "release of the shop"),
            ],
        ),
        (
            "okta",
            &[
                ("third-party-grant", "Posture scanner"),
                ("token-of-departed-user", "never used"),
                ("unrestricted-api-key", "terraform"),
            ],
        ),
        ("openai", &[("ai-key-without-owner", "nightly"), ("token-of-departed-user", "laptop")]),
        ("pagerduty", &[]),
        ("slack", &[("third-party-grant", "Standup helper")]),
        ("snowflake", &[]),
        ("vault", &[("non-expiring-credential", "shop"), ("non-expiring-credential", "token")]),
    ];
    assert_eq!(expected.map(|(name, _)| name)[..], catalog::names()[..]);
    for (name, expected) in expected {
        assert_eq!(found(name).await, pairs(expected), "{name}");
    }
}

/// Agents are counted apart, and asked for an owner like any identity.
#[tokio::test]
async fn agents_of_ai_are_a_class_of_their_own_and_need_an_owner() {
    for (name, agents, ownerless) in [
        ("entra", &["Invoice agent", "Old agent"][..], &["Old agent"][..]),
        ("openai", &["bot"], &["bot"]),
    ] {
        let world = scanned(name).await;
        let filter = RecordFilter { classes: vec![Class::AiAgent], ..RecordFilter::default() };
        let found = world.store.list_records(&filter, None, 100).await.unwrap();
        let found: BTreeSet<String> = found.into_iter().map(|r| r.observation.name).collect();
        assert_eq!(found, agents.iter().map(|name| (*name).to_owned()).collect(), "{name}");
        let counts = world.store.count_records().await.unwrap();
        let counted = counts.iter().filter(|count| count.class == Class::AiAgent);
        assert_eq!(counted.map(|count| count.count).sum::<u64>(), agents.len() as u64, "{name}");
        let open = world.open().await;
        let asked =
            open.iter().filter(|(rule, of)| rule == "ownerless-identity" && found.contains(of));
        let asked: Vec<&str> = asked.map(|(_, of)| of.as_str()).collect();
        assert_eq!(asked, ownerless, "{name}");
    }
}

/// The end of an API token of Okta moves with each use. Last used on 2026-03-05, it is stale 15
/// days later, long before the 90 days of other credentials.
#[tokio::test]
async fn a_token_that_dies_of_idleness_is_stale_before_it_is_dead() {
    let world = scanned("okta").await;
    let stale = ("stale-credential".to_owned(), "terraform".to_owned());
    assert!(!world.open().await.contains(&stale));
    world.clock.advance(SignedDuration::from_hours(24 * 16));
    world.engine.judge_due(&world.source).await.unwrap();
    assert!(world.open().await.contains(&stale));
}

/// GitLab lists no trigger tokens of a project that has CI/CD switched off. Nobody deleted them.
#[tokio::test]
async fn what_a_source_will_not_list_now_stays_and_what_it_leaves_out_goes() {
    let (off, listed) = ("release of the shop", "nightly build");
    let answers = std::fs::read_to_string(fixtures("gitlab").join("group.json")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let answer = |old: &str, new: &str| {
        assert!(answers.contains(old), "{old}");
        std::fs::write(folder.path().join("group.json"), answers.replace(old, new)).unwrap();
    };
    let mut world = scanned("gitlab").await;
    let known = world.names().await;
    assert!(known.contains(off) && known.contains(listed) && known.contains("production"));

    for switch in ["\"builds_access_level\"", "\"infrastructure_access_level\""] {
        // The other project has both switched off from the beginning.
        answer(&format!("{switch}: \"enabled\""), &format!("{switch}: \"disabled\""));
        world.source = reading("gitlab", folder.path());
        let report = world.scan().await;
        assert!(report.is_complete());
        assert_eq!(world.names().await, known, "{switch}");
    }
    let states = world.store.scope_states(None).await.unwrap();
    let triggers = states.iter().find(|state| state.scope.kind == "pipeline-triggers").unwrap();
    let said = triggers.degradations.first().unwrap().error.to_string();
    assert!(said.contains("1 of project_id (89)"), "what is not asked is said: {said}");

    answer(
        "\"id\": 88, \"path_with_namespace\": \"acme/shop\"",
        "\"archived\": true, \"id\": 88, \"path_with_namespace\": \"acme/shop\"",
    );
    world.source = reading("gitlab", folder.path());
    world.scan().await;
    assert_eq!(world.names().await, known, "nor is it deleted in an archived project");

    let trigger = answers.lines().find(|line| line.contains("\"nightly build\"")).unwrap();
    answer(trigger, "");
    let fewer = std::fs::read_to_string(folder.path().join("group.json")).unwrap();
    let fewer = fewer.replace(
        "triggers\", \"headers\": {\"X-Total\": \"2\"}",
        "triggers\", \"headers\": {\"X-Total\": \"1\"}",
    );
    std::fs::write(folder.path().join("group.json"), fewer).unwrap();
    world.source = reading("gitlab", folder.path());
    world.scan().await;
    let left = world.names().await;
    assert!(left.contains(off) && !left.contains(listed), "what is asked for and missing is gone");
}
