//! Taking jobs under a fresh token each, and keeping them.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use colloquy_domain::{
    ids::{ClaimToken, JobId, OrganizationId},
    jobs::{BatchShare, Claim, ClaimedJob, JobKind, limits::JobLimits},
    money::MicroDollars,
    ports::jobs::{ClaimFrom, Completion, Ending, Lease},
};
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    errors::Step,
    follow::{Raised, milliseconds, tell},
    jobs::{
        dispatch::{SUSPECTS, fitting, no_streams, pick, rooms, running, streams, waiting},
        known_kinds,
        limits::{self, Picked, Rooms},
    },
    pool::Connection,
    rows,
    statement::Prepare,
};

/// Before a job is tried again whose payload this release does not understand: perhaps by a later one.
const NOT_UNDERSTOOD: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Claimed {
    pub(super) jobs: Vec<ClaimedJob>,
    /// Endings of those that this release cannot run.
    pub(super) refused: Vec<Completion>,
    pub(super) raised: Raised,
    picked: Picked,
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
    #[diesel(sql_type = Text)]
    provider: String,
    #[diesel(sql_type = SmallInt)]
    payload_version: i16,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    batch_id: Option<Uuid>,
    #[diesel(sql_type = BigInt)]
    reserved: i64,
}

/// The statement that claims those jobs of a WITH query (`job_id`, with the dispatch that brought each) that wait and
/// are of the known kinds `$1`.
///
/// The state is compared in a way that the planner cannot match with an index: rows are looked up by id, even where
/// it takes the queue for empty, as it does before it has learnt how a queue has grown.
macro_rules! claim_wanted {
    ($($wanted:expr),+) => {
        concat!(
            "WITH RECURSIVE ",
            $($wanted,)+
            ", paused AS MATERIALIZED (
                SELECT queue, lane FROM paused_queues
            ), claimed AS (
                UPDATE jobs SET state = 'RUNNING', claim_token = gen_random_uuid(), worker = $2,
                    deadline = now() + $3 * interval '1 millisecond',
                    started_at = coalesce(started_at, now())
                WHERE id = ANY(ARRAY(SELECT job_id FROM wanted)) AND state || '' = 'READY' AND kind = ANY($1)
                    AND run_at <= now() AND NOT EXISTS (
                        SELECT FROM paused p
                        WHERE p.queue = jobs.queue AND (p.lane IS NULL OR p.lane = jobs.lane))
                    AND (NOT suspect OR EXISTS (SELECT FROM wanted w WHERE w.job_id = jobs.id AND w.apart))
                RETURNING *
            ), told AS (",
            tell!("claimed"),
            ")
            SELECT c.id, claim_token, dispatch_id, kind, organization_id, payload, attempts, suspect, max_attempts,
                traceparent, created_at, provider, payload_version, batch_id, reserved
            FROM claimed c JOIN wanted w ON w.job_id = c.id ORDER BY priority DESC, run_at, c.id"
        )
    };
}

pub(super) async fn claim(
    conn: &mut Connection,
    from: &ClaimFrom,
    worker: &str,
    lease: Duration,
    rooms: &Rooms,
) -> Step<Claimed> {
    let rows: Vec<Row> = match from {
        ClaimFrom::Dispatches(dispatches) => {
            diesel::sql_query(claim_wanted!(
                "taken AS (
                    DELETE FROM dispatches WHERE id = ANY($4) RETURNING id, job_ids, suspect
                ), wanted AS MATERIALIZED (
                    SELECT DISTINCT ON (job_id) u.job_id, t.id AS dispatch_id,
                        t.suspect OR cardinality(t.job_ids) = 1 AS apart
                    FROM taken t CROSS JOIN LATERAL unnest(t.job_ids) AS u (job_id)
                )"
            ))
            .bind::<Array<Text>, _>(known_kinds())
            .bind::<Text, _>(worker)
            .bind::<BigInt, _>(milliseconds(lease))
            .bind::<Array<SqlUuid>, _>(dispatches)
            .prepared()
            .load(conn)
            .await?
        }
        ClaimFrom::Queue { queue, limit } => {
            // Everything up to the first suspect, or, where that is the first of all, suspects alone.
            diesel::sql_query(claim_wanted!(
                rooms!("$6", "$7", "$8", "$9", "'-infinity'", running!("true")),
                ", ",
                streams!(no_streams!(), "true", "SELECT $4 AS queue"),
                ", picked AS MATERIALIZED (",
                pick!("$4", "least($5, $11)", "$1", "$10", "SELECT NULL::uuid WHERE false", "true"),
                "), due AS MATERIALIZED (",
                fitting!("picked"),
                "), first AS (
                    SELECT suspect FROM due ORDER BY turn LIMIT 1
                ), wanted AS MATERIALIZED (
                    SELECT d.id AS job_id, NULL::uuid AS dispatch_id, true AS apart
                    FROM due d CROSS JOIN LATERAL (
                        SELECT FROM jobs l WHERE l.id = d.id AND l.state || '' = 'READY' FOR UPDATE SKIP LOCKED
                    ) AS free
                    WHERE turn < coalesce((SELECT min(o.turn) FROM due o CROSS JOIN first f
                            WHERE o.suspect <> f.suspect), 1 + $5)
                        AND (NOT d.suspect OR turn <= $12)
                )"
            ))
            .bind::<Array<Text>, _>(known_kinds())
            .bind::<Text, _>(worker)
            .bind::<BigInt, _>(milliseconds(lease))
            .bind::<Text, _>(queue.as_str())
            .bind::<BigInt, _>(rows::limit(*limit))
            .bind::<Array<SqlUuid>, _>(&rooms.lanes)
            .bind::<Array<BigInt>, _>(&rooms.lane_rooms)
            .bind::<Array<Text>, _>(&rooms.providers)
            .bind::<Array<BigInt>, _>(&rooms.provider_rooms)
            .bind::<Nullable<BigInt>, _>(rooms.any_lane)
            .bind::<BigInt, _>(rooms.of(*queue))
            .bind::<BigInt, _>(SUSPECTS)
            .prepared()
            .load(conn)
            .await?
        }
    };
    let told = rows.iter().any(|row| row.organization_id.is_some());
    let mut claimed = Claimed { raised: Raised { jobs: false, events: told }, ..Claimed::default() };
    for row in rows {
        let claim = Claim { job_id: JobId(row.id), token: ClaimToken(row.claim_token) };
        let known =
            JobKind::from_name(&row.kind).filter(|kind| row.payload_version as u16 <= kind.payload_version());
        let (Some(kind), Ok(payload)) = (known, serde_json::from_value(row.payload)) else {
            tracing::warn!(job_id = %claim.job_id, kind = row.kind, "a job of another release is put off");
            claimed.refused.push(Completion::new(claim, Ending::PutOff { delay: NOT_UNDERSTOOD }));
            continue;
        };
        claimed.picked.add(kind.queue(), row.organization_id, &row.provider, 1);
        claimed.jobs.push(ClaimedJob {
            claim,
            dispatch_id: row.dispatch_id,
            kind,
            organization_id: row.organization_id.map(OrganizationId),
            payload,
            attempt: row.attempts as u32 + 1,
            max_attempts: row.max_attempts as u32,
            is_suspect: row.suspect,
            batch: row.batch_id.map(|id| BatchShare {
                batch_id: id.into(),
                reserved: MicroDollars(row.reserved.unsigned_abs()),
            }),
            traceparent: row.traceparent,
            created_at: row.created_at,
        });
    }
    Ok(claimed)
}

/// Within a transaction, under limits.
pub(super) async fn claim_within(
    conn: &mut Connection,
    from: &ClaimFrom,
    worker: &str,
    lease: Duration,
    limits: &JobLimits,
) -> Step<Claimed> {
    let rooms = limits::rooms(conn, limits).await?;
    let claimed = claim(conn, from, worker, lease, &rooms).await?;
    limits::spend(conn, limits, &claimed.picked).await?;
    Ok(claimed)
}

#[derive(diesel::QueryableByName)]
struct Held {
    #[diesel(sql_type = SqlUuid)]
    claim_token: Uuid,
    #[diesel(sql_type = Bool)]
    unwanted: bool,
}

pub(super) async fn extend(conn: &mut Connection, claims: &[Claim], lease: Duration) -> Step<Vec<Lease>> {
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let held: Vec<Held> = diesel::sql_query(
        "UPDATE jobs j SET deadline = now() + $3 * interval '1 millisecond'
        WHERE j.id = ANY($1) AND j.claim_token = ANY($2) AND j.state || '' = 'RUNNING'
        RETURNING j.claim_token, j.cancel_requested_at IS NOT NULL AS unwanted",
    )
    .bind::<Array<SqlUuid>, _>(claims.iter().map(|claim| claim.job_id.0).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(claims.iter().map(|claim| claim.token.0).collect::<Vec<_>>())
    .bind::<BigInt, _>(milliseconds(lease))
    .prepared()
    .load(conn)
    .await?;
    let held: HashMap<_, _> = held.into_iter().map(|row| (row.claim_token, row.unwanted)).collect();
    let answer = |claim: &Claim| match held.get(&claim.token.0) {
        Some(false) => Lease::Held,
        Some(true) => Lease::Unwanted,
        None => Lease::Lost,
    };
    Ok(claims.iter().map(answer).collect())
}

/// A suspect's handler begins. `false` where the claim is lost.
pub(super) async fn begin(conn: &mut Connection, claim: Claim) -> Step<bool> {
    let begun = diesel::sql_query(
        "UPDATE jobs SET attempts = attempts + 1, paid = true
        WHERE id = $1 AND claim_token = $2 AND state = 'RUNNING' AND suspect AND NOT paid",
    )
    .bind::<SqlUuid, _>(claim.job_id.0)
    .bind::<SqlUuid, _>(claim.token.0)
    .prepared()
    .execute(conn)
    .await?;
    Ok(begun > 0)
}
