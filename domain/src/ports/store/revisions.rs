//! What conversations were: their revisions, and the state at each.

use async_trait::async_trait;

use crate::{
    Result,
    accounts::Tenant,
    audit::NewAuditEntry,
    conversations::{
        Participant, RevisionNumber, Segment, SpokenSegment, Talk,
        revisions::{ChangePlace, Revision, RevisionKind, SegmentChange},
    },
    ids::{ConversationId, ParticipantId, PersonId, SegmentId, UserId},
    passages::Passage,
    ports::{jobs::Follow, store::PageBy},
    time::Timestamp,
};

/// A revision by hand: only what it changes.
#[derive(Debug, Clone)]
pub struct NewEdit {
    pub conversation_id: ConversationId,
    /// One more than the current one.
    pub number: RevisionNumber,
    pub kind: RevisionKind,
    pub reason: Option<String>,
    pub author_id: Option<UserId>,
    pub reverted_to: Option<RevisionNumber>,
    pub created_at: Timestamp,
    /// Segments whose present state ends.
    pub ended: Vec<SegmentId>,
    /// States that begin; of those that ended and of others.
    pub segments: Vec<Segment>,
    /// How many characters there are more, or fewer.
    pub characters: i64,
    /// Those that the conversation does not have yet.
    pub added: Vec<Participant>,
    /// Those that have another label, or are another person.
    pub changed: Vec<Participant>,
    pub memory: Option<Memory>,
    /// What the transcript is cut into then; `None` where the passages that stand are those of this revision, too.
    pub passages: Option<Vec<Passage>>,
}

/// Who a label is taken for, as the organization remembers it; the label as names are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Memory {
    Keep {
        key: String,
        person_id: PersonId,
    },
    /// Where it is this one.
    Drop {
        key: String,
        person_id: PersonId,
    },
}

#[async_trait]
pub trait RevisionStore: Send + Sync {
    /// Makes it the current revision. Where `number` is not the next one any more nothing is written, and it is a CONFLICT
    /// (`REVISION_CONFLICT`); a conversation or a person who is not there is NOT_FOUND.
    async fn write(
        &self,
        tenant: Tenant,
        edit: &NewEdit,
        follow: Follow,
        audit: Option<NewAuditEntry>,
    ) -> Result<()>;

    /// Newest first.
    async fn list(
        &self,
        tenant: Tenant,
        id: ConversationId,
        page: PageBy<RevisionNumber>,
    ) -> Result<Vec<Revision>>;

    async fn find(
        &self,
        tenant: Tenant,
        id: ConversationId,
        number: RevisionNumber,
    ) -> Result<Option<Revision>>;

    /// Whether the current transcript has changes by hand since it was read from its bytes.
    async fn is_edited(&self, tenant: Tenant, id: ConversationId) -> Result<bool>;

    /// The whole transcript of that revision, current or not.
    async fn talk(&self, tenant: Tenant, id: ConversationId, number: RevisionNumber) -> Result<Option<Talk>>;

    /// Who speaks in that revision, by ordinal.
    async fn participants(
        &self,
        tenant: Tenant,
        id: ConversationId,
        number: RevisionNumber,
    ) -> Result<Vec<Participant>>;

    /// Of that revision, by sequence; the page's keys are sequence numbers.
    async fn segments(
        &self,
        tenant: Tenant,
        id: ConversationId,
        number: RevisionNumber,
        page: PageBy<i32>,
    ) -> Result<Vec<SpokenSegment>>;

    /// As they were in a revision; those that did not stand in it are left out.
    async fn find_segments(
        &self,
        tenant: Tenant,
        ids: &[(SegmentId, RevisionNumber)],
    ) -> Result<Vec<((SegmentId, RevisionNumber), SpokenSegment)>>;

    /// As they were in a revision.
    async fn find_participants(
        &self,
        tenant: Tenant,
        ids: &[(ParticipantId, RevisionNumber)],
    ) -> Result<Vec<((ParticipantId, RevisionNumber), Participant)>>;

    /// What differs between two revisions, in the order of [`ChangePlace`].
    async fn compare(
        &self,
        tenant: Tenant,
        id: ConversationId,
        from: RevisionNumber,
        to: RevisionNumber,
        after: Option<ChangePlace>,
        limit: usize,
    ) -> Result<Vec<SegmentChange>>;
}
