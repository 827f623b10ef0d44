//! Schedules: batches that come back.

use async_graphql::{
    Context, Enum, ID, InputObject, Object, Result, SimpleObject,
    connection::{Connection, EmptyFields, OpaqueCursor},
};
use colloquy_domain::{
    ports::store::conversations as store,
    schedules::{
        self, MissedRuns as DomainMissedRuns, RunOutcome as DomainRunOutcome, Work, manage,
        timing::MAX_UPCOMING,
    },
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    ConversationKind,
    batch::{AnalyzerChoice, Batch, BatchFilter, BatchKind, BatchOptions, MicroDollars},
    int,
    job::Job,
};
use crate::{
    Wired,
    errors::fault,
    global_id,
    guards::actor,
    loaders::{BatchById, JobById},
};

/// What becomes of runs that were due while nothing ran, by more than two minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainMissedRuns")]
pub(crate) enum MissedRuns {
    /// They are left out.
    Skip,
    /// One run stands for all of them.
    #[default]
    RunOnce,
    /// They are made up for one after another, at most the newest 24. A run that is due while the one before still
    /// goes waits for it.
    RunAll,
}

/// What became of a schedule's last run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "DomainRunOutcome", name = "ScheduleOutcome")]
pub(crate) enum RunOutcome {
    /// Its job waits or runs.
    Queued,
    /// Its batch was started.
    Started,
    /// No conversation fitted, so there was no batch.
    NothingToDo,
    /// The batch of the run before was still going.
    Skipped,
    /// Nothing ran when it was due.
    Missed,
    /// A batch cannot be planned or started as the schedule says; `reason` tells why.
    Refused,
    /// Its job died: look at `job`.
    Failed,
    /// Somebody cancelled its job.
    Cancelled,
}

/// The batch of each run.
#[derive(InputObject)]
pub(crate) struct ScheduledBatchInput {
    kind: BatchKind,
    filter: Option<BatchFilter>,
    /// Every conversation of the organization; instead of a filter and of days.
    #[graphql(default)]
    all: bool,
    /// Only what was imported in so many days before the run.
    created_within_days: Option<u32>,
    /// Only what was imported more than so many days before the run.
    created_older_than_days: Option<u32>,
    options: Option<BatchOptions>,
    /// What one run may cost. Needed where the work is priced.
    cap: Option<MicroDollars>,
    /// A cap below the estimate is meant: as much is done as it holds.
    #[graphql(default)]
    accept_partial: bool,
    /// Conversations to begin a minute at most.
    per_minute: Option<u32>,
}

impl ScheduledBatchInput {
    pub(crate) fn read(self) -> colloquy_domain::Result<Work> {
        Ok(Work {
            kind: self.kind.into(),
            filter: self.filter.unwrap_or_default().read()?,
            all: self.all,
            created_within_days: self.created_within_days,
            created_older_than_days: self.created_older_than_days,
            options: self.options.unwrap_or_default().read(false),
            cap: self.cap.map(|cap| cap.0),
            accept_partial: self.accept_partial,
            per_minute: self.per_minute,
        })
    }
}

/// The batch of each run.
#[derive(SimpleObject)]
pub(crate) struct ScheduledBatch {
    kind: BatchKind,
    /// Null where none was given.
    filter: Option<ScheduledFilter>,
    all: bool,
    created_within_days: Option<i32>,
    created_older_than_days: Option<i32>,
    analyzer: AnalyzerChoice,
    /// Of REIMPORT: whether what was changed by hand is read again too.
    overwrite_edits: bool,
    cap: Option<MicroDollars>,
    accept_partial: bool,
    per_minute: Option<i32>,
}

/// As it was given.
#[derive(SimpleObject)]
struct ScheduledFilter {
    conversation_ids: Option<Vec<ID>>,
    kinds: Vec<ConversationKind>,
    tags: Vec<String>,
    occurred_from: Option<Timestamp>,
    occurred_before: Option<Timestamp>,
    created_from: Option<Timestamp>,
    created_before: Option<Timestamp>,
    title_contains: Option<String>,
    person_ids: Vec<ID>,
}

impl From<&store::ConversationFilter> for ScheduledFilter {
    fn from(filter: &store::ConversationFilter) -> Self {
        let ids = |ids: &Vec<_>| ids.iter().copied().map(global_id::encode).collect();
        Self {
            conversation_ids: filter.ids.as_ref().map(ids),
            kinds: filter.kinds.iter().copied().map(Into::into).collect(),
            tags: filter.tags.clone(),
            occurred_from: filter.occurred_from,
            occurred_before: filter.occurred_before,
            created_from: filter.created_from,
            created_before: filter.created_before,
            title_contains: filter.title_contains.clone(),
            person_ids: filter.person_ids.iter().copied().map(global_id::encode).collect(),
        }
    }
}

impl From<&Work> for ScheduledBatch {
    fn from(work: &Work) -> Self {
        let number = |number: u32| int(number.into());
        Self {
            kind: work.kind.into(),
            filter: (!work.filter.is_everything()).then(|| (&work.filter).into()),
            all: work.all,
            created_within_days: work.created_within_days.map(number),
            created_older_than_days: work.created_older_than_days.map(number),
            analyzer: work.options.analyzer.into(),
            overwrite_edits: work.options.overwrite_edits,
            cap: work.cap.map(MicroDollars),
            accept_partial: work.accept_partial,
            per_minute: work.per_minute.map(number),
        }
    }
}

/// The last run that was due or asked for, whatever became of it.
pub(crate) struct ScheduleRun(schedules::LastRun);

#[Object]
impl ScheduleRun {
    /// When it was due.
    async fn at(&self) -> Timestamp {
        self.0.at
    }

    async fn outcome(&self) -> RunOutcome {
        self.0.outcome.into()
    }

    /// Why it came to nothing.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The job of the last run that had one, while that is kept.
    async fn job(&self, ctx: &Context<'_>) -> Result<Option<Job>> {
        let Some(id) = self.0.job_id else { return Ok(None) };
        let key = JobById(actor(ctx)?.tenant(), id);
        Ok(ctx.loader().load_one(key).await.map_err(fault)?.map(Job))
    }
}

/// A batch that is started whenever a cron line says so. For administrators.
#[derive(Clone)]
pub(crate) struct Schedule(Box<schedules::Schedule>);

impl From<schedules::Schedule> for Schedule {
    fn from(schedule: schedules::Schedule) -> Self {
        Self(Box::new(schedule))
    }
}

pub(crate) type ScheduleConnection = Connection<OpaqueCursor<Uuid>, Schedule, EmptyFields, EmptyFields>;

fn times_cost(first: i32) -> usize {
    1 + first.clamp(0, MAX_UPCOMING as i32) as usize
}

#[Object]
impl Schedule {
    pub(crate) async fn id(&self) -> ID {
        global_id::encode(self.0.id)
    }

    /// Unlike those of the organization's other schedules, without regard to case.
    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn cron(&self) -> &str {
        &self.0.cron
    }

    /// IANA's name of the zone that the line is read in.
    async fn time_zone(&self) -> &str {
        &self.0.time_zone
    }

    async fn missed_runs(&self) -> MissedRuns {
        self.0.missed.into()
    }

    async fn is_enabled(&self) -> bool {
        self.0.is_enabled
    }

    async fn batch(&self) -> ScheduledBatch {
        (&self.0.work).into()
    }

    /// Null while it is disabled. A time that has passed is about to be seen to, or waits for the run before.
    async fn next_run_at(&self) -> Option<Timestamp> {
        self.0.next_run_at
    }

    /// The times to come, from now on and in ten years; none while it is disabled. At most 20.
    #[graphql(complexity = "times_cost(first)")]
    async fn next_runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 5)] first: i32,
    ) -> Result<Vec<Timestamp>> {
        let number = usize::try_from(first).unwrap_or(0);
        manage::upcoming(ctx.ports(), &self.0, number).map_err(fault)
    }

    /// Null before the first.
    async fn last_run(&self) -> Option<ScheduleRun> {
        self.0.last.clone().map(ScheduleRun)
    }

    /// The last that a run has started.
    async fn last_batch(&self, ctx: &Context<'_>) -> Result<Option<Batch>> {
        let Some(id) = self.0.last_batch_id else { return Ok(None) };
        let key = BatchById(actor(ctx)?.tenant(), id);
        Ok(ctx.loader().load_one(key).await.map_err(fault)?.map(Batch::from))
    }

    async fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    async fn updated_at(&self) -> Timestamp {
        self.0.updated_at
    }
}
