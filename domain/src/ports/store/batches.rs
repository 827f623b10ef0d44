//! Batches: plans, how far they have come, and what feeds them into the ledger.

use async_trait::async_trait;

use crate::{
    Result,
    accounts::{SystemScope, Tenant},
    audit::NewAuditEntry,
    batches::{Batch, BatchState, Steering},
    ids::{BatchId, ConversationId, JobId, OrganizationId},
    jobs::{JobKind, NewJob},
    money::MicroDollars,
    ports::store::{PageBy, conversations::ConversationFilter},
    time::Timestamp,
};

/// Whose conversations a batch is about.
#[derive(Debug, Clone, Copy)]
pub enum Reach {
    Of(Tenant),
    Everywhere(SystemScope),
}

/// A conversation as a batch sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub organization_id: OrganizationId,
    pub conversation_id: ConversationId,
    pub object_key: String,
    /// Of the current revision.
    pub characters: u64,
}

/// What the current revisions of many conversations add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measured {
    pub conversations: u64,
    pub segments: u64,
    pub characters: u64,
    /// Of each conversation, rounded up.
    pub tokens: u64,
    /// Of each conversation, rounded up.
    pub price: MicroDollars,
}

/// A job that failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedItem {
    pub job_id: JobId,
    /// Of the conversation's current revision.
    pub characters: u64,
}

/// How long jobs of a kind took lately.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunTime {
    pub jobs: u64,
    pub average_ms: f64,
}

/// A page of jobs, with how far the batch has come with them.
#[derive(Debug, Clone)]
pub struct Feeding {
    pub jobs: Vec<NewJob>,
    pub cursor: Option<ConversationId>,
    pub fed_all: bool,
    /// By the jobs together.
    pub reserved: MicroDollars,
}

/// Failed jobs that run again, each with what is held back for it.
#[derive(Debug, Clone)]
pub struct Retrying {
    pub jobs: Vec<(JobId, MicroDollars)>,
    pub is_last: bool,
}

/// A batch as it stands after somebody steered it.
#[derive(Debug, Clone, PartialEq)]
pub struct Steered {
    pub batch: Batch,
    /// False where it was in another state than the steering is from, or the new cap does not hold what is spent and
    /// held back: nothing was written.
    pub changed: bool,
}

#[async_trait]
pub trait BatchStore: Send + Sync {
    /// As it was planned.
    async fn insert(&self, tenant: Tenant, batch: &Batch) -> Result<()>;

    /// Those of the tenant among `ids`, in any order.
    async fn find(&self, tenant: Tenant, ids: &[BatchId]) -> Result<Vec<Batch>>;

    /// Newest first.
    async fn list(&self, tenant: Tenant, page: PageBy<BatchId>) -> Result<Vec<Batch>>;

    /// The conversations of a filter by id, after `after`.
    async fn items(
        &self,
        reach: Reach,
        filter: &ConversationFilter,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<Item>>;

    /// All of them together, at this price for 1,000 tokens; what is a token and how a price is rounded is as
    /// [`price`](crate::batches::plan::price) has it. One statement over stored counts, which reads no text.
    async fn measure(
        &self,
        reach: Reach,
        filter: &ConversationFilter,
        per_1000: MicroDollars,
    ) -> Result<Measured>;

    /// How many of them have changes by hand since they were read from their bytes.
    async fn edited(&self, reach: Reach, filter: &ConversationFilter) -> Result<u64>;

    /// Of the tenant's last jobs of the kind that ended well within an hour.
    async fn run_time(&self, tenant: Tenant, kind: JobKind) -> Result<Option<RunTime>>;

    /// Changes the state where it is one of those that the steering is from, and a new cap is not below what is spent and
    /// held back; the batch as it is then. The start of
    /// a rebuild begins its generation of the search indexes with it, and is the CONFLICT `REBUILD_RUNNING` while
    /// another is being built. What puts one more under way than [`MAX_ACTIVE`](crate::batches::MAX_ACTIVE) of the
    /// organization is the CONFLICT [`TOO_MANY`](crate::batches::TOO_MANY). The audit entry is written where the batch is then as it was wanted.
    async fn steer(
        &self,
        tenant: Tenant,
        id: BatchId,
        steering: Steering,
        audit: NewAuditEntry,
    ) -> Result<Option<Steered>>;

    /// Batches that are not at rest, without those that this release cannot read. Plan, reason and report are left out.
    async fn active(&self, scope: SystemScope) -> Result<Vec<Batch>>;

    /// Brings waiting jobs to the batch's state: held while it is paused, cancelled when it is.
    async fn apply(&self, scope: SystemScope, batch: &Batch) -> Result<()>;

    /// Writes jobs and how far the batch has come in one transaction. `false`, and nothing is written, where
    /// the batch does not stand as it was read, or its cap would not hold them.
    async fn feed(&self, scope: SystemScope, batch: &Batch, feeding: Feeding) -> Result<bool>;

    /// Jobs that had failed when somebody asked to retry them, oldest first.
    async fn failed(&self, scope: SystemScope, batch: &Batch, limit: usize) -> Result<Vec<FailedItem>>;

    /// As [`feed`](Self::feed), for jobs that run again.
    async fn retry(&self, scope: SystemScope, batch: &Batch, retrying: Retrying) -> Result<bool>;

    /// Ends the batch with a report, and tells it. `false` where it has work again.
    async fn end(
        &self,
        scope: SystemScope,
        batch: &Batch,
        state: BatchState,
        reason: Option<String>,
    ) -> Result<bool>;

    /// Deletes plans from before a moment that were never started; how many, at most `limit`.
    async fn prune(&self, scope: SystemScope, before: Timestamp, limit: usize) -> Result<usize>;

    /// Leaves an event for every active batch that has moved since the last one; how many.
    async fn tell(&self, scope: SystemScope) -> Result<usize>;
}
