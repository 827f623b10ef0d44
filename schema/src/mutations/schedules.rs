//! Making, changing and running schedules. Each call is in the audit log.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use colloquy_domain::{
    schedules::manage::{self, CreateInput, Settled, UpdateInput},
    time::Timestamp,
};

use crate::{
    Wired,
    errors::{UserError, settle},
    global_id,
    guards::{actor, origin},
    types::schedule::{MissedRuns, Schedule, ScheduledBatchInput},
};

#[derive(Default)]
pub(crate) struct ScheduleMutations;

#[derive(InputObject)]
struct CreateScheduleInput {
    name: String,
    /// Minute, hour, day of month, month and day of week; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    cron: String,
    /// IANA's name of the zone that the line is read in, such as `Europe/Berlin`.
    #[graphql(default_with = "\"UTC\".to_owned()")]
    time_zone: String,
    #[graphql(default_with = "MissedRuns::RunOnce")]
    missed_runs: MissedRuns,
    #[graphql(default = true)]
    is_enabled: bool,
    batch: ScheduledBatchInput,
    /// Check it and tell its next runs, and keep nothing.
    #[graphql(default)]
    dry_run: bool,
}

/// What is left out stays as it is.
#[derive(InputObject)]
struct UpdateScheduleInput {
    id: ID,
    name: Option<String>,
    cron: Option<String>,
    time_zone: Option<String>,
    missed_runs: Option<MissedRuns>,
    /// Enabled again, it goes on from now: what was due meanwhile is not made up for.
    is_enabled: Option<bool>,
    /// Replaces the one that stands, as a whole.
    batch: Option<ScheduledBatchInput>,
    /// Check it and tell its next runs, and change nothing.
    #[graphql(default)]
    dry_run: bool,
}

#[derive(InputObject)]
struct DeleteScheduleInput {
    id: ID,
}

#[derive(InputObject)]
struct RunScheduleInput {
    id: ID,
}

#[derive(SimpleObject)]
struct SchedulePayload {
    /// Null where it would be the first of a dry run.
    schedule: Option<Schedule>,
    /// The next five times that the line means, also of a schedule that is disabled.
    next_runs: Vec<Timestamp>,
    user_errors: Vec<UserError>,
}

#[derive(SimpleObject)]
struct DeleteSchedulePayload {
    deleted_id: Option<ID>,
    user_errors: Vec<UserError>,
}

#[derive(SimpleObject)]
struct RunSchedulePayload {
    schedule: Option<Schedule>,
    user_errors: Vec<UserError>,
}

impl SchedulePayload {
    fn from(settled: colloquy_domain::Result<Settled>, shows: bool) -> Result<Self> {
        let (settled, user_errors) = settle(settled)?;
        let Some(Settled { schedule, upcoming }) = settled else {
            return Ok(Self { schedule: None, next_runs: Vec::new(), user_errors });
        };
        Ok(Self { schedule: shows.then(|| schedule.into()), next_runs: upcoming, user_errors })
    }
}

#[Object]
impl ScheduleMutations {
    /// Starts a batch whenever the cron line says so. A run is skipped while the batch of the one before still goes.
    /// Needs ADMIN.
    async fn create_schedule(
        &self,
        ctx: &Context<'_>,
        input: CreateScheduleInput,
    ) -> Result<SchedulePayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let dry_run = input.dry_run;
        let created = async {
            let input = CreateInput {
                name: input.name,
                cron: input.cron,
                time_zone: input.time_zone,
                missed: input.missed_runs.into(),
                is_enabled: input.is_enabled,
                work: input.batch.read()?,
                dry_run,
            };
            manage::create(ctx.ports(), actor, &origin, input).await
        };
        SchedulePayload::from(created.await, !dry_run)
    }

    /// Changes a schedule, enables or disables it. Needs ADMIN.
    async fn update_schedule(
        &self,
        ctx: &Context<'_>,
        input: UpdateScheduleInput,
    ) -> Result<SchedulePayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let updated = async {
            let id = global_id::require(&input.id)?;
            let input = UpdateInput {
                name: input.name,
                cron: input.cron,
                time_zone: input.time_zone,
                missed: input.missed_runs.map(Into::into),
                is_enabled: input.is_enabled,
                work: input.batch.map(ScheduledBatchInput::read).transpose()?,
                dry_run: input.dry_run,
            };
            manage::update(ctx.ports(), actor, &origin, id, input).await
        };
        SchedulePayload::from(updated.await, true)
    }

    /// Its batches stay, and one that runs goes on. Needs ADMIN.
    async fn delete_schedule(
        &self,
        ctx: &Context<'_>,
        input: DeleteScheduleInput,
    ) -> Result<DeleteSchedulePayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let deleted = async {
            let id = global_id::require(&input.id)?;
            manage::delete(ctx.ports(), actor, &origin, id).await
        };
        let (deleted, user_errors) = settle(deleted.await)?;
        Ok(DeleteSchedulePayload { deleted_id: deleted.map(|()| input.id.clone()), user_errors })
    }

    /// Runs it once now, beside the times that it has; also one that is disabled. Needs ADMIN.
    async fn run_schedule(&self, ctx: &Context<'_>, input: RunScheduleInput) -> Result<RunSchedulePayload> {
        let (actor, origin) = (actor(ctx)?, origin(ctx));
        let run = async {
            let id = global_id::require(&input.id)?;
            manage::run_now(ctx.ports(), actor, &origin, id).await
        };
        let (schedule, user_errors) = settle(run.await)?;
        Ok(RunSchedulePayload { schedule: schedule.map(Schedule::from), user_errors })
    }
}
