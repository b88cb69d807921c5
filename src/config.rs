//! Typed configuration: the only reader of files and of the environment.
pub mod secret;
