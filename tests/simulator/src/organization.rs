//! What a simulated organisation holds: accounts and everything in their IAM.
//!
//! Records can be read by anybody; they change only through the methods in `change`, which keep
//! the indexes true. No record holds a secret value, because nothing here ever makes one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::clock::Clock;
use crate::ids::Ids;
use crate::report::Report;

/// Key and value of tags, sorted by key. Keys keep their case: AWS tells `Owner` from `owner`.
pub type Tags = BTreeMap<String, String>;

/// Where an organisation begins: the seed of every id, the partition and the first moment.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The same seed and the same changes give the same ids.
    pub seed: u64,
    /// `aws`, `aws-us-gov`, `aws-cn` …; part of every ARN.
    pub partition: String,
    /// Where the clock stands at first.
    pub start: Timestamp,
}

impl Setup {
    /// The commercial partition on 2026-01-15T09:00:00Z.
    pub fn new(seed: u64) -> Self {
        let start = Timestamp::from_second(1_768_467_600).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { seed, partition: "aws".to_owned(), start }
    }
}

/// An organisation with its management account and members.
#[derive(Debug)]
pub struct Organization {
    pub(crate) id: String,
    pub(crate) partition: String,
    pub(crate) management: String,
    /// Whether AWS Organizations is switched on (off: one lone account).
    pub(crate) in_use: bool,
    pub(crate) accounts: BTreeMap<String, Account>,
    /// Access key id → account, long-lived keys only.
    pub(crate) key_home: HashMap<String, String>,
    /// Requests for which a new credential report stays in progress.
    pub(crate) report_delay: u32,
    /// Whether ListServiceSpecificCredentials wants a service along with `AllUsers`.
    pub(crate) refuse_all_services: bool,
    /// Temporary access key id → who it speaks for.
    pub(crate) sessions: HashMap<String, Session>,
    pub(crate) ids: Ids,
    pub(crate) clock: Clock,
}

impl Organization {
    /// Organization id (`o-…`).
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The partition of every ARN.
    pub fn partition(&self) -> &str {
        &self.partition
    }

    /// The id of the management account.
    pub fn management(&self) -> &str {
        &self.management
    }

    /// The clock by which everything in this organisation happens.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// All accounts by id, the management account included.
    pub fn accounts(&self) -> &BTreeMap<String, Account> {
        &self.accounts
    }

    /// One account by id.
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id)
    }
}

/// The life of an account as Organizations names it (`State`; the older `Status` has fewer words).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// Not yet usable.
    PendingActivation,
    /// In use.
    Active,
    /// Locked: nobody can assume a role in it.
    Suspended,
    /// About to be closed.
    PendingClosure,
    /// Closed, still listed for a while.
    Closed,
}

/// One AWS account.
#[derive(Debug)]
pub struct Account {
    pub(crate) id: String,
    pub(crate) partition: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) state: AccountState,
    pub(crate) joined_at: Timestamp,
    pub(crate) tags: Tags,
    pub(crate) alias: Option<String>,
    pub(crate) root: Root,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) roles: BTreeMap<String, Role>,
    /// Customer managed policies by name.
    pub(crate) policies: BTreeMap<String, ManagedPolicy>,
    pub(crate) access_keys: BTreeMap<String, AccessKey>,
    pub(crate) service_credentials: BTreeMap<String, ServiceCredential>,
    pub(crate) server_certificates: BTreeMap<String, ServerCertificate>,
    /// OIDC providers by issuer without scheme.
    pub(crate) oidc: BTreeMap<String, OidcProvider>,
    /// SAML providers by name.
    pub(crate) saml: BTreeMap<String, SamlProvider>,
    /// Policy ARN → number of users, groups and roles it is attached to.
    pub(crate) attachments: BTreeMap<String, u32>,
    /// Policy ARN → number of users and roles it bounds.
    pub(crate) boundaries: BTreeMap<String, u32>,
    pub(crate) denied: BTreeSet<String>,
    pub(crate) report: Option<Report>,
}

impl Account {
    /// 12 digits.
    pub fn id(&self) -> &str {
        &self.id
    }
    /// Display name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Where the account stands in its life.
    pub fn state(&self) -> AccountState {
        self.state
    }
    /// The root user.
    pub fn root(&self) -> &Root {
        &self.root
    }
    /// Users by name.
    pub fn users(&self) -> &BTreeMap<String, User> {
        &self.users
    }
    /// Groups by name.
    pub fn groups(&self) -> &BTreeMap<String, Group> {
        &self.groups
    }
    /// Roles by name.
    pub fn roles(&self) -> &BTreeMap<String, Role> {
        &self.roles
    }
    /// Customer managed policies by name.
    pub fn policies(&self) -> &BTreeMap<String, ManagedPolicy> {
        &self.policies
    }
    /// Long-lived access keys by id, those of root included.
    pub fn access_keys(&self) -> &BTreeMap<String, AccessKey> {
        &self.access_keys
    }
    /// Service-specific credentials by id.
    pub fn service_credentials(&self) -> &BTreeMap<String, ServiceCredential> {
        &self.service_credentials
    }
    /// Server certificates by name.
    pub fn server_certificates(&self) -> &BTreeMap<String, ServerCertificate> {
        &self.server_certificates
    }
    /// OIDC providers by issuer without scheme.
    pub fn oidc(&self) -> &BTreeMap<String, OidcProvider> {
        &self.oidc
    }
    /// SAML providers by name.
    pub fn saml(&self) -> &BTreeMap<String, SamlProvider> {
        &self.saml
    }
    /// The ARN of something in this account's IAM: `arn("user/jane")`.
    pub fn arn(&self, resource: &str) -> String {
        format!("arn:{}:iam::{}:{resource}", self.partition, self.id)
    }
}

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

/// A temporary credential that AssumeRole issued.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) account: String,
    pub(crate) role: String,
    pub(crate) role_id: String,
    pub(crate) name: String,
    pub(crate) expired: bool,
}
