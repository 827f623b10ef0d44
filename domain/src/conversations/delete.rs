//! Deleting a conversation: rows at once, then the original bytes and exports, then the engines by jobs. Until those have
//! run a search may still find a passage; PostgreSQL drops it. It is written down as an erasure, whose sweeps look again,
//! and which a restore applies again.

use crate::{
    Error, Result,
    accounts::{Actor, Role, Tenant},
    audit::{self, NewAuditEntry, Origin},
    conversations::{Conversation, objects::delete_objects, update::reindex},
    erasure::{Erasure, ErasureKind, NewErasure, list},
    events::{EventKind, NewEvent},
    ids::ConversationId,
    ports::{
        Ports,
        jobs::{Follow, Signal},
        store::conversations::ConversationFilter,
    },
};

/// A conversation that is gone, and its erasure.
pub struct Deleted {
    pub conversation: Conversation,
    pub erasure: Erasure,
}

pub async fn delete(ports: &Ports, actor: &Actor, origin: &Origin, id: ConversationId) -> Result<Deleted> {
    let entry = NewAuditEntry::new(ports, actor, origin, "conversations.delete").on(id);
    let deleted = async {
        actor.require(Role::Member)?;
        let new = NewErasure::new(ports, ErasureKind::Conversation, id.0, Some(actor.user_id));
        let entry = entry.again(ports).with("erasure", Some(new.id.to_string()));
        let conversation = delete_one(ports, actor.tenant(), id, None, new, Some(entry)).await?;
        let missing = || Error::not_found("erasure", new.id);
        let erasure = ports.erasures.find(actor.tenant(), &[new.id]).await?.pop().ok_or_else(missing)?;
        Ok(Deleted { conversation, erasure })
    };
    let deleted = deleted.await;
    audit::settle(ports, entry, deleted).await
}

/// For a batch that somebody with the right to it has started. Who was taken out of its filter since is not found.
pub async fn purge(
    ports: &Ports,
    tenant: Tenant,
    id: ConversationId,
    filter: &ConversationFilter,
) -> Result<Conversation> {
    let new = NewErasure::new(ports, ErasureKind::Conversation, id.0, None);
    delete_one(ports, tenant, id, Some(filter), new, None).await
}

/// It was deleted before, and is back.
pub(crate) async fn again(
    ports: &Ports,
    tenant: Tenant,
    id: ConversationId,
    entry: NewAuditEntry,
) -> Result<()> {
    let new = NewErasure::new(ports, ErasureKind::Conversation, id.0, None);
    delete_one(ports, tenant, id, None, new, Some(entry)).await.map(|_was| ())
}

async fn delete_one(
    ports: &Ports,
    tenant: Tenant,
    id: ConversationId,
    only: Option<&ConversationFilter>,
    new: NewErasure,
    entry: Option<NewAuditEntry>,
) -> Result<Conversation> {
    let kind = EventKind::ConversationDeleted { conversation_id: id };
    let event = NewEvent { organization_id: tenant.0, kind };
    let follow = Follow { jobs: reindex(ports, tenant, id), events: vec![event] };
    let deleted = ports.conversations.delete(tenant, id, only, new, follow, entry).await?;
    let deleted = deleted.ok_or_else(|| Error::not_found("conversation", id))?;
    list::publish(ports, tenant, new).await;
    if let Err(error) = delete_originals(ports, tenant, &deleted).await {
        tracing::warn!(error = error.chain(), "orphan objects are left to the sweep");
    }
    ports.signals.raise(Signal::Jobs);
    ports.signals.raise(Signal::Events);
    Ok(deleted)
}

/// An export that is being written at this moment is left to the sweep, too.
async fn delete_originals(ports: &Ports, tenant: Tenant, deleted: &Conversation) -> Result<()> {
    ports.objects.delete(&deleted.object_key).await?;
    delete_objects(ports, tenant, deleted.id).await
}
