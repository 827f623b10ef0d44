//! Planning, starting and steering batches. All but planning is in the audit log.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use colloquy_domain::batches::{
    Batch as DomainBatch, control,
    plan::{PlanInput, plan},
    rebuild,
    start::{StartInput, start},
};

use crate::{
    Wired,
    cursor::Cursor,
    errors::{UserError, settle},
    global_id,
    guards::{actor, origin},
    types::batch::{Batch, BatchFilter, BatchKind, BatchOptions, BatchPlan, MicroDollars, SearchIndex},
};

#[derive(Default)]
pub(crate) struct BatchMutations;

#[derive(InputObject)]
struct PlanBatchInput {
    kind: BatchKind,
    filter: Option<BatchFilter>,
    /// Every conversation of the organization; instead of a filter.
    #[graphql(default)]
    all: bool,
    /// Every conversation of every organization; instead of a filter. For REINDEX and REEMBED, which then build a new
    /// generation of the search indexes beside the live one, and switch to it when it is whole. Needs OWNER of a
    /// standalone's local organization.
    #[graphql(default)]
    everywhere: bool,
    options: Option<BatchOptions>,
}

#[derive(InputObject)]
struct StartBatchInput {
    batch_id: ID,
    /// What it may cost. Needed where the estimate is more than nothing.
    cap: Option<MicroDollars>,
    /// A cap below the estimate is meant: as much is done as it holds.
    #[graphql(default)]
    accept_partial: bool,
    /// Conversations to begin a minute at most.
    per_minute: Option<u32>,
}

#[derive(InputObject)]
struct PauseBatchInput {
    batch_id: ID,
}

#[derive(InputObject)]
struct ResumeBatchInput {
    batch_id: ID,
    /// Replaces the one that stands.
    cap: Option<MicroDollars>,
}

#[derive(InputObject)]
struct CancelBatchInput {
    batch_id: ID,
}

#[derive(InputObject)]
struct RetryBatchFailuresInput {
    batch_id: ID,
    /// Replaces the one that stands.
    cap: Option<MicroDollars>,
}

#[derive(InputObject)]
struct RollBackSearchIndexInput {
    /// `previous` of `searchIndex`; so that who says it twice does not go there and back.
    to_generation: i32,
}

#[derive(SimpleObject)]
struct SearchIndexPayload {
    search_index: Option<SearchIndex>,
    user_errors: Vec<UserError>,
}

#[derive(SimpleObject)]
struct BatchPayload {
    batch: Option<Batch>,
    user_errors: Vec<UserError>,
}

impl BatchPayload {
    fn from(result: colloquy_domain::Result<DomainBatch>) -> Result<Self> {
        let (batch, user_errors) = settle(result)?;
        Ok(Self { batch: batch.map(Batch::from), user_errors })
    }
}

#[derive(SimpleObject)]
struct StartBatchPayload {
    batch: Option<Batch>,
    /// As it was counted at the start, which may differ from the plan; null where it had been started before.
    recount: Option<BatchPlan>,
    /// How many conversations there are more (or fewer, below zero) than when it was planned.
    moved_by: Option<i32>,
    /// Give it as `after` to `batchProgress` to see everything from the start on.
    cursor: Option<Cursor>,
    user_errors: Vec<UserError>,
}

#[Object]
impl BatchMutations {
    /// Counts and prices what a batch would do, and keeps that as a plan. Costs nothing and changes nothing.
    /// Needs ADMIN.
    async fn plan_batch(&self, ctx: &Context<'_>, input: PlanBatchInput) -> Result<BatchPayload> {
        let actor = actor(ctx)?;
        let planned = async {
            let input = PlanInput {
                kind: input.kind.into(),
                filter: input.filter.unwrap_or_default().read()?,
                all: input.all,
                options: input.options.unwrap_or_default().read(input.everywhere),
            };
            plan(ctx.ports(), actor, input).await
        };
        BatchPayload::from(planned.await)
    }

    /// Starts what was planned. Started twice, it is the same batch; one that was cancelled is BATCH_STATE. Of rebuilds
    /// (`everywhere`) one runs at a time; another is the user error REBUILD_RUNNING. An organization has at most 20 batches
    /// that run, are paused or are being cancelled; one more is TOO_MANY_BATCHES. A plan that nobody starts goes after 30
    /// days. Needs ADMIN, and OWNER for a rebuild.
    async fn start_batch(&self, ctx: &Context<'_>, input: StartBatchInput) -> Result<StartBatchPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let started = async {
            let input = StartInput {
                batch_id: global_id::require(&input.batch_id)?,
                cap: input.cap.map(|cap| cap.0),
                accept_partial: input.accept_partial,
                per_minute: input.per_minute,
            };
            start(ctx.ports(), actor, &origin, input).await
        };
        let (started, user_errors) = settle(started.await)?;
        let Some(started) = started else {
            return Ok(StartBatchPayload {
                batch: None,
                recount: None,
                moved_by: None,
                cursor: None,
                user_errors,
            });
        };
        let planned = started.batch.plan.conversations as i64;
        let moved = started.recount.as_ref().map(|recount| recount.conversations as i64 - planned);
        Ok(StartBatchPayload {
            moved_by: moved.map(|by| by.clamp(i32::MIN.into(), i32::MAX.into()) as i32),
            recount: started.recount.map(Into::into),
            batch: Some(started.batch.into()),
            cursor: Some(Cursor(started.cursor)),
            user_errors,
        })
    }

    /// Begins nothing more within seconds; what runs ends. Needs ADMIN.
    async fn pause_batch(&self, ctx: &Context<'_>, input: PauseBatchInput) -> Result<BatchPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let steered =
            async { control::pause(ctx.ports(), actor, &origin, global_id::require(&input.batch_id)?).await };
        BatchPayload::from(steered.await)
    }

    /// Goes on with a batch that is paused, or that was stopped. One that runs already keeps its cap: another is
    /// CAP_STANDS. Needs ADMIN.
    async fn resume_batch(&self, ctx: &Context<'_>, input: ResumeBatchInput) -> Result<BatchPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let cap = input.cap.map(|cap| cap.0);
        let steered = async {
            control::resume(ctx.ports(), actor, &origin, global_id::require(&input.batch_id)?, cap).await
        };
        BatchPayload::from(steered.await)
    }

    /// Cancels what waits and asks what runs to stop. What was done stays; what a rebuild has built is dropped. Needs
    /// ADMIN, and OWNER for a rebuild.
    async fn cancel_batch(&self, ctx: &Context<'_>, input: CancelBatchInput) -> Result<BatchPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let steered = async {
            control::cancel(ctx.ports(), actor, &origin, global_id::require(&input.batch_id)?).await
        };
        BatchPayload::from(steered.await)
    }

    /// Runs what failed again, and nothing else; priced anew, and within the cap. A new cap where nothing has failed is
    /// NOTHING_FAILED. Needs ADMIN.
    async fn retry_batch_failures(
        &self,
        ctx: &Context<'_>,
        input: RetryBatchFailuresInput,
    ) -> Result<BatchPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let cap = input.cap.map(|cap| cap.0);
        let steered = async {
            control::retry_failures(ctx.ports(), actor, &origin, global_id::require(&input.batch_id)?, cap)
                .await
        };
        BatchPayload::from(steered.await)
    }

    /// Makes the generation of the search indexes that was live before the last rebuild live again, at once; the
    /// present one becomes the way back. Needs OWNER of a standalone's local organization.
    async fn roll_back_search_index(
        &self,
        ctx: &Context<'_>,
        input: RollBackSearchIndexInput,
    ) -> Result<SearchIndexPayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let (search_index, user_errors) =
            settle(rebuild::roll_back(ctx.ports(), actor, &origin, input.to_generation.into()).await)?;
        Ok(SearchIndexPayload { search_index: search_index.map(SearchIndex::from), user_errors })
    }
}
