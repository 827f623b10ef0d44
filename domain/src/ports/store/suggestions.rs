//! Names that begin as somebody has begun to type.

use async_trait::async_trait;

use crate::{Result, accounts::Tenant};

/// Each once whatever its case, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    pub titles: Vec<String>,
    /// Labels of those who speak in some conversation.
    pub speakers: Vec<String>,
    /// That some conversation has.
    pub tags: Vec<String>,
    pub people: Vec<String>,
}

#[async_trait]
pub trait SuggestionStore: Send + Sync {
    /// Compared without case; so many of each at most.
    async fn names(&self, tenant: Tenant, prefix: &str, limit: usize) -> Result<Names>;
}
