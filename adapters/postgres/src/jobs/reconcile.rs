//! Giving back what nobody sees to any more: jobs whose lease ran out, dispatches that nobody claimed.

use colloquy_domain::ports::jobs::Follow;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;

use super::complete::{After, after, failed};
use crate::statement::Prepare;
use crate::{
    errors::Step,
    follow::{self, Raised, tell},
    pool::Connection,
};

/// Jobs given back in one transaction.
pub(super) const BATCH: usize = 500;

const VANISHED: &str = "the worker vanished while the job ran";

/// How many there were, at most [`BATCH`]. Each is a suspect from now on; one that was so before has paid for
/// the attempt, and dies with its last one.
pub(super) async fn expired_leases(conn: &mut Connection) -> Step<(usize, Raised)> {
    let after: Vec<After> = diesel::sql_query(concat!(
        "WITH gone AS MATERIALIZED (
            SELECT id, suspect AND attempts >= max_attempts AS dies FROM jobs
            WHERE state = 'RUNNING' AND deadline < now()
            ORDER BY deadline LIMIT $1 FOR UPDATE SKIP LOCKED
        ), given_back AS (
            UPDATE jobs j SET
                state = CASE WHEN dies THEN 'DEAD' ELSE 'READY' END,
                suspect = true,
                errors = j.errors || jsonb_build_object(
                    'attempt', j.attempts + (NOT j.suspect)::int, 'at', now(), 'message', $2),
                finished_at = CASE WHEN dies THEN now() END,
                dispatch_id = NULL, claim_token = NULL, worker = NULL, deadline = NULL
            FROM gone g WHERE j.id = g.id
            RETURNING j.*, NULL::uuid AS token
        ), told AS (",
        tell!("given_back"),
        ") ",
        after!("given_back")
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
