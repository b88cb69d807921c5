//! Secrets, variables, webhooks, runners and registries, wherever they are.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::model::*;
use super::At;
use crate::change::{Changed, no_such};

impl At<'_> {
    /// The login of the organisation that it is in.
    fn owner(&self) -> &str {
        match self {
            Self::Organization(login) => login,
            Self::Repository(full) | Self::Environment(full, _) => {
                full.split('/').next().unwrap_or("")
            }
        }
    }

    /// How audit actions name the level.
    fn level(&self) -> &'static str {
        match self {
            Self::Organization(_) => "org",
            Self::Repository(_) => "repo",
            Self::Environment(..) => "environment",
        }
    }
}

impl Hub {
    /// What is held at a place.
    pub fn holdings_mut(&mut self, at: At<'_>) -> Changed<&mut Holdings> {
        match at {
            At::Organization(login) => Ok(&mut self.organization_mut(login)?.holds),
            At::Repository(full) => Ok(&mut self.repository_mut(full)?.holds),
            At::Environment(full, name) => {
                let found = self.repository_mut(full)?.environments.get_mut(name);
                Ok(&mut found.ok_or_else(|| no_such("environment", name))?.holds)
            }
        }
    }

    fn note_at(&mut self, at: At<'_>, action: &str, name: &str) -> Changed<()> {
        let org = self.organization(at.owner())?.id;
        let mut more = vec![("key", json!(name))];
        if let At::Repository(full) | At::Environment(full, _) = at {
            more.push(("repo", json!(full)));
        }
        self.note(org, action, &more);
        Ok(())
    }

    /// Sets a secret: makes it, or gives it a new value, which nobody sees.
    pub fn set_secret(&mut self, at: At<'_>, store: Store, name: &str) -> Changed<()> {
        let now = self.clock.now();
        let all = self.holdings_mut(at)?.secrets.entry(store).or_default();
        let done = if all.contains_key(name) { "update" } else { "create" };
        let secret = all.entry(name.to_owned()).or_insert_with(|| Secret {
            name: name.to_owned(),
            created_at: now,
            updated_at: now,
            visibility: "all",
            selected: BTreeSet::new(),
        });
        secret.updated_at = now;
        self.note_at(at, &format!("{}.{done}_{}_secret", at.level(), audit_word(store)), name)
    }

    /// Lets only some repositories read a secret of an organisation.
    pub fn select_secret(
        &mut self,
        org: &str,
        store: Store,
        name: &str,
        repos: &[&str],
    ) -> Changed<()> {
        let mut selected = BTreeSet::new();
        for full in repos {
            selected.insert(self.repository(full)?.id);
        }
        let all = &mut self.organization_mut(org)?.holds.secrets;
        let secret = all.get_mut(&store).and_then(|all| all.get_mut(name));
        let secret = secret.ok_or_else(|| no_such("secret", name))?;
        (secret.visibility, secret.selected) = ("selected", selected);
        Ok(())
    }

    /// Deletes a secret.
    pub fn remove_secret(&mut self, at: At<'_>, store: Store, name: &str) -> Changed<()> {
        let all = self.holdings_mut(at)?.secrets.get_mut(&store);
        all.and_then(|all| all.remove(name)).ok_or_else(|| no_such("secret", name))?;
        self.note_at(at, &format!("{}.remove_{}_secret", at.level(), audit_word(store)), name)
    }

    /// Sets a variable. Its value is [`VARIABLE_VALUE`].
    pub fn set_variable(&mut self, at: At<'_>, store: Store, name: &str) -> Changed<()> {
        let now = self.clock.now();
        let variable = Secret {
            name: name.to_owned(),
            created_at: now,
            updated_at: now,
            visibility: "all",
            selected: BTreeSet::new(),
        };
        let all = self.holdings_mut(at)?.variables.entry(store).or_default();
        all.insert(name.to_owned(), variable);
        self.note_at(at, &format!("{}.create_{}_variable", at.level(), audit_word(store)), name)
    }

    /// A new webhook to `https://{host}/…` with a secret and certificates checked; returns its id.
    pub fn add_hook(&mut self, at: At<'_>, host: &str) -> Changed<u64> {
        let (id, now) = (self.id(), self.clock.now());
        let hook = Hook {
            id,
            url: format!("https://{host}/{HOOK_PATH}?key={HOOK_PATH}"),
            has_secret: true,
            insecure_ssl: false,
            events: vec!["push".to_owned(), "pull_request".to_owned()],
            active: true,
            created_at: now,
            updated_at: now,
            deliveries: Vec::new(),
        };
        self.holdings_mut(at)?.hooks.insert(id, hook);
        self.note_at(at, "hook.create", host)?;
        Ok(id)
    }

    /// A webhook, to change.
    pub fn hook_mut(&mut self, at: At<'_>, id: u64) -> Changed<&mut Hook> {
        let hooks = &mut self.holdings_mut(at)?.hooks;
        hooks.get_mut(&id).ok_or_else(|| no_such("hook", &id.to_string()))
    }

    /// A webhook loses its secret, speaks HTTP and checks no certificate.
    pub fn weaken_hook(&mut self, at: At<'_>, id: u64) -> Changed<()> {
        let now = self.clock.now();
        let hook = self.hook_mut(at, id)?;
        hook.url = hook.url.replacen("https:", "http:", 1);
        (hook.has_secret, hook.insecure_ssl, hook.updated_at) = (false, true, now);
        self.note_at(at, "hook.config_changed", "web")
    }

    /// A webhook delivers something, now.
    pub fn use_hook(&mut self, at: At<'_>, id: u64) -> Changed<()> {
        let now = self.clock.now();
        self.hook_mut(at, id)?.deliveries.push(now);
        Ok(())
    }

    /// Deletes a webhook.
    pub fn remove_hook(&mut self, at: At<'_>, id: u64) -> Changed<()> {
        let gone = self.holdings_mut(at)?.hooks.remove(&id);
        gone.ok_or_else(|| no_such("hook", &id.to_string()))?;
        self.note_at(at, "hook.destroy", "web")
    }

    /// A new runner, online, in the organisation's default group; returns its id.
    pub fn add_runner(&mut self, at: At<'_>, name: &str) -> Changed<u64> {
        let id = self.id();
        let groups = &self.organization(at.owner())?.runner_groups;
        let group = groups.values().find(|group| group.default).map_or(1, |group| group.id);
        let runner = Runner {
            id,
            name: name.to_owned(),
            os: "linux",
            online: true,
            ephemeral: false,
            group,
            labels: vec!["x64".to_owned()],
        };
        self.holdings_mut(at)?.runners.insert(id, runner);
        self.note_at(at, &format!("{}.register_self_hosted_runner", at.level()), name)?;
        Ok(id)
    }

    /// A runner, to change.
    pub fn runner_mut(&mut self, at: At<'_>, id: u64) -> Changed<&mut Runner> {
        let runners = &mut self.holdings_mut(at)?.runners;
        runners.get_mut(&id).ok_or_else(|| no_such("runner", &id.to_string()))
    }

    /// A runner is gone.
    pub fn remove_runner(&mut self, at: At<'_>, id: u64) -> Changed<()> {
        let gone = self.holdings_mut(at)?.runners.remove(&id);
        let gone = gone.ok_or_else(|| no_such("runner", &id.to_string()))?;
        self.note_at(at, &format!("{}.remove_self_hosted_runner", at.level()), &gone.name)
    }

    /// A new group of runners; returns its id.
    pub fn add_runner_group(&mut self, org: &str, name: &str) -> Changed<u64> {
        let id = self.id();
        let group = RunnerGroup {
            id,
            name: name.to_owned(),
            visibility: "selected",
            default: false,
            allows_public_repositories: false,
        };
        self.organization_mut(org)?.runner_groups.insert(id, group);
        self.note_at(At::Organization(org), "org.runner_group_created", name)?;
        Ok(id)
    }

    /// A new private registry.
    pub fn add_registry(&mut self, org: &str, name: &str, kind: &'static str) -> Changed<()> {
        let now = self.clock.now();
        let registry = Registry {
            name: name.to_owned(),
            kind,
            username: Some("machine".to_owned()),
            visibility: "all",
            created_at: now,
            updated_at: now,
        };
        self.organization_mut(org)?.registries.insert(name.to_owned(), registry);
        Ok(())
    }

    /// Deletes a private registry.
    pub fn remove_registry(&mut self, org: &str, name: &str) -> Changed<()> {
        let gone = self.organization_mut(org)?.registries.remove(name);
        gone.map(|_| ()).ok_or_else(|| no_such("registry", name))
    }
}

/// How audit actions name a store.
fn audit_word(store: Store) -> &'static str {
    match store {
        Store::Actions => "actions",
        Store::Agents => "agents",
        Store::Codespaces => "codespaces",
        Store::Dependabot => "integration",
    }
}
