//! The cluster read through the vendor's client and its watcher, over HTTP.

mod client;
mod discovery;
mod lists;
mod seeded;
mod watches;
