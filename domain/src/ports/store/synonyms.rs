//! What stands for each other in an organization's searches.

use async_trait::async_trait;

use crate::{Result, accounts::Tenant, audit::NewAuditEntry, search::synonyms::Synonyms};

#[async_trait]
pub trait SynonymStore: Send + Sync {
    /// None where none were ever set.
    async fn find(&self, tenant: Tenant) -> Result<Synonyms>;

    /// All of them, with the entry, which says whether that changed anything.
    async fn replace(&self, tenant: Tenant, synonyms: &Synonyms, audit: NewAuditEntry) -> Result<()>;
}
