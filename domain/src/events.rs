//! What happened, as subscribers and webhooks see it. A write port inserts events in its own transaction;
//! whoever leads numbers the committed ones into dense positions, and readers read positions only. An event
//! holds ids, never text.

pub mod feed;

use crate::{
    Problem,
    batches::progress::Progress,
    conversations::RevisionNumber,
    ids::{AnalysisId, BatchId, ConversationId, JobId, LogId, OrganizationId, SavedSearchId, SearchMatchId},
    jobs::{JobKind, JobState},
    time::Timestamp,
};

/// A step on the way from an imported transcript to one that is found and analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    Imported,
    Indexed,
    Embedded,
    Analyzed,
    /// A job of it is dead; the stage it stood for does not come by itself.
    Failed,
}

impl Stage {
    pub const ALL: [Self; 5] = [Self::Imported, Self::Indexed, Self::Embedded, Self::Analyzed, Self::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Imported => "IMPORTED",
            Self::Indexed => "INDEXED",
            Self::Embedded => "EMBEDDED",
            Self::Analyzed => "ANALYZED",
            Self::Failed => "FAILED",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// A conversation's revision reached a stage.
    Progress {
        conversation_id: ConversationId,
        revision: RevisionNumber,
        stage: Stage,
        /// The job that died, for [`Stage::Failed`].
        job_id: Option<JobId>,
        /// What was made, for [`Stage::Analyzed`].
        analysis_id: Option<AnalysisId>,
    },
    ConversationUpdated {
        conversation_id: ConversationId,
    },
    ConversationDeleted {
        conversation_id: ConversationId,
    },
    JobChanged {
        job_id: JobId,
        kind: JobKind,
        state: JobState,
        conversation_id: Option<ConversationId>,
    },
    /// How far a batch has come; about once a second while it moves.
    BatchChanged {
        batch_id: BatchId,
        progress: Progress,
    },
    /// A passage came that a saved search looks for.
    SearchMatched {
        saved_search_id: SavedSearchId,
        match_id: SearchMatchId,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    pub organization_id: OrganizationId,
    pub kind: EventKind,
}

impl NewEvent {
    pub fn progress(
        organization_id: OrganizationId,
        conversation_id: ConversationId,
        revision: RevisionNumber,
        stage: Stage,
    ) -> Self {
        let kind = EventKind::Progress { conversation_id, revision, stage, job_id: None, analysis_id: None };
        Self { organization_id, kind }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub position: u64,
    pub organization_id: OrganizationId,
    pub kind: EventKind,
    pub at: Timestamp,
}

/// What a subscriber listens to, within one organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Everything about one conversation.
    Conversation(ConversationId),
    /// Every conversation.
    Conversations,
    Job(JobId),
    Jobs,
    Batch(BatchId),
    SavedSearch(SavedSearchId),
}

impl Topic {
    pub fn covers(self, kind: &EventKind) -> bool {
        match (self, kind) {
            (Self::Conversation(wanted), EventKind::Progress { conversation_id, .. })
            | (Self::Conversation(wanted), EventKind::ConversationUpdated { conversation_id })
            | (Self::Conversation(wanted), EventKind::ConversationDeleted { conversation_id }) => {
                wanted == *conversation_id
            }
            (
                Self::Conversations,
                EventKind::Progress { .. }
                | EventKind::ConversationUpdated { .. }
                | EventKind::ConversationDeleted { .. },
            ) => true,
            (Self::Job(wanted), EventKind::JobChanged { job_id, .. }) => wanted == *job_id,
            (Self::Jobs, EventKind::JobChanged { .. }) => true,
            (Self::Batch(wanted), EventKind::BatchChanged { batch_id, .. }) => wanted == *batch_id,
            (Self::SavedSearch(wanted), EventKind::SearchMatched { saved_search_id, .. }) => {
                wanted == *saved_search_id
            }
            (
                Self::Conversation(_)
                | Self::Conversations
                | Self::Job(_)
                | Self::Jobs
                | Self::Batch(_)
                | Self::SavedSearch(_),
                _,
            ) => false,
        }
    }
}

/// A place in one life of the event log: everything up to and with `position` has been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition {
    pub log_id: LogId,
    pub position: u64,
}

/// The stretch of the log that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBounds {
    pub log_id: LogId,
    /// Events with positions above this one are kept.
    pub trimmed: u64,
    pub head: u64,
}

impl LogBounds {
    pub fn position(&self) -> LogPosition {
        LogPosition { log_id: self.log_id, position: self.head }
    }

    /// Refuses a cursor from which a gap-free replay is not possible.
    pub fn resume_from(&self, cursor: LogPosition) -> Result<u64, Problem> {
        if cursor.log_id == self.log_id && (self.trimmed..=self.head).contains(&cursor.position) {
            return Ok(cursor.position);
        }
        Err(expired())
    }
}

pub fn expired() -> Problem {
    Problem::new(
        "CURSOR_EXPIRED",
        "the events after this cursor are no longer kept; subscribe without `after` to begin from the current state",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_cursor_of_another_life_or_beyond_what_is_kept_has_expired() {
        let bounds = LogBounds { log_id: LogId(Uuid::from_u128(1)), trimmed: 10, head: 20 };
        let at = |log, position| LogPosition { log_id: LogId(Uuid::from_u128(log)), position };
        assert_eq!(bounds.resume_from(at(1, 10)), Ok(10));
        assert_eq!(bounds.resume_from(at(1, 20)), Ok(20));
        for gone in [at(1, 9), at(1, 21), at(2, 15)] {
            assert_eq!(bounds.resume_from(gone).unwrap_err().code, "CURSOR_EXPIRED");
        }
    }
}
