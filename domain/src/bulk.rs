//! Many transcripts in one archive. The archive is kept as an object until a job has imported each of its files as a
//! conversation of its own; what became of each is written beside it. One that is bad stops no other, and what stands
//! there already is not made again, so that a second run brings only what is new.

pub mod cancel;
pub mod start;
pub mod unpack;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    Problem, Result,
    accounts::SystemScope,
    archives::ArchiveLimits,
    conversations::{ConversationKind, ImportRules},
    ids::{ArchiveImportId, ConversationId, JobId, OrganizationId, UserId},
    ports::Ports,
    time::Timestamp,
    transcripts::report::{Format, ImportReport},
};

/// Archives of one organization that are under way: each holds room in the object store.
pub const MAX_ACTIVE: usize = 20;
/// Days that is kept what became of an archive.
const KEEP_DAYS: i64 = 30;
const PRUNED: usize = 1000;

/// Forgets what is long past; how many at most a page of them.
pub async fn prune(ports: &Ports, scope: SystemScope) -> Result<usize> {
    let before = ports.clock.now() - TimeDelta::days(KEEP_DAYS);
    ports.archives.prune(scope, before, PRUNED).await
}

/// What holds for every file of the archive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BulkOptions {
    pub kind: ConversationKind,
    pub tags: Vec<String>,
    pub occurred_at: Option<Timestamp>,
    /// `None` detects it by content.
    pub format: Option<Format>,
    /// Reports, and makes no conversation.
    pub dry_run: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ArchiveImport {
    pub id: ArchiveImportId,
    pub organization_id: OrganizationId,
    pub file_name: Option<String>,
    pub object_key: String,
    pub options: BulkOptions,
    pub job_id: JobId,
    pub state: ArchiveState,
    /// Entries, folders included, where the archive has a directory.
    pub entry_count: Option<u32>,
    pub counts: EntryCounts,
    /// Why the rest of the archive was not read.
    pub problem: Option<EntryProblem>,
    pub created_by: Option<UserId>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveState {
    Queued,
    Running,
    Done,
    /// The rest cannot be read, or the job died.
    Failed,
    Cancelled,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryOutcome {
    Created,
    /// The same bytes stood there already.
    Existing,
    /// After a dry run.
    WouldImport,
    Failed,
    PassedOver,
}

impl EntryOutcome {
    pub const ALL: [Self; 5] =
        [Self::Created, Self::Existing, Self::WouldImport, Self::Failed, Self::PassedOver];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Existing => "EXISTING",
            Self::WouldImport => "WOULD_IMPORT",
            Self::Failed => "FAILED",
            Self::PassedOver => "PASSED_OVER",
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EntryCounts {
    pub created: u32,
    pub existing: u32,
    pub would_import: u32,
    pub failed: u32,
    pub passed_over: u32,
}

/// A [`Problem`] as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryProblem {
    pub code: String,
    pub message: String,
    pub line: Option<u32>,
}

impl From<Problem> for EntryProblem {
    fn from(problem: Problem) -> Self {
        let Problem { code, message, line, .. } = problem;
        Self { code: code.to_owned(), message, line }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ImportedEntry {
    /// Its number in the archive, from 0.
    pub place: u32,
    /// `None` once its conversation has been deleted: a name may name people.
    pub name: Option<String>,
    pub outcome: EntryOutcome,
    /// Bytes that were unpacked for it.
    pub unpacked: u64,
    pub conversation_id: Option<ConversationId>,
    /// Of a dry run; otherwise the conversation has it.
    pub report: Option<ImportReport>,
    pub problem: Option<EntryProblem>,
}

fn limits(rules: &ImportRules) -> ArchiveLimits {
    ArchiveLimits {
        max_entries: rules.max_archive_entries,
        max_entry_bytes: rules.max_bytes as u64,
        max_unpacked_bytes: rules.max_unpacked_bytes,
        max_ratio: rules.max_compression_ratio,
    }
}
