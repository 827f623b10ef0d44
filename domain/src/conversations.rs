//! What a conversation is: who took part, what was said, and the revisions of that. Use cases stand in the
//! files below; stores keep these types as they are.

pub mod delete;
pub mod detect;
pub mod export;
pub mod import;
pub mod objects;
pub mod progress;
pub mod reimport;
pub mod revise;
pub mod revisions;
pub mod update;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ConversationId, OrganizationId, ParticipantId, PersonId, SegmentId, TagId, UserId},
    language::Language,
    time::{Millis, Timestamp},
    transcripts::report::ImportReport,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConversationKind {
    Coaching,
    Interview,
    Advice,
    Meeting,
}

impl ConversationKind {
    pub const ALL: [Self; 4] = [Self::Coaching, Self::Interview, Self::Advice, Self::Meeting];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Coaching => "COACHING",
            Self::Interview => "INTERVIEW",
            Self::Advice => "ADVICE",
            Self::Meeting => "MEETING",
        }
    }
}

/// A revision's number within its conversation, from 1.
pub type RevisionNumber = i32;

#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    pub id: ConversationId,
    pub organization_id: OrganizationId,
    pub kind: ConversationKind,
    pub title: String,
    /// When the talk took place, where the importer said so.
    pub occurred_at: Option<Timestamp>,
    /// The caller's own key for it, unique in the organization.
    pub external_id: Option<String>,
    /// Name of the file it came from.
    pub file_name: Option<String>,
    pub content_hash: ContentHash,
    /// Where the original bytes stand in the object store.
    pub object_key: String,
    pub revision: RevisionNumber,
    /// What is spoken: as it was set, or else as the text tells; `None` where that is not known.
    pub language: Option<Language>,
    pub report: ImportReport,
    pub created_by: Option<UserId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// BLAKE3 of the original bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

/// A speaker label of one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    pub id: ParticipantId,
    pub conversation_id: ConversationId,
    /// As the source has it.
    pub label: String,
    /// From 0, in the order of first speaking.
    pub ordinal: i32,
    /// Who that is, where somebody has said so.
    pub person_id: Option<PersonId>,
}

/// One turn or cue of the current revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub id: SegmentId,
    pub conversation_id: ConversationId,
    /// Place in the talk, from 0, without gaps.
    pub sequence: i32,
    pub participant_id: Option<ParticipantId>,
    pub text: String,
    /// Where the source has them; never invented.
    pub start_ms: Option<Millis>,
    pub end_ms: Option<Millis>,
}

/// A segment with who speaks, where the source says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpokenSegment {
    pub segment: Segment,
    pub participant: Option<Participant>,
}

/// A whole transcript at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Talk {
    pub conversation_id: ConversationId,
    pub revision: RevisionNumber,
    pub participants: Vec<Participant>,
    /// By sequence.
    pub segments: Vec<Segment>,
}

impl Talk {
    pub fn participant(&self, id: ParticipantId) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.id == id)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    pub id: TagId,
    pub organization_id: OrganizationId,
    pub name: String,
}

/// What the operator allows an import to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImportRules {
    pub max_bytes: usize,
    pub max_line_bytes: usize,
    pub max_cues: usize,
}

impl Default for ImportRules {
    fn default() -> Self {
        Self { max_bytes: 32 * 1024 * 1024, max_line_bytes: 1024 * 1024, max_cues: 200_000 }
    }
}
