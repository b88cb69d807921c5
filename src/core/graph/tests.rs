//! Who is meant by which link, how surely; and that whatever is meant is also found by its keys.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use headcount_sdk::Scope;
use headcount_sdk::model::{Affiliation, Class, ExternalId, FederatedSubject, Observation};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::inventory::{History, Origin};

const GITHUB: &str = "https://token.actions.githubusercontent.com";

fn record(place: &str, kind: &str, native: &str) -> Record {
    let id = RecordId::new(place, kind, native);
    let mut observation = Observation::new(id, Class::Identity, kind, native);
    observation.native = native.to_owned();
    Record {
        observation,
        source: "s".to_owned(),
        scope: Scope::new(place, kind),
        origin: Origin::Baseline,
        first_seen_at: Timestamp::UNIX_EPOCH,
        changed_at: Timestamp::UNIX_EPOCH,
        replaces: None,
        owner: None,
        history: History::default(),
    }
}

fn linked(mut record: Record, kind: LinkKind, to: Endpoint) -> Record {
    record.observation.links.push(Link::new(kind, to));
    record
}

fn presenting(issuer: &str, subject: &str) -> Record {
    let mut record = record("far:1", "repository", "acme/shop");
    record.observation.subjects =
        vec![FederatedSubject { issuer: issuer.to_owned(), subject: subject.to_owned() }];
    record
}

fn trusting(issuer: &str, subjects: &[&str]) -> Record {
    let mut role = record("aws:1", "iam-role", "arn:aws:iam::1:role/ci");
    let trust = Trust {
        subjects: subjects.iter().map(|s| (*s).to_owned()).collect(),
        audiences: vec!["sts.amazonaws.com".to_owned()],
        external_id: ExternalId::NotApplicable,
        narrowed_by: Vec::new(),
    };
    let to = Endpoint::Federation { issuer: issuer.to_owned() };
    role.observation.links = vec![Link { trust: Some(trust), ..Link::new(LinkKind::Trusts, to) }];
    role
}

fn found(from: &Record, to: &Record) -> bool {
    !sought(from).is_disjoint(&answered(to))
}

/// Who is connected is also found.
#[track_caller]
fn confidence(from: &Record, to: &Record) -> Option<u8> {
    let connections = connect(from, to);
    assert!(connections.len() <= 1, "{connections:?}");
    assert!(connections.is_empty() || found(from, to), "connected and not found");
    connections.first().map(|c| c.confidence.as_percent())
}

#[test]
fn a_handle_is_good_in_its_own_place_alone() {
    let arn = "arn:aws:iam::1:role/ci";
    let native = |place: &str, native: &str| Endpoint::Native {
        place: place.to_owned(),
        native: native.to_owned(),
    };
    let role = record("aws:1", "iam-role", arn);
    let account = record("kubernetes:u", "service-account", "system:serviceaccount:a:b");
    for (to, expected) in [
        (native("aws:1", arn), Some(100)),
        (native("aws:2", arn), None),
        (native("aws:1", "arn:aws:iam::1:role/CI"), None),
        (native("aws:1", ""), None),
        (Endpoint::Record { id: role.id().clone() }, Some(100)),
        (Endpoint::Record { id: account.id().clone() }, None),
        (Endpoint::Dangling { native: arn.to_owned() }, None),
        (Endpoint::Anyone, None),
    ] {
        let from = linked(account.clone(), LinkKind::Uses, to.clone());
        assert_eq!(confidence(&from, &role), expected, "{to:?}");
    }
    let principal = |principal: Option<&str>| Endpoint::Account {
        place: "aws:1".to_owned(),
        principal: principal.map(str::to_owned),
        affiliation: Affiliation::SameOrganization,
    };
    let from = |to| linked(record("aws:2", "iam-role", "arn:far"), LinkKind::Trusts, to);
    assert_eq!(confidence(&from(principal(Some(arn))), &role), Some(100));
    assert_eq!(confidence(&from(principal(None)), &role), None);
    // A record without handle is not everyone's.
    let nameless = record("aws:1", "iam-role", "");
    assert_eq!(confidence(&from(principal(Some(""))), &nameless), None);
}

#[test]
fn a_guess_stays_a_guess() {
    let role = record("aws:1", "iam-role", "arn");
    let to = Endpoint::Record { id: role.id().clone() };
    let mut from = linked(record("k:1", "x", "x"), LinkKind::Uses, to);
    from.observation.links[0].confidence = Confidence::percent(40);
    assert_eq!(confidence(&from, &role), Some(40));
}

#[test]
fn a_saml_provider_is_found_by_its_arn() {
    let arn = "arn:aws:iam::1:saml-provider/okta";
    let provider = record("aws:1", "saml-provider", arn);
    assert_eq!(confidence(&trusting(arn, &[]), &provider), Some(100));
    assert_eq!(confidence(&trusting("arn:aws:iam::1:saml-provider/x", &[]), &provider), None);
}

#[test]
fn subjects_are_let_in_as_the_trust_says() {
    let repo = "repo:acme/shop:*";
    let prod = "repo:acme/shop:environment:prod";
    let account = "system:serviceaccount:shop:web";
    let rows: [(&[&str], &str, Option<u8>); 24] = [
        (&[prod], prod, Some(100)),
        (&[prod], repo, Some(95)),
        (&["repo:acme/shop:environment:dev"], prod, None),
        (&["repo:acme/shop:ref:refs/heads/main"], repo, Some(95)),
        (&["repo:acme/shop:*"], prod, Some(90)),
        (&["repo:acme/shop:*"], repo, Some(90)),
        (&["repo:acme/shop:environment:pro?"], prod, Some(90)),
        (&["repo:acme/shop"], repo, None),
        (&["repo:acme/shop*"], repo, Some(40)),
        (&["repo:acme/shop*"], "repo:acme/shop-two:*", Some(40)),
        (&["repo:acme/*"], repo, Some(40)),
        (&["repo:acme/*:environment:prod"], prod, Some(40)),
        (&["repo:acme/*:environment:prod"], "repo:acme/shop:environment:dev", None),
        (&["repo:*"], repo, Some(25)),
        (&["*"], repo, Some(10)),
        (&[], repo, Some(10)),
        (&["repo:ACME/shop:*"], repo, None),
        (&["repo:other/shop:*"], repo, None),
        (&["repo:acme/shopping:*"], repo, None),
        (&["repo:*", "repo:acme/shop:*"], repo, Some(90)),
        (&[account], account, Some(100)),
        (&["system:serviceaccount:shop:*"], account, Some(70)),
        (&["system:serviceaccount:*:web"], account, Some(25)),
        (&["system:serviceaccount:shop:web"], "system:serviceaccount:shop:web2", None),
    ];
    for (patterns, subject, expected) in rows {
        let (from, to) = (trusting(GITHUB, patterns), presenting(GITHUB, subject));
        assert_eq!(confidence(&from, &to), expected, "{patterns:?} for {subject}");
    }
}

#[test]
fn a_further_condition_on_the_subject_makes_it_unsure() {
    let mut role = trusting(GITHUB, &["repo:acme/shop:*"]);
    let repo = presenting(GITHUB, "repo:acme/shop:*");
    let narrow = |role: &mut Record, by: &str| {
        role.observation.links[0].trust.as_mut().unwrap().narrowed_by = vec![by.to_owned()];
    };
    narrow(&mut role, "deny on token.actions.githubusercontent.com:sub");
    assert_eq!(confidence(&role, &repo), Some(50));
    narrow(&mut role, "aws:RequestedRegion");
    assert_eq!(confidence(&role, &repo), Some(90));
}

#[test]
fn issuers_are_the_same_with_and_without_scheme() {
    let written = [
        "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC",
        "oidc.eks.eu-west-1.amazonaws.com/id/ABC",
        "https://OIDC.eks.eu-west-1.amazonaws.com/id/ABC/",
    ];
    let subject = "system:serviceaccount:a:b";
    for one in written {
        for other in written {
            let (from, to) = (trusting(one, &[subject]), presenting(other, subject));
            assert_eq!(confidence(&from, &to), Some(100));
        }
        let to = presenting("https://oidc.eks.eu-west-1.amazonaws.com/id/abc", subject);
        assert_eq!(confidence(&trusting(one, &[subject]), &to), None, "paths have a case");
    }
}

#[test]
fn the_surest_link_speaks_whatever_the_order() {
    let repo = presenting(GITHUB, "repo:acme/shop:*");
    let mut role = trusting(GITHUB, &["repo:acme/*"]);
    role.observation.links.extend(trusting(GITHUB, &["repo:acme/shop:*"]).observation.links);
    let forward = connect(&role, &repo);
    role.observation.links.reverse();
    assert_eq!(forward, connect(&role, &repo));
    assert_eq!(forward[0].basis, "subject repo:acme/shop:*");
    let both = linked(role, LinkKind::Uses, Endpoint::Record { id: repo.id().clone() });
    let kinds: Vec<LinkKind> = connect(&both, &repo).iter().map(|c| c.kind).collect();
    assert_eq!(kinds, [LinkKind::Uses, LinkKind::Trusts]);
}

/// What makes ten thousand repositories with three thousand roles cheap.
#[test]
fn a_narrow_trust_is_no_candidate_for_other_repositories() {
    let shop = presenting(GITHUB, "repo:acme/shop:*");
    for (pattern, is_candidate) in [
        ("repo:acme/shop:ref:refs/heads/main", true),
        ("repo:acme/*", true),
        ("repo:*", true),
        ("repo:acme/pay:*", false),
        ("repo:other/*", false),
    ] {
        assert_eq!(found(&trusting(GITHUB, &[pattern]), &shop), is_candidate, "{pattern}");
    }
    assert!(sought(&record("aws:1", "iam-role", "arn")).is_empty());
}

#[test]
fn keys_are_pinned_because_stores_keep_them() {
    let handle = handle(&record("aws:1", "iam-role", "arn")).unwrap();
    assert_eq!(handle, -8_149_593_476_249_336_792, "raise VERSION as well");
}

proptest! {
    /// Whoever is let in is found by a key, whatever the pattern.
    #[test]
    fn whoever_is_let_in_is_found(
        pattern in "(repo:|system:serviceaccount:)?[ab/:*?]{0,8}",
        subject in "(repo:|system:serviceaccount:)?[ab/:]{0,8}\\*?",
    ) {
        let (from, to) = (trusting(GITHUB, &[&pattern]), presenting(GITHUB, &subject));
        confidence(&from, &to);
    }

    /// The glob agrees with the plain definition of one.
    #[test]
    fn patterns_match_as_they_are_defined(pattern in "[ab*?]{0,6}", text in "[ab]{0,6}") {
        fn fits(pattern: &[u8], text: &[u8]) -> bool {
            match (pattern.first(), text.first()) {
                (None, None) => true,
                (Some(b'*'), _) => {
                    fits(&pattern[1..], text) || (!text.is_empty() && fits(pattern, &text[1..]))
                }
                (Some(b'?'), Some(_)) => fits(&pattern[1..], &text[1..]),
                (Some(a), Some(b)) if a == b => fits(&pattern[1..], &text[1..]),
                _ => false,
            }
        }
        let expected = fits(pattern.as_bytes(), text.as_bytes());
        prop_assert_eq!(subject::meets(&pattern, &text).is_some(), expected);
    }
}

#[test]
fn a_guess_by_name_stays_a_guess() {
    let mut secret = record("github:1", "actions-secret", "AWS_ACCESS_KEY_ID");
    let names = vec!["shop".to_owned(), "shop-ci".to_owned()];
    let to = Endpoint::Likely { kind: "iam-user".to_owned(), names };
    let confidence = Confidence::percent(25);
    secret.observation.links = vec![Link { confidence, ..Link::new(LinkKind::Uses, to) }];
    for (kind, name, expected) in [
        ("iam-user", "shop-ci", Some(25)),
        ("iam-user", "Shop", Some(25)),
        ("iam-user", "shop-other", None),
        ("iam-role", "shop-ci", None),
    ] {
        let far = record("aws:123456789012", kind, name);
        let found = connect(&secret, &far).first().map(|c| c.confidence.as_percent());
        assert_eq!(found, expected, "{kind} {name}");
        let is_candidate = !sought(&secret).is_disjoint(&answered(&far));
        assert_eq!(is_candidate, expected.is_some(), "{kind} {name}");
    }
}
