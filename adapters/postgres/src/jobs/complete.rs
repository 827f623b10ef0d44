//! Ending jobs: one statement ends all, each under the check of its claim, and what follows is written for
//! those that held.

use std::collections::{HashMap, HashSet};

use colloquy_domain::{
    Error,
    accounts::Tenant,
    events::{EventKind, NewEvent, Stage},
    ids::{ConversationId, JobId, OrganizationId},
    jobs::Claim,
    money::MicroDollars,
    ports::jobs::{Completion, Ending, Follow},
};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{
    errors::Step,
    follow::{self, Raised, milliseconds, tell},
    pool::Connection,
    statement::Prepare,
};

/// Characters of an error's message that are kept.
const LONGEST_MESSAGE: usize = 2_000;

pub(super) struct Ended {
    /// In the order of the completions.
    pub(super) held: Vec<bool>,
    pub(super) raised: Raised,
}

/// A job as it stands after its end or the end of its lease.
#[derive(diesel::QueryableByName)]
pub(super) struct After {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: Uuid,
    /// By which it was held; `None` where the lease ran out.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub(super) token: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub(super) organization_id: Option<Uuid>,
    #[diesel(sql_type = Text)]
    pub(super) state: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub(super) conversation_id: Option<Uuid>,
    /// The payload's, or the conversation's current one; `None` where the conversation is gone, and for jobs of
    /// batches: what a conversation had reached without them it still has.
    #[diesel(sql_type = Nullable<Integer>)]
    pub(super) revision: Option<i32>,
    /// Whether others waited for it, or for one beside it, and need not any more.
    #[diesel(sql_type = Bool)]
    pub(super) released: bool,
}

impl After {
    fn makes_ready(&self) -> bool {
        self.state == "READY" || self.released
    }
}

/// The columns of [`After`], of a WITH query; `$released` is SQL.
macro_rules! after {
    ($changed:literal, $released:literal) => {
        concat!(
            "SELECT id, token, organization_id, state, conversation_id, CASE WHEN state = 'DEAD' AND batch_id IS NULL THEN
                coalesce((payload->>'revision')::int,
                    (SELECT revision FROM conversations c WHERE c.id = conversation_id)) END AS revision, ",
            $released,
            " AS released FROM ",
            $changed
        )
    };
}
pub(super) use after;

/// Of a WITH query of changed jobs: what waited for those that are done now waits for fewer.
macro_rules! release {
    ($changed:literal) => {
        concat!(
            "awaiting AS MATERIALIZED (
                SELECT x.job_id AS id, count(*)::int AS jobs
                FROM job_dependencies x
                WHERE EXISTS (SELECT FROM job_dependencies) AND x.waits_for = ANY(ARRAY(SELECT id FROM ",
            $changed,
            " WHERE state = 'DONE')) GROUP BY x.job_id
            ), released AS (
                UPDATE jobs d SET waits_for = d.waits_for - n.jobs,
                    state = CASE WHEN d.state = 'WAITING' AND d.waits_for <= n.jobs THEN 'READY' ELSE d.state END
                FROM awaiting n
                WHERE d.id = ANY(ARRAY(SELECT id FROM awaiting)) AND d.id = n.id
                    AND d.state || '' IN ('WAITING', 'CANCELLED')
                RETURNING d.*
            ), told_released AS (",
            tell!("released"),
            ")"
        )
    };
}

/// Of a WITH query of changed jobs, with the columns `cost`, `skipped` and `used` (of what was held back for the job,
/// by its cost): their batches count them, and hold nothing back any more for those that have ended. What one has used
/// that goes on is spent and not held back any more, so that both together stay within the cap. Several batches are
/// locked in the order of their ids, so that nobody waits in a circle.
macro_rules! settle {
    ($changed:literal) => {
        concat!(
            "concerned AS MATERIALIZED (
                SELECT id FROM batches
                WHERE id = ANY(ARRAY(SELECT batch_id FROM ",
            $changed,
            " WHERE batch_id IS NOT NULL)) ORDER BY id FOR NO KEY UPDATE
            ), settled AS (
                UPDATE batches b SET done = b.done + s.done, skipped = b.skipped + s.skipped,
                    failed = b.failed + s.failed, cancelled = b.cancelled + s.cancelled,
                    reserved = b.reserved - s.released, spent = b.spent + s.cost
                FROM (
                    SELECT batch_id,
                        count(*) FILTER (WHERE state = 'DONE' AND NOT skipped) AS done,
                        count(*) FILTER (WHERE state = 'DONE' AND skipped) AS skipped,
                        count(*) FILTER (WHERE state = 'DEAD') AS failed,
                        count(*) FILTER (WHERE state = 'CANCELLED') AS cancelled,
                        sum(CASE WHEN state IN ('DONE', 'DEAD', 'CANCELLED') THEN reserved ELSE used END)::bigint
                            AS released,
                        coalesce(sum(cost), 0)::bigint AS cost
                    FROM ",
            $changed,
            " WHERE batch_id IS NOT NULL GROUP BY batch_id
                ) s WHERE b.id = ANY(ARRAY(SELECT id FROM concerned)) AND b.id = s.batch_id
            )"
        )
    };
}
pub(super) use settle;

/// Whether all is done in one statement.
pub(super) fn is_plain(completions: &[Completion]) -> bool {
    let plain = |one: &Completion| {
        matches!(one.ending, Ending::Done | Ending::HandedBack | Ending::PutOff { .. } | Ending::Cancelled)
            && one.follow.jobs.is_empty()
            && one.follow.events.is_empty()
    };
    let alike = completions.iter().filter(|one| is_just_done(one)).count();
    completions.iter().all(plain) && (alike == 0 || alike == completions.len())
}

/// Whether nothing but the claim tells it from others.
fn is_just_done(one: &Completion) -> bool {
    one.ending == Ending::Done && one.spent == MicroDollars(0) && !one.skipped
}

pub(super) async fn complete(conn: &mut Connection, completions: &[Completion]) -> Step<Ended> {
    // The first ending of a claim counts; another one of it comes too late.
    let mut seen = HashSet::new();
    let first: Vec<_> = completions.iter().map(|one| seen.insert(one.claim)).collect();
    let once: Vec<_> =
        completions.iter().zip(&first).filter(|(_, first)| **first).map(|(one, _)| one).collect();
    let after = end(conn, &once).await?;
    // By token: an earlier claim of the same job may stand in the same batch.
    let after: HashMap<_, _> = after.into_iter().map(|job| (job.token, job)).collect();

    let mut follow = Follow::default();
    for one in once {
        let Some(job) = after.get(&Some(one.claim.token.0)) else {
            continue;
        };
        if matches!(one.ending, Ending::Done) {
            follow.jobs.extend(one.follow.jobs.iter().cloned());
            follow.events.extend(one.follow.events.iter().cloned());
        }
        follow.events.extend(failed(job));
    }
    let told = after.values().any(|job| job.organization_id.is_some());
    // What is over makes room, which the relay looks for by itself.
    let raised = Raised { jobs: after.values().any(After::makes_ready), events: told };
    let raised = raised.and(follow::write(conn, &follow).await?);
    let holds = |(one, first): (&Completion, bool)| first && after.contains_key(&Some(one.claim.token.0));
    Ok(Ended { held: completions.iter().zip(first).map(holds).collect(), raised })
}

/// Ends the job well and writes what follows, or fails and leaves the caller's transaction to be rolled back.
pub(crate) async fn complete_one(
    conn: &mut Connection,
    tenant: Tenant,
    claim: Claim,
    follow: &Follow,
    spent: MicroDollars,
) -> Step<Raised> {
    let completion = Completion { spent, ..Completion::new(claim, Ending::Done) };
    let after = end(conn, &[&completion]).await?;
    if after.as_slice().first().and_then(|job| job.organization_id) != Some(tenant.0.0) {
        let message = format!("job {} was given to another worker meanwhile", claim.job_id);
        return Err(Error::conflict("CLAIM_LOST", message).into());
    }
    let ready = after.iter().any(After::makes_ready);
    Ok(Raised { jobs: ready, events: true }.and(follow::write(conn, follow).await?))
}

async fn end(conn: &mut Connection, completions: &[&Completion]) -> Step<Vec<After>> {
    // Of two claims of one job the rows could not say which held.
    let mut seen = HashSet::new();
    let (done, others): (Vec<_>, Vec<_>) =
        completions.iter().copied().partition(|one| is_just_done(one) && seen.insert(one.claim.job_id));
    let mut ended = end_well(conn, &done).await?;
    ended.extend(end_each(conn, &others).await?);
    Ok(ended)
}

/// The most by far: no row is locked and joined before it is written.
async fn end_well(conn: &mut Connection, completions: &[&Completion]) -> Step<Vec<After>> {
    if completions.is_empty() {
        return Ok(Vec::new());
    }
    let mut ended: Vec<After> = diesel::sql_query(concat!(
        "WITH ended AS (
            UPDATE jobs j SET state = 'DONE', attempts = j.attempts + (NOT j.paid)::int, suspect = false,
                finished_at = now(), claim_token = NULL, worker = NULL, deadline = NULL, paid = false
            WHERE j.id = ANY($1) AND j.claim_token = ANY($2) AND j.state || '' = 'RUNNING'
            RETURNING j.*, NULL::uuid AS token, 0 AS cost, false AS skipped, 0 AS used
        ), ",
        release!("ended"),
        ", ",
        settle!("ended"),
        ", told AS (",
        tell!("ended"),
        ") ",
        after!("ended", "EXISTS (SELECT FROM released)")
    ))
    .bind::<Array<SqlUuid>, _>(completions.iter().map(|one| one.claim.job_id.0).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(completions.iter().map(|one| one.claim.token.0).collect::<Vec<_>>())
    .prepared()
    .load(conn)
    .await?;
    let tokens: HashMap<_, _> =
        completions.iter().map(|one| (one.claim.job_id.0, one.claim.token.0)).collect();
    for job in &mut ended {
        job.token = tokens.get(&job.id).copied();
    }
    Ok(ended)
}

async fn end_each(conn: &mut Connection, completions: &[&Completion]) -> Step<Vec<After>> {
    if completions.is_empty() {
        return Ok(Vec::new());
    }
    let mut endings = Vec::with_capacity(completions.len());
    let mut messages = Vec::with_capacity(completions.len());
    let mut delays = Vec::with_capacity(completions.len());
    for one in completions {
        let (ending, message, delay) = match &one.ending {
            Ending::Done => ("DONE", None, 0),
            Ending::HandedBack => ("HANDED_BACK", None, 0),
            Ending::PutOff { delay } => ("PUT_OFF", None, milliseconds(*delay)),
            Ending::Cancelled => ("CANCELLED", None, 0),
            Ending::Retry { message, delay } => ("RETRY", Some(cut(message)), milliseconds(*delay)),
            Ending::Fail { message } => ("FAIL", Some(cut(message)), 0),
        };
        endings.push(ending);
        messages.push(message);
        delays.push(delay);
    }
    Ok(diesel::sql_query(concat!(
        "WITH held AS MATERIALIZED (
            SELECT j.id, token, ending, message, delay_ms, cost, skipped, least(cost, j.reserved) AS used,
                now() AS at, j.max_attempts,
                j.cancel_requested_at IS NOT NULL AS unwanted,
                j.attempts + CASE WHEN ending IN ('HANDED_BACK', 'PUT_OFF') THEN -j.paid::int
                    ELSE (NOT j.paid)::int END AS tried
            FROM jobs j JOIN unnest($1, $2, $3, $4, $5, $6, $7)
                AS e (id, token, ending, message, delay_ms, cost, skipped)
                ON j.id = e.id AND j.claim_token = e.token
            WHERE j.id = ANY($1) AND j.state || '' = 'RUNNING'
            ORDER BY j.id FOR UPDATE OF j
        ), running AS MATERIALIZED (
            SELECT held.*, CASE
                WHEN ending = 'DONE' THEN 'DONE'
                WHEN unwanted OR ending = 'CANCELLED' THEN 'CANCELLED'
                WHEN ending = 'FAIL' OR ending = 'RETRY' AND tried >= max_attempts THEN 'DEAD'
                ELSE 'READY' END AS next
            FROM held
        ), ended AS (
            UPDATE jobs j SET
                state = r.next,
                attempts = r.tried,
                suspect = j.suspect AND r.ending IN ('HANDED_BACK', 'PUT_OFF'),
                run_at = CASE WHEN r.ending IN ('RETRY', 'PUT_OFF')
                    THEN r.at + r.delay_ms * interval '1 millisecond' ELSE j.run_at END,
                errors = CASE WHEN r.message IS NULL THEN j.errors ELSE j.errors || jsonb_build_object(
                    'attempt', r.tried, 'at', r.at, 'message', r.message) END,
                finished_at = CASE WHEN r.next <> 'READY' THEN r.at END,
                reserved = CASE WHEN r.next = 'READY' THEN j.reserved - r.used ELSE j.reserved END,
                claim_token = NULL, worker = NULL, deadline = NULL, paid = false
            FROM running r WHERE j.id = ANY($1) AND j.id = r.id
            RETURNING j.*, r.token, r.cost, r.skipped, r.used
        ), ",
        release!("ended"),
        ", ",
        settle!("ended"),
        ", told AS (",
        tell!("ended"),
        ") ",
        after!("ended", "EXISTS (SELECT FROM released)")
    ))
    .bind::<Array<SqlUuid>, _>(completions.iter().map(|one| one.claim.job_id.0).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(completions.iter().map(|one| one.claim.token.0).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(endings)
    .bind::<Array<Nullable<Text>>, _>(messages)
    .bind::<Array<BigInt>, _>(delays)
    .bind::<Array<BigInt>, _>(completions.iter().map(|one| one.spent.0 as i64).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(completions.iter().map(|one| one.skipped).collect::<Vec<_>>())
    .prepared()
    .load(conn)
    .await?)
}

/// PostgreSQL's text holds no zero byte.
fn cut(message: &str) -> String {
    message.chars().filter(|c| *c != '\0').take(LONGEST_MESSAGE).collect()
}

/// What a conversation's watchers are told of a dead job.
pub(super) fn failed(job: &After) -> Option<NewEvent> {
    if job.state != "DEAD" {
        return None;
    }
    let kind = EventKind::Progress {
        conversation_id: ConversationId(job.conversation_id?),
        revision: job.revision?,
        stage: Stage::Failed,
        job_id: Some(JobId(job.id)),
        analysis_id: None,
    };
    Some(NewEvent { organization_id: OrganizationId(job.organization_id?), kind })
}
