//! What can happen in an organisation. Before a simulator runs call these on the
//! [`Organization`]; while it runs, on the guard that `Simulator::change` hands out.
//!
//! Everything happens at the moment where the organisation's clock stands: to make something
//! old, set the clock back, make it, and set the clock forward again. Changes that make
//! something return its id. Names may carry a path: `/team/payments/deployer`.

mod credentials;
mod principals;
mod resources;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::ids::Ids;
use crate::organization::{Account, AccountState, Organization, Role, Root, Setup, Tags, User};

/// Why a scripted change did not happen. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeError {
    /// The thing to change does not exist.
    NoSuch {
        /// `account`, `user`, `access key` …
        kind: &'static str,
        /// How it was called.
        name: String,
    },
    /// The name is taken.
    Exists(String),
    /// AWS allows no more of these (2 access keys, 2 signing certificates, 5 SSH keys a user).
    Quota(&'static str),
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuch { kind, name } => write!(f, "no such {kind}: {name}"),
            Self::Exists(name) => write!(f, "{name} exists already"),
            Self::Quota(what) => write!(f, "the quota of {what} is used up"),
        }
    }
}

impl std::error::Error for ChangeError {}

/// The outcome of a change.
pub type Changed<T> = Result<T, ChangeError>;

/// Who holds a tag or a policy, by name.
#[derive(Clone, Copy, Debug)]
pub enum Holder<'a> {
    /// An IAM user.
    User(&'a str),
    /// An IAM role.
    Role(&'a str),
    /// An IAM group (policies only: groups have no tags).
    Group(&'a str),
}

pub(crate) fn no_such(kind: &'static str, name: &str) -> ChangeError {
    ChangeError::NoSuch { kind, name: name.to_owned() }
}

/// Splits `/team/payments/deployer` into `/team/payments/` and `deployer`.
pub(crate) fn path_and_name(full: &str) -> (String, String) {
    match full.rsplit_once('/') {
        Some((path, name)) => {
            (format!("/{}/", path.trim_matches('/')).replace("//", "/"), name.to_owned())
        }
        None => ("/".to_owned(), full.to_owned()),
    }
}

/// Accounts.
impl Organization {
    /// A management account named `management` with nothing in it.
    pub fn empty(seed: u64) -> Self {
        Self::set_up(Setup::new(seed))
    }

    /// As [`Organization::empty`], with the partition and first moment chosen.
    pub fn set_up(setup: Setup) -> Self {
        let mut ids = Ids::new(setup.seed);
        let id = ids.organization();
        let mut organization = Self {
            id,
            partition: setup.partition,
            management: String::new(),
            in_use: true,
            accounts: BTreeMap::new(),
            key_home: HashMap::new(),
            sessions: HashMap::new(),
            report_delay: 0,
            refuse_all_services: false,
            ids,
            clock: Clock::at(setup.start),
        };
        organization.management = organization.add_account("management");
        organization
    }

    /// Switches AWS Organizations off: the management account stands alone.
    pub fn without_organizations(mut self) -> Self {
        self.in_use = false;
        self
    }

    /// A new active account; returns its id (12 digits).
    pub fn add_account(&mut self, name: &str) -> String {
        let id = self.ids.account();
        let now = self.now();
        let account = Account {
            id: id.clone(),
            partition: self.partition.clone(),
            name: name.to_owned(),
            email: format!("aws+{}@example.com", name.to_lowercase().replace(' ', "-")),
            state: AccountState::Active,
            joined_at: now,
            tags: Tags::new(),
            alias: None,
            root: Root {
                created_at: now,
                password_last_used: None,
                mfa: false,
                access_keys: Vec::new(),
            },
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            roles: BTreeMap::new(),
            policies: BTreeMap::new(),
            access_keys: BTreeMap::new(),
            service_credentials: BTreeMap::new(),
            server_certificates: BTreeMap::new(),
            oidc: BTreeMap::new(),
            saml: BTreeMap::new(),
            attachments: BTreeMap::new(),
            boundaries: BTreeMap::new(),
            denied: BTreeSet::new(),
            report: None,
        };
        self.accounts.insert(id.clone(), account);
        id
    }

    /// Moves an account to another state. From anything but `Active` no role can be assumed.
    pub fn set_account_state(&mut self, account: &str, state: AccountState) -> Changed<()> {
        self.account_mut(account)?.state = state;
        Ok(())
    }

    /// Locks an account: AssumeRole into it is denied and its sessions stop working.
    pub fn suspend_account(&mut self, account: &str) -> Changed<()> {
        self.set_account_state(account, AccountState::Suspended)
    }

    /// Puts a tag on an account.
    pub fn tag_account(&mut self, account: &str, key: &str, value: &str) -> Changed<()> {
        self.account_mut(account)?.tags.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Names the account's sign-in alias.
    pub fn set_alias(&mut self, account: &str, alias: &str) -> Changed<()> {
        self.account_mut(account)?.alias = Some(alias.to_owned());
        Ok(())
    }

    /// From now on `action` (`iam:ListRoles`) is denied in the account.
    pub fn deny(&mut self, account: &str, action: &str) -> Changed<()> {
        self.account_mut(account)?.denied.insert(action.to_owned());
        Ok(())
    }

    /// Takes back [`Organization::deny`].
    pub fn allow(&mut self, account: &str, action: &str) -> Changed<()> {
        self.account_mut(account)?.denied.remove(action);
        Ok(())
    }

    /// A new credential report stays in progress for this many requests. At first 0: it is ready
    /// at the next one.
    pub fn delay_reports(&mut self, requests: u32) {
        self.report_delay = requests;
    }

    /// Refuses ListServiceSpecificCredentials with `AllUsers` unless it names a service.
    pub fn refuse_all_services(&mut self) {
        self.refuse_all_services = true;
    }

    /// Makes every temporary credential issued so far answer `ExpiredToken`.
    pub fn expire_sessions(&mut self) {
        for session in self.sessions.values_mut() {
            session.expired = true;
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn account_mut(&mut self, id: &str) -> Changed<&mut Account> {
        self.accounts.get_mut(id).ok_or_else(|| no_such("account", id))
    }

    pub(crate) fn user_mut(&mut self, account: &str, name: &str) -> Changed<&mut User> {
        self.account_mut(account)?.users.get_mut(name).ok_or_else(|| no_such("user", name))
    }

    pub(crate) fn role_mut(&mut self, account: &str, name: &str) -> Changed<&mut Role> {
        self.account_mut(account)?.roles.get_mut(name).ok_or_else(|| no_such("role", name))
    }
}
