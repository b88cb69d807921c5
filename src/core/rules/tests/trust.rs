//! `external-trust` and `broad-federated-trust`.
use headcount_sdk::model::{Affiliation, Endpoint, ExternalId, Link, LinkKind, Trust};

use super::*;

const GITHUB: &str = "https://token.actions.githubusercontent.com";
const EKS: &str = "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC";

fn trusts(to: Endpoint, trust: Option<Trust>) -> Link {
    Link { trust, ..Link::new(LinkKind::Trusts, to) }
}

fn account(place: &str, affiliation: Affiliation) -> Endpoint {
    Endpoint::Account { place: place.to_owned(), principal: None, affiliation }
}

fn external() -> Endpoint {
    account("aws:999", Affiliation::External)
}

fn conditions(external_id: ExternalId, narrowed_by: &[&str]) -> Trust {
    Trust {
        subjects: Vec::new(),
        audiences: Vec::new(),
        external_id,
        narrowed_by: narrowed_by.iter().map(|key| (*key).to_owned()).collect(),
    }
}

fn bare() -> Option<Trust> {
    Some(conditions(ExternalId::Absent, &[]))
}

fn with(links: Vec<Link>) -> Case {
    Case::identity().seen(|o| o.links = links)
}

#[test]
fn trust_in_accounts_by_affiliation_and_condition() {
    use {Affiliation as A, ExternalId as E};
    let narrowed = ["aws:PrincipalOrgID"];
    for (affiliation, trust, expected) in [
        (A::SameAccount, bare(), "clear"),
        (A::SameOrganization, bare(), "clear"),
        (A::External, bare(), "high/high"),
        (A::External, Some(conditions(E::Required, &[])), "medium/high"),
        (A::External, Some(conditions(E::NotApplicable, &[])), "medium/high"),
        (A::External, Some(conditions(E::Absent, &narrowed)), "medium/high"),
        (A::External, None, "medium/high"),
        (A::NotKnown, bare(), "high/medium"),
        (A::NotKnown, Some(conditions(E::Required, &[])), "medium/medium"),
        (A::NotKnown, Some(conditions(E::NotApplicable, &[])), "medium/medium"),
        (A::NotKnown, Some(conditions(E::Absent, &narrowed)), "medium/medium"),
        (A::NotKnown, None, "medium/medium"),
    ] {
        let case = with(vec![trusts(account("aws:999", affiliation), trust)]);
        case.check("external-trust", expected);
    }
}

#[test]
fn trust_in_everyone_by_condition() {
    for (trust, expected) in [
        (bare(), "critical/high"),
        (Some(conditions(ExternalId::NotApplicable, &[])), "critical/high"),
        (Some(conditions(ExternalId::Required, &[])), "medium/medium"),
        (Some(conditions(ExternalId::Absent, &["aws:SourceArn"])), "medium/medium"),
        (None, "critical/medium"),
    ] {
        with(vec![trusts(Endpoint::Anyone, trust)]).check("external-trust", expected);
    }
}

#[test]
fn trusted_accounts_are_not_reported() {
    let case = || with(vec![trusts(external(), bare())]);
    for entry in ["999", "aws:999"] {
        let case = case().set(|s| s.trusted_accounts = Some(vec![entry.to_owned()]));
        case.check("external-trust", "clear");
    }
    for entry in ["99", "gcp:999", "*", ""] {
        let case = case().set(|s| s.trusted_accounts = Some(vec![entry.to_owned()]));
        case.check("external-trust", "high/high");
    }
    let both = with(vec![
        trusts(external(), bare()),
        trusts(account("aws:888", Affiliation::External), bare()),
    ]);
    let both = both.set(|s| s.trusted_accounts = Some(vec!["999".to_owned()]));
    assert_eq!(
        both.violation("external-trust").title,
        "iam-role deploy in aws:123456789012 trusts aws:888 outside the organisation"
    );
}

#[test]
fn worst_of_several_openings_decides() {
    let case = with(vec![
        trusts(external(), Some(conditions(ExternalId::Required, &[]))),
        trusts(account("aws:888", Affiliation::NotKnown), bare()),
        trusts(external(), Some(conditions(ExternalId::Required, &[]))),
    ]);
    case.check("external-trust", "high/medium");
    assert_eq!(
        case.violation("external-trust").title,
        "iam-role deploy in aws:123456789012 trusts aws:888, perhaps outside the organisation, \
         aws:999 outside the organisation"
    );
}

#[test]
fn facts_name_the_principals_from_outside_and_no_others() {
    let named = |place: &str, affiliation| Endpoint::Account {
        place: place.to_owned(),
        principal: Some(format!("{place}:role/r")),
        affiliation,
    };
    let case = with(vec![
        trusts(named("aws:999", Affiliation::External), bare()),
        trusts(named("aws:111", Affiliation::SameOrganization), bare()),
        trusts(account("aws:888", Affiliation::External), bare()),
        trusts(Endpoint::Anyone, bare()),
    ]);
    let facts = case.violation("external-trust").facts;
    assert_eq!(facts["principals"], "*, aws:888, aws:999:role/r");
}

#[test]
fn order_of_links_changes_nothing() {
    let mut links = vec![
        trusts(external(), bare()),
        trusts(Endpoint::Anyone, None),
        trusts(account("aws:888", Affiliation::NotKnown), bare()),
    ];
    let forward = with(links.clone()).judge("external-trust");
    links.reverse();
    assert_eq!(forward, with(links).judge("external-trust"));
}

#[test]
fn only_trust_links_to_accounts_count_as_external_trust() {
    let other = |kind| Link { trust: bare(), ..Link::new(kind, external()) };
    with(vec![other(LinkKind::Uses), other(LinkKind::BelongsTo)]).check("external-trust", "clear");
    for to in [
        Endpoint::Service { name: "ec2.amazonaws.com".to_owned() },
        Endpoint::Dangling { native: "AROADEAD".to_owned() },
        Endpoint::Federation { issuer: GITHUB.to_owned() },
        Endpoint::Record { id: RecordId::new(PLACE, "iam-user", "x") },
    ] {
        with(vec![trusts(to, bare())]).check("external-trust", "clear");
    }
    with(vec![]).check("external-trust", "clear");
}

#[test]
fn unread_links_are_unknown_and_vendors_own_roles_exempt() {
    let anyone = || with(vec![trusts(Endpoint::Anyone, bare())]);
    for rule in ["external-trust", "broad-federated-trust"] {
        anyone().unread("links").check(rule, "unknown links (iam:Read)");
        for class in ["service-linked", "identity-center"] {
            anyone().trust_class(class).check(rule, "not applicable");
        }
        let link = trusts(Endpoint::Anyone, bare());
        Case::person().seen(|o| o.links = vec![link.clone()]).check(rule, "not applicable");
        Case::credential().seen(|o| o.links = vec![link]).check(rule, "not applicable");
    }
}

fn federated(issuer: &str, subjects: &[&str], audiences: &[&str], narrowed_by: &[&str]) -> Case {
    let own = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
    let trust = Trust {
        subjects: own(subjects),
        audiences: own(audiences),
        external_id: ExternalId::NotApplicable,
        narrowed_by: own(narrowed_by),
    };
    with(vec![trusts(Endpoint::Federation { issuer: issuer.to_owned() }, Some(trust))])
}

const STS: &[&str] = &["sts.amazonaws.com"];

#[test]
fn subject_patterns_by_breadth() {
    for (issuer, pattern, broad) in [
        (GITHUB, "*", true),
        (GITHUB, "**", true),
        (GITHUB, "repo:*", true),
        (GITHUB, "repo:acme/*", true),
        (GITHUB, "repo:acme/*:*", true),
        (GITHUB, "repo:acme/*:ref:refs/heads/main", true),
        (GITHUB, "repo:acme/?*:*", true),
        (GITHUB, "repo:acme*", true),
        (GITHUB, "repo:acme*/site:*", true),
        (GITHUB, "repo:*/site:*", true),
        (GITHUB, "re*:acme/site:*", true),
        (GITHUB, "*:environment:prod", true),
        (GITHUB, "*acme", true),
        (GITHUB, "repo:acme/site:*", false),
        (GITHUB, "repo:acme/site-*:ref:refs/heads/main", false),
        (GITHUB, "repo:acme/site:environment:prod", false),
        (GITHUB, "repo:acme/site:ref:refs/tags/*", false),
        ("https://gitlab.com", "project_path:group/*:ref_type:branch:ref:main", true),
        ("https://gitlab.com", "project_path:group/app:ref_type:branch:ref:*", false),
        ("https://app.terraform.io", "organization:*:project:p:workspace:w:run_phase:*", true),
        ("https://app.terraform.io", "organization:o:project:p:workspace:w:run_phase:*", false),
        (EKS, "system:serviceaccount:*:*", true),
        (EKS, "system:serviceaccount:shop:*", true),
        (EKS, "system:serviceaccount:shop:web-?", true),
        (EKS, "system:serviceaccount:shop:web", false),
        ("https://k8s.example.com", "system:serviceaccount:shop:*", true),
        ("https://k8s.example.com", "system:serviceaccount:shop:web", false),
        ("https://issuer.example.com", "job-7", false),
        ("https://issuer.example.com", "job-*", false),
    ] {
        let expected = if broad { "high/high" } else { "clear" };
        federated(issuer, &[pattern], STS, &[]).check("broad-federated-trust", expected);
    }
}

#[test]
fn subject_audience_and_other_conditions() {
    let exact = "repo:acme/site:environment:prod";
    let other = ["token.actions.githubusercontent.com:repository_id"];
    for (subjects, audiences, narrowed_by, expected) in [
        (vec![], STS, &[][..], "high/high"),
        (vec![], STS, &other[..], "medium/medium"),
        (vec![], &[][..], &[][..], "high/high"),
        (vec!["repo:*"], STS, &other[..], "medium/medium"),
        (vec![exact, "repo:*"], STS, &[][..], "high/high"),
        (vec![exact], STS, &[][..], "clear"),
        (vec![exact], &[][..], &[][..], "low/high"),
        (vec![exact], &[][..], &other[..], "low/high"),
    ] {
        let case = federated(GITHUB, &subjects, audiences, narrowed_by);
        case.check("broad-federated-trust", expected);
    }
}

#[test]
fn broad_trust_names_issuer_and_patterns() {
    let violation = federated(GITHUB, &["repo:b/*", "repo:a/x:*", "repo:a/*"], STS, &[])
        .violation("broad-federated-trust");
    assert_eq!(
        violation.title,
        "iam-role deploy in aws:123456789012 trusts repo:a/*, repo:b/* \
         of https://token.actions.githubusercontent.com"
    );
    assert_eq!(violation.facts["subjects"], "repo:a/*, repo:a/x:*, repo:b/*");
    assert_eq!(violation.facts["issuers"], GITHUB);
    let any = federated(EKS, &[], STS, &[]).violation("broad-federated-trust").title;
    assert_eq!(any, format!("iam-role deploy in {PLACE} trusts any subject of {EKS}"));
}

#[test]
fn worst_of_several_broad_trusts_decides() {
    let narrowed = federated(EKS, &[], STS, &["oidc:ns"]).record.observation.links;
    let unheard = federated(EKS, &["system:serviceaccount:a:b"], &[], &[]).record.observation.links;
    let mut case = federated(GITHUB, &["repo:*"], STS, &[]);
    case.record.observation.links.extend(narrowed);
    case.record.observation.links.extend(unheard);
    case.check("broad-federated-trust", "high/high");
    case.record.observation.links.remove(0);
    case.check("broad-federated-trust", "medium/medium");
    assert_eq!(
        case.violation("broad-federated-trust").title,
        format!("iam-role deploy in {PLACE} trusts any audience of {EKS}, any subject of {EKS}")
    );
}

#[test]
fn identity_pool_is_named_by_its_audience() {
    let pool = "cognito-identity.amazonaws.com";
    federated(pool, &[], &["eu-west-1:pool"], &[]).check("broad-federated-trust", "clear");
    federated(pool, &[], &[], &[]).check("broad-federated-trust", "low/high");
}

#[test]
fn conditions_that_were_not_stated_are_unknown() {
    let unstated = || trusts(Endpoint::Federation { issuer: EKS.to_owned() }, None);
    let unknown = format!("unknown conditions of the trust in {EKS}");
    with(vec![unstated()]).check("broad-federated-trust", &unknown);
    let mut case = federated(GITHUB, &["repo:*"], STS, &[]).seen(|o| o.links.push(unstated()));
    case.check("broad-federated-trust", "high/high");
    case.record.observation.links.remove(0);
    case.check("broad-federated-trust", &unknown);
}

#[test]
fn saml_and_other_trust_is_not_federated_by_subject() {
    let saml = "arn:aws:iam::123456789012:saml-provider/corp";
    federated(saml, &[], &[], &[]).check("broad-federated-trust", "not applicable");
    with(vec![]).check("broad-federated-trust", "not applicable");
    with(vec![trusts(external(), bare())]).check("broad-federated-trust", "not applicable");
}
