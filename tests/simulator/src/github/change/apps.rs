//! Apps and their installations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::super::auth::Reader;
use super::super::edition::READ_PERMISSIONS;
use super::super::model::*;
use crate::change::{Changed, no_such};

impl Hub {
    /// A public App made by `owner`; returns its id. `owner` is an organisation here, or somebody
    /// elsewhere.
    pub fn add_app(&mut self, slug: &str, owner: &str) -> u64 {
        let owner = match self.organization(owner) {
            Ok(org) => org.actor(),
            Err(_) => {
                let id = self.user(owner);
                Actor { id, login: owner.to_owned(), kind: "Organization" }
            }
        };
        let id = self.id();
        let app = App {
            id,
            slug: slug.to_owned(),
            name: slug.replace('-', " "),
            client_id: format!("Iv23EXAMPLE{id:09}"),
            owner,
            public: true,
            permissions: BTreeMap::from([("metadata".to_owned(), "read".to_owned())]),
            created_at: self.clock.now(),
        };
        self.apps.insert(id, app);
        id
    }

    /// Installs an App with these permissions on all repositories; returns the installation's id.
    pub fn install(&mut self, org: &str, app: u64, permissions: &[(&str, &str)]) -> Changed<u64> {
        let slug =
            self.apps.get(&app).ok_or_else(|| no_such("app", &app.to_string()))?.slug.clone();
        let (id, now) = (self.id(), self.clock.now());
        let own = |(name, level): &(&str, &str)| ((*name).to_owned(), (*level).to_owned());
        let mut permissions: BTreeMap<String, String> = permissions.iter().map(own).collect();
        permissions.entry("metadata".to_owned()).or_insert("read".to_owned());
        let installation = Installation {
            id,
            app,
            permissions,
            repositories: None,
            created_at: now,
            updated_at: now,
            suspended: None,
            contact_email: None,
        };
        let org = self.organization_mut(org)?;
        org.installations.insert(id, installation);
        let org = org.id;
        let more = [("integration", json!(slug)), ("installation_id", json!(id))];
        self.note(org, "integration_installation.create", &more);
        Ok(id)
    }

    /// The App that reads, one for all organisations: installed in `org` with everything that can
    /// be read.
    pub fn add_reader(&mut self, org: &str) -> Changed<Reader> {
        let known = self.apps.values().find(|app| app.slug == "headcount-reader");
        let app = known.map(|app| app.id).unwrap_or_else(|| self.add_app("headcount-reader", org));
        let permissions: Vec<(&str, &str)> =
            READ_PERMISSIONS.iter().map(|permission| (*permission, "read")).collect();
        let installation_id = self.install(org, app, &permissions)?;
        let app = self.apps.get_mut(&app).ok_or_else(|| no_such("app", "headcount-reader"))?;
        app.public = false;
        let (client_id, slug) = (app.client_id.clone(), app.slug.clone());
        Ok(Reader { app_id: app.id, client_id, installation_id, slug })
    }

    /// What [`Hub::add_reader`] made in `org`.
    pub fn reader(&self, org: &str) -> Changed<Reader> {
        let named = |app: &&App| app.slug == "headcount-reader";
        let app =
            self.apps.values().find(named).ok_or_else(|| no_such("app", "headcount-reader"))?;
        let mut all = self.organization(org)?.installations.values();
        let found = all.find(|found| found.app == app.id);
        let installation_id = found.ok_or_else(|| no_such("installation", org))?.id;
        let (client_id, slug) = (app.client_id.clone(), app.slug.clone());
        Ok(Reader { app_id: app.id, client_id, installation_id, slug })
    }

    /// An installation, to change, with the id of its organisation.
    fn installation_mut(&mut self, id: u64) -> Changed<(u64, &mut Installation)> {
        let mut all = self.organizations.values_mut();
        let found = all.find_map(|org| Some((org.id, org.installations.get_mut(&id)?)));
        found.ok_or_else(|| no_such("installation", &id.to_string()))
    }

    fn note_installation(&mut self, id: u64, action: &str) -> Changed<()> {
        let now = self.clock.now();
        let (org, found) = self.installation_mut(id)?;
        found.updated_at = now;
        let app = found.app;
        let slug = self.apps.get(&app).map(|app| app.slug.clone());
        let more = [("integration", json!(slug)), ("installation_id", json!(id))];
        self.note(org, &format!("integration_installation.{action}"), &more);
        Ok(())
    }

    /// Takes an App out of its organisation. Its tokens stop working.
    pub fn uninstall(&mut self, id: u64) -> Changed<()> {
        self.note_installation(id, "destroy")?;
        let (org, _) = self.installation_mut(id)?;
        if let Some(org) = self.organizations.get_mut(&org) {
            org.installations.remove(&id);
        }
        Ok(())
    }

    /// Stops an installation without taking it out.
    pub fn suspend(&mut self, id: u64, by: &str) -> Changed<()> {
        let (now, user) = (self.clock.now(), self.user(by));
        let by = Actor { id: user, login: by.to_owned(), kind: "User" };
        self.installation_mut(id)?.1.suspended = Some((now, by));
        self.note_installation(id, "suspend")
    }

    /// Takes back [`Hub::suspend`].
    pub fn unsuspend(&mut self, id: u64) -> Changed<()> {
        self.installation_mut(id)?.1.suspended = None;
        self.note_installation(id, "unsuspend")
    }

    /// Grants an installation a permission at a level.
    pub fn permit(&mut self, id: u64, permission: &str, level: &str) -> Changed<()> {
        let permissions = &mut self.installation_mut(id)?.1.permissions;
        permissions.insert(permission.to_owned(), level.to_owned());
        self.note_installation(id, "version_updated")
    }

    /// Takes a permission from an installation.
    pub fn forbid(&mut self, id: u64, permission: &str) -> Changed<()> {
        self.installation_mut(id)?.1.permissions.remove(permission);
        self.note_installation(id, "version_updated")
    }

    /// Lets an installation reach only these repositories (`owner/name`).
    pub fn select_repositories(&mut self, id: u64, repos: &[&str]) -> Changed<()> {
        let mut selected = BTreeSet::new();
        for full in repos {
            selected.insert(self.repository(full)?.id);
        }
        self.installation_mut(id)?.1.repositories = Some(selected);
        self.note_installation(id, "repositories_removed")
    }

    /// Lets an installation reach all repositories again.
    pub fn select_all_repositories(&mut self, id: u64) -> Changed<()> {
        self.installation_mut(id)?.1.repositories = None;
        self.note_installation(id, "repositories_added")
    }

    /// API Insights count requests of a subject: `installation`, `classic_pat`,
    /// `fine_grained_pat`, `oauth_app`, `github_app_user_to_server` or `user`.
    pub fn use_api(&mut self, org: &str, subject: (&str, u64), name: &str) -> Changed<()> {
        let now = self.clock.now();
        let stats = &mut self.organization_mut(org)?.stats;
        let stats = stats.entry((subject.0.to_owned(), subject.1)).or_insert(Stats {
            name: name.to_owned(),
            requests: 0,
            last: now,
        });
        (stats.requests, stats.last) = (stats.requests + 1, now);
        Ok(())
    }
}
