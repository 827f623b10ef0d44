//! Ending jobs: one statement ends all, each under the check of its claim, and what follows is written for
//! those that held.

use std::collections::{HashMap, HashSet};

use colloquy_domain::{
    Error,
    accounts::Tenant,
    events::{EventKind, NewEvent, Stage},
    ids::{ConversationId, JobId, OrganizationId},
    jobs::Claim,
    ports::jobs::{Completion, Ending, Follow},
};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::statement::Prepare;
use crate::{
    errors::Step,
    follow::{self, Raised, milliseconds, tell},
    pool::Connection,
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
    /// The payload's, or the conversation's current one; `None` where the conversation is gone.
    #[diesel(sql_type = Nullable<Integer>)]
    pub(super) revision: Option<i32>,
}

/// The columns of [`After`], of a WITH query.
macro_rules! after {
    ($changed:literal) => {
        concat!(
            "SELECT id, token, organization_id, state, conversation_id, CASE WHEN state = 'DEAD' THEN
                coalesce((payload->>'revision')::int,
                    (SELECT revision FROM conversations c WHERE c.id = conversation_id)) END AS revision
            FROM ",
            $changed
        )
    };
}
pub(super) use after;

/// Whether all is done in one statement.
pub(super) fn is_plain(completions: &[Completion]) -> bool {
    let plain = |one: &Completion| {
        matches!(one.ending, Ending::Done | Ending::HandedBack)
            && one.follow.jobs.is_empty()
            && one.follow.events.is_empty()
    };
    completions.iter().all(plain)
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
    let raised = Raised { jobs: after.values().any(|job| job.state == "READY"), events: told };
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
) -> Step<Raised> {
    let completion = Completion { claim, ending: Ending::Done, follow: Follow::default() };
    let after = end(conn, &[&completion]).await?;
    if after.as_slice().first().and_then(|job| job.organization_id) != Some(tenant.0.0) {
        let message = format!("job {} was given to another worker meanwhile", claim.job_id);
        return Err(Error::conflict("CLAIM_LOST", message).into());
    }
    Ok(Raised { jobs: false, events: true }.and(follow::write(conn, follow).await?))
}

async fn end(conn: &mut Connection, completions: &[&Completion]) -> Step<Vec<After>> {
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
            Ending::Retry { message, delay } => ("RETRY", Some(cut(message)), milliseconds(*delay)),
            Ending::Fail { message } => ("FAIL", Some(cut(message)), 0),
        };
        endings.push(ending);
        messages.push(message);
        delays.push(delay);
    }
    Ok(diesel::sql_query(concat!(
        "WITH running AS MATERIALIZED (
            SELECT j.id, token, ending, message, delay_ms, now() AS at,
                j.attempts + CASE WHEN ending = 'HANDED_BACK' THEN -j.suspect::int
                    ELSE (NOT j.suspect)::int END AS spent
            FROM jobs j JOIN unnest($1, $2, $3, $4, $5) AS e (id, token, ending, message, delay_ms)
                ON j.id = e.id AND j.claim_token = e.token
            WHERE j.state = 'RUNNING'
            ORDER BY j.id FOR UPDATE OF j
        ), ended AS (
            UPDATE jobs j SET
                state = CASE
                    WHEN r.ending = 'DONE' THEN 'DONE'
                    WHEN r.ending = 'FAIL' OR r.ending = 'RETRY' AND r.spent >= j.max_attempts THEN 'DEAD'
                    ELSE 'READY' END,
                attempts = r.spent,
                suspect = j.suspect AND r.ending = 'HANDED_BACK',
                run_at = CASE r.ending WHEN 'RETRY' THEN r.at + r.delay_ms * interval '1 millisecond'
                    ELSE j.run_at END,
                errors = CASE WHEN r.message IS NULL THEN j.errors ELSE j.errors || jsonb_build_object(
                    'attempt', r.spent, 'at', r.at, 'message', r.message) END,
                finished_at = CASE
                    WHEN r.ending IN ('DONE', 'FAIL') OR r.ending = 'RETRY' AND r.spent >= j.max_attempts
                    THEN r.at END,
                dispatch_id = NULL, claim_token = NULL, worker = NULL, deadline = NULL
            FROM running r WHERE j.id = r.id
            RETURNING j.*, r.token
        ), told AS (",
        tell!("ended"),
        ") ",
        after!("ended")
    ))
    .bind::<Array<SqlUuid>, _>(completions.iter().map(|one| one.claim.job_id.0).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(completions.iter().map(|one| one.claim.token.0).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(endings)
    .bind::<Array<Nullable<Text>>, _>(messages)
    .bind::<Array<BigInt>, _>(delays)
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
