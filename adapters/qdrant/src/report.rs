//! What the server has, for whoever looks after it.

use colloquy_domain::Result;
use qdrant_client::qdrant::Filter;
use uuid::Uuid;

use crate::{filter, ground, settings::QdrantSettings};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub version: String,
    pub alias: String,
    /// The collection behind the alias.
    pub behind: Option<String>,
    /// Those that are there, in ascending order.
    pub generations: Vec<i64>,
    pub passages: u64,
    /// Conversations that were written, those that are gone with them.
    pub conversations: u64,
}

impl Report {
    /// The generation behind the alias.
    pub fn generation(&self) -> Option<i64> {
        self.behind.as_ref()?.strip_prefix(&self.alias)?.strip_prefix('-')?.parse().ok()
    }
}

/// Changes nothing.
pub async fn report(settings: &QdrantSettings) -> Result<Report> {
    let ground = ground(settings, Uuid::nil(), String::new(), 1)?;
    let version = ground.check_server().await?;
    let alias = settings.alias();
    let behind = ground.behind_alias().await?;
    let mut generations = ground.generations().await?;
    generations.sort_unstable();
    let (mut passages, mut conversations) = (0, 0);
    if let Some(collection) = &behind {
        conversations = ground.count(collection, Filter::must([filter::is_marker()])).await?;
        passages = ground.count(collection, Filter::must_not([filter::is_marker()])).await?;
    }
    Ok(Report { version, alias, behind, generations, passages, conversations })
}
