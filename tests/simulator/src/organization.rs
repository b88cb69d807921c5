//! What a simulated organisation holds: accounts and everything in their IAM.
//!
//! Records can be read by anybody; they change only through the methods in `change`, which keep
//! the indexes true. No record holds a secret value, because nothing here ever makes one.

mod records;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

pub use self::records::*;
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

/// A temporary credential that AssumeRole issued.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) account: String,
    pub(crate) role: String,
    pub(crate) role_id: String,
    pub(crate) name: String,
    pub(crate) expired: bool,
}
