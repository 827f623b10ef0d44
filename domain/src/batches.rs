//! The same work on many conversations. A batch is planned (counted and priced, at no cost), started under a
//! cap, and fed into the ledger little by little as a job a conversation; it can be paused, resumed, cancelled,
//! and what failed of it can be run again. Use cases stand in the files below; the rules of a batch's life are
//! here, and the feeder's in [`feed`].

pub mod control;
pub mod feed;
pub mod plan;
pub mod progress;
pub mod rebuild;
pub mod start;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    Result,
    accounts::{SystemScope, Tenant},
    analysis::{Analyzer, EXTRACTIVE, TEST_PRICED},
    ids::{BatchId, ConversationId, OrganizationId, ScheduleId, UserId},
    jobs::JobKind,
    money::MicroDollars,
    ports::{
        Ports,
        store::{batches::Reach, conversations::ConversationFilter},
    },
    time::Timestamp,
};

/// Batches of one organization that are under way: the feeder comes to each of them again and again.
pub const MAX_ACTIVE: usize = 20;
/// What another is refused with.
pub const TOO_MANY: &str = "TOO_MANY_BATCHES";
/// Days that a plan is kept which nobody starts.
const KEEP_PLANS_DAYS: i64 = 30;
const PRUNED: usize = 1000;

/// Deletes plans that nobody has started; how many at most a page of them.
pub async fn prune(ports: &Ports, scope: SystemScope) -> Result<usize> {
    let before = ports.clock.now() - TimeDelta::days(KEEP_PLANS_DAYS);
    ports.batches.prune(scope, before, PRUNED).await
}

/// What a batch does to each conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BatchKind {
    Reanalyze,
    /// Reads the kept bytes again.
    Reimport,
    /// Writes the transcript into the object store.
    Export,
    /// Deletes, for good.
    Purge,
    /// Writes what search engines know anew. Vectors come from PostgreSQL; only what has none yet is embedded.
    Reindex,
    /// The same with every vector made anew.
    Reembed,
}

impl BatchKind {
    pub const ALL: [Self; 6] =
        [Self::Reanalyze, Self::Reimport, Self::Export, Self::Purge, Self::Reindex, Self::Reembed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reanalyze => "REANALYZE",
            Self::Reimport => "REIMPORT",
            Self::Export => "EXPORT",
            Self::Purge => "PURGE",
            Self::Reindex => "REINDEX",
            Self::Reembed => "REEMBED",
        }
    }

    /// The job of one conversation.
    pub fn job(self) -> JobKind {
        match self {
            Self::Reanalyze => JobKind::ReanalyzeConversation,
            Self::Reimport => JobKind::ReimportConversation,
            Self::Export => JobKind::ExportConversation,
            Self::Purge => JobKind::PurgeConversation,
            Self::Reindex => JobKind::ReindexConversation,
            Self::Reembed => JobKind::ReembedConversation,
        }
    }

    /// Whether it writes the search indexes, so that over everything it builds a new generation of them.
    pub fn writes_indexes(self) -> bool {
        matches!(self, Self::Reindex | Self::Reembed)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BatchState {
    /// Counted and priced; nothing is done.
    Planned,
    Running,
    Paused,
    /// Its cap does not hold the next conversation; or a rebuild is not whole, since conversations failed or were
    /// cancelled. `reason` says which.
    Stopped,
    /// Somebody cancelled it, and the last of its jobs are ending.
    Cancelling,
    Cancelled,
    /// Every conversation has ended, well or not.
    Done,
}

impl BatchState {
    pub const ALL: [Self; 7] = [
        Self::Planned,
        Self::Running,
        Self::Paused,
        Self::Stopped,
        Self::Cancelling,
        Self::Cancelled,
        Self::Done,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "PLANNED",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
            Self::Done => "DONE",
        }
    }

    /// Nothing more happens, unless somebody retries what failed.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Cancelled | Self::Done)
    }
}

/// What somebody wants of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steering {
    Start {
        cap: Option<MicroDollars>,
        per_minute: Option<u32>,
    },
    Pause,
    /// A cap replaces the one that stands.
    Resume {
        cap: Option<MicroDollars>,
    },
    Cancel,
    RetryFailures {
        cap: Option<MicroDollars>,
    },
}

impl Steering {
    /// The states that it changes …
    pub fn from(self) -> &'static [BatchState] {
        use BatchState::{Done, Paused, Planned, Running, Stopped};
        match self {
            Self::Start { .. } => &[Planned],
            Self::Pause => &[Running],
            Self::Resume { .. } => &[Paused, Stopped],
            Self::Cancel => &[Planned, Running, Paused, Stopped],
            Self::RetryFailures { .. } => &[Running, Stopped, Done],
        }
    }

    /// … and what they become.
    pub fn to(self) -> BatchState {
        match self {
            Self::Start { .. } | Self::Resume { .. } | Self::RetryFailures { .. } => BatchState::Running,
            Self::Pause => BatchState::Paused,
            Self::Cancel => BatchState::Cancelling,
        }
    }

    /// Whether a batch in this state is already what is wanted.
    pub fn is_met_by(self, state: BatchState) -> bool {
        use BatchState::{Cancelled, Cancelling, Paused, Planned, Running};
        match self {
            Self::Start { .. } => !matches!(state, Planned | Cancelling | Cancelled),
            Self::Pause => state == Paused,
            Self::Resume { .. } => state == Running,
            Self::Cancel => matches!(state, Cancelling | Cancelled),
            Self::RetryFailures { .. } => false,
        }
    }
}

/// Which analyzer a REANALYZE uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AnalyzerChoice {
    #[default]
    Extractive,
    /// Finds what the extractive one finds and costs what the settings say: to try caps and budgets.
    TestPriced,
}

impl AnalyzerChoice {
    pub fn analyzer(self) -> &'static Analyzer {
        match self {
            Self::Extractive => &EXTRACTIVE,
            Self::TestPriced => &TEST_PRICED,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BatchOptions {
    pub analyzer: AnalyzerChoice,
    /// A REIMPORT also reads again what was changed by hand since, and those changes are of past revisions then.
    #[serde(skip_serializing_if = "is_false")]
    pub overwrite_edits: bool,
    /// Over every organization: a rebuild, into a generation of the search indexes beside the live one.
    pub everywhere: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl BatchOptions {
    pub fn reach(self, tenant: Tenant) -> Reach {
        const SCOPE: SystemScope =
            SystemScope::because("search indexes are of all organizations, and are built for all of them");
        if self.everywhere { Reach::Everywhere(SCOPE) } else { Reach::Of(tenant) }
    }
}

/// What a batch would touch, as it was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    pub conversations: u64,
    pub segments: u64,
    pub characters: u64,
    /// A quarter of the characters: what models call tokens is about that in English.
    pub tokens: u64,
    pub price: MicroDollars,
    pub price_per_1000_tokens: MicroDollars,
    pub duration_ms: u64,
    /// Where the duration comes from, in words.
    pub duration_basis: String,
    pub impossible: Vec<Impossible>,
}

/// What cannot be done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impossible {
    pub reason: String,
    pub conversations: u64,
}

/// Conversations by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// That have or had a job.
    pub fed: u64,
    pub done: u64,
    pub failed: u64,
    /// There was nothing to do; or it failed, and somebody discarded its job.
    pub skipped: u64,
    pub cancelled: u64,
}

impl Counts {
    pub fn ended(&self) -> u64 {
        self.done + self.failed + self.skipped + self.cancelled
    }

    pub fn unfinished(&self) -> u64 {
        self.fed.saturating_sub(self.ended())
    }
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub counts: Counts,
    pub spent: MicroDollars,
    pub duration_ms: u64,
    /// The most frequent first.
    pub failures: Vec<Failures>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// For administrators: it may quote internals.
    pub message: String,
    pub conversations: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub id: BatchId,
    pub organization_id: OrganizationId,
    /// Whose run it is; `None` where somebody planned it.
    pub schedule_id: Option<ScheduleId>,
    pub kind: BatchKind,
    pub filter: ConversationFilter,
    pub options: BatchOptions,
    pub state: BatchState,
    pub plan: Plan,
    /// `spent + reserved` never goes beyond it.
    pub cap: Option<MicroDollars>,
    /// Held back for jobs under way.
    pub reserved: MicroDollars,
    pub spent: MicroDollars,
    pub per_minute: Option<u32>,
    /// How many may be fed now by `per_minute`.
    pub allowance: Option<u64>,
    pub counts: Counts,
    /// The last conversation that was fed.
    pub cursor: Option<ConversationId>,
    pub fed_all: bool,
    /// Somebody wants those that had failed then to run again.
    pub retry_before: Option<Timestamp>,
    /// Conversations a second that end lately.
    pub rate: f64,
    /// Why it stands still, in words.
    pub reason: Option<String>,
    pub report: Option<Report>,
    pub created_by: Option<UserId>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

impl Batch {
    /// As it stands before anything is done.
    pub(crate) fn planned(
        ports: &Ports,
        tenant: Tenant,
        created_by: Option<UserId>,
        kind: BatchKind,
        filter: ConversationFilter,
        options: BatchOptions,
        plan: Plan,
    ) -> Self {
        Self {
            id: BatchId(ports.ids.next()),
            organization_id: tenant.0,
            schedule_id: None,
            kind,
            filter,
            options,
            state: BatchState::Planned,
            plan,
            cap: None,
            reserved: MicroDollars::ZERO,
            spent: MicroDollars::ZERO,
            per_minute: None,
            allowance: None,
            counts: Counts::default(),
            cursor: None,
            fed_all: false,
            retry_before: None,
            rate: 0.0,
            reason: None,
            report: None,
            created_by,
            created_at: ports.clock.now(),
            started_at: None,
            finished_at: None,
        }
    }

    /// Whether it builds a generation of the search indexes.
    pub fn is_rebuild(&self) -> bool {
        self.options.everywhere
    }

    pub fn reach(&self) -> Reach {
        self.options.reach(Tenant(self.organization_id))
    }

    /// What is left of the cap; `None` where there is none.
    pub fn left(&self) -> Option<MicroDollars> {
        self.cap.map(|cap| cap.saturating_sub(self.spent + self.reserved))
    }

    /// Conversations that it is about, as far as is known.
    pub fn total(&self) -> u64 {
        if self.fed_all { self.counts.fed } else { self.plan.conversations.max(self.counts.fed) }
    }

    /// Seconds until all have ended, if the rate stays; `None` where it does not move.
    pub fn seconds_left(&self) -> Option<u64> {
        let left = self.total().saturating_sub(self.counts.ended()) as f64;
        let seconds = left / self.rate;
        (self.state == BatchState::Running && self.rate > 0.0 && seconds < 1e9).then(|| seconds.ceil() as u64)
    }
}
