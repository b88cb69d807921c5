//! Members, outside collaborators, machine users; and who of those named elsewhere is still here.

use std::collections::BTreeSet;

use headcount_sdk::{
    Class, Confidence, Expiry, Nature, NatureKind, Observation, OwnerBasis, OwnerEvidence,
    OwnerKind, Standing, Status,
};

use super::not_observable;
use crate::id::Place;
use crate::wire::Account;

/// A user account of the organisation. `role` is `member` or `outside-collaborator`.
pub(crate) fn account(
    place: &Place,
    account: &Account,
    role: &'static str,
    machines: &[String],
) -> Observation {
    let login = account.login.to_ascii_lowercase();
    let bot = account.kind.as_deref() == Some("Bot");
    let pattern = machines.iter().find(|pattern| matches(pattern, &login));
    let machine = bot || pattern.is_some();
    let (kind, class) =
        if machine { ("machine-user", Class::Identity) } else { (role, Class::Principal) };
    let id = place.numbered(kind, account.id);
    let mut observation = Observation::new(id, class, kind, &account.login);
    observation.native = account.login.clone();
    observation.status = Status::Active;
    observation.expiry = Expiry::NotApplicable;
    observation.usage = not_observable("GitHub tells no organisation when its members were active");
    observation.attributes.insert("role".to_owned(), role.to_owned());
    let nature = match pattern {
        _ if bot => (NatureKind::Machine, "account type Bot".to_owned(), Confidence::CERTAIN),
        Some(pattern) => {
            (NatureKind::Machine, format!("login matches {pattern}"), Confidence::percent(70))
        }
        None => (NatureKind::Person, "no sign of a machine".to_owned(), Confidence::percent(70)),
    };
    let (kind, basis, confidence) = nature;
    observation.nature = Some(Nature { kind, basis, confidence });
    observation
}

/// Whether `login`, in lower case, matches a pattern in which `*` stands for anything.
fn matches(pattern: &str, login: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| login.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// Everyone who belongs to the organisation in some way, or which permission hides them.
#[derive(Clone, Debug)]
pub(crate) enum People {
    /// By login in lower case.
    Known(BTreeSet<String>),
    Hidden {
        permission: String,
    },
}

impl People {
    /// Adds the claim that `login` is accountable, with whether they are still here.
    pub(crate) fn claim(
        &self,
        observation: &mut Observation,
        login: &str,
        basis: OwnerBasis,
        locator: &str,
    ) {
        let standing = match self {
            Self::Known(logins) if logins.contains(&login.to_ascii_lowercase()) => {
                Standing::Present
            }
            Self::Known(_) => Standing::Left,
            Self::Hidden { permission } => {
                observation.unread.insert("owner_standing".to_owned(), permission.clone());
                observation.unread.insert("owner_evidence".to_owned(), permission.clone());
                Standing::NotKnown
            }
        };
        observation.owner_evidence.push(OwnerEvidence {
            reference: login.to_owned(),
            basis,
            locator: locator.to_owned(),
            kind: OwnerKind::Technical,
            standing,
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::config::Edition;

    fn read(login: &str, kind: &str) -> Observation {
        let place = Place::new(&Edition::Public, 1);
        let row = Account { id: 7, login: login.to_owned(), kind: Some(kind.to_owned()) };
        let machines = ["*-bot", "svc-*", "ci-*-run"].map(str::to_owned);
        account(&place, &row, "member", &machines)
    }

    #[test]
    fn machines_are_told_by_type_and_login() {
        let rows = [
            ("ana", "User", "member"),
            ("Deploy-Bot", "User", "machine-user"),
            ("svc-build", "User", "machine-user"),
            ("ci-7-run", "User", "machine-user"),
            ("ci-7-runs", "User", "member"),
            ("bottega", "User", "member"),
            ("anything", "Bot", "machine-user"),
        ];
        for (login, kind, expected) in rows {
            let observation = read(login, kind);
            assert_eq!(observation.kind, expected, "{login}");
            assert_eq!(observation.class == Class::Identity, expected == "machine-user", "{login}");
        }
    }

    #[test]
    fn who_is_not_on_the_full_list_has_left_and_a_hidden_list_says_nothing() {
        let standing = |people: &People, login: &str| {
            let mut observation = read("ana", "User");
            people.claim(&mut observation, login, OwnerBasis::Creator, "added_by");
            let hidden = observation.unread.get("owner_standing").cloned();
            (observation.owner_evidence[0].standing, hidden)
        };
        let known = People::Known(["ana".to_owned()].into());
        assert_eq!(standing(&known, "Ana"), (Standing::Present, None));
        assert_eq!(standing(&known, "ben"), (Standing::Left, None));
        let hidden = People::Hidden { permission: "members:read".to_owned() };
        let unread = Some("members:read".to_owned());
        assert_eq!(standing(&hidden, "ben"), (Standing::NotKnown, unread));
    }
}
