//! A believable company of any size, the same for the same seed.
//!
//! Records take turns through every shape that a reader must tell apart, so that even a small
//! organisation holds one of each; ages and uses vary by the seed. Everything is made through
//! the public changes with the clock set back, so a seeded organisation is one that could have
//! been scripted.

pub(crate) mod names;
mod roles;
mod users;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};

use crate::change::{Changed, Holder};
use crate::organization::{AccountState, Organization, Setup};
use crate::policies::{Power, aws_managed};
use crate::trust::{GITHUB_ISSUER, Trust};

/// The role that a reader assumes in every account of a seeded organisation.
pub const READER_ROLE: &str = "HeadcountReader";

/// The external id that [`READER_ROLE`] demands.
pub const EXTERNAL_ID: &str = "headcount-simulated-organisation";

const DAY: i64 = 24 * 60 * 60;

/// How much a seeded organisation holds. All but `accounts` count per account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The management account and its members; at least 1.
    pub accounts: usize,
    /// IAM users, people and machines.
    pub users: usize,
    /// IAM roles, [`READER_ROLE`] included.
    pub roles: usize,
    /// Customer managed policies.
    pub customer_policies: usize,
}

impl Size {
    /// One account of the given size.
    pub fn account(users: usize, roles: usize, customer_policies: usize) -> Self {
        Self { accounts: 1, users, roles, customer_policies }
    }
}

impl Default for Size {
    /// Three accounts, each with at least one record of every shape.
    fn default() -> Self {
        Self { accounts: 3, users: 40, roles: 45, customer_policies: 12 }
    }
}

impl Organization {
    /// A company as of 2026-01-15T09:00:00Z.
    pub fn seeded(seed: u64, size: Size) -> Self {
        Self::seeded_in(Setup::new(seed), size)
    }

    /// A company with partition and present moment chosen. Its history goes back three years
    /// before `setup.start`, where its clock stands.
    pub fn seeded_in(setup: Setup, size: Size) -> Self {
        let (seed, start) = (setup.seed, setup.start);
        let founded = Setup { start: start - SignedDuration::from_secs(1100 * DAY), ..setup };
        let mut organization = Self::set_up(founded);
        let rng = Rng::with_seed(seed.rotate_left(17) ^ 0x5eed);
        let mut seeder = Seeder { org: &mut organization, rng, start, policies: Vec::new() };
        if let Err(error) = seeder.organisation(size) {
            unreachable!("seeded names are unique: {error}");
        }
        organization.clock.set(start);
        organization
    }
}

/// What the seeding of one organisation carries along.
struct Seeder<'a> {
    org: &'a mut Organization,
    rng: Rng,
    start: Timestamp,
    /// ARNs of the customer managed policies of the account in hand.
    policies: Vec<String>,
}

impl Seeder<'_> {
    fn organisation(&mut self, size: Size) -> Changed<()> {
        let mut accounts = vec![self.org.management().to_owned()];
        for n in 1..size.accounts {
            self.days_ago(self.start, 1000 - (n as i64 % 900));
            accounts.push(self.org.add_account(&names::account(n)));
        }
        for (n, account) in accounts.iter().enumerate() {
            self.account(account, n, size)?;
        }
        // The member with the root key: the one where nobody looks.
        if let Some(account) = accounts.get(1).or(accounts.first()) {
            self.days_ago(self.start, 900);
            let key = self.org.create_root_access_key(account)?;
            self.days_ago(self.start, 400);
            self.org.use_access_key(&key, "iam", "us-east-1")?;
        }
        if size.accounts >= 5 {
            let last = &accounts[size.accounts - 1];
            self.org.set_account_state(last, AccountState::Suspended)?;
        }
        Ok(())
    }

    fn account(&mut self, account: &str, n: usize, size: Size) -> Changed<()> {
        self.days_ago(self.start, 990);
        if n.is_multiple_of(2) {
            self.org.set_alias(account, &format!("acme-{}", names::account(n)))?;
        }
        if !n.is_multiple_of(3) {
            self.org.tag_account(account, "Owner", &names::email(n))?;
        }
        self.org.use_root_password(account)?;
        self.reader(account)?;
        self.providers(account, n)?;
        self.groups(account)?;
        self.customer_policies(account, size.customer_policies)?;
        for n in 0..size.users {
            self.user(account, n)?;
        }
        for n in 0..size.roles.saturating_sub(1) {
            self.role(account, n)?;
        }
        Ok(())
    }

    fn reader(&mut self, account: &str) -> Changed<()> {
        let trust = Trust::account_with_external_id(self.org.management(), EXTERNAL_ID);
        self.org.create_role(account, READER_ROLE, &trust)?;
        self.org.describe_role(account, READER_ROLE, "Read-only inventory. Owner: security")?;
        let role = Holder::Role(READER_ROLE);
        self.org.tag(account, role, "Owner", "security@example.com")?;
        let audit = self.aws("SecurityAudit");
        self.org.attach_policy(account, role, &audit)
    }

    fn providers(&mut self, account: &str, n: usize) -> Changed<()> {
        self.org.create_oidc_provider(account, GITHUB_ISSUER, &["sts.amazonaws.com"])?;
        self.org.create_oidc_provider(account, &names::eks_issuer(n), &["sts.amazonaws.com"])?;
        self.org.create_saml_provider(account, "corporate-idp")?;
        self.org.create_saml_provider(account, names::SSO_PROVIDER)?;
        let ends = [400, -20];
        for (name, days) in ["www-example-com", "legacy-example-com"].into_iter().zip(ends) {
            let expires = self.start + SignedDuration::from_secs(days * DAY);
            self.org.upload_server_certificate(account, name, expires)?;
        }
        Ok(())
    }

    fn groups(&mut self, account: &str) -> Changed<()> {
        for (name, policy) in [
            ("admins", "AdministratorAccess"),
            ("developers", "PowerUserAccess"),
            ("auditors", "ReadOnlyAccess"),
        ] {
            self.org.create_group(account, name)?;
            let arn = self.aws(policy);
            self.org.attach_policy(account, Holder::Group(name), &arn)?;
        }
        self.org.create_group(account, "/machines/deployers")?;
        let document = Power::Escalating.document(0);
        self.org.put_policy(account, Holder::Group("deployers"), "deploy", &document)
    }

    fn customer_policies(&mut self, account: &str, count: usize) -> Changed<()> {
        self.policies.clear();
        for n in 0..count {
            let age = self.rng.i64(30..900);
            self.days_ago(self.start, age);
            let power = POWERS[n % POWERS.len()];
            let name = format!("{}-{n:05}", names::purpose(n));
            let arn = self.org.create_policy(account, &name, &power.document(n))?;
            if n % 4 == 3 {
                self.days_ago(self.start, age / 2);
                self.org.create_policy_version(account, &name, &Power::Read.document(n))?;
            }
            self.policies.push(arn);
        }
        Ok(())
    }

    /// Gives a principal powers, by turns in every way that there is.
    fn powers(&mut self, account: &str, holder: Holder<'_>, n: usize) -> Changed<()> {
        match n % 7 {
            0 => {
                let arn = self.aws(["ReadOnlyAccess", "AmazonS3ReadOnlyAccess"][n / 7 % 2]);
                self.org.attach_policy(account, holder, &arn)
            }
            1 => self.org.put_policy(account, holder, "inline", &Power::Write.document(n)),
            2 => self.org.put_policy(account, holder, "inline", &Power::Read.document(n)),
            3 | 4 if !self.policies.is_empty() => {
                let arn = self.policies[n % self.policies.len()].clone();
                self.org.attach_policy(account, holder, &arn)
            }
            5 if n.is_multiple_of(3) => {
                let arn = self.aws(["AdministratorAccess", "IAMFullAccess"][n / 21 % 2]);
                self.org.attach_policy(account, holder, &arn)
            }
            6 => {
                let document = POWERS[n / 7 % POWERS.len()].document(n);
                self.org.put_policy(account, holder, "inline", &document)?;
                let boundary = self.aws("PowerUserAccess");
                self.org.set_boundary(account, holder, &boundary)
            }
            _ => Ok(()),
        }
    }

    /// Owner evidence, by turns in every spelling, and for two in nine none at all.
    fn owners(&mut self, account: &str, holder: Holder<'_>, n: usize) -> Changed<()> {
        let (team, mail) = (names::team(n), names::email(n));
        let tags: &[(&str, &str)] = match n % 9 {
            0 => &[("Owner", &mail), ("Environment", "production")],
            1 => &[("owner", &mail)],
            2 => &[("team", team), ("CostCenter", "4711")],
            3 => &[("Team", team), ("purpose", "batch job")],
            4 => &[("OWNER", team)],
            5 => &[
                ("aws:cloudformation:stack-name", "payments-prod"),
                ("aws:cloudformation:logical-id", "WorkerIdentity"),
            ],
            6 => &[("contact", &mail), ("Purpose", "nightly export")],
            _ => &[],
        };
        for (key, value) in tags {
            self.org.tag(account, holder, key, value)?;
        }
        Ok(())
    }

    fn aws(&self, name: &str) -> String {
        aws_managed(self.org.partition(), name)
    }

    /// Sets the clock to about `days` before `moment`.
    fn days_ago(&mut self, moment: Timestamp, days: i64) -> Timestamp {
        let seconds = days * DAY + self.rng.i64(60..DAY / 4);
        let at = moment - SignedDuration::from_secs(seconds);
        self.org.clock.set(at);
        at
    }
}

const POWERS: [Power; 6] =
    [Power::Read, Power::Write, Power::Escalating, Power::Admin, Power::AllBut, Power::Deny];
