//! Who is said to own a record, and what it is said to be for: tags, free text, path, stack.
//!
//! Collects claims and weighs none of them. Values that stand for "nobody" are not claims.

use std::collections::BTreeMap;

use headcount_sdk::owner::{self, Keys, names_someone};
use headcount_sdk::{OwnerBasis, OwnerEvidence, Purpose};

/// Written by CloudFormation on what it makes.
const STACK_TAG: &str = "aws:cloudformation:stack-name";

/// Path segments that sort records by what they are and not by whose they are.
const GENERIC_SEGMENTS: &[&str] = &[
    "app",
    "application",
    "applications",
    "apps",
    "automation",
    "aws-reserved",
    "aws-service-role",
    "bot",
    "bots",
    "cdk",
    "ci",
    "cicd",
    "delegatedadmin",
    "dev",
    "employees",
    "external",
    "human",
    "humans",
    "iam",
    "infra",
    "infrastructure",
    "internal",
    "machine",
    "machines",
    "people",
    "prod",
    "production",
    "project",
    "projects",
    "robots",
    "role",
    "roles",
    "service",
    "service-role",
    "services",
    "staging",
    "svc",
    "system",
    "team",
    "teams",
    "terraform",
    "test",
    "user",
    "users",
];

/// Keys under which a tag names an owner or a purpose.
#[derive(Clone, Debug)]
pub(crate) struct TagKeys {
    owner: Keys,
    purpose: Keys,
}

impl TagKeys {
    pub(crate) fn new(owner: &[String], purpose: &[String]) -> Self {
        Self { owner: Keys::new(owner), purpose: Keys::new(purpose) }
    }
}

/// AWS's own tags are not a company's.
fn listed(keys: &Keys, key: &str) -> bool {
    !key.starts_with("aws:") && keys.has(key)
}

/// Claims in tags, path and description, in a stable order.
pub(crate) fn evidence(
    keys: &TagKeys,
    tags: &BTreeMap<String, String>,
    path: &str,
    description: Option<&str>,
) -> Vec<OwnerEvidence> {
    let mut found: Vec<OwnerEvidence> = tags
        .iter()
        .filter(|(key, value)| listed(&keys.owner, key) && names_someone(value))
        .map(|(key, value)| OwnerEvidence {
            kind: owner::kind_of(key),
            ..owner::claim(value, OwnerBasis::Label, &format!("tag:{key}"))
        })
        .collect();
    if let Some(stack) = tags.get(STACK_TAG).filter(|stack| names_someone(stack)) {
        found.push(owner::claim(stack, OwnerBasis::Stack, "cloudformation:stack-name"));
    }
    if let Some(named) = description.and_then(named_in) {
        found.push(owner::claim(named, OwnerBasis::Description, "description"));
    }
    if let Some(segment) = telling_segment(path) {
        found.push(owner::claim(segment, OwnerBasis::Path, "path"));
    }
    found
}

/// The first segment of a path that could be somebody's: `/services/team-payments/` →
/// `team-payments`.
fn telling_segment(path: &str) -> Option<&str> {
    if path.starts_with("/aws-service-role/") || path.starts_with("/aws-reserved/") {
        return None;
    }
    path.split('/').find(|segment| {
        segment.len() > 1 && !GENERIC_SEGMENTS.contains(&segment.to_ascii_lowercase().as_str())
    })
}

/// An owner in free text: `Owner: team-payments`, `owned by Ana Silva`, or an e-mail address.
fn named_in(text: &str) -> Option<&str> {
    // Only ASCII letters are folded, so that offsets stay those of `text`.
    let lower = text.to_ascii_lowercase();
    for marker in
        ["owner:", "owner=", "owner is ", "owned by ", "maintained by ", "contact:", "team:"]
    {
        let Some(at) = lower.find(marker) else { continue };
        let starts_word = !lower[..at].ends_with(|c: char| c.is_alphanumeric());
        let rest = text[at + marker.len()..].trim_start();
        let end = rest.find([',', ';', '.', '(', ')', '\n', '|']).unwrap_or(rest.len());
        // An address has dots in it; a sentence ends at one.
        let named = if rest[..rest.find(char::is_whitespace).unwrap_or(rest.len())].contains('@') {
            email(rest)?
        } else {
            rest[..end].trim()
        };
        if starts_word && !named.is_empty() && named.len() <= 64 && names_someone(named) {
            return Some(named);
        }
    }
    email(text)
}

fn email(text: &str) -> Option<&str> {
    text.split(|c: char| c.is_whitespace() || "<>(),;\"'".contains(c))
        .map(|word| word.trim_start_matches("mailto:").trim_end_matches(['.', ':']))
        .find(|word| is_email(word))
}

pub(crate) fn is_email(word: &str) -> bool {
    word.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && domain.contains('.')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
            && !domain.contains('@')
    })
}

/// What the record is for: a purpose tag, else its description.
pub(crate) fn purpose(
    keys: &TagKeys,
    tags: &BTreeMap<String, String>,
    description: Option<&str>,
) -> Option<Purpose> {
    let tagged = tags
        .iter()
        .find(|(key, value)| listed(&keys.purpose, key) && names_someone(value))
        .map(|(key, value)| (value.as_str(), format!("tag:{key}")));
    let described = || {
        description.filter(|text| names_someone(text)).map(|text| (text, "description".to_owned()))
    };
    tagged
        .or_else(described)
        .map(|(text, locator)| Purpose { text: text.trim().to_owned(), locator })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::default_purpose_tags;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn found(pairs: &[(&str, &str)], path: &str, description: Option<&str>) -> Vec<String> {
        let keys = TagKeys::new(&owner::default_keys(), &default_purpose_tags());
        evidence(&keys, &tags(pairs), path, description)
            .into_iter()
            .map(|e| format!("{} {} {}", e.basis.as_str(), e.locator, e.reference))
            .collect()
    }

    #[test]
    fn owner_tags_are_found_in_any_spelling() {
        for key in
            ["owner", "Owner", "OWNER", "owner-email", "OwnerEmail", "acme:owner", "acme/Team"]
        {
            assert_eq!(found(&[(key, " ana ")], "/", None), [format!("label tag:{key} ana")]);
        }
        assert!(
            found(&[("aws:owner", "x"), ("ownership", "x"), ("downer", "x")], "/", None).is_empty()
        );
    }

    #[test]
    fn a_tag_that_names_nobody_is_no_claim() {
        for value in ["", " ", "N/A", "none", "TBD", "unknown", "-"] {
            assert!(found(&[("owner", value)], "/", None).is_empty(), "{value}");
        }
    }

    #[test]
    fn stack_description_and_path_are_weaker_claims() {
        assert_eq!(
            found(
                &[("aws:cloudformation:stack-name", "billing-prod")],
                "/services/team-payments/",
                Some("Exports invoices. Owner: finance-eng, ask first")
            ),
            [
                "stack cloudformation:stack-name billing-prod",
                "description description finance-eng",
                "path path team-payments"
            ]
        );
        for path in ["/", "/service-role/", "/aws-service-role/ecs.amazonaws.com/", "/apps/prod/"] {
            assert!(found(&[], path, None).is_empty(), "{path}");
        }
    }

    #[test]
    fn free_text_names_an_owner_only_in_a_recognisable_form() {
        let rows = [
            ("Owned by Ana Silva", Some("Ana Silva")),
            ("deploys; owner=ana@example.com.", Some("ana@example.com")),
            ("Ask <platform@example.com> before use", Some("platform@example.com")),
            ("Über-Rolle, owner: Müller", Some("Müller")),
            ("homeowner: yes", None),
            ("owner: none", None),
            ("owner:", None),
            ("Allows Lambda to write logs", None),
            ("user@host", None),
        ];
        for (text, expected) in rows {
            assert_eq!(named_in(text), expected, "{text}");
        }
    }

    #[test]
    fn purpose_comes_from_its_tag_before_the_description() {
        let keys = TagKeys::new(&owner::default_keys(), &default_purpose_tags());
        let tagged = purpose(&keys, &tags(&[("Purpose", "nightly export")]), Some("other"));
        assert_eq!(
            tagged.map(|p| (p.text, p.locator)),
            Some(("nightly export".into(), "tag:Purpose".into()))
        );
        let described = purpose(&keys, &tags(&[]), Some("Exports invoices"));
        assert_eq!(described.map(|p| p.locator), Some("description".into()));
        assert_eq!(purpose(&keys, &tags(&[]), Some(" ")), None);
    }
}
