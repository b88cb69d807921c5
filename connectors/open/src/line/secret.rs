//! Text that looks like the value of a secret, wherever it stands in a line.
//!
//! Whoever writes observations holds credentials, and sooner or later prints one. The model has no
//! field for a secret, but every text field would take one. What is known by its prefix is refused;
//! a secret without a mark cannot be told from an id, so this is a net and no proof.

use serde_json::Value;

/// How the tokens of well-known issuers begin, and how many characters at least follow. From the
/// issuers' own pages, for example
/// <https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats>,
/// <https://docs.gitlab.com/security/tokens/#token-prefixes>,
/// <https://api.slack.com/authentication/token-types>.
const PREFIXES: [(&str, usize); 32] = [
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 40),
    ("glpat-", 20),
    ("gldt-", 20),
    ("glrt-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("xoxa-", 20),
    ("xoxe.", 20),
    ("xapp-", 20),
    ("sk-ant-", 20),
    ("sk-proj-", 20),
    ("sk-svcacct-", 20),
    ("sk-admin-", 20),
    ("sk_live_", 16),
    ("rk_live_", 16),
    ("whsec_", 24),
    ("AIza", 35),
    ("ya29.", 20),
    ("hvs.", 24),
    ("hvb.", 24),
    ("npm_", 36),
    ("dop_v1_", 40),
    ("dapi", 32),
    ("SG.", 40),
    ("shpat_", 32),
    ("pypi-AgEI", 40),
    ("AGE-SECRET-KEY-1", 40),
];

/// Where in a value something looks like a secret. Names of fields are looked at as well.
pub(crate) fn place_of_secret(value: &Value) -> Option<String> {
    fn walk(value: &Value, path: &str) -> Option<String> {
        match value {
            Value::String(text) => is_secret(text).then(|| path.to_owned()),
            Value::Array(items) => {
                let mut items = items.iter().enumerate();
                items.find_map(|(at, item)| walk(item, &format!("{path}[{at}]")))
            }
            Value::Object(fields) => fields.iter().find_map(|(name, value)| {
                if is_secret(name) {
                    return Some(format!("{path} (the name of a field)").trim_start().to_owned());
                }
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(value, &path)
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }
    }
    walk(value, "")
}

/// Whether a text holds what looks like the value of a secret.
pub(crate) fn is_secret(text: &str) -> bool {
    (text.contains("-----BEGIN ") && text.contains("PRIVATE KEY"))
        || PREFIXES.iter().any(|(prefix, follow)| has_token(text, prefix, *follow))
        || has_signed_token(text)
}

const fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '=' | '/' | '+')
}

/// Whether a word of the text begins so and goes on for so long.
fn has_token(text: &str, prefix: &str, follow: usize) -> bool {
    text.match_indices(prefix).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let begins_a_word = before.is_none_or(|c| !c.is_ascii_alphanumeric());
        let rest = text.get(at + prefix.len()..).unwrap_or_default();
        let length = rest.chars().take_while(|c| is_of_token(*c)).count();
        begins_a_word && length >= follow
    })
}

/// A signed JWT: two objects in base64, and a signature (RFC 7519).
fn has_signed_token(text: &str) -> bool {
    text.match_indices("eyJ").any(|(at, _)| {
        let rest = text.get(at..).unwrap_or_default();
        let token: String = rest.chars().take_while(|c| is_of_token(*c)).collect();
        let parts: Vec<&str> = token.split('.').collect();
        parts.len() >= 3
            && parts.get(1).is_some_and(|claims| claims.starts_with("eyJ"))
            && parts.get(2).is_some_and(|signature| signature.len() >= 16)
    })
}
