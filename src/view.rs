//! What people are shown of the inventory, whether on a terminal or in a browser: a record's
//! surroundings, its trail, its life, and words for all of it.
//!
//! Reads through [`Store`] and judges nothing. It knows neither terminals nor HTML: printing is
//! `cli`'s, the page is `api::web`'s. Start at [`around`].

use headcount_core::inventory::Record;
use headcount_sdk::Class;

use crate::store::{RecordFilter, Store, StoreError};

pub mod around;
pub mod life;
pub mod text;
pub mod time;
pub mod trail;
pub mod words;

/// The classes that are counted, in the order in which they are shown.
pub const COUNTED: [Class; 4] = [Class::Identity, Class::AiAgent, Class::Credential, Class::Grant];

/// The three questions of the product, and the rules that answer them.
pub const QUESTIONS: [(&str, &[&str]); 3] = [
    ("New", &["new-identity", "new-credential", "resurrected-identity"]),
    ("Stale", &["stale-identity", "stale-credential"]),
    ("Ownerless", &["ownerless-identity", "weak-owner"]),
];

/// Records read from the store at a time.
const PAGE: u32 = 1_000;

/// Hands over every record that fits, page by page in id order.
pub async fn each_record<E: From<StoreError>>(
    store: &dyn Store,
    filter: &RecordFilter,
    mut with: impl FnMut(&Record) -> Result<(), E> + Send,
) -> Result<(), E> {
    let mut after = None;
    loop {
        let page = store.list_records(filter, after.as_ref(), PAGE).await?;
        for record in &page {
            with(record)?;
        }
        match page.last() {
            Some(last) if page.len() == PAGE as usize => after = Some(last.id().clone()),
            _ => return Ok(()),
        }
    }
}
