//! Taking jobs under a fresh token each, and keeping them.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};
use colloquy_domain::{
    ids::{ClaimToken, JobId, OrganizationId},
    jobs::{Claim, ClaimedJob, JobKind},
    ports::jobs::{ClaimFrom, Completion, Ending, Follow, Lease},
};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::statement::Prepare;
use crate::{
    errors::Step,
    follow::{Raised, milliseconds, tell},
    jobs::{dispatch::pick, known_kinds},
    pool::Connection,
    rows,
};

/// Before a job is tried again whose payload this release does not understand: perhaps by a later one.
const NOT_UNDERSTOOD: Duration = Duration::from_secs(60);

pub(super) struct Claimed {
    pub(super) jobs: Vec<ClaimedJob>,
    /// Endings of those that this release cannot run.
    pub(super) refused: Vec<Completion>,
    pub(super) raised: Raised,
}

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    claim_token: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    dispatch_id: Option<Uuid>,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    organization_id: Option<Uuid>,
    #[diesel(sql_type = Jsonb)]
    payload: Value,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = Bool)]
    suspect: bool,
    #[diesel(sql_type = Integer)]
    max_attempts: i32,
    #[diesel(sql_type = Nullable<Text>)]
    traceparent: Option<String>,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
}

/// The statement that claims the rows that a condition (on `$4` and the known kinds `$1`) names. A suspect
/// pays for its attempt now, since it may not live to pay later.
macro_rules! claim_where {
    ($($condition:expr),+) => {
        concat!(
            "WITH claimed AS (
                UPDATE jobs SET state = 'RUNNING', claim_token = gen_random_uuid(), worker = $2,
                    deadline = now() + $3 * interval '1 millisecond',
                    started_at = coalesce(started_at, now()), attempts = attempts + suspect::int
                WHERE kind = ANY($1) AND ",
            $($condition,)+
            " RETURNING *
            ), told AS (",
            tell!("claimed"),
            ")
            SELECT id, claim_token, dispatch_id, kind, organization_id, payload, attempts, suspect, max_attempts,
                traceparent, created_at
            FROM claimed ORDER BY priority DESC, run_at, id"
        )
    };
}

pub(super) async fn claim(
    conn: &mut Connection,
    from: ClaimFrom,
    worker: &str,
    lease: Duration,
) -> Step<Claimed> {
    let rows: Vec<Row> = match from {
        ClaimFrom::Dispatches(dispatches) => {
            diesel::sql_query(claim_where!("dispatch_id = ANY($4) AND state = 'DISPATCHED'"))
                .bind::<Array<Text>, _>(known_kinds())
                .bind::<Text, _>(worker)
                .bind::<BigInt, _>(milliseconds(lease))
                .bind::<Array<SqlUuid>, _>(dispatches)
                .prepared()
                .load(conn)
                .await?
        }
        ClaimFrom::Queue { queue, limit } => {
            // Everything up to the first suspect, or that one alone.
            diesel::sql_query(claim_where!(
                "id = ANY(ARRAY(
                    WITH due AS MATERIALIZED (",
                pick!("$4", "$5", "$1"),
                ")
                    SELECT j.id FROM jobs j JOIN due USING (id)
                    WHERE j.state = 'READY' AND (turn = 1
                        OR turn < coalesce((SELECT min(turn) FROM due WHERE suspect), 1 + $5))
                    FOR UPDATE OF j SKIP LOCKED
                ))"
            ))
            .bind::<Array<Text>, _>(known_kinds())
            .bind::<Text, _>(worker)
            .bind::<BigInt, _>(milliseconds(lease))
            .bind::<Text, _>(queue.as_str())
            .bind::<BigInt, _>(rows::limit(limit))
            .prepared()
            .load(conn)
            .await?
        }
    };
    let told = rows.iter().any(|row| row.organization_id.is_some());
    let mut jobs = Vec::with_capacity(rows.len());
    let mut refused = Vec::new();
    for row in rows {
        let claim = Claim { job_id: JobId(row.id), token: ClaimToken(row.claim_token) };
        match (JobKind::from_name(&row.kind), serde_json::from_value(row.payload)) {
            (Some(kind), Ok(payload)) => jobs.push(ClaimedJob {
                claim,
                dispatch_id: row.dispatch_id,
                kind,
                organization_id: row.organization_id.map(OrganizationId),
                payload,
                attempt: (row.attempts + i32::from(!row.suspect)) as u32,
                max_attempts: row.max_attempts as u32,
                traceparent: row.traceparent,
                created_at: row.created_at,
            }),
            _ => refused.push(not_understood(claim)),
        }
    }
    Ok(Claimed { raised: Raised { jobs: false, events: told }, jobs, refused })
}

fn not_understood(claim: Claim) -> Completion {
    let message = "this release does not understand the job's payload".to_owned();
    Completion { claim, ending: Ending::Retry { message, delay: NOT_UNDERSTOOD }, follow: Follow::default() }
}

#[derive(diesel::QueryableByName)]
struct Held {
    #[diesel(sql_type = SqlUuid)]
    claim_token: Uuid,
}

pub(super) async fn extend(conn: &mut Connection, claims: &[Claim], lease: Duration) -> Step<Vec<Lease>> {
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let held: Vec<Held> = diesel::sql_query(
        "UPDATE jobs j SET deadline = now() + $3 * interval '1 millisecond'
        FROM unnest($1, $2) AS claim (id, token)
        WHERE j.id = claim.id AND j.claim_token = claim.token AND j.state = 'RUNNING'
        RETURNING j.claim_token",
    )
    .bind::<Array<SqlUuid>, _>(claims.iter().map(|claim| claim.job_id.0).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(claims.iter().map(|claim| claim.token.0).collect::<Vec<_>>())
    .bind::<BigInt, _>(milliseconds(lease))
    .prepared()
    .load(conn)
    .await?;
    let held: HashSet<_> = held.into_iter().map(|row| row.claim_token).collect();
    let answer = |claim: &Claim| {
        if held.contains(&claim.token.0) { Lease::Held } else { Lease::Lost }
    };
    Ok(claims.iter().map(answer).collect())
}
