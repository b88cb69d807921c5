//! Who may ask the agent, and what was denied or changed by whom.

use aws_lc_rs::digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a bearer may do; each role includes those before it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads the inventory as it is, findings, coverage and drift.
    Viewer,
    /// Also takes the whole inventory out, and reads the audit.
    Auditor,
    /// Also accepts findings and starts scans.
    Operator,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Auditor, Self::Operator];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
        }
    }
}

/// What is kept of a bearer token. The token itself is shown once, when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// `tok_…`, for people and for the audit; opens nothing.
    pub id: String,
    /// Unique among tokens that are not revoked.
    pub name: String,
    pub role: Role,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    /// To the hour.
    pub used_at: Option<Timestamp>,
}

impl Token {
    /// Whether it opens anything at `now`.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

/// SHA-256 of a token: the only form in which one is kept and looked up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    #[must_use]
    pub fn of(token: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(hash)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// One line of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    pub at: Timestamp,
    /// `token:ci-bot`, `cli:ana` or `anonymous`.
    pub actor: String,
    pub role: Option<Role>,
    /// `exception.add`, `scan.start`, or the method and route that was denied.
    pub action: String,
    /// What it was done to: an id or a name; empty where the action says it all.
    pub object: String,
    pub outcome: AuditOutcome,
    pub detail: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    Done,
    Denied,
    Failed,
}

impl AuditOutcome {
    pub const ALL: [Self; 3] = [Self::Done, Self::Denied, Self::Failed];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// Whether a write of its own found what it was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Done,
    /// There is none of that name or id, or it is over already.
    NotThere,
    /// The name is taken.
    Taken,
}
