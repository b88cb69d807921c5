//! Made-up identifiers in the shapes that AWS uses. Seeded: the same script makes the same ids.

use fastrand::Rng;

const BASE_32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The source of every id in one organisation.
#[derive(Debug)]
pub(crate) struct Ids(Rng);

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// A unique id such as `AIDA…`: 21 characters, access keys 20
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>).
    pub(crate) fn unique(&mut self, prefix: &str) -> String {
        match prefix {
            // Anyone who meets one in a log, and every secret scanner, sees that it opens nothing.
            "AKIA" | "ASIA" => self.filled(prefix, 13) + "EXAMPLE",
            "APKA" => self.filled(prefix, 20),
            _ => self.filled(prefix, 21),
        }
    }

    pub(crate) fn certificate(&mut self) -> String {
        self.filled("", 32)
    }

    /// 12 digits that do not begin with 0, so that a number-typed reader cannot lose one.
    pub(crate) fn account(&mut self) -> String {
        self.0.u64(100_000_000_000..=999_999_999_999).to_string()
    }

    /// `o-` and ten lower-case characters.
    pub(crate) fn organization(&mut self) -> String {
        format!("o-{}", self.filled("", 10).to_lowercase())
    }

    pub(crate) fn hex(&mut self, digits: usize) -> String {
        (0..digits).map(|_| char::from_digit(self.0.u32(0..16), 16).unwrap_or('0')).collect()
    }

    pub(crate) fn uuid(&mut self) -> String {
        let hex = self.hex(32);
        let part = |from: usize, to: usize| &hex[from..to];
        format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
    }

    /// An opaque paging token.
    pub(crate) fn marker(&mut self) -> String {
        self.filled("AB", 56)
    }

    fn filled(&mut self, prefix: &str, length: usize) -> String {
        let mut id = String::with_capacity(length);
        id.push_str(prefix);
        while id.len() < length {
            id.push(char::from(BASE_32[self.0.usize(0..32)]));
        }
        id
    }
}
