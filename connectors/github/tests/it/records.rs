//! What a scan brings, and what it brings when the organisation has changed.

use headcount_sdk::Connector;
use headcount_sdk::Pass;
use headcount_sdk::{Class, Extent, ProbeOutcome, ScanError, Standing};
use headcount_simulator::github::{At, HOOK_PATH, Hub, ORGANIZATION, Size, Store, VARIABLE_VALUE};
use jiff::SignedDuration;

use crate::support::Source;

/// An organisation with one of everything that the scenarios touch.
fn hub() -> Hub {
    let mut hub = Hub::seeded(3, Size::small());
    hub.add_repository("acme/shop").unwrap();
    hub.add_member(ORGANIZATION, "ana").unwrap();
    hub.add_member(ORGANIZATION, "release-bot").unwrap();
    hub.add_outside_collaborator("acme/shop", "guest").unwrap();
    hub.authorize(ORGANIZATION, "ana", "SSH key", "laptop").unwrap();
    hub.authorize(ORGANIZATION, "ana", "GitHub app token", "editor").unwrap();
    hub.add_deploy_key("acme/shop", "ci", "ana").unwrap();
    hub.add_deploy_key("acme/shop", "mirror", "ana").unwrap();
    hub.add_environment("acme/shop", "prod/eu west").unwrap();
    hub.set_secret(At::Environment("acme/shop", "prod/eu west"), Store::Actions, "DB").unwrap();
    hub.set_secret(At::Repository("acme/shop"), Store::Actions, "NPM_TOKEN").unwrap();
    hub.set_variable(At::Repository("acme/shop"), Store::Actions, "PLAIN").unwrap();
    hub.add_hook(At::Repository("acme/shop"), "hooks.example.com").unwrap();
    hub.set_property("acme/shop", "owner", "team-shop").unwrap();
    hub.put_file("acme/shop", ".github/CODEOWNERS", "* @acme/shop-team\n").unwrap();
    hub.put_file("acme/shop", "catalog-info.yaml", "spec:\n  owner: shop-catalog\n").unwrap();
    hub
}

#[tokio::test]
async fn an_organisation_is_read_in_full_and_nothing_that_is_secret_is_kept() {
    let mut source = Source::of(hub()).await;
    let scanned = source.scan().await;
    scanned.all_complete();
    let kinds = headcount_github::MANIFEST.kinds.iter().map(|kind| kind.name);
    let none: Vec<&str> = kinds.filter(|kind| scanned.of_kind(kind).is_empty()).collect();
    assert_eq!(none, [""; 0], "kinds without a record");
    let text = serde_json::to_string(&scanned.records.values().collect::<Vec<_>>()).unwrap();
    for secret in [VARIABLE_VALUE, HOOK_PATH, "ssh-ed25519", "ssh-rsa"] {
        assert!(!text.contains(secret), "{secret} was kept");
    }
    let repository = scanned.named("repository", "acme/shop");
    let owners: Vec<&str> =
        repository.owner_evidence.iter().map(|claim| claim.reference.as_str()).collect();
    assert_eq!(owners, ["team-shop", "acme/shop-team", "shop-catalog"]);
    let secret = scanned.of_kind("actions-secret").into_iter().find(|secret| secret.name == "DB");
    let environment = scanned.named("environment", "acme/shop/environments/prod/eu west");
    assert_eq!(secret.unwrap().parent.as_ref(), Some(&environment.id));
    assert_eq!(environment.parent.as_ref(), Some(&repository.id));
    let bot = scanned.named("machine-user", "release-bot");
    assert_eq!(bot.class, Class::Identity);
}

#[tokio::test]
async fn a_renamed_repository_keeps_its_id_and_all_that_it_holds() {
    let mut source = Source::of(hub()).await;
    let before = source.scan().await;
    source.server.change().rename_repository("acme/shop", "store").unwrap();
    let after = source.scan().await;
    after.all_complete();
    assert_eq!(after.gone_since(&before), [""; 0]);
    let (old, new) =
        (before.named("repository", "acme/shop"), after.named("repository", "acme/store"));
    assert_eq!(old.id, new.id);
    assert!(new.subjects.iter().any(|subject| subject.subject == "repo:acme/store:*"));
    assert_eq!(after.records.len(), before.records.len());
}

#[tokio::test]
async fn a_deleted_deploy_key_disappears_alone() {
    let mut source = Source::of(hub()).await;
    let before = source.scan().await;
    let key = before.named("deploy-key", "ci").clone();
    let number = key.id.as_str().rsplit('/').next().unwrap().parse().unwrap();
    source.server.change().remove_deploy_key("acme/shop", number).unwrap();
    let after = source.scan().await;
    after.all_complete();
    assert_eq!(after.gone_since(&before), [key.id.to_string()]);
    // And the last one of a repository as well.
    let key = before.named("deploy-key", "mirror").clone();
    let number = key.id.as_str().rsplit('/').next().unwrap().parse().unwrap();
    source.server.change().remove_deploy_key("acme/shop", number).unwrap();
    let last = source.scan().await;
    assert_eq!(last.gone_since(&after), [key.id.to_string()]);
}

#[tokio::test]
async fn what_a_removed_repository_held_is_gone_with_it() {
    let mut source = Source::of(hub()).await;
    let before = source.scan().await;
    source.server.change().remove_repository("acme/shop").unwrap();
    let after = source.scan().await;
    after.all_complete();
    let gone = after.gone_since(&before).join("\n");
    for kind in [
        "repository/",
        "environment/",
        "deploy-key/",
        "actions-secret/repository/",
        "actions-secret/environment/",
        "webhook/",
    ] {
        assert!(gone.contains(kind), "{kind} is not gone:\n{gone}");
    }
}

#[tokio::test]
async fn who_left_is_named_as_left_and_their_keys_stay() {
    let mut source = Source::of(hub()).await;
    let before = source.scan().await;
    assert_eq!(before.named("deploy-key", "ci").owner_evidence[0].standing, Standing::Present);
    source.server.change().remove_member(ORGANIZATION, "ana").unwrap();
    let after = source.scan().await;
    assert_eq!(after.named("deploy-key", "ci").owner_evidence[0].standing, Standing::Left);
    let gone = after.gone_since(&before);
    assert!(gone.iter().any(|id| id.contains(":member/")), "{gone:?}");
    assert!(!gone.iter().any(|id| id.contains("deploy-key")), "{gone:?}");
}

#[tokio::test]
async fn nobody_has_left_when_the_members_could_not_be_read() {
    let mut source = Source::of(hub()).await;
    let reader = source.server.read(|hub| hub.reader(ORGANIZATION).unwrap().installation_id);
    {
        let mut change = source.server.change();
        change.remove_member(ORGANIZATION, "ana").unwrap();
        change.forbid(reader, "members").unwrap();
    }
    let scanned = source.scan().await;
    let key = scanned.named("deploy-key", "ci");
    assert_eq!(key.owner_evidence[0].standing, Standing::NotKnown);
    assert_eq!(key.unread.get("owner_standing").map(String::as_str), Some("members:read"));
    assert!(matches!(scanned.error("members"), ScanError::Denied { .. }));
}

#[tokio::test]
async fn a_repository_taken_out_of_the_selection_is_not_called_gone() {
    let mut source = Source::of(hub()).await;
    let before = source.scan().await;
    let reader = source.server.read(|hub| hub.reader(ORGANIZATION).unwrap().installation_id);
    source.server.change().select_repositories(reader, &["acme/shop"]).unwrap();
    let after = source.scan().await;
    assert!(after.of_kind("repository").len() < before.of_kind("repository").len());
    assert_eq!(after.gone_since(&before), [""; 0]);
}

#[tokio::test]
async fn a_token_reads_what_it_may_and_says_what_only_apps_can() {
    let mut source = Source::with_token(hub()).await;
    let scanned = source.scan().await;
    for scope in ["fine-grained-tokens", "fine-grained-token-requests"] {
        assert!(matches!(scanned.error(scope), ScanError::NotSupported { .. }), "{scope}");
    }
    assert!(!scanned.of_kind("member").is_empty());
    assert!(!scanned.of_kind("deploy-key").is_empty());
    assert!(matches!(scanned.complete("repositories").extent(), Extent::Records(_)));
}

#[tokio::test]
async fn use_of_deploy_keys_is_seen_although_the_keys_did_not_change() {
    let mut source = Source::of(hub()).await;
    let before = source.scan().await;
    let key = before.named("deploy-key", "ci").clone();
    assert_eq!(key.usage.state(), "never_since");
    source.server.clock().advance(SignedDuration::from_hours(30));
    let number = key.id.as_str().rsplit('/').next().unwrap().parse().unwrap();
    source.server.change().use_deploy_key("acme/shop", number).unwrap();
    let after = source.scan().await;
    assert_eq!(after.named("deploy-key", "ci").usage.state(), "last_used");
}

#[tokio::test]
async fn check_names_every_operation_and_the_permission_that_is_missing() {
    let mut source = Source::of(hub()).await;
    let reader = source.server.read(|hub| hub.reader(ORGANIZATION).unwrap().installation_id);
    source.server.change().forbid(reader, "organization_hooks").unwrap();
    let cx = source.context(Pass::First);
    let probes = source.connector.check(&cx).await;
    let tried: Vec<&str> = probes.iter().map(|probe| probe.operation.as_str()).collect();
    for operation in headcount_github::MANIFEST.operations {
        let opening = [
            "GET /orgs/{org}/installation",
            "POST /app/installations/{installation_id}/access_tokens",
        ];
        let known = tried.contains(&operation.name) || opening.contains(&operation.name);
        assert!(known, "{} was not tried", operation.name);
    }
    for probe in &probes {
        let denied = matches!(probe.outcome, ProbeOutcome::Failed(ScanError::Denied { .. }));
        assert_eq!(denied, probe.permission == "organization_hooks:read", "{probe:?}");
    }
}
