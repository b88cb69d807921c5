//! Standard Webhooks 1.0.0, scheme `v1`: HMAC-SHA256 over `{id}.{timestamp}.{body}`.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
//!
//! A sink may have several secrets while one is being replaced: every message carries a signature
//! by each, so the receiver can change over whenever it likes.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

/// What the specification asks for; shorter keys work everywhere but are easier to guess.
const ADVISED_BYTES: usize = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("needs at least one secret to sign with")]
    None,
    #[error("has a secret that begins with `whsec_` but does not go on in base64")]
    NotBase64,
    #[error("has a secret without any key in it")]
    Empty,
}

/// The keys of one sink. Neither printable nor readable.
pub struct Signer {
    keys: Vec<hmac::Key>,
    shortest: usize,
}

impl Signer {
    /// Reads secrets as the reference libraries do: an optional `whsec_`, then base64. A text that
    /// is neither is a key as it stands, which those libraries call "raw".
    pub fn new(secrets: &[SecretString]) -> Result<Self, KeyError> {
        let keys = secrets.iter().map(key).collect::<Result<Vec<_>, _>>()?;
        let shortest = keys.iter().map(Vec::len).min().ok_or(KeyError::None)?;
        let keys = keys.iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key)).collect();
        Ok(Self { keys, shortest })
    }

    /// Whether a key is shorter than the specification advises.
    #[must_use]
    pub const fn is_weak(&self) -> bool {
        self.shortest < ADVISED_BYTES
    }

    /// The value of `webhook-signature`: one signature per secret, in their order.
    ///
    /// `timestamp` is that of the attempt, in seconds since the epoch.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let signed = format!("{id}.{timestamp}.{body}");
        let signatures = self.keys.iter().map(|key| {
            format!("v1,{}", STANDARD.encode(hmac::sign(key, signed.as_bytes()).as_ref()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} keys)", self.keys.len())
    }
}

fn key(secret: &SecretString) -> Result<Vec<u8>, KeyError> {
    let text = secret.expose_secret().trim();
    let key = match text.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| KeyError::NotBase64)?,
        None => STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec()),
    };
    if key.is_empty() { Err(KeyError::Empty) } else { Ok(key) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    fn signer(secrets: &[&str]) -> Result<Signer, KeyError> {
        let secrets: Vec<_> = secrets.iter().map(|s| SecretString::from(*s)).collect();
        Signer::new(&secrets)
    }

    #[test]
    fn published_vector_is_met() {
        let signature = signer(&[SECRET]).unwrap().sign(
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            r#"{"email":"test@example.com","username":"test_user"}"#,
        );
        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn keys_are_read_as_the_reference_library_reads_them() {
        let bare = SECRET.trim_start_matches("whsec_");
        for secret in [SECRET, bare] {
            let theirs = standardwebhooks::Webhook::new(secret).unwrap();
            let theirs = theirs.sign("id", 7, "täxt".as_bytes()).unwrap();
            assert_eq!(signer(&[secret]).unwrap().sign("id", 7, "täxt"), theirs);
        }
        let raw = "not base64, but a passphrase";
        let theirs = standardwebhooks::Webhook::from_bytes(raw.as_bytes().to_vec()).unwrap();
        let theirs = theirs.sign("id", 7, b"{}").unwrap();
        assert_eq!(signer(&[raw]).unwrap().sign("id", 7, "{}"), theirs);
    }

    #[test]
    fn every_secret_signs_in_order() {
        let (old, new) = ("whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xk", SECRET);
        let both = signer(&[new, old]).unwrap().sign("id", 7, "{}");
        let each = [new, old].map(|secret| signer(&[secret]).unwrap().sign("id", 7, "{}"));
        assert_eq!(both, each.join(" "));
    }

    #[test]
    fn unusable_secrets_are_refused_without_being_shown() {
        assert_eq!(signer(&[]).unwrap_err(), KeyError::None);
        assert_eq!(signer(&["whsec_"]).unwrap_err(), KeyError::Empty);
        let error = signer(&[SECRET, "whsec_MARKED?SECRET"]).unwrap_err();
        assert_eq!(error, KeyError::NotBase64);
        assert!(!format!("{error} {error:?}").contains("MARKED"));
    }

    #[test]
    fn short_keys_are_told_apart_and_keys_are_not_printed() {
        assert!(signer(&[SECRET, "short"]).unwrap().is_weak());
        let strong = signer(&[SECRET]).unwrap();
        assert!(!strong.is_weak());
        assert_eq!(format!("{strong:?}"), "Signer(1 keys)");
    }
}
