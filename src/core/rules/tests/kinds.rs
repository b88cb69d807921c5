//! How the rules that judge every kind treat those of clusters and code hosts.
use headcount_sdk::model::{Endpoint, Link, LinkKind};

use super::*;

fn identity(kind: &str) -> Case {
    Case::of(record(Class::Identity, kind, "x"))
}

fn new(case: Case) -> Case {
    case.kept(|r| r.origin = Origin::Appeared)
}

fn credential(kind: &str) -> Case {
    Case::of(record(Class::Credential, kind, "x")).seen(|o| o.expiry = Expiry::Never)
}

#[test]
fn what_a_cluster_makes_for_itself_is_left_alone() {
    let system = || identity("service-account").attribute("system", "true");
    let admin = system().kept(|r| r.owner = None).seen(|o| o.privilege = level(Level::Admin));
    for rule in [
        "admin-identity",
        "orphaned-identity",
        "ownerless-identity",
        "resurrected-identity",
        "stale-identity",
        "unused-service-account",
        "weak-owner",
    ] {
        admin.clone().on(day(500)).check(rule, "not applicable");
    }
    new(system()).check("new-identity", "low/high until 7d");
    identity("service-account")
        .attribute("system", "false")
        .kept(|r| r.owner = None)
        .check("ownerless-identity", "medium/high");
}

#[test]
fn default_account_belongs_to_its_namespace() {
    let default = || identity("service-account").attribute("is_default", "true");
    for rule in ["ownerless-identity", "weak-owner"] {
        default().kept(|r| r.owner = None).check(rule, "not applicable");
    }
    new(default()).check("new-identity", "low/high until 7d");
    default().seen(|o| o.privilege = level(Level::Admin)).check("admin-identity", "high/high");
}

#[test]
fn runners_have_no_owner_no_power_and_no_name_of_their_own() {
    for kind in ["self-hosted-runner", "runner-group"] {
        let runner = || identity(kind).seen(|o| o.privilege = None).kept(|r| r.owner = None);
        for rule in ["ownerless-identity", "weak-owner", "admin-identity"] {
            runner().check(rule, "not applicable");
        }
        let again = runner().kept(|r| r.replaces = Some(RecordId::new(PLACE, kind, "old")));
        again.check("resurrected-identity", "not applicable");
        new(runner()).check("new-identity", "medium/high until 7d");
        new(runner()).attribute("ephemeral", "true").check("new-identity", "not applicable");
        new(runner()).attribute("ephemeral", "false").check("new-identity", "medium/high until 7d");
    }
}

#[test]
fn apps_and_machine_users_are_asked_for_owners() {
    for kind in ["app-installation", "machine-user", "service-account"] {
        identity(kind).kept(|r| r.owner = None).check("ownerless-identity", "medium/high");
    }
}

#[test]
fn people_and_workloads_are_not_counted() {
    for (class, kind) in [
        (Class::Principal, "member"),
        (Class::Principal, "outside-collaborator"),
        (Class::Workload, "workload"),
        (Class::Workload, "repository"),
        (Class::Workload, "environment"),
    ] {
        let case = new(Case::of(record(class, kind, "x")))
            .kept(|r| r.owner = None)
            .seen(|o| o.privilege = level(Level::Admin))
            .attribute("group", "system:authenticated")
            .on(day(500));
        for meta in ALL.iter().map(|rule| rule.meta()).filter(|m| m.judges == Judges::Records) {
            case.check(meta.id, "not applicable");
        }
    }
}

#[test]
fn use_of_service_accounts_is_judged_by_one_rule() {
    identity("service-account").on(day(500)).check("stale-identity", "not applicable");
    identity("app-installation").on(day(500)).check("stale-identity", "medium/high");
}

#[test]
fn routine_certificates_are_no_news() {
    let request = || new(credential("certificate-request"));
    let ends = |case: Case, at| case.seen(|o| o.expiry = Expiry::At { at });
    request().check("new-credential", "medium/high until 7d");
    request().attribute("system", "true").check("new-credential", "not applicable");
    new(credential("pod-certificate-request")).check("new-credential", "not applicable");
    for (signer, expected) in [
        ("kubernetes.io/kube-apiserver-client-kubelet", "not applicable"),
        ("kubernetes.io/kubelet-serving", "not applicable"),
        ("kubernetes.io/kube-apiserver-client", "medium/high until 7d"),
        ("example.com/mesh", "medium/high until 7d"),
    ] {
        request().attribute("signer", signer).check("new-credential", expected);
    }
    ends(request(), day(365)).check("new-credential", "medium/high until 7d");
    // Whatever lives for a day or less, counted from creation or else from first sight.
    for kind in ["certificate-request", "app-user-token"] {
        let case = || new(credential(kind));
        ends(case(), day(1)).check("new-credential", "not applicable");
        ends(case(), second(DAY + 1)).check("new-credential", "medium/high until 7d");
        let older = ends(case(), day(1)).seen(|o| o.created_at = Some(day(-1)));
        older.check("new-credential", "medium/high until 7d");
        let unborn = |at| ends(case(), at).seen(|o| o.created_at = None);
        unborn(day(1)).check("new-credential", "not applicable");
        unborn(second(DAY + 1)).check("new-credential", "medium/high until 7d");
        case().seen(|o| o.expiry = Expiry::Unknown).check("new-credential", "medium/high until 7d");
    }
}

#[test]
fn request_for_a_token_is_news_but_no_credential() {
    let request = || new(credential("fine-grained-token-request"));
    request().check("new-credential", "low/high until 7d");
    for kind in ["fine-grained-token-request", "certificate-request", "pod-certificate-request"] {
        let past = credential(kind).seen(|o| o.expiry = Expiry::At { at: day(1) }).on(day(500));
        past.check("expired-credential", "not applicable");
        past.check("long-lived-credential", "not applicable");
    }
}

#[test]
fn age_counts_from_the_last_rotation() {
    let rotated = |text: &str| credential("deploy-key").attribute("rotated_at", text);
    let rule = "long-lived-credential";
    rotated("2026-01-11T00:00:00Z").on(day(100)).check(rule, "clear until 100d+1s");
    rotated("2026-01-11T00:00:00Z").on(second(100 * DAY + 1)).check(rule, "medium/high");
    let facts = rotated("2026-01-11T00:00:00Z").on(day(101)).violation(rule).facts;
    assert_eq!(facts["rotated_at"], "2026-01-11T00:00:00Z");
    rotated("last week").on(day(500)).check(rule, "unknown attributes.rotated_at (no timestamp)");
    let unread = credential("deploy-key").unread("attributes.rotated_at");
    unread.on(day(500)).check(rule, "unknown attributes.rotated_at (iam:Read)");
    let unborn = rotated("2026-01-11T00:00:00Z").seen(|o| o.created_at = None);
    unborn.on(day(101)).check(rule, "medium/high");
}

#[test]
fn secret_of_a_pipeline_may_be_no_credential() {
    for kind in ["actions-secret", "dependabot-secret", "codespaces-secret", "agents-secret"] {
        let case = credential(kind);
        case.clone().on(day(90)).check("long-lived-credential", "clear until 90d+1s");
        case.on(day(91)).check("long-lived-credential", "low/medium");
    }
}

fn group_binding(group: &str) -> Case {
    Case::of(record(Class::Grant, "cluster-role-binding", "all")).attribute("group", group)
}

#[test]
fn power_for_a_whole_group_is_reported_at_the_grant() {
    let rule = "admin-identity";
    let everybody = ["system:authenticated", "system:unauthenticated", "system:anonymous"];
    for (found, group, all) in [
        (Level::Read, "clear", "clear"),
        (Level::Write, "clear", "clear"),
        (Level::Unknown, "unknown privilege (policy P)", "unknown privilege (policy P)"),
        (Level::Escalating, "medium/medium", "critical/medium"),
        (Level::Admin, "high/high", "critical/high"),
    ] {
        let case = |name: &str| group_binding(name).seen(|o| o.privilege = level(found));
        case("system:serviceaccounts:shop").check(rule, group);
        case("system:serviceaccounts").check(rule, group);
        for name in everybody {
            case(name).check(rule, all);
        }
    }
    group_binding("system:authenticated")
        .unread("privilege")
        .check(rule, "unknown privilege (iam:Read)");
    let admin = |case: Case| case.seen(|o| o.privilege = level(Level::Admin));
    let title = admin(group_binding("system:authenticated")).violation(rule).title;
    let expected = "cluster-role-binding all in aws:123456789012 makes system:authenticated \
                    administrators";
    assert_eq!(title, expected);
    // A binding of an account is the account's.
    let account = RecordId::new(PLACE, "service-account", "x");
    let owned = admin(group_binding("x")).seen(|o| o.parent = Some(account));
    owned.check(rule, "not applicable");
    admin(Case::of(record(Class::Grant, "role-binding", "x"))).check(rule, "not applicable");
}

#[test]
fn account_made_again_is_as_bad_as_what_its_name_inherits() {
    let rule = "resurrected-identity";
    let again = || {
        let old = RecordId::new(PLACE, "service-account", "old");
        identity("service-account").kept(|r| r.replaces = Some(old))
    };
    for (found, expected) in [
        (Level::None, "medium/high until 30d"),
        (Level::Read, "medium/high until 30d"),
        (Level::Unknown, "high/high until 30d"),
        (Level::Write, "high/high until 30d"),
        (Level::Admin, "high/high until 30d"),
    ] {
        again().seen(|o| o.privilege = level(found)).check(rule, expected);
    }
    again().unread("privilege").check(rule, "high/high until 30d");
    again().unread("links").check(rule, "high/high until 30d");
    again().seen(|o| o.privilege = None).check(rule, "high/high until 30d");
    let role = Endpoint::Native { place: PLACE.to_owned(), native: "arn:x".to_owned() };
    let cloud = again().seen(|o| o.links = vec![Link::new(LinkKind::Uses, role)]);
    cloud.check(rule, "high/high until 30d");
    assert_eq!(again().violation(rule).facts["reason"], "policy P");
    let app = identity("app-installation").kept(|r| r.replaces = Some(r.id().clone()));
    app.check(rule, "not applicable");
    let bot = identity("machine-user").kept(|r| r.replaces = Some(r.id().clone()));
    bot.check(rule, "high/high until 30d");
}
