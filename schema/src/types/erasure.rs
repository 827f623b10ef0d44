//! Erasures: what was taken out of every store, and what was removed.

use async_graphql::{
    ID, Object, SimpleObject,
    connection::{Connection, EmptyFields, OpaqueCursor},
};
use colloquy_domain::{
    erasure::{self, Removed},
    ids::{ConversationId, PersonId},
    time::Timestamp,
};
use uuid::Uuid;

use super::{ErasureKind, ErasureState, int};
use crate::global_id;

/// A person or a conversation that was erased. It holds ids and numbers alone.
pub(crate) struct Erasure(pub(crate) erasure::Erasure);

pub(crate) type ErasureConnection = Connection<OpaqueCursor<Uuid>, Erasure, EmptyFields, EmptyFields>;

#[Object]
impl Erasure {
    async fn id(&self) -> ID {
        global_id::encode(self.0.id)
    }

    async fn kind(&self) -> ErasureKind {
        self.0.kind.into()
    }

    /// The id that the person or the conversation had.
    async fn subject_id(&self) -> ID {
        match self.0.kind {
            erasure::ErasureKind::Person => global_id::encode(PersonId(self.0.subject_id)),
            erasure::ErasureKind::Conversation => global_id::encode(ConversationId(self.0.subject_id)),
        }
    }

    async fn state(&self) -> ErasureState {
        self.0.state.into()
    }

    /// Who asked for it; null for what a batch deleted, and what was erased again since a restored database had it back.
    async fn requested_by_id(&self) -> Option<ID> {
        self.0.actor_id.map(global_id::encode)
    }

    async fn report(&self) -> ErasureReport {
        self.0.removed.into()
    }

    /// How often all stores were looked through again. The second time, when every job has ended that ran when the last
    /// conversation was redacted, is the last.
    async fn sweeps(&self) -> i32 {
        int(self.0.sweeps.into())
    }

    async fn last_sweep_at(&self) -> Option<Timestamp> {
        self.0.last_sweep_at
    }

    async fn requested_at(&self) -> Timestamp {
        self.0.requested_at
    }

    /// When the last sweep had ended.
    async fn finished_at(&self) -> Option<Timestamp> {
        self.0.finished_at
    }
}

/// What was removed so far, in numbers.
#[derive(SimpleObject)]
pub(crate) struct ErasureReport {
    /// Redacted, or deleted; with their original bytes and exports.
    conversations: i32,
    /// Segments that the person spoke, once for each state that they have had.
    segments: i32,
    /// Labels of participants, in every revision.
    labels: i32,
    /// Other texts that named the person: what others said, titles, names of files, reasons of revisions, reports.
    texts: i32,
    /// Cut anew where the conversation stands.
    passages: i32,
    vectors: i32,
    analyses: i32,
    /// Of saved searches.
    matches: i32,
    tags: i32,
    /// Jobs whose errors named the person, or were of the conversation.
    jobs: i32,
    /// Jobs that ran on the text of before, and begin again.
    restarted_jobs: i32,
    /// Saved searches, synonyms, schedules and batches that named the person.
    settings: i32,
    /// What a sweep found once more.
    came_back: i32,
}

impl From<Removed> for ErasureReport {
    fn from(removed: Removed) -> Self {
        Self {
            conversations: int(removed.conversations),
            segments: int(removed.segments),
            labels: int(removed.labels),
            texts: int(removed.texts),
            passages: int(removed.passages),
            vectors: int(removed.vectors),
            analyses: int(removed.analyses),
            matches: int(removed.matches),
            tags: int(removed.tags),
            jobs: int(removed.jobs),
            restarted_jobs: int(removed.restarted),
            settings: int(removed.settings),
            came_back: int(removed.came_back),
        }
    }
}
