//! Archives that were brought to be imported, and what became of each of their entries.

use async_trait::async_trait;

use crate::{
    Result,
    accounts::{SystemScope, Tenant},
    archives::Start,
    bulk::{ArchiveImport, EntryOutcome, EntryProblem, ImportedEntry},
    ids::ArchiveImportId,
    jobs::{Claim, NewJob},
    ports::store::PageBy,
    time::Timestamp,
};

#[async_trait]
pub trait ArchiveStore: Send + Sync {
    /// `false` where the organization has `at_most` of them under way; then nothing is written.
    async fn insert(
        &self,
        tenant: Tenant,
        import: &ArchiveImport,
        job: NewJob,
        at_most: usize,
    ) -> Result<bool>;

    /// Those of the tenant among `ids`, in any order.
    async fn find(&self, tenant: Tenant, ids: &[ArchiveImportId]) -> Result<Vec<ArchiveImport>>;

    /// Newest first.
    async fn list(&self, tenant: Tenant, page: PageBy<ArchiveImportId>) -> Result<Vec<ArchiveImport>>;

    /// In the order of the archive.
    async fn entries(
        &self,
        tenant: Tenant,
        id: ArchiveImportId,
        outcome: Option<EntryOutcome>,
        after: Option<u32>,
        limit: usize,
    ) -> Result<Vec<ImportedEntry>>;

    /// Behind the last entry that was written.
    async fn reached(&self, tenant: Tenant, id: ArchiveImportId) -> Result<Start>;

    /// Entries that were written before stay as they are. The name of one whose conversation has gone meanwhile is not
    /// kept.
    async fn record(&self, tenant: Tenant, id: ArchiveImportId, entries: &[ImportedEntry]) -> Result<()>;

    /// Ends the import, and its job with it. `problem` is why the rest was not read.
    async fn finish(
        &self,
        tenant: Tenant,
        claim: Claim,
        id: ArchiveImportId,
        at: Timestamp,
        problem: Option<&EntryProblem>,
    ) -> Result<()>;

    /// The keys among these whose archive somebody may still unpack.
    async fn needed_objects(&self, scope: SystemScope, keys: &[String]) -> Result<Vec<String>>;

    /// Deletes those made before, at most `limit`, with their entries; conversations stay.
    async fn prune(&self, scope: SystemScope, before: Timestamp, limit: usize) -> Result<usize>;
}
