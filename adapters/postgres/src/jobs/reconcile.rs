//! Giving back what nobody sees to any more: jobs whose lease ran out, dispatches that nobody claimed.

use colloquy_domain::{jobs::Queue, ports::jobs::Follow};
use diesel::sql_types::{Array, BigInt, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

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
                claim_token = NULL, worker = NULL, deadline = NULL, paid = false
            FROM gone g WHERE j.id = ANY(ARRAY(SELECT id FROM gone)) AND j.id = g.id
            RETURNING j.*, NULL::uuid AS token, 0 AS cost, false AS skipped, 0 AS used
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
            SELECT id FROM jobs WHERE kind = ANY($2) AND state IN ('WAITING', 'READY')
            LIMIT $1 FOR UPDATE SKIP LOCKED
        ), retired AS (
            UPDATE jobs j SET state = 'CANCELLED', finished_at = now(),
                errors = j.errors || jsonb_build_object('attempt', j.attempts, 'at', now(), 'message', $3)
            FROM old o WHERE j.id = ANY(ARRAY(SELECT id FROM old)) AND j.id = o.id
            RETURNING j.*, 0 AS cost, false AS skipped, 0 AS used
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

#[derive(diesel::QueryableByName)]
struct Missed {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    queue: String,
}

/// Their jobs wait again. A queue that only a later release knows is that one's to tidy up.
pub(super) async fn missed_dispatches(conn: &mut Connection) -> Step<Vec<(Queue, Uuid)>> {
    let sql = "DELETE FROM dispatches WHERE deadline < now() RETURNING id, queue";
    let missed: Vec<Missed> = diesel::sql_query(sql).prepared().load(conn).await?;
    Ok(missed.into_iter().filter_map(|row| Some((row.queue.parse().ok()?, row.id))).collect())
}
