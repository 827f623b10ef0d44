//! Batches as rows.

use chrono::{DateTime, Utc};
use colloquy_domain::{
    accounts::Tenant,
    batches::{Batch, BatchKind, BatchState, Counts},
    ids::{BatchId, ConversationId, OrganizationId, ScheduleId, UserId},
    money::MicroDollars,
    ports::store::PageBy,
};
use diesel::{
    QueryableByName,
    sql_types::{Array, BigInt, Bool, Double, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    errors::{self, Step},
    pool::Connection,
    rows,
    statement::Prepare,
};

#[derive(QueryableByName)]
pub(super) struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    organization_id: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    schedule_id: Option<Uuid>,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Jsonb)]
    filter: Value,
    #[diesel(sql_type = Jsonb)]
    options: Value,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Jsonb)]
    plan: Value,
    #[diesel(sql_type = Nullable<BigInt>)]
    cap: Option<i64>,
    #[diesel(sql_type = BigInt)]
    reserved: i64,
    #[diesel(sql_type = BigInt)]
    spent: i64,
    #[diesel(sql_type = Nullable<Integer>)]
    per_minute: Option<i32>,
    #[diesel(sql_type = Nullable<BigInt>)]
    allowance: Option<i64>,
    #[diesel(sql_type = BigInt)]
    fed: i64,
    #[diesel(sql_type = BigInt)]
    done: i64,
    #[diesel(sql_type = BigInt)]
    failed: i64,
    #[diesel(sql_type = BigInt)]
    skipped: i64,
    #[diesel(sql_type = BigInt)]
    cancelled: i64,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    cursor: Option<Uuid>,
    #[diesel(sql_type = Bool)]
    fed_all: bool,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    retry_before: Option<DateTime<Utc>>,
    #[diesel(sql_type = Double)]
    rate: f64,
    #[diesel(sql_type = Nullable<Text>)]
    reason: Option<String>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    report: Option<Value>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    created_by: Option<Uuid>,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    started_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    finished_at: Option<DateTime<Utc>>,
}

/// The columns of [`Row`]: all of the batch, or `$these`, and what may be fed now. That is at most two seconds' worth, so
/// that a pause is not made up for by a burst.
macro_rules! columns {
    () => {
        columns!("b.*")
    };
    ($these:literal) => {
        concat!(
            $these,
            ", CASE WHEN per_minute IS NOT NULL THEN least(
                floor(extract(epoch FROM now() - coalesce(paced_to, now() - interval '1 minute')) * per_minute / 60),
                greatest(per_minute / 30, 1))::bigint END AS allowance"
        )
    };
}
pub(super) use columns;

fn money(amount: i64) -> MicroDollars {
    MicroDollars(amount.unsigned_abs())
}

impl Row {
    pub(super) fn batch(self) -> Step<Batch> {
        let kind = BatchKind::ALL.into_iter().find(|kind| kind.as_str() == self.kind);
        let state = BatchState::ALL.into_iter().find(|state| state.as_str() == self.state);
        Ok(Batch {
            id: BatchId(self.id),
            organization_id: OrganizationId(self.organization_id),
            schedule_id: self.schedule_id.map(ScheduleId),
            kind: kind.ok_or_else(|| errors::unreadable("kind", &self.kind))?,
            filter: rows::from_json(self.filter)?,
            options: rows::from_json(self.options)?,
            state: state.ok_or_else(|| errors::unreadable("state", &self.state))?,
            plan: rows::from_json(self.plan)?,
            cap: self.cap.map(money),
            reserved: money(self.reserved),
            spent: money(self.spent),
            per_minute: self.per_minute.map(i32::unsigned_abs),
            allowance: self.allowance.map(|jobs| jobs.max(0).unsigned_abs()),
            counts: Counts {
                fed: self.fed.unsigned_abs(),
                done: self.done.unsigned_abs(),
                failed: self.failed.unsigned_abs(),
                skipped: self.skipped.unsigned_abs(),
                cancelled: self.cancelled.unsigned_abs(),
            },
            cursor: self.cursor.map(ConversationId),
            fed_all: self.fed_all,
            retry_before: self.retry_before,
            rate: self.rate,
            reason: self.reason,
            report: self.report.map(rows::from_json).transpose()?,
            created_by: self.created_by.map(UserId),
            created_at: self.created_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
        })
    }
}

pub(super) fn read(found: Vec<Row>) -> Step<Vec<Batch>> {
    found.into_iter().map(Row::batch).collect()
}

pub(crate) async fn insert(conn: &mut Connection, tenant: Tenant, batch: &Batch) -> Step<()> {
    diesel::sql_query(
        "INSERT INTO batches (id, organization_id, kind, filter, options, state, plan, created_by, created_at,
            schedule_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind::<SqlUuid, _>(batch.id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Text, _>(batch.kind.as_str())
    .bind::<Jsonb, _>(rows::json(&batch.filter)?)
    .bind::<Jsonb, _>(rows::json(&batch.options)?)
    .bind::<Text, _>(batch.state.as_str())
    .bind::<Jsonb, _>(rows::json(&batch.plan)?)
    .bind::<Nullable<SqlUuid>, _>(batch.created_by.map(|user| user.0))
    .bind::<Timestamptz, _>(batch.created_at)
    .bind::<Nullable<SqlUuid>, _>(batch.schedule_id.map(Uuid::from))
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn find(conn: &mut Connection, tenant: Tenant, ids: &[BatchId]) -> Step<Vec<Batch>> {
    let sql = concat!("SELECT ", columns!(), " FROM batches b WHERE id = ANY($1) AND organization_id = $2");
    let found = diesel::sql_query(sql)
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared();
    read(found.load(conn).await?)
}

pub(super) async fn list(conn: &mut Connection, tenant: Tenant, page: PageBy<BatchId>) -> Step<Vec<Batch>> {
    read(rows::page(conn, tenant, page, rows::pages!(columns!(), "batches b")).await?)
}

/// Many times a second, so without what is long and the feeder does not ask for: plan, reason and report.
pub(super) async fn active(conn: &mut Connection) -> Step<Vec<Batch>> {
    let sql = concat!(
        "SELECT ",
        columns!(
            "id, organization_id, schedule_id, kind, filter, options, state, '{}'::jsonb AS plan, cap, reserved,
                spent, per_minute, fed, done, failed, skipped, cancelled, cursor, fed_all, retry_before, rate,
                NULL::text AS reason, NULL::jsonb AS report, created_by, created_at, started_at, finished_at"
        ),
        " FROM batches b WHERE state IN ('RUNNING', 'PAUSED', 'CANCELLING') ORDER BY id"
    );
    let found = diesel::sql_query(sql).prepared().load(conn).await?;
    Ok(rows::readable("a batch", found, |row: &Row| row.id, Row::batch))
}
