//! Schedules as rows, and what administrators set of them.

use chrono::{DateTime, Utc};
use colloquy_domain::{
    Error,
    accounts::Tenant,
    audit::NewAuditEntry,
    ids::{BatchId, JobId, OrganizationId, ScheduleId, UserId},
    ports::store::PageBy,
    schedules::{LastRun, MissedRuns, RunOutcome, Schedule},
    time::Timestamp,
};
use diesel::{
    QueryableByName,
    sql_types::{Array, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    audit,
    errors::{self, Step},
    pool::Connection,
    rows::{self, Count},
    statement::Prepare,
};

#[derive(QueryableByName)]
pub(super) struct Row {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    organization_id: Uuid,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    cron: String,
    #[diesel(sql_type = Text)]
    time_zone: String,
    #[diesel(sql_type = Text)]
    missed: String,
    #[diesel(sql_type = Bool)]
    enabled: bool,
    #[diesel(sql_type = Jsonb)]
    work: Value,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    next_run_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_run_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    told_outcome: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    last_reason: Option<String>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    last_job_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    last_batch_id: Option<Uuid>,
    #[diesel(sql_type = Integer)]
    version: i32,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    created_by: Option<Uuid>,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    updated_at: DateTime<Utc>,
}

/// The columns of [`Row`]. A job that dies or is cancelled tells its schedule nothing: it is looked at instead. One
/// that is gone was discarded when it was dead.
macro_rules! columns {
    () => {
        "s.*, CASE WHEN s.last_outcome = 'QUEUED' THEN
            CASE coalesce((SELECT state FROM jobs j WHERE j.id = s.last_job_id), 'DEAD')
                WHEN 'DEAD' THEN 'FAILED' WHEN 'CANCELLED' THEN 'CANCELLED' ELSE 'QUEUED' END
            ELSE s.last_outcome END AS told_outcome"
    };
}
pub(super) use columns;

impl Row {
    pub(super) fn schedule(self) -> Step<Schedule> {
        let missed = MissedRuns::ALL.into_iter().find(|missed| missed.as_str() == self.missed);
        let last = match (self.last_run_at, self.told_outcome) {
            (Some(at), Some(told)) => {
                let outcome = RunOutcome::ALL.into_iter().find(|outcome| outcome.as_str() == told);
                let outcome = outcome.ok_or_else(|| errors::unreadable("last_outcome", &told))?;
                let job_id = self.last_job_id.map(JobId);
                Some(LastRun { at, outcome, reason: self.last_reason, job_id })
            }
            _ => None,
        };
        Ok(Schedule {
            id: ScheduleId(self.id),
            organization_id: OrganizationId(self.organization_id),
            name: self.name,
            cron: self.cron,
            time_zone: self.time_zone,
            missed: missed.ok_or_else(|| errors::unreadable("missed", &self.missed))?,
            is_enabled: self.enabled,
            work: rows::from_json(self.work)?,
            next_run_at: self.next_run_at,
            last,
            last_batch_id: self.last_batch_id.map(BatchId),
            version: self.version,
            created_by: self.created_by.map(UserId),
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

fn read(found: Vec<Row>) -> Step<Vec<Schedule>> {
    found.into_iter().map(Row::schedule).collect()
}

#[derive(QueryableByName)]
struct Now {
    #[diesel(sql_type = Timestamptz)]
    now: DateTime<Utc>,
}

pub(super) async fn now(conn: &mut Connection) -> Step<Timestamp> {
    let row: Now = diesel::sql_query("SELECT now() AS now").prepared().get_result(conn).await?;
    Ok(row.now)
}

/// The organization's row is held, so that two at once do not pass the limit or take a name together.
pub(super) async fn insert(
    conn: &mut Connection,
    tenant: Tenant,
    schedule: &Schedule,
    at_most: usize,
    audit: Option<&NewAuditEntry>,
) -> Step<()> {
    rows::hold(conn, tenant).await?;
    let there: Count =
        diesel::sql_query("SELECT count(*) AS count FROM schedules WHERE organization_id = $1")
            .bind::<SqlUuid, _>(tenant.0.0)
            .prepared()
            .get_result(conn)
            .await?;
    if there.count >= at_most as i64 {
        let message = format!("an organization has at most {at_most} schedules; delete one first");
        return Err(Error::conflict("TOO_MANY_SCHEDULES", message).into());
    }
    refuse_taken(conn, tenant, schedule).await?;
    let Some(audit) = audit else { return Ok(()) };
    diesel::sql_query(
        "INSERT INTO schedules (id, organization_id, name, cron, time_zone, missed, enabled, work, next_run_at,
            version, created_by, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)",
    )
    .bind::<SqlUuid, _>(schedule.id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Text, _>(&schedule.name)
    .bind::<Text, _>(&schedule.cron)
    .bind::<Text, _>(&schedule.time_zone)
    .bind::<Text, _>(schedule.missed.as_str())
    .bind::<Bool, _>(schedule.is_enabled)
    .bind::<Jsonb, _>(rows::json(&schedule.work)?)
    .bind::<Nullable<Timestamptz>, _>(schedule.next_run_at)
    .bind::<Integer, _>(schedule.version)
    .bind::<Nullable<SqlUuid>, _>(schedule.created_by.map(Uuid::from))
    .bind::<Timestamptz, _>(schedule.created_at)
    .prepared()
    .execute(conn)
    .await?;
    audit::insert(conn, audit).await
}

async fn refuse_taken(conn: &mut Connection, tenant: Tenant, schedule: &Schedule) -> Step<()> {
    let same: Count = diesel::sql_query(
        "SELECT count(*) AS count FROM schedules WHERE organization_id = $1 AND lower(name) = lower($2) AND id <> $3",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Text, _>(&schedule.name)
    .bind::<SqlUuid, _>(schedule.id.0)
    .prepared()
    .get_result(conn)
    .await?;
    if same.count == 0 {
        return Ok(());
    }
    let message = format!("there is a schedule named {:?} already; take another name", schedule.name);
    Err(Error::invalid("name", "NAME_TAKEN", message).into())
}

pub(super) async fn update(
    conn: &mut Connection,
    tenant: Tenant,
    schedule: &Schedule,
    moves: bool,
    audit: Option<&NewAuditEntry>,
) -> Step<()> {
    rows::hold(conn, tenant).await?;
    refuse_taken(conn, tenant, schedule).await?;
    let Some(audit) = audit else { return Ok(()) };
    let updated = diesel::sql_query(
        "UPDATE schedules SET name = $4, cron = $5, time_zone = $6, missed = $7, enabled = $8, work = $9,
            next_run_at = CASE WHEN $10 THEN $11 ELSE next_run_at END, version = version + 1, updated_at = now()
        WHERE id = $1 AND organization_id = $2 AND version = $3",
    )
    .bind::<SqlUuid, _>(schedule.id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Integer, _>(schedule.version)
    .bind::<Text, _>(&schedule.name)
    .bind::<Text, _>(&schedule.cron)
    .bind::<Text, _>(&schedule.time_zone)
    .bind::<Text, _>(schedule.missed.as_str())
    .bind::<Bool, _>(schedule.is_enabled)
    .bind::<Jsonb, _>(rows::json(&schedule.work)?)
    .bind::<Bool, _>(moves)
    .bind::<Nullable<Timestamptz>, _>(schedule.next_run_at)
    .prepared()
    .execute(conn)
    .await?;
    if updated == 0 {
        if find(conn, tenant, &[schedule.id]).await?.is_empty() {
            return Err(Error::not_found("schedule", schedule.id).into());
        }
        let message = "somebody else changed the schedule in the same moment; look at it and try again";
        return Err(Error::conflict("SCHEDULE_CHANGED", message).into());
    }
    audit::insert(conn, audit).await
}

pub(super) async fn delete(
    conn: &mut Connection,
    tenant: Tenant,
    id: ScheduleId,
    entry: &NewAuditEntry,
) -> Step<bool> {
    let deleted = diesel::sql_query("DELETE FROM schedules WHERE id = $1 AND organization_id = $2")
        .bind::<SqlUuid, _>(id.0)
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared()
        .execute(conn)
        .await?;
    if deleted > 0 {
        audit::insert(conn, entry).await?;
    }
    Ok(deleted > 0)
}

pub(super) async fn find(conn: &mut Connection, tenant: Tenant, ids: &[ScheduleId]) -> Step<Vec<Schedule>> {
    let sql = concat!("SELECT ", columns!(), " FROM schedules s WHERE id = ANY($1) AND organization_id = $2");
    let found = diesel::sql_query(sql)
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared();
    read(found.load(conn).await?)
}

pub(super) async fn list(
    conn: &mut Connection,
    tenant: Tenant,
    page: PageBy<ScheduleId>,
) -> Step<Vec<Schedule>> {
    read(rows::page(conn, tenant, page, rows::pages!(columns!(), "schedules s")).await?)
}
