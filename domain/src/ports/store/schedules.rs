//! Schedules, and what becomes of their runs. Whether a run is due is PostgreSQL's clock.

use async_trait::async_trait;

use crate::{
    Result,
    accounts::{SystemScope, Tenant},
    audit::NewAuditEntry,
    batches::{Batch, Steering},
    ids::ScheduleId,
    jobs::{Claim, NewJob},
    ports::store::PageBy,
    schedules::{RunOutcome, Schedule},
    time::Timestamp,
};

/// A schedule whose time has come.
#[derive(Debug, Clone)]
pub struct DueSchedule {
    pub schedule: Schedule,
    /// The run before has not ended.
    pub is_busy: bool,
    /// As the store's clock was.
    pub now: Timestamp,
}

/// What is done about a time that has come.
#[derive(Debug, Clone)]
pub enum Move {
    /// This job runs it, unless the run before is still going: then it is [`RunOutcome::Skipped`].
    Run(NewJob),
    /// Nothing runs, and why.
    Pass { outcome: RunOutcome, reason: String },
}

/// The batch that a run starts, and how.
#[derive(Debug, Clone)]
pub struct Starting {
    pub batch: Batch,
    pub steering: Steering,
}

/// How a run's job ended.
#[derive(Debug, Clone)]
pub struct RunEnd {
    pub schedule_id: ScheduleId,
    /// The time that the run was due.
    pub due: Timestamp,
    pub outcome: RunOutcome,
    pub reason: Option<String>,
    pub starting: Option<Starting>,
}

#[async_trait]
pub trait ScheduleStore: Send + Sync {
    /// The clock by which runs are due.
    async fn now(&self) -> Result<Timestamp>;

    /// Refused where the name is taken (`NAME_TAKEN`) or the organization has `at_most` schedules already
    /// (`TOO_MANY_SCHEDULES`). Without an audit entry it is a trial: it looks, and writes nothing.
    async fn insert(
        &self,
        tenant: Tenant,
        schedule: &Schedule,
        at_most: usize,
        audit: Option<NewAuditEntry>,
    ) -> Result<()>;

    /// What administrators set, where the schedule is of `schedule.version` still (else `SCHEDULE_CHANGED`), which
    /// grows. `next_run_at` is written only where `moves`, since it may have gone on meanwhile. Without an audit
    /// entry it is a trial.
    async fn update(
        &self,
        tenant: Tenant,
        schedule: &Schedule,
        moves: bool,
        audit: Option<NewAuditEntry>,
    ) -> Result<()>;

    /// Whether it was there. Its batches stay.
    async fn delete(&self, tenant: Tenant, id: ScheduleId, audit: NewAuditEntry) -> Result<bool>;

    /// Those of the tenant among `ids`, in any order.
    async fn find(&self, tenant: Tenant, ids: &[ScheduleId]) -> Result<Vec<Schedule>>;

    /// Newest first.
    async fn list(&self, tenant: Tenant, page: PageBy<ScheduleId>) -> Result<Vec<Schedule>>;

    /// Those whose time has come, by id, after `after`: none only where none is left. One that this release cannot
    /// read is left to one that can.
    async fn due(
        &self,
        scope: SystemScope,
        after: Option<ScheduleId>,
        limit: usize,
    ) -> Result<Vec<DueSchedule>>;

    /// Goes on to `next` and does what is to be done about the time `at`, in one transaction. `false`, and nothing is
    /// written, where the schedule does not stand as it was read: another process was quicker, or somebody changed
    /// it.
    async fn advance(
        &self,
        scope: SystemScope,
        read: &Schedule,
        at: Timestamp,
        next: Option<Timestamp>,
        then: Move,
    ) -> Result<bool>;

    /// A run that somebody asked for, beside those that are due. `SCHEDULE_BUSY` where the run before is still going.
    async fn run_now(
        &self,
        tenant: Tenant,
        id: ScheduleId,
        at: Timestamp,
        job: NewJob,
        audit: NewAuditEntry,
    ) -> Result<()>;

    /// Completes a run's job together with the batch that it starts and what the schedule tells of it.
    async fn end_run(&self, tenant: Tenant, claim: Claim, end: RunEnd) -> Result<()>;
}
