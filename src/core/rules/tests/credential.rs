//! `expired-credential`, `long-lived-credential` and `root-access-key`.
use super::*;

const STATUSES: [(Status, &str); 3] =
    [(Status::Active, "high"), (Status::Unknown, "medium"), (Status::Disabled, "")];

fn expiring(expiry: Expiry) -> Case {
    Case::credential().seen(|o| o.expiry = expiry)
}

fn at(at: Timestamp) -> Expiry {
    Expiry::At { at }
}

#[test]
fn expired_credential_by_status_and_boundary() {
    for (status, certainty) in STATUSES {
        let rows = [
            (second(10 * DAY - 1), "clear until 10d".to_owned()),
            (day(10), format!("low/{certainty}")),
            (day(500), format!("low/{certainty}")),
        ];
        for (now, expected) in rows {
            let expected = if status == Status::Disabled { "clear" } else { &expected };
            expiring(at(day(10))).status(status).on(now).check("expired-credential", expected);
        }
    }
}

#[test]
fn what_cannot_expire_is_not_expired_and_silence_is_unknown() {
    expiring(Expiry::Never).check("expired-credential", "not applicable");
    expiring(Expiry::NotApplicable).check("expired-credential", "not applicable");
    expiring(Expiry::Unknown).check("expired-credential", "unknown expiry");
    let case = Case::identity().seen(|o| o.expiry = at(day(0)));
    case.check("expired-credential", "not applicable");
}

/// status × expiry × boundary of the age.
#[test]
fn long_lived_credential_in_every_cell() {
    let (limit, past) = (day(90), second(90 * DAY + 1));
    let far = at(day(400));
    for (status, certainty) in STATUSES {
        let lower = if certainty.is_empty() { "" } else { "medium" };
        let rows = [
            (Expiry::Never, limit, "clear until 90d+1s".to_owned()),
            (Expiry::Never, past, format!("medium/{certainty}")),
            (Expiry::Unknown, limit, "clear until 90d+1s".to_owned()),
            (Expiry::Unknown, past, format!("medium/{lower}")),
            (far.clone(), limit, "clear until 90d+1s".to_owned()),
            (far.clone(), past, format!("low/{certainty} until 400d")),
            (far.clone(), second(400 * DAY - 1), format!("low/{certainty} until 400d")),
            (far.clone(), day(400), "clear".to_owned()),
        ];
        for (expiry, now, expected) in rows {
            let expected = if status == Status::Disabled { "clear" } else { &expected };
            expiring(expiry).status(status).on(now).check("long-lived-credential", expected);
        }
    }
}

#[test]
fn credential_that_ends_before_it_is_old_is_never_long_lived() {
    for now in [day(1), day(89), day(90), day(91), day(500)] {
        expiring(at(day(90))).on(now).check("long-lived-credential", "clear");
    }
    let case = expiring(at(second(90 * DAY + 10)));
    case.on(second(90 * DAY + 1)).check("long-lived-credential", "low/high until 90d+10s");
}

#[test]
fn age_without_creation_time_is_unknown() {
    let case = Case::credential().seen(|o| o.created_at = None).on(day(500));
    case.clone().check("long-lived-credential", "unknown created_at");
    case.status(Status::Disabled).check("long-lived-credential", "clear");
}

#[test]
fn nothing_without_a_secret_is_long_lived() {
    expiring(Expiry::NotApplicable).on(day(500)).check("long-lived-credential", "not applicable");
    for kind in ["oidc-provider", "saml-provider"] {
        let provider = expiring(at(day(36_500))).seen(|o| o.kind = kind.to_owned()).on(day(500));
        provider.check("long-lived-credential", "not applicable");
        provider.on(day(36_500)).check("expired-credential", "low/high");
    }
    for case in [Case::identity(), Case::root(), Case::person()] {
        case.on(day(500)).check("long-lived-credential", "not applicable");
    }
}

#[test]
fn age_limit_is_configurable_and_in_the_title() {
    let case = Case::credential().set(|s| s.days = Some(365)).on(day(366));
    assert_eq!(
        case.violation("long-lived-credential").title,
        "access-key AKIA1 of ci in aws:123456789012 is older than 365 days"
    );
    case.on(day(365)).check("long-lived-credential", "clear until 365d+1s");
}

#[test]
fn root_key_by_status() {
    for (status, expected) in [
        (Status::Active, "critical/high"),
        (Status::Unknown, "critical/medium"),
        (Status::Disabled, "clear"),
    ] {
        let case = Case::credential_of(Case::root().record).status(status);
        case.check("root-access-key", expected);
    }
    let case = Case::credential_of(Case::root().record);
    let title = "The root user of aws:123456789012 has an access key";
    assert_eq!(case.violation("root-access-key").title, title);
}

#[test]
fn key_of_an_identity_not_yet_read_may_be_roots() {
    let mut case = Case::credential_of(Case::root().record);
    case.parent = None;
    case.check("root-access-key", "unknown the identity aws:123456789012:root-user/root");
    case.seen(|o| o.parent = None).check("root-access-key", "not applicable");
}

#[test]
fn other_keys_and_other_credentials_are_no_root_keys() {
    Case::credential().check("root-access-key", "not applicable");
    Case::credential_of(Case::person().record).check("root-access-key", "not applicable");
    Case::root().check("root-access-key", "not applicable");
    let certificate = Case::credential_of(Case::root().record)
        .seen(|o| o.kind = "signing-certificate".to_owned());
    certificate.check("root-access-key", "not applicable");
}
