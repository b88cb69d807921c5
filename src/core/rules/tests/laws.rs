//! What the agent relies on when it judges only at the moments that rules name.
use headcount_sdk::Standing;
use proptest::prelude::*;

use super::*;
use crate::inventory::{Growth, History, MassRemoval, Silence};

prop_compose! {
    fn moment()(seconds in -400 * DAY..400 * DAY, whole in any::<bool>()) -> Timestamp {
        // Whole days meet the thresholds exactly.
        second(if whole { seconds / DAY * DAY } else { seconds })
    }
}

fn usage() -> impl Strategy<Value = Usage> {
    let lag = prop_oneof![Just(0_u32), 0..100_000_u32];
    prop_oneof![
        (moment(), lag.clone()).prop_map(|(at, lag_secs)| Usage::LastUsed {
            at,
            resolution_secs: 900,
            lag_secs
        }),
        (moment(), lag)
            .prop_map(|(tracking_start, lag_secs)| Usage::NeverSince { tracking_start, lag_secs }),
        Just(Usage::NotObservable { reason: "none".to_owned() }),
    ]
}

fn expiry() -> impl Strategy<Value = Expiry> {
    prop_oneof![
        moment().prop_map(|at| Expiry::At { at }),
        Just(Expiry::Never),
        Just(Expiry::Unknown),
        Just(Expiry::NotApplicable),
    ]
}

/// Those of which time alone changes a verdict.
fn kind() -> impl Strategy<Value = (Class, &'static str)> {
    prop_oneof![
        Just((Class::Identity, "iam-role")),
        Just((Class::Identity, "service-account")),
        Just((Class::Credential, "access-key")),
        Just((Class::Credential, "actions-secret")),
        Just((Class::Credential, "classic-token")),
        Just((Class::Credential, "service-account-token")),
        Just((Class::AiAgent, "agent-identity")),
    ]
}

prop_compose! {
    fn history()(
        last_known_use in proptest::option::of(moment()),
        silence in proptest::option::of((moment(), moment())),
        growth in proptest::option::of(moment()),
    ) -> History {
        History {
            last_known_use,
            silence: silence.map(|(a, b)| Silence { from: a.min(b), until: a.max(b) }),
            growth: growth.map(|at| Growth { at, from: Level::None, to: Level::Admin }),
        }
    }
}

prop_compose! {
    fn case()(
        kind in kind(),
        appeared in any::<bool>(),
        replaces in any::<bool>(),
        status in prop_oneof![Just(Status::Active), Just(Status::Disabled), Just(Status::Unknown)],
        created_at in proptest::option::of(moment()),
        first_seen_at in moment(),
        usage in usage(),
        expiry in expiry(),
        history in history(),
        has_left in any::<bool>(),
        ends_when_idle in proptest::option::of(0..200_u32),
        third_party in any::<bool>(),
        secrets in proptest::collection::vec((proptest::option::of(moment()), expiry()), 0..4),
    ) -> Case {
        let (class, kind) = kind;
        let case = match class {
            Class::Credential => Case::credential(),
            _ => Case::identity().attribute("in_use", "false"),
        };
        let case = case.seen(|o| {
            o.class = class;
            o.kind = kind.to_owned();
            let days = ends_when_idle.map(|days| ("expires_when_idle_days", days.to_string()));
            let third = third_party.then(|| ("third_party", "true".to_owned()));
            let scopes = third_party.then(|| ("scopes", "openid".to_owned()));
            let facts = days.into_iter().chain(third).chain(scopes);
            o.attributes.extend(facts.map(|(name, value)| (name.to_owned(), value)));
            o.status = status;
            o.created_at = created_at;
            o.usage = usage;
            o.expiry = expiry;
        });
        let case = secrets.into_iter().zip(0..).fold(case, |case, ((created_at, expiry), n)| {
            let secret = Case::of(record(Class::Credential, "secret", &format!("s{n}")));
            case.with(secret.seen(|o| {
                o.created_at = created_at;
                o.expiry = expiry;
            }))
        });
        case.kept(|r| {
            r.first_seen_at = first_seen_at;
            r.origin = if appeared { Origin::Appeared } else { Origin::Baseline };
            r.history = history;
            let standing = if has_left { Standing::Left } else { Standing::NotKnown };
            r.owner = Some(Owner { standing, ..owner(OwnerBasis::Label) });
            r.replaces = replaces.then(|| RecordId::new(PLACE, "iam-role", "old"));
        })
    }
}

fn outcome(case: &Case, now: Timestamp) -> Outcome {
    let subject =
        Subject { record: &case.record, parent: case.parent.as_ref(), around: &case.around };
    judge_record(&RuleConfig::default(), &subject, now)
}

fn verdicts(outcome: &Outcome) -> Vec<&Verdict> {
    outcome.verdicts.iter().map(|(_, judgement)| &judgement.verdict).collect()
}

proptest! {
    /// Nothing is missed when no scan runs.
    #[test]
    fn no_verdict_changes_before_its_moment(
        case in case(), now in moment(), later in 0..800 * DAY,
    ) {
        let then = now.checked_add(SignedDuration::from_secs(later)).unwrap();
        let (before, after) = (outcome(&case, now), outcome(&case, then));
        for ((meta, old), (_, new)) in before.verdicts.iter().zip(&after.verdicts) {
            // A limit is passed a second before the moment; see `window::past_at`.
            if old.next_at.is_none_or(|at| then < at.checked_sub(SignedDuration::from_secs(1)).unwrap()) {
                prop_assert_eq!(&old.verdict, &new.verdict, "{} {} {}", meta.id, now, then);
            }
        }
    }

    /// Nothing is judged for ever.
    #[test]
    fn following_the_moments_comes_to_an_end(case in case(), start in moment()) {
        let mut now = start;
        for _ in 0..20 {
            let judged = outcome(&case, now);
            let Some(next) = judged.next_at else { return Ok(()) };
            prop_assert!(next > now, "{} is not after {}", next, now);
            let again = outcome(&case, next);
            prop_assert_ne!(verdicts(&judged), verdicts(&again), "nothing changed at {}", next);
            now = next;
        }
        prop_assert!(false, "more than 20 moments after {}", start);
    }

    #[test]
    fn removal_is_reported_until_its_moment_and_no_longer(at in moment(), now in moment()) {
        let mass_removal = Some(MassRemoval { at, removed: 9, of: 9 });
        let state = ScopeState { mass_removal, ..scope() };
        let judgement = judge_one_scope("mass-disappearance", &state, now);
        later_than(now, &judgement);
        if let Some(end) = judgement.next_at {
            let again = judge_one_scope("mass-disappearance", &state, end);
            prop_assert_eq!(again, Judgement::steady(Verdict::Clear));
        }
    }

    /// The pattern engine agrees with the plain definition of `*`.
    #[test]
    fn glob_agrees_with_its_definition(pattern in "[ab*]{0,6}", text in "[ab]{0,8}") {
        fn slow(pattern: &[u8], text: &[u8]) -> bool {
            match pattern.split_first() {
                None => text.is_empty(),
                Some((b'*', rest)) => (0..=text.len()).any(|skip| slow(rest, &text[skip..])),
                Some((byte, rest)) => {
                    text.split_first().is_some_and(|(first, left)| first == byte && slow(rest, left))
                }
            }
        }
        let expected = slow(pattern.as_bytes(), text.as_bytes());
        prop_assert_eq!(crate::rules::settings::glob(&pattern, &text), expected);
    }
}
