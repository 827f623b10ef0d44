//! Import: bytes become a conversation. The bytes are parsed first and refused whole where that fails, then
//! kept in the object store, then the rows are written in one transaction with the job that goes on from
//! there. An object without its row is an orphan, which a sweep removes; a row without its object cannot be.

use bytes::Bytes;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::{
    Error, Problem, Result,
    accounts::{Actor, Role, Tenant},
    conversations::{
        ContentHash, Conversation, ConversationKind, ImportRules, Participant, Segment, Tag,
        objects::object_key,
    },
    events::{LogPosition, NewEvent, Stage},
    ids::{ConversationId, JobId, OrganizationId, ParticipantId, SegmentId, TagId, UserId},
    jobs::{JobKind, Payload},
    ports::{
        Ports,
        jobs::{Follow, Signal},
        store::conversations::{Inserted, NewConversation},
    },
    time::{Millis, Timestamp},
    transcripts::{
        self, Limits, Transcript,
        report::{Format, ImportReport},
    },
};

pub const MAX_TITLE_CHARS: usize = 300;
const UNTITLED: &str = "Untitled conversation";
pub const MAX_TAGS: usize = 50;
pub const MAX_TAG_CHARS: usize = 60;
const MAX_EXTERNAL_ID_BYTES: usize = 200;
const MAX_FILE_NAME_BYTES: usize = 255;

pub struct ImportInput {
    pub bytes: Bytes,
    pub file_name: Option<String>,
    /// `None` detects it by content.
    pub format: Option<Format>,
    /// The file's name without its ending where left out.
    pub title: Option<String>,
    pub kind: ConversationKind,
    pub occurred_at: Option<Timestamp>,
    pub tags: Vec<String>,
    pub external_id: Option<String>,
    /// Parses, looks whether it is there already and reports, and writes nothing.
    pub dry_run: bool,
}

/// What an import did.
#[derive(Debug, Clone)]
pub struct Imported {
    /// `None` after a dry run of what is not there yet.
    pub conversation: Option<Conversation>,
    /// What a dry run's conversation would be like.
    pub preview: Option<Preview>,
    pub report: ImportReport,
    /// Whether this call made the conversation; otherwise it stood there already.
    pub created: bool,
    pub jobs: Vec<JobId>,
    /// The log as it was before the import: what follows from it comes after this.
    pub cursor: LogPosition,
}

/// On whose behalf something is imported.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Author {
    pub(crate) organization_id: OrganizationId,
    pub(crate) user_id: UserId,
}

/// What a conversation would be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    pub title: String,
    /// The first of them.
    pub turns: Vec<PreviewTurn>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewTurn {
    pub speaker: Option<String>,
    /// At most its beginning.
    pub text: String,
    pub start_ms: Option<Millis>,
    pub end_ms: Option<Millis>,
}

impl Preview {
    const TURNS: usize = 20;
    const CHARS: usize = 500;

    fn of(title: String, transcript: &Transcript) -> Self {
        let turns = transcript.turns.iter().take(Self::TURNS).map(|turn| PreviewTurn {
            speaker: turn.speaker.and_then(|at| transcript.report.speakers.get(at)).cloned(),
            text: turn.text.chars().take(Self::CHARS).collect(),
            start_ms: turn.start_ms,
            end_ms: turn.end_ms,
        });
        Self { title, turns: turns.collect() }
    }
}

pub async fn import(ports: &Ports, actor: &Actor, input: ImportInput) -> Result<Imported> {
    actor.require(Role::Member)?;
    let author = Author { organization_id: actor.organization_id, user_id: actor.user_id };
    import_as(ports, author, ConversationId(ports.ids.next()), input).await
}

/// For somebody of whom it is known that they may; `id` is the conversation's where it is new.
pub(crate) async fn import_as(
    ports: &Ports,
    author: Author,
    id: ConversationId,
    input: ImportInput,
) -> Result<Imported> {
    let tags = check_tags(&input.tags)?;
    let external_id = check_external_id(input.external_id.as_deref())?;
    let file_name = input.file_name.as_deref().map(clean_file_name);
    let title = input.title.as_deref().map(|title| check_title(Some(title))).transpose()?;
    let cursor = ports.events.bounds().await?.position();
    let (bytes, hash, parsed) =
        parse_off_thread(input.bytes, input.format, ports.import_rules.clone()).await?;
    let transcript = parsed.map_err(Error::Invalid)?;
    let title = match title {
        Some(title) => title,
        None => own_title(&transcript, file_name.as_deref()),
    };
    let tenant = Tenant(author.organization_id);
    let same = ports.conversations.find_same(tenant, hash, external_id.as_deref()).await?;
    if let Some(imported) = existing(same, cursor)? {
        return Ok(imported);
    }
    if input.dry_run {
        let preview = Some(Preview::of(title, &transcript));
        let report = transcript.report;
        return Ok(Imported {
            conversation: None,
            preview,
            report,
            created: false,
            jobs: Vec::new(),
            cursor,
        });
    }

    let now = ports.clock.now();
    let conversation = Conversation {
        id,
        organization_id: author.organization_id,
        kind: input.kind,
        title,
        occurred_at: input.occurred_at,
        external_id,
        file_name,
        content_hash: hash,
        object_key: object_key(author.organization_id, id),
        revision: 1,
        language: transcript.report.language.map(|found| found.language),
        report: transcript.report.clone(),
        created_by: Some(author.user_id),
        created_at: now,
        updated_at: now,
    };
    let tags = tags.into_iter().map(|name| new_tag(ports, author.organization_id, name)).collect();
    let new = with_rows(ports, conversation.clone(), transcript, tags);
    let payload = Payload::Revision { conversation_id: id, revision: 1 };
    let organization = Some(author.organization_id);
    let job = ports.new_job(JobKind::IngestConversation, organization, payload);
    let jobs = vec![job.id];
    let imported = NewEvent::progress(author.organization_id, id, 1, Stage::Imported);
    let follow = Follow { jobs: vec![job], events: vec![imported] };

    ports.objects.put(&conversation.object_key, bytes).await?;
    let inserted = ports.conversations.insert(tenant, new, follow).await;
    if !matches!(inserted, Ok(Inserted::New)) {
        // Another import of the same bytes came first, or the write failed: nothing is left behind. Where
        // this fails too, the sweep does it.
        if let Err(error) = ports.objects.delete(&conversation.object_key).await {
            tracing::warn!(error = error.chain(), "an orphan object is left to the sweep");
        }
    }
    if let Some(imported) = existing(inserted?, cursor)? {
        return Ok(imported);
    }
    ports.signals.raise(Signal::Jobs);
    ports.signals.raise(Signal::Events);
    let report = conversation.report.clone();
    Ok(Imported { conversation: Some(conversation), preview: None, report, created: true, jobs, cursor })
}

/// The answer where the conversation is not new.
fn existing(inserted: Inserted, cursor: LogPosition) -> Result<Option<Imported>> {
    match inserted {
        Inserted::New => Ok(None),
        Inserted::Existing(conversation) => Ok(Some(Imported {
            report: conversation.report.clone(),
            conversation: Some(*conversation),
            preview: None,
            created: false,
            jobs: Vec::new(),
            cursor,
        })),
        Inserted::ExternalIdTaken(conversation) => {
            let message = format!(
                "the externalId names the conversation “{}”, whose content is another; choose another externalId or delete that one first",
                conversation.title
            );
            Err(Error::Conflict(Problem::new("EXTERNAL_ID_TAKEN", message).at("externalId")))
        }
    }
}

pub(crate) type Parsed = (Bytes, ContentHash, Result<Transcript, Problem>);

pub(crate) async fn parse_off_thread(
    bytes: Bytes,
    format: Option<Format>,
    rules: ImportRules,
) -> Result<Parsed> {
    let limits =
        Limits { max_bytes: rules.max_bytes, max_line_bytes: rules.max_line_bytes, max_cues: rules.max_cues };
    let parse = move || {
        let parsed = transcripts::parse(&bytes, format, &limits);
        let hash = ContentHash::of(&bytes);
        (bytes, hash, parsed)
    };
    spawn_blocking(parse).await.map_err(|error| Error::internal("parse a transcript", error))
}

fn with_rows(
    ports: &Ports,
    conversation: Conversation,
    transcript: Transcript,
    tags: Vec<Tag>,
) -> NewConversation {
    let (participants, segments) = rows(ports, conversation.id, transcript);
    NewConversation { conversation, participants, segments, tags }
}

pub(crate) fn rows(
    ports: &Ports,
    conversation_id: ConversationId,
    transcript: Transcript,
) -> (Vec<Participant>, Vec<Segment>) {
    let participants: Vec<Participant> = (0..)
        .zip(&transcript.report.speakers)
        .map(|(ordinal, label)| Participant {
            id: ParticipantId(ports.ids.next()),
            conversation_id,
            label: label.clone(),
            ordinal,
            person_id: None,
        })
        .collect();
    let segments = (0..)
        .zip(transcript.turns)
        .map(|(sequence, turn)| Segment {
            id: SegmentId(ports.ids.next()),
            conversation_id,
            sequence,
            participant_id: turn.speaker.and_then(|index| participants.get(index)).map(|found| found.id),
            text: turn.text,
            start_ms: turn.start_ms,
            end_ms: turn.end_ms,
        })
        .collect();
    (participants, segments)
}

pub(crate) fn new_tag(ports: &Ports, organization_id: OrganizationId, name: String) -> Tag {
    let id: Uuid = ports.ids.next();
    Tag { id: TagId(id), organization_id, name }
}

pub(crate) fn check_title(title: Option<&str>) -> Result<String> {
    let title = title.map(str::trim).filter(|title| !title.is_empty());
    let title = title.unwrap_or(UNTITLED);
    if title.chars().count() > MAX_TITLE_CHARS || title.chars().any(char::is_control) {
        let message = format!("a title has at most {MAX_TITLE_CHARS} characters and no line breaks");
        return Err(Error::invalid("title", "INVALID_TITLE", message));
    }
    Ok(title.to_owned())
}

/// Trimmed and without repeats (compared without case).
pub(crate) fn check_tags(tags: &[String]) -> Result<Vec<String>> {
    if tags.len() > MAX_TAGS {
        let message = format!("{} tags were given, at most {MAX_TAGS} are allowed at once", tags.len());
        return Err(Error::invalid("tags", "TOO_MANY_TAGS", message));
    }
    let mut checked: Vec<String> = Vec::new();
    for tag in tags {
        let tag = tag.trim();
        let chars = tag.chars().count();
        if chars == 0 || chars > MAX_TAG_CHARS || tag.chars().any(char::is_control) {
            let message = format!("a tag has 1 to {MAX_TAG_CHARS} characters and no line breaks: {tag:?}");
            return Err(Error::invalid("tags", "INVALID_TAG", message));
        }
        if !checked.iter().any(|known| known.to_lowercase() == tag.to_lowercase()) {
            checked.push(tag.to_owned());
        }
    }
    Ok(checked)
}

/// What the source calls itself, or else its file's name.
fn own_title(transcript: &Transcript, file_name: Option<&str>) -> String {
    let named = [transcript.title.as_deref(), file_name.map(stem)];
    let title = named.into_iter().flatten().map(str::trim).find(|title| !title.is_empty());
    let title: String =
        title.unwrap_or_default().chars().filter(|c| !c.is_control()).take(MAX_TITLE_CHARS).collect();
    check_title(Some(&title)).unwrap_or_else(|_too_odd| UNTITLED.to_owned())
}

fn check_external_id(id: Option<&str>) -> Result<Option<String>> {
    let Some(id) = id else { return Ok(None) };
    if id.is_empty() || id.len() > MAX_EXTERNAL_ID_BYTES || id.chars().any(char::is_control) {
        let message =
            format!("an externalId has 1 to {MAX_EXTERNAL_ID_BYTES} bytes and no control characters");
        return Err(Error::invalid("externalId", "INVALID_EXTERNAL_ID", message));
    }
    Ok(Some(id.to_owned()))
}

/// The last part of a path, as browsers and shells give it, cut to what a row holds.
pub(crate) fn clean_file_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let mut end = name.len().min(MAX_FILE_NAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].to_owned()
}

fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_comes_from_the_file_where_none_is_given() {
        let from = |name: &str| check_title(Some(stem(&clean_file_name(name)))).unwrap();
        assert_eq!(from("C:\\talks\\Weekly sync.vtt"), "Weekly sync");
        assert_eq!(from("../../etc/.hidden"), ".hidden");
        assert_eq!(from(""), "Untitled conversation");
        assert_eq!(clean_file_name(&"ä".repeat(200)).len(), 254);
    }

    #[test]
    fn tags_are_trimmed_and_said_once() {
        let tags = |list: &[&str]| check_tags(&list.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>());
        assert_eq!(tags(&[" Pay ", "pay", "hiring"]).unwrap(), ["Pay", "hiring"]);
        assert_eq!(tags(&["ok", " "]).unwrap_err().code(), "INVALID_TAG");
        assert_eq!(tags(&["x"; 51]).unwrap_err().code(), "TOO_MANY_TAGS");
    }
}
