//! Trust policies into links: who may become a role, under which conditions.
//!
//! Pure. A document that is not understood yields an error, never "trusts nobody". `Deny`
//! statements are not subtracted: they are named among what narrows a trust.
//! Grammar: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>.

mod conditions;

use std::collections::{BTreeMap, BTreeSet};

use headcount_sdk::{Affiliation, Endpoint, ExternalId, Link, LinkKind, RecordId, Trust};
use serde_json::Value;

use self::conditions::Conditions;
use crate::id::{Place, is_account};
use crate::policy::{self, Effect};

/// Actions by which somebody becomes the role. `sts:TagSession` and its like only accompany them.
const BECOMING: &[&str] =
    &["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"];

/// What is known around an account when its trust policies are read.
pub(crate) struct Surroundings<'a> {
    pub(crate) place: &'a Place,
    /// All accounts of the organisation; `None` when they were not listed.
    pub(crate) members: Option<&'a BTreeSet<String>>,
    /// Users and roles of this account by ARN.
    pub(crate) records: &'a BTreeMap<String, RecordId>,
}

/// What a trust policy says.
#[derive(Debug, PartialEq)]
pub(crate) struct TrustPolicy {
    /// One link per principal and statement.
    pub(crate) links: Vec<Link>,
    /// What kinds of principals are trusted, sorted.
    pub(crate) classes: BTreeSet<&'static str>,
}

/// Reads a trust policy. The error says what was not understood.
pub(crate) fn read(document: &str, around: &Surroundings<'_>) -> Result<TrustPolicy, &'static str> {
    let document = policy::parse_document(document).ok_or("not a JSON document")?;
    let statements = policy::statements(&document).ok_or("no statements")?;
    let mut trusts = TrustPolicy { links: Vec::new(), classes: BTreeSet::new() };
    let mut denials = BTreeSet::new();
    for statement in statements {
        match policy::effect(statement).ok_or("a statement without a known effect")? {
            Effect::Allow => allow(statement, around, &mut trusts)?,
            Effect::Deny => denials.extend(denial(statement)?),
        }
    }
    for trust in trusts.links.iter_mut().filter_map(|link| link.trust.as_mut()) {
        trust.narrowed_by.extend(denials.iter().cloned());
        trust.narrowed_by.sort_unstable();
        trust.narrowed_by.dedup();
    }
    Ok(trusts)
}

fn allow(
    statement: &Value,
    around: &Surroundings<'_>,
    trusts: &mut TrustPolicy,
) -> Result<(), &'static str> {
    if !lets_become(statement)? {
        return Ok(());
    }
    let conditions = Conditions::read(policy::field(statement, "Condition"))?;
    for principal in principals(statement)? {
        let (endpoint, class) = endpoint(&principal, around);
        let trust = conditions.apply(&endpoint);
        trusts.classes.insert(class);
        trusts.links.push(Link { trust: Some(trust), ..Link::new(LinkKind::Trusts, endpoint) });
    }
    Ok(())
}

fn lets_become(statement: &Value) -> Result<bool, &'static str> {
    let covers = |patterns: &[&str], action: &&str| {
        patterns.iter().any(|pattern| policy::matches(pattern, action))
    };
    if let Some(actions) = policy::field(statement, "Action") {
        let patterns = policy::strings(actions).ok_or("an action")?;
        return Ok(BECOMING.iter().any(|action| covers(&patterns, action)));
    }
    let excluded = policy::field(statement, "NotAction").ok_or("a statement without actions")?;
    let patterns = policy::strings(excluded).ok_or("an action")?;
    Ok(BECOMING.iter().any(|action| !covers(&patterns, action)))
}

/// The condition keys of a `Deny`, or that it has none.
fn denial(statement: &Value) -> Result<Vec<String>, &'static str> {
    let keys = Conditions::read(policy::field(statement, "Condition"))?.keys();
    if keys.is_empty() {
        return Ok(vec!["deny statement".to_owned()]);
    }
    Ok(keys.into_iter().map(|key| format!("deny on {key}")).collect())
}

#[derive(Debug)]
enum Principal<'a> {
    Anyone,
    Aws(&'a str),
    Service(&'a str),
    Federated(&'a str),
    Other(&'a str),
}

fn principals(statement: &Value) -> Result<Vec<Principal<'_>>, &'static str> {
    if policy::field(statement, "NotPrincipal").is_some() {
        // Everybody but the ones named.
        return Ok(vec![Principal::Anyone]);
    }
    let principal = policy::field(statement, "Principal").ok_or("a statement without principal")?;
    let kinds = match principal {
        Value::String(text) if text == "*" => return Ok(vec![Principal::Anyone]),
        Value::Object(kinds) => kinds,
        _ => return Err("a principal"),
    };
    let mut found = Vec::new();
    for (kind, names) in kinds {
        for name in policy::strings(names).ok_or("a principal")? {
            found.push(match kind.as_str() {
                _ if name == "*" => Principal::Anyone,
                "AWS" => Principal::Aws(name),
                "Service" => Principal::Service(name),
                "Federated" => Principal::Federated(name),
                _ => Principal::Other(name),
            });
        }
    }
    Ok(found)
}

fn endpoint(principal: &Principal<'_>, around: &Surroundings<'_>) -> (Endpoint, &'static str) {
    match *principal {
        Principal::Anyone => (Endpoint::Anyone, "anyone"),
        Principal::Aws(name) => aws(name, around),
        Principal::Service(name) => (Endpoint::Service { name: name.to_owned() }, service(name)),
        Principal::Federated(name) => federated(name),
        Principal::Other(name) => (Endpoint::Dangling { native: name.to_owned() }, "unknown"),
    }
}

fn aws(name: &str, around: &Surroundings<'_>) -> (Endpoint, &'static str) {
    if let Some(id) = around.records.get(name) {
        return (Endpoint::Record { id: id.clone() }, "same-account");
    }
    let far = if is_account(name) {
        Some((Place::new(around.place.partition(), name), None))
    } else {
        let whole = name.ends_with(":root");
        Place::of_arn(name).map(|place| (place, (!whole).then(|| name.to_owned())))
    };
    let Some((place, principal)) = far else {
        // AWS shows the unique id of a principal that was deleted
        // (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html).
        return (Endpoint::Dangling { native: name.to_owned() }, "dangling");
    };
    let affiliation = affiliation(&place, around);
    let class =
        if affiliation == Affiliation::SameAccount { "same-account" } else { "cross-account" };
    (Endpoint::Account { place: place.to_string(), principal, affiliation }, class)
}

fn affiliation(far: &Place, around: &Surroundings<'_>) -> Affiliation {
    if far.account() == around.place.account() {
        return Affiliation::SameAccount;
    }
    match around.members {
        Some(members) if members.contains(far.account()) => Affiliation::SameOrganization,
        Some(_) => Affiliation::External,
        None => Affiliation::NotKnown,
    }
}

fn service(name: &str) -> &'static str {
    match name {
        "pods.eks.amazonaws.com" => "pod-identity",
        "rolesanywhere.amazonaws.com" => "roles-anywhere",
        _ => "service",
    }
}

fn federated(name: &str) -> (Endpoint, &'static str) {
    match name.split_once(":oidc-provider/") {
        Some((_, issuer)) => (Endpoint::Federation { issuer: format!("https://{issuer}") }, "oidc"),
        None if name.contains(":saml-provider/") => {
            (Endpoint::Federation { issuer: name.to_owned() }, "saml")
        }
        // Cognito, Google, Amazon and Facebook are named by host.
        None => (Endpoint::Federation { issuer: format!("https://{name}") }, "oidc"),
    }
}

/// One word for a role: what trusts it, by its path or principals.
pub(crate) fn class(
    path: &str,
    classes: &BTreeSet<&'static str>,
    has_profile: bool,
) -> &'static str {
    if path.starts_with("/aws-service-role/") {
        return "service-linked";
    }
    if path.starts_with("/aws-reserved/sso.amazonaws.com/") {
        return "identity-center";
    }
    let mut words = classes.iter();
    match (words.next(), words.next()) {
        (None, _) => "nobody",
        (Some(&"service"), None) if has_profile => "instance-profile",
        (Some(one), None) => one,
        (Some(_), Some(_)) => "mixed",
    }
}

/// The rest of a trust that says nothing about tokens or external ids.
fn plain(narrowed_by: Vec<String>) -> Trust {
    Trust {
        subjects: Vec::new(),
        audiences: Vec::new(),
        external_id: ExternalId::NotApplicable,
        narrowed_by,
    }
}

#[cfg(test)]
mod tests;
