//! Addresses of the page, with what people chose safely in them.

use url::form_urlencoded::Serializer;

/// An address that grows by one parameter at a time; empty ones are left out.
pub struct Address {
    path: &'static str,
    query: Serializer<'static, String>,
}

impl Address {
    #[must_use]
    pub fn of(path: &'static str) -> Self {
        Self { path, query: Serializer::new(String::new()) }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.query.append_pair(name, value);
        }
        self
    }

    #[must_use]
    pub fn into_text(mut self) -> String {
        let query = self.query.finish();
        if query.is_empty() { self.path.to_owned() } else { format!("{}?{query}", self.path) }
    }
}

/// The page of one record.
#[must_use]
pub fn record(id: &str) -> String {
    Address::of("/record").with("id", id).into_text()
}

/// The page of one finding.
#[must_use]
pub fn finding(id: &str) -> String {
    Address::of("/finding").with("id", id).into_text()
}

/// Where to go on after a login: a path of this page, or the overview. Anything else could lead
/// people who just logged in to somebody else's page.
#[must_use]
pub fn onward(next: &str) -> &str {
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(['\\', '\r', '\n', '\t'])
        && !next.starts_with("/login");
    if is_ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_chose_is_encoded_and_what_they_did_not_is_left_out() {
        let address = Address::of("/inventory").with("q", "a&b=<c>").with("kind", "");
        assert_eq!(address.into_text(), "/inventory?q=a%26b%3D%3Cc%3E");
        assert_eq!(record("aws:1:iam-role/A B"), "/record?id=aws%3A1%3Aiam-role%2FA+B");
    }

    #[test]
    fn a_login_leads_on_to_this_page_alone() {
        for ours in ["/", "/findings?rule=stale-credential", "/record?id=a%2Fb"] {
            assert_eq!(onward(ours), ours);
        }
        for other in
            ["", "https://example.com", "//example.com", "/\\example.com", "/login?next=/", "/a\nb"]
        {
            assert_eq!(onward(other), "/", "{other:?}");
        }
    }
}
