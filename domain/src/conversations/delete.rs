//! Deleting a conversation: rows at once, then the original bytes, then the engines by jobs. Until those have
//! run a search may still find a passage; PostgreSQL drops it.

use crate::{
    Error, Result,
    accounts::{Actor, Role},
    conversations::{Conversation, update::reindex},
    events::{EventKind, NewEvent},
    ids::ConversationId,
    ports::{
        Ports,
        jobs::{Follow, Signal},
    },
};

pub async fn delete(ports: &Ports, actor: &Actor, id: ConversationId) -> Result<Conversation> {
    actor.require(Role::Member)?;
    let organization_id = actor.organization_id;
    let event = NewEvent { organization_id, kind: EventKind::ConversationDeleted { conversation_id: id } };
    let follow = Follow { jobs: reindex(ports, actor, id), events: vec![event] };
    let deleted = ports.conversations.delete(actor.tenant(), id, follow).await?;
    let deleted = deleted.ok_or_else(|| Error::not_found("conversation", id))?;
    if let Err(error) = ports.objects.delete(&deleted.object_key).await {
        tracing::warn!(error = error.chain(), "an orphan object is left to the sweep");
    }
    ports.signals.raise(Signal::Jobs);
    ports.signals.raise(Signal::Events);
    Ok(deleted)
}
