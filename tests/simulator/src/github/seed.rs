//! A believable organisation of any size, the same for the same seed, that fits the AWS one.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::change::At;
use super::model::*;
use crate::change::Changed;
use crate::clock::Clock;
use crate::organization::Organization;
use crate::trust::GITHUB_ISSUER;

/// The organisation whose repositories the roles of a seeded AWS organisation trust.
pub const ORGANIZATION: &str = "acme";

const DAY: i64 = 24 * 3600;

/// How much a seeded organisation holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Members.
    pub members: usize,
    /// Repositories, besides those that are named.
    pub repositories: usize,
    /// Apps from elsewhere.
    pub apps: usize,
    /// Fine-grained tokens; half as many requests, authorisations of each kind as many.
    pub tokens: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self { members: 24, repositories: 40, apps: 6, tokens: 18 }
    }
}

impl Size {
    /// A few of everything.
    pub fn small() -> Self {
        Self { members: 8, repositories: 6, apps: 3, tokens: 4 }
    }
}

/// `(repository, environment)` that trusts name: `acme/checkout`, `production`.
pub type Named = (String, Option<String>);

impl Hub {
    /// [`ORGANIZATION`] as of 2026-01-15T09:00:00Z.
    pub fn seeded(seed: u64, size: Size) -> Self {
        Self::seeded_with(Self::empty(seed), size, &[])
    }

    /// The GitHub of an AWS organisation: it lives by the same clock and holds the repositories
    /// and environments that trusts there name, with their owners.
    pub fn for_organization(organization: &Organization, seed: u64, size: Size) -> Self {
        let named = named(organization);
        let clock = organization.clock().clone();
        Self::seeded_with(Self::empty_at(seed, clock), size, &named)
    }

    /// Fills an empty hub up to where its clock stands. Of `named` the owners become
    /// organisations; [`ORGANIZATION`] always exists and holds what is not named.
    pub fn seeded_with(mut self, size: Size, named: &[Named]) -> Self {
        let start = self.clock.now();
        // Apart from the clock of others, which must not be seen to move.
        let shared = std::mem::replace(&mut self.clock, Clock::at(start));
        let mut seeder = Seeder { hub: self, start, size };
        if let Err(error) = seeder.fill(named) {
            unreachable!("seeded names are unique: {error}");
        }
        let mut hub = seeder.hub;
        hub.clock = shared;
        hub
    }
}

/// The repositories and environments in the subjects of GitHub trusts, sorted.
fn named(organization: &Organization) -> Vec<Named> {
    let mut named = BTreeSet::new();
    for account in organization.accounts().values() {
        for role in account.roles().values() {
            for subject in subjects(&role.trust) {
                let Some(rest) = subject.strip_prefix("repo:") else { continue };
                let (full, context) = rest.split_once(':').unwrap_or((rest, ""));
                if full.contains(['*', '?']) || !full.contains('/') {
                    continue;
                }
                named.insert((full.to_owned(), None));
                if let Some(environment) = context.strip_prefix("environment:")
                    && !environment.contains(['*', '?'])
                {
                    named.insert((full.to_owned(), Some(environment.to_owned())));
                }
            }
        }
    }
    named.into_iter().collect()
}

/// Every value of a `<issuer>:sub` condition in a trust document.
fn subjects(document: &str) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(document) = serde_json::from_str::<serde_json::Value>(document) else { return found };
    let key = format!("{GITHUB_ISSUER}:sub");
    let statements = document["Statement"].as_array().cloned().unwrap_or_default();
    for statement in &statements {
        let conditions =
            statement["Condition"].as_object().into_iter().flat_map(|all| all.values());
        for value in conditions.filter_map(|condition| condition.get(&key)) {
            match value {
                serde_json::Value::String(one) => found.push(one.clone()),
                serde_json::Value::Array(all) => {
                    found.extend(all.iter().filter_map(|one| one.as_str().map(str::to_owned)));
                }
                _ => {}
            }
        }
    }
    found
}

struct Seeder {
    hub: Hub,
    start: Timestamp,
    size: Size,
}

const TEAMS: [&str; 4] = ["payments", "platform", "search", "data"];

impl Seeder {
    /// Sets the clock to about `days` before the present.
    fn ago(&mut self, days: i64) -> Timestamp {
        let seconds = days * DAY + self.hub.ids.i64(60..DAY / 4);
        let at = self.start - SignedDuration::from_secs(seconds);
        self.hub.clock.set(at);
        at
    }

    fn login(&self, n: usize) -> String {
        format!("member-{:03}", n % self.size.members.max(1))
    }

    fn fill(&mut self, named: &[Named]) -> Changed<()> {
        self.ago(1000);
        let org = ORGANIZATION;
        self.hub.add_organization(org)?;
        self.hub.add_owner(org, "founder")?;
        for n in 0..self.size.members {
            let login = self.login(n);
            self.hub.add_member(org, &login)?;
        }
        self.hub.add_member(org, "release-bot")?;
        for (n, slug) in TEAMS.into_iter().enumerate() {
            let members = [self.login(n), self.login(n + 4)];
            self.hub.add_team(org, slug, &[&members[0], &members[1]])?;
        }
        self.repositories(named)?;
        self.organization_level()?;
        self.apps()?;
        self.tokens()?;
        // Last, so that what a member made is there when the member is not.
        self.ago(40);
        let leaver = self.login(1);
        self.hub.remove_member(org, &leaver)?;
        let all: Vec<String> =
            self.hub.organizations.values().map(|org| org.login.clone()).collect();
        for org in all {
            self.hub.add_reader(&org)?;
        }
        Ok(())
    }

    fn repositories(&mut self, named: &[Named]) -> Changed<()> {
        let mut full_names: Vec<String> = Vec::new();
        for (full, _) in named {
            if !full_names.contains(full) {
                full_names.push(full.clone());
            }
        }
        let names = full_names.len();
        let more = (0..self.size.repositories).map(|n| format!("{ORGANIZATION}/service-{n:05}"));
        full_names.extend(more);
        for (n, full) in full_names.iter().enumerate() {
            let owner = full.split('/').next().unwrap_or("").to_owned();
            if self.hub.organization(&owner).is_err() {
                self.hub.add_organization(&owner)?;
            }
            self.repository(full, n)?;
            if n < names {
                self.hub.set_property(full, "owner", TEAMS[n % TEAMS.len()])?;
            }
        }
        for (full, environment) in named {
            if let Some(environment) = environment
                && !self.hub.repository(full)?.environments.contains_key(environment)
            {
                self.hub.add_environment(full, environment)?;
            }
        }
        Ok(())
    }

    fn repository(&mut self, full: &str, n: usize) -> Changed<()> {
        let days = self.hub.ids.i64(100..900);
        self.ago(days);
        self.hub.add_repository(full)?;
        let team = TEAMS[n % TEAMS.len()];
        match n % 5 {
            0 | 1 => self.hub.set_property(full, "owner", team)?,
            2 => {
                let text = format!("* @{ORGANIZATION}/{team}\n");
                self.hub.put_file(full, ".github/CODEOWNERS", &text)?;
            }
            3 => {
                let text = format!(
                    "apiVersion: backstage.io/v1alpha1\nkind: Component\nspec:\n  owner: {team}\n"
                );
                self.hub.put_file(full, "catalog-info.yaml", &text)?;
            }
            _ => {}
        }
        if full.starts_with(ORGANIZATION) {
            self.hub.give_team(team, full, ["push", "admin", "maintain"][n % 3])?;
        }
        let here = At::Repository(full);
        if n.is_multiple_of(2) {
            let by = self.login(n / 2);
            self.ago(days / 2);
            let key = self.hub.add_deploy_key(full, &format!("deploy {n}"), &by)?;
            self.hub.deploy_key_mut(full, key)?.read_only = n.is_multiple_of(4);
            if !n.is_multiple_of(3) {
                self.ago([1, 20, 200][n % 3]);
                self.hub.use_deploy_key(full, key)?;
            }
        }
        if n.is_multiple_of(3) {
            self.ago(days / 2);
            self.hub.add_environment(full, "production")?;
            let there = At::Environment(full, "production");
            self.hub.set_secret(there, Store::Actions, "DATABASE_PASSWORD")?;
            self.hub.set_variable(there, Store::Actions, "REGION")?;
        }
        if n % 4 == 1 {
            self.hub.set_secret(here, Store::Actions, "AWS_ACCESS_KEY_ID")?;
            self.hub.set_secret(here, Store::Actions, "AWS_SECRET_ACCESS_KEY")?;
            self.hub.set_secret(here, Store::Dependabot, "NPM_TOKEN")?;
            self.hub.set_variable(here, Store::Actions, "REGION")?;
        }
        if n % 6 == 2 {
            self.hub.set_secret(here, Store::Codespaces, "DEV_TOKEN")?;
            self.hub.set_secret(here, Store::Agents, "AGENT_TOKEN")?;
            let hook = self.hub.add_hook(here, "ci.example.com")?;
            if n % 12 == 2 {
                self.hub.weaken_hook(here, hook)?;
            }
        }
        if n % 10 == 9 {
            self.hub.add_runner(here, &format!("runner-{n}"))?;
            self.hub.add_outside_collaborator(full, &format!("contractor-{n}"))?;
        }
        if n % 8 == 7 {
            self.hub.archive_repository(full)?;
        }
        Ok(())
    }

    fn organization_level(&mut self) -> Changed<()> {
        let (org, here) = (ORGANIZATION, At::Organization(ORGANIZATION));
        self.ago(500);
        for (store, name) in [
            (Store::Actions, "AWS_ACCESS_KEY_ID"),
            (Store::Actions, "AWS_SECRET_ACCESS_KEY"),
            (Store::Actions, "AZURE_CREDENTIALS"),
            (Store::Dependabot, "NPM_TOKEN"),
            (Store::Codespaces, "DEV_TOKEN"),
            (Store::Agents, "AGENT_TOKEN"),
        ] {
            self.hub.set_secret(here, store, name)?;
        }
        self.hub.set_variable(here, Store::Actions, "REGION")?;
        self.hub.set_variable(here, Store::Agents, "MODE")?;
        self.hub.add_hook(here, "chat.example.com")?;
        let weak = self.hub.add_hook(here, "legacy.example.com")?;
        self.hub.weaken_hook(here, weak)?;
        self.hub.add_runner(here, "build-machine")?;
        let group = self.hub.add_runner_group(org, "autoscaled")?;
        for n in 0..3 {
            let runner = self.hub.add_runner(here, &format!("pod-{n}"))?;
            let runner = self.hub.runner_mut(here, runner)?;
            (runner.ephemeral, runner.group) = (true, group);
        }
        self.hub.add_registry(org, "MAVEN_CENTRAL_MIRROR", "maven_repository")
    }

    fn apps(&mut self) -> Changed<()> {
        for n in 0..self.size.apps {
            self.ago(300 + n as i64);
            let maker = ["partner-inc", "startup-ltd", ORGANIZATION][n % 3];
            let app = self.hub.add_app(&format!("{maker}-helper-{n}"), maker);
            let write: &[(&str, &str)] = match n % 2 {
                0 => &[("contents", "write"), ("secrets", "write"), ("members", "read")],
                _ => &[("issues", "read")],
            };
            let installation = self.hub.install(ORGANIZATION, app, write)?;
            match n % 4 {
                0 => {
                    self.ago(2);
                    self.hub.use_api(ORGANIZATION, ("installation", installation), maker)?;
                }
                3 => self.hub.suspend(installation, "founder")?,
                _ => {}
            }
        }
        Ok(())
    }

    fn tokens(&mut self) -> Changed<()> {
        let org = ORGANIZATION;
        for n in 0..self.size.tokens {
            let granted = self.ago(220 + n as i64);
            let owner = self.login(n);
            let grant = self.hub.grant_token(org, &owner, &format!("export {n}"))?;
            if n.is_multiple_of(3) {
                let ends = granted + SignedDuration::from_secs(365 * DAY);
                self.hub.token_grant_mut(org, grant)?.expires_at = Some(ends);
            }
            if !n.is_multiple_of(4) {
                self.ago([3, 30, 190][n % 3]);
                self.hub.use_token(org, grant)?;
            }
            if n % 2 == 1 {
                self.hub.request_token(org, &owner, &format!("wish {n}"))?;
            }
            let kind =
                ["personal access token", "SSH key", "OAuth app token", "GitHub app token"][n % 4];
            let held = self.hub.authorize(org, &owner, kind, &format!("laptop {n}"))?;
            if n.is_multiple_of(2) {
                let at = self.ago(n as i64 % 120);
                self.hub.authorization_mut(org, held)?.accessed_at = Some(at);
            }
        }
        Ok(())
    }
}
