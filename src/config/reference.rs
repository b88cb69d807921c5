//! The generated reference of the configuration: every key, what it means, and its default.

/// The text of `config/headcount.reference.yaml`.
#[must_use]
pub fn text() -> String {
    String::new()
}
