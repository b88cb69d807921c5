//! What can happen on a hub. Before it is served call these on the [`Hub`]; while it is served, on
//! the guard that `HubServer::change` hands out.
//!
//! Everything happens at the moment where the clock stands, and what GitHub's audit log would say
//! of it is written there. Changes that make something return its id. Repositories are named
//! `owner/name`.

mod apps;
mod holdings;
mod repositories;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;

use super::auth::Access;
use super::edition::Edition;
use super::model::*;
use super::page::Links;
use crate::change::{ChangeError, Changed, no_such};
use crate::clock::Clock;

/// Where a secret, a webhook or a runner is.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    /// An organisation, by login.
    Organization(&'a str),
    /// A repository: `owner/name`.
    Repository(&'a str),
    /// An environment of a repository.
    Environment(&'a str, &'a str),
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            links: Links::default(),
            retry_after: 60,
            budget: None,
            points: None,
            spent_status: 403,
            graphql_denied_with_200: true,
            graphql_hides: false,
            timeout_above: 500_000,
            whole_rows: None,
            refused: BTreeMap::new(),
        }
    }
}

impl Org {
    /// The organisation as the owner of something.
    pub fn actor(&self) -> Actor {
        Actor { id: self.id, login: self.login.clone(), kind: "Organization" }
    }
}

/// Organisations and people.
impl Hub {
    /// Nothing at all, as of 2026-01-15T09:00:00Z.
    pub fn empty(seed: u64) -> Self {
        Self::empty_at(seed, Clock::at(Timestamp::from_second(1_768_467_600).unwrap_or_default()))
    }

    /// Nothing at all, living by the clock of something else.
    pub fn empty_at(seed: u64, clock: Clock) -> Self {
        Self {
            edition: Edition::default(),
            organizations: BTreeMap::new(),
            apps: BTreeMap::new(),
            users: BTreeMap::new(),
            manners: Manners::default(),
            access: Access::default(),
            clock,
            ids: fastrand::Rng::with_seed(seed),
            last_id: 100_000,
        }
    }

    /// The clock by which everything here lives.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A number that nothing had before: ids grow, and are never used again.
    pub(super) fn id(&mut self) -> u64 {
        self.last_id += self.ids.u64(1..90);
        self.last_id
    }

    /// From now on the route (`GET /orgs/{org}/hooks`) is refused with 403.
    pub fn deny(&mut self, route: &str) {
        self.manners.refused.insert(route.to_owned(), 403);
    }

    /// From now on the route is refused with 404, as what must not be known of is.
    pub fn hide(&mut self, route: &str) {
        self.manners.refused.insert(route.to_owned(), 404);
    }

    /// Takes back [`Hub::deny`] and [`Hub::hide`].
    pub fn allow(&mut self, route: &str) {
        self.manners.refused.remove(route);
    }

    /// The organisation with this login. Logins do not tell case.
    pub fn organization(&self, login: &str) -> Changed<&Org> {
        let found = self.organizations.values().find(|org| org.login.eq_ignore_ascii_case(login));
        found.ok_or_else(|| no_such("organisation", login))
    }

    /// The organisation with this login, to change.
    pub fn organization_mut(&mut self, login: &str) -> Changed<&mut Org> {
        let mut all = self.organizations.values_mut();
        let found = all.find(|org| org.login.eq_ignore_ascii_case(login));
        found.ok_or_else(|| no_such("organisation", login))
    }

    /// A new organisation, owned by nobody; returns its id.
    pub fn add_organization(&mut self, login: &str) -> Changed<u64> {
        if self.organization(login).is_ok() {
            return Err(ChangeError::Exists(login.to_owned()));
        }
        let (id, group) = (self.id(), self.id());
        let group = RunnerGroup {
            id: group,
            name: "Default".to_owned(),
            visibility: "all",
            default: true,
            allows_public_repositories: false,
        };
        let org = Org {
            id,
            login: login.to_owned(),
            members: BTreeMap::new(),
            outside_collaborators: BTreeSet::new(),
            teams: BTreeMap::new(),
            repositories: BTreeMap::new(),
            holds: Holdings::default(),
            runner_groups: BTreeMap::from([(group.id, group)]),
            installations: BTreeMap::new(),
            token_grants: BTreeMap::new(),
            token_requests: BTreeMap::new(),
            authorizations: BTreeMap::new(),
            registries: BTreeMap::new(),
            oidc_claims: vec!["repo".to_owned(), "context".to_owned()],
            stats: BTreeMap::new(),
            audit: Vec::new(),
        };
        self.organizations.insert(id, org);
        Ok(id)
    }

    /// Gives an organisation another login. Its id stays.
    pub fn rename_organization(&mut self, login: &str, to: &str) -> Changed<()> {
        self.organization_mut(login)?.login = to.to_owned();
        Ok(())
    }

    /// The user with this login; made when nobody has it.
    pub fn user(&mut self, login: &str) -> u64 {
        if let Some(user) = self.users.values().find(|user| user.login == login) {
            return user.id;
        }
        let id = self.id();
        self.users.insert(id, Actor { id, login: login.to_owned(), kind: "User" });
        id
    }

    /// A user takes another login. The id stays.
    pub fn rename_user(&mut self, login: &str, to: &str) -> Changed<()> {
        let found = self.users.values_mut().find(|user| user.login == login);
        found.ok_or_else(|| no_such("user", login))?.login = to.to_owned();
        Ok(())
    }

    /// A member joins; returns the user's id.
    pub fn add_member(&mut self, org: &str, login: &str) -> Changed<u64> {
        self.join(org, login, false)
    }

    /// An owner joins, or a member becomes one.
    pub fn add_owner(&mut self, org: &str, login: &str) -> Changed<u64> {
        self.join(org, login, true)
    }

    fn join(&mut self, org: &str, login: &str, owner: bool) -> Changed<u64> {
        let user = self.user(login);
        let org = self.organization_mut(org)?;
        org.members.insert(user, owner);
        let org = org.id;
        self.note(org, "org.add_member", &[("user", json!(login))]);
        Ok(user)
    }

    /// A member leaves. What the member made stays, except for what single sign-on guards.
    pub fn remove_member(&mut self, org: &str, login: &str) -> Changed<()> {
        let user = self.user(login);
        let org = self.organization_mut(org)?;
        org.members.remove(&user).ok_or_else(|| no_such("member", login))?;
        for team in org.teams.values_mut() {
            team.members.remove(&user);
        }
        org.authorizations.retain(|_, held| held.login != login);
        let org = org.id;
        self.note(org, "org.remove_member", &[("user", json!(login))]);
        Ok(())
    }

    /// Somebody from outside can reach a repository; returns the user's id.
    pub fn add_outside_collaborator(&mut self, repo: &str, login: &str) -> Changed<u64> {
        let user = self.user(login);
        self.repository_mut(repo)?.collaborators.insert(user, "write");
        let owner = repo.split('/').next().unwrap_or("");
        let org = self.organization_mut(owner)?;
        org.outside_collaborators.insert(user);
        let org = org.id;
        self.note(org, "repo.add_member", &[("user", json!(login)), ("repo", json!(repo))]);
        Ok(user)
    }

    /// Somebody from outside can reach nothing any more.
    pub fn remove_outside_collaborator(&mut self, org: &str, login: &str) -> Changed<()> {
        let user = self.user(login);
        let org = self.organization_mut(org)?;
        org.outside_collaborators.remove(&user);
        for repo in org.repositories.values_mut() {
            repo.collaborators.remove(&user);
        }
        let org = org.id;
        self.note(org, "org.remove_outside_collaborator", &[("user", json!(login))]);
        Ok(())
    }

    /// A new team with these members; returns its id.
    pub fn add_team(&mut self, org: &str, slug: &str, members: &[&str]) -> Changed<u64> {
        let members = members.iter().map(|login| self.user(login)).collect();
        let id = self.id();
        let (name, slug) = (slug.replace('-', " "), slug.to_owned());
        let team = Team { id, name, slug: slug.clone(), members, repositories: BTreeMap::new() };
        self.organization_mut(org)?.teams.insert(slug, team);
        Ok(id)
    }

    /// A team gets a role in a repository: `pull`, `triage`, `push`, `maintain` or `admin`.
    pub fn give_team(&mut self, slug: &str, repo: &str, role: &'static str) -> Changed<()> {
        let id = self.repository(repo)?.id;
        let org = self.organization_mut(repo.split('/').next().unwrap_or(""))?;
        let team = org.teams.get_mut(slug).ok_or_else(|| no_such("team", slug))?;
        team.repositories.insert(id, role);
        Ok(())
    }
}
