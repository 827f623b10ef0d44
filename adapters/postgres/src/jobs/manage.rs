//! What administrators do to jobs and queues, over sets of rows.

use colloquy_domain::{
    accounts::Tenant,
    audit::NewAuditEntry,
    ids::JobId,
    jobs::{
        Queue,
        manage::{Changed, JobAction},
    },
    ports::jobs::{Cancelled, ChangedPage, JobFilter, Order},
};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{complete::settle, query};
use crate::{
    audit,
    errors::Step,
    follow::{Raised, tell},
    pool::Connection,
    rows,
    statement::Prepare,
};

#[derive(diesel::QueryableByName)]
struct Counts {
    #[diesel(sql_type = BigInt)]
    cancelled: i64,
    #[diesel(sql_type = BigInt)]
    asked: i64,
}

#[derive(diesel::QueryableByName)]
struct Revived {
    #[diesel(sql_type = BigInt)]
    revived: i64,
    #[diesel(sql_type = BigInt)]
    left_to_batches: i64,
}

/// Whether a job (a row of this name) is its batch's to run again: it costs the batch money (what was held back for it
/// may be spent), or the batch was cancelled, and then nobody wants it.
macro_rules! batched {
    ($job:literal) => {
        concat!(
            "(",
            $job,
            ".reserved > 0 OR EXISTS (SELECT FROM batches b WHERE b.id = ",
            $job,
            ".batch_id AND (b.state IN ('CANCELLING', 'CANCELLED')
                OR (b.plan->>'price_per_1000_tokens')::bigint > 0)))"
        )
    };
}
pub(super) use batched;

/// One page, and what came of it in the audit log.
pub(super) async fn change(
    conn: &mut Connection,
    tenant: Tenant,
    order: Order<'_>,
    entry: &NewAuditEntry,
) -> Step<(ChangedPage, Raised)> {
    let Order { action, filter, after, limit } = order;
    let ids = query::matching(conn, tenant, filter, |state| action.touches(state), after, limit).await?;
    if ids.is_empty() && after.is_some() {
        return Ok((ChangedPage::default(), Raised::default()));
    }
    let next = ids.last().filter(|_| ids.len() == limit).map(|id| JobId(*id));
    let mut changed = Changed { matched: ids.len() as u64, ..Changed::default() };
    let raised = match action {
        JobAction::Retry => {
            let (revived, raised) = revive_these(conn, tenant, &ids).await?;
            changed.retried = revived.revived.unsigned_abs();
            changed.left_to_batches = revived.left_to_batches.unsigned_abs();
            raised
        }
        JobAction::Cancel => {
            let (cancelled, raised) = cancel_these(conn, tenant, &ids).await?;
            changed.cancelled = cancelled.cancelled as u64;
            changed.asked = cancelled.asked as u64;
            raised
        }
        JobAction::Discard => {
            let (cancelled, raised) = cancel_these(conn, tenant, &ids).await?;
            changed.cancelled = cancelled.cancelled as u64;
            changed.asked = cancelled.asked as u64;
            changed.discarded = discard_these(conn, tenant, &ids).await? as u64;
            raised
        }
    };
    let mut entry = entry.clone();
    entry.detail.insert("done".to_owned(), rows::json(&changed)?);
    audit::insert(conn, &entry).await?;
    Ok((ChangedPage { changed, next }, raised))
}

/// Also what waits for them, however far.
pub(crate) async fn cancel(
    conn: &mut Connection,
    tenant: Tenant,
    filter: &JobFilter,
    limit: usize,
) -> Step<(Cancelled, Raised)> {
    let can = |state| JobAction::Cancel.touches(state);
    let ids = query::matching(conn, tenant, filter, can, None, limit).await?;
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
                AND state IN ('WAITING', 'READY', 'RUNNING')
            ORDER BY id FOR UPDATE
        ), cancelled AS (
            UPDATE jobs j SET state = 'CANCELLED', finished_at = now()
            FROM chosen c WHERE j.id = ANY(ARRAY(SELECT id FROM chosen)) AND j.id = c.id AND c.state <> 'RUNNING'
            RETURNING j.*, 0 AS cost, false AS skipped, 0 AS used
        ), asked AS (
            UPDATE jobs j SET cancel_requested_at = now()
            FROM chosen c WHERE j.id = ANY(ARRAY(SELECT id FROM chosen)) AND j.id = c.id AND c.state = 'RUNNING' AND j.cancel_requested_at IS NULL
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
/// money back for (the batch retries it, within its cap), or whose batch was cancelled. How many came back.
pub(super) async fn revive(
    conn: &mut Connection,
    tenant: Tenant,
    filter: &JobFilter,
    limit: usize,
) -> Step<(usize, Raised)> {
    let can = |state| JobAction::Retry.touches(state);
    let ids = query::matching(conn, tenant, filter, can, None, limit).await?;
    let (revived, raised) = revive_these(conn, tenant, &ids).await?;
    Ok((revived.revived as usize, raised))
}

async fn revive_these(conn: &mut Connection, tenant: Tenant, ids: &[Uuid]) -> Step<(Revived, Raised)> {
    let revived: Revived = diesel::sql_query(concat!(
        "WITH dead AS MATERIALIZED (
            SELECT id, kind, lane, unique_key, batch_id, state, ",
        batched!("j"),
        " AS is_left FROM jobs j
            WHERE id = ANY($1) AND organization_id = $2 AND state IN ('DEAD', 'CANCELLED')
            ORDER BY id FOR UPDATE OF j
        ), chosen AS MATERIALIZED (
            SELECT DISTINCT ON (kind, coalesce(unique_key, id::text)) * FROM dead d
            WHERE NOT is_left AND (unique_key IS NULL OR NOT EXISTS (
                SELECT FROM jobs o WHERE o.lane = d.lane AND o.kind = d.kind AND o.unique_key = d.unique_key
                    AND o.state IN ('WAITING', 'READY', 'RUNNING')))
            ORDER BY kind, coalesce(unique_key, id::text), id DESC
        ), revived AS (
            UPDATE jobs j SET state = CASE WHEN j.waits_for > 0 THEN 'WAITING' ELSE 'READY' END,
                attempts = 0, suspect = false, cancel_requested_at = NULL, finished_at = NULL, run_at = now()
            FROM chosen c WHERE j.id = ANY(ARRAY(SELECT id FROM chosen)) AND j.id = c.id
            RETURNING j.*
        ), recounted AS (
            UPDATE batches b SET failed = b.failed - s.failed, cancelled = b.cancelled - s.cancelled
            FROM (
                SELECT batch_id, count(*) FILTER (WHERE state = 'DEAD') AS failed,
                    count(*) FILTER (WHERE state = 'CANCELLED') AS cancelled
                FROM chosen WHERE batch_id IS NOT NULL GROUP BY batch_id
            ) s WHERE b.id = s.batch_id
        ), told AS (",
        tell!("revived"),
        ") SELECT (SELECT count(*) FROM revived) AS revived,
            (SELECT count(*) FROM dead WHERE is_left) AS left_to_batches"
    ))
    .bind::<Array<SqlUuid>, _>(ids)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .get_result(conn)
    .await?;
    let any = revived.revived > 0;
    Ok((revived, Raised { jobs: any, events: any }))
}

async fn discard_these(conn: &mut Connection, tenant: Tenant, ids: &[Uuid]) -> Step<usize> {
    let sql = "DELETE FROM jobs WHERE id = ANY($1) AND organization_id = $2 AND state = 'DEAD'";
    Ok(diesel::sql_query(sql)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared()
        .execute(conn)
        .await?)
}

/// What is on its way is not claimed: claims look whether the queue is paused.
pub(super) async fn pause(
    conn: &mut Connection,
    queue: Queue,
    whose: Option<Tenant>,
    entry: &NewAuditEntry,
) -> Step<bool> {
    let lane = whose.map(|tenant| tenant.0.0);
    let paused =
        diesel::sql_query("INSERT INTO paused_queues (queue, lane) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind::<Text, _>(queue.as_str())
            .bind::<Nullable<SqlUuid>, _>(lane)
            .prepared()
            .execute(conn)
            .await?;
    audit::insert(conn, &entry.clone().changed(paused > 0)).await?;
    Ok(paused > 0)
}

pub(super) async fn resume(
    conn: &mut Connection,
    queue: Queue,
    whose: Option<Tenant>,
    entry: &NewAuditEntry,
) -> Step<bool> {
    let resumed =
        diesel::sql_query("DELETE FROM paused_queues WHERE queue = $1 AND lane IS NOT DISTINCT FROM $2")
            .bind::<Text, _>(queue.as_str())
            .bind::<Nullable<SqlUuid>, _>(whose.map(|tenant| tenant.0.0))
            .prepared()
            .execute(conn)
            .await?;
    audit::insert(conn, &entry.clone().changed(resumed > 0)).await?;
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
