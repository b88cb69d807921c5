//! The page that describes a source: what is called, in which order, and what its answers mean.
//!
//! These types are the format; their comments are its reference and stand in the JSON Schema.
//! Only what [`load`] lets through exists as a [`Description`]: whoever holds one need not check
//! again. Start at [`Description`], then [`ScopeOf`] and [`RecordOf`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::expr::{Expr, Template};

mod auth;
mod check;
mod load;
mod paging;
mod record;

pub use self::auth::{
    Auth, AuthKind, ClientCredentials, ClientSecretIn, Grant, Header, SignedJwt, SigningAlgorithm,
};
pub use self::load::{LoadError, load, schema};
pub use self::paging::{Paging, TokenIn};
pub use self::record::{
    ExpiryOf, ExpiryOtherwise, LinkOf, NatureOf, OwnerOf, PrivilegeCase, PurposeOf, RecordOf,
    RecordRef, TargetOf, UsageAt, UsageCase, UsageSince, WithRow,
};

/// A described source.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// A noun of the service in kebab case: `okta`. Places and record ids begin with it, so it
    /// never changes.
    pub name: String,
    /// The name that people know.
    pub title: String,
    /// What is read, in a sentence or two.
    pub about: String,
    /// Values that a configured source must give; expressions see them as `settings.NAME`.
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
    /// Where the API is: `https://${settings.domain}`.
    pub base_url: Template,
    /// Which tenant is read.
    pub place: PlaceOf,
    /// Ways to prove who asks. The first is used unless the source names another.
    pub auth: Vec<Auth>,
    /// Headers of every request that are no secret, e.g. the version of the API.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Names of fields that may hold secret values, at any depth. The parser drops them.
    pub deny: Vec<String>,
    #[serde(default)]
    pub limits: Pace,
    /// Headers in which the source tells what is left of its quota.
    #[serde(default)]
    pub rate_limit: Option<RateLimit>,
    /// A field of each answer that says whether the call worked, for APIs whose status does not.
    #[serde(default)]
    pub success: Option<Success>,
    /// What failures mean, before the rules that always hold: 401 and 403 are `denied`, 429 is
    /// `throttled`, everything else is `unavailable`.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// The calls, by the vendor's name for them.
    pub operations: BTreeMap<String, Operation>,
    /// What is read, in this order.
    pub scopes: Vec<ScopeOf>,
    /// How the permissions of the operations are written, and in which form the vendor wants
    /// them.
    #[serde(default)]
    pub permission_form: PermissionForm,
    /// Calls per scan as a formula, its symbols explained.
    pub call_budget: String,
    /// Blind spots in full sentences. There always is one.
    pub cannot_see: Vec<String>,
}

/// How permissions are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PermissionForm {
    /// Names of permissions, as the vendor has them.
    #[default]
    Names,
    /// `CAPABILITY, CAPABILITY on PATH`, or `none`: a policy of Vault is made of them.
    VaultPolicy,
}

/// A value that the configured source must give.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    pub about: String,
    pub example: String,
    /// Taken when the source gives none; without it the setting is required.
    #[serde(default)]
    pub default: Option<String>,
}

/// How the tenant is told from others of its kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceOf {
    /// Read once per place and scan; its answer is `answer` in `id`.
    #[serde(default)]
    pub operation: Option<String>,
    /// What follows the name in places: an immutable id of the tenant.
    pub id: Template,
}

/// What a source may be asked for, at most.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    /// Calls in flight at once.
    #[schemars(range(min = 1, max = 10))]
    pub concurrency: u32,
    /// Shortest time between the starts of two calls, in milliseconds.
    pub spacing_ms: u64,
    /// Pages of one list, after which it is taken for endless.
    pub pages: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { concurrency: 2, spacing_ms: 50, pages: 10_000 }
    }
}

/// Headers that tell what is left of a quota.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Holds the calls that are left.
    pub remaining: String,
    /// Holds when there are more again.
    pub reset: String,
    pub reset_is: ResetIs,
    /// So many calls are left to others: with fewer remaining, reading waits for the reset.
    #[serde(default)]
    pub reserve: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResetIs {
    /// Seconds from now.
    Seconds,
    /// Seconds since 1970.
    Epoch,
    /// A time in RFC 3339.
    Time,
}

/// The field that says whether a call worked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Success {
    /// Path of a field that is `true` then.
    pub at: String,
}

/// What an answer means that is no success.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    pub status: u16,
    /// Path of a field in the answer that must be there.
    #[serde(default)]
    pub at: Option<String>,
    /// The values of that field that are meant; none = any.
    #[serde(default)]
    pub one_of: Vec<String>,
    /// What the field must contain, written as JSON.
    #[serde(default)]
    pub contains: Option<String>,
    /// That the field is an empty list.
    #[serde(default)]
    pub empty_list: bool,
    pub means: Means,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// Somebody must grant the permission.
    Denied,
    Throttled,
    Unavailable,
    /// The tenant has no such thing. Proves nothing, but is no fault.
    NotSupported,
    /// Nothing is there, and that is certain. Only where the vendor answers an empty list so.
    Empty,
}

/// One call of the vendor's API.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    #[serde(default)]
    pub method: Method,
    /// Where it is, when not at the description's base URL.
    #[serde(default)]
    pub base_url: Option<Template>,
    /// Below the base URL. Outcomes of expressions are escaped as one segment each.
    pub path: Template,
    #[serde(default)]
    pub query: BTreeMap<String, Template>,
    /// Fields of a JSON body, for APIs that read with POST.
    #[serde(default)]
    pub body: BTreeMap<String, Template>,
    /// The permission it needs, in the vendor's words.
    pub permission: String,
    /// What it is called for.
    pub why: String,
    /// Path of the list in the answer; left out when the answer itself is it.
    #[serde(default)]
    pub items: Option<String>,
    /// The vendor leaves the list out when it is empty.
    #[serde(default)]
    pub omits_empty: bool,
    #[serde(default)]
    pub answer: Answer,
    /// Names of the columns, when `answer` is `rows`.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Paths in each item that must be there and not null. A missing one makes the answer
    /// malformed.
    #[serde(default)]
    pub required: Vec<String>,
    /// Paths in each item that must be there and may be null, where the vendor writes null for
    /// "never" or "none". A missing one makes the answer malformed: a field that has another name
    /// today must not read as "never used".
    #[serde(default)]
    pub nullable: Vec<String>,
    /// Paths in each item that may be missing; expressions then see `null`. `owners[].id` is a
    /// field of the items of a list, which may be missing as a whole. Everything that is
    /// in none of these lists is dropped by the parser.
    #[serde(default)]
    pub optional: Vec<String>,
    #[serde(default)]
    pub paging: Option<Paging>,
    /// As for the description, and before those.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// Read once per place and kept while it is scanned, for a list that several scopes begin
    /// with.
    #[serde(default)]
    pub shared: bool,
}

impl Operation {
    /// Every path in an item that is kept.
    pub fn fields(&self) -> impl Iterator<Item = &String> + Clone {
        self.required.iter().chain(&self.nullable).chain(&self.optional)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    #[default]
    Get,
    /// Only for calls that read, where the vendor has no other.
    Post,
    /// Vault's own.
    List,
}

impl Method {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::List => "LIST",
        }
    }
}

/// What stands at `items`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A list of objects or texts.
    #[default]
    List,
    /// One object: a list of one.
    One,
    /// An object whose entries are the items, as `{key, value}`.
    Entries,
    /// A list of lists, with `columns` naming what stands where.
    Rows,
}

/// What can be read to its end or not.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopeOf {
    /// In kebab case, plural: `api-tokens`. Never changes.
    pub name: String,
    pub about: String,
    /// A setting whose default is `false`: the scope is read on request, by those who set it to
    /// `true`, and nothing of it is called for anyone else.
    #[serde(default)]
    pub only_if: Option<String>,
    /// Lists, each read for every item of the one before it. The items of the last become records.
    pub steps: Vec<Step>,
    /// Lists read once, to look rows up in. What they add is an enrichment.
    #[serde(default)]
    pub lookups: Vec<Lookup>,
    /// Calls per item of the last step. What they add is an enrichment.
    #[serde(default)]
    pub enrich: Vec<Enrich>,
    /// What an item is recorded as. An item that none wants is passed over.
    pub records: Vec<RecordOf>,
}

impl ScopeOf {
    /// Whether it is read with these settings.
    #[must_use]
    pub fn is_wanted(&self, settings: &serde_json::Value) -> bool {
        let set = |name: &String| settings.get(name).and_then(|set| set.as_str()) == Some("true");
        self.only_if.as_ref().is_none_or(set)
    }

    /// Every operation that it calls.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        let lookups = self.lookups.iter().map(|lookup| lookup.operation.as_str());
        let enrich = self.enrich.iter().map(|enrich| enrich.operation.as_str());
        self.calls().chain(lookups).chain(enrich)
    }

    /// The operations of its steps, in order.
    pub fn calls(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| step.operation.as_deref())
    }
}

/// One level of a loop.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The list that is read; or `list`.
    #[serde(default)]
    pub operation: Option<String>,
    /// A list within an item of a step before: nothing is called for it.
    #[serde(default)]
    pub list: Option<Expr>,
    /// The variable that holds each item.
    #[serde(rename = "as")]
    pub item: String,
    /// Which items go on; the others are passed over: nothing of the scope hangs on them.
    #[serde(default)]
    pub when: Option<Expr>,
    /// Which items have what hangs on them left out of the proof.
    #[serde(default)]
    pub unasked: Option<Unasked>,
}

/// Items that cannot be asked now for what hangs on them, although it may be there. What is known of
/// it stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unasked {
    /// For which items; they do not go on, whatever the step's own `when` says.
    pub when: Expr,
    /// Why they cannot be asked, for whoever looks at the coverage.
    pub because: String,
    /// The attribute by which every record of the scope names the item that it hangs on.
    pub attribute: String,
    /// The value of that attribute for this item.
    pub is: Expr,
}

/// A list that rows are looked up in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    pub operation: String,
    /// What records call it in `with`.
    #[serde(rename = "as")]
    pub table: String,
    /// The key of each `row`.
    pub key: Expr,
    /// Fields of the record that are unread without it: `owner_standing`, `usage`, `links`,
    /// `attributes.NAME`.
    pub fields: Vec<String>,
}

/// A call for each item.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrich {
    pub operation: String,
    /// The variable that holds the list of items it brings.
    #[serde(rename = "as")]
    pub item: String,
    /// For which items it is called; `[]` for the others.
    #[serde(default)]
    pub when: Option<Expr>,
    /// As for a lookup.
    pub fields: Vec<String>,
}
