//! One organisation, ready to be read: lists to their end, single answers, queries.

use headcount_sdk::ScanError;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{Permissions, malformed, unavailable};
use super::graphql::Reply;
use super::line::Line;
use super::page::Cursor;
use super::transport::Answer;
use super::{row, segment};
use crate::id::Place;

/// One organisation, ready to be read.
pub(crate) struct Organization {
    pub(crate) place: Place,
    pub(crate) id: u64,
    /// As it is called now.
    pub(crate) login: String,
    /// Whether every repository can be seen. If not, one that is not listed may still be there.
    pub(crate) sees_all_repositories: bool,
    /// Whether every member can be seen, and not only those who say so in public.
    pub(crate) sees_all_members: bool,
    pub(super) line: Line,
    pub(super) origin: String,
}

/// Which list is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<'a> {
    pub(crate) operation: &'static str,
    /// Path with its query, without the page size.
    pub(crate) path: &'a str,
    /// The member that holds the rows; `None`: the answer is an array.
    pub(crate) key: Option<&'static str>,
}

impl Organization {
    /// What the installation may do.
    pub(crate) fn grant(&self, permission: &str) -> Option<bool> {
        self.line.permissions.grant(permission)
    }

    /// Whether an App reads; some endpoints answer no one else.
    pub(crate) fn is_app(&self) -> bool {
        matches!(self.line.permissions, Permissions::App(_))
    }

    /// A path below the organisation.
    pub(crate) fn path(&self, tail: &str) -> String {
        format!("/orgs/{}{tail}", segment(&self.login))
    }

    pub(crate) async fn one<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: String,
    ) -> Result<T, ScanError> {
        self.line.one(operation, path).await
    }

    /// Reads a list to its end.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        list: List<'_>,
    ) -> Result<Vec<T>, ScanError> {
        let mut cursor = Cursor::new(list.operation, &self.origin);
        let mut rows = Vec::new();
        let mut path = Some(sized(list.path));
        while let Some(at) = path {
            let answer = self.line.get(list.operation, at).await?;
            let total = take(list, &answer, &mut rows)?;
            path = cursor.next(&answer.headers)?;
            if path.is_none() && total.is_some_and(|total| total > rows.len() as u64) {
                return Err(unavailable(list.operation, "fewer rows came than were counted"));
            }
        }
        Ok(rows)
    }

    /// Only the first page: to prove a permission.
    pub(crate) async fn first<T: DeserializeOwned>(
        &self,
        list: List<'_>,
    ) -> Result<Vec<T>, ScanError> {
        let answer = self.line.get(list.operation, sized(list.path)).await?;
        let mut rows = Vec::new();
        take(list, &answer, &mut rows)?;
        Ok(rows)
    }

    pub(crate) async fn query<T: DeserializeOwned>(
        &self,
        query: &str,
        variables: Value,
    ) -> Result<Reply<T>, ScanError> {
        self.line.query(query, variables).await
    }

    /// Watches the pages of a list that is not read by links.
    pub(crate) fn cursor(&self, operation: &'static str) -> PageGuard {
        PageGuard(Cursor::new(operation, &self.origin))
    }
}

/// Refuses a cursor that comes twice, and a list without end.
pub(crate) struct PageGuard(Cursor);

impl PageGuard {
    pub(crate) fn advance(&mut self, cursor: &str) -> Result<(), ScanError> {
        self.0.advance(cursor.to_owned())
    }
}

fn sized(path: &str) -> String {
    format!("{path}{}per_page=100", if path.contains('?') { '&' } else { '?' })
}

/// Takes the rows of a page, and the count that it states.
fn take<T: DeserializeOwned>(
    list: List<'_>,
    answer: &Answer,
    rows: &mut Vec<T>,
) -> Result<Option<u64>, ScanError> {
    let refused = |path: &str| malformed(list.operation, path);
    let mut page: Value = serde_json::from_slice(&answer.body).map_err(|_| refused("$"))?;
    let (found, total) = match list.key {
        Some(key) => {
            let total = page.get("total_count").and_then(Value::as_u64);
            (page.get_mut(key).map(Value::take).ok_or_else(|| refused(key))?, total)
        }
        None => (page, None),
    };
    let Value::Array(found) = found else { return Err(refused(list.key.unwrap_or("$"))) };
    for (index, value) in found.into_iter().enumerate() {
        rows.push(row(list.operation, &format!("[{index}]"), value)?);
    }
    Ok(total)
}
