//! Reads GitHub.
