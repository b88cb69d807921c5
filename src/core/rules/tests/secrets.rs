//! `multiple-active-secrets`.
use super::*;

const RULE: &str = "multiple-active-secrets";

/// A secret made on that day.
fn secret(name: &str, made: i64) -> Case {
    let case = Case::of(record(Class::Credential, "application-secret", name));
    case.seen(|o| {
        o.created_at = Some(day(made));
        o.expiry = Expiry::Never;
    })
}

fn holder() -> Case {
    Case::of(record(Class::Identity, "application", "billing"))
}

/// An old secret, and one made on day 10.
fn pair() -> Case {
    holder().with(secret("new", 10)).with(secret("old", 0))
}

/// number × boundary of the time side by side, which begins with the second.
#[test]
fn secrets_side_by_side_in_every_cell() {
    for (now, expected) in [
        (day(10), "clear until 24d+1s"),
        (day(24), "clear until 24d+1s"),
        (second(24 * DAY + 1), "low/high"),
        (day(500), "low/high"),
    ] {
        pair().on(now).check(RULE, expected);
        // A third one changes nothing of when there were two.
        pair().with(secret("third", 9)).on(now).check(
            RULE,
            match expected {
                "low/high" => "low/high",
                _ if now == day(24) => "low/high",
                _ => "clear until 23d+1s",
            },
        );
    }
    holder().on(day(500)).check(RULE, "clear");
    holder().with(secret("one", 0)).on(day(500)).check(RULE, "clear");
}

#[test]
fn only_what_works_counts() {
    let with = |other: Case| holder().with(secret("one", 0)).with(other).on(day(500));
    with(secret("two", 0)).check(RULE, "low/high");
    with(secret("two", 0).status(Status::Disabled)).check(RULE, "clear");
    with(secret("two", 0).status(Status::Unknown)).check(RULE, "low/medium");
    let ends = |at: i64| secret("two", 0).seen(|o| o.expiry = Expiry::At { at: second(at) });
    with(ends(500 * DAY)).check(RULE, "clear");
    with(ends(500 * DAY + 1)).check(RULE, "low/high until 500d+1s");
    with(secret("two", 0).seen(|o| o.expiry = Expiry::Unknown)).check(RULE, "low/high");
    // Made at a time that nobody tells: the agent has known it since day 0.
    with(secret("two", 0).seen(|o| o.created_at = None)).check(RULE, "low/medium");
    let off = pair().status(Status::Disabled).on(day(500));
    off.check(RULE, "clear");
    pair().status(Status::Unknown).on(day(500)).check(RULE, "low/medium");
}

#[test]
fn what_could_not_be_read_is_unknown_only_if_it_decides() {
    for field in ["status", "expiry"] {
        let unread = || secret("two", 0).unread(field);
        let unknown = "unknown status or expiry of aws:123456789012:application-secret/two";
        holder().with(secret("one", 0)).with(unread()).on(day(500)).check(RULE, unknown);
        holder().with(unread()).on(day(500)).check(RULE, "clear");
        let was_off = unread().status(Status::Disabled);
        let read = if field == "status" { unknown } else { "clear" };
        holder().with(secret("one", 0)).with(was_off).on(day(500)).check(RULE, read);
        pair().with(unread()).on(day(500)).check(RULE, "low/high");
        // Until the pair is too old, the third one may be the one that makes it so.
        pair().with(unread()).on(day(11)).check(RULE, &format!("{unknown} until 24d+1s"));
    }
}

#[test]
fn only_secrets_of_one_sort_stand_in_for_each_other() {
    let with = |other: Case| holder().with(secret("one", 0)).with(other).on(day(500));
    let kind = |kind: &str| {
        let case = Case::of(record(Class::Credential, kind, "x"));
        case.seen(|o| o.expiry = Expiry::Never)
    };
    with(kind("application-certificate")).check(RULE, "clear");
    for (name, value) in [("type", "X509"), ("use", "Encrypt")] {
        with(secret("two", 0).attribute(name, value)).check(RULE, "clear");
        let both = holder()
            .with(secret("one", 0).attribute(name, value))
            .with(secret("two", 0).attribute(name, value));
        both.on(day(500)).check(RULE, "low/high");
    }
    let grants = Case::of(record(Class::Grant, "application-secret", "two"));
    with(grants).check(RULE, "clear");
    let twice = |kind_of: &str| {
        let other = kind(kind_of).seen(|o| o.id = RecordId::new(PLACE, kind_of, "y"));
        holder().with(kind(kind_of)).with(other).on(day(500))
    };
    twice("access-key").check(RULE, "low/high");
    for none in [
        "classic-token",
        "fine-grained-token",
        "service-account-token",
        "oidc-provider",
        "actions-secret",
        "certificate-request",
    ] {
        twice(none).check(RULE, "clear");
    }
}

#[test]
fn several_on_purpose_are_left_alone() {
    let both = |change: fn(Case) -> Case| {
        let case = holder().with(change(secret("one", 0))).with(change(secret("two", 0)));
        case.on(day(500))
    };
    both(|secret| secret).check(RULE, "low/high");
    both(|secret| secret.attribute("scopes", "read_api")).check(RULE, "clear");
    both(|secret| secret.attribute("per_client", "true")).check(RULE, "clear");
    both(|secret| secret.attribute("per_client", "false")).check(RULE, "low/high");
    both(|secret| secret.seen(|o| o.expiry = Expiry::NotApplicable)).check(RULE, "clear");
}

#[test]
fn secrets_of_the_powerful_are_worse_and_the_finding_names_them() {
    for found in [Level::Escalating, Level::Admin] {
        let case = pair().seen(|o| o.privilege = level(found)).on(day(500));
        case.check(RULE, "medium/high");
    }
    let found = pair().on(day(500)).violation(RULE);
    let title = "application billing in aws:123456789012 has several active secrets side by side: \
                 2 of kind application-secret";
    assert_eq!(found.title, title);
    let secrets =
        "aws:123456789012:application-secret/new, aws:123456789012:application-secret/old";
    assert_eq!(found.facts["secrets"], secrets);
    assert_eq!(found.facts["side_by_side_since"], day(10).to_string());
}

#[test]
fn time_for_a_rotation_is_configurable() {
    let case = pair().set(|s| s.days = Some(1));
    case.clone().on(day(11)).check(RULE, "clear until 11d+1s");
    case.on(second(11 * DAY + 1)).check(RULE, "low/high");
}

#[test]
fn not_judged_for_secrets_side_by_side() {
    let of = |class: Class, kind: &str| {
        let case = Case::of(record(class, kind, "x"));
        case.with(secret("one", 0)).with(secret("two", 0)).on(day(500))
    };
    for (class, kind) in [
        (Class::Principal, "member"),
        (Class::Workload, "repository"),
        (Class::Credential, "access-key"),
        (Class::Grant, "role-binding"),
        (Class::Identity, "root-user"),
    ] {
        of(class, kind).check(RULE, "not applicable");
    }
    of(Class::AiAgent, "agent-identity").check(RULE, "low/high");
    of(Class::Identity, "x").attribute("system", "true").check(RULE, "not applicable");
}
