//! Models. An adapter owns its threads, limits and retries; a caller only waits.

use async_trait::async_trait;

use crate::Result;

/// What made a vector: vectors of different models never meet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EmbeddingModel {
    pub name: String,
    pub dimensions: usize,
}

#[async_trait]
pub trait Embedder: Send + Sync {
    fn model(&self) -> &EmbeddingModel;

    /// One vector of unit length a text, in the order of the texts.
    async fn embed_passages(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>>;

    /// As a passage, but served before any passages that wait.
    async fn embed_query(&self, text: &str) -> Result<Vec<f32>>;
}
