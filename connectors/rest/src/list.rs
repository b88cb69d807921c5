//! Reads one list page by page, and checks its items as they come.

use std::collections::BTreeMap;
use std::sync::Arc;

use headcount_sdk::{ScanContext, ScanError};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use url::Url;

use crate::client::{Call, Client, malformed, unavailable};
use crate::describe::{Operation, TokenIn};
use crate::expr::{Span, Template, evaluate};
use crate::item;
use crate::map::{self, Variables};
use crate::page::{self, Next, Page, Progress, Wrong};

/// What stays as it is in a segment of a path (RFC 3986: unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A list that is being read.
pub struct List<'a> {
    client: &'a Client,
    cx: &'a ScanContext,
    name: &'a str,
    operation: &'a Operation,
    /// The next call; `None` when there is no more.
    next: Option<Call>,
    progress: Progress,
    read: usize,
}

impl<'a> List<'a> {
    /// Prepares the first call.
    pub async fn open(
        client: &'a Client,
        cx: &'a ScanContext,
        name: &'a str,
        variables: Variables,
    ) -> Result<Self, ScanError> {
        let operation = client.description.operations.get(name);
        let operation = operation.ok_or_else(|| unavailable(name, "there is no such operation"))?;
        let (description, base) = (Arc::clone(&client.description), client.base(name).clone());
        let (owned, now) = (name.to_owned(), cx.now);
        let built = evaluate(move || {
            let operation = description.operations.get(&owned)?;
            build(operation, &base, &variables, now)
        });
        let call = built.await.map_err(|error| unavailable(name, &error.to_string()))?;
        let call = call.ok_or_else(|| malformed(name, "the request cannot be built"))?;
        Ok(Self {
            client,
            cx,
            name,
            operation,
            next: Some(call),
            progress: Progress::default(),
            read: 0,
        })
    }

    /// Whether its pages are numbered, so that items can move between them.
    pub fn is_numbered(&self) -> bool {
        use crate::describe::Paging;
        matches!(self.operation.paging, Some(Paging::Page { .. } | Paging::Offset { .. }))
    }

    /// The items of the next page; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<Value>>, ScanError> {
        let Some(call) = self.next.take() else { return Ok(None) };
        let Some(called) = self.client.call(self.cx, self.name, &call).await? else {
            // Empty, for certain: only as the answer to the first page.
            if self.read > 0 {
                return Err(unavailable(self.name, "the list ended without an end"));
            }
            return Ok(Some(Vec::new()));
        };
        let items = item::items(self.operation, called.answer.clone());
        let items = items.map_err(|path| malformed(self.name, &path))?;
        if let Some(paging) = &self.operation.paging {
            let page = Page {
                url: &call.url,
                answer: &called.answer,
                headers: &called.headers,
                items: items.len(),
            };
            let next = self.progress.next(paging, self.client.description.limits.pages, &page);
            self.next = follow(call, next.map_err(|wrong| self.wrong(wrong))?);
        }
        let mut complete = Vec::with_capacity(items.len());
        for item in items {
            let item = item::complete(self.operation, item)
                .map_err(|path| malformed(self.name, &format!("[{}].{path}", self.read)))?;
            self.read += 1;
            complete.push(item);
        }
        Ok(Some(complete))
    }

    /// All items that are left.
    pub async fn all(mut self) -> Result<Vec<Value>, ScanError> {
        let mut items = Vec::new();
        while let Some(page) = self.next().await? {
            items.extend(page);
        }
        Ok(items)
    }

    fn wrong(&self, wrong: Wrong) -> ScanError {
        match wrong {
            Wrong::Malformed(path) => malformed(self.name, &path),
            Wrong::Changed => changed(self.name),
        }
    }
}

/// A list whose pages moved while they were read may lack what moved.
pub fn changed(name: &str) -> ScanError {
    unavailable(name, "the list changed while it was read")
}

fn follow(call: Call, next: Next) -> Option<Call> {
    match next {
        Next::End => None,
        Next::Address(url) => Some(Call { url, body: call.body }),
        Next::Param { name, value, within: TokenIn::Query } => {
            Some(Call { url: with_query(call.url, &name, &value), body: call.body })
        }
        Next::Param { name, value, within: TokenIn::Body } => {
            let mut body = call.body.unwrap_or_else(|| Value::Object(Map::new()));
            if let Value::Object(fields) = &mut body {
                fields.insert(name, Value::String(value));
            }
            Some(Call { url: call.url, body: Some(body) })
        }
    }
}

fn with_query(mut url: Url, name: &str, value: &str) -> Url {
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(other, _)| other != name)
        .map(|(n, v)| (n.into(), v.into()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair(name, value);
    url
}

/// Fills the templates of a request in. Runs on the thread for expressions.
fn build(operation: &Operation, base: &Url, variables: &Variables, now: Timestamp) -> Option<Call> {
    let scope = map::scope(variables, now);
    let plain = |text: &str, _: Span| Some(text.to_owned());
    let path = operation.path.fill(&scope, segment).ok()?;
    let mut url = Url::parse(&format!("{}{path}", base.as_str().trim_end_matches('/'))).ok()?;
    if url.origin() != base.origin() {
        return None;
    }
    let fill = |fields: &BTreeMap<String, Template>| {
        let filled = fields
            .iter()
            .map(|(name, value)| Some((name.clone(), value.fill(&scope, plain).ok()?)));
        filled.collect::<Option<Vec<(String, String)>>>()
    };
    let query = fill(&operation.query)?;
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    if let Some((name, value)) = page::first(operation.paging.as_ref()) {
        url = with_query(url, &name, &value);
    }
    let body = fill(&operation.body)?;
    let body = body.into_iter().map(|(name, value)| (name, Value::String(value)));
    let body =
        (operation.method == crate::describe::Method::Post).then(|| Value::Object(body.collect()));
    Some(Call { url, body })
}

/// An outcome as what it is in a path, which cannot leave its place.
fn segment(text: &str, span: Span) -> Option<String> {
    let escaped = |text: &str| {
        let fits = !matches!(text, "" | "." | "..");
        fits.then(|| utf8_percent_encode(text, SEGMENT).to_string())
    };
    match span {
        Span::Segment => escaped(text),
        Span::Segments => {
            let segments: Option<Vec<String>> = text.split('/').map(escaped).collect();
            segments.map(|segments| segments.join("/"))
        }
    }
}
