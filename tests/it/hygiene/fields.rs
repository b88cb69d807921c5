//! The fields in which reading calls are known to return secrets, and whether each was sent, marked.

use std::collections::BTreeSet;
use std::sync::Mutex;

/// Part of a path, and what stands before the mark in the answer.
const KNOWN: [(&str, &str); 16] = [
    // Secrets of applications, and passwords of service accounts that Okta keeps.
    ("/okta/api/v1/apps", r#""client_secret":""#),
    ("/okta/privileged-access/api/v1/service-accounts", r#""password":""#),
    // Keys of API Gateway and clients of Cognito: no call of ours, so beside what is called.
    ("AWS", "<value>"),
    ("AWS", "<ClientSecret>"),
    ("/gcp/", r#""clientSecret":""#),
    ("/gcp/", r#""keyString":""#),
    ("/gcp/", r#""privateKeyData":""#),
    // Nobody may list secrets in Kubernetes without their data; a server that does not know how to
    // send metadata alone sends it.
    ("/api/v1/secrets", r#""tls.key":""#),
    // Variables of GitHub are in the clear: no call of ours, so beside what is called. Addresses of
    // webhooks hold tokens.
    ("/actions/secrets", r#""value":""#),
    ("/hooks", r#""url":"https://"#),
    ("/hooks", r#""secret":""#),
    ("/entra/", r#""hint":""#),
    ("/entra/", r#""secretText":""#),
    // Who has an accessor can revoke its token.
    ("/vault/v1/auth/token/accessors", r#""keys":[""#),
    ("/vault/", r#""accessor":""#),
    ("/vault/", r#""secret_id_accessor":""#),
];

/// Which of them were sent.
#[derive(Default)]
pub struct Sent(Mutex<BTreeSet<usize>>);

impl Sent {
    /// Looks at an answer to what was asked at this path.
    pub fn note(&self, path: &str, answer: &[u8]) {
        let place = if answer.starts_with(b"<") { "AWS" } else { path };
        let text = String::from_utf8_lossy(answer);
        for (row, (part, before)) in KNOWN.iter().enumerate() {
            let mark = format!("{before}{}", super::marks::MARK);
            if place.contains(part) && text.contains(&mark) {
                self.0.lock().unwrap().insert(row);
            }
        }
    }

    /// Fails if one was never sent: nothing would be proved of it.
    pub fn judge(&self) {
        let sent = self.0.lock().unwrap();
        let missing = KNOWN.iter().enumerate().filter(|(row, _)| !sent.contains(row));
        let missing: Vec<_> = missing.map(|(_, known)| known).collect();
        assert!(missing.is_empty(), "never sent with a mark: {missing:?}");
    }
}
