//! Changes to what a conversation is called and sorted by. Each makes a new version for search, and the
//! passages are indexed again.

use crate::{
    Error, Result,
    accounts::{Actor, Role, Tenant},
    conversations::{
        Conversation,
        import::{check_tags, check_title, new_tag},
    },
    events::{EventKind, NewEvent},
    ids::ConversationId,
    jobs::{JobKind, NewJob, Payload},
    language::Language,
    ports::{
        Ports,
        jobs::{Follow, Signal},
        store::conversations::{ConversationPatch, SpokenIn},
    },
};

pub async fn update(
    ports: &Ports,
    actor: &Actor,
    id: ConversationId,
    mut patch: ConversationPatch,
) -> Result<Conversation> {
    actor.require(Role::Member)?;
    if let Some(title) = &patch.title {
        patch.title = Some(check_title(Some(title))?);
    }
    let updated =
        ports.conversations.update(actor.tenant(), id, patch, changed(ports, actor.tenant(), id)).await?;
    announce(ports, updated, id)
}

/// Tags that the conversation bears already are no error.
pub async fn tag(ports: &Ports, actor: &Actor, id: ConversationId, tags: &[String]) -> Result<Conversation> {
    actor.require(Role::Member)?;
    let tags: Vec<_> =
        check_tags(tags)?.into_iter().map(|name| new_tag(ports, actor.organization_id, name)).collect();
    let follow = changed(ports, actor.tenant(), id);
    let updated = ports.conversations.set_tags(actor.tenant(), id, &tags, &[], follow).await?;
    announce(ports, updated, id)
}

/// Tags that the conversation does not bear are no error.
pub async fn untag(
    ports: &Ports,
    actor: &Actor,
    id: ConversationId,
    tags: &[String],
) -> Result<Conversation> {
    actor.require(Role::Member)?;
    let tags = check_tags(tags)?;
    let follow = changed(ports, actor.tenant(), id);
    let updated = ports.conversations.set_tags(actor.tenant(), id, &[], &tags, follow).await?;
    announce(ports, updated, id)
}

/// What a text that stands was found to be in. What somebody has set is left.
pub(crate) async fn detected(
    ports: &Ports,
    tenant: Tenant,
    id: ConversationId,
    language: Language,
) -> Result<()> {
    let patch =
        ConversationPatch { language: Some(SpokenIn::Detected(language)), ..ConversationPatch::default() };
    let updated = ports.conversations.update(tenant, id, patch, changed(ports, tenant, id)).await?;
    if updated.is_some() {
        ports.signals.raise(Signal::Jobs);
        ports.signals.raise(Signal::Events);
    }
    Ok(())
}

/// What follows a change that search can see.
pub(crate) fn changed(ports: &Ports, tenant: Tenant, id: ConversationId) -> Follow {
    let organization_id = tenant.0;
    let event = NewEvent { organization_id, kind: EventKind::ConversationUpdated { conversation_id: id } };
    Follow { jobs: reindex(ports, tenant, id), events: vec![event] }
}

/// Jobs that bring both engines to the conversation's present state, be it changed or gone.
pub(crate) fn reindex(ports: &Ports, tenant: Tenant, id: ConversationId) -> Vec<NewJob> {
    [JobKind::IndexPassages, JobKind::EmbedPassages]
        .into_iter()
        .map(|kind| {
            let payload = Payload::Conversation { conversation_id: id };
            ports.new_job(kind, Some(tenant.0), payload)
        })
        .collect()
}

fn announce(ports: &Ports, updated: Option<Conversation>, id: ConversationId) -> Result<Conversation> {
    let updated = updated.ok_or_else(|| Error::not_found("conversation", id))?;
    ports.signals.raise(Signal::Jobs);
    ports.signals.raise(Signal::Events);
    Ok(updated)
}
