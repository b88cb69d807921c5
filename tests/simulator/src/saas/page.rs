//! Cuts lists into pages: by the key of the last row, as Okta, Slack, Graph and Google do behind
//! tokens that look opaque, or by number, as GitLab does.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::holdings::List;
use crate::fault::Fault;

/// What follows a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Nothing,
    /// More, under this token or number.
    Token(String),
    /// More, and no word where.
    Unsaid,
}

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    pub(super) rows: Vec<Value>,
    pub(super) next: Next,
    /// Rows of the whole list.
    pub(super) total: usize,
    /// Rows that fit on a page.
    pub(super) size: usize,
}

/// Where a reader stands: after this key. The number tells apart tokens that mean the same place.
fn token(key: &str, again: u32) -> String {
    URL_SAFE_NO_PAD.encode(format!("{again}:{key}"))
}

fn place(token: &str) -> Option<(String, u32)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (again, key) = text.split_once(':')?;
    Some((key.to_owned(), again.parse().ok()?))
}

/// The rows after the token. `None`: the token is none of ours.
pub(super) fn after(
    list: &List,
    keep: impl Fn(&Value) -> bool,
    (asked, size): (Option<&str>, usize),
    fault: Option<Fault>,
) -> Option<Page> {
    let (from, again) = match asked {
        Some(asked) => place(asked)?,
        None => (String::new(), 0),
    };
    let total = list.values().filter(|row| keep(row)).count();
    let mut left = list.iter().filter(|(key, row)| **key > from && keep(row));
    let cut: Vec<(&String, &Value)> = left.by_ref().take(size).collect();
    let last = cut.last().filter(|_| left.next().is_some());
    let next = last.map_or(Next::Nothing, |(key, _)| Next::Token(token(key, 0)));
    let mut page =
        Page { rows: cut.into_iter().map(|(_, row)| row.clone()).collect(), next, total, size };
    match fault {
        Some(Fault::RepeatedMarker) => {
            page.next = Next::Token(asked.map_or_else(|| token(&from, 1), str::to_owned));
        }
        Some(Fault::MissingMarker) => page.next = Next::Unsaid,
        Some(Fault::EmptyPage) => {
            page.rows.clear();
            page.next = Next::Token(token(&from, again + 1));
        }
        _ => {}
    }
    Some(page)
}

/// The rows of a page by its number, which counts from 1.
pub(super) fn numbered(
    list: &List,
    keep: impl Fn(&Value) -> bool,
    (number, size): (usize, usize),
    fault: Option<Fault>,
) -> Page {
    let rows: Vec<&Value> = list.values().filter(|row| keep(row)).collect();
    let total = rows.len();
    let from = number.saturating_sub(1).saturating_mul(size).min(total);
    let cut = rows.into_iter().skip(from).take(size).cloned();
    let following = || Next::Token((number + 1).to_string());
    let next = if from + size < total { following() } else { Next::Nothing };
    let mut page = Page { rows: cut.collect(), next, total, size };
    match fault {
        Some(Fault::RepeatedMarker) => page.next = Next::Token(number.to_string()),
        Some(Fault::MissingMarker) => page.next = Next::Unsaid,
        Some(Fault::EmptyPage) => {
            page.rows.clear();
            page.next = following();
        }
        _ => {}
    }
    page
}
