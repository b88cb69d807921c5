//! The records of an account's IAM: plain data, metadata only.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Tags;

/// The root user of an account.
#[derive(Clone, Debug)]
pub struct Root {
    /// Same as the account.
    pub created_at: Timestamp,
    /// `None`: no sign-in known.
    pub password_last_used: Option<Timestamp>,
    /// Whether a second factor is registered.
    pub mfa: bool,
    /// Ids of its access keys.
    pub access_keys: Vec<String>,
}

/// A console password.
#[derive(Clone, Debug)]
pub struct Password {
    /// When it was set.
    pub changed_at: Timestamp,
    /// `None`: never used since tracking began.
    pub last_used: Option<Timestamp>,
}

/// An IAM user.
#[derive(Clone, Debug)]
pub struct User {
    /// `AIDA…`
    pub id: String,
    /// Unique in the account.
    pub name: String,
    /// `/` or `/team/`.
    pub path: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// `None`: no console access.
    pub password: Option<Password>,
    /// Whether a second factor is registered.
    pub mfa: bool,
    /// Tags.
    pub tags: Tags,
    /// Names of groups.
    pub groups: BTreeSet<String>,
    /// Inline policies: name → document.
    pub inline: BTreeMap<String, String>,
    /// ARNs of managed policies.
    pub attached: BTreeSet<String>,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// Ids of its access keys, oldest first.
    pub access_keys: Vec<String>,
    /// SSH public keys.
    pub ssh_keys: Vec<SshKey>,
    /// X.509 signing certificates.
    pub signing_certificates: Vec<SigningCertificate>,
    /// Ids of its service-specific credentials.
    pub service_credentials: Vec<String>,
}

/// A long-lived access key. The secret half does not exist.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// `AKIA…`
    pub id: String,
    /// `None`: the root user's.
    pub user: Option<String>,
    /// `Active` or `Inactive`.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// `None`: never used.
    pub last_used: Option<KeyUse>,
}

/// The last use that AWS recorded for a key: the first in its quarter of an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// When.
    pub at: Timestamp,
    /// `us-east-1` …
    pub region: String,
    /// `s3` …
    pub service: String,
}

/// An SSH public key for CodeCommit.
#[derive(Clone, Debug)]
pub struct SshKey {
    /// `APKA…`
    pub id: String,
    /// `Active` or `Inactive`.
    pub active: bool,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
}

/// An X.509 signing certificate of a user.
#[derive(Clone, Debug)]
pub struct SigningCertificate {
    /// 32 characters.
    pub id: String,
    /// `Active` or `Inactive`.
    pub active: bool,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
}

/// A user's password or key for one service: CodeCommit, Keyspaces, Bedrock.
#[derive(Clone, Debug)]
pub struct ServiceCredential {
    /// `ACCA…`
    pub id: String,
    /// Name of its user.
    pub user: String,
    /// `bedrock.amazonaws.com` …
    pub service: String,
    /// `Active` or `Inactive`.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Only Bedrock and CloudWatch Logs have one, and only if it was asked for.
    pub expires_at: Option<Timestamp>,
}

/// An IAM group.
#[derive(Clone, Debug)]
pub struct Group {
    /// `AGPA…`
    pub id: String,
    /// Unique in the account.
    pub name: String,
    /// `/` or `/team/`.
    pub path: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Inline policies: name → document.
    pub inline: BTreeMap<String, String>,
    /// ARNs of managed policies.
    pub attached: BTreeSet<String>,
}

/// An IAM role.
#[derive(Clone, Debug)]
pub struct Role {
    /// `AROA…`
    pub id: String,
    /// Unique in the account.
    pub name: String,
    /// `/`, `/service-role/`, `/aws-service-role/…/`, `/aws-reserved/sso.amazonaws.com/…/`.
    pub path: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The trust policy document.
    pub trust: String,
    /// Only ListRoles and GetRole tell it.
    pub description: Option<String>,
    /// Seconds.
    pub max_session: u32,
    /// Tags.
    pub tags: Tags,
    /// Inline policies: name → document.
    pub inline: BTreeMap<String, String>,
    /// ARNs of managed policies.
    pub attached: BTreeSet<String>,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// `None`: never used. AWS shows it for 400 days only.
    pub last_used: Option<RoleUse>,
    /// The instance profile that carries it, if any.
    pub instance_profile: Option<InstanceProfile>,
}

/// The last time somebody was the role.
#[derive(Clone, Debug)]
pub struct RoleUse {
    /// When.
    pub at: Timestamp,
    /// `us-east-1` …
    pub region: String,
}

/// An instance profile.
#[derive(Clone, Debug)]
pub struct InstanceProfile {
    /// `AIPA…`
    pub id: String,
    /// Unique in the account.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A customer managed policy.
#[derive(Clone, Debug)]
pub struct ManagedPolicy {
    /// `ANPA…`
    pub id: String,
    /// Unique in the account.
    pub name: String,
    /// `/` or `/team/`.
    pub path: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its default version changed.
    pub updated_at: Timestamp,
    /// Description.
    pub description: Option<String>,
    /// Oldest first; the last one is the default. Never empty.
    pub versions: Vec<PolicyVersion>,
}

/// One version of a managed policy.
#[derive(Clone, Debug)]
pub struct PolicyVersion {
    /// `v1`, `v2` …
    pub id: String,
    /// The JSON.
    pub document: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A server certificate kept in IAM.
#[derive(Clone, Debug)]
pub struct ServerCertificate {
    /// `ASCA…`
    pub id: String,
    /// Unique in the account.
    pub name: String,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// An OIDC identity provider.
#[derive(Clone, Debug)]
pub struct OidcProvider {
    /// Host and path, no scheme.
    pub issuer: String,
    /// Audiences.
    pub client_ids: Vec<String>,
    /// Made up, 40 hex digits each.
    pub thumbprints: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Tags.
    pub tags: Tags,
}

/// A SAML identity provider.
#[derive(Clone, Debug)]
pub struct SamlProvider {
    /// Unique in the account.
    pub name: String,
    /// Immutable.
    pub uuid: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// End of its metadata's validity.
    pub valid_until: Timestamp,
    /// Tags.
    pub tags: Tags,
}
