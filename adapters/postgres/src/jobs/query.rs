//! Looking at the ledger.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use colloquy_domain::{
    accounts::Tenant,
    ids::{ConversationId, JobId, OrganizationId},
    jobs::{Job, JobKind, JobState, Queue},
    ports::jobs::{JobFilter, QueueStats},
    time::Timestamp,
};
use diesel::{
    ExpressionMethods, QueryDsl, Queryable, Selectable, SelectableHelper,
    sql_types::{BigInt, Nullable, Text, Timestamptz},
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::{fleet::alive, known_kinds};
use crate::statement::Prepare;
use crate::{errors::Step, pool::Connection, rows, schema::jobs};

#[derive(Queryable, Selectable)]
#[diesel(table_name = jobs, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    organization_id: Option<Uuid>,
    queue: String,
    kind: String,
    conversation_id: Option<Uuid>,
    state: String,
    attempts: i32,
    max_attempts: i32,
    run_at: DateTime<Utc>,
    errors: Value,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

/// Rows of queues that this release does not know are left out.
fn read(found: Vec<Row>) -> Step<Vec<Job>> {
    let mut jobs = Vec::with_capacity(found.len());
    for row in found {
        let (Some(kind), Ok(queue)) = (JobKind::from_name(&row.kind), Queue::from_str(&row.queue)) else {
            continue;
        };
        jobs.push(Job {
            id: JobId(row.id),
            organization_id: row.organization_id.map(OrganizationId),
            queue,
            kind,
            conversation_id: row.conversation_id.map(ConversationId),
            state: rows::job_state(&row.state)?,
            attempts: row.attempts as u32,
            max_attempts: row.max_attempts as u32,
            run_at: row.run_at,
            errors: rows::from_json(row.errors)?,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        });
    }
    Ok(jobs)
}

pub(super) async fn find(conn: &mut Connection, tenant: Tenant, ids: &[JobId]) -> Step<Vec<Job>> {
    let found = jobs::table
        .filter(jobs::organization_id.eq(tenant.0.0))
        .filter(jobs::id.eq_any(ids.iter().map(|id| id.0)))
        .filter(jobs::kind.eq_any(known_kinds()))
        .select(Row::as_select());
    read(found.load(conn).await?)
}

pub(super) async fn list(
    conn: &mut Connection,
    tenant: Tenant,
    filter: &JobFilter,
    after: Option<JobId>,
    limit: usize,
) -> Step<Vec<Job>> {
    let kinds = match filter.kinds.as_slice() {
        [] => known_kinds(),
        kinds => kinds.iter().map(|kind| kind.as_str()).collect(),
    };
    let mut query = jobs::table
        .filter(jobs::organization_id.eq(tenant.0.0))
        .filter(jobs::kind.eq_any(kinds))
        .order(jobs::id.desc())
        .limit(rows::limit(limit))
        .select(Row::as_select())
        .into_boxed();
    if !filter.queues.is_empty() {
        query = query.filter(jobs::queue.eq_any(filter.queues.iter().map(|queue| queue.as_str())));
    }
    if !filter.states.is_empty() {
        query = query.filter(jobs::state.eq_any(filter.states.iter().map(|state| state.as_str())));
    }
    if let Some(conversation) = filter.conversation_id {
        query = query.filter(jobs::conversation_id.eq(conversation.0));
    }
    if let Some(after) = after {
        query = query.filter(jobs::id.lt(after.0));
    }
    read(query.load(conn).await?)
}

pub(super) async fn prune(conn: &mut Connection, before: Timestamp, limit: usize) -> Step<usize> {
    Ok(diesel::sql_query(
        "DELETE FROM jobs WHERE id = ANY(ARRAY(
            SELECT id FROM jobs WHERE state IN ('DONE', 'CANCELLED') AND finished_at < $1
            ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ))",
    )
    .bind::<Timestamptz, _>(before)
    .bind::<BigInt, _>(rows::limit(limit))
    .prepared()
    .execute(conn)
    .await?)
}

#[derive(diesel::QueryableByName)]
struct Stats {
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = BigInt)]
    ready: i64,
    #[diesel(sql_type = BigInt)]
    delayed: i64,
    #[diesel(sql_type = BigInt)]
    running: i64,
    #[diesel(sql_type = BigInt)]
    dead: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    oldest_ready_ms: Option<i64>,
    #[diesel(sql_type = BigInt)]
    workers: i64,
}

/// One row a known queue, in their order. Each part reads one partial index; finished jobs are not looked at.
pub(super) async fn queue_stats(conn: &mut Connection) -> Step<Vec<QueueStats>> {
    let found: Vec<Stats> = diesel::sql_query(concat!(
        "WITH numbers AS (
            SELECT queue,
                count(*) FILTER (WHERE run_at <= now()) AS ready,
                count(*) FILTER (WHERE run_at > now()) AS delayed,
                0 AS running, 0 AS dead, min(run_at) FILTER (WHERE run_at <= now()) AS oldest
            FROM jobs WHERE state = 'READY' GROUP BY queue
            UNION ALL
            SELECT queue, count(*) FILTER (WHERE state = 'DISPATCHED'), 0,
                count(*) FILTER (WHERE state = 'RUNNING'), 0,
                min(run_at) FILTER (WHERE state = 'DISPATCHED')
            FROM jobs WHERE state IN ('DISPATCHED', 'RUNNING') GROUP BY queue
            UNION ALL
            SELECT queue, 0, 0, 0, count(*), NULL FROM jobs WHERE state = 'DEAD' GROUP BY queue
            UNION ALL
            SELECT queue, 0, 0, 0, 0, NULL FROM workers CROSS JOIN LATERAL jsonb_object_keys(queues) AS queue
        )
        SELECT queue, sum(ready)::bigint AS ready, sum(delayed)::bigint AS delayed,
            sum(running)::bigint AS running, sum(dead)::bigint AS dead,
            (extract(epoch FROM now() - min(oldest)) * 1000)::bigint AS oldest_ready_ms,
            (SELECT count(*) FROM workers WHERE queues ? numbers.queue AND ",
        alive!(),
        ") AS workers
        FROM numbers GROUP BY queue"
    ))
    .prepared()
    .load(conn)
    .await?;
    let stats = |queue: Queue| {
        let row = found.iter().find(|row| row.queue == queue.as_str());
        let number = |of: fn(&Stats) -> i64| row.map_or(0, of).unsigned_abs();
        QueueStats {
            queue,
            ready: number(|row| row.ready),
            delayed: number(|row| row.delayed),
            running: number(|row| row.running),
            dead: number(|row| row.dead),
            oldest_ready_ms: row.and_then(|row| row.oldest_ready_ms).map(i64::unsigned_abs),
            workers: number(|row| row.workers),
        }
    };
    Ok(Queue::ALL.into_iter().map(stats).collect())
}

#[derive(diesel::QueryableByName)]
struct Jobs {
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = BigInt)]
    jobs: i64,
}

pub(super) async fn counts(conn: &mut Connection) -> Step<Vec<(Queue, JobState, u64)>> {
    let found: Vec<Jobs> = diesel::sql_query(
        "SELECT queue, 'READY' AS state, count(*) AS jobs FROM jobs WHERE state = 'READY' GROUP BY queue
        UNION ALL
        SELECT queue, state, count(*) FROM jobs WHERE state IN ('DISPATCHED', 'RUNNING')
        GROUP BY queue, state
        UNION ALL
        SELECT queue, 'DEAD', count(*) FROM jobs WHERE state = 'DEAD' GROUP BY queue",
    )
    .prepared()
    .load(conn)
    .await?;
    let known = |row: Jobs| {
        Some((Queue::from_str(&row.queue).ok()?, rows::job_state(&row.state).ok()?, row.jobs as u64))
    };
    Ok(found.into_iter().filter_map(known).collect())
}
