//! Choosing what runs next, and putting it on its way. What is dispatched is only as much as the window
//! holds, so that priority and fairness decide about all that comes later.

use std::time::Duration;

use colloquy_domain::{
    jobs::Queue,
    ports::jobs::{Dispatch, DispatchPlan},
};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{errors::Step, follow::milliseconds, jobs::known_kinds, pool::Connection, rows, rows::Count};

#[derive(diesel::QueryableByName)]
pub(super) struct Due {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: Uuid,
    #[diesel(sql_type = Bool)]
    pub(super) suspect: bool,
}

/// Due jobs in the order in which they should run: by priority, then fairly between lanes, then by age.
///
/// The walk hops through the index from lane to lane (a loose index scan), and takes from each no more than
/// is wanted in all: a tenant's hundred thousand waiting jobs cost no more than its first `limit`. A lane's
/// turns are counted from what it has under way, so that it is fair also where one job is picked at a time.
pub(super) async fn pick(conn: &mut Connection, queue: Queue, limit: i64) -> Step<Vec<Due>> {
    Ok(diesel::sql_query(
        "WITH RECURSIVE lanes AS (
            (SELECT priority, lane, run_at FROM jobs WHERE queue = $1 AND state = 'READY'
            ORDER BY priority DESC, lane DESC, run_at LIMIT 1)
            UNION ALL
            SELECT next.* FROM lanes l CROSS JOIN LATERAL (
                SELECT j.priority, j.lane, j.run_at FROM jobs j
                WHERE j.queue = $1 AND j.state = 'READY' AND (j.priority, j.lane) < (l.priority, l.lane)
                ORDER BY j.priority DESC, j.lane DESC, j.run_at LIMIT 1
            ) AS next
        ), under_way AS (
            SELECT lane, count(*) AS jobs FROM jobs
            WHERE queue = $1 AND state IN ('DISPATCHED', 'RUNNING') GROUP BY lane
        )
        SELECT due.id, due.suspect
        FROM lanes l LEFT JOIN under_way u USING (lane) CROSS JOIN LATERAL (
            SELECT j.id, j.run_at, j.suspect, row_number() OVER (ORDER BY j.run_at, j.id) AS place
            FROM jobs j
            WHERE j.queue = $1 AND j.state = 'READY' AND j.priority = l.priority AND j.lane = l.lane
                AND j.run_at <= now() AND j.kind = ANY($2)
            ORDER BY j.run_at, j.id LIMIT $3
        ) AS due
        WHERE l.run_at <= now()
        ORDER BY l.priority DESC, coalesce(u.jobs, 0) + due.place, due.run_at, due.id
        LIMIT $3",
    )
    .bind::<Text, _>(queue.as_str())
    .bind::<Array<Text>, _>(known_kinds())
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?)
}

#[derive(diesel::QueryableByName)]
struct Sent {
    #[diesel(sql_type = SqlUuid)]
    dispatch_id: Uuid,
    #[diesel(sql_type = BigInt)]
    jobs: i64,
}

pub(super) async fn dispatch(conn: &mut Connection, plan: DispatchPlan) -> Step<Vec<Dispatch>> {
    let waiting: Count =
        diesel::sql_query("SELECT count(*) AS count FROM jobs WHERE queue = $1 AND state = 'DISPATCHED'")
            .bind::<Text, _>(plan.queue.as_str())
            .get_result(conn)
            .await?;
    let room = rows::limit(plan.window) - waiting.count;
    if room <= 0 {
        return Ok(Vec::new());
    }
    let due = pick(conn, plan.queue, room).await?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let chunks = chunk(&due, plan.chunk);
    // Whoever took one of them meanwhile has it.
    let sent: Vec<Sent> = diesel::sql_query(
        "WITH plan AS MATERIALIZED (
            SELECT id, chunk FROM unnest($1, $2) AS plan (id, chunk)
        ), chunks AS MATERIALIZED (
            SELECT chunk, gen_random_uuid() AS dispatch_id FROM plan GROUP BY chunk
        ), free AS MATERIALIZED (
            SELECT id FROM jobs WHERE id = ANY($1) AND state = 'READY' FOR UPDATE SKIP LOCKED
        ), sent AS (
            UPDATE jobs j SET state = 'DISPATCHED', dispatch_id = c.dispatch_id,
                deadline = now() + $3 * interval '1 millisecond'
            FROM plan p JOIN chunks c USING (chunk)
            WHERE j.id = p.id AND j.id = ANY(ARRAY(SELECT id FROM free))
            RETURNING j.dispatch_id, p.chunk
        )
        SELECT dispatch_id, count(*) AS jobs FROM sent GROUP BY dispatch_id, chunk ORDER BY chunk",
    )
    .bind::<Array<SqlUuid>, _>(due.iter().map(|job| job.id).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(chunks)
    .bind::<BigInt, _>(milliseconds(plan.deadline))
    .load(conn)
    .await?;
    Ok(sent.into_iter().map(|one| Dispatch { id: one.dispatch_id, jobs: one.jobs as usize }).collect())
}

/// The chunk of each job, by number: full ones in order, and one of its own for a suspect.
fn chunk(due: &[Due], size: usize) -> Vec<i32> {
    let (mut last, mut open, mut filled) = (-1, -1, 0);
    let mut chunks = Vec::with_capacity(due.len());
    for job in due {
        if job.suspect {
            last += 1;
            chunks.push(last);
            continue;
        }
        if open < 0 || filled >= size {
            last += 1;
            (open, filled) = (last, 0);
        }
        filled += 1;
        chunks.push(open);
    }
    chunks
}

pub(super) async fn recall(conn: &mut Connection, dispatches: &[Uuid]) -> Step<()> {
    diesel::sql_query(
        "UPDATE jobs SET state = 'READY', dispatch_id = NULL, deadline = NULL
        WHERE dispatch_id = ANY($1) AND state = 'DISPATCHED'",
    )
    .bind::<Array<SqlUuid>, _>(dispatches)
    .execute(conn)
    .await?;
    Ok(())
}

#[derive(diesel::QueryableByName)]
struct Wait {
    #[diesel(sql_type = Nullable<BigInt>)]
    wait_ms: Option<i64>,
}

#[derive(diesel::QueryableByName)]
struct Waiting {
    #[diesel(sql_type = Text)]
    queue: String,
}

/// One look into the index a queue.
pub(super) async fn waiting_queues(conn: &mut Connection) -> Step<Vec<Queue>> {
    let names: Vec<&str> = Queue::ALL.iter().map(|queue| queue.as_str()).collect();
    let rows: Vec<Waiting> = diesel::sql_query(
        "SELECT q.queue FROM unnest($1) AS q (queue) CROSS JOIN LATERAL (
            SELECT 1 FROM jobs j WHERE j.queue = q.queue AND j.state = 'READY' LIMIT 1
        ) AS waiting",
    )
    .bind::<Array<Text>, _>(names)
    .load(conn)
    .await?;
    Ok(rows.iter().filter_map(|row| row.queue.parse().ok()).collect())
}

pub(super) async fn next_due(conn: &mut Connection) -> Step<Option<Duration>> {
    // `run_at > created_at` is the index's condition: what never had to wait is not in it.
    let next: Wait = diesel::sql_query(
        "SELECT (extract(epoch FROM min(run_at) - now()) * 1000)::bigint AS wait_ms
        FROM jobs WHERE state = 'READY' AND run_at > created_at AND run_at > now()",
    )
    .get_result(conn)
    .await?;
    Ok(next.wait_ms.map(|ms| Duration::from_millis(ms.unsigned_abs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_full_and_in_order_and_a_suspect_has_one_of_its_own() {
        let chunks = |suspects: &[bool], size| {
            let job = |suspect: &bool| Due { id: Uuid::nil(), suspect: *suspect };
            chunk(&suspects.iter().map(job).collect::<Vec<_>>(), size)
        };
        assert_eq!(chunks(&[false; 5], 2), [0, 0, 1, 1, 2]);
        assert_eq!(chunks(&[false, true, false, true, false], 2), [0, 1, 0, 2, 3]);
        assert_eq!(chunks(&[true, true], 10), [0, 1]);
        assert!(chunks(&[], 3).is_empty());
    }
}
