//! One request as the answers see it: what was asked, by whom, and what it is about.

use std::collections::BTreeMap;

use super::auth::Bearer;
use super::model::{Holdings, Hub, Installation, Org, Repo, Store};
use super::reply::Refusal;
use super::route::Route;
use super::shape::Shape;

/// One request on its way to an answer.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) route: &'static Route,
    pub(super) shape: Shape<'a>,
    pub(super) bearer: &'a Bearer,
    /// What the template's braces caught, in order.
    pub(super) caught: Vec<String>,
    pub(super) query: &'a BTreeMap<String, String>,
    /// Pages have at most so many rows, whatever was asked for.
    pub(super) most: Option<usize>,
}

impl<'a> Ask<'a> {
    /// The organisation in hand.
    pub(super) fn org(&self) -> &'a Org {
        self.shape.org
    }

    pub(super) fn hub(&self) -> &'a Hub {
        self.shape.hub
    }

    pub(super) fn caught(&self, n: usize) -> &str {
        self.caught.get(n).map_or("", String::as_str)
    }

    /// What was caught last, as a number.
    pub(super) fn number(&self, n: usize) -> Result<u64, Refusal> {
        self.caught(n).parse().map_err(|_| Refusal::not_found())
    }

    /// The installation that asks, where it is one.
    pub(super) fn installation(&self) -> Option<&'a Installation> {
        match self.bearer {
            Bearer::Installation { org, id } => {
                self.hub().organizations.get(org).and_then(|org| org.installations.get(id))
            }
            _ => None,
        }
    }

    /// Whether who asks can see a repository.
    pub(super) fn sees(&self, repo: &Repo) -> bool {
        let only = self.installation().and_then(|installation| installation.repositories.as_ref());
        only.is_none_or(|only| only.contains(&repo.id))
    }

    /// The repository of a `/repos/{owner}/{repo}` path.
    pub(super) fn repo(&self) -> Result<&'a Repo, Refusal> {
        let repo = self.org().repositories.values().find(|repo| repo.name == self.caught(1));
        repo.filter(|repo| self.sees(repo)).ok_or_else(Refusal::not_found)
    }

    /// Whether the path is that of a repository, or of something below one.
    pub(super) fn of_repo(&self) -> bool {
        self.route.template.starts_with("/repos/")
    }

    /// What holds the things that the path lists.
    pub(super) fn holdings(&self) -> Result<&'a Holdings, Refusal> {
        if !self.of_repo() {
            return Ok(&self.org().holds);
        }
        let repo = self.repo()?;
        if self.route.template.contains("{environment_name}/") {
            let environment = repo.environments.get(self.caught(2));
            return environment.map(|found| &found.holds).ok_or_else(Refusal::not_found);
        }
        Ok(&repo.holds)
    }

    /// The store that the path names.
    pub(super) fn store(&self) -> Store {
        let named = |store: &Store| self.route.template.contains(&format!("/{}/", store.word()));
        Store::ALL.into_iter().find(named).unwrap_or(Store::Actions)
    }

    /// The path that was asked, without what its last `drop` segments name.
    pub(super) fn path(&self, drop: usize) -> String {
        let mut caught = self.caught.iter();
        let parts: Vec<String> = self
            .route
            .template
            .split('/')
            .map(|part| match part.starts_with('{') {
                true => caught.next().cloned().unwrap_or_default(),
                false => part.to_owned(),
            })
            .collect();
        parts[..parts.len().saturating_sub(drop)].join("/")
    }
}
