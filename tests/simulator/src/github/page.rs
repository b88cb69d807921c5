//! Pages by number and `Link` header, as GitHub's are.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::fault::Fault;

/// Where `rel="next"` leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// To the same place by numeric id, another path than was asked: what github.com does.
    #[default]
    ById,
    /// To the path that was asked.
    AsAsked,
    /// To another host, where nobody may send a token.
    OtherHost,
}

/// The host of [`Links::OtherHost`]. Nothing listens there.
pub(super) const ELSEWHERE: &str = "http://127.0.0.1:9";

/// A cut of a list: which rows, and the number of the next page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) next: Option<u64>,
}

/// The rows of the page that `query` asks for.
pub(super) fn cut(total: usize, query: &BTreeMap<String, String>, most: Option<usize>) -> Cut {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
    let size = number("per_page").unwrap_or(30).clamp(1, 100).min(most.unwrap_or(100).max(1));
    let page = number("page").unwrap_or(1).max(1);
    let from = (page - 1).saturating_mul(size).min(total);
    let to = (from + size).min(total);
    Cut { from, to, next: (to < total).then_some(page as u64 + 1) }
}

/// A list page's fault, applied: which rows go out and what `next` says.
pub(super) fn spoil(cut: Cut, query: &BTreeMap<String, String>, fault: Option<Fault>) -> Cut {
    let page = query.get("page").and_then(|text| text.parse().ok()).unwrap_or(1);
    match fault {
        Some(Fault::RepeatedMarker) => Cut { next: Some(page), ..cut },
        Some(Fault::EmptyPage) => Cut { to: cut.from, next: Some(page), ..cut },
        _ => cut,
    }
}

/// `<address>; rel="next"` with `set` put into the query.
pub(super) fn link(
    address: &str,
    query: &BTreeMap<String, String>,
    set: &[(&str, String)],
    rel: &str,
) -> String {
    let mut query = query.clone();
    for (name, value) in set {
        query.insert((*name).to_owned(), value.clone());
    }
    let text: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    format!("<{address}?{}>; rel=\"{rel}\"", text.join("&"))
}
