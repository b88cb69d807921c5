//! What happens to records between two scans, one vendor after the other: made, used, rotated,
//! gone, and denied, which is not gone. Long because each story is told in one piece.

use std::collections::BTreeMap;

use headcount_sdk::model::{Observation, Standing, Status, Usage};
use headcount_sdk::testkit::Scanned;
use headcount_simulator::saas::{Google, Tenant};
use jiff::SignedDuration;

use super::bench::{self, Saas};

/// Everything that was read to its end, by kind and name.
type Seen = BTreeMap<(String, String), Observation>;

/// The records of one scan. Of two with one name the later one in the source's order stays.
async fn seen<T: Tenant>(bench: &Saas<T>) -> Seen {
    by_name(bench.scan().await)
}

fn by_name(scanned: Scanned) -> Seen {
    assert_eq!(scanned.refused, None);
    let whole = scanned.scopes.into_values().filter(|reading| reading.outcome.is_ok());
    let records = whole.flat_map(|reading| reading.records.into_values());
    records.map(|record| ((record.kind.clone(), record.name.clone()), record)).collect()
}

fn one<'a>(seen: &'a Seen, kind: &str, name: &str) -> &'a Observation {
    let key = (kind.to_owned(), name.to_owned());
    seen.get(&key).unwrap_or_else(|| panic!("no {kind} {name} in {:?}", seen.keys()))
}

fn none(seen: &Seen, kind: &str, name: &str) {
    assert!(!seen.contains_key(&(kind.to_owned(), name.to_owned())), "{kind} {name} is there");
}

fn used_at(record: &Observation) -> String {
    match &record.usage {
        Usage::LastUsed { at, .. } => at.to_string(),
        other => panic!("{}: {other:?}", record.name),
    }
}

fn is_unused(record: &Observation) -> bool {
    matches!(record.usage, Usage::NeverSince { .. })
}

/// With `action` denied, the scopes that need it are incomplete, and all others stay as they were.
async fn denied<T: Tenant>(bench: &Saas<T>, action: &str, permission: &str, scopes: &[&str]) {
    let before = bench.scan().await;
    bench.server.change().holdings_mut().deny(action);
    let scanned = bench.scan().await;
    bench.server.change().holdings_mut().allow(action);
    let mut lost = Vec::new();
    for (scope, reading) in &scanned.scopes {
        match &reading.outcome {
            Ok(_) => {
                let known: Vec<&String> = before.scopes[scope].records.keys().collect();
                assert_eq!(reading.records.keys().collect::<Vec<_>>(), known, "{scope}");
            }
            Err(error) => {
                assert_eq!(error.cause(), "denied", "{scope}: {error}");
                assert!(error.to_string().contains(permission), "{scope}: {error}");
                lost.push(scope.kind.as_str());
            }
        }
    }
    assert_eq!(lost, scopes);
    let after = bench.scan().await;
    assert!(after.scopes.values().all(|reading| reading.outcome.is_ok()), "it comes back");
}

#[tokio::test]
async fn okta_tokens_are_made_used_and_revoked_and_their_owners_leave() {
    let bench = bench::okta().await;
    let first = seen(&bench).await;
    assert_eq!(used_at(one(&first, "api-token", "terraform")), "2026-03-08T12:00:00Z");
    assert!(is_unused(one(&first, "api-token", "spare")));

    let (ana, made) = {
        let mut okta = bench.server.change();
        let ana = okta.user("ana@example.com").unwrap();
        (ana.clone(), okta.make_token(&ana, "backup job"))
    };
    bench.server.clock().advance(SignedDuration::from_hours(5));
    let second = seen(&bench).await;
    assert!(is_unused(one(&second, "api-token", "backup job")));

    bench.server.change().use_token(&made).unwrap();
    bench.server.change().deprovision(&ana).unwrap();
    let third = seen(&bench).await;
    let token = one(&third, "api-token", "backup job");
    assert_eq!(used_at(token), "2026-03-10T17:00:00Z");
    assert_eq!(token.id, one(&second, "api-token", "backup job").id);
    assert_eq!(token.owner_evidence[0].reference, "ana@example.com");
    assert_eq!(token.owner_evidence[0].standing, Standing::Left);

    bench.server.change().revoke_token(&made).unwrap();
    none(&seen(&bench).await, "api-token", "backup job");
    denied(&bench, "GET /api/v1/api-tokens", "okta.apiTokens.read", &["api-tokens"]).await;
}

#[tokio::test]
async fn okta_service_apps_rotate_gain_power_and_go() {
    let bench = bench::okta().await;
    let app = bench.server.read(|okta| okta.app("group provisioner")).unwrap();
    let before = seen(&bench).await;
    let keys = |seen: &Seen| {
        let keys = seen.values().filter(|r| r.kind == "service-app-key");
        let keys = keys.filter(|r| r.parent.as_ref().is_some_and(|p| p.as_str().ends_with(&app)));
        keys.map(|key| (key.native.clone(), key.status)).collect::<BTreeMap<_, _>>()
    };
    let new = bench.server.change().rotate_key(&app).unwrap();
    bench.server.change().assign_role(&app, "SUPER_ADMIN").unwrap();
    let after = seen(&bench).await;
    let (was, is) = (keys(&before), keys(&after));
    assert_eq!(is.len(), was.len() + 1);
    assert_eq!(is[&new], Status::Active);
    assert!(is.iter().all(|(key, status)| *key == new || *status == Status::Disabled), "{is:?}");
    let power = |seen: &Seen| {
        one(seen, "service-app", "group provisioner").privilege.as_ref().map(|p| p.reason.clone())
    };
    assert_eq!(power(&before), None);
    assert_eq!(power(&after).as_deref(), Some("role SUPER_ADMIN"));

    bench.server.change().deactivate_app(&app).unwrap();
    let off = seen(&bench).await;
    assert_eq!(one(&off, "service-app", "group provisioner").status, Status::Disabled);
    bench.server.change().delete_app(&app).unwrap();
    let gone = seen(&bench).await;
    none(&gone, "service-app", "group provisioner");
    none(&gone, "scope-grant", "okta.groups.manage");

    // Everything below an app needs the list of apps.
    let needs = ["grants", "service-app-keys", "service-apps"];
    denied(&bench, "GET /api/v1/apps", "okta.apps.read", &needs).await;
    bench.server.change().without_privileged_access();
    let without = bench.scan().await;
    let accounts = without.scopes.iter().find(|(scope, _)| scope.kind == "service-accounts");
    let error = accounts.unwrap().1.outcome.as_ref().unwrap_err();
    assert_eq!(error.cause(), "not_supported", "{error}");
}

#[tokio::test]
async fn gitlab_tokens_are_used_rotated_and_revoked() {
    let bench = bench::gitlab().await;
    let first = seen(&bench).await;
    let kind = "gitlab-service-account-token";
    assert_eq!(used_at(one(&first, kind, "release")), "2026-03-07T12:00:00Z");
    assert!(is_unused(one(&first, kind, "spare")));
    assert!(is_unused(one(&first, "resource-access-token", "mirror")));

    let bot = bench.server.read(|gitlab| gitlab.service_account("release bot")).unwrap();
    let old = bench.server.read(|gitlab| gitlab.token_of(bot, "release")).unwrap();
    bench.server.change().rotate_token(bot, old).unwrap();
    let scanned = bench.scan().await;
    let tokens = scanned.scopes.values().flat_map(|reading| reading.records.values());
    let tokens: BTreeMap<String, Status> = tokens
        .filter(|record| record.kind == kind && record.name == "release")
        .map(|record| (record.native.clone(), record.status))
        .collect();
    // A rotated token has a new id; the old one stays listed, revoked.
    assert_eq!(tokens.len(), 2);
    assert_eq!(tokens[&old.to_string()], Status::Disabled);

    bench.server.change().delete_service_account(bot).unwrap();
    let gone = seen(&bench).await;
    none(&gone, "gitlab-service-account", "release bot");
    none(&gone, kind, "release");
    one(&gone, "gitlab-service-account", "idle bot");
    let action = "GET /groups/{group}/manage/resource_access_tokens";
    denied(&bench, action, "api, as owner of the group", &["access-tokens"]).await;
}

/// GitLab writes null for a token that was never used. No word at all is another thing.
#[tokio::test]
async fn gitlab_triggers_outlive_who_made_them_and_their_pipelines() {
    let bench = bench::gitlab().await;
    let (kind, name) = ("pipeline-trigger-token", "nightly build");
    let first = seen(&bench).await;
    assert_eq!(used_at(one(&first, kind, name)), "2026-03-07T12:00:00Z");
    let owner = |seen: &Seen| one(seen, kind, name).owner_evidence[0].clone();
    // An account of GitLab.com does not say who belongs to the organisation.
    assert_eq!((&*owner(&first).reference, owner(&first).standing), ("ana", Standing::NotKnown));

    let shop = bench.server.read(|gitlab| gitlab.project("acme/shop")).unwrap();
    let trigger = bench.server.read(|gitlab| gitlab.trigger(shop, name)).unwrap();
    let ana = bench.server.read(|gitlab| gitlab.person("ana")).unwrap();
    bench.server.change().block(ana).unwrap();
    let left = seen(&bench).await;
    assert_eq!(owner(&left).standing, Standing::Left);
    assert_eq!(one(&left, kind, name).status, Status::Unknown);
    assert_eq!(
        one(&left, "gitlab-runner", "build farm").owner_evidence[0].standing,
        Standing::Left
    );
    // A token of the person does nothing while the account is blocked.
    assert_eq!(one(&left, "gitlab-personal-access-token", "scripts").status, Status::Disabled);
    assert_eq!(one(&left, "gitlab-personal-access-token", "old export").status, Status::Active);

    bench.server.change().delete_pipelines(shop, trigger).unwrap();
    let usage = one(&seen(&bench).await, kind, name).usage.clone();
    assert!(matches!(usage, Usage::NotObservable { .. }), "{usage:?}");
    bench.server.change().remove_trigger(shop, trigger).unwrap();
    none(&seen(&bench).await, kind, name);
    let action = "GET /projects/{project}/triggers";
    denied(&bench, action, "maintainer of each project", &["pipeline-triggers"]).await;
}

#[tokio::test]
async fn gitlab_proves_nothing_of_what_a_project_has_switched_off() {
    let bench = bench::gitlab().await;
    let shop = bench.server.read(|gitlab| gitlab.project("acme/shop")).unwrap();
    let before = seen(&bench).await;
    bench.server.change().switch_off(shop).unwrap();
    let scanned = bench.scan().await;
    let covers = |scope: &str, record: &Observation| {
        let (_, reading) = scanned.scopes.iter().find(|(of, _)| of.kind == scope).unwrap();
        reading.outcome.as_ref().unwrap().extent().covers(record)
    };
    for (scope, kind, name, is_covered) in [
        ("pipeline-triggers", "pipeline-trigger-token", "nightly build", false),
        ("pipeline-triggers", "pipeline-trigger-token", "release of the site", true),
        ("agents", "gitlab-agent", "production", false),
        ("agents", "gitlab-agent-token", "cluster", false),
    ] {
        assert_eq!(covers(scope, one(&before, kind, name)), is_covered, "{name}");
    }
    let off = by_name(scanned);
    none(&off, "pipeline-trigger-token", "nightly build");
    one(&off, "pipeline-trigger-token", "release of the site");
}

#[tokio::test]
async fn gitlab_runners_and_agents_are_seen_at_work() {
    let bench = bench::gitlab().await;
    let first = seen(&bench).await;
    let (runner, token) = ("gitlab-runner", "gitlab-agent-token");
    assert_eq!(used_at(one(&first, runner, "build farm")), "2026-03-07T12:00:00Z");
    assert_eq!(used_at(one(&first, token, "cluster")), "2026-03-07T12:00:00Z");
    let agent = one(&first, "gitlab-agent", "production");
    assert_eq!(one(&first, token, "cluster").parent.as_ref(), Some(&agent.id));

    let shop = bench.server.read(|gitlab| gitlab.project("acme/shop")).unwrap();
    let site = bench.server.read(|gitlab| gitlab.project("acme/site")).unwrap();
    let agent = bench.server.read(|gitlab| gitlab.agent(shop, "production")).unwrap();
    let farm = bench.server.read(|gitlab| gitlab.runner_named("build farm")).unwrap();
    let (spare, shared) = {
        let mut gitlab = bench.server.change();
        let ben = gitlab.person("ben").unwrap();
        let shared = gitlab.add_project_runner(shop, "shared machine", ben).unwrap();
        gitlab.share_runner(shop, shared, site).unwrap();
        gitlab.add_runner("new machine", ben);
        gitlab.pause_runner(farm).unwrap();
        (gitlab.make_agent_token((shop, agent), "spare").unwrap(), shared)
    };
    let second = bench.scan().await;
    let runners = second.scopes.values().flat_map(|reading| reading.records.values());
    let shared = shared.to_string();
    assert_eq!(runners.filter(|r| r.kind == runner && r.native == shared).count(), 1);
    let second = by_name(second);
    assert!(is_unused(one(&second, token, "spare")));
    assert!(is_unused(one(&second, runner, "new machine")));
    assert_eq!(one(&second, runner, "build farm").status, Status::Disabled);

    bench.server.change().revoke_agent_token((shop, agent), spare).unwrap();
    bench.server.change().remove_runner(farm).unwrap();
    let third = seen(&bench).await;
    none(&third, token, "spare");
    none(&third, runner, "build farm");
    one(&third, token, "cluster");

    // Without the single answer the list still stands, and says nothing of use.
    bench.server.change().holdings_mut().deny("GET /runners/{runner}");
    let blind = seen(&bench).await;
    assert!(one(&blind, runner, "new machine").unread.contains_key("usage"));
    bench.server.change().holdings_mut().allow("GET /runners/{runner}");
    denied(&bench, "GET /groups/{group}/runners", "owner of the group", &["group-runners"]).await;
}

#[tokio::test]
async fn a_gitlab_of_ones_own_lists_access_tokens_one_by_one_and_people_to_its_administrator() {
    let bench = bench::gitlab().await;
    bench.server.change().is_ones_own();
    let scanned = bench.scan().await;
    let cause = |scanned: &Scanned, kind: &str| {
        let reading = scanned.scopes.iter().find(|(scope, _)| scope.kind == kind).unwrap().1;
        reading.outcome.as_ref().err().map(|error| error.cause().to_owned())
    };
    for kind in ["access-tokens", "personal-tokens"] {
        assert_eq!(cause(&scanned, kind).as_deref(), Some("not_supported"), "{kind}");
    }
    let own = by_name(scanned);
    assert_eq!(used_at(one(&own, "project-access-token", "renovate")), "2026-03-07T12:00:00Z");
    assert!(is_unused(one(&own, "group-access-token", "backup")));
    one(&own, "group-access-token", "web release");
    one(&own, "gitlab-application", "Grafana");
    one(&own, "gitlab-personal-access-token", "scripts");

    // Asked for everybody's tokens, GitLab would give whoever is no administrator their own.
    bench.server.change().demote_reader();
    let demoted = bench.scan().await;
    for kind in ["instance-personal-tokens", "applications"] {
        assert_eq!(cause(&demoted, kind).as_deref(), Some("denied"), "{kind}");
    }
    assert_eq!(cause(&demoted, "group-access-tokens"), None);
}

#[tokio::test]
async fn gitlab_tokens_whose_use_is_not_told_are_not_called_unused() {
    let bench = bench::gitlab().await;
    let bot = bench.server.read(|gitlab| gitlab.service_account("release bot")).unwrap();
    bench.server.change().forget_use(bot).unwrap();
    let scanned = bench.scan().await;
    let (_, tokens) =
        scanned.scopes.iter().find(|(scope, _)| scope.kind == "service-account-tokens").unwrap();
    let error = tokens.outcome.as_ref().unwrap_err();
    assert_eq!(error.cause(), "malformed");
    assert!(error.to_string().contains("last_used_at"), "{error}");
}

#[tokio::test]
async fn slack_apps_are_approved_widened_and_restricted_and_bots_go() {
    let bench = bench::slack().await;
    let app = bench.server.read(|slack| slack.app("Exporter")).unwrap();
    let ana = bench.server.read(|slack| slack.member_named("ana")).unwrap();
    let first = seen(&bench).await;
    let scopes =
        |seen: &Seen, name: &str| one(seen, "approved-app", name).attributes["scopes"].clone();
    assert_eq!(scopes(&first, "Exporter"), "channels:history");

    bench.server.change().widen(&app, "chat:write").unwrap();
    let made = bench.server.change().approve("Poll bot", &["commands"], &ana);
    bench.server.change().deactivate(&ana).unwrap();
    let second = seen(&bench).await;
    assert_eq!(scopes(&second, "Exporter"), "channels:history,chat:write");
    let poll = one(&second, "approved-app", "Poll bot");
    assert_eq!(poll.owner_evidence[0].standing, Standing::Left);

    bench.server.change().restrict(&made).unwrap();
    let bot = bench.server.read(|slack| slack.member_named("standup-helper")).unwrap();
    bench.server.change().deactivate(&bot).unwrap();
    let third = seen(&bench).await;
    none(&third, "approved-app", "Poll bot");
    assert_eq!(one(&third, "bot-user", "Standup helper").status, Status::Disabled);
    denied(&bench, "GET /admin.apps.approved.list", "admin.apps:read", &["approved-apps"]).await;
}

#[tokio::test]
async fn entra_secrets_rotate_consents_come_and_go_and_owners_leave() {
    let bench = bench::graph().await;
    let billing = bench.server.read(|graph| graph.application("Billing export")).unwrap();
    let first = seen(&bench).await;
    let secret = one(&first, "application-secret", "ci").native.clone();
    assert!(!one(&first, "application", "Billing export").owner_evidence.is_empty());
    let permission = one(&first, "application-permission", "Directory.ReadWrite.All");
    assert_eq!(permission.privilege.as_ref().unwrap().level.as_str(), "escalating");

    let vendor = {
        let mut graph = bench.server.change();
        graph.rotate_secret(&billing, &secret).unwrap();
        graph.disown(&billing).unwrap();
        graph.consent("Meeting notes AI", "Mail.Read Mail.Send")
    };
    let second = seen(&bench).await;
    none(&second, "application-secret", "ci");
    assert_ne!(one(&second, "application-secret", "rotated").native, secret);
    assert!(one(&second, "application", "Billing export").owner_evidence.is_empty());
    let helper = one(&second, "service-principal", "Meeting notes AI");
    assert_eq!(helper.attributes["third_party"], "true");
    let grants: Vec<&Observation> = second
        .values()
        .filter(|r| r.kind == "delegated-grant" && r.parent.as_ref() == Some(&helper.id))
        .collect();
    assert_eq!(grants[0].attributes["scopes"], "Mail.Read Mail.Send");

    bench.server.change().withdraw_consent(&vendor).unwrap();
    none(&seen(&bench).await, "service-principal", "Meeting notes AI");
    let needs = ["delegated-grants"];
    let action = "GET /oauth2PermissionGrants";
    denied(&bench, action, "DelegatedPermissionGrant.Read.All", &needs).await;
}

/// A token ends after an hour, in the middle of whatever is read; another one is asked for.
#[tokio::test]
async fn entra_tokens_that_end_early_are_renewed() {
    let bench = bench::graph().await;
    let truth = seen(&bench).await;
    let calls = bench.server.exchanges();
    for at in 2..=calls {
        bench.server.at_exchange(at, |graph| graph.holdings_mut().end_tokens());
        assert_eq!(seen(&bench).await.len(), truth.len(), "at {at}");
    }
}

#[tokio::test]
async fn google_keys_are_used_rotated_and_exposed() {
    let bench = bench::google().await;
    let shop = bench.server.read(|google| google.account("shop")).unwrap();
    let keys = bench.server.read(|google| google.keys(&shop));
    let first = seen(&bench).await;
    let key = |seen: &Seen, name: &str| one(seen, "gcp-service-account-key", name).clone();
    assert_eq!(used_at(&key(&first, &keys[0])), "2026-03-07T07:00:00Z");
    assert!(is_unused(&key(&first, &keys[1])));
    assert!(is_unused(one(&first, "gcp-service-account", "idle")));

    let new = {
        let mut google = bench.server.change();
        let new = google.rotate_key(&shop, &keys[1]).unwrap();
        google.use_key(&shop, &new).unwrap();
        google.expose_key(&shop, &keys[0]).unwrap();
        new
    };
    let second = seen(&bench).await;
    none(&second, "gcp-service-account-key", &keys[1]);
    assert_eq!(used_at(&key(&second, &new)), "2026-03-10T07:00:00Z");
    let exposed = key(&second, &keys[0]);
    assert_eq!(exposed.status, Status::Disabled);
    assert!(exposed.attributes["disable_reason"].ends_with("EXPOSED"));

    bench.server.change().delete_account(&shop).unwrap();
    none(&seen(&bench).await, "gcp-service-account", "shop");
    let needs = ["service-account-keys"];
    let action = "GET /v1/projects/{project}/serviceAccounts/{account}/keys";
    denied(&bench, action, "iam.serviceAccountKeys.list", &needs).await;
    let provider = one(&second, "workload-identity-provider", "main");
    assert!(provider.id.as_str().starts_with(&format!("gcp:{}:", Google::PROJECT)));
}
