//! `shared-identity` and `broken-federation`: what only two sources together show.
use headcount_sdk::model::{Endpoint, ExternalId, FederatedSubject, Link, LinkKind, Trust};

use super::*;
use crate::inventory::Neighbour;

const SHARED: &str = "shared-identity";
const BROKEN: &str = "broken-federation";
const ISSUER: &str = "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC";
const ARN: &str = "arn:aws:iam::123456789012:role/web";
const WEB: &str = "system:serviceaccount:shop:web";

fn neighbour(record: Record, kind: LinkKind, percent: u8) -> Neighbour {
    Neighbour { record, kind, confidence: Confidence::percent(percent), basis: String::new() }
}

fn account() -> Record {
    let mut account = record(Class::Identity, "service-account", "shop/web");
    account.observation.native = WEB.to_owned();
    account.observation.attributes.insert("in_use".to_owned(), "true".to_owned());
    account
}

fn workload(name: &str, application: Option<&str>) -> Neighbour {
    let mut workload = record(Class::Workload, "workload", name);
    if let Some(application) = application {
        workload.observation.attributes.insert("application".to_owned(), application.to_owned());
    }
    neighbour(workload, LinkKind::Uses, 100)
}

fn run_by(workloads: Vec<Neighbour>) -> Case {
    let mut case = Case::of(account()).seen(|o| o.privilege = level(Level::Write));
    case.around.incoming = workloads;
    case
}

#[test]
fn account_is_shared_by_two_applications_and_not_by_two_parts_of_one() {
    run_by(vec![]).check(SHARED, "clear");
    run_by(vec![workload("shop/web", Some("shop"))]).check(SHARED, "clear");
    let parts = vec![workload("shop/web", Some("shop")), workload("shop/job", Some("shop"))];
    run_by(parts).check(SHARED, "clear");
    let two = vec![workload("shop/web", Some("shop")), workload("shop/x", Some("mail"))];
    run_by(two.clone()).check(SHARED, "medium/high");
    let title = run_by(two.clone()).violation(SHARED).title;
    assert_eq!(title, "service-account shop/web in aws:123456789012 is used by 2 applications");
    assert_eq!(run_by(two).violation(SHARED).facts["applications"], "mail, shop");
    for named in [workload("shop/web", None), workload("shop/web", Some("web"))] {
        let case = run_by(vec![named, workload("shop/x", Some("mail"))]);
        case.check(SHARED, "medium/medium");
        assert_eq!(case.violation(SHARED).facts["applications"], "mail, web");
    }
}

#[test]
fn only_workloads_that_run_as_the_account_share_it() {
    let mut mounted = workload("shop/x", Some("mail"));
    mounted.kind = LinkKind::Mounts;
    let mut binding = workload("shop/edit", Some("rbac"));
    binding.record.observation.class = Class::Grant;
    run_by(vec![workload("shop/web", Some("shop")), mounted, binding]).check(SHARED, "clear");
}

#[test]
fn unread_workloads_do_not_prove_that_an_account_is_not_shared() {
    let one = || vec![workload("shop/web", Some("shop"))];
    let unknown = "unknown attributes.in_use (iam:Read)";
    run_by(one()).unread("attributes.in_use").check(SHARED, unknown);
    run_by(vec![]).unread("attributes.in_use").check(SHARED, unknown);
    run_by(one()).unread("links").check(SHARED, "unknown links (iam:Read)");
    let two = [one(), vec![workload("shop/x", Some("mail"))]].concat();
    run_by(two).unread("attributes.in_use").check(SHARED, "medium/high");
}

#[test]
fn shared_account_by_power_and_default() {
    let two = || vec![workload("shop/web", Some("a")), workload("shop/api", Some("b"))];
    for (found, own, default) in [
        (Level::None, "low/high", "clear"),
        (Level::Read, "low/high", "clear"),
        (Level::Unknown, "medium/high", "medium/high"),
        (Level::Write, "medium/high", "medium/high"),
        (Level::Admin, "medium/high", "medium/high"),
    ] {
        let case = run_by(two()).seen(|o| o.privilege = level(found));
        case.clone().check(SHARED, own);
        case.attribute("is_default", "true").check(SHARED, default);
    }
    let unread = run_by(two()).unread("privilege");
    unread.clone().check(SHARED, "medium/high");
    unread.attribute("is_default", "true").check(SHARED, "unknown privilege (iam:Read)");
}

fn named(kind: &str, native: &str) -> Record {
    let class = if kind == "service-account" { Class::Identity } else { Class::Workload };
    let mut record = record(class, kind, native);
    record.observation.native = native.to_owned();
    record
}

#[test]
fn role_is_shared_by_whoever_names_it_and_whom_its_trust_names() {
    let uses = |kind, native| neighbour(named(kind, native), LinkKind::Uses, 100);
    let trusts = |kind, native, sure| neighbour(named(kind, native), LinkKind::Trusts, sure);
    let mail = "system:serviceaccount:mail:web";
    let account = "service-account";
    let shop = "acme/shop";
    for (incoming, outgoing, expected) in [
        (vec![], vec![], "clear"),
        (vec![uses(account, WEB)], vec![trusts(account, WEB, 100)], "clear"),
        (vec![uses(account, WEB), uses(account, mail)], vec![], "low/high"),
        (vec![uses(account, WEB)], vec![trusts("repository", shop, 95)], "low/high"),
        (vec![], vec![trusts("repository", shop, 90), trusts(account, WEB, 90)], "low/high"),
        (vec![], vec![trusts("repository", shop, 89), trusts(account, WEB, 90)], "clear"),
        (
            vec![],
            vec![
                trusts("environment", "acme/shop/environments/prod", 100),
                trusts("environment", "acme/shop/environments/dev", 100),
                trusts("repository", shop, 95),
            ],
            "clear",
        ),
        (vec![uses("iam-role", "arn:a"), uses("iam-role", "arn:b")], vec![], "clear"),
    ] {
        let mut case = Case::identity();
        case.around.incoming = incoming;
        case.around.outgoing = outgoing;
        case.check(SHARED, expected);
    }
}

#[test]
fn not_judged_as_shared() {
    for mut case in [Case::root(), Case::person(), Case::credential()] {
        case.around.incoming = vec![workload("a", Some("a")), workload("b", Some("b"))];
        case.check(SHARED, "not applicable");
    }
}

/// A service account that points to the role, and can present itself to it.
fn pointing() -> Case {
    let role = Endpoint::Native { place: PLACE.to_owned(), native: ARN.to_owned() };
    Case::of(account()).seen(|o| {
        o.links = vec![Link::new(LinkKind::Uses, role)];
        let (issuer, subject) = (ISSUER.to_owned(), WEB.to_owned());
        o.subjects = vec![FederatedSubject { issuer, subject }];
    })
}

fn role(links: Vec<Link>) -> Neighbour {
    let mut role = record(Class::Identity, "iam-role", "web");
    role.observation.native = ARN.to_owned();
    role.observation.links = links;
    neighbour(role, LinkKind::Uses, 100)
}

fn trust_in(issuer: &str, subjects: Option<&[&str]>) -> Link {
    let to = Endpoint::Federation { issuer: issuer.to_owned() };
    let trust = subjects.map(|subjects| Trust {
        subjects: subjects.iter().map(|s| (*s).to_owned()).collect(),
        audiences: Vec::new(),
        external_id: ExternalId::NotApplicable,
        narrowed_by: Vec::new(),
    });
    Link { trust, ..Link::new(LinkKind::Trusts, to) }
}

fn at_role(links: Vec<Link>) -> Case {
    let mut case = pointing();
    case.around.outgoing = vec![role(links)];
    case
}

#[test]
fn role_takes_the_identity_or_not() {
    let other = "https://token.actions.githubusercontent.com";
    for (links, expected) in [
        (vec![], "medium/high"),
        (vec![trust_in(ISSUER, Some(&[WEB]))], "clear"),
        (vec![trust_in(ISSUER, Some(&["system:serviceaccount:shop:*"]))], "clear"),
        (vec![trust_in(ISSUER, Some(&["system:serviceaccount:*:w?b"]))], "clear"),
        (vec![trust_in(ISSUER, Some(&[]))], "clear"),
        (vec![trust_in(ISSUER, Some(&["system:serviceaccount:shop:api"]))], "medium/high"),
        (vec![trust_in(ISSUER, Some(&["system:serviceaccount:shop:we"]))], "medium/high"),
        (vec![trust_in(ISSUER, Some(&["system:serviceaccount:shop:web2"]))], "medium/high"),
        (vec![trust_in(ISSUER, Some(&["system:serviceaccount:shop:w?"]))], "medium/high"),
        (vec![trust_in(other, Some(&[WEB]))], "medium/high"),
        (vec![trust_in(other, Some(&[WEB])), trust_in(ISSUER, Some(&[WEB]))], "clear"),
        (vec![Link::new(LinkKind::Trusts, Endpoint::Anyone)], "clear"),
        (
            vec![trust_in(ISSUER, None)],
            "unknown conditions of the trust of arn:aws:iam::123456789012:role/web",
        ),
        (vec![trust_in(ISSUER, None), trust_in(ISSUER, Some(&[WEB]))], "clear"),
    ] {
        at_role(links).check(BROKEN, expected);
    }
    let title = at_role(vec![]).violation(BROKEN).title;
    let expected = "service-account shop/web in aws:123456789012 points to \
                    arn:aws:iam::123456789012:role/web, which does not trust it";
    assert_eq!(title, expected);
}

#[test]
fn issuers_are_the_same_with_and_without_scheme_and_slash() {
    let bare = "oidc.eks.eu-west-1.amazonaws.com/id/ABC";
    for issuer in [ISSUER.to_owned(), bare.to_owned(), format!("{ISSUER}/"), format!("{bare}/")] {
        at_role(vec![trust_in(&issuer, Some(&[WEB]))]).check(BROKEN, "clear");
    }
    at_role(vec![trust_in("oidc.eks.eu-west-1.amazonaws.com/id/AB", Some(&[WEB]))])
        .check(BROKEN, "medium/high");
}

#[test]
fn one_subject_of_many_that_is_taken_is_enough() {
    let repository = |subject: &str| {
        let subject = subject.to_owned();
        at_role(vec![trust_in(ISSUER, Some(&["repo:acme/shop:environment:prod"]))])
            .seen(|o| o.subjects = vec![FederatedSubject { issuer: ISSUER.to_owned(), subject }])
    };
    repository("repo:acme/shop:*").check(BROKEN, "clear");
    repository("repo:acme/shop:environment:prod").check(BROKEN, "clear");
    repository("repo:acme/shop:environment:dev").check(BROKEN, "medium/high");
    repository("repo:acme/other:*").check(BROKEN, "medium/high");
}

#[test]
fn what_was_not_read_of_either_side_is_unknown() {
    let good = || at_role(vec![]);
    good().unread("subjects").check(BROKEN, "unknown subjects (iam:Read)");
    good().seen(|o| o.subjects.clear()).check(BROKEN, "unknown subjects");
    good().unread("links").check(BROKEN, "unknown links (iam:Read)");
    let mut case = good();
    let unread = &mut case.around.outgoing[0].record.observation.unread;
    unread.insert("links".to_owned(), "iam:Read".to_owned());
    let expected = "unknown trust of arn:aws:iam::123456789012:role/web (iam:Read)";
    case.check(BROKEN, expected);
}

fn roles_read(change: impl FnOnce(&mut ScopeState)) -> Case {
    let mut state = ScopeState { scope: Scope::new(PLACE, "roles"), ..scope() };
    change(&mut state);
    let mut case = pointing();
    case.around.scopes = vec![state];
    case
}

#[test]
fn role_is_missing_only_if_its_account_was_read_to_the_end_since() {
    let unread = "unknown the roles of aws:123456789012, read to the end";
    roles_read(|_| {}).check(BROKEN, "medium/high");
    roles_read(|_| {}).seen(|o| o.subjects.clear()).check(BROKEN, "medium/high");
    let title = roles_read(|_| {}).violation(BROKEN).title;
    assert!(title.ends_with("points to arn:aws:iam::123456789012:role/web, which does not exist"));
    // A second before the account got its annotation, the role may not have been there yet.
    let early = &format!("{unread} until 2d");
    roles_read(|s| s.last_complete_at = Some(second(-1))).check(BROKEN, early);
    roles_read(|s| s.as_of = Some(second(-1))).check(BROKEN, early);
    roles_read(|s| s.last_complete_at = None).check(BROKEN, early);
    roles_read(|s| s.coverage = Coverage::Sweeping { outstanding: 1 }).check(BROKEN, unread);
    roles_read(|s| s.coverage = Coverage::Held { would_remove: 1, of: 1 }).check(BROKEN, unread);
    let not_counted = "unknown the roles of aws:123456789012";
    pointing().check(BROKEN, not_counted);
    roles_read(|s| s.scope = Scope::new(PLACE, "users")).check(BROKEN, not_counted);
    roles_read(|s| s.scope = Scope::new("aws:999", "roles")).check(BROKEN, not_counted);
}

#[test]
fn next_reading_is_asked_for_after_twice_as_long_each_time() {
    let early = || roles_read(|s| s.last_complete_at = Some(second(-1)));
    let unread = "unknown the roles of aws:123456789012, read to the end";
    for (now, expected) in [
        (second(0), "until 0d+900s"),
        (second(900), "until 0d+1800s"),
        (second(1800), "until 0d+3600s"),
        (day(4), "until 8d"),
        (second(-5), "until 0d+895s"),
    ] {
        early().on(now).check(BROKEN, &format!("{unread} {expected}"));
    }
}

#[test]
fn broken_role_counts_more_than_one_that_is_not_known() {
    let second = |place: &str, arn: &str| {
        let to = Endpoint::Native { place: place.to_owned(), native: arn.to_owned() };
        Link { confidence: Confidence::percent(50), ..Link::new(LinkKind::Uses, to) }
    };
    let mut case = at_role(vec![trust_in(ISSUER, Some(&[WEB]))]);
    case.record.observation.links.push(second("aws-cn:999", "arn:x"));
    case.check(BROKEN, "unknown the roles of aws-cn:999");
    case.around.outgoing = vec![role(vec![])];
    case.check(BROKEN, "medium/high");
    // Only guessed which role it means.
    case.record.observation.links = vec![second(PLACE, ARN)];
    case.check(BROKEN, "medium/medium");
    // No ARN at all, wherever it may lead.
    case.record.observation.links = vec![second("aws", "web")];
    case.check(BROKEN, "medium/medium");
}

#[test]
fn who_points_to_no_role_cannot_be_broken() {
    Case::of(account()).check(BROKEN, "not applicable");
    for place in ["gcp", "azure", "awsome:1"] {
        let other = Endpoint::Native { place: place.to_owned(), native: "web@x".to_owned() };
        let case = Case::of(account()).seen(|o| o.links = vec![Link::new(LinkKind::Uses, other)]);
        case.check(BROKEN, "not applicable");
    }
    for case in [Case::person(), Case::credential()] {
        case.seen(|o| o.links = pointing().record.observation.links)
            .check(BROKEN, "not applicable");
    }
}
