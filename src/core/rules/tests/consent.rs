//! `third-party-grant` and `admin-consent`.
use super::*;

const CLIENT: &str = "third-party-grant";
const ADMIN: &str = "admin-consent";

/// A client of another organisation, there since the baseline.
fn client() -> Case {
    let case = Case::of(record(Class::Identity, "service-principal", "notes"));
    case.seen(|o| o.privilege = None).attribute("third_party", "true").attribute("app_id", "app-1")
}

fn new(case: Case) -> Case {
    case.kept(|r| r.origin = Origin::Appeared)
}

fn grant(name: &str, found: Level) -> Case {
    let case = Case::of(record(Class::Grant, "delegated-grant", name));
    case.seen(|o| o.privilege = level(found))
        .attribute("scopes", "Mail.Read offline_access")
        .attribute("principal_id", name)
}

/// level × new × boundary of being new.
#[test]
fn consents_of_people_in_every_cell() {
    for (found, old, young) in [
        (Level::None, "clear", "low/high until 7d"),
        (Level::Read, "low/high", "low/high until 7d"),
        (Level::Unknown, "medium/high", "medium/high until 7d"),
        (Level::Write, "medium/high", "medium/high until 7d"),
        (Level::Escalating, "high/high", "high/high until 7d"),
        (Level::Admin, "high/high", "high/high until 7d"),
    ] {
        let case = || client().with(grant("ana", found));
        case().check(CLIENT, old);
        new(case()).on(second(7 * DAY - 1)).check(CLIENT, young);
        new(case()).on(day(7)).check(CLIENT, old);
        case().status(Status::Disabled).check(CLIENT, "clear");
    }
    let unsure = client().with(grant("ana", Level::Write)).status(Status::Unknown);
    unsure.check(CLIENT, "medium/medium");
    client().check(CLIENT, "clear");
    new(client()).check(CLIENT, "clear");
}

#[test]
fn client_is_as_bad_as_the_worst_that_it_was_given() {
    let case = client()
        .with(grant("ana", Level::Read))
        .with(grant("bob", Level::Write))
        .with(grant("bob", Level::None));
    let found = case.violation(CLIENT);
    let title = "service-principal notes in aws:123456789012 is a third party's and may write";
    assert_eq!(found.title, title);
    assert_eq!(found.facts["consents"], "3");
    assert_eq!(found.facts["people"], "2");
    assert_eq!(found.facts["scopes"], "Mail.Read, offline_access");
    assert_eq!(found.facts["app_id"], "app-1");
    let title = new(case).violation(CLIENT).title;
    assert!(title.starts_with("New: service-principal notes"), "{title}");
    let off = client().with(grant("ana", Level::Write).status(Status::Disabled));
    off.check(CLIENT, "clear");
    // A secret of the client is no consent of anybody.
    let secret = grant("s", Level::Write).seen(|o| o.class = Class::Credential);
    client().with(secret).check(CLIENT, "clear");
}

#[test]
fn scopes_that_stand_at_the_client_count_as_a_consent() {
    let app =
        |found| client().seen(|o| o.privilege = level(found)).attribute("scopes", "chat:write");
    app(Level::Write).check(CLIENT, "medium/high");
    app(Level::Read).check(CLIENT, "low/high");
    app(Level::Admin).check(CLIENT, "high/high");
    assert_eq!(app(Level::Write).violation(CLIENT).facts["people"], "0");
    app(Level::Write).unread("privilege").check(CLIENT, "unknown privilege (iam:Read)");
    let unread = client().unread("attributes.scopes");
    unread.check(CLIENT, "unknown attributes.scopes (iam:Read)");
}

#[test]
fn one_consent_is_told_by_one_rule() {
    let admins = |is: &str| grant("all", Level::Write).attribute("admin_consent", is);
    client().with(admins("true")).check(CLIENT, "clear");
    client().with(admins("false")).check(CLIENT, "medium/high");
    let of = |is: &str| {
        let mut case = admins(is);
        case.record.observation.parent = Some(client().record.id().clone());
        case.parent = Some(client().record);
        case
    };
    of("true").check(ADMIN, "high/high");
    of("false").check(ADMIN, "clear");
    grant("ana", Level::Write).check(ADMIN, "not applicable");
    let app = client().seen(|o| o.kind = "app-installation".to_owned());
    app.with(grant("ana", Level::Write)).check(CLIENT, "not applicable");
}

#[test]
fn consents_that_were_not_understood_are_unknown_only_if_they_decide() {
    let unread = |field: &str| client().with(grant("ana", Level::Read).unread(field));
    unread("privilege").check(CLIENT, "unknown privilege (iam:Read)");
    unread("attributes.admin_consent").check(CLIENT, "unknown attributes.admin_consent (iam:Read)");
    let none = client().with(grant("ana", Level::Read).seen(|o| o.privilege = None));
    none.check(CLIENT, "unknown privilege");
    new(none).check(CLIENT, "unknown privilege");
    let known = unread("privilege").with(grant("bob", Level::Write));
    known.check(CLIENT, "medium/high");
    let harmless = unread("privilege").with(grant("bob", Level::None));
    harmless.check(CLIENT, "unknown privilege (iam:Read)");
    for field in ["attributes.third_party", "attributes.first_party"] {
        let case = client().with(grant("ana", Level::Write)).unread(field);
        case.check(CLIENT, &format!("unknown {field} (iam:Read)"));
    }
}

#[test]
fn home_of_a_client_decides_whether_it_is_judged() {
    let writes = |case: Case| case.with(grant("ana", Level::Write));
    writes(client()).attribute("third_party", "false").check(CLIENT, "clear");
    writes(client()).attribute("first_party", "true").check(CLIENT, "not applicable");
    writes(client()).attribute("first_party", "false").check(CLIENT, "medium/high");
    writes(Case::identity()).check(CLIENT, "not applicable");
    let agent = writes(client()).seen(|o| o.class = Class::AiAgent);
    agent.check(CLIENT, "medium/high");
    for case in [Case::person(), Case::credential(), grant("x", Level::Write)] {
        case.attribute("third_party", "true").check(CLIENT, "not applicable");
    }
    let trust = |id: &str| {
        let id = id.to_owned();
        writes(client())
            .seen(|o| o.native = "sp-1".to_owned())
            .set(|s| s.trusted_apps = Some(vec![id]))
    };
    trust("app-1").check(CLIENT, "clear");
    trust("sp-1").check(CLIENT, "clear");
    // Anybody can take a name.
    trust("notes").check(CLIENT, "medium/high");
}

/// A consent for everybody that an application of this home holds.
fn consent(found: Level, home: &str) -> Case {
    let mut holder = client().attribute("third_party", home).record;
    holder.observation.native = "sp-1".to_owned();
    let mut case = grant("all", found).attribute("admin_consent", "true");
    case.record.observation.parent = Some(holder.id().clone());
    case.parent = Some(holder);
    case
}

/// level × home of the application × status.
#[test]
fn consent_for_everybody_in_every_cell() {
    for (found, own, third) in [
        (Level::None, "", ""),
        (Level::Read, "low", "medium"),
        (Level::Unknown, "medium", "high"),
        (Level::Write, "medium", "high"),
        (Level::Escalating, "high", "high"),
        (Level::Admin, "high", "high"),
    ] {
        for (home, severity) in [("false", own), ("true", third)] {
            let expected = |certainty: &str| match severity {
                "" => "clear".to_owned(),
                severity => format!("{severity}/{certainty}"),
            };
            consent(found, home).check(ADMIN, &expected("high"));
            consent(found, home).status(Status::Unknown).check(ADMIN, &expected("medium"));
            consent(found, home).status(Status::Disabled).check(ADMIN, "clear");
        }
    }
    let found = consent(Level::Write, "true").violation(ADMIN);
    let title = "An administrator lets notes in aws:123456789012 write for everybody";
    assert_eq!(found.title, title);
    assert_eq!(found.facts["scopes"], "Mail.Read offline_access");
}

#[test]
fn consent_for_everybody_that_was_not_read_is_unknown() {
    for field in ["attributes.admin_consent", "privilege"] {
        let unknown = format!("unknown {field} (iam:Read)");
        consent(Level::Write, "true").unread(field).check(ADMIN, &unknown);
    }
    let none = consent(Level::Write, "true").seen(|o| o.privilege = None);
    none.check(ADMIN, "unknown privilege");
    let mut lost = consent(Level::Write, "true");
    lost.parent = None;
    lost.check(ADMIN, "unknown the identity aws:123456789012:service-principal/notes");
    for field in ["attributes.first_party", "attributes.third_party"] {
        let mut case = consent(Level::Write, "true");
        let unread = &mut case.parent.as_mut().unwrap().observation.unread;
        unread.insert(field.to_owned(), "iam:Read".to_owned());
        case.check(ADMIN, &format!("unknown {field} (iam:Read)"));
    }
}

#[test]
fn applications_of_the_vendor_and_trusted_ones_may_keep_what_they_have() {
    let mut vendors = consent(Level::Admin, "true");
    let facts = &mut vendors.parent.as_mut().unwrap().observation.attributes;
    facts.insert("first_party".to_owned(), "true".to_owned());
    vendors.check(ADMIN, "clear");
    for (id, expected) in [("app-1", "clear"), ("sp-1", "clear"), ("notes", "high/high")] {
        let case =
            consent(Level::Admin, "true").set(|s| s.trusted_apps = Some(vec![id.to_owned()]));
        case.check(ADMIN, expected);
    }
    let mut off = consent(Level::Admin, "true");
    off.parent.as_mut().unwrap().observation.status = Status::Disabled;
    off.check(ADMIN, "clear");
    // Who holds it is not told: an application of nobody in particular.
    let mut alone = consent(Level::Write, "true");
    (alone.parent, alone.record.observation.parent) = (None, None);
    alone.check(ADMIN, "medium/high");
    for case in [Case::identity(), Case::credential()] {
        case.attribute("admin_consent", "true").check(ADMIN, "not applicable");
    }
}
