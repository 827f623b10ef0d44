//! Choosing what runs next, and putting it on its way. What is dispatched is only as much as the window
//! holds, so that priority and fairness decide about all that comes later.

use std::time::Duration;

use colloquy_domain::ports::jobs::{Dispatch, DispatchPlan, Dispatched};
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::statement::Prepare;
use crate::{errors::Step, follow::milliseconds, jobs::known_kinds, pool::Connection, rows};

/// Due jobs of one queue in the order in which they should run: by priority, then fairly between lanes, then by
/// age; `turn` numbers them. The arguments are SQL for the queue, for how many, and for the known kinds.
///
/// The walk hops through the index from lane to lane (a loose index scan), and takes from each no more than
/// is wanted in all: a tenant's hundred thousand waiting jobs cost no more than its first `limit`. A lane's
/// turns are counted from what it has under way, so that it is fair also where one job is picked at a time.
macro_rules! pick {
    ($queue:literal, $limit:literal, $kinds:literal) => {
        concat!(
            "WITH RECURSIVE lanes AS (
                (SELECT j.priority, j.lane, j.run_at FROM jobs j WHERE j.queue = ",
            $queue,
            " AND j.state = 'READY'
                ORDER BY j.priority DESC, j.lane DESC, j.run_at LIMIT 1)
                UNION ALL
                SELECT next.* FROM lanes l CROSS JOIN LATERAL (
                    SELECT j.priority, j.lane, j.run_at FROM jobs j
                    WHERE j.queue = ",
            $queue,
            " AND j.state = 'READY' AND (j.priority, j.lane) < (l.priority, l.lane)
                    ORDER BY j.priority DESC, j.lane DESC, j.run_at LIMIT 1
                ) AS next
            ), under_way AS (
                SELECT u.lane, count(*) AS jobs FROM jobs u
                WHERE u.queue = ",
            $queue,
            " AND u.state IN ('DISPATCHED', 'RUNNING') GROUP BY u.lane
            )
            SELECT of_lane.id, of_lane.suspect, row_number() OVER (
                ORDER BY l.priority DESC, coalesce(u.jobs, 0) + of_lane.place, of_lane.run_at, of_lane.id) AS turn
            FROM lanes l LEFT JOIN under_way u USING (lane) CROSS JOIN LATERAL (
                SELECT j.id, j.run_at, j.suspect, row_number() OVER (ORDER BY j.run_at, j.id) AS place
                FROM jobs j
                WHERE j.queue = ",
            $queue,
            " AND j.state = 'READY' AND j.priority = l.priority AND j.lane = l.lane
                    AND j.run_at <= now() AND j.kind = ANY(",
            $kinds,
            ")
                ORDER BY j.run_at, j.id LIMIT ",
            $limit,
            "
            ) AS of_lane
            WHERE l.run_at <= now()
            ORDER BY turn LIMIT ",
            $limit
        )
    };
}
pub(super) use pick;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<SqlUuid>)]
    dispatch_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    queue: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    jobs: Option<i64>,
    #[diesel(sql_type = Bool)]
    full: bool,
    #[diesel(sql_type = Nullable<BigInt>)]
    wait_ms: Option<i64>,
}

/// All queues in one statement, since each costs a turn of the relay. Chunks are full ones in order, and one of
/// its own for a suspect. Whoever took a job meanwhile has it.
pub(super) async fn dispatch(
    conn: &mut Connection,
    plans: &[DispatchPlan],
    deadline: Duration,
) -> Step<Dispatched> {
    let rows: Vec<Row> = diesel::sql_query(concat!(
        "WITH plan AS MATERIALIZED (
            SELECT p.queue, p.chunk, p.places - (
                SELECT count(*) FROM jobs d WHERE d.queue = p.queue AND d.state = 'DISPATCHED') AS room
            FROM unnest($1, $2, $3) AS p (queue, places, chunk)
        ), due AS MATERIALIZED (
            SELECT p.queue, d.id, d.suspect, d.turn, CASE WHEN d.suspect THEN d.turn ELSE
                (row_number() OVER (PARTITION BY p.queue, d.suspect ORDER BY d.turn) - 1) / p.chunk
                END AS chunk
            FROM plan p CROSS JOIN LATERAL (",
        pick!("p.queue", "p.room", "$5"),
        ") AS d
            WHERE p.room > 0
        ), free AS MATERIALIZED (
            SELECT id FROM jobs WHERE id = ANY(ARRAY(SELECT id FROM due)) AND state = 'READY'
            FOR UPDATE SKIP LOCKED
        ), chunks AS MATERIALIZED (
            SELECT queue, suspect, chunk, min(turn) AS turn, gen_random_uuid() AS dispatch_id
            FROM due JOIN free USING (id) GROUP BY queue, suspect, chunk
        ), sent AS (
            UPDATE jobs j SET state = 'DISPATCHED', dispatch_id = c.dispatch_id,
                deadline = now() + $4 * interval '1 millisecond'
            FROM due d JOIN free USING (id) JOIN chunks c USING (queue, suspect, chunk)
            WHERE j.id = d.id
            RETURNING j.dispatch_id
        ), told AS (
            SELECT c.queue, c.turn, c.dispatch_id, count(*) AS jobs
            FROM sent JOIN chunks c USING (dispatch_id) GROUP BY c.queue, c.turn, c.dispatch_id
        )
        SELECT t.queue, t.dispatch_id, t.jobs, state.* FROM (
            SELECT
                EXISTS (
                    SELECT FROM plan p WHERE p.room <= (SELECT count(*) FROM due d WHERE d.queue = p.queue)
                ) AS full,
                (SELECT (extract(epoch FROM w.run_at - now()) * 1000)::bigint FROM jobs w
                    WHERE w.state = 'READY' AND w.run_at > w.created_at AND w.run_at > now()
                    ORDER BY w.run_at LIMIT 1) AS wait_ms
        ) AS state LEFT JOIN told t ON true ORDER BY t.turn"
    ))
    .bind::<Array<Text>, _>(plans.iter().map(|plan| plan.queue.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(plans.iter().map(|plan| rows::limit(plan.window)).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(plans.iter().map(|plan| rows::limit(plan.chunk)).collect::<Vec<_>>())
    .bind::<BigInt, _>(milliseconds(deadline))
    .bind::<Array<Text>, _>(known_kinds())
    .prepared()
    .load(conn)
    .await?;
    let mut dispatched = Dispatched::default();
    for row in rows {
        dispatched.is_full = row.full;
        dispatched.next_due = row.wait_ms.map(|ms| Duration::from_millis(ms.unsigned_abs()));
        if let (Some(id), Some(queue), Some(jobs)) = (row.dispatch_id, row.queue, row.jobs) {
            let queue = rows::queue(&queue)?;
            dispatched.dispatches.push(Dispatch { id, queue, jobs: jobs as usize });
        }
    }
    Ok(dispatched)
}

pub(super) async fn recall(conn: &mut Connection, dispatches: &[Uuid]) -> Step<()> {
    diesel::sql_query(
        "UPDATE jobs SET state = 'READY', dispatch_id = NULL, deadline = NULL
        WHERE dispatch_id = ANY($1) AND state = 'DISPATCHED'",
    )
    .bind::<Array<SqlUuid>, _>(dispatches)
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}
