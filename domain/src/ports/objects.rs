//! Bytes by key: the originals of what was imported.

use std::{
    io::{Cursor, Read, Seek},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;

use crate::Result;

/// The bytes of an object as they are read from where they stand, off the async threads.
pub trait ObjectReader: Read + Seek + Send {}

impl<T: Read + Seek + Send> ObjectReader for T {}

#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Durable when it returns. The same key again overwrites.
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()>;

    async fn get(&self, key: &str) -> Result<Option<Bytes>>;

    /// As [`get`](Self::get), without holding all of it where that can be helped.
    async fn open(&self, key: &str) -> Result<Option<Box<dyn ObjectReader>>> {
        let bytes = self.get(key).await?;
        Ok(bytes.map(|bytes| Box::new(Cursor::new(bytes)) as Box<dyn ObjectReader>))
    }

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
