//! Runs: what is due, what becomes of it, and how its job ended.

use chrono::{DateTime, Utc};
use colloquy_domain::{
    Error,
    accounts::Tenant,
    audit::NewAuditEntry,
    ids::{BatchId, JobId, ScheduleId},
    jobs::{Claim, NewJob},
    money::MicroDollars,
    ports::{
        jobs::Follow,
        store::schedules::{DueSchedule, Move, RunEnd, Starting},
    },
    schedules::{RunOutcome, Schedule},
    time::Timestamp,
};
use diesel::{
    QueryableByName,
    sql_types::{BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::rows::{Row, columns};
use crate::{
    audit, batches,
    errors::Step,
    follow::{self, Raised},
    jobs::complete_one,
    pool::Connection,
    rows,
    statement::Prepare,
};

/// A PAUSED batch was stopped on purpose, so nothing begins beside it; one that its cap has STOPPED stands in nobody's
/// way.
macro_rules! busy {
    () => {
        "(EXISTS (SELECT FROM jobs j WHERE j.id = s.last_job_id
                AND j.state IN ('WAITING', 'READY', 'RUNNING'))
            OR EXISTS (SELECT FROM batches b WHERE b.id = s.last_batch_id
                AND b.state IN ('RUNNING', 'PAUSED', 'CANCELLING')))"
    };
}

#[derive(QueryableByName)]
struct DueRow {
    #[diesel(embed)]
    read: Row,
    #[diesel(sql_type = Bool)]
    is_busy: bool,
    #[diesel(sql_type = Timestamptz)]
    now: DateTime<Utc>,
}

pub(super) async fn due(
    conn: &mut Connection,
    after: Option<ScheduleId>,
    limit: usize,
) -> Step<Vec<DueSchedule>> {
    let mut after = after.map_or(Uuid::nil(), Uuid::from);
    loop {
        let found = due_rows(conn, after, limit).await?;
        let Some(last) = found.last() else { return Ok(Vec::new()) };
        after = last.read.id;
        let due = |found: DueRow| {
            let DueRow { read, is_busy, now } = found;
            Ok(DueSchedule { schedule: read.schedule()?, is_busy, now })
        };
        let due = rows::readable("a schedule", found, |row| row.read.id, due);
        if !due.is_empty() {
            return Ok(due);
        }
    }
}

async fn due_rows(conn: &mut Connection, after: Uuid, limit: usize) -> Step<Vec<DueRow>> {
    let found = diesel::sql_query(concat!(
        "SELECT ",
        columns!(),
        ", ",
        busy!(),
        " AS is_busy, now() AS now FROM schedules s WHERE next_run_at <= now() AND id > $1 ORDER BY id LIMIT $2"
    ))
    .bind::<SqlUuid, _>(after)
    .bind::<BigInt, _>(rows::limit(limit))
    .prepared()
    .load(conn)
    .await?;
    Ok(found)
}

#[derive(QueryableByName)]
struct Busy {
    #[diesel(sql_type = Bool)]
    is_busy: bool,
}

/// `None` where the schedule does not stand as it was read.
pub(super) async fn advance(
    conn: &mut Connection,
    read: &Schedule,
    at: Timestamp,
    next: Option<Timestamp>,
    then: &Move,
) -> Step<Option<Raised>> {
    let locked = diesel::sql_query(
        "SELECT FROM schedules WHERE id = $1 AND version = $2 AND next_run_at IS NOT DISTINCT FROM $3 FOR UPDATE",
    )
    .bind::<SqlUuid, _>(read.id.0)
    .bind::<Integer, _>(read.version)
    .bind::<Nullable<Timestamptz>, _>(read.next_run_at)
    .prepared()
    .execute(conn)
    .await?;
    if locked == 0 {
        return Ok(None);
    }
    let (outcome, reason, job) = match then {
        Move::Pass { outcome, reason } => (*outcome, Some(reason.as_str()), None),
        Move::Run(_) if is_busy(conn, read.id).await? => {
            (RunOutcome::Skipped, Some("the run before was still going"), None)
        }
        Move::Run(job) => (RunOutcome::Queued, None, Some(job)),
    };
    diesel::sql_query("UPDATE schedules SET next_run_at = $2 WHERE id = $1")
        .bind::<SqlUuid, _>(read.id.0)
        .bind::<Nullable<Timestamptz>, _>(next)
        .prepared()
        .execute(conn)
        .await?;
    note(conn, read.id, at, outcome, reason, job.map(|job| job.id)).await?;
    let follow = Follow { jobs: job.cloned().into_iter().collect(), events: Vec::new() };
    follow::write(conn, &follow).await.map(Some)
}

async fn is_busy(conn: &mut Connection, id: ScheduleId) -> Step<bool> {
    let busy: Busy =
        diesel::sql_query(concat!("SELECT ", busy!(), " AS is_busy FROM schedules s WHERE s.id = $1"))
            .bind::<SqlUuid, _>(id.0)
            .prepared()
            .get_result(conn)
            .await?;
    Ok(busy.is_busy)
}

/// What became of the run that was due at `at`.
async fn note(
    conn: &mut Connection,
    id: ScheduleId,
    at: Timestamp,
    outcome: RunOutcome,
    reason: Option<&str>,
    job: Option<JobId>,
) -> Step<()> {
    diesel::sql_query(
        "UPDATE schedules SET last_run_at = $2, last_outcome = $3, last_reason = $4,
            last_job_id = coalesce($5, last_job_id)
        WHERE id = $1",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<Timestamptz, _>(at)
    .bind::<Text, _>(outcome.as_str())
    .bind::<Nullable<Text>, _>(reason)
    .bind::<Nullable<SqlUuid>, _>(job.map(Uuid::from))
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn run_now(
    conn: &mut Connection,
    tenant: Tenant,
    id: ScheduleId,
    at: Timestamp,
    job: &NewJob,
    entry: &NewAuditEntry,
) -> Step<Raised> {
    let locked = diesel::sql_query("SELECT FROM schedules WHERE id = $1 AND organization_id = $2 FOR UPDATE")
        .bind::<SqlUuid, _>(id.0)
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared()
        .execute(conn)
        .await?;
    if locked == 0 {
        return Err(Error::not_found("schedule", id).into());
    }
    if is_busy(conn, id).await? {
        let message = "the run before is still going: wait for its batch, or cancel it";
        return Err(Error::conflict("SCHEDULE_BUSY", message).into());
    }
    note(conn, id, at, RunOutcome::Queued, None, Some(job.id)).await?;
    audit::insert(conn, entry).await?;
    follow::write(conn, &Follow { jobs: vec![job.clone()], events: Vec::new() }).await
}

/// A schedule that was deleted meanwhile starts nothing any more.
pub(super) async fn end(conn: &mut Connection, tenant: Tenant, claim: Claim, end: &RunEnd) -> Step<Raised> {
    let batch_id = end.starting.as_ref().map(|starting| starting.batch.id);
    if batch_id.is_some() {
        // Before the schedule, as whoever changes schedules does.
        rows::hold(conn, tenant).await?;
    }
    if noted(conn, tenant, end, batch_id).await?
        && let Some(Starting { batch, steering }) = &end.starting
    {
        batches::rows::insert(conn, tenant, batch).await?;
        batches::control::steer(conn, tenant, batch.id, *steering).await?;
    }
    complete_one(conn, tenant, claim, &Follow::default(), MicroDollars::ZERO).await
}

/// Whether the schedule is there. A later run that was left out since has the last word on the outcome.
async fn noted(conn: &mut Connection, tenant: Tenant, end: &RunEnd, batch: Option<BatchId>) -> Step<bool> {
    let noted = diesel::sql_query(
        "UPDATE schedules SET last_batch_id = coalesce($3, last_batch_id),
            last_outcome = CASE WHEN last_run_at = $4 THEN $5 ELSE last_outcome END,
            last_reason = CASE WHEN last_run_at = $4 THEN $6 ELSE last_reason END
        WHERE id = $1 AND organization_id = $2",
    )
    .bind::<SqlUuid, _>(end.schedule_id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Nullable<SqlUuid>, _>(batch.map(Uuid::from))
    .bind::<Timestamptz, _>(end.due)
    .bind::<Text, _>(end.outcome.as_str())
    .bind::<Nullable<Text>, _>(end.reason.as_deref())
    .prepared()
    .execute(conn)
    .await?;
    Ok(noted > 0)
}
