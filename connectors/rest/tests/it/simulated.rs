//! The descriptions of the catalogue against simulated tenants over HTTP: the whole way from a
//! token to a record, through each vendor's own paging and errors.
//!
//! `bench` is one tenant and who reads it; `suite` holds each description to the laws of the test
//! kit; `story` follows records through changes between scans.

mod bench;
mod story;
mod suite;
