//! Scopes `repositories` and `environments`: a hundred repositories in one GraphQL query, with
//! everything whose change tells where to look again.
//!
//! A heavy query ends in 502 or 504, or in a part of the answer with errors beside it. The first
//! is asked again for fewer rows; the second is not an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headcount_sdk::{Complete, OwnerBasis, Recorder, ScanError};
use serde_json::json;

use super::sweep::{Sweep, Unit};
use super::{Below, Collector, below, missing};
use crate::client::error::{denied, denied_for, malformed, permission, unavailable};
use crate::client::graphql::{self, GRAPHQL, Reply};
use crate::client::{List, segment};
use crate::normalize::repository::{self, Row};
use crate::normalize::{evidence, owner};
use crate::wire::{
    Connection, EnvironmentNode, FileNodes, Properties, RepositoriesData, RepositoryNode, Team,
};

/// Rows of the first query; halved when GitHub cannot answer in time.
const PAGE: u32 = 100;

const LEAST_PAGE: u32 = 6;

pub(super) const PROPERTIES: Below =
    below("GET /orgs/{org}/properties/values", "/properties/values", None);
pub(super) const ENVIRONMENTS: &str = "GET /repos/{owner}/{repo}/environments";
pub(super) const TEAMS: &str = "GET /repos/{owner}/{repo}/teams";
/// Not a request of its own: the fields of the query that need another permission.
pub(super) const FILES: &str = "files by POST /graphql";

/// Every repository that can be seen.
pub(crate) struct Repositories {
    pub(crate) rows: Vec<Row>,
    /// Why files were not looked at.
    pub(crate) files_hidden: Option<ScanError>,
}

/// The query, with or without the files that name owners.
fn query(files: bool) -> String {
    let files = if files { files_of("oid") } else { String::new() };
    format!(
        "query($org:String!,$first:Int!,$after:String){{organization(login:$org){{\
         repositories(first:$first,after:$after,orderBy:{{field:NAME,direction:ASC}}){{\
         totalCount pageInfo{{hasNextPage endCursor}} nodes{{id databaseId name nameWithOwner \
         isArchived visibility createdAt pushedAt \
         deployKeys(first:50){{totalCount nodes{{id title readOnly verified enabled}}}} \
         environments(first:50){{totalCount nodes{{databaseId name}}}} {files}}}}}}} \
         rateLimit{{cost remaining resetAt}}}}"
    )
}

pub(super) fn files_of(fields: &str) -> String {
    let paths = [
        ("codeowners", ".github/CODEOWNERS"),
        ("codeownersRoot", "CODEOWNERS"),
        ("codeownersDocs", "docs/CODEOWNERS"),
        ("catalog", "catalog-info.yaml"),
    ];
    let field = |(alias, path): (&str, &str)| {
        format!("{alias}:object(expression:\"HEAD:{path}\"){{... on Blob{{{fields}}}}}")
    };
    paths.map(field).join(" ")
}

/// A page that was read.
struct Page {
    connection: Connection<RepositoryNode>,
    files_hidden: Option<ScanError>,
}

impl Collector<'_> {
    pub(super) async fn repositories(
        &self,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let read = self.repository_rows().await?;
        let federation = self.federation().await;
        let properties = self.properties().await;
        let (files, unread_files) = self.files(&read).await;
        let (teams, unread_teams) = self.teams(&read.rows).await;
        let known = federation.as_ref().ok().cloned().unwrap_or_else(|| self.plain_federation());
        let mut seen = BTreeSet::new();
        for row in &read.rows {
            let mut observation = repository::repository(self.place(), row, &known);
            let mut hide = |field: &str, error: &ScanError| {
                observation.unread.insert(field.to_owned(), missing(error));
            };
            if let Err(error) = &federation {
                hide("subjects", error);
            }
            if let Err(error) = &properties {
                hide("labels", error);
                hide("owner_evidence", error);
            }
            if let Some(error) = unread_files.get(&row.id).or(read.files_hidden.as_ref()) {
                hide("owner_evidence", error);
            }
            let administered = teams.get(&row.id);
            if administered.is_none() {
                let error = unread_teams
                    .clone()
                    .unwrap_or_else(|| denied_for(TEAMS, "a visit of the sweep"));
                hide("owner_evidence", &error);
            }
            observation.labels = properties
                .as_ref()
                .ok()
                .and_then(|all| all.get(&row.id))
                .cloned()
                .unwrap_or_default();
            let claims = &mut observation.owner_evidence;
            claims.extend(owner::from_labels(&observation.labels, &self.config.owner_properties));
            let named = files.get(&row.id).into_iter().flatten();
            claims
                .extend(named.map(|n| owner::claim(&n.reference, OwnerBasis::Catalog, &n.locator)));
            let slugs = administered.into_iter().flatten();
            claims.extend(slugs.map(|slug| {
                let team = format!("{}/{slug}", self.organization.login);
                owner::claim(&team, OwnerBasis::Container, "team that administers the repository")
            }));
            observation.evidence.push(evidence(GRAPHQL, &row.full_name, self.cx.now));
            seen.insert(observation.id.clone());
            recorder.record(observation);
        }
        let hidden = unread_files.into_values().next().or(read.files_hidden.clone());
        let faults = [
            ("subjects", federation.err()),
            ("labels", properties.err()),
            ("owner_evidence", hidden),
            ("owner_evidence", unread_teams),
        ];
        for (field, error) in faults {
            let fault = |error: &ScanError| !matches!(error, ScanError::NotSupported { .. });
            if let Some(error) = error.filter(fault).filter(|_| !read.rows.is_empty()) {
                recorder.degrade(field, error);
            }
        }
        if self.organization.sees_all_repositories {
            return Ok(recorder.complete());
        }
        // One that is not listed may only have been taken out of the App's selection.
        Ok(recorder.complete_for_records(seen))
    }

    pub(super) async fn environments(
        &self,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        self.may_see_environments()?;
        let read = self.repository_rows().await?;
        let federation = self.federation().await;
        let known = federation.as_ref().ok().cloned().unwrap_or_else(|| self.plain_federation());
        let mut parents = BTreeSet::new();
        for row in &read.rows {
            parents.insert(self.place().repository(row.id));
            for environment in &row.environments {
                let mut observation =
                    repository::environment(self.place(), row, environment, &known);
                if let Err(error) = &federation {
                    observation.unread.insert("subjects".to_owned(), missing(error));
                }
                recorder.record(observation);
            }
        }
        let any = read.rows.iter().any(|row| !row.environments.is_empty());
        if let Some(error) = federation.err().filter(|_| any) {
            recorder.degrade("subjects", error);
        }
        if self.organization.sees_all_repositories {
            return Ok(recorder.complete());
        }
        Ok(recorder.complete_for_parents(parents, 0))
    }

    /// The default of GitHub, where the organisation's template could not be read.
    fn plain_federation(&self) -> repository::Federation {
        self.federation_with(crate::wire::OidcTemplate::default())
    }

    /// Without the permission the bulk query may show no environments where there are some.
    pub(super) fn may_see_environments(&self) -> Result<(), ScanError> {
        match self.organization.grant(permission(ENVIRONMENTS)) {
            Some(false) => Err(denied(ENVIRONMENTS)),
            Some(true) | None => Ok(()),
        }
    }

    pub(super) async fn repository_rows(&self) -> Result<Arc<Repositories>, ScanError> {
        self.cx.memo.once("repositories", self.read_repositories()).await
    }

    async fn read_repositories(&self) -> Result<Repositories, ScanError> {
        let may_see_files = self.organization.grant("contents:read") != Some(false);
        let mut files_hidden = (!may_see_files).then(|| denied_for(FILES, "contents:read"));
        let mut rows = Vec::new();
        let mut cursor: Option<String> = None;
        let mut size = PAGE;
        let mut guard = self.organization.cursor(GRAPHQL);
        loop {
            let page = self.page(&mut size, cursor.as_deref(), files_hidden.is_none()).await?;
            files_hidden = files_hidden.or(page.files_hidden);
            let Connection { total_count, page_info, nodes } = page.connection;
            for node in nodes {
                let node = node.ok_or_else(|| unavailable(GRAPHQL, "the answer is not whole"))?;
                rows.push(self.row(node).await?);
            }
            let info = page_info.ok_or_else(|| graphql::missing("repositories/pageInfo"))?;
            if !info.has_next_page {
                if (rows.len() as u64) < total_count {
                    return Err(unavailable(GRAPHQL, "fewer repositories came than were counted"));
                }
                break;
            }
            let next = info.end_cursor.ok_or_else(|| graphql::missing("pageInfo/endCursor"))?;
            guard.advance(&next)?;
            cursor = Some(next);
        }
        self.keep("repositories", &rows).await;
        Ok(Repositories { rows, files_hidden })
    }

    /// One page, of as many rows as GitHub can answer in time.
    async fn page(
        &self,
        size: &mut u32,
        after: Option<&str>,
        files: bool,
    ) -> Result<Page, ScanError> {
        loop {
            let variables =
                json!({ "org": self.organization.login, "first": *size, "after": after });
            match self.organization.query(&query(files), variables).await {
                Ok(reply) => return page_of(reply),
                Err(ScanError::Unavailable { .. }) if *size > LEAST_PAGE => *size /= 2,
                Err(error) => return Err(error),
            }
        }
    }

    async fn row(&self, node: RepositoryNode) -> Result<Row, ScanError> {
        let keys = node.deploy_keys.ok_or_else(|| graphql::missing("nodes/deployKeys"))?;
        let environments =
            node.environments.ok_or_else(|| graphql::missing("nodes/environments"))?;
        let shown: Option<Vec<_>> = keys.nodes.into_iter().collect();
        let deploy_key_fingerprint = shown
            .filter(|shown| shown.len() as u64 == keys.total_count)
            .and_then(|shown| serde_json::to_string(&shown).ok());
        let environments =
            self.environments_of(&node.name, &node.name_with_owner, environments).await?;
        let fingerprint = json!([
            node.name_with_owner,
            node.is_archived,
            node.visibility,
            node.pushed_at,
            deploy_key_fingerprint,
            environments,
        ]);
        Ok(Row {
            id: node.database_id,
            node: node.id,
            name: node.name,
            full_name: node.name_with_owner,
            archived: node.is_archived,
            visibility: node.visibility,
            created_at: node.created_at,
            environments,
            deploy_keys: keys.total_count,
            deploy_key_fingerprint,
            fingerprint: fingerprint.to_string(),
            files: node.files,
        })
    }

    /// The environments that the query shows, or all of them by REST where there are more.
    async fn environments_of(
        &self,
        name: &str,
        full_name: &str,
        shown: Connection<EnvironmentNode>,
    ) -> Result<Vec<EnvironmentNode>, ScanError> {
        let nodes: Option<Vec<EnvironmentNode>> = shown.nodes.into_iter().collect();
        let nodes = nodes.ok_or_else(|| unavailable(GRAPHQL, "the answer is not whole"))?;
        if nodes.len() as u64 >= shown.total_count {
            return Ok(nodes);
        }
        let owner = full_name.strip_suffix(&format!("/{name}"));
        let owner = owner.ok_or_else(|| malformed(GRAPHQL, "nodes/nameWithOwner"))?;
        let path = format!("/repos/{}/{}/environments", segment(owner), segment(name));
        let list = List { operation: ENVIRONMENTS, path: &path, key: Some("environments") };
        self.organization.list(list).await
    }

    /// Custom properties as labels, by repository.
    async fn properties(&self) -> Result<BTreeMap<u64, BTreeMap<String, String>>, ScanError> {
        let rows: Vec<Properties> = self.list(PROPERTIES).await?;
        Ok(rows.iter().map(|row| (row.repository_id, owner::labels(&row.properties))).collect())
    }

    /// Slugs of the teams that administer each repository, as far as the sweep has come.
    async fn teams(&self, rows: &[Row]) -> (BTreeMap<u64, Vec<String>>, Option<ScanError>) {
        let (mut sweep, mut known): (Sweep, BTreeMap<u64, Vec<String>>) =
            self.cached("teams").await.unwrap_or_default();
        let units: Vec<Unit> = rows.iter().map(|row| self.unit(row)).collect();
        let again = self.confirming().then_some(self.cx.scan.as_str());
        let mut failed = None;
        for unit in sweep.choose(&units, again).into_iter().cloned().collect::<Vec<_>>() {
            let Some(row) = rows.iter().find(|row| row.id == unit.key) else { continue };
            let path = repository_path(row, "/teams");
            let list = List { operation: TEAMS, path: &path, key: None };
            match self.organization.list::<Team>(list).await {
                Ok(teams) => {
                    let admin = |team: &Team| team.permission.as_deref() == Some("admin");
                    let slugs = teams.into_iter().filter(admin).map(|team| team.slug).collect();
                    known.insert(row.id, slugs);
                    sweep.visited(&unit, self.cx.now, &self.cx.scan);
                }
                // Gone since it was listed; the next scan will not list it.
                Err(ScanError::NotSupported { .. }) => {}
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        known.retain(|id, _| rows.iter().any(|row| row.id == *id));
        self.keep("teams", &(&sweep, &known)).await;
        (known, failed)
    }

    pub(super) fn unit(&self, row: &Row) -> Unit {
        Unit {
            key: row.id,
            record: self.place().repository(row.id),
            fingerprint: row.fingerprint.clone(),
            frozen: row.archived,
        }
    }
}

/// A path below a repository.
pub(super) fn repository_path(row: &Row, tail: &str) -> String {
    let owner = row.full_name.strip_suffix(&row.name).unwrap_or_default().trim_end_matches('/');
    format!("/repos/{}/{}{tail}", segment(owner), segment(&row.name))
}

/// Takes an answer whose only errors, if any, are about files.
fn page_of(reply: Reply<RepositoriesData>) -> Result<Page, ScanError> {
    let about_files = |fault: &graphql::Fault| {
        fault.is_denial()
            && ["codeowners", "codeownersRoot", "codeownersDocs", "catalog"]
                .contains(&fault.field())
    };
    if let Some(fault) = reply.errors.iter().find(|fault| !about_files(fault)) {
        return Err(match fault.field() {
            _ if !fault.is_denial() => graphql::failure(&[]),
            "environments" => denied_for(GRAPHQL, "actions:read"),
            "deployKeys" => denied_for(GRAPHQL, "administration:read"),
            _ => graphql::failure(&reply.errors),
        });
    }
    let files_hidden = (!reply.errors.is_empty()).then(|| denied_for(FILES, "contents:read"));
    let organization = reply.data.and_then(|data| data.organization);
    let connection = organization.and_then(|organization| organization.repositories);
    let connection =
        connection.ok_or_else(|| graphql::missing("data/organization/repositories"))?;
    Ok(Page { connection, files_hidden })
}

/// Files without their text, as the bulk query shows them.
pub(super) fn has_files(files: &FileNodes) -> bool {
    let blobs = [&files.codeowners, &files.codeowners_root, &files.codeowners_docs, &files.catalog];
    blobs.into_iter().flatten().any(|blob| blob.oid.is_some())
}
