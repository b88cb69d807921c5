//! What a connector reports: one normalised fact per record, with the evidence for it.
//!
//! These types are the observation schema: connectors build them, the store keeps them as JSON,
//! and programs outside this repository will speak them. They hold metadata only; there is no
//! field in which a secret value would fit, and none may be added.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The lasting name of a record: `<place>:<kind>/<vendor's immutable key>`,
/// for example `aws:123456789012:access-key/AKIA…`.
///
/// Built only in a connector's `id.rs`, from keys that the vendor never re-uses, so that a
/// re-created name is a new record. An id never changes once shipped.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct RecordId(String);

impl RecordId {
    /// Joins the three parts of an id. `place` already carries the source system (`aws:…`).
    #[must_use]
    pub fn new(place: &str, kind: &str, key: &str) -> Self {
        Self(format!("{place}:{kind}/{key}"))
    }

    /// Takes an id back from where it was kept.
    #[must_use]
    pub fn from_stored(id: String) -> Self {
        Self(id)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a record is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A non-human actor: role, service account, app, bot.
    Identity,
    /// An identity made for software that decides by a language model what it does: an agent of
    /// a directory, a service account of an AI platform. Judged like any identity, counted apart.
    AiAgent,
    /// What proves an identity: key, token, certificate. Never the secret itself.
    Credential,
    /// A power that an identity holds.
    Grant,
    /// A person. Kept because people own and create identities; never counted.
    Principal,
    /// What acts as an identity or keeps credentials: a Deployment, a repository, an environment
    /// of a pipeline. Kept for the trail from use to owner; never counted.
    Workload,
}

impl Class {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::AiAgent => "ai_agent",
            Self::Credential => "credential",
            Self::Grant => "grant",
            Self::Principal => "principal",
            Self::Workload => "workload",
        }
    }

    /// Whether it acts by itself and somebody must answer for it: what is asked wherever an
    /// identity is meant, of whatever sort.
    #[must_use]
    pub const fn is_identity(self) -> bool {
        matches!(self, Self::Identity | Self::AiAgent)
    }

    /// Whether it is part of the head count: people and workloads are kept, not counted.
    #[must_use]
    pub const fn is_counted(self) -> bool {
        !matches!(self, Self::Principal | Self::Workload)
    }
}

/// Whether the record can be used at its source right now.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Active,
    /// Switched off at the source, but still there.
    Disabled,
    /// The source does not say.
    Unknown,
}

impl Status {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Unknown => "unknown",
        }
    }
}

/// When a record was last used, as far as its source can tell.
///
/// Three states and never an `Option`: "never used" and "nobody records use" lead to opposite
/// decisions, and both would be `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Usage {
    /// Used, at the latest instant that the source tells.
    LastUsed {
        #[schemars(with = "String")]
        at: Timestamp,
        /// Granularity of `at`, in seconds (AWS access keys: 900).
        resolution_secs: u32,
        /// How far the source may lag behind real use, in seconds. Subtracted before judging.
        lag_secs: u32,
    },
    /// Not used since the source began to record use of this record.
    NeverSince {
        #[schemars(with = "String")]
        tracking_start: Timestamp,
        /// As for `LastUsed`.
        lag_secs: u32,
    },
    /// The source does not record use, or this scan could not read it. Never judged stale.
    NotObservable { reason: String },
}

impl Usage {
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self::LastUsed { .. } => "last_used",
            Self::NeverSince { .. } => "never_since",
            Self::NotObservable { .. } => "not_observable",
        }
    }

    /// The instant that belongs to the state: last use, or start of tracking.
    #[must_use]
    pub const fn at(&self) -> Option<Timestamp> {
        match self {
            Self::LastUsed { at, .. } => Some(*at),
            Self::NeverSince { tracking_start, .. } => Some(*tracking_start),
            Self::NotObservable { .. } => None,
        }
    }

    /// How far the source may lag behind real use.
    #[must_use]
    pub fn lag(&self) -> SignedDuration {
        match self {
            Self::LastUsed { lag_secs, .. } | Self::NeverSince { lag_secs, .. } => {
                SignedDuration::from_secs(i64::from(*lag_secs))
            }
            Self::NotObservable { .. } => SignedDuration::ZERO,
        }
    }
}

/// When a record stops working by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Expiry {
    At {
        #[schemars(with = "String")]
        at: Timestamp,
    },
    /// The source says that it never expires, or the kind has no expiry at all.
    Never,
    /// The question makes no sense for this record (a role, a grant).
    NotApplicable,
    /// The source did not tell.
    Unknown,
}

/// How much a record may do, reduced to one scale. Ordered from least to most.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    None,
    Read,
    /// The policy could not be read or understood: more than read must be assumed.
    Unknown,
    Write,
    /// Can make itself an administrator.
    Escalating,
    Admin,
}

impl Level {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Unknown => "unknown",
            Self::Write => "write",
            Self::Escalating => "escalating",
            Self::Admin => "admin",
        }
    }
}

/// A privilege level and the one fact that decided it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Privilege {
    pub level: Level,
    /// For people, e.g. `policy AdministratorAccess allows * on *`.
    pub reason: String,
}

/// How sure a claim is, in percent. A claim of 100 was stated outright by its source.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Confidence(u8);

impl Confidence {
    /// Stated outright.
    pub const CERTAIN: Self = Self(100);

    /// Values over 100 are taken as 100.
    #[must_use]
    pub const fn percent(value: u8) -> Self {
        Self(if value > 100 { 100 } else { value })
    }

    #[must_use]
    pub const fn as_percent(self) -> u8 {
        self.0
    }

    /// As a fraction from 0 to 1, the form that leaves the agent.
    #[must_use]
    pub fn as_fraction(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

/// Person or machine, and why we think so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Nature {
    pub kind: NatureKind,
    /// The facts that decided, e.g. `no console password; active access key`.
    pub basis: String,
    pub confidence: Confidence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NatureKind {
    Person,
    Machine,
}

/// One hint at who is accountable. Evidence is collected here and weighed by the agent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct OwnerEvidence {
    /// The owner as the source wrote it, trimmed: `team-payments`, `ana@example.com`.
    #[serde(rename = "ref")]
    pub reference: String,
    pub basis: OwnerBasis,
    /// Where it was read, e.g. `tag:Owner`, `path`, `cloudformation:stack-name`.
    pub locator: String,
    pub kind: OwnerKind,
    /// Whether the source still knows the one it names.
    #[serde(default, skip_serializing_if = "Standing::is_not_known")]
    pub standing: Standing,
}

/// Whether someone who is named is still there.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nobody asked, or the source cannot tell.
    #[default]
    NotKnown,
    /// A member of the organisation, as its full list of members shows.
    Present,
    /// Not in the organisation's full list of members.
    Left,
}

impl Standing {
    /// Whether nothing is known; then it is not written down either.
    #[must_use]
    pub const fn is_not_known(&self) -> bool {
        matches!(self, Self::NotKnown)
    }
}

/// What an owner claim rests on, strongest first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OwnerBasis {
    /// A tag, label, annotation or property whose name says "owner".
    Label,
    /// A service catalogue or CODEOWNERS entry.
    Catalog,
    /// The infrastructure-as-code stack that manages the record.
    Stack,
    /// Free text that names someone.
    Description,
    /// The folder or path in which the record sits.
    Path,
    /// Who made it. A candidate, not an owner.
    Creator,
    /// The owner of the account, project or namespace around it.
    Container,
}

impl OwnerBasis {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Catalog => "catalog",
            Self::Stack => "stack",
            Self::Description => "description",
            Self::Path => "path",
            Self::Creator => "creator",
            Self::Container => "container",
        }
    }
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OwnerKind {
    Business,
    Technical,
}

/// What a record is for, in its maintainers' words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Purpose {
    pub text: String,
    /// Where it was read, e.g. `tag:purpose`, `description`.
    pub locator: String,
}

/// A typed edge from the record that carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    pub kind: LinkKind,
    pub to: Endpoint,
    /// Only on `trusts`: under which conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,
    /// How sure it is that the far end is the one meant; a guess from a name is far from certain.
    #[serde(default = "certain", skip_serializing_if = "is_certain")]
    pub confidence: Confidence,
}

impl Link {
    /// A link that the source states outright.
    #[must_use]
    pub const fn new(kind: LinkKind, to: Endpoint) -> Self {
        Self { kind, to, trust: None, confidence: Confidence::CERTAIN }
    }
}

const fn certain() -> Confidence {
    Confidence::CERTAIN
}

fn is_certain(confidence: &Confidence) -> bool {
    *confidence == Confidence::CERTAIN
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    Uses,
    /// The far end may become this record.
    Trusts,
    Mounts,
    Issues,
    BelongsTo,
}

impl LinkKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uses => "uses",
            Self::Trusts => "trusts",
            Self::Mounts => "mounts",
            Self::Issues => "issues",
            Self::BelongsTo => "belongs_to",
        }
    }
}

/// The far end of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Endpoint {
    /// A record of the inventory.
    Record { id: RecordId },
    /// A record of another place by its vendor's handle (`native`), for example the ARN of a role.
    /// It is found in the inventory if that place is counted; `place` as in record ids.
    Native { place: String, native: String },
    /// A record of this kind in any place that goes by one of these names: a guess, to be given
    /// with a confidence far from certain. Compared without case.
    Likely { kind: String, names: Vec<String> },
    /// A whole account, or one principal in it. `place` as in record ids (`aws:123456789012`);
    /// `principal` is the vendor's handle when the trust names one.
    Account { place: String, principal: Option<String>, affiliation: Affiliation },
    /// A service of the vendor, e.g. `ec2.amazonaws.com`.
    Service { name: String },
    /// An identity provider: issuer URL (OIDC) or ARN (SAML).
    Federation { issuer: String },
    /// A principal that no longer exists: the vendor shows only its dead id.
    Dangling { native: String },
    /// Everyone.
    Anyone,
}

/// How the far account relates to the one that trusts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Affiliation {
    SameAccount,
    SameOrganization,
    /// Proven outside: the organisation was listed and does not hold it.
    External,
    /// The organisation's accounts were not read, so nobody can say.
    NotKnown,
}

/// The conditions of a trust.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trust {
    /// Subject patterns a federated token must match; empty = not restricted.
    pub subjects: Vec<String>,
    /// Audiences a federated token must carry; empty = not restricted.
    pub audiences: Vec<String>,
    pub external_id: ExternalId,
    /// Other condition keys that narrow the trust (`aws:PrincipalOrgID`, `aws:SourceArn`), sorted.
    pub narrowed_by: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExternalId {
    Required,
    Absent,
    /// The kind of trust has no such thing.
    NotApplicable,
}

/// A token that a record can be given, by which an identity provider's word it is somebody
/// elsewhere. Trusts in the same issuer are matched against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FederatedSubject {
    /// Issuer URL with its scheme, without a slash at the end.
    pub issuer: String,
    /// The subject claim, for example `system:serviceaccount:shop:web`. A `*` at the end stands
    /// for whatever the issuer puts there (`repo:acme/shop:*`).
    pub subject: String,
}

/// Where a claim comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The vendor's operation, e.g. `iam:GetCredentialReport`.
    pub operation: String,
    /// The object it spoke of, in the vendor's words (an ARN, a row).
    pub object: String,
    /// As of when the vendor's answer holds; a cached report is older than the scan.
    #[schemars(with = "String")]
    pub at: Timestamp,
}

/// One record as its source reported it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    pub id: RecordId,
    pub class: Class,
    /// The vendor's kind in kebab case: `iam-role`, `access-key`.
    pub kind: String,
    /// What people call it. Not unique over time, never used to build an id.
    pub name: String,
    /// The vendor's own handle, to paste into its console: an ARN, a key id.
    pub native: String,
    /// The identity that a credential or grant belongs to.
    pub parent: Option<RecordId>,
    pub status: Status,
    /// Creation at the source. `None` = the source does not tell, nothing else.
    #[schemars(with = "Option<String>")]
    pub created_at: Option<Timestamp>,
    pub expiry: Expiry,
    pub usage: Usage,
    pub privilege: Option<Privilege>,
    pub nature: Option<Nature>,
    pub owner_evidence: Vec<OwnerEvidence>,
    pub purpose: Option<Purpose>,
    pub links: Vec<Link>,
    /// As whom the record can present itself elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<FederatedSubject>,
    /// Vendor facts worth keeping, by a stable name: `path`, `trust_class`, `description`.
    pub attributes: BTreeMap<String, String>,
    /// Tags and labels as people wrote them.
    pub labels: BTreeMap<String, String>,
    pub evidence: Vec<Evidence>,
    /// Fields this scan could not read, with the permission that is missing. The agent keeps what
    /// it knew of them, and rules answer "unknown". Names: `usage`, `privilege`, `purpose`,
    /// `owner_evidence`, `labels`, `links`, `attributes.<name>`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unread: BTreeMap<String, String>,
}

impl Observation {
    /// An observation with nothing but its name tag; the collector fills in what it read.
    #[must_use]
    pub fn new(id: RecordId, class: Class, kind: &str, name: &str) -> Self {
        Self {
            id,
            class,
            kind: kind.to_owned(),
            name: name.to_owned(),
            native: String::new(),
            parent: None,
            status: Status::Unknown,
            created_at: None,
            expiry: Expiry::Unknown,
            usage: Usage::NotObservable { reason: "not reported".to_owned() },
            privilege: None,
            nature: None,
            owner_evidence: Vec::new(),
            purpose: None,
            links: Vec::new(),
            subjects: Vec::new(),
            attributes: BTreeMap::new(),
            labels: BTreeMap::new(),
            evidence: Vec::new(),
            unread: BTreeMap::new(),
        }
    }
}
