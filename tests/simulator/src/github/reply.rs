//! What a route answers, before paging and HTTP.

use std::fmt;

use serde_json::{Value, json};

/// Rows are written only when their page is asked for.
pub(super) type Row<'a> = Box<dyn FnOnce() -> Value + 'a>;

/// The answer of a route.
pub(super) enum Reply<'a> {
    /// One document.
    One(Value),
    /// Status 204.
    Nothing,
    /// An array in pages.
    List(Vec<Row<'a>>),
    /// `{"total_count", key: […]}` in pages, with other members.
    Counted(&'static str, Vec<Row<'a>>, Value),
    /// Pages by cursor: rows, and the `after` of the next page.
    Cursor(Vec<Value>, Option<String>),
}

impl fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}

/// Rows of `items`, each written by `write` when needed.
pub(super) fn rows<'a, T: 'a>(
    items: impl IntoIterator<Item = T>,
    write: impl Fn(T) -> Value + Clone + 'a,
) -> Vec<Row<'a>> {
    let row = |item: T| {
        let write = write.clone();
        Box::new(move || write(item)) as Row<'a>
    };
    items.into_iter().map(row).collect()
}

/// A counted list without other members.
pub(super) fn counted<'a>(key: &'static str, rows: Vec<Row<'a>>) -> Reply<'a> {
    Reply::Counted(key, rows, json!({}))
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) message: String,
    /// `x-accepted-github-permissions`.
    pub(super) needs: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: u16, message: &str) -> Self {
        Self { status, message: message.to_owned(), needs: None }
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    pub(super) fn bad_credentials() -> Self {
        Self::new(401, "Bad credentials")
    }

    /// An App without the permission.
    pub(super) fn not_accessible(needs: &str) -> Self {
        let mut refusal = Self::new(403, "Resource not accessible by integration");
        refusal.needs = (!needs.is_empty()).then(|| format!("{needs}=read"));
        refusal
    }

    pub(super) fn body(&self) -> Value {
        json!({
            "message": self.message,
            "documentation_url": "https://docs.github.com/rest",
            "status": self.status.to_string(),
        })
    }
}
