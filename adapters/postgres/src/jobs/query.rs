//! Looking at the ledger.

use std::{str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use colloquy_domain::{
    accounts::Tenant,
    ids::{BatchId, ConversationId, JobId, OrganizationId},
    jobs::{Job, JobKind, JobState, Queue},
    ports::jobs::{JobFilter, QueueStats},
    time::Timestamp,
};
use diesel::sql_types::{
    Array, BigInt, Bool, Double, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::{fleet::alive, known_kinds};
use crate::{errors::Step, follow::milliseconds, pool::Connection, rows, statement::Prepare};

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    organization_id: Option<Uuid>,
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    conversation_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    batch_id: Option<Uuid>,
    #[diesel(sql_type = Jsonb)]
    payload: Value,
    #[diesel(sql_type = Nullable<Text>)]
    traceparent: Option<String>,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = SmallInt)]
    priority: i16,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    cancel_requested_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Integer)]
    waits_for: i32,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = Integer)]
    max_attempts: i32,
    #[diesel(sql_type = Timestamptz)]
    run_at: DateTime<Utc>,
    #[diesel(sql_type = Jsonb)]
    errors: Value,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    started_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
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
            batch_id: row.batch_id.map(BatchId),
            payload: row.payload,
            traceparent: row.traceparent,
            state: rows::job_state(&row.state)?,
            priority: row.priority,
            cancel_requested_at: row.cancel_requested_at,
            waits_for: row.waits_for.unsigned_abs(),
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
    let sql = "SELECT * FROM jobs WHERE id = ANY($1) AND organization_id = $2 AND kind = ANY($3)";
    let found = diesel::sql_query(sql)
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind::<SqlUuid, _>(tenant.0.0)
        .bind::<Array<Text>, _>(known_kinds())
        .prepared();
    read(found.load(conn).await?)
}

/// Jobs of a filter, newest first. Where it names nothing that few jobs have, the walk hops through the index
/// from kind to kind and from state to state and reads a page of each, so that it is as quick where next to
/// none of ten million match. It is planned for the very values: a condition that is not set folds away.
macro_rules! matching {
    ($columns:literal) => {
        concat!(
            "SELECT j.* FROM unnest($1) AS k (kind) CROSS JOIN unnest($2) AS s (state) CROSS JOIN LATERAL (
                SELECT ",
            $columns,
            " FROM jobs j
                WHERE j.organization_id = $3 AND j.kind = k.kind AND j.state = s.state AND j.id < $4 AND j.id >= $5
                    AND ($6::timestamptz IS NULL OR j.created_at >= $6)
                    AND ($7::timestamptz IS NULL OR j.created_at < $7)
                ORDER BY j.id DESC LIMIT $8
            ) AS j
            ORDER BY j.id DESC LIMIT $8"
        )
    };
}

/// What all others ask of a job besides.
macro_rules! fits {
    () => {
        "j.kind = ANY($1) AND j.state = ANY($2) AND j.organization_id = $3 AND j.id < $4 AND j.id >= $5
            AND ($6::timestamptz IS NULL OR j.created_at >= $6)
            AND ($7::timestamptz IS NULL OR j.created_at < $7)"
    };
}

macro_rules! has_error {
    () => {
        "($12::text IS NULL OR
            j.errors <> '[]' AND to_tsvector('simple', j.errors) @@ phraseto_tsquery('simple', $12))"
    };
}

/// Those of ids, which are looked up whatever else is said of them.
macro_rules! matching_ids {
    ($columns:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM (SELECT * FROM jobs WHERE id = ANY($9) OFFSET 0) AS j WHERE ",
            fits!(),
            " AND ($10::uuid IS NULL OR j.conversation_id = $10) AND ($11::uuid IS NULL OR j.batch_id = $11) AND ",
            has_error!(),
            " ORDER BY j.id DESC LIMIT $8"
        )
    };
}

/// Those of a batch, which may be a million: from state to state, as its index has them.
macro_rules! matching_batch {
    ($columns:literal) => {
        concat!(
            "SELECT j.* FROM unnest($2) AS s (state) CROSS JOIN LATERAL (
                SELECT ",
            $columns,
            " FROM jobs j WHERE j.batch_id = $11 AND j.state = s.state AND ",
            fits!(),
            " ORDER BY j.id DESC LIMIT $8
            ) AS j
            WHERE $9::uuid[] IS NULL AND $10::uuid IS NULL AND $12::text IS NULL
            ORDER BY j.id DESC LIMIT $8"
        )
    };
}

/// Those of a conversation, or with words in an error. The index knows words and not their order, which the row has to
/// say; that is dear, so no more rows are asked than the page takes.
macro_rules! matching_few {
    ($columns:literal) => {
        concat!(
            "SELECT j.* FROM (
                SELECT j.id FROM jobs j WHERE ",
            fits!(),
            " AND $9::uuid[] IS NULL
                AND ($10::uuid IS NULL OR j.conversation_id = $10)
                AND ($11::uuid IS NULL OR j.batch_id = $11)
                AND ($12::text IS NULL OR
                    j.errors <> '[]' AND to_tsvector('simple', j.errors) @@ plainto_tsquery('simple', $12))
                ORDER BY j.id DESC OFFSET 0
            ) AS f CROSS JOIN LATERAL (
                SELECT ",
            $columns,
            " FROM jobs j WHERE j.id = f.id AND ",
            has_error!(),
            " OFFSET 0
            ) AS j
            ORDER BY f.id DESC LIMIT $8"
        )
    };
}

/// Those with words in an error among the newest that have failed: where very many have those words, a page of them is
/// here, and the index of words would be asked for all of them.
macro_rules! lately_failed {
    () => {
        concat!(
            "SELECT j.* FROM (
                SELECT * FROM jobs j WHERE j.errors <> '[]' AND j.organization_id = $3 AND j.id < $4 AND j.id >= $5
                ORDER BY j.id DESC LIMIT 1000
            ) AS j WHERE ",
            fits!(),
            " AND $9::uuid[] IS NULL AND $10::uuid IS NULL AND ($11::uuid IS NULL OR j.batch_id = $11) AND ",
            has_error!(),
            " ORDER BY j.id DESC LIMIT $8"
        )
    };
}

/// Binds what all need.
macro_rules! of {
    ($sql:expr, $tenant:expr, $filter:expr, $states:expr, $after:expr, $limit:expr) => {
        diesel::sql_query($sql)
            .bind::<Array<Text>, _>(kinds($filter))
            .bind::<Array<Text>, _>($states)
            .bind::<SqlUuid, _>($tenant.0.0)
            .bind::<SqlUuid, _>(newest($filter.created_before, $after))
            .bind::<SqlUuid, _>(oldest($filter.created_from))
            .bind::<Nullable<Timestamptz>, _>($filter.created_from)
            .bind::<Nullable<Timestamptz>, _>($filter.created_before)
            .bind::<BigInt, _>(rows::limit($limit))
    };
    (few $sql:expr, $tenant:expr, $filter:expr, $states:expr, $after:expr, $limit:expr) => {
        of!($sql, $tenant, $filter, $states, $after, $limit)
            .bind::<Nullable<Array<SqlUuid>>, _>(
                (!$filter.ids.is_empty()).then(|| $filter.ids.iter().map(|id| id.0).collect::<Vec<_>>()),
            )
            .bind::<Nullable<SqlUuid>, _>($filter.conversation_id.map(Uuid::from))
            .bind::<Nullable<SqlUuid>, _>($filter.batch_id.map(Uuid::from))
            .bind::<Nullable<Text>, _>($filter.error.as_deref())
    };
}

/// The statement for what a filter names that few jobs have, made by `$make` around its part; `None` where it names
/// nothing of the sort.
macro_rules! naming {
    ($filter:expr, $make:ident, $columns:literal) => {
        match named($filter) {
            Some(Named::Ids) => Some($make!(matching_ids!($columns))),
            Some(Named::Batch) => Some($make!(matching_batch!($columns))),
            Some(Named::Few) => Some($make!(matching_few!($columns))),
            None => None,
        }
    };
}

macro_rules! plain {
    ($matching:expr) => {
        $matching
    };
}

mod count;

pub(super) use count::count_changes;

/// What to look a filter up by.
enum Named {
    Ids,
    Batch,
    Few,
}

fn named(filter: &JobFilter) -> Option<Named> {
    let few = filter.conversation_id.is_some() || filter.error.is_some();
    match (filter.ids.is_empty(), few, filter.batch_id.is_some()) {
        (false, ..) => Some(Named::Ids),
        (true, true, _) => Some(Named::Few),
        (true, false, true) => Some(Named::Batch),
        (true, false, false) => None,
    }
}

fn kinds(filter: &JobFilter) -> Vec<&'static str> {
    let of_kind = |kind: &JobKind| filter.kinds.is_empty() || filter.kinds.contains(kind);
    let of_queue = |kind: &JobKind| filter.queues.is_empty() || filter.queues.contains(&kind.queue());
    JobKind::ALL.into_iter().filter(of_kind).filter(of_queue).map(JobKind::as_str).collect()
}

fn states(filter: &JobFilter, can: impl Fn(JobState) -> bool) -> Vec<&'static str> {
    let wanted = |state: &JobState| filter.states.is_empty() || filter.states.contains(state);
    JobState::ALL.into_iter().filter(wanted).filter(|state| can(*state)).map(JobState::as_str).collect()
}

/// Ids grow with the time at which they were drawn, by the clock of whoever drew them: an hour is for clocks, and what
/// was created in it is read in vain.
const CLOCKS_MS: i64 = 3_600_000;

fn oldest(from: Option<DateTime<Utc>>) -> Uuid {
    from.map_or(Uuid::nil(), |from| drawn_at(from.timestamp_millis().saturating_sub(CLOCKS_MS)))
}

fn newest(before: Option<DateTime<Utc>>, after: Option<JobId>) -> Uuid {
    let drawn =
        before.map_or(Uuid::max(), |before| drawn_at(before.timestamp_millis().saturating_add(CLOCKS_MS)));
    after.map_or(drawn, |after| drawn.min(after.0))
}

/// The first that could be drawn in the millisecond.
fn drawn_at(ms: i64) -> Uuid {
    const LAST_MS: i64 = (1 << 48) - 1;
    Uuid::from_u128((ms.clamp(0, LAST_MS) as u128) << 80)
}

pub(super) async fn list(
    conn: &mut Connection,
    tenant: Tenant,
    filter: &JobFilter,
    after: Option<JobId>,
    limit: usize,
) -> Step<Vec<Job>> {
    let states = states(filter, |_| true);
    if filter.error.is_some() && filter.ids.is_empty() && filter.conversation_id.is_none() {
        let sql = lately_failed!();
        let found: Vec<Row> = of!(few sql, tenant, filter, states.clone(), after, limit).load(conn).await?;
        if found.len() == limit {
            return read(found);
        }
    }
    let found: Vec<Row> = if let Some(sql) = naming!(filter, plain, "j.*") {
        of!(few sql, tenant, filter, states, after, limit).load(conn).await?
    } else {
        let sql = matching!("j.*");
        of!(sql, tenant, filter, states, after, limit).load(conn).await?
    };
    read(found)
}

#[derive(diesel::QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Ids of jobs of a filter in states of a kind, newest first.
pub(super) async fn matching(
    conn: &mut Connection,
    tenant: Tenant,
    filter: &JobFilter,
    can: impl Fn(JobState) -> bool,
    after: Option<JobId>,
    limit: usize,
) -> Step<Vec<Uuid>> {
    let states = states(filter, can);
    let found: Vec<Id> = if let Some(sql) = naming!(filter, plain, "j.id") {
        of!(few sql, tenant, filter, states, after, limit).load(conn).await?
    } else {
        of!(matching!("j.id"), tenant, filter, states, after, limit).load(conn).await?
    };
    Ok(found.into_iter().map(|row| row.id).collect())
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
    waiting: i64,
    #[diesel(sql_type = BigInt)]
    running: i64,
    #[diesel(sql_type = BigInt)]
    dead: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    oldest_ready_ms: Option<i64>,
    #[diesel(sql_type = BigInt)]
    workers: i64,
    #[diesel(sql_type = Bool)]
    paused: bool,
    #[diesel(sql_type = Nullable<Double>)]
    rate_out: Option<f64>,
    #[diesel(sql_type = Nullable<Double>)]
    rate_in: Option<f64>,
}

/// One row a known queue, in their order. Each part reads one partial index; finished jobs are not looked at.
pub(super) async fn queue_stats(conn: &mut Connection) -> Step<Vec<QueueStats>> {
    let found: Vec<Stats> = diesel::sql_query(concat!(
        "WITH parts AS (
            SELECT queue,
                count(*) FILTER (WHERE run_at <= now()) AS ready,
                count(*) FILTER (WHERE run_at > now()) AS delayed,
                0 AS waiting, 0 AS running, 0 AS dead, min(run_at) FILTER (WHERE run_at <= now()) AS oldest
            FROM jobs WHERE state = 'READY' GROUP BY queue
            UNION ALL
            SELECT queue, 0, 0, 0, count(*), 0, NULL FROM jobs WHERE state = 'RUNNING' GROUP BY queue
            UNION ALL
            SELECT queue, 0, 0, count(*), 0, 0, NULL FROM jobs WHERE state = 'WAITING' GROUP BY queue
            UNION ALL
            SELECT queue, 0, 0, 0, 0, count(*), NULL FROM jobs WHERE state = 'DEAD' GROUP BY queue
            UNION ALL
            SELECT queue, 0, 0, 0, 0, 0, NULL FROM workers CROSS JOIN LATERAL jsonb_object_keys(queues) AS queue
            UNION ALL
            SELECT queue, 0, 0, 0, 0, 0, NULL FROM paused_queues WHERE lane IS NULL
        ), numbers AS (
            SELECT queue, sum(ready)::bigint AS ready, sum(delayed)::bigint AS delayed,
                sum(waiting)::bigint AS waiting, sum(running)::bigint AS running, sum(dead)::bigint AS dead,
                min(oldest) AS oldest
            FROM parts GROUP BY queue
        )
        SELECT n.queue, ready, delayed, waiting, running, dead,
            (extract(epoch FROM now() - oldest) * 1000)::bigint AS oldest_ready_ms,
            (SELECT count(*) FROM workers WHERE queues ? n.queue AND ",
        alive!(),
        ") AS workers,
            EXISTS (SELECT FROM paused_queues p WHERE p.queue = n.queue AND p.lane IS NULL) AS paused,
            ((last.ended - first.ended) / nullif(passed, 0))::float8 AS rate_out,
            ((last.ended - first.ended + last.backlog - first.backlog) / nullif(passed, 0))::float8 AS rate_in
        FROM numbers n
        LEFT JOIN LATERAL (
            SELECT at, ended, backlog FROM queue_samples s WHERE s.queue = n.queue ORDER BY at DESC LIMIT 1
        ) AS last ON true
        LEFT JOIN LATERAL (
            SELECT ended, backlog, extract(epoch FROM last.at - s.at) AS passed FROM queue_samples s
            WHERE s.queue = n.queue AND s.at > last.at - interval '61 seconds' ORDER BY at LIMIT 1
        ) AS first ON true"
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
            waiting: number(|row| row.waiting),
            running: number(|row| row.running),
            dead: number(|row| row.dead),
            oldest_ready_ms: row.and_then(|row| row.oldest_ready_ms).map(i64::unsigned_abs),
            workers: number(|row| row.workers),
            is_paused: row.is_some_and(|row| row.paused),
            rate_in: row.and_then(|row| row.rate_in).map(|rate| rate.max(0.0)),
            rate_out: row.and_then(|row| row.rate_out).map(|rate| rate.max(0.0)),
        }
    };
    Ok(Queue::ALL.into_iter().map(stats).collect())
}

pub(super) async fn waiting_since(conn: &mut Connection, age: Duration) -> Step<Vec<Queue>> {
    let waiting: Vec<Waiting> = diesel::sql_query(
        "SELECT q.queue FROM unnest($1) AS q (queue) CROSS JOIN LATERAL (
            SELECT FROM jobs j
            WHERE j.queue = q.queue AND j.state = 'READY' AND j.run_at < now() - $2 * interval '1 millisecond'
            LIMIT 1
        ) AS j",
    )
    .bind::<Array<Text>, _>(Queue::ALL.map(Queue::as_str).to_vec())
    .bind::<BigInt, _>(milliseconds(age))
    .prepared()
    .load(conn)
    .await?;
    waiting.iter().map(|row| rows::queue(&row.queue)).collect()
}

#[derive(diesel::QueryableByName)]
struct Waiting {
    #[diesel(sql_type = Text)]
    queue: String,
}

/// Ten minutes of samples are kept; rates look at one.
pub(super) async fn sample(conn: &mut Connection) -> Step<()> {
    diesel::sql_query(
        "WITH old AS (
            DELETE FROM queue_samples WHERE at < now() - interval '10 minutes'
        ), backlogs AS (
            SELECT queue, count(*) AS jobs FROM jobs WHERE state = 'READY' GROUP BY queue
            UNION ALL
            SELECT queue, count(*) FROM jobs WHERE state = 'RUNNING' GROUP BY queue
            UNION ALL
            SELECT queue, count(*) FROM jobs WHERE state = 'WAITING' GROUP BY queue
        )
        INSERT INTO queue_samples (queue, ended, backlog)
        SELECT queue, coalesce(max(t.ended), 0), coalesce(sum(b.jobs), 0)
        FROM queue_totals t FULL JOIN backlogs b USING (queue) GROUP BY queue
        ON CONFLICT DO NOTHING",
    )
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
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
        SELECT queue, 'RUNNING', count(*) FROM jobs WHERE state = 'RUNNING' GROUP BY queue
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
