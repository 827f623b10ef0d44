//! Archives that are imported, and what became of their entries.

mod entries;
mod rows;

pub(crate) use entries::forget;

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::{SystemScope, Tenant},
    archives::Start,
    bulk::{ArchiveImport, EntryOutcome, EntryProblem, ImportedEntry},
    ids::ArchiveImportId,
    jobs::{Claim, NewJob},
    ports::store::{PageBy, archives::ArchiveStore},
    time::Timestamp,
};

use crate::Postgres;

#[async_trait]
impl ArchiveStore for Postgres {
    async fn insert(
        &self,
        tenant: Tenant,
        import: &ArchiveImport,
        job: NewJob,
        at_most: usize,
    ) -> Result<bool> {
        const DOING: &str = "keep an archive";
        let inserted = self
            .transaction(DOING, async |conn| rows::insert(conn, tenant, import, &job, at_most).await)
            .await?;
        if let Some(raised) = inserted {
            self.announce(raised);
        }
        Ok(inserted.is_some())
    }

    async fn find(&self, tenant: Tenant, ids: &[ArchiveImportId]) -> Result<Vec<ArchiveImport>> {
        self.run("read archives", async |conn| rows::find(conn, tenant, ids).await).await
    }

    async fn list(&self, tenant: Tenant, page: PageBy<ArchiveImportId>) -> Result<Vec<ArchiveImport>> {
        self.run("list archives", async |conn| rows::list(conn, tenant, page).await).await
    }

    async fn entries(
        &self,
        tenant: Tenant,
        id: ArchiveImportId,
        outcome: Option<EntryOutcome>,
        after: Option<u32>,
        limit: usize,
    ) -> Result<Vec<ImportedEntry>> {
        const DOING: &str = "read an archive's entries";
        self.run(DOING, async |conn| entries::list(conn, tenant, id, outcome, after, limit).await).await
    }

    async fn reached(&self, tenant: Tenant, id: ArchiveImportId) -> Result<Start> {
        const DOING: &str = "look how far an archive is";
        self.run(DOING, async |conn| entries::reached(conn, tenant, id).await).await
    }

    async fn record(&self, tenant: Tenant, id: ArchiveImportId, entries: &[ImportedEntry]) -> Result<()> {
        const DOING: &str = "note an archive's entries";
        self.transaction(DOING, async |conn| entries::record(conn, tenant, id, entries).await).await
    }

    async fn finish(
        &self,
        tenant: Tenant,
        claim: Claim,
        id: ArchiveImportId,
        at: Timestamp,
        problem: Option<&EntryProblem>,
    ) -> Result<()> {
        const DOING: &str = "end the import of an archive";
        let raised =
            self.transaction(DOING, async |conn| rows::finish(conn, tenant, claim, id, at, problem).await);
        self.announce(raised.await?);
        Ok(())
    }

    async fn needed_objects(&self, _scope: SystemScope, keys: &[String]) -> Result<Vec<String>> {
        self.run("look for archives in use", async |conn| rows::needed_objects(conn, keys).await).await
    }

    async fn prune(&self, _scope: SystemScope, before: Timestamp, limit: usize) -> Result<usize> {
        self.run("forget archives", async |conn| rows::prune(conn, before, limit).await).await
    }
}
