//! The answers of the REST routes, by what they are about.

pub(super) mod app;
pub(super) mod machinery;
pub(super) mod people;
pub(super) mod repositories;
pub(super) mod secrets;
pub(super) mod tokens;

pub(super) use super::audit::audit_log;
