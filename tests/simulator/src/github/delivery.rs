//! Webhook deliveries as GitHub signs them, for receivers under test.

use aws_lc_rs::hmac;
use serde_json::Value;

/// One delivery: what to post.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Lower-case names with values.
    pub headers: Vec<(&'static str, String)>,
    /// The bytes that the signature covers.
    pub body: Vec<u8>,
}

/// Signs `payload` with `secret` as event `event`. Its `X-GitHub-Delivery` is made from the
/// signature: the same payload is the same delivery, as a redelivery is.
pub fn delivery(event: &str, payload: &Value, secret: &[u8]) -> Delivery {
    let body = payload.to_string().into_bytes();
    let sign = |algorithm| {
        let tag = hmac::sign(&hmac::Key::new(algorithm, secret), &body);
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let (sha256, sha1) = (sign(hmac::HMAC_SHA256), sign(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY));
    let part = |from: usize, to: usize| &sha256[from..to];
    let guid = format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    );
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("user-agent", "GitHub-Hookshot/made-up".to_owned()),
        ("x-github-event", event.to_owned()),
        ("x-github-delivery", guid),
        ("x-github-hook-id", "1".to_owned()),
        ("x-github-hook-installation-target-type", "organization".to_owned()),
        ("x-hub-signature", format!("sha1={sha1}")),
        ("x-hub-signature-256", format!("sha256={sha256}")),
    ];
    Delivery { headers, body }
}
