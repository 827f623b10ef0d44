//! The audit log beside what is written with a change.

use async_trait::async_trait;

use crate::{
    Result,
    accounts::{SystemScope, Tenant},
    audit::{AuditEntry, AuditFilter, NewAuditEntry},
    ids::AuditEntryId,
};

#[async_trait]
pub trait AuditLog: Send + Sync {
    /// For what changes nothing, such as a refusal: changes take their entry along.
    async fn insert(&self, entry: NewAuditEntry) -> Result<()>;

    /// Newest first; `after` is the last id of the page before.
    async fn list(
        &self,
        tenant: Tenant,
        filter: &AuditFilter,
        after: Option<AuditEntryId>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>>;

    /// What was done for the whole installation, and is in no organization's log. Newest first.
    async fn list_of_installation(
        &self,
        scope: SystemScope,
        after: Option<AuditEntryId>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>>;
}
