//! Relay's `node`: anything that has an id of its own and can be fetched by it.

use async_graphql::{Context, ID, Interface, Result};
use colloquy_domain::{
    accounts::Role,
    ids::{AnalysisId, ArchiveImportId, BatchId, ConversationId, JobId, PersonId, SavedSearchId, ScheduleId},
};

use super::{
    analysis::Analysis, archive_import::ArchiveImport, batch::Batch, conversation::Conversation, job::Job,
    person::Person, saved_search::SavedSearch, schedule::Schedule,
};
use crate::{
    Wired,
    errors::fault,
    global_id,
    guards::{actor, actor_with},
    loaders::{
        AnalysisById, ArchiveImportById, BatchById, ConversationById, JobById, PersonById, SavedSearchById,
        ScheduleById,
    },
};

/// Something with an id by which it can be fetched again.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID"))]
pub(crate) enum Node {
    Conversation(Conversation),
    Analysis(Analysis),
    Job(Job),
    Batch(Batch),
    Schedule(Schedule),
    SavedSearch(SavedSearch),
    Person(Person),
    ArchiveImport(ArchiveImport),
}

/// `None` for an id that names nothing in the caller's organization.
pub(crate) async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    let tenant = actor(ctx)?.tenant();
    let loader = ctx.loader();
    if let Some(id) = global_id::decode::<ConversationId>(id) {
        let found = loader.load_one(ConversationById(tenant, id)).await.map_err(fault)?;
        return Ok(found.map(|row| Conversation(row).into()));
    }
    if let Some(id) = global_id::decode::<AnalysisId>(id) {
        let found = loader.load_one(AnalysisById(tenant, id)).await.map_err(fault)?;
        return Ok(found.map(|row| Analysis(row).into()));
    }
    if let Some(id) = global_id::decode::<JobId>(id) {
        let found = loader.load_one(JobById(tenant, id)).await.map_err(fault)?;
        return Ok(found.map(|row| Job(row).into()));
    }
    if let Some(id) = global_id::decode::<BatchId>(id) {
        actor_with(ctx, Role::Admin)?;
        let found = loader.load_one(BatchById(tenant, id)).await.map_err(fault)?;
        return Ok(found.map(|row| Batch::from(row).into()));
    }
    if let Some(id) = global_id::decode::<ScheduleId>(id) {
        actor_with(ctx, Role::Admin)?;
        let found = loader.load_one(ScheduleById(tenant, id)).await.map_err(fault)?;
        return Ok(found.map(|row| Schedule::from(row).into()));
    }
    if let Some(id) = global_id::decode::<SavedSearchId>(id) {
        let found = loader.load_one(SavedSearchById(tenant, id)).await.map_err(fault)?;
        return Ok(found.map(|row| SavedSearch::from(row).into()));
    }
    if let Some(id) = global_id::decode::<PersonId>(id) {
        let found = loader.load_one(PersonById(tenant, id)).await.map_err(fault)?;
        return Ok(found.map(|row| Person(row).into()));
    }
    if let Some(id) = global_id::decode::<ArchiveImportId>(id) {
        let found = loader.load_one(ArchiveImportById(tenant, id)).await.map_err(fault)?;
        return Ok(found.map(|row| ArchiveImport(row).into()));
    }
    Ok(None)
}
