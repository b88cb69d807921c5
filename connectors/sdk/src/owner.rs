//! What connectors share in collecting owner evidence: the words that name an owner, and the words
//! that name nobody. Weighing the evidence is the agent's.

use crate::model::{OwnerBasis, OwnerEvidence, OwnerKind, Standing};

/// What people write where an owner belongs when there is none. Compared without case.
const NOBODY: [&str; 14] = [
    "-",
    "--",
    "?",
    "n/a",
    "na",
    "nobody",
    "none",
    "null",
    "nil",
    "tbd",
    "todo",
    "unassigned",
    "undefined",
    "unknown",
];

/// Keys of tags, labels and properties that name an owner, unless configuration says otherwise.
pub const DEFAULT_KEYS: [&str; 24] = [
    "owner",
    "owner-email",
    "owner-name",
    "owned-by",
    "owner-team",
    "owning-team",
    "team",
    "team-name",
    "squad",
    "service-owner",
    "system-owner",
    "application-owner",
    "app-owner",
    "technical-owner",
    "tech-owner",
    "business-owner",
    "product-owner",
    "data-owner",
    "contact",
    "contact-email",
    "maintainer",
    "maintained-by",
    "responsible",
    "steward",
];

/// [`DEFAULT_KEYS`] as a setting holds them.
#[must_use]
pub fn default_keys() -> Vec<String> {
    DEFAULT_KEYS.map(str::to_owned).into()
}

/// Whether text names anyone at all. `Owner: TBD` must not hide that nobody is named.
#[must_use]
pub fn names_someone(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && !NOBODY.iter().any(|nobody| text.eq_ignore_ascii_case(nobody))
}

/// A list of keys, compared without case and punctuation: `Owner-Email`, `owner_email` and
/// `OwnerEmail` are one key.
#[derive(Clone, Debug)]
pub struct Keys(Vec<String>);

impl Keys {
    #[must_use]
    pub fn new(keys: &[String]) -> Self {
        Self(keys.iter().map(|key| fold(key)).collect())
    }

    /// Whether the key is listed, as a whole or behind a company's prefix (`acme:owner`,
    /// `acme.com/owner`).
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        let last = key.rsplit([':', '/']).next().unwrap_or(key);
        [fold(key), fold(last)].iter().any(|folded| self.0.contains(folded))
    }
}

fn fold(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a key speaks of a business owner or of a technical one.
#[must_use]
pub fn kind_of(key: &str) -> OwnerKind {
    let folded = fold(key);
    let business = ["business", "product", "cost"].iter().any(|word| folded.contains(word));
    if business { OwnerKind::Business } else { OwnerKind::Technical }
}

/// A claim to technical ownership by someone of whom nothing more is known.
#[must_use]
pub fn claim(reference: &str, basis: OwnerBasis, locator: &str) -> OwnerEvidence {
    OwnerEvidence {
        reference: reference.trim().to_owned(),
        basis,
        locator: locator.to_owned(),
        kind: OwnerKind::Technical,
        standing: Standing::NotKnown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_compared_without_case_punctuation_and_prefix() {
        let keys = Keys::new(&default_keys());
        for key in ["owner", "Owner", "OWNER_EMAIL", "ownerEmail", "acme:owner", "acme.com/team"] {
            assert!(keys.has(key), "{key}");
        }
        for key in ["ownership", "own", "acme.com", "cost-centre"] {
            assert!(!keys.has(key), "{key}");
        }
    }

    #[test]
    fn placeholders_name_nobody() {
        for text in ["", "  ", "TBD", "n/a", " none ", "--"] {
            assert!(!names_someone(text), "{text:?}");
        }
        assert!(names_someone("team-payments"));
    }

    #[test]
    fn business_owners_are_told_by_their_key() {
        assert_eq!(kind_of("Business-Owner"), OwnerKind::Business);
        assert_eq!(kind_of("owner"), OwnerKind::Technical);
    }
}
