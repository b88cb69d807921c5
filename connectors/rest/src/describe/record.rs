//! What an item of an answer becomes: the mapping to a record.

use std::collections::BTreeMap;

use headcount_sdk::model::{Class, Level, LinkKind, NatureKind, OwnerBasis, OwnerKind};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::expr::{Expr, Template};

/// What an item is recorded as.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordOf {
    /// In kebab case: `api-token`. Part of the record's id, so it never changes.
    pub kind: String,
    pub class: Class,
    pub about: String,
    /// Which items are of this kind; left out, all.
    #[serde(default)]
    pub when: Option<Expr>,
    /// Rows of lookups: expressions below see them by these names, `null` where there is none.
    #[serde(default)]
    pub with: BTreeMap<String, WithRow>,
    /// An immutable id that the vendor never re-uses. Never a name.
    pub key: Expr,
    pub name: Expr,
    /// The vendor's handle, to paste into its console; left out, the key.
    #[serde(default)]
    pub native: Option<Expr>,
    /// The identity that a credential or grant belongs to.
    #[serde(default)]
    pub parent: Option<RecordRef>,
    /// `'active'`, `'disabled'` or `'unknown'`. Left out where the source does not say.
    #[serde(default)]
    pub status: Option<Expr>,
    /// A time in RFC 3339, or null where the source does not tell.
    #[serde(default)]
    pub created_at: Option<Expr>,
    pub expiry: ExpiryOf,
    /// The first case that fits. The last has no condition.
    pub usage: Vec<UsageCase>,
    /// The first case that fits; none = not judged.
    #[serde(default)]
    pub privilege: Vec<PrivilegeCase>,
    #[serde(default)]
    pub nature: Option<NatureOf>,
    #[serde(default)]
    pub owners: Vec<OwnerOf>,
    #[serde(default)]
    pub purpose: Option<PurposeOf>,
    #[serde(default)]
    pub links: Vec<LinkOf>,
    /// Facts by a stable name. Null leaves one out; a list is sorted and joined with commas.
    #[serde(default)]
    pub attributes: BTreeMap<String, Expr>,
    /// An object of texts: tags and labels as people wrote them.
    #[serde(default)]
    pub labels: Option<Expr>,
}

/// A row of a lookup.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WithRow {
    pub lookup: String,
    /// Null finds nothing.
    pub key: Expr,
}

/// A record of the same place.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordRef {
    pub kind: String,
    /// As that record's `key`; null = there is none.
    pub key: Expr,
}

/// When a record ends by itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpiryOf {
    /// A time in RFC 3339, or null.
    #[serde(default)]
    pub at: Option<Expr>,
    /// What it means when there is no time.
    pub otherwise: ExpiryOtherwise,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpiryOtherwise {
    Never,
    NotApplicable,
    Unknown,
}

/// One case of use. Exactly one of the three outcomes stands in it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageCase {
    #[serde(default)]
    pub when: Option<Expr>,
    #[serde(default)]
    pub last_used: Option<UsageAt>,
    #[serde(default)]
    pub never_since: Option<UsageSince>,
    /// Why nobody can tell.
    #[serde(default)]
    pub not_observable: Option<String>,
}

/// The latest use that the source tells.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageAt {
    /// A time in RFC 3339.
    pub at: Expr,
    /// How coarse it is.
    pub resolution_secs: u32,
    /// How far the source may lag behind.
    pub lag_secs: u32,
}

/// Not used since the source began to record use of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageSince {
    /// A time in RFC 3339: the later of the record's creation and the begin of recording.
    pub since: Expr,
    pub lag_secs: u32,
}

/// One case of privilege.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivilegeCase {
    #[serde(default)]
    pub when: Option<Expr>,
    pub level: Level,
    /// The fact that decided, for people.
    pub reason: Template,
}

/// Person or machine. The class of the record must fit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NatureOf {
    pub kind: NatureKind,
    pub basis: String,
    #[schemars(range(min = 1, max = 100))]
    pub confidence: u8,
}

/// One hint at an owner.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnerOf {
    /// A text or a list of texts; null and empty ones are passed over.
    #[serde(rename = "ref")]
    pub reference: Expr,
    pub basis: OwnerBasis,
    /// Where it was read, e.g. `field:created_by`.
    pub locator: String,
    pub kind: OwnerKind,
    /// `'present'`, `'left'` or `'not_known'`.
    #[serde(default)]
    pub standing: Option<Expr>,
}

/// What a record is for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PurposeOf {
    /// A text, or null.
    pub text: Expr,
    pub locator: String,
}

/// A typed edge.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkOf {
    pub kind: LinkKind,
    #[serde(default)]
    pub when: Option<Expr>,
    pub to: TargetOf,
}

/// The far end of a link. A null leaves the link out; a list makes one link each.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TargetOf {
    Record(RecordRef),
    /// A record of another place, by its vendor's handle.
    Native {
        place: Template,
        native: Expr,
    },
    /// An identity provider's issuer URL.
    Federation {
        issuer: Expr,
    },
    Service {
        name: Expr,
    },
}
