//! Repositories, deploy keys and environments.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::model::*;
use crate::change::{ChangeError, Changed, no_such};

fn split(full: &str) -> Changed<(&str, &str)> {
    full.split_once('/').ok_or_else(|| no_such("repository", full))
}

impl Hub {
    /// The repository `owner/name`.
    pub fn repository(&self, full: &str) -> Changed<&Repo> {
        let (owner, name) = split(full)?;
        let mut all = self.organization(owner)?.repositories.values();
        all.find(|repo| repo.name == name).ok_or_else(|| no_such("repository", full))
    }

    /// The repository `owner/name`, to change.
    pub fn repository_mut(&mut self, full: &str) -> Changed<&mut Repo> {
        let (owner, name) = split(full)?;
        let mut all = self.organization_mut(owner)?.repositories.values_mut();
        all.find(|repo| repo.name == name).ok_or_else(|| no_such("repository", full))
    }

    /// A new private repository; returns its id.
    pub fn add_repository(&mut self, full: &str) -> Changed<u64> {
        let (owner, name) = split(full)?;
        if self.repository(full).is_ok() {
            return Err(ChangeError::Exists(full.to_owned()));
        }
        let (id, now) = (self.id(), self.clock.now());
        let repo = Repo {
            id,
            name: name.to_owned(),
            archived: false,
            visibility: "private",
            created_at: now,
            pushed_at: Some(now),
            properties: BTreeMap::new(),
            files: BTreeMap::new(),
            deploy_keys: BTreeMap::new(),
            environments: BTreeMap::new(),
            holds: Holdings::default(),
            collaborators: BTreeMap::new(),
            oidc_claims: None,
        };
        let org = self.organization_mut(owner)?;
        org.repositories.insert(id, repo);
        let org = org.id;
        self.note(org, "repo.create", &[("repo", json!(full))]);
        Ok(id)
    }

    /// Deletes a repository and everything in it.
    pub fn remove_repository(&mut self, full: &str) -> Changed<()> {
        let id = self.repository(full)?.id;
        let org = self.organization_mut(split(full)?.0)?;
        org.repositories.remove(&id);
        let org = org.id;
        self.note(org, "repo.destroy", &[("repo", json!(full))]);
        Ok(())
    }

    /// Gives a repository another name. Its id stays, and so do its deploy keys.
    pub fn rename_repository(&mut self, full: &str, to: &str) -> Changed<()> {
        self.repository_mut(full)?.name = to.to_owned();
        let org = self.organization(split(full)?.0)?.id;
        self.note(org, "repo.rename", &[("repo", json!(full))]);
        Ok(())
    }

    /// Moves a repository to another organisation, with its id and everything in it.
    pub fn transfer_repository(&mut self, full: &str, to: &str) -> Changed<()> {
        let id = self.repository(full)?.id;
        self.organization(to)?;
        let from = self.organization_mut(split(full)?.0)?;
        let repo = from.repositories.remove(&id).ok_or_else(|| no_such("repository", full))?;
        let from = from.id;
        self.organization_mut(to)?.repositories.insert(id, repo);
        self.note(from, "repo.transfer", &[("repo", json!(full))]);
        Ok(())
    }

    /// Makes a repository read-only.
    pub fn archive_repository(&mut self, full: &str) -> Changed<()> {
        self.repository_mut(full)?.archived = true;
        let org = self.organization(split(full)?.0)?.id;
        self.note(org, "repo.archived", &[("repo", json!(full))]);
        Ok(())
    }

    /// Sets a custom property.
    pub fn set_property(&mut self, full: &str, name: &str, value: &str) -> Changed<()> {
        self.repository_mut(full)?.properties.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// Writes a text file on the default branch.
    pub fn put_file(&mut self, full: &str, path: &str, text: &str) -> Changed<()> {
        self.repository_mut(full)?.files.insert(path.to_owned(), text.to_owned());
        Ok(())
    }

    /// `by` adds a deploy key that can only read; returns its id.
    pub fn add_deploy_key(&mut self, full: &str, title: &str, by: &str) -> Changed<u64> {
        let (id, now) = (self.id(), self.clock.now());
        let key = DeployKey {
            id,
            title: title.to_owned(),
            read_only: true,
            created_at: now,
            added_by: Some(by.to_owned()),
            last_used: None,
            enabled: true,
        };
        self.repository_mut(full)?.deploy_keys.insert(id, key);
        let org = self.organization(split(full)?.0)?.id;
        self.note(org, "public_key.create", &[("repo", json!(full)), ("title", json!(title))]);
        Ok(id)
    }

    /// A deploy key, to change.
    pub fn deploy_key_mut(&mut self, full: &str, id: u64) -> Changed<&mut DeployKey> {
        let keys = &mut self.repository_mut(full)?.deploy_keys;
        keys.get_mut(&id).ok_or_else(|| no_such("deploy key", &id.to_string()))
    }

    /// The key opens its repository, now.
    pub fn use_deploy_key(&mut self, full: &str, id: u64) -> Changed<()> {
        let now = self.clock.now();
        self.deploy_key_mut(full, id)?.last_used = Some(now);
        Ok(())
    }

    /// Deletes a deploy key.
    pub fn remove_deploy_key(&mut self, full: &str, id: u64) -> Changed<()> {
        let gone = self.repository_mut(full)?.deploy_keys.remove(&id);
        let gone = gone.ok_or_else(|| no_such("deploy key", &id.to_string()))?;
        let org = self.organization(split(full)?.0)?.id;
        let more = [("repo", json!(full)), ("title", json!(gone.title))];
        self.note(org, "public_key.delete", &more);
        Ok(())
    }

    /// Deletes a deploy key and adds one of the same title; returns the new id.
    pub fn rotate_deploy_key(&mut self, full: &str, id: u64) -> Changed<u64> {
        let key = self.deploy_key_mut(full, id)?;
        let (title, by, read_only) = (key.title.clone(), key.added_by.clone(), key.read_only);
        self.remove_deploy_key(full, id)?;
        let new = self.add_deploy_key(full, &title, by.as_deref().unwrap_or(""))?;
        self.deploy_key_mut(full, new)?.read_only = read_only;
        Ok(new)
    }

    /// A new environment; returns its id.
    pub fn add_environment(&mut self, full: &str, name: &str) -> Changed<u64> {
        let (id, created_at) = (self.id(), self.clock.now());
        let holds = Holdings::default();
        let environment = Environment { id, name: name.to_owned(), created_at, holds };
        self.repository_mut(full)?.environments.insert(name.to_owned(), environment);
        let org = self.organization(split(full)?.0)?.id;
        self.note(org, "environment.create", &[("repo", json!(full)), ("name", json!(name))]);
        Ok(id)
    }

    /// Deletes an environment with its secrets.
    pub fn remove_environment(&mut self, full: &str, name: &str) -> Changed<()> {
        let gone = self.repository_mut(full)?.environments.remove(name);
        gone.ok_or_else(|| no_such("environment", name))?;
        let org = self.organization(split(full)?.0)?.id;
        self.note(org, "environment.delete", &[("repo", json!(full)), ("name", json!(name))]);
        Ok(())
    }
}
