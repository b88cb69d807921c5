//! Agents of AI are identities of a class of their own: what is asked of the one is asked of both.
use headcount_sdk::Standing;

use super::*;

fn of(class: Class) -> Case {
    Case::of(record(class, "agent-identity", "helper"))
}

/// Every rule, over cases in which at least one rule has something to say of each.
#[test]
fn every_rule_says_of_an_agent_what_it_says_of_an_identity() {
    let left = Owner { standing: Standing::Left, ..owner(OwnerBasis::Label) };
    let changes: [fn(Case) -> Case; 6] = [
        |case| case,
        |case| case.kept(|r| r.owner = None),
        |case| case.seen(|o| o.privilege = level(Level::Admin)),
        |case| case.kept(|r| r.origin = Origin::Appeared),
        |case| case.on(day(500)),
        |case| case.kept(|r| r.owner = Some(owner(OwnerBasis::Creator))),
    ];
    let mut violated = BTreeSet::new();
    let cases = |class: Class| {
        let owned = of(class).kept(|r| r.owner = Some(left.clone()));
        changes.iter().map(|change| change(of(class))).chain([owned]).collect::<Vec<_>>()
    };
    for (one, other) in cases(Class::Identity).iter().zip(cases(Class::AiAgent)) {
        for meta in ALL.iter().map(|rule| rule.meta()).filter(|m| m.judges == Judges::Records) {
            let expected = show(&one.judge(meta.id));
            other.check(meta.id, &expected);
            if expected.contains('/') {
                violated.insert(meta.id);
            }
        }
    }
    let expected = [
        "admin-identity",
        "new-identity",
        "orphaned-identity",
        "ownerless-identity",
        "stale-identity",
        "weak-owner",
    ];
    assert_eq!(violated.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn owner_of_an_agent_is_that_of_its_keys() {
    for class in [Class::AiAgent, Class::Identity] {
        let mut key = Case::credential_of(of(class).record);
        let from = key.parent.as_ref().unwrap().id().clone();
        let left = Owner {
            standing: Standing::Left,
            inherited_from: Some(from),
            ..owner(OwnerBasis::Label)
        };
        key.record.owner = Some(left);
        key.check("token-of-departed-user", "not applicable");
    }
    assert!(is_counted(&of(Class::AiAgent).record));
}
