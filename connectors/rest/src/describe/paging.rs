//! How a list goes on. Every style is bounded, and refuses a token that comes again.

use schemars::JsonSchema;
use serde::Deserialize;

/// `style` says how a list goes on after a page. Paths are in the whole answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "style", rename_all = "snake_case", deny_unknown_fields)]
pub enum Paging {
    /// A token in the answer, sent back with the next request. The list ends where it is missing,
    /// null or empty.
    Cursor {
        next: String,
        param: String,
        #[serde(default, rename = "in")]
        within: TokenIn,
        /// Path of a field that is `true` while there is more, where the vendor has one. The
        /// list then ends by it alone.
        #[serde(default)]
        more: Option<String>,
    },
    /// `Link: <…>; rel="next"`. Followed only on the host of the base URL.
    LinkHeader {
        /// A header that holds the number of items of the whole list. Where it is sent, it must
        /// not change from page to page, and hold at the end.
        #[serde(default)]
        total_header: Option<String>,
    },
    /// The address of the next page stands in the answer. As for the header.
    NextUrl { next: String },
    /// Pages are numbered. The list ends with an empty page, or where `more` is false, or when
    /// as many items were read as `total` says.
    Page {
        param: String,
        start: u64,
        #[serde(default)]
        more: Option<String>,
        #[serde(default)]
        total: Option<String>,
    },
    /// As for pages, by the number of items that were read before.
    Offset {
        param: String,
        #[serde(default)]
        more: Option<String>,
        #[serde(default)]
        total: Option<String>,
    },
}

/// Where a token goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenIn {
    #[default]
    Query,
    Body,
}

impl Paging {
    /// Paths in the answer that it looks at.
    #[must_use]
    pub fn paths(&self) -> Vec<&str> {
        match self {
            Self::Cursor { next, more, .. } => {
                std::iter::once(next.as_str()).chain(more.as_deref()).collect()
            }
            Self::LinkHeader { .. } => Vec::new(),
            Self::NextUrl { next } => vec![next],
            Self::Page { more, total, .. } | Self::Offset { more, total, .. } => {
                [more, total].into_iter().flatten().map(String::as_str).collect()
            }
        }
    }
}
