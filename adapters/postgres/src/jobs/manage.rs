//! What administrators do to jobs and queues, over sets of rows.

use colloquy_domain::{
    accounts::Tenant,
    jobs::{JobState, Queue},
    ports::jobs::{Cancelled, JobFilter},
};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{complete::settle, query};
use crate::{
    errors::Step,
    follow::{Raised, tell},
    pool::Connection,
    rows::Count,
    statement::Prepare,
};

#[derive(diesel::QueryableByName)]
struct Counts {
    #[diesel(sql_type = BigInt)]
    cancelled: i64,
    #[diesel(sql_type = BigInt)]
    asked: i64,
}

/// Also what waits for them, however far.
pub(crate) async fn cancel(
    conn: &mut Connection,
    tenant: Tenant,
    filter: &JobFilter,
    limit: usize,
) -> Step<(Cancelled, Raised)> {
    let ids = query::matching(conn, tenant, filter, |state| !state.is_final(), limit).await?;
    cancel_these(conn, tenant, &ids).await
}

async fn cancel_these(conn: &mut Connection, tenant: Tenant, ids: &[Uuid]) -> Step<(Cancelled, Raised)> {
    if ids.is_empty() {
        return Ok((Cancelled::default(), Raised::default()));
    }
    let counts: Counts = diesel::sql_query(concat!(
        "WITH RECURSIVE wanted (id) AS (
            SELECT unnest($1)
            UNION
            SELECT d.job_id FROM job_dependencies d JOIN wanted w ON d.waits_for = w.id
        ), chosen AS MATERIALIZED (
            SELECT id, state FROM jobs
            WHERE id = ANY(ARRAY(SELECT id FROM wanted)) AND organization_id = $2
                AND state IN ('WAITING', 'READY', 'DISPATCHED', 'RUNNING')
            ORDER BY id FOR UPDATE
        ), cancelled AS (
            UPDATE jobs j SET state = 'CANCELLED', finished_at = now(), dispatch_id = NULL, deadline = NULL
            FROM chosen c WHERE j.id = c.id AND c.state <> 'RUNNING'
            RETURNING j.*, 0 AS cost, false AS skipped
        ), asked AS (
            UPDATE jobs j SET cancel_requested_at = now()
            FROM chosen c WHERE j.id = c.id AND c.state = 'RUNNING' AND j.cancel_requested_at IS NULL
            RETURNING j.id
        ), ",
        settle!("cancelled"),
        ", told AS (",
        tell!("cancelled"),
        ")
        SELECT (SELECT count(*) FROM cancelled) AS cancelled, (SELECT count(*) FROM asked) AS asked"
    ))
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .get_result(conn)
    .await?;
    let cancelled = Cancelled { cancelled: counts.cancelled as usize, asked: counts.asked as usize };
    Ok((cancelled, Raised { jobs: false, events: cancelled.cancelled > 0 }))
}

/// One whose unique key an unfinished job has by now stays as it is, and so does one that a batch would have to hold
/// money back for: the batch retries it, within its cap.
pub(super) async fn revive(
    conn: &mut Connection,
    tenant: Tenant,
    filter: &JobFilter,
    limit: usize,
) -> Step<(usize, Raised)> {
    let can = |state| matches!(state, JobState::Dead | JobState::Cancelled);
    let ids = query::matching(conn, tenant, filter, can, limit).await?;
    let revived: Count = diesel::sql_query(concat!(
        "WITH dead AS MATERIALIZED (
            SELECT id, kind, lane, unique_key, batch_id, state, reserved FROM jobs
            WHERE id = ANY($1) AND organization_id = $2 AND state IN ('DEAD', 'CANCELLED') AND reserved = 0
            ORDER BY id FOR UPDATE
        ), chosen AS MATERIALIZED (
            SELECT DISTINCT ON (kind, coalesce(unique_key, id::text)) * FROM dead d
            WHERE unique_key IS NULL OR NOT EXISTS (
                SELECT FROM jobs o WHERE o.lane = d.lane AND o.kind = d.kind AND o.unique_key = d.unique_key
                    AND o.state IN ('WAITING', 'READY', 'DISPATCHED', 'RUNNING'))
            ORDER BY kind, coalesce(unique_key, id::text), id DESC
        ), revived AS (
            UPDATE jobs j SET state = CASE WHEN j.waits_for > 0 THEN 'WAITING' ELSE 'READY' END,
                attempts = 0, suspect = false, cancel_requested_at = NULL, finished_at = NULL, run_at = now()
            FROM chosen c WHERE j.id = c.id
            RETURNING j.*
        ), batched AS (
            UPDATE batches b SET failed = b.failed - s.failed, cancelled = b.cancelled - s.cancelled,
                reserved = b.reserved + s.reserved
            FROM (
                SELECT batch_id, count(*) FILTER (WHERE state = 'DEAD') AS failed,
                    count(*) FILTER (WHERE state = 'CANCELLED') AS cancelled, sum(reserved)::bigint AS reserved
                FROM chosen WHERE batch_id IS NOT NULL GROUP BY batch_id
            ) s WHERE b.id = s.batch_id
        ), told AS (",
        tell!("revived"),
        ") SELECT count(*) AS count FROM revived"
    ))
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .get_result(conn)
    .await?;
    Ok((revived.count as usize, Raised { jobs: revived.count > 0, events: revived.count > 0 }))
}

pub(super) async fn discard(
    conn: &mut Connection,
    tenant: Tenant,
    filter: &JobFilter,
    limit: usize,
) -> Step<(usize, Raised)> {
    let ids = query::matching(conn, tenant, filter, |state| state == JobState::Dead, limit).await?;
    let (_, raised) = cancel_these(conn, tenant, &ids).await?;
    let deleted =
        diesel::sql_query("DELETE FROM jobs WHERE id = ANY($1) AND organization_id = $2 AND state = 'DEAD'")
            .bind::<Array<SqlUuid>, _>(ids)
            .bind::<SqlUuid, _>(tenant.0.0)
            .prepared()
            .execute(conn)
            .await?;
    Ok((deleted, raised))
}

/// What is on its way comes back.
pub(super) async fn pause(conn: &mut Connection, queue: Queue, whose: Option<Tenant>) -> Step<bool> {
    let lane = whose.map(|tenant| tenant.0.0);
    let paused =
        diesel::sql_query("INSERT INTO paused_queues (queue, lane) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind::<Text, _>(queue.as_str())
            .bind::<Nullable<SqlUuid>, _>(lane)
            .prepared()
            .execute(conn)
            .await?;
    diesel::sql_query(
        "UPDATE jobs SET state = 'READY', dispatch_id = NULL, deadline = NULL
        WHERE queue = $1 AND state = 'DISPATCHED' AND ($2 IS NULL OR lane = $2)",
    )
    .bind::<Text, _>(queue.as_str())
    .bind::<Nullable<SqlUuid>, _>(lane)
    .prepared()
    .execute(conn)
    .await?;
    Ok(paused > 0)
}

pub(super) async fn resume(conn: &mut Connection, queue: Queue, whose: Option<Tenant>) -> Step<bool> {
    let resumed =
        diesel::sql_query("DELETE FROM paused_queues WHERE queue = $1 AND lane IS NOT DISTINCT FROM $2")
            .bind::<Text, _>(queue.as_str())
            .bind::<Nullable<SqlUuid>, _>(whose.map(|tenant| tenant.0.0))
            .prepared()
            .execute(conn)
            .await?;
    Ok(resumed > 0)
}

#[derive(diesel::QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    queue: String,
}

pub(super) async fn paused(conn: &mut Connection, tenant: Tenant) -> Step<Vec<Queue>> {
    let found: Vec<Name> =
        diesel::sql_query("SELECT queue FROM paused_queues WHERE lane = $1 ORDER BY queue")
            .bind::<SqlUuid, _>(tenant.0.0)
            .prepared()
            .load(conn)
            .await?;
    Ok(found.iter().filter_map(|row| row.queue.parse().ok()).collect())
}
