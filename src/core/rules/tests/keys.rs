//! `unrestricted-api-key` and `ai-key-without-owner`.
use super::*;

const OPEN: &str = "unrestricted-api-key";
const AI: &str = "ai-key-without-owner";

/// A key without parent, as most platforms list them.
fn key() -> Case {
    Case::of(record(Class::Credential, "api-key", "k")).seen(|o| o.expiry = Expiry::Never)
}

fn restricted(apis: Option<&str>, callers: Option<&str>) -> Case {
    let facts = [("restricted_apis", apis), ("restricted_callers", callers)];
    facts.into_iter().fold(key(), |case, (name, value)| match value {
        Some(value) => case.attribute(name, value),
        None => case,
    })
}

/// restricted to APIs × restricted to callers × status.
#[test]
fn api_key_in_every_cell() {
    let (yes, no) = (Some("true"), Some("false"));
    for (apis, callers, severity) in [
        (no, no, "high"),
        (no, yes, "medium"),
        (no, None, "medium"),
        (yes, no, "low"),
        (None, no, "medium"),
        (yes, yes, ""),
        (yes, None, ""),
        (None, yes, ""),
    ] {
        let case = restricted(apis, callers);
        let expected = |certainty: &str| match severity {
            "" => "clear".to_owned(),
            severity => format!("{severity}/{certainty}"),
        };
        case.check(OPEN, &expected("high"));
        case.clone().status(Status::Unknown).check(OPEN, &expected("medium"));
        case.status(Status::Disabled).check(OPEN, "clear");
    }
    key().check(OPEN, "not applicable");
}

#[test]
fn restrictions_that_were_not_read_are_unknown() {
    for field in ["attributes.restricted_apis", "attributes.restricted_callers"] {
        let unknown = format!("unknown {field} (iam:Read)");
        restricted(Some("false"), Some("false")).unread(field).check(OPEN, &unknown);
        key().unread(field).check(OPEN, &unknown);
    }
}

#[test]
fn open_key_is_reported_until_it_ends() {
    let ends = restricted(Some("false"), None).seen(|o| o.expiry = Expiry::At { at: day(10) });
    ends.check(OPEN, "medium/high until 10d");
    ends.clone().on(second(10 * DAY - 1)).check(OPEN, "medium/high until 10d");
    ends.on(day(10)).check(OPEN, "clear");
    for case in [Case::identity(), Case::of(record(Class::Grant, "scope", "x"))] {
        case.attribute("restricted_apis", "false").check(OPEN, "not applicable");
    }
    let facts = restricted(Some("false"), None).violation(OPEN).facts;
    assert_eq!(facts["restricted_apis"], "false");
    assert_eq!(facts["restricted_callers"], "not told");
}

fn ai_key() -> Case {
    key().attribute("ai_provider", "openai").kept(|r| r.owner = None)
}

#[test]
fn ai_key_by_owner_and_status() {
    ai_key().check(AI, "medium/high");
    ai_key().status(Status::Unknown).check(AI, "medium/medium");
    ai_key().status(Status::Disabled).check(AI, "clear");
    ai_key().kept(|r| r.owner = Some(owner(OwnerBasis::Creator))).check(AI, "clear");
    for found in [Level::Escalating, Level::Admin] {
        ai_key().seen(|o| o.privilege = level(found)).check(AI, "high/high");
    }
    assert_eq!(ai_key().violation(AI).facts["ai_provider"], "openai");
    // Another platform's key is none.
    key().kept(|r| r.owner = None).check(AI, "not applicable");
    Case::identity().attribute("ai_provider", "openai").check(AI, "not applicable");
}

#[test]
fn unread_evidence_is_no_missing_owner_of_an_ai_key() {
    for field in ["owner_evidence", "labels", "attributes.ai_provider"] {
        ai_key().unread(field).check(AI, &format!("unknown {field} (iam:Read)"));
    }
    let owned = ai_key().kept(|r| r.owner = Some(owner(OwnerBasis::Creator)));
    owned.unread("owner_evidence").check(AI, "clear");
    let mut lost = ai_key();
    lost.record.observation.parent = Some(RecordId::new(PLACE, "ai-account", "a"));
    lost.check(AI, "unknown the identity aws:123456789012:ai-account/a");
}

#[test]
fn key_of_an_agent_is_told_at_the_agent() {
    for class in [Class::AiAgent, Class::Identity] {
        let agent = Case::of(record(class, "ai-account", "a")).kept(|r| r.owner = None);
        let mut key = ai_key();
        key.record.observation.parent = Some(agent.record.id().clone());
        key.parent = Some(agent.record.clone());
        key.check(AI, "not applicable");
        agent.check("ownerless-identity", "medium/high");
    }
    let person = record(Class::Principal, "member", "ana");
    let mut key = ai_key();
    key.record.observation.parent = Some(person.id().clone());
    key.parent = Some(person);
    key.check(AI, "medium/high");
}

#[test]
fn ai_key_is_reported_until_it_ends() {
    let ends = ai_key().seen(|o| o.expiry = Expiry::At { at: day(10) });
    ends.clone().on(second(10 * DAY - 1)).check(AI, "medium/high until 10d");
    ends.on(day(10)).check(AI, "clear");
}
