//! Pure: whether a list goes on after a page, and where.
//!
//! A token or address that comes again, an address on another host, a count that changes while it
//! is read: each ends the reading with an error, because what was read until then is not the list.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use url::Url;

use crate::describe::{Paging, TokenIn};
use crate::item;

/// What goes into the next request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    End,
    Address(Url),
    Param { name: String, value: String, within: TokenIn },
}

/// What is wrong with a page, in words that hold nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Not understood: a path or a rule.
    Malformed(String),
    /// The list changed under the reader.
    Changed,
}

/// How far a list was read.
#[derive(Debug, Default)]
pub struct Progress {
    pages: u32,
    items: u64,
    total: Option<u64>,
    seen: BTreeSet<String>,
}

/// A page, as far as paging looks at it.
pub struct Page<'a> {
    /// Where it was asked for.
    pub url: &'a Url,
    pub answer: &'a Value,
    pub headers: &'a BTreeMap<String, String>,
    pub items: usize,
}

/// What the first request of a list carries beside what is described.
#[must_use]
pub fn first(paging: Option<&Paging>) -> Option<(String, String)> {
    match paging {
        Some(Paging::Page { param, start, .. }) => Some((param.clone(), start.to_string())),
        Some(Paging::Offset { param, .. }) => Some((param.clone(), "0".to_owned())),
        _ => None,
    }
}

impl Progress {
    /// Counts a page in and says what follows.
    pub fn next(&mut self, paging: &Paging, most: u32, page: &Page<'_>) -> Result<Next, Wrong> {
        self.pages += 1;
        self.items += page.items as u64;
        let next = self.after(paging, page)?;
        let token = match &next {
            Next::End => return Ok(next),
            Next::Address(url) => url.to_string(),
            Next::Param { value, .. } => value.clone(),
        };
        if !self.seen.insert(token) {
            return Err(Wrong::Malformed("paging: the token of a page came again".to_owned()));
        }
        if self.pages >= most {
            return Err(Wrong::Malformed(format!("paging: more than {most} pages")));
        }
        Ok(next)
    }

    fn after(&mut self, paging: &Paging, page: &Page<'_>) -> Result<Next, Wrong> {
        match paging {
            Paging::Cursor { next, param, within, more } => {
                if let Some(more) = more
                    && !flag(page.answer, more)?
                {
                    return Ok(Next::End);
                }
                match (token(page.answer, next)?, more) {
                    (Some(value), _) => {
                        Ok(Next::Param { name: param.clone(), value, within: *within })
                    }
                    (None, None) => Ok(Next::End),
                    (None, Some(_)) => Err(Wrong::Malformed(next.clone())),
                }
            }
            Paging::LinkHeader { total_header } => {
                let link = page.headers.get("link").map(String::as_str).unwrap_or_default();
                let next = next_link(link).map_or(Ok(Next::End), |to| address(page.url, to))?;
                let header = total_header.as_ref().map(|name| name.to_ascii_lowercase());
                let stated = header.and_then(|name| page.headers.get(&name)?.trim().parse().ok());
                if let Some(stated) = stated {
                    let moved = *self.total.get_or_insert(stated) != stated;
                    if moved || (next == Next::End && self.items != stated) {
                        return Err(Wrong::Changed);
                    }
                }
                Ok(next)
            }
            Paging::NextUrl { next } => {
                token(page.answer, next)?.map_or(Ok(Next::End), |to| address(page.url, &to))
            }
            Paging::Page { param, start, more, total } => {
                let ends = self.numbered_ends(page, more.as_deref(), total.as_deref())?;
                let value = (start + u64::from(self.pages)).to_string();
                Ok(if ends { Next::End } else { query(param, value) })
            }
            Paging::Offset { param, more, total } => {
                let ends = self.numbered_ends(page, more.as_deref(), total.as_deref())?;
                Ok(if ends { Next::End } else { query(param, self.items.to_string()) })
            }
        }
    }

    fn numbered_ends(
        &mut self,
        page: &Page<'_>,
        more: Option<&str>,
        total: Option<&str>,
    ) -> Result<bool, Wrong> {
        if let Some(path) = total {
            let stated = item::at(page.answer, path).and_then(Value::as_u64);
            let stated = stated.ok_or_else(|| Wrong::Malformed(path.to_owned()))?;
            // Items move between numbered pages when the list changes, and one may be missed.
            if *self.total.get_or_insert(stated) != stated {
                return Err(Wrong::Changed);
            }
            if self.items >= stated {
                return if self.items == stated { Ok(true) } else { Err(Wrong::Changed) };
            }
            if page.items == 0 {
                return Err(Wrong::Changed);
            }
        }
        let goes_on = more.map(|path| flag(page.answer, path)).transpose()?;
        Ok(match goes_on {
            Some(true) if page.items == 0 => {
                return Err(Wrong::Malformed("paging: an empty page that is not the last".into()));
            }
            Some(goes_on) => !goes_on,
            // Never by a short page: servers cap pages as they like.
            None => page.items == 0,
        })
    }
}

fn query(name: &str, value: String) -> Next {
    Next::Param { name: name.to_owned(), value, within: TokenIn::Query }
}

fn flag(answer: &Value, path: &str) -> Result<bool, Wrong> {
    let found = item::at(answer, path).and_then(Value::as_bool);
    found.ok_or_else(|| Wrong::Malformed(path.to_owned()))
}

fn token(answer: &Value, path: &str) -> Result<Option<String>, Wrong> {
    match item::at(answer, path) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(token)) if token.is_empty() => Ok(None),
        Some(Value::String(token)) => Ok(Some(token.clone())),
        Some(Value::Number(token)) => Ok(Some(token.to_string())),
        Some(_) => Err(Wrong::Malformed(path.to_owned())),
    }
}

fn address(from: &Url, to: &str) -> Result<Next, Wrong> {
    let to = from.join(to).map_err(|_| Wrong::Malformed("paging: no address".to_owned()))?;
    if to.origin() != from.origin() || !to.username().is_empty() || to.password().is_some() {
        return Err(Wrong::Malformed("paging: the next page is on another host".to_owned()));
    }
    Ok(Next::Address(to))
}

/// The target of `rel="next"` in a Link header (RFC 8288).
fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, tail)) = rest.split_once('<') {
        let (target, tail) = tail.split_once('>')?;
        // Parameters end where the next target begins: `<` never stands in one.
        let params = tail.split('<').next().unwrap_or_default();
        let is_next = params.split([';', ',']).any(|param| {
            let (name, value) = param.split_once('=').unwrap_or((param, ""));
            name.trim().eq_ignore_ascii_case("rel")
                && value
                    .trim()
                    .trim_matches('"')
                    .split(' ')
                    .any(|rel| rel.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(target);
        }
        rest = tail;
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

    use serde_json::json;

    use super::*;

    /// Reads pages in turn and shows how each was followed.
    fn read(paging: &str, pages: &[(Value, &str, usize)]) -> Vec<String> {
        let paging: Paging = serde_saphyr::from_str(paging).unwrap();
        let url = Url::parse("https://api.example.com/v1/keys?limit=2").unwrap();
        let mut progress = Progress::default();
        let mut shown = Vec::new();
        for (answer, link, items) in pages {
            let headers = BTreeMap::from([("link".to_owned(), (*link).to_owned())]);
            let page = Page { url: &url, answer, headers: &headers, items: *items };
            shown.push(match progress.next(&paging, 4, &page) {
                Ok(Next::End) => "end".to_owned(),
                Ok(Next::Address(url)) => url.to_string(),
                Ok(Next::Param { name, value, .. }) => format!("{name}={value}"),
                Err(Wrong::Changed) => "changed".to_owned(),
                Err(Wrong::Malformed(path)) => path,
            });
        }
        shown
    }

    #[test]
    fn cursors_end_where_the_vendor_says() {
        let plain = "{style: cursor, next: meta.next, param: cursor}";
        let page = |next: Value| (json!({"meta": {"next": next}}), "", 2);
        assert_eq!(
            read(plain, &[page(json!("a")), page(json!(7)), page(json!(""))]),
            ["cursor=a", "cursor=7", "end"]
        );
        assert_eq!(read(plain, &[page(json!(null))]), ["end"]);
        assert_eq!(read(plain, &[(json!({}), "", 2)]), ["end"]);
        assert_eq!(read(plain, &[page(json!({}))]), ["meta.next"]);
        assert_eq!(
            read(plain, &[page(json!("a")), page(json!("a"))]),
            ["cursor=a", "paging: the token of a page came again"]
        );
        let endless: Vec<_> = ["a", "b", "c", "d"].map(|t| page(json!(t))).into();
        assert_eq!(read(plain, &endless).last().unwrap(), "paging: more than 4 pages");
        let flagged = "{style: cursor, next: last_id, param: after, more: has_more}";
        assert_eq!(
            read(
                flagged,
                &[
                    (json!({"last_id": "a", "has_more": true}), "", 2),
                    (json!({"last_id": "b", "has_more": false}), "", 2),
                ]
            ),
            ["after=a", "end"]
        );
        assert_eq!(read(flagged, &[(json!({"has_more": true}), "", 2)]), ["last_id"]);
        assert_eq!(read(flagged, &[(json!({"last_id": "a"}), "", 2)]), ["has_more"]);
    }

    #[test]
    fn addresses_are_followed_on_the_same_host_only() {
        let link = "{style: link_header}";
        let page = |header: &'static str| (json!([]), header, 1);
        let next = r#"<https://api.example.com/v1/keys?limit=2>; rel="self", <https://api.example.com/v1/keys?after=x>; rel="next""#;
        assert_eq!(
            read(link, &[page(next), page("")]),
            ["https://api.example.com/v1/keys?after=x", "end"]
        );
        assert_eq!(
            read(link, &[page(next), page(next)]).last().unwrap(),
            "paging: the token of a page came again"
        );
        for elsewhere in [
            "<https://evil.example.net/v1>; rel=next",
            "<http://api.example.com/v1>; rel=next",
            "<https://api.example.com:444/v1>; rel=next",
            "<https://u@api.example.com/v1>; rel=next",
            "<//evil.example.net/v1>; rel=next",
        ] {
            assert_eq!(
                read(link, &[page(elsewhere)]),
                ["paging: the next page is on another host"]
            );
        }
        let counted = "{style: link_header, total_header: link}";
        assert_eq!(read(counted, &[(json!([]), "2", 2)]), ["end"]);
        assert_eq!(read(counted, &[(json!([]), "3", 2)]), ["changed"]);
        let body = "{style: next_url, next: links.next}";
        assert_eq!(
            read(body, &[(json!({"links": {"next": "/v1/keys?page=2"}}), "", 1)]),
            ["https://api.example.com/v1/keys?page=2"]
        );
    }

    #[test]
    fn numbered_pages_end_with_an_empty_one_and_notice_a_moving_list() {
        let page = "{style: page, param: page, start: 1}";
        let of = |items: usize| (json!({}), "", items);
        assert_eq!(read(page, &[of(2), of(1), of(0)]), ["page=2", "page=3", "end"]);
        let counted = "{style: offset, param: offset, total: total}";
        let of = |items: usize, total: u64| (json!({"total": total}), "", items);
        assert_eq!(read(counted, &[of(2, 3), of(1, 3)]), ["offset=2", "end"]);
        assert_eq!(read(counted, &[of(2, 3), of(1, 4)]), ["offset=2", "changed"]);
        assert_eq!(read(counted, &[of(2, 3), of(0, 3)]), ["offset=2", "changed"]);
        assert_eq!(read(counted, &[of(2, 3), of(2, 3)]), ["offset=2", "changed"]);
        assert_eq!(read(counted, &[(json!({}), "", 2)]), ["total"]);
        let flagged = "{style: offset, param: offset, more: more}";
        let of = |items: usize, more: bool| (json!({"more": more}), "", items);
        assert_eq!(read(flagged, &[of(2, true), of(1, false)]), ["offset=2", "end"]);
        assert!(read(flagged, &[of(0, true)])[0].contains("empty page"));
    }
}
