//! Conversations with their participants, segments, tags and progress.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    Result,
    accounts::{SystemScope, Tenant},
    audit::NewAuditEntry,
    conversations::{
        ContentHash, Conversation, ConversationKind, Participant, RevisionNumber, Segment, SpokenSegment,
        Tag, Talk,
    },
    erasure::NewErasure,
    events::Stage,
    ids::{ConversationId, JobId, OrganizationId, ParticipantId, PersonId, SegmentId},
    jobs::Claim,
    language::Language,
    passages::Passage,
    ports::{jobs::Follow, store::PageBy},
    time::Timestamp,
    transcripts::report::ImportReport,
};

#[derive(Debug, Clone)]
pub struct NewConversation {
    pub conversation: Conversation,
    pub participants: Vec<Participant>,
    pub segments: Vec<Segment>,
    pub tags: Vec<Tag>,
}

/// Another transcript of a conversation that stands, read from its bytes again.
#[derive(Debug, Clone)]
pub struct NewRevision {
    pub conversation_id: ConversationId,
    /// One more than the current one.
    pub number: RevisionNumber,
    pub report: ImportReport,
    /// Those that the conversation does not have yet.
    pub participants: Vec<Participant>,
    /// All of them.
    pub segments: Vec<Segment>,
    /// Those of them that are as they were.
    pub kept: Vec<SegmentId>,
    /// What they are cut into.
    pub passages: Vec<Passage>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Inserted {
    New,
    /// The same bytes, or the same external id with the same bytes, stand there already.
    Existing(Box<Conversation>),
    /// The external id names a conversation of other bytes.
    ExternalIdTaken(Box<Conversation>),
}

/// `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct ConversationPatch {
    pub title: Option<String>,
    pub kind: Option<ConversationKind>,
    /// `Some(None)` clears it.
    pub occurred_at: Option<Option<Timestamp>>,
    pub language: Option<SpokenIn>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpokenIn {
    /// Stays when the text is read again; `None` leaves it to the text from then on.
    Set(Option<Language>),
    /// Where none is known yet.
    Detected(Language),
}

/// Serialised with the batches that it was given for. A release that does not know a field of it cannot read it, and does not
/// take it for a wider one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConversationFilter {
    /// Only these; `None` leaves none out.
    pub ids: Option<Vec<ConversationId>>,
    pub kinds: Vec<ConversationKind>,
    /// Names, compared without case; any of them.
    pub tags: Vec<String>,
    pub occurred_from: Option<Timestamp>,
    pub occurred_before: Option<Timestamp>,
    pub created_from: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    /// Part of the title, without case.
    pub title_contains: Option<String>,
    /// Any of them speaks in the current revision.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub person_ids: Vec<PersonId>,
}

impl ConversationFilter {
    /// Whether it leaves nothing out.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// Since when a revision has been at which stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub conversation_id: ConversationId,
    pub revision: RevisionNumber,
    pub reached: Vec<(Stage, Timestamp)>,
    /// The job that died, where FAILED was reached.
    pub failed_job: Option<JobId>,
}

#[async_trait]
pub trait ConversationStore: Send + Sync {
    async fn insert(&self, tenant: Tenant, new: NewConversation, follow: Follow) -> Result<Inserted>;

    /// The conversation with these bytes or this external id, as [`Inserted`] tells it.
    async fn find_same(
        &self,
        tenant: Tenant,
        hash: ContentHash,
        external_id: Option<&str>,
    ) -> Result<Inserted>;

    /// Those of the tenant among `ids`, in any order.
    async fn find(&self, tenant: Tenant, ids: &[ConversationId]) -> Result<Vec<Conversation>>;

    /// Newest import first.
    async fn list(
        &self,
        tenant: Tenant,
        filter: &ConversationFilter,
        page: PageBy<ConversationId>,
    ) -> Result<Vec<Conversation>>;

    async fn count(&self, tenant: Tenant, filter: &ConversationFilter) -> Result<u64>;

    /// Bumps the version that search goes by. `None` where there is no such conversation.
    async fn update(
        &self,
        tenant: Tenant,
        id: ConversationId,
        patch: ConversationPatch,
        follow: Follow,
    ) -> Result<Option<Conversation>>;

    /// Adds and removes tags by name, making those that are new; bumps the version.
    async fn set_tags(
        &self,
        tenant: Tenant,
        id: ConversationId,
        add: &[Tag],
        remove: &[String],
        follow: Follow,
    ) -> Result<Option<Conversation>>;

    /// Deletes the conversation with all that hangs on it; the object is the caller's. Returns what it was. With a
    /// filter it is left where it does not fit any more. What its jobs had to say of errors goes too, and vectors and
    /// tags that nothing else has; the erasure says how much.
    async fn delete(
        &self,
        tenant: Tenant,
        id: ConversationId,
        only: Option<&ConversationFilter>,
        erasure: NewErasure,
        follow: Follow,
        audit: Option<NewAuditEntry>,
    ) -> Result<Option<Conversation>>;

    /// Makes it the current revision, under the claim, which it completes. A revision that is not the next one
    /// any more is a CONFLICT, and a claim that is lost too; then nothing is written.
    async fn revise(&self, tenant: Tenant, claim: Claim, new: NewRevision, follow: Follow) -> Result<()>;

    async fn tags(&self, tenant: Tenant, ids: &[ConversationId]) -> Result<Vec<(ConversationId, Tag)>>;

    /// Tags of the tenant by name, whatever its case, with how many conversations bear each; those that come after
    /// the name `after`.
    async fn list_tags(&self, tenant: Tenant, after: Option<&str>, limit: usize) -> Result<Vec<(Tag, u64)>>;

    /// Who speaks in the current revision, by ordinal.
    async fn participants(&self, tenant: Tenant, ids: &[ConversationId]) -> Result<Vec<Participant>>;

    /// Who speaks in any revision, by ordinal: a label keeps its participant.
    async fn known_participants(&self, tenant: Tenant, id: ConversationId) -> Result<Vec<Participant>>;

    async fn find_participants(&self, tenant: Tenant, ids: &[ParticipantId]) -> Result<Vec<Participant>>;

    /// Of the current revision, by sequence; the page's keys are sequence numbers.
    async fn segments(
        &self,
        tenant: Tenant,
        id: ConversationId,
        page: PageBy<i32>,
    ) -> Result<Vec<SpokenSegment>>;

    /// Of the current revision: the runs of segments from `first` to `last` sequence number, both inclusive,
    /// in the order asked, in one round trip.
    async fn segment_runs(
        &self,
        tenant: Tenant,
        runs: &[(ConversationId, i32, i32)],
    ) -> Result<Vec<Vec<SpokenSegment>>>;

    /// Those of the tenant among `ids`, in any order; one that was taken out, as it was last.
    async fn find_segments(&self, tenant: Tenant, ids: &[SegmentId]) -> Result<Vec<SpokenSegment>>;

    async fn count_segments(
        &self,
        tenant: Tenant,
        ids: &[ConversationId],
    ) -> Result<Vec<(ConversationId, u64)>>;

    /// The whole current transcript.
    async fn find_talk(&self, tenant: Tenant, id: ConversationId) -> Result<Option<Talk>>;

    /// Of the current revisions.
    async fn progress(&self, tenant: Tenant, ids: &[ConversationId]) -> Result<Vec<Progress>>;

    /// Every conversation, in the order of ids, for rebuilds.
    async fn scan(
        &self,
        scope: SystemScope,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<(OrganizationId, ConversationId)>>;

    /// Those of `keys` that a conversation refers to.
    async fn known_objects(&self, scope: SystemScope, keys: &[String]) -> Result<Vec<String>>;

    /// Those of `keys` that a conversation refers to from which somebody was erased since: they are to be gone.
    async fn erased_objects(&self, scope: SystemScope, keys: &[String]) -> Result<Vec<String>>;
}
