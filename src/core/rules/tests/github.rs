//! `non-expiring-credential`, `static-key-in-ci`, `third-party-app` and `insecure-webhook`.
use super::*;

fn credential(kind: &str, name: &str) -> Case {
    Case::of(record(Class::Credential, kind, name)).seen(|o| o.expiry = Expiry::Never)
}

#[test]
fn token_without_expiry_by_kind_and_status() {
    for (kind, severity) in [
        ("fine-grained-token", "medium"),
        ("classic-token", "medium"),
        ("app-user-token", "medium"),
        ("oauth-token", "low"),
    ] {
        for (status, certainty) in [(Status::Active, "high"), (Status::Unknown, "medium")] {
            let case = credential(kind, "ci").status(status);
            case.check("non-expiring-credential", &format!("{severity}/{certainty}"));
        }
        credential(kind, "ci").status(Status::Disabled).check("non-expiring-credential", "clear");
    }
}

#[test]
fn token_is_endless_only_if_its_source_says_so() {
    let token = || credential("fine-grained-token", "ci");
    for at in [day(-1), day(1), day(36_500)] {
        token().seen(|o| o.expiry = Expiry::At { at }).check("non-expiring-credential", "clear");
    }
    token().seen(|o| o.expiry = Expiry::Unknown).check("non-expiring-credential", "unknown expiry");
    token().unread("expiry").check("non-expiring-credential", "unknown expiry (iam:Read)");
    let none = token().seen(|o| o.expiry = Expiry::NotApplicable);
    none.check("non-expiring-credential", "not applicable");
}

#[test]
fn endless_token_is_as_bad_as_its_power() {
    for kind in ["classic-token", "oauth-token"] {
        let case = credential(kind, "ci").seen(|o| o.privilege = level(Level::Admin));
        case.check("non-expiring-credential", "high/high");
    }
}

#[test]
fn one_credential_without_expiry_is_told_by_one_rule() {
    let late = |kind: &str| credential(kind, "x").on(day(500));
    for kind in ["fine-grained-token", "classic-token", "oauth-token", "app-user-token"] {
        late(kind).check("long-lived-credential", "not applicable");
        let ends = late(kind).seen(|o| o.expiry = Expiry::At { at: day(600) });
        ends.check("long-lived-credential", "low/high until 600d");
        late(kind)
            .seen(|o| o.expiry = Expiry::Unknown)
            .check("long-lived-credential", "medium/medium");
    }
    for kind in ["access-key", "deploy-key", "ssh-key", "pull-secret"] {
        late(kind).check("non-expiring-credential", "not applicable");
        late(kind).check("long-lived-credential", "medium/high");
        // The same kind at a source that could have given it an end.
        let could = || late(kind).attribute("can_expire", "true");
        could().check("non-expiring-credential", "medium/high");
        could().check("long-lived-credential", "not applicable");
        let could_not = || late(kind).attribute("can_expire", "false");
        could_not().check("non-expiring-credential", "not applicable");
        could_not().check("long-lived-credential", "medium/high");
        for rule in ["non-expiring-credential", "long-lived-credential"] {
            let unread = late(kind).unread("attributes.can_expire");
            unread.check(rule, "unknown attributes.can_expire (iam:Read)");
        }
    }
    for kind in ["fine-grained-token-request", "certificate-request", "service-account-token"] {
        late(kind).check("non-expiring-credential", "not applicable");
        late(kind).check("long-lived-credential", "not applicable");
    }
}

#[test]
fn static_key_by_name() {
    for (name, expected) in [
        ("AWS_SECRET_ACCESS_KEY", "medium/high"),
        ("aws_secret_access_key", "medium/high"),
        ("PROD_AWS_SECRET_ACCESS_KEY", "medium/high"),
        ("AWS_SECRET_ACCESS_KEY_STAGING", "medium/high"),
        ("AWS_ACCESS_KEY_ID", "low/high"),
        ("DEV_AWS_ACCESS_KEY_ID", "low/high"),
        ("AWS_SECRET_KEY", "medium/medium"),
        ("GOOGLE_CREDENTIALS", "medium/high"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "medium/high"),
        ("GCP_SA_KEY", "medium/medium"),
        ("DEPLOY_SA_KEY", "medium/medium"),
        ("AZURE_CREDENTIALS", "medium/high"),
        ("AZURE_CLIENT_SECRET", "medium/high"),
        ("ARM_CLIENT_SECRET", "medium/high"),
        ("KUBECONFIG", "medium/medium"),
        ("KUBE_CONFIG_PROD", "medium/medium"),
        ("AWS_ROLE_ARN", "clear"),
        ("AWS_REGION", "clear"),
        ("AZURE_CLIENT_ID", "clear"),
        ("GCP_PROJECT", "clear"),
        ("SWARM_ACCESS_KEY", "clear"),
        ("LAWS_SECRET_ACCESS_KEYS", "clear"),
        ("MINIKUBECONFIG", "clear"),
        ("AWS_ACCESS_KEYRING", "clear"),
        ("DEPLOY_SA_KEYS", "clear"),
        ("VISA_KEY", "clear"),
        ("DEPLOY_TOKEN", "clear"),
        ("SLACK_WEBHOOK", "clear"),
        ("", "unknown name"),
    ] {
        credential("actions-secret", name).check("static-key-in-ci", expected);
    }
}

#[test]
fn static_key_on_every_level_and_in_every_kind_of_secret() {
    for kind in ["actions-secret", "dependabot-secret", "codespaces-secret", "agents-secret"] {
        for (at, severity) in
            [("organization", "high"), ("repository", "medium"), ("environment", "medium")]
        {
            let case = credential(kind, "AWS_SECRET_ACCESS_KEY").attribute("level", at);
            case.check("static-key-in-ci", &format!("{severity}/high"));
            let half = credential(kind, "AWS_ACCESS_KEY_ID").attribute("level", at);
            half.check("static-key-in-ci", "low/high");
        }
    }
    for kind in ["private-registry", "pull-secret", "deploy-key"] {
        credential(kind, "AWS_SECRET_ACCESS_KEY").check("static-key-in-ci", "not applicable");
    }
}

#[test]
fn static_key_names_where_it_is() {
    let mut case = credential("actions-secret", "AWS_SECRET_ACCESS_KEY");
    case.parent = Some(record(Class::Workload, "repository", "acme/shop"));
    let violation = case.violation("static-key-in-ci");
    let title = "actions-secret AWS_SECRET_ACCESS_KEY of acme/shop in aws:123456789012 holds \
                 a static key of AWS, as its name says";
    assert_eq!(violation.title, title);
    assert_eq!(violation.facts["matched"], "AWS_SECRET_ACCESS_KEY");
}

const APP: &str = "third-party-app";

fn app() -> Case {
    Case::of(record(Class::Identity, "app-installation", "bot"))
        .attribute("app_slug", "bot")
        .attribute("is_third_party", "true")
        .attribute("repository_selection", "selected")
}

#[test]
fn app_by_power_and_reach() {
    let writes = |case: Case| case.attribute("write_permissions", "contents,issues");
    let all = |case: Case| case.attribute("repository_selection", "all");
    let admin = |case: Case| case.seen(|o| o.privilege = level(Level::Admin));
    for (case, expected) in [
        (app(), "clear"),
        (all(app()), "low/high"),
        (writes(app()), "medium/high"),
        (writes(all(app())), "high/high"),
        (admin(app()), "high/high"),
        (admin(writes(app())), "high/high"),
        (app().attribute("write_permissions", ""), "clear"),
    ] {
        case.clone().check(APP, expected);
        case.clone().attribute("is_third_party", "false").check(APP, "clear");
        case.clone().status(Status::Disabled).check(APP, "clear");
        case.clone().set(|s| s.trusted_apps = Some(vec!["bot".to_owned()])).check(APP, "clear");
        case.set(|s| s.trusted_apps = Some(vec!["bots".to_owned()])).check(APP, expected);
    }
    writes(app()).status(Status::Unknown).check(APP, "medium/medium");
}

#[test]
fn app_of_which_too_little_is_known_is_unknown() {
    let third = "attributes.is_third_party";
    let writes = "attributes.write_permissions";
    let reach = "attributes.repository_selection";
    let full = || app().attribute("write_permissions", "contents");
    full().unread(third).check(APP, "unknown attributes.is_third_party (iam:Read)");
    let none = full().seen(|o| drop(o.attributes.remove("is_third_party")));
    none.check(APP, "unknown attributes.is_third_party");
    // What is known gives reason enough.
    full().unread(reach).check(APP, "medium/high");
    let all = app().attribute("repository_selection", "all");
    all.unread(writes).check(APP, "low/high");
    // What is known gives none, and the rest may.
    app().unread(writes).check(APP, "unknown attributes.write_permissions (iam:Read)");
    app().unread(reach).check(APP, "unknown attributes.repository_selection (iam:Read)");
    let nowhere = app().seen(|o| drop(o.attributes.remove("repository_selection")));
    nowhere.check(APP, "unknown attributes.repository_selection");
    let admin = app().seen(|o| o.privilege = level(Level::Admin));
    admin.clone().unread(writes).check(APP, "high/high");
    admin.unread("privilege").check(APP, "clear");
}

#[test]
fn only_installed_apps_are_apps() {
    for case in [Case::identity(), Case::person(), Case::credential()] {
        case.attribute("is_third_party", "true").check(APP, "not applicable");
    }
    let title = app().attribute("write_permissions", "contents").violation(APP).title;
    assert_eq!(title, "app-installation bot in aws:123456789012 is a third party's and may write");
}

const HOOK: &str = "insecure-webhook";

fn hook(scheme: &str, insecure_ssl: &str, has_secret: &str) -> Case {
    Case::of(record(Class::Grant, "webhook", "ci"))
        .attribute("scheme", scheme)
        .attribute("insecure_ssl", insecure_ssl)
        .attribute("has_secret", has_secret)
}

#[test]
fn webhook_in_every_cell() {
    for (scheme, insecure_ssl, has_secret, expected) in [
        ("https", "false", "true", "clear"),
        ("https", "0", "true", "clear"),
        ("https", "false", "false", "low/medium"),
        ("https", "true", "true", "medium/high"),
        ("https", "1", "true", "medium/high"),
        ("https", "true", "false", "medium/high"),
        ("http", "false", "true", "medium/high"),
        ("http", "false", "false", "medium/high"),
        ("http", "true", "true", "medium/high"),
        ("http", "true", "false", "medium/high"),
    ] {
        let case = hook(scheme, insecure_ssl, has_secret);
        case.check(HOOK, expected);
        case.status(Status::Disabled).check(HOOK, "clear");
    }
    hook("http", "false", "true").status(Status::Unknown).check(HOOK, "medium/medium");
}

#[test]
fn webhook_of_which_a_side_is_not_known_is_unknown_unless_another_is_bad() {
    for field in ["scheme", "insecure_ssl", "has_secret"] {
        let gone = |case: Case| case.seen(|o| drop(o.attributes.remove(field)));
        let good = || hook("https", "false", "true");
        let unread = good().unread(&format!("attributes.{field}"));
        unread.check(HOOK, &format!("unknown attributes.{field} (iam:Read)"));
        gone(good()).check(HOOK, &format!("unknown attributes.{field}"));
    }
    hook("http", "false", "true").unread("attributes.has_secret").check(HOOK, "medium/high");
    hook("https", "false", "false").unread("attributes.scheme").check(HOOK, "low/medium");
}

#[test]
fn webhook_tells_all_its_faults() {
    let title = hook("http", "true", "false").violation(HOOK).title;
    let expected = "webhook ci in aws:123456789012 sends without a secret to sign with, \
                    without encryption, without verifying its receiver";
    assert_eq!(title, expected);
    let grant = Case::of(record(Class::Grant, "role-binding", "edit")).attribute("scheme", "http");
    grant.check(HOOK, "not applicable");
}
