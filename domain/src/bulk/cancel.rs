//! Cancelling the import of an archive: what was imported stays, and no further file of it is begun.

use super::{ArchiveImport, ArchiveState};
use crate::{
    Error, Result,
    accounts::{Actor, Role, Tenant},
    ids::ArchiveImportId,
    ports::{Ports, jobs::JobFilter},
};

/// Whoever may bring an archive may also cancel one of the organization. A run of the job is asked to stop, and does so
/// within seconds; until then the import is RUNNING. One that was cancelled before is as it is.
pub async fn cancel(ports: &Ports, actor: &Actor, id: ArchiveImportId) -> Result<ArchiveImport> {
    actor.require(Role::Member)?;
    let tenant = actor.tenant();
    let job_id = get(ports, tenant, id).await?.job_id;
    let filter = JobFilter { ids: vec![job_id], ..JobFilter::default() };
    ports.ledger.cancel(tenant, &filter, 1).await?;
    let import = get(ports, tenant, id).await?;
    match import.state {
        ArchiveState::Queued | ArchiveState::Running | ArchiveState::Cancelled => Ok(import),
        ArchiveState::Done | ArchiveState::Failed => {
            let message = "the import of the archive has ended already; what was imported stays";
            Err(Error::conflict("ARCHIVE_ENDED", message))
        }
    }
}

async fn get(ports: &Ports, tenant: Tenant, id: ArchiveImportId) -> Result<ArchiveImport> {
    let found = ports.archives.find(tenant, &[id]).await?.pop();
    found.ok_or_else(|| Error::not_found("archive import", id))
}
