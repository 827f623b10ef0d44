//! Bytes by key: the originals of what was imported.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::Result;

#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Durable when it returns. The same key again overwrites.
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()>;

    async fn get(&self, key: &str) -> Result<Option<Bytes>>;

    async fn has(&self, key: &str) -> Result<bool> {
        Ok(self.get(key).await?.is_some())
    }

    /// No error where there is nothing.
    async fn delete(&self, key: &str) -> Result<()>;

    /// Everything whose key is this one, a slash and more. No error where there is nothing.
    async fn delete_below(&self, folder: &str) -> Result<()>;

    /// Keys of objects written at least `age` ago, in order, after `after`; at most `limit`.
    async fn list(&self, age: Duration, after: Option<&str>, limit: usize) -> Result<Vec<String>>;
}
