//! GraphQL types, one area a file. Docs here speak to the API's users.

pub(crate) mod accounts;
pub(crate) mod analysis;
pub(crate) mod archive_import;
pub(crate) mod audit;
pub(crate) mod batch;
pub(crate) mod conversation;
pub(crate) mod erasure;
pub(crate) mod export;
pub(crate) mod facets;
pub(crate) mod import;
pub(crate) mod job;
pub(crate) mod node;
pub(crate) mod person;
pub(crate) mod ranking;
pub(crate) mod revision;
pub(crate) mod saved_search;
pub(crate) mod schedule;
pub(crate) mod search;
pub(crate) mod segment;
pub(crate) mod spelling;
pub(crate) mod suggestions;

use async_graphql::Enum;
use colloquy_domain::{
    accounts::Role as DomainRole,
    analysis::InsightKind as DomainInsightKind,
    audit::AuditOutcome as DomainAuditOutcome,
    conversations::ConversationKind as DomainConversationKind,
    erasure::{ErasureKind as DomainErasureKind, ErasureState as DomainErasureState},
    events::Stage as DomainStage,
    jobs::{JobState as DomainJobState, Queue as DomainQueue},
    search::query::SearchMode as DomainSearchMode,
    time::Millis,
    transcripts::report::{
        Format as DomainFormat, NoteAction as DomainNoteAction, SpeakerSource as DomainSpeakerSource,
    },
};

/// What a member may do, each role all that the one before may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainRole")]
pub(crate) enum Role {
    /// Reads and searches.
    Viewer,
    /// Also imports, edits, tags and deletes conversations.
    Member,
    /// Also sees to members, keys, jobs and queues.
    Admin,
    /// Also makes and unmakes owners and administrators.
    Owner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainConversationKind")]
pub(crate) enum ConversationKind {
    Coaching,
    Interview,
    Advice,
    Meeting,
}

/// A step on the way from an imported transcript to one that is found and analysed. INDEXED, EMBEDDED and
/// ANALYZED come in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainStage")]
pub(crate) enum Stage {
    Imported,
    /// Found by word.
    Indexed,
    /// Found by meaning; reached at once where the server has no embedding model.
    Embedded,
    Analyzed,
    /// A job died: the stage that it stood for does not come by itself.
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainJobState")]
pub(crate) enum JobState {
    /// Waits for other jobs to be done.
    Waiting,
    /// Waits for its time, then for a worker.
    Ready,
    Running,
    Done,
    /// Out of attempts or beyond help; kept for inspection.
    Dead,
    Cancelled,
}

/// What became of what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainAuditOutcome")]
pub(crate) enum AuditOutcome {
    Done,
    /// It was not allowed or not understood; nothing has changed.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainErasureKind")]
pub(crate) enum ErasureKind {
    Person,
    Conversation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainErasureState")]
pub(crate) enum ErasureState {
    /// Conversations are redacted, one after another.
    Erasing,
    /// All is done, and is looked through again, for the last time when every job has ended that ran meanwhile.
    Sweeping,
    Done,
}

/// Where jobs wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainQueue", name = "QueueName")]
pub(crate) enum Queue {
    Ingest,
    Index,
    Embed,
    Analyze,
    Mail,
    Batch,
    Default,
}

/// TEXT finds words, SEMANTIC meaning, HYBRID both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainSearchMode")]
pub(crate) enum SearchMode {
    Text,
    Semantic,
    Hybrid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainInsightKind")]
pub(crate) enum InsightKind {
    Summary,
    Decision,
    ActionItem,
    Risk,
    Question,
    KeyPhrase,
    Sentiment,
}

/// The format that a transcript was read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainFormat")]
pub(crate) enum TranscriptFormat {
    WebVtt,
    Srt,
    /// `Name: text` lines, also as Markdown `**Name:** text` and with a time before the name.
    NamedLines,
    /// What the export of a conversation writes as JSON.
    ColloquyJson,
    /// WebVTT of Microsoft Teams, whose cues may stand out of order.
    TeamsVtt,
    /// The Word document of Microsoft Teams.
    TeamsDocx,
    /// WebVTT of Zoom, with `Name: text` in the cues.
    ZoomVtt,
    /// Captions that Zoom saves as text, by the clock on the wall.
    ZoomText,
    /// The document that Google Meet writes.
    MeetText,
    /// Transcript entries of Google Meet's REST interface.
    MeetJson,
    OtterText,
    RevText,
    FirefliesJson,
    WhisperJson,
    WhisperTsv,
    WhisperCppJson,
    WhisperXJson,
    AssemblyAiJson,
    DeepgramJson,
    AmazonTranscribeJson,
    /// Praat's TextGrid.
    TextGrid,
    /// Comma- or tab-separated values with a header.
    Table,
}

/// How the speakers of a source were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainSpeakerSource")]
pub(crate) enum SpeakerSource {
    /// By the voice tags of WebVTT.
    VoiceTags,
    /// By a label such as `Name:` before what is said.
    Labels,
    /// By a line of its own before what is said.
    Headings,
    /// By a field of the data or a column of the table.
    Fields,
    /// By the channel of the recording.
    Channels,
    /// By the tier of the annotation.
    Tiers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainNoteAction")]
pub(crate) enum NoteAction {
    /// The cue is not in the transcript.
    Dropped,
    /// The cue continues the segment before it.
    Merged,
    /// Kept, but something about it is odd.
    Warning,
    /// No speech: a heading, a footer, a comment.
    Aside,
}

/// Milliseconds as GraphQL's `Int` holds them: up to 24 days.
pub(crate) fn ms(time: Option<Millis>) -> Option<i32> {
    time.map(|time| int(time.0))
}

/// A count as GraphQL's `Int` holds it.
pub(crate) fn int(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
