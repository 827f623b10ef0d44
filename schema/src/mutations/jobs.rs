//! What administrators do to jobs and queues. Each call is in the audit log.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use colloquy_domain::jobs::manage::{self, Changed, JobAction, ManageInput};

use crate::{
    Wired,
    errors::{UserError, settle},
    guards::{actor, origin},
    types::{
        Queue, int,
        job::{JobFilter, QueueStats, Queues},
    },
};

#[derive(Default)]
pub(crate) struct JobMutations;

#[derive(InputObject)]
struct RetryJobsInput {
    /// Which; running ones never fit. Without `ids` and `states` dead jobs alone are meant, and no cancelled ones.
    filter: Option<JobFilter>,
    /// Must be true where the filter narrows nothing.
    #[graphql(default)]
    all: bool,
    /// Count what would happen, and change nothing.
    #[graphql(default)]
    dry_run: bool,
}

#[derive(InputObject)]
struct CancelJobsInput {
    /// Which of the unfinished.
    filter: Option<JobFilter>,
    /// Must be true where the filter narrows nothing.
    #[graphql(default)]
    all: bool,
    /// Count what would happen, and change nothing.
    #[graphql(default)]
    dry_run: bool,
}

#[derive(InputObject)]
struct DiscardJobsInput {
    /// Which of the dead.
    filter: Option<JobFilter>,
    /// Must be true where the filter narrows nothing.
    #[graphql(default)]
    all: bool,
    /// Count what would happen, and change nothing.
    #[graphql(default)]
    dry_run: bool,
}

/// How many jobs; nulls where there are user errors.
#[derive(SimpleObject)]
struct RetryJobsPayload {
    /// Dead and cancelled jobs that fit.
    matched: Option<i32>,
    /// The rest was left alone: to a batch, or since an unfinished job stands for the same work already.
    retried: Option<i32>,
    /// Would cost money of their batch, which prices them anew and keeps to its cap: `retryBatchFailures` runs them
    /// again. Or their batch was cancelled: those are not run again.
    left_to_batches: Option<i32>,
    user_errors: Vec<UserError>,
}

/// How many jobs; nulls where there are user errors.
#[derive(SimpleObject)]
struct CancelJobsPayload {
    /// Unfinished jobs that fit.
    matched: Option<i32>,
    /// Will not run, with those that waited for them.
    cancelled: Option<i32>,
    /// Run still, and have been asked to stop.
    asked: Option<i32>,
    user_errors: Vec<UserError>,
}

/// How many jobs; nulls where there are user errors.
#[derive(SimpleObject)]
struct DiscardJobsPayload {
    /// Dead jobs that fit.
    matched: Option<i32>,
    /// Deleted.
    discarded: Option<i32>,
    /// Waited for one of them, and will not run.
    cancelled: Option<i32>,
    user_errors: Vec<UserError>,
}

#[derive(InputObject)]
struct PauseQueueInput {
    queue: Queue,
}

#[derive(InputObject)]
struct ResumeQueueInput {
    queue: Queue,
}

/// The queue as it is now.
#[derive(SimpleObject)]
struct PauseQueuePayload {
    queue: Option<QueueStats>,
    /// False where it was paused already.
    changed: bool,
    user_errors: Vec<UserError>,
}

/// The queue as it is now.
#[derive(SimpleObject)]
struct ResumeQueuePayload {
    queue: Option<QueueStats>,
    /// False where it was not paused.
    changed: bool,
    user_errors: Vec<UserError>,
}

#[Object]
impl JobMutations {
    /// Gives all dead or cancelled jobs that fit their attempts anew, except those that a batch pays for and those of a
    /// cancelled batch. Needs ADMIN.
    async fn retry_jobs(&self, ctx: &Context<'_>, input: RetryJobsInput) -> Result<RetryJobsPayload> {
        let RetryJobsInput { filter, all, dry_run } = input;
        let (changed, user_errors) = change(ctx, JobAction::Retry, filter, all, dry_run).await?;
        Ok(RetryJobsPayload {
            matched: changed.map(|changed| int(changed.matched)),
            retried: changed.map(|changed| int(changed.retried)),
            left_to_batches: changed.map(|changed| int(changed.left_to_batches)),
            user_errors,
        })
    }

    /// Cancels all unfinished jobs that fit, and those that wait for them; what runs is asked to stop. Needs ADMIN.
    async fn cancel_jobs(&self, ctx: &Context<'_>, input: CancelJobsInput) -> Result<CancelJobsPayload> {
        let CancelJobsInput { filter, all, dry_run } = input;
        let (changed, user_errors) = change(ctx, JobAction::Cancel, filter, all, dry_run).await?;
        Ok(CancelJobsPayload {
            matched: changed.map(|changed| int(changed.matched)),
            cancelled: changed.map(|changed| int(changed.cancelled)),
            asked: changed.map(|changed| int(changed.asked)),
            user_errors,
        })
    }

    /// Deletes all dead jobs that fit, for good; what waits for them is cancelled. Needs ADMIN.
    async fn discard_jobs(&self, ctx: &Context<'_>, input: DiscardJobsInput) -> Result<DiscardJobsPayload> {
        let DiscardJobsInput { filter, all, dry_run } = input;
        let (changed, user_errors) = change(ctx, JobAction::Discard, filter, all, dry_run).await?;
        Ok(DiscardJobsPayload {
            matched: changed.map(|changed| int(changed.matched)),
            discarded: changed.map(|changed| int(changed.discarded)),
            cancelled: changed.map(|changed| int(changed.cancelled)),
            user_errors,
        })
    }

    /// Of a paused queue no job of your organization begins; those that run end. Needs ADMIN.
    async fn pause_queue(&self, ctx: &Context<'_>, input: PauseQueueInput) -> Result<PauseQueuePayload> {
        let (queue, changed, user_errors) = pause(ctx, input.queue, true).await?;
        Ok(PauseQueuePayload { queue, changed, user_errors })
    }

    /// Lets jobs of your organization begin again, unless the queue is paused for every organization. Needs ADMIN.
    async fn resume_queue(&self, ctx: &Context<'_>, input: ResumeQueueInput) -> Result<ResumeQueuePayload> {
        let (queue, changed, user_errors) = pause(ctx, input.queue, false).await?;
        Ok(ResumeQueuePayload { queue, changed, user_errors })
    }
}

async fn change(
    ctx: &Context<'_>,
    action: JobAction,
    filter: Option<JobFilter>,
    all: bool,
    dry_run: bool,
) -> Result<(Option<Changed>, Vec<UserError>)> {
    let (actor, origin) = (actor(ctx)?, origin(ctx));
    let changed = async {
        let filter = filter.unwrap_or_default().read()?;
        manage::manage(ctx.ports(), actor, &origin, action, ManageInput { filter, all, dry_run }).await
    };
    settle(changed.await)
}

async fn pause(
    ctx: &Context<'_>,
    queue: Queue,
    paused: bool,
) -> Result<(Option<QueueStats>, bool, Vec<UserError>)> {
    let (actor, origin) = (actor(ctx)?, origin(ctx));
    let settled = async {
        let changed = manage::pause(ctx.ports(), actor, &origin, queue.into(), paused).await?;
        let queues = Queues::read(ctx.ports(), actor.tenant()).await?;
        Ok((queues.find(queue.into()), changed))
    };
    let (settled, user_errors) = settle(settled.await)?;
    let (stats, changed) = settled.unwrap_or_default();
    Ok((stats, changed, user_errors))
}
