//! What a seeded GitHub holds, and how it fits an AWS organisation.

use headcount_simulator::github::{About, Hub, Repo, Size, Store};
use headcount_simulator::{Organization, Trust};
use serde_json::json;

const TRUSTED: &str = "repo:globex/checkout:environment:production";

#[test]
fn the_same_seed_makes_the_same_hub() {
    let [one, two, other] = [3, 3, 4].map(|seed| format!("{:?}", Hub::seeded(seed, Size::small())));
    assert_eq!(one, two);
    assert_ne!(one, other);
}

#[test]
fn a_seeded_hub_holds_what_rules_must_tell_apart() {
    let hub = Hub::seeded(3, Size::default());
    let org = hub.organization("acme").unwrap();
    let has = |what: fn(&Repo) -> bool| org.repositories.values().any(what);
    assert!(has(|repo| repo.archived));
    assert!(has(|repo| repo.properties.contains_key("owner")));
    assert!(has(|repo| repo.properties.is_empty() && repo.files.is_empty()));
    assert!(has(|repo| repo.files.contains_key(".github/CODEOWNERS")));
    assert!(has(|repo| repo.deploy_keys.values().any(|key| !key.read_only)));
    assert!(has(|repo| {
        let secrets = repo.holds.secrets.get(&Store::Actions);
        secrets.is_some_and(|secrets| secrets.contains_key("AWS_ACCESS_KEY_ID"))
    }));
    assert!(org.holds.hooks.values().any(|hook| hook.insecure_ssl && !hook.has_secret));
    assert!(org.holds.runners.values().any(|runner| runner.ephemeral));
    assert!(org.installations.values().any(|found| found.suspended.is_some()));
    let owner = |id| hub.apps[id].owner.login.as_str();
    assert!(org.installations.values().any(|found| owner(&found.app) != "acme"));
    assert!(org.token_grants.values().any(|grant| grant.expires_at.is_none()));
    assert!(org.token_grants.values().any(|grant| !org.members.contains_key(&grant.owner)));
    assert!(!org.token_requests.is_empty());
    let kinds = org.authorizations.values().map(|held| held.kind);
    assert_eq!(kinds.collect::<std::collections::BTreeSet<_>>().len(), 4);
}

#[test]
fn repositories_and_environments_that_trusts_name_exist_with_their_owners() {
    let mut aws = Organization::seeded(7, headcount_simulator::Size::default());
    let account = aws.management().to_owned();
    let before = aws.clock().now();
    aws.create_role(&account, "globex", &Trust::github(Some(TRUSTED))).unwrap();
    let hub = Hub::for_organization(&aws, 7, Size::small());
    assert_eq!(aws.clock().now(), before, "the seeding moves a clock of its own");
    aws.clock().advance(jiff::SignedDuration::from_hours(1));
    assert_eq!(hub.clock().now(), aws.clock().now(), "and then they share one");
    let repo = hub.repository("globex/checkout").unwrap();
    assert!(repo.environments.contains_key("production"));
    assert!(repo.properties.contains_key("owner"));
    let readers = ["acme", "globex"].map(|org| hub.reader(org).unwrap());
    assert_eq!(readers[0].app_id, readers[1].app_id);
    assert_ne!(readers[0].installation_id, readers[1].installation_id);
    let acme = hub.organization("acme").unwrap();
    assert!(acme.repositories.len() > Size::small().repositories, "those that the seed trusts");
    assert!(!acme.repositories.values().any(|repo| repo.name.contains('*')));
}

#[test]
fn events_show_what_they_are_about() {
    let mut hub = Hub::seeded(3, Size::small());
    let full = "acme/service-00000";
    let key = hub.add_deploy_key(full, "deploy", "founder").unwrap();
    let event = hub.event("acme", "created", About::DeployKey(full, key)).unwrap();
    assert_eq!(event["key"]["id"], json!(key));
    assert_eq!(event["repository"]["full_name"], full);
    assert_eq!(event["organization"]["login"], "acme");
    hub.remove_deploy_key(full, key).unwrap();
    assert!(hub.event("acme", "deleted", About::DeployKey(full, key)).is_err());
}
