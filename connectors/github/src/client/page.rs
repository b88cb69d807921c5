//! Reading a list to its end by `Link` headers, and noticing when there is none.
//!
//! A `next` link is followed as it is written, because GitHub's lead elsewhere than was asked
//! (`/organizations/ID/…`), and only on the same scheme, host and port: the credential goes with it.

use std::collections::BTreeSet;
use std::time::Duration;

use headcount_sdk::ScanError;
use headcount_sdk::contract::SCOPE_DEADLINE;
use reqwest::header::{HeaderMap, LINK};
use tokio::time::Instant;
use url::Url;

use super::error::{malformed, unavailable};

/// A million records at full pages.
const MOST_PAGES: usize = 10_000;

/// Where a paged list stands. Refuses a page that comes twice, a list without end, and one that
/// takes longer than a scope may.
#[derive(Debug)]
pub(super) struct Cursor {
    operation: &'static str,
    origin: String,
    seen: BTreeSet<String>,
    deadline: Instant,
}

impl Cursor {
    pub(super) fn new(operation: &'static str, origin: &str) -> Self {
        let limit = Duration::try_from(SCOPE_DEADLINE).unwrap_or(Duration::from_secs(1800));
        let deadline = Instant::now() + limit;
        Self { operation, origin: origin.to_owned(), seen: BTreeSet::new(), deadline }
    }

    /// Path and query of the next page, `None` at the end.
    pub(super) fn next(&mut self, headers: &HeaderMap) -> Result<Option<String>, ScanError> {
        let Some(target) = next_link(headers) else { return Ok(None) };
        let url = Url::parse(&target).map_err(|_| malformed(self.operation, "Link: not a URL"))?;
        if url.origin().ascii_serialization() != self.origin {
            return Err(malformed(self.operation, "Link: next leads to another host"));
        }
        // Behind the authority everything as written: parsing may have changed the spelling.
        let rest = target.splitn(4, '/').nth(3);
        let path = rest.map(|rest| format!("/{rest}"));
        let path = path.ok_or_else(|| malformed(self.operation, "Link: without a path"))?;
        self.advance(path.clone())?;
        Ok(Some(path))
    }

    /// Takes the mark of the next page, whatever it looks like.
    pub(super) fn advance(&mut self, mark: String) -> Result<(), ScanError> {
        if !self.seen.insert(mark) {
            return Err(malformed(self.operation, "next page: the same one again"));
        }
        if self.seen.len() >= MOST_PAGES {
            return Err(malformed(self.operation, "next page: a list without end"));
        }
        if Instant::now() > self.deadline {
            return Err(unavailable(self.operation, "the list took longer than a scope may"));
        }
        Ok(())
    }
}

/// The target of `rel="next"` (RFC 8288).
fn next_link(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let next = parameters.split(';').any(|parameter| {
            let (name, value) = parameter.trim().split_once('=').unwrap_or_default();
            name.eq_ignore_ascii_case("rel") && value.trim_matches('"') == "next"
        });
        next.then(|| target.to_owned())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn link(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(LINK, value.parse().unwrap())])
    }

    fn cursor() -> Cursor {
        Cursor::new("GET /orgs/{org}/hooks", "https://api.github.com")
    }

    #[tokio::test(start_paused = true)]
    async fn next_is_followed_verbatim_and_on_the_same_host_only() {
        let next = |value: &str| cursor().next(&link(value));
        let good = "<https://api.github.com/organizations/7/hooks?per_page=100&page=2&x=%7e>; rel=\"next\", \
                    <https://api.github.com/organizations/7/hooks?page=9>; rel=\"last\"";
        let path = "/organizations/7/hooks?per_page=100&page=2&x=%7e";
        assert_eq!(next(good).unwrap().as_deref(), Some(path));
        assert_eq!(next("<https://api.github.com/x>; rel=\"last\"").unwrap(), None);
        assert_eq!(cursor().next(&HeaderMap::new()).unwrap(), None);
        for elsewhere in [
            "<https://example.com/x>; rel=\"next\"",
            "<http://api.github.com/x>; rel=\"next\"",
            "<https://api.github.com:8443/x>; rel=\"next\"",
            "<https://api.github.com.example.com/x>; rel=\"next\"",
            "</x>; rel=\"next\"",
        ] {
            assert!(matches!(next(elsewhere), Err(ScanError::Malformed { .. })), "{elsewhere}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lists_that_lie_about_their_end_are_refused() {
        let mut repeated = cursor();
        let same = link("<https://api.github.com/x?page=2>; rel=\"next\"");
        repeated.next(&same).unwrap();
        assert!(matches!(repeated.next(&same), Err(ScanError::Malformed { .. })));
        let mut endless = cursor();
        assert!((0..MOST_PAGES).any(|n| endless.advance(n.to_string()).is_err()));
        let mut slow = cursor();
        tokio::time::advance(Duration::from_secs(31 * 60)).await;
        assert!(matches!(slow.advance("2".to_owned()), Err(ScanError::Unavailable { .. })));
    }
}
