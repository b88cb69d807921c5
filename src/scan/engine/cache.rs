//! The connectors' cache, kept in the store.

use std::sync::Arc;

use headcount_sdk::Cache;

use crate::store::Store;

/// A connector's cache in the store. What cannot be read or written is logged and lost.
pub(super) struct StoredCache {
    pub(super) store: Arc<dyn Store>,
    pub(super) source: String,
}

#[async_trait::async_trait]
impl Cache for StoredCache {
    async fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.store.cache_get(&self.source, key).await.unwrap_or_else(|error| {
            tracing::warn!(source = self.source, %error, "the connector's cache was not read");
            None
        })
    }

    async fn put(&self, key: &str, value: Vec<u8>) {
        if let Err(error) = self.store.cache_put(&self.source, key, &value).await {
            tracing::warn!(source = self.source, %error, "the connector's cache was not kept");
        }
    }
}
