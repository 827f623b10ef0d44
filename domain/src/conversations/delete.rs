//! Deleting a conversation: rows at once, then the original bytes and exports, then the engines by jobs. Until those have
//! run a search may still find a passage; PostgreSQL drops it.

use crate::{
    Error, Result,
    accounts::{Actor, Role, Tenant},
    conversations::{Conversation, objects::exports_of, update::reindex},
    events::{EventKind, NewEvent},
    ids::ConversationId,
    ports::{
        Ports,
        jobs::{Follow, Signal},
        store::conversations::ConversationFilter,
    },
};

pub async fn delete(ports: &Ports, actor: &Actor, id: ConversationId) -> Result<Conversation> {
    actor.require(Role::Member)?;
    delete_one(ports, actor.tenant(), id, None).await
}

/// For a batch that somebody with the right to it has started. Who was taken out of its filter since is not found.
pub async fn purge(
    ports: &Ports,
    tenant: Tenant,
    id: ConversationId,
    filter: &ConversationFilter,
) -> Result<Conversation> {
    delete_one(ports, tenant, id, Some(filter)).await
}

async fn delete_one(
    ports: &Ports,
    tenant: Tenant,
    id: ConversationId,
    only: Option<&ConversationFilter>,
) -> Result<Conversation> {
    let kind = EventKind::ConversationDeleted { conversation_id: id };
    let event = NewEvent { organization_id: tenant.0, kind };
    let follow = Follow { jobs: reindex(ports, tenant, id), events: vec![event] };
    let deleted = ports.conversations.delete(tenant, id, only, follow).await?;
    let deleted = deleted.ok_or_else(|| Error::not_found("conversation", id))?;
    if let Err(error) = delete_objects(ports, tenant, &deleted).await {
        tracing::warn!(error = error.chain(), "orphan objects are left to the sweep");
    }
    ports.signals.raise(Signal::Jobs);
    ports.signals.raise(Signal::Events);
    Ok(deleted)
}

/// An export that is being written at this moment is left to the sweep, too.
async fn delete_objects(ports: &Ports, tenant: Tenant, deleted: &Conversation) -> Result<()> {
    ports.objects.delete(&deleted.object_key).await?;
    ports.objects.delete_below(&exports_of(tenant.0, deleted.id)).await
}
