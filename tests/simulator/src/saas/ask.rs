//! A request as a vendor sees it, and the routes that it may take.

use std::collections::BTreeMap;

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::form_urlencoded;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first row of the list, on its own.
    One,
    /// All rows at once, however many: the vendor does not page this list.
    Whole,
    /// So many rows a page where the request does not say, and at most.
    Pages { size: usize, most: usize },
}

/// A path that a vendor serves. `{…}` stands for one segment.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub(super) template: &'static str,
    pub(super) kind: Kind,
    /// The field of the answer that holds the list, where the answer is not the list itself.
    pub(super) field: &'static str,
    /// The permission that it needs, in the vendor's words.
    pub(super) needs: &'static str,
}

/// A request, read.
#[derive(Debug)]
pub struct Ask {
    pub(super) method: Method,
    /// Below the base of the API, decoded.
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: HeaderMap,
    pub(super) route: Option<&'static Route>,
    /// Where the API is, as answers write it.
    pub(super) base: String,
}

impl Ask {
    pub(super) fn read(
        head: &Parts,
        routes: &'static [Route],
        (below, base): (&str, &str),
    ) -> Self {
        let Parts { method, uri, headers, .. } = head;
        let path = percent_decode_str(uri.path()).decode_utf8_lossy().into_owned();
        let path = path.strip_prefix(below).unwrap_or(&path).to_owned();
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let route = (method == Method::GET)
            .then(|| routes.iter().find(|route| fits(route.template, &path)))
            .flatten();
        Self {
            method: method.clone(),
            query: query.into_owned().collect(),
            headers: headers.clone(),
            route,
            base: base.to_owned(),
            path,
        }
    }

    /// What faults and counts call it: the method and the route, or the path that is none.
    pub(super) fn action(&self) -> String {
        format!("{} {}", self.method, self.route.map_or(self.path.as_str(), |r| r.template))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The token after `scheme` in the header that carries it.
    pub(super) fn token(&self, scheme: &str) -> Option<&str> {
        self.header("authorization")?.strip_prefix(scheme)?.strip_prefix(' ')
    }

    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.query.get(name)?.parse().ok()
    }

    /// The address that was asked, with `set` put into its query and `drop` taken out.
    pub(super) fn address(&self, set: &[(&str, &str)], drop: &[&str]) -> String {
        let mut query = self.query.clone();
        query.retain(|name, _| !drop.contains(&name.as_str()));
        query.extend(set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs = query.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value)));
        let text = pairs.collect::<Vec<_>>().join("&");
        let mark = if text.is_empty() { "" } else { "?" };
        format!("{}{}{mark}{text}", self.base, self.path)
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (own, asked): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    own.len() == asked.len()
        && own.iter().zip(&asked).all(|(own, asked)| own == asked || own.starts_with('{'))
}
