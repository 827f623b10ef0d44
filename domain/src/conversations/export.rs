//! A conversation's transcript as a file: at once for one who asks for it, of any revision; into the object store for a
//! batch.

use std::borrow::Cow;

use bytes::Bytes;
use tokio::task::spawn_blocking;

use crate::{
    Error, Result,
    accounts::Tenant,
    conversations::{Conversation, RevisionNumber, Tag, Talk, objects::export_key, revisions::no_such},
    ids::{BatchId, ConversationId},
    ports::Ports,
    transcripts::export::{
        Said, TextForm,
        json::{Document, FORMAT, Segment, VERSION},
        write,
    },
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    WebVtt,
    Srt,
    /// All that is known of the conversation.
    Json,
    Markdown,
    Text,
}

impl ExportFormat {
    fn text(self) -> Option<TextForm> {
        match self {
            Self::WebVtt => Some(TextForm::WebVtt),
            Self::Srt => Some(TextForm::Srt),
            Self::Json => None,
            Self::Markdown => Some(TextForm::Markdown),
            Self::Text => Some(TextForm::Text),
        }
    }

    fn ending(self) -> &'static str {
        self.text().map_or("json", TextForm::ending)
    }

    fn media_type(self) -> &'static str {
        self.text().map_or("application/json", TextForm::media_type)
    }
}

/// A file that an import takes back as it was.
#[derive(Debug, Clone)]
pub struct Exported {
    pub file_name: String,
    pub media_type: &'static str,
    pub content: String,
}

/// A revision as a file, the current one where none is given; NO_TIMES where the format needs times and there are none.
/// What is no revision's own (title, time, kind, tags, language) is as it stands now.
pub async fn export(
    ports: &Ports,
    tenant: Tenant,
    id: ConversationId,
    format: ExportFormat,
    revision: Option<RevisionNumber>,
) -> Result<Exported> {
    let found = find(ports, tenant, id, revision).await?;
    let (conversation, talk, tags) = found.ok_or_else(|| Error::not_found("conversation", id))?;
    let file_name = file_name(&conversation.title, format, revision);
    let content = spawn_blocking(move || match format.text() {
        Some(form) => write(form, &conversation.title, &said(&talk)).map_err(Error::Invalid),
        None => json(&conversation, &talk, &tags),
    });
    let content = content.await.map_err(|error| Error::internal("export a transcript", error))??;
    Ok(Exported { file_name, media_type: format.media_type(), content })
}

/// Writes the JSON into the object store. The key of what was written; `None` where the conversation is gone.
pub async fn export_into(
    ports: &Ports,
    tenant: Tenant,
    batch: BatchId,
    id: ConversationId,
) -> Result<Option<String>> {
    let Some((conversation, talk, tags)) = find(ports, tenant, id, None).await? else {
        return Ok(None);
    };
    let json = json(&conversation, &talk, &tags)?;
    let key = export_key(tenant.0, id, batch);
    ports.objects.put(&key, Bytes::from(json)).await?;
    Ok(Some(key))
}

type Whole = (Conversation, Talk, Vec<Tag>);

async fn find(
    ports: &Ports,
    tenant: Tenant,
    id: ConversationId,
    revision: Option<RevisionNumber>,
) -> Result<Option<Whole>> {
    let Some(conversation) = ports.conversations.find(tenant, &[id]).await?.pop() else {
        return Ok(None);
    };
    let talk = match revision {
        None => ports.conversations.find_talk(tenant, id).await?,
        Some(number) if (1..=conversation.revision).contains(&number) => {
            ports.revisions.talk(tenant, id, number).await?
        }
        Some(number) => return Err(no_such("revision", number, conversation.revision)),
    };
    let Some(talk) = talk else { return Ok(None) };
    let tags = ports.conversations.tags(tenant, &[id]).await?.into_iter().map(|(_, tag)| tag).collect();
    Ok(Some((conversation, talk, tags)))
}

fn said(talk: &Talk) -> Vec<Said<'_>> {
    let one = |segment: &'_ crate::conversations::Segment| Said {
        speaker: speaker(talk, segment).map(|label| Cow::Owned(label.to_owned())),
        text: Cow::Owned(segment.text.clone()),
        start_ms: segment.start_ms,
        end_ms: segment.end_ms,
    };
    talk.segments.iter().map(one).collect()
}

fn speaker<'a>(talk: &'a Talk, segment: &crate::conversations::Segment) -> Option<&'a str> {
    segment.participant_id.and_then(|id| talk.participant(id)).map(|one| one.label.as_str())
}

fn json(conversation: &Conversation, talk: &Talk, tags: &[Tag]) -> Result<String> {
    let segments = talk.segments.iter().map(|segment| Segment {
        id: Some(segment.id.to_string()),
        speaker: speaker(talk, segment).map(Cow::Borrowed),
        text: Cow::Borrowed(&segment.text),
        start_ms: segment.start_ms,
        end_ms: segment.end_ms,
    });
    let document = Document {
        format: FORMAT.to_owned(),
        version: VERSION,
        id: Some(conversation.id.to_string()),
        title: Some(conversation.title.clone()),
        kind: Some(conversation.kind.as_str().to_owned()),
        occurred_at: conversation.occurred_at,
        external_id: conversation.external_id.clone(),
        file_name: conversation.file_name.clone(),
        language: conversation.language.map(String::from),
        created_at: Some(conversation.created_at),
        revision: Some(talk.revision),
        tags: tags.iter().map(|tag| tag.name.clone()).collect(),
        segments: segments.collect(),
    };
    document.write().map_err(|error| Error::internal("write a transcript", error))
}

/// The title, of letters, digits and what no file system minds, and the revision that was asked for.
fn file_name(title: &str, format: ExportFormat, revision: Option<RevisionNumber>) -> String {
    const MAX_CHARS: usize = 80;
    let kept = |c: char| if c.is_alphanumeric() || " -_.,()".contains(c) { c } else { ' ' };
    let name: String = title.chars().map(kept).take(MAX_CHARS).collect();
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let name = name.trim_matches(['.', ' ']);
    let name = if name.is_empty() { "conversation" } else { name };
    let of = revision.map(|number| format!(" (revision {number})")).unwrap_or_default();
    format!("{name}{of}.{}", format.ending())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_becomes_a_file_name_that_every_system_takes() {
        let name = |title: &str| file_name(title, ExportFormat::WebVtt, None);
        assert_eq!(name("Weekly sync: pay/raise?"), "Weekly sync pay raise.vtt");
        assert_eq!(name("../../etc"), "etc.vtt");
        assert_eq!(name("田中さん"), "田中さん.vtt");
        assert_eq!(name("..."), "conversation.vtt");
        assert_eq!(name(&"x".repeat(300)).len(), 84);
        assert_eq!(file_name("Weekly", ExportFormat::Json, Some(3)), "Weekly (revision 3).json");
    }
}
