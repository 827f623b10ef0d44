//! What follows a change, written in the change's own transaction: jobs, the stages that a revision reached,
//! and the events, which come last. Each is one statement, however many there are.

use std::time::Duration;

use colloquy_domain::{
    events::{EventKind, NewEvent, Stage},
    ids::ConversationId,
    jobs::NewJob,
    ports::jobs::Follow,
};
use diesel::sql_types::{Array, BigInt, Integer, Jsonb, Nullable, SmallInt, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{errors::Step, pool::Connection, rows, statement::Prepare};

pub(crate) mod kinds {
    pub(crate) const PROGRESS: &str = "PROGRESS";
    pub(crate) const CONVERSATION_UPDATED: &str = "CONVERSATION_UPDATED";
    pub(crate) const CONVERSATION_DELETED: &str = "CONVERSATION_DELETED";
    pub(crate) const JOB_CHANGED: &str = "JOB_CHANGED";
    pub(crate) const BATCH_CHANGED: &str = "BATCH_CHANGED";
    pub(crate) const SEARCH_MATCHED: &str = "SEARCH_MATCHED";
}

/// An INSERT that tells of the jobs that a statement (a WITH query of this name) changed. System jobs are
/// nobody's to hear of.
macro_rules! tell {
    ($changed:literal) => {
        concat!(
            "INSERT INTO events (organization_id, kind, conversation_id, job_id, detail) ",
            "SELECT organization_id, 'JOB_CHANGED', conversation_id, id, ",
            "jsonb_build_object('kind', kind, 'state', state) FROM ",
            $changed,
            " WHERE organization_id IS NOT NULL ORDER BY id"
        )
    };
}
pub(crate) use tell;

/// What a transaction left for others, to be announced once it is committed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Raised {
    pub(crate) jobs: bool,
    pub(crate) events: bool,
}

impl Raised {
    pub(crate) fn and(self, other: Self) -> Self {
        Self { jobs: self.jobs || other.jobs, events: self.events || other.events }
    }
}

pub(crate) async fn write(conn: &mut Connection, follow: &Follow) -> Step<Raised> {
    let told = insert_jobs(conn, &follow.jobs).await?;
    reach_stages(conn, &follow.events).await?;
    insert_events(conn, &follow.events).await?;
    Ok(Raised { jobs: !follow.jobs.is_empty(), events: told || !follow.events.is_empty() })
}

/// Whether events were written with them.
async fn insert_jobs(conn: &mut Connection, jobs: &[NewJob]) -> Step<bool> {
    if jobs.is_empty() {
        return Ok(false);
    }
    let mut payloads = Vec::with_capacity(jobs.len());
    for job in jobs {
        payloads.push(rows::json(&job.payload)?);
    }
    let column = |of: fn(&NewJob) -> Uuid| jobs.iter().map(of).collect::<Vec<_>>();
    let organizations: Vec<_> = jobs.iter().map(|job| job.organization_id.map(Uuid::from)).collect();
    let conversations: Vec<_> =
        jobs.iter().map(|job| job.payload.conversation_id().map(Uuid::from)).collect();
    let batches: Vec<_> = jobs.iter().map(|job| job.batch.map(|share| share.batch_id.0)).collect();
    let reserved: Vec<_> =
        jobs.iter().map(|job| job.batch.map_or(0, |share| share.reserved.0 as i64)).collect();
    diesel::sql_query(concat!(
        "WITH added AS (
            INSERT INTO jobs (id, organization_id, queue, kind, payload, payload_version, conversation_id,
                priority, max_attempts, run_at, traceparent, provider, unique_key, waits_for, state, batch_id,
                reserved)
            SELECT id, organization_id, queue, kind, payload, payload_version, conversation_id, priority,
                max_attempts, now() + delay_ms * interval '1 millisecond', traceparent, provider, unique_key,
                waits_for, CASE WHEN waits_for > 0 THEN 'WAITING' ELSE 'READY' END, batch_id, reserved
            FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) AS new (id,
                organization_id, queue, kind, payload, payload_version, conversation_id, priority, max_attempts,
                delay_ms, traceparent, provider, unique_key, waits_for, batch_id, reserved)
            ON CONFLICT (lane, kind, unique_key) WHERE unique_key IS NOT NULL
                AND state IN ('WAITING', 'READY', 'RUNNING') DO NOTHING
            RETURNING id, organization_id, kind, conversation_id, state
        ) ",
        tell!("added")
    ))
    .bind::<Array<SqlUuid>, _>(column(|job| job.id.0))
    .bind::<Array<Nullable<SqlUuid>>, _>(organizations)
    .bind::<Array<Text>, _>(jobs.iter().map(|job| job.kind.queue().as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(jobs.iter().map(|job| job.kind.as_str()).collect::<Vec<_>>())
    .bind::<Array<Jsonb>, _>(payloads)
    .bind::<Array<SmallInt>, _>(jobs.iter().map(|job| job.kind.payload_version() as i16).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(conversations)
    .bind::<Array<SmallInt>, _>(jobs.iter().map(|job| job.priority).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(jobs.iter().map(|job| job.max_attempts as i32).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(jobs.iter().map(|job| milliseconds(job.delay)).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(jobs.iter().map(|job| job.traceparent.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(jobs.iter().map(|job| job.provider.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(jobs.iter().map(|job| job.unique_key.as_deref()).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(jobs.iter().map(|job| job.waits_for.len() as i32).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(batches)
    .bind::<Array<BigInt>, _>(reserved)
    .prepared()
    .execute(conn)
    .await?;
    depend(conn, jobs).await?;
    Ok(jobs.iter().any(|job| job.organization_id.is_some()))
}

/// Ties jobs that have just been written to those that they wait for. Those are held meanwhile, so that none ends
/// unnoticed; what is done already, or has gone, is not waited for.
async fn depend(conn: &mut Connection, jobs: &[NewJob]) -> Step<()> {
    let pairs = || jobs.iter().flat_map(|job| job.waits_for.iter().map(move |other| (job.id.0, other.0)));
    if pairs().next().is_none() {
        return Ok(());
    }
    diesel::sql_query(concat!(
        "WITH pairs AS MATERIALIZED (
            SELECT DISTINCT job_id, waits_for FROM unnest($1, $2) AS pair (job_id, waits_for)
        ), others AS MATERIALIZED (
            SELECT id, state FROM jobs WHERE id = ANY(ARRAY(SELECT waits_for FROM pairs)) ORDER BY id FOR SHARE
        ), tied AS (
            INSERT INTO job_dependencies (job_id, waits_for)
            SELECT p.job_id, p.waits_for FROM pairs p JOIN others o ON o.id = p.waits_for
            WHERE o.state <> 'DONE' AND EXISTS (SELECT FROM jobs j WHERE j.id = p.job_id)
            RETURNING job_id
        ), counted AS (
            SELECT job_id, (SELECT count(*) FROM tied t WHERE t.job_id = p.job_id)::int AS waits_for
            FROM (SELECT DISTINCT job_id FROM pairs) p
        ), released AS (
            UPDATE jobs j SET waits_for = c.waits_for,
                state = CASE WHEN c.waits_for = 0 THEN 'READY' ELSE 'WAITING' END
            FROM counted c WHERE j.id = c.job_id AND j.waits_for <> c.waits_for
            RETURNING j.*
        ) ",
        tell!("released"),
    ))
    .bind::<Array<SqlUuid>, _>(pairs().map(|(job, _)| job).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(pairs().map(|(_, other)| other).collect::<Vec<_>>())
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) fn milliseconds(duration: Duration) -> i64 {
    // A century is as good as for ever, and now() plus it is a date.
    const CENTURY_MS: u128 = 100 * 365 * 86_400_000;
    duration.as_millis().min(CENTURY_MS) as i64
}

/// Notes the stages of progress events on their revisions; the first time that a stage was reached stays.
async fn reach_stages(conn: &mut Connection, events: &[NewEvent]) -> Step<()> {
    let mut conversations = Vec::new();
    let mut organizations = Vec::new();
    let mut revisions = Vec::new();
    let mut stages = Vec::new();
    let mut failed_jobs = Vec::new();
    for event in events {
        let EventKind::Progress { conversation_id, revision, stage, job_id, .. } = &event.kind else {
            continue;
        };
        conversations.push(conversation_id.0);
        organizations.push(event.organization_id.0);
        revisions.push(*revision);
        stages.push(stage.as_str());
        failed_jobs.push(job_id.filter(|_| *stage == Stage::Failed).map(Uuid::from));
    }
    if conversations.is_empty() {
        return Ok(());
    }
    // Rows are locked in one order, so that transactions over many conversations do not wait in a circle.
    diesel::sql_query(
        "WITH reached AS (
            SELECT conversation_id, organization_id, revision,
                bool_or(stage = 'IMPORTED') AS imported, bool_or(stage = 'INDEXED') AS indexed,
                bool_or(stage = 'EMBEDDED') AS embedded, bool_or(stage = 'ANALYZED') AS analyzed,
                bool_or(stage = 'FAILED') AS failed,
                (array_agg(job_id) FILTER (WHERE stage = 'FAILED'))[1] AS failed_job_id
            FROM unnest($1, $2, $3, $4, $5)
                AS new (conversation_id, organization_id, revision, stage, job_id)
            GROUP BY conversation_id, organization_id, revision
        ), locked AS MATERIALIZED (
            SELECT r.conversation_id, r.number FROM revisions r
            WHERE (r.conversation_id, r.number, r.organization_id) IN
                (SELECT conversation_id, revision, organization_id FROM reached)
            ORDER BY r.conversation_id, r.number
            FOR NO KEY UPDATE
        )
        UPDATE revisions r SET
            imported_at = CASE WHEN imported THEN coalesce(imported_at, now()) ELSE imported_at END,
            indexed_at = CASE WHEN indexed THEN coalesce(indexed_at, now()) ELSE indexed_at END,
            embedded_at = CASE WHEN embedded THEN coalesce(embedded_at, now()) ELSE embedded_at END,
            analyzed_at = CASE WHEN analyzed THEN coalesce(analyzed_at, now()) ELSE analyzed_at END,
            failed_job_id = CASE WHEN failed AND failed_at IS NULL THEN n.failed_job_id
                ELSE r.failed_job_id END,
            failed_at = CASE WHEN failed THEN coalesce(failed_at, now()) ELSE failed_at END
        FROM reached n JOIN locked l ON l.conversation_id = n.conversation_id AND l.number = n.revision
        WHERE r.conversation_id = l.conversation_id AND r.number = l.number",
    )
    .bind::<Array<SqlUuid>, _>(conversations)
    .bind::<Array<SqlUuid>, _>(organizations)
    .bind::<Array<Integer>, _>(revisions)
    .bind::<Array<Text>, _>(stages)
    .bind::<Array<Nullable<SqlUuid>>, _>(failed_jobs)
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_events(conn: &mut Connection, events: &[NewEvent]) -> Step<()> {
    if events.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = events.iter().map(|event| columns(&event.kind)).collect();
    diesel::sql_query(
        "INSERT INTO events (organization_id, kind, conversation_id, job_id, batch_id, saved_search_id, detail)
        SELECT organization_id, kind, conversation_id, job_id, batch_id, saved_search_id, detail
        FROM unnest($1, $2, $3, $4, $5, $6, $7) WITH ORDINALITY
            AS new (organization_id, kind, conversation_id, job_id, batch_id, saved_search_id, detail, place)
        ORDER BY place",
    )
    .bind::<Array<SqlUuid>, _>(events.iter().map(|event| event.organization_id.0).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(rows.iter().map(|row| row.kind).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(rows.iter().map(|row| row.conversation_id).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(rows.iter().map(|row| row.job_id).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(rows.iter().map(|row| row.batch_id).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(rows.iter().map(|row| row.saved_search_id).collect::<Vec<_>>())
    .bind::<Array<Jsonb>, _>(rows.into_iter().map(|row| row.detail).collect::<Vec<_>>())
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

struct Columns {
    kind: &'static str,
    conversation_id: Option<Uuid>,
    job_id: Option<Uuid>,
    batch_id: Option<Uuid>,
    saved_search_id: Option<Uuid>,
    detail: Value,
}

/// How an event stands in its row; `events::read` is the way back.
fn columns(kind: &EventKind) -> Columns {
    let of = |kind, conversation_id: Option<ConversationId>, detail| Columns {
        kind,
        conversation_id: conversation_id.map(Uuid::from),
        job_id: None,
        batch_id: None,
        saved_search_id: None,
        detail,
    };
    match kind {
        EventKind::Progress { conversation_id, revision, stage, job_id, analysis_id } => {
            let detail = json!({ "revision": revision, "stage": stage.as_str(), "analysis_id": analysis_id });
            Columns { job_id: job_id.map(Uuid::from), ..of(kinds::PROGRESS, Some(*conversation_id), detail) }
        }
        EventKind::ConversationUpdated { conversation_id } => {
            of(kinds::CONVERSATION_UPDATED, Some(*conversation_id), json!({}))
        }
        EventKind::ConversationDeleted { conversation_id } => {
            of(kinds::CONVERSATION_DELETED, Some(*conversation_id), json!({}))
        }
        EventKind::JobChanged { job_id, kind, state, conversation_id } => {
            let detail = json!({ "kind": kind.as_str(), "state": state.as_str() });
            Columns { job_id: Some(job_id.0), ..of(kinds::JOB_CHANGED, *conversation_id, detail) }
        }
        EventKind::BatchChanged { batch_id, progress } => {
            Columns { batch_id: Some(batch_id.0), ..of(kinds::BATCH_CHANGED, None, json!(progress)) }
        }
        EventKind::SearchMatched { saved_search_id, match_id } => Columns {
            saved_search_id: Some(saved_search_id.0),
            ..of(kinds::SEARCH_MATCHED, None, json!({ "match_id": match_id }))
        },
    }
}
