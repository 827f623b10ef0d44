//! Units of background work. The ledger in PostgreSQL is the truth about them; dispatch is a hint. The rules
//! of a job's life are in [`state`], those of trying again in [`retry`], and what is set of kinds in [`rules`].

pub mod limits;
pub mod manage;
pub mod retry;
pub mod rules;
pub mod state;

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    conversations::RevisionNumber,
    ids::{
        ArchiveImportId, BatchId, ClaimToken, ConversationId, ErasureId, InvitationId, JobId, OrganizationId,
        ScheduleId,
    },
    money::MicroDollars,
    time::Timestamp,
};

pub use state::JobState;

/// Where a job waits. A queue has its own workers, limits and order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Queue {
    Ingest,
    Index,
    Embed,
    Analyze,
    Mail,
    Batch,
    Default,
}

impl Queue {
    pub const ALL: [Self; 7] =
        [Self::Ingest, Self::Index, Self::Embed, Self::Analyze, Self::Mail, Self::Batch, Self::Default];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Index => "index",
            Self::Embed => "embed",
            Self::Analyze => "analyze",
            Self::Mail => "mail",
            Self::Batch => "batch",
            Self::Default => "default",
        }
    }

    /// How many jobs one dispatch may carry: many for quick kinds, since a message and a claim cost more
    /// than such a job; one for slow kinds, so that they spread over the workers.
    pub fn chunk(self) -> usize {
        match self {
            Self::Ingest | Self::Batch => 4,
            Self::Index => 16,
            Self::Embed | Self::Analyze => 1,
            Self::Mail => 10,
            Self::Default => 100,
        }
    }
}

impl FromStr for Queue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|queue| queue.as_str() == text);
        found.ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|queue| queue.as_str()).collect();
            format!("there is no queue `{text}`; the queues are {}", known.join(", "))
        })
    }
}

/// What a job does. A kind is never renamed: rows with it outlive releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    IngestConversation,
    IndexPassages,
    EmbedPassages,
    AnalyzeConversation,
    SendEmail,
    /// The six below are a batch's, one a conversation.
    ReanalyzeConversation,
    ReimportConversation,
    ExportConversation,
    PurgeConversation,
    /// A schedule's run: plans and starts its batch.
    StartBatch,
    ReindexConversation,
    ReembedConversation,
    /// Checks what a batch has built of the search indexes, and makes it the live one.
    SwitchGeneration,
    /// Imports the files of an archive that somebody brought.
    UnpackArchive,
    /// Redacts the conversations of somebody who is erased.
    ErasePerson,
    /// Looks again for what an organization has erased.
    SweepErasures,
    /// Does nothing: `doctor` and benchmarks send it through the whole path.
    Probe,
}

impl JobKind {
    pub const ALL: [Self; 17] = [
        Self::IngestConversation,
        Self::IndexPassages,
        Self::EmbedPassages,
        Self::AnalyzeConversation,
        Self::SendEmail,
        Self::ReanalyzeConversation,
        Self::ReimportConversation,
        Self::ExportConversation,
        Self::PurgeConversation,
        Self::StartBatch,
        Self::ReindexConversation,
        Self::ReembedConversation,
        Self::SwitchGeneration,
        Self::UnpackArchive,
        Self::ErasePerson,
        Self::SweepErasures,
        Self::Probe,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::IngestConversation => "ingest_conversation",
            Self::IndexPassages => "index_passages",
            Self::EmbedPassages => "embed_passages",
            Self::AnalyzeConversation => "analyze_conversation",
            Self::SendEmail => "send_email",
            Self::ReanalyzeConversation => "reanalyze_conversation",
            Self::ReimportConversation => "reimport_conversation",
            Self::ExportConversation => "export_conversation",
            Self::PurgeConversation => "purge_conversation",
            Self::StartBatch => "start_batch",
            Self::ReindexConversation => "reindex_conversation",
            Self::ReembedConversation => "reembed_conversation",
            Self::SwitchGeneration => "switch_generation",
            Self::UnpackArchive => "unpack_archive",
            Self::ErasePerson => "erase_person",
            Self::SweepErasures => "sweep_erasures",
            Self::Probe => "probe",
        }
    }

    /// Kinds of earlier releases that nothing does any more: what waits of them is cancelled, and says why.
    pub const RETIRED: [&str; 0] = [];

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    pub fn queue(self) -> Queue {
        match self {
            Self::IngestConversation | Self::UnpackArchive => Queue::Ingest,
            Self::IndexPassages
            | Self::ReindexConversation
            | Self::SwitchGeneration
            | Self::SweepErasures => Queue::Index,
            Self::EmbedPassages | Self::ReembedConversation => Queue::Embed,
            Self::AnalyzeConversation => Queue::Analyze,
            Self::SendEmail => Queue::Mail,
            Self::ReanalyzeConversation
            | Self::ReimportConversation
            | Self::ExportConversation
            | Self::PurgeConversation
            | Self::StartBatch
            | Self::ErasePerson => Queue::Batch,
            Self::Probe => Queue::Default,
        }
    }

    /// How long a handler may run before it is abandoned and the attempt counts as failed, unless [`rules`] say
    /// otherwise.
    pub fn timeout(self) -> Duration {
        Duration::from_secs(match self {
            Self::IngestConversation
            | Self::IndexPassages
            | Self::AnalyzeConversation
            | Self::ReanalyzeConversation
            | Self::ReimportConversation
            | Self::ExportConversation
            | Self::PurgeConversation => 120,
            Self::EmbedPassages
            | Self::ReindexConversation
            | Self::ReembedConversation
            | Self::StartBatch
            | Self::ErasePerson
            | Self::SweepErasures
            // It goes on in another run long before.
            | Self::UnpackArchive => 900,
            // It looks at every conversation.
            Self::SwitchGeneration => 7_200,
            Self::SendEmail => 60,
            Self::Probe => 10,
        })
    }

    /// Of the payload that this release writes. It understands earlier ones, and leaves later ones to a later
    /// release.
    pub fn payload_version(self) -> u16 {
        1
    }

    /// Unless [`rules`] say otherwise.
    pub fn max_attempts(self) -> u32 {
        match self {
            Self::SendEmail => 10,
            _ => 5,
        }
    }
}

impl fmt::Display for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A job's arguments: ids and numbers only, so that an erased text does not live on in a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Payload {
    Revision {
        conversation_id: ConversationId,
        revision: RevisionNumber,
    },
    Conversation {
        conversation_id: ConversationId,
    },
    /// A conversation of any organization, whoever the job is of: work on what is of all of them.
    Anyones {
        conversation_id: ConversationId,
        organization_id: OrganizationId,
    },
    Batch {
        batch_id: BatchId,
    },
    Invitation {
        invitation_id: InvitationId,
    },
    Archive {
        archive_import_id: ArchiveImportId,
    },
    /// A run that was due then.
    Run {
        schedule_id: ScheduleId,
        due: Timestamp,
    },
    Erasure {
        erasure_id: ErasureId,
    },
    Misdeed {
        misdeed: Misdeed,
    },
    Nothing {},
}

/// What a probe does in the place of a handler that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misdeed {
    Fail,
    Panic,
    /// Ends its process.
    Abort,
    /// Never ends, and never lets go of its thread.
    Spin,
    /// Takes two gigabytes of memory.
    Hog,
    /// For longer than it may.
    Sleep,
}

/// A job to be written with the change that causes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    pub id: JobId,
    pub kind: JobKind,
    /// `None` for the system's own work.
    pub organization_id: Option<OrganizationId>,
    pub payload: Payload,
    /// Higher goes first.
    pub priority: i16,
    /// It is dead after so many that failed.
    pub max_attempts: u32,
    pub delay: Duration,
    /// W3C `traceparent` of the cause.
    pub traceparent: Option<String>,
    /// Whom its handler calls, for [`limits`]; empty where nobody.
    pub provider: String,
    /// While an unfinished job of this kind, organization and key stands, this one is not written.
    pub unique_key: Option<String>,
    /// Jobs that must be done before; one that is dead or cancelled holds this one up until it is revived.
    pub waits_for: Vec<JobId>,
    pub batch: Option<BatchShare>,
}

/// A job's part in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchShare {
    pub batch_id: BatchId,
    /// What the batch holds back for it until it has ended.
    pub reserved: MicroDollars,
}

impl NewJob {
    /// With as many attempts as the kind has where nothing is set.
    pub fn new(id: Uuid, kind: JobKind, organization_id: Option<OrganizationId>, payload: Payload) -> Self {
        Self {
            id: JobId(id),
            kind,
            organization_id,
            payload,
            priority: 0,
            max_attempts: kind.max_attempts(),
            delay: Duration::ZERO,
            traceparent: None,
            provider: String::new(),
            unique_key: None,
            waits_for: Vec::new(),
            batch: None,
        }
    }
}

impl Payload {
    pub fn conversation_id(&self) -> Option<ConversationId> {
        match self {
            Self::Revision { conversation_id, .. } | Self::Conversation { conversation_id } => {
                Some(*conversation_id)
            }
            // Whom the job is of may have nothing to do with it.
            Self::Anyones { .. }
            | Self::Batch { .. }
            | Self::Invitation { .. }
            | Self::Archive { .. }
            | Self::Run { .. }
            | Self::Erasure { .. }
            | Self::Misdeed { .. }
            | Self::Nothing {} => None,
        }
    }
}

/// A job as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub organization_id: Option<OrganizationId>,
    pub queue: Queue,
    pub kind: JobKind,
    pub conversation_id: Option<ConversationId>,
    pub batch_id: Option<BatchId>,
    pub payload: serde_json::Value,
    /// W3C `traceparent` of its cause.
    pub traceparent: Option<String>,
    pub state: JobState,
    pub priority: i16,
    /// When somebody asked for it to be cancelled while it ran.
    pub cancel_requested_at: Option<Timestamp>,
    /// The jobs that it still waits for, in number.
    pub waits_for: u32,
    pub attempts: u32,
    pub max_attempts: u32,
    /// When it may run next, while it waits.
    pub run_at: Timestamp,
    /// What went wrong, oldest first. For administrators: it may quote internals.
    pub errors: Vec<AttemptError>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

impl Job {
    /// The trace that its cause belongs to, as 32 hexadecimal digits.
    pub fn trace_id(&self) -> Option<&str> {
        let id = self.traceparent.as_deref()?.split('-').nth(1)?;
        (id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(id)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptError {
    pub attempt: u32,
    pub at: Timestamp,
    pub message: String,
}

/// The right to finish a job: lost as soon as the job is claimed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim {
    pub job_id: JobId,
    pub token: ClaimToken,
}

/// A job in a worker's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedJob {
    pub claim: Claim,
    /// That brought it; `None` where it was claimed directly.
    pub dispatch_id: Option<Uuid>,
    pub kind: JobKind,
    pub organization_id: Option<OrganizationId>,
    pub payload: Payload,
    /// With this one, counted from 1.
    pub attempt: u32,
    pub max_attempts: u32,
    /// Its worker vanished once: it runs with nothing beside it.
    pub is_suspect: bool,
    pub batch: Option<BatchShare>,
    pub traceparent: Option<String>,
    pub created_at: Timestamp,
}
