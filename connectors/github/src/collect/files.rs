//! Owners named by CODEOWNERS and catalog-info.yaml. Their text is read, by GraphQL and fifty
//! repositories at a time, only where the bulk query shows another version than last time.

use std::collections::BTreeMap;

use headcount_sdk::ScanError;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::repositories::{FILES, Repositories, files_of, has_files};
use super::{Collector, missing};
use crate::client::error::{denied_for, unavailable};
use crate::client::graphql::{self, Reply};
use crate::normalize::owner::{self, Named};
use crate::normalize::repository::Row;
use crate::wire::{FileNodes, FilesNode};

/// Repositories in one query: some kilobytes of text each.
const BATCH: usize = 50;

/// What the files of a repository said.
#[derive(Clone, Serialize, Deserialize)]
struct Read {
    versions: FileNodes,
    named: Vec<Named>,
}

type Owners = BTreeMap<u64, Vec<Named>>;

impl Collector<'_> {
    /// Owners by repository, and for which repositories they could not be read.
    pub(super) async fn files(
        &self,
        repositories: &Repositories,
    ) -> (Owners, BTreeMap<u64, ScanError>) {
        let mut kept: BTreeMap<u64, Read> = self.cached("files").await.unwrap_or_default();
        let rows: BTreeMap<u64, &Row> = repositories.rows.iter().map(|row| (row.id, row)).collect();
        if repositories.files_hidden.is_none() {
            kept.retain(|id, read| {
                let unchanged = |row: &&Row| row.files == read.versions && has_files(&row.files);
                rows.get(id).is_some_and(unchanged) && !self.confirming()
            });
        }
        let wanted: Vec<&Row> = repositories
            .rows
            .iter()
            .filter(|row| has_files(&row.files) && !kept.contains_key(&row.id))
            .collect();
        let mut unread = BTreeMap::new();
        for batch in wanted.chunks(BATCH) {
            match self.texts(batch).await {
                Ok(read) => kept.extend(read),
                Err(error) => unread.extend(batch.iter().map(|row| (row.id, error.clone()))),
            }
        }
        self.keep("files", &kept).await;
        if let Some(error) = &repositories.files_hidden {
            tracing::debug!(missing = missing(error), "files that name owners are not read");
        }
        (kept.into_iter().map(|(id, read)| (id, read.named)).collect(), unread)
    }

    async fn texts(&self, batch: &[&Row]) -> Result<BTreeMap<u64, Read>, ScanError> {
        let files = files_of("oid text");
        let asked = batch.iter().enumerate().map(|(n, row)| {
            let owner = row.full_name.split('/').next().unwrap_or_default();
            format!(
                "r{n}:repository(owner:{},name:{}){{id {files}}}",
                json!(owner),
                json!(row.name)
            )
        });
        let query = format!("query{{{}}}", asked.collect::<Vec<_>>().join(" "));
        let reply: Reply<BTreeMap<String, Option<FilesNode>>> =
            self.organization.query(&query, json!({})).await?;
        if !reply.errors.is_empty() {
            let denied = reply.errors.iter().all(graphql::Fault::is_denial);
            return Err(match denied {
                true => denied_for(FILES, "contents:read"),
                false => unavailable(FILES, "the answer is not whole"),
            });
        }
        let data = reply.data.ok_or_else(|| graphql::missing("data"))?;
        let mut read = BTreeMap::new();
        for (n, row) in batch.iter().enumerate() {
            let node = data.get(&format!("r{n}")).and_then(Option::as_ref);
            // A name may belong to another repository by now.
            let node = node.filter(|node| node.id == row.node);
            let node = node.ok_or_else(|| unavailable(FILES, "the answer is not whole"))?;
            let named = owner::from_files(&node.files);
            read.insert(row.id, Read { versions: row.files.clone(), named });
        }
        Ok(read)
    }
}
