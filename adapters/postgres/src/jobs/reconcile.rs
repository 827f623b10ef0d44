//! Giving back what nobody sees to any more: jobs whose lease ran out, dispatches that nobody claimed.

use colloquy_domain::ports::jobs::Follow;
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::RunQueryDsl;

use super::complete::{After, after, failed, settle};
use crate::{
    errors::Step,
    follow::{self, Raised, tell},
    pool::Connection,
    statement::Prepare,
};

/// Jobs given back in one transaction.
pub(super) const BATCH: usize = 500;

const VANISHED: &str = "the worker vanished while the job ran";
const RETIRED: &str = "this kind of job was retired: nothing runs it any more";

/// How many there were, at most [`BATCH`]. Each is a suspect from now on; one that was so before and had begun
/// has paid for the attempt, and dies with its last one.
pub(super) async fn expired_leases(conn: &mut Connection) -> Step<(usize, Raised)> {
    let after: Vec<After> = diesel::sql_query(concat!(
        "WITH gone AS MATERIALIZED (
            SELECT id, CASE
                WHEN cancel_requested_at IS NOT NULL THEN 'CANCELLED'
                WHEN paid AND attempts >= max_attempts THEN 'DEAD'
                ELSE 'READY' END AS next
            FROM jobs WHERE state = 'RUNNING' AND deadline < now()
            ORDER BY deadline LIMIT $1 FOR UPDATE SKIP LOCKED
        ), given_back AS (
            UPDATE jobs j SET
                state = g.next,
                suspect = true,
                -- A suspect that has not begun is not why.
                errors = CASE WHEN j.suspect AND NOT j.paid THEN j.errors ELSE j.errors || jsonb_build_object(
                    'attempt', j.attempts + (NOT j.paid)::int, 'at', now(), 'message', $2) END,
                finished_at = CASE WHEN g.next <> 'READY' THEN now() END,
                dispatch_id = NULL, claim_token = NULL, worker = NULL, deadline = NULL, paid = false
            FROM gone g WHERE j.id = g.id
            RETURNING j.*, NULL::uuid AS token, 0 AS cost, false AS skipped
        ), ",
        settle!("given_back"),
        ", told AS (",
        tell!("given_back"),
        ") ",
        after!("given_back", "false")
    ))
    .bind::<BigInt, _>(BATCH as i64)
    .bind::<Text, _>(VANISHED)
    .prepared()
    .load(conn)
    .await?;
    let follow = Follow { jobs: Vec::new(), events: after.iter().filter_map(failed).collect() };
    let told = after.iter().any(|job| job.organization_id.is_some());
    let raised = Raised { jobs: !after.is_empty(), events: told };
    Ok((after.len(), raised.and(follow::write(conn, &follow).await?)))
}

/// The leases of one worker run out now; how many those were.
pub(super) async fn abandon(conn: &mut Connection, worker: &str) -> Step<usize> {
    Ok(diesel::sql_query(
        "WITH left_behind AS (DELETE FROM workers WHERE name = $1)
        UPDATE jobs SET deadline = now() - interval '1 millisecond' WHERE worker = $1 AND state = 'RUNNING'",
    )
    .bind::<Text, _>(worker)
    .prepared()
    .execute(conn)
    .await?)
}

/// Cancels what waits of kinds that nothing does any more; how many, at most [`BATCH`].
pub(super) async fn retire(conn: &mut Connection, kinds: &[&str]) -> Step<(usize, Raised)> {
    if kinds.is_empty() {
        return Ok((0, Raised::default()));
    }
    let retired = diesel::sql_query(concat!(
        "WITH old AS MATERIALIZED (
            SELECT id FROM jobs WHERE kind = ANY($2) AND state IN ('WAITING', 'READY', 'DISPATCHED')
            LIMIT $1 FOR UPDATE SKIP LOCKED
        ), retired AS (
            UPDATE jobs j SET state = 'CANCELLED', finished_at = now(), dispatch_id = NULL, deadline = NULL,
                errors = j.errors || jsonb_build_object('attempt', j.attempts, 'at', now(), 'message', $3)
            FROM old o WHERE j.id = o.id
            RETURNING j.*, 0 AS cost, false AS skipped
        ), ",
        settle!("retired"),
        " ",
        tell!("retired")
    ))
    .bind::<BigInt, _>(BATCH as i64)
    .bind::<Array<Text>, _>(kinds)
    .bind::<Text, _>(RETIRED)
    .prepared()
    .execute(conn)
    .await?;
    Ok((retired, Raised { jobs: false, events: retired > 0 }))
}

pub(super) struct Missed {
    pub(super) dispatches: usize,
    pub(super) raised: Raised,
}

#[derive(diesel::QueryableByName)]
struct Numbers {
    #[diesel(sql_type = BigInt)]
    jobs: i64,
    #[diesel(sql_type = BigInt)]
    dispatches: i64,
}

pub(super) async fn missed_dispatches(conn: &mut Connection) -> Step<Missed> {
    let mut missed = Missed { dispatches: 0, raised: Raised::default() };
    loop {
        let batch: Numbers = diesel::sql_query(
            "WITH late AS MATERIALIZED (
                SELECT id, dispatch_id FROM jobs WHERE state = 'DISPATCHED' AND deadline < now()
                ORDER BY deadline LIMIT $1 FOR UPDATE SKIP LOCKED
            ), given_back AS (
                UPDATE jobs j SET state = 'READY', dispatch_id = NULL, deadline = NULL
                FROM late l WHERE j.id = l.id RETURNING l.dispatch_id
            )
            SELECT count(*) AS jobs, count(DISTINCT dispatch_id) AS dispatches FROM given_back",
        )
        .bind::<BigInt, _>(BATCH as i64)
        .prepared()
        .get_result(conn)
        .await?;
        missed.dispatches += batch.dispatches as usize;
        missed.raised.jobs |= batch.jobs > 0;
        if batch.jobs < BATCH as i64 {
            return Ok(missed);
        }
    }
}
