//! What runs and starts the pipelines of a GitLab: runners, trigger tokens, and the agents for
//! Kubernetes with their tokens.
//!
//! Lists tell less than a single answer does: when a runner was in contact and a token of an agent
//! was used stands in the latter alone.

use serde_json::json;

use super::{GitLab, MARKED, PROJECTS, key};
use crate::change::Changed;

pub(super) const RUNNERS: &str = "/groups/4242/runners";

/// What of it is used from time to time: a trigger, a runner, and an agent with its token.
pub(super) type Machines = (u64, u64, (u64, u64));

fn triggers(project: u64) -> String {
    format!("/projects/{project}/triggers")
}

fn runners(project: u64) -> String {
    format!("/projects/{project}/runners")
}

fn agents(project: u64) -> String {
    format!("/projects/{project}/cluster_agents")
}

fn tokens((project, agent): (u64, u64)) -> String {
    format!("{}/{agent}/tokens", agents(project))
}

impl GitLab {
    /// Some of everything in two projects, made by two people.
    pub(super) fn seed_machines(&mut self, shop: u64, site: u64) -> Changed<Machines> {
        let (ana, ben) = (self.add_person("ana"), self.add_person("ben"));
        self.make_token_of(ana, "scripts", &["api"])?;
        self.make_token_of(ben, "old export", &["read_api"])?;
        self.add_application("Grafana");
        let nightly = self.add_trigger(shop, "nightly build", ana)?;
        self.add_trigger(site, "release of the site", ben)?;
        let farm = self.add_runner("build farm", ana);
        self.add_project_runner(shop, "signing machine", ben)?;
        let agent = self.add_agent(shop, "production")?;
        let token = self.make_agent_token((shop, agent), "cluster")?;
        Ok((nightly, farm, (agent, token)))
    }

    pub(super) fn use_machines(&mut self, project: u64, used: Machines) -> Changed<()> {
        let (trigger, runner, (agent, token)) = used;
        self.fire_trigger(project, trigger)?;
        self.contact_runner(runner)?;
        self.use_agent_token((project, agent), token)
    }

    /// A trigger token that somebody made; gives its id. Who reads made it, too, as far as the
    /// answer is concerned, and so gets it in full.
    pub fn add_trigger(&mut self, project: u64, description: &str, owner: u64) -> Changed<u64> {
        self.holdings.row(PROJECTS, "id", &project.to_string())?;
        let id = self.id();
        let row = json!({"id": id, "token": MARKED, "description": description,
            "created_at": self.made(), "updated_at": self.made(), "last_used": null,
            "expires_at": null, "owner": owner});
        self.holdings.put(&triggers(project), &key(id), row);
        Ok(id)
    }

    /// A pipeline is started by it.
    pub fn fire_trigger(&mut self, project: u64, trigger: u64) -> Changed<()> {
        let at = self.made();
        self.set(&triggers(project), trigger, "last_used", json!(at))
    }

    /// The pipelines that it started are deleted, and with them every word of its use.
    pub fn delete_pipelines(&mut self, project: u64, trigger: u64) -> Changed<()> {
        self.set(&triggers(project), trigger, "last_used", json!(null))
    }

    pub fn remove_trigger(&mut self, project: u64, trigger: u64) -> Changed<()> {
        self.holdings.take(&triggers(project), "id", &trigger.to_string()).map(drop)
    }

    /// The id of the trigger token with this description.
    pub fn trigger(&self, project: u64, description: &str) -> Option<u64> {
        let mut rows = self.holdings.rows(&triggers(project));
        rows.find(|row| row["description"] == description)?["id"].as_u64()
    }

    /// A project switches CI/CD and its infrastructure off: what belongs to them is not listed.
    pub fn switch_off(&mut self, project: u64) -> Changed<()> {
        for level in ["builds_access_level", "infrastructure_access_level"] {
            self.set(PROJECTS, project, level, json!("disabled"))?;
        }
        self.holdings.withdraw(&triggers(project));
        self.holdings.withdraw(&agents(project));
        Ok(())
    }

    /// A runner in the list of a group or project.
    fn runner(&mut self, list: &str, (kind, description, by): (&str, &str, u64)) -> u64 {
        let id = self.id();
        let row = json!({"id": id, "description": description, "ip_address": null, "active": true,
            "paused": false, "is_shared": false, "runner_type": kind, "name": null,
            "online": false, "created_by": by, "created_at": self.made(),
            "status": "never_contacted", "token": MARKED});
        let mut detail = row.clone();
        detail["contacted_at"] = json!(null);
        self.holdings.put(&format!("/runners/{id}"), &key(id), detail);
        self.holdings.put(list, &key(id), row);
        id
    }

    /// A runner of the group that somebody made; gives its id.
    pub fn add_runner(&mut self, description: &str, by: u64) -> u64 {
        self.runner(RUNNERS, ("group_type", description, by))
    }

    /// A runner of a project; gives its id.
    pub fn add_project_runner(&mut self, project: u64, description: &str, by: u64) -> Changed<u64> {
        self.holdings.row(PROJECTS, "id", &project.to_string())?;
        Ok(self.runner(&runners(project), ("project_type", description, by)))
    }

    /// Lets another project use a runner of one.
    pub fn share_runner(&mut self, from: u64, runner: u64, to: u64) -> Changed<()> {
        let row = self.holdings.row(&runners(from), "id", &runner.to_string())?.clone();
        self.holdings.put(&runners(to), &key(runner), row);
        Ok(())
    }

    /// A runner of the group asks for work.
    pub fn contact_runner(&mut self, runner: u64) -> Changed<()> {
        let at = self.made();
        self.set(RUNNERS, runner, "status", json!("online"))?;
        self.set(&format!("/runners/{runner}"), runner, "contacted_at", json!(at))
    }

    pub fn pause_runner(&mut self, runner: u64) -> Changed<()> {
        self.set(RUNNERS, runner, "status", json!("paused"))?;
        self.set(RUNNERS, runner, "paused", json!(true))
    }

    pub fn remove_runner(&mut self, runner: u64) -> Changed<()> {
        self.holdings.withdraw(&format!("/runners/{runner}"));
        self.holdings.take(RUNNERS, "id", &runner.to_string()).map(drop)
    }

    /// The id of the runner of the group with this description.
    pub fn runner_named(&self, description: &str) -> Option<u64> {
        let mut rows = self.holdings.rows(RUNNERS);
        rows.find(|row| row["description"] == description)?["id"].as_u64()
    }

    /// An agent for Kubernetes; gives its id.
    pub fn add_agent(&mut self, project: u64, name: &str) -> Changed<u64> {
        let of = self.holdings.row(PROJECTS, "id", &project.to_string())?.clone();
        let id = self.id();
        let row = json!({"id": id, "name": name, "created_at": self.made(),
            "created_by_user_id": 77,
            "config_project": {"id": project, "path_with_namespace": of["path_with_namespace"]}});
        self.holdings.put(&agents(project), &key(id), row);
        self.holdings.open(&tokens((project, id)));
        Ok(id)
    }

    /// A token by which an agent, named by its project and its own id, connects; gives its id.
    pub fn make_agent_token(&mut self, agent: (u64, u64), name: &str) -> Changed<u64> {
        self.holdings.row(&agents(agent.0), "id", &agent.1.to_string())?;
        let id = self.id();
        let row = json!({"id": id, "name": name, "description": null, "agent_id": agent.1,
            "status": "active", "created_at": self.made(), "created_by_user_id": 77});
        let mut detail = row.clone();
        detail["last_used_at"] = json!(null);
        self.holdings.put(&format!("{}/{id}", tokens(agent)), &key(id), detail);
        self.holdings.put(&tokens(agent), &key(id), row);
        Ok(id)
    }

    pub fn use_agent_token(&mut self, agent: (u64, u64), token: u64) -> Changed<()> {
        let at = self.made();
        self.set(&format!("{}/{token}", tokens(agent)), token, "last_used_at", json!(at))
    }

    /// A revoked token of an agent is not listed any more, and asked for it is not found.
    pub fn revoke_agent_token(&mut self, agent: (u64, u64), token: u64) -> Changed<()> {
        self.holdings.withdraw(&format!("{}/{token}", tokens(agent)));
        self.holdings.take(&tokens(agent), "id", &token.to_string()).map(drop)
    }

    /// The id of the agent of this name in a project.
    pub fn agent(&self, project: u64, name: &str) -> Option<u64> {
        let mut rows = self.holdings.rows(&agents(project));
        rows.find(|row| row["name"] == name)?["id"].as_u64()
    }
}
