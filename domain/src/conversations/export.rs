//! A conversation's transcript as JSON in the object store: what the API shows of it, in one object.

use bytes::Bytes;
use serde::Serialize;

use crate::{
    Error, Result,
    accounts::Tenant,
    conversations::{ConversationKind, RevisionNumber, objects::export_key},
    ids::{BatchId, ConversationId, SegmentId},
    ports::Ports,
    time::{Millis, Timestamp},
};

/// Grows with every change that a reader must know of.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Exported<'a> {
    format: u32,
    id: ConversationId,
    title: &'a str,
    kind: ConversationKind,
    occurred_at: Option<Timestamp>,
    external_id: Option<&'a str>,
    file_name: Option<&'a str>,
    created_at: Timestamp,
    revision: RevisionNumber,
    tags: Vec<&'a str>,
    segments: Vec<ExportedSegment<'a>>,
}

#[derive(Serialize)]
struct ExportedSegment<'a> {
    id: SegmentId,
    sequence: i32,
    speaker: Option<&'a str>,
    text: &'a str,
    start_ms: Option<Millis>,
    end_ms: Option<Millis>,
}

/// The key of what was written; `None` where the conversation is gone.
pub async fn export(
    ports: &Ports,
    tenant: Tenant,
    batch: BatchId,
    id: ConversationId,
) -> Result<Option<String>> {
    let found = ports.conversations.find(tenant, &[id]).await?.pop();
    let talk = ports.conversations.find_talk(tenant, id).await?;
    let (Some(conversation), Some(talk)) = (found, talk) else {
        return Ok(None);
    };
    let tags = ports.conversations.tags(tenant, &[id]).await?;
    let segments = talk.segments.iter().map(|segment| ExportedSegment {
        id: segment.id,
        sequence: segment.sequence,
        speaker: segment.participant_id.and_then(|id| talk.participant(id)).map(|one| one.label.as_str()),
        text: &segment.text,
        start_ms: segment.start_ms,
        end_ms: segment.end_ms,
    });
    let exported = Exported {
        format: FORMAT,
        id,
        title: &conversation.title,
        kind: conversation.kind,
        occurred_at: conversation.occurred_at,
        external_id: conversation.external_id.as_deref(),
        file_name: conversation.file_name.as_deref(),
        created_at: conversation.created_at,
        revision: talk.revision,
        tags: tags.iter().map(|(_, tag)| tag.name.as_str()).collect(),
        segments: segments.collect(),
    };
    let json = serde_json::to_vec(&exported).map_err(|error| Error::internal("write a transcript", error))?;
    let key = export_key(tenant.0, id, batch);
    ports.objects.put(&key, Bytes::from(json)).await?;
    Ok(Some(key))
}
