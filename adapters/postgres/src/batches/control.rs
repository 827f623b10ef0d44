//! Steering batches, bringing their jobs along, ending and telling them.

use colloquy_domain::{
    Error,
    accounts::Tenant,
    audit::NewAuditEntry,
    batches::{Batch, BatchState, Failures, MAX_ACTIVE, Report, Steering, TOO_MANY, progress::Progress},
    events::{EventKind, NewEvent},
    ids::BatchId,
    jobs::JobState,
    money::MicroDollars,
    ports::{jobs::Follow, store::batches::Steered},
    time::Timestamp,
};
use diesel::{
    QueryableByName,
    sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;

use super::{
    moved,
    rows::{Row, columns, find, read},
    unfinished,
};
use crate::{
    audit,
    errors::Step,
    follow::{self, Raised, tell},
    generations,
    jobs::cancel_matching,
    pool::Connection,
    rows::{self, Count},
    statement::Prepare,
};

/// Jobs that are cancelled in one transaction.
const CANCELLED: usize = 500;
/// Failures that a report looks at, and messages that it names.
const FAILURES: i64 = 10_000;
const MESSAGES: i64 = 10;
const LONGEST_MESSAGE: usize = 300;

/// As somebody wants it; what the batch's state or its cap does not allow is not noted here.
pub(super) async fn steer_and_note(
    conn: &mut Connection,
    tenant: Tenant,
    id: BatchId,
    steering: Steering,
    entry: &NewAuditEntry,
) -> Step<Option<Steered>> {
    let (batch, changed) = steer(conn, tenant, id, steering).await?;
    let Some(batch) = batch else { return Ok(None) };
    if changed || steering.is_met_by(batch.state) {
        audit::insert(conn, &entry.clone().changed(changed)).await?;
    }
    Ok(Some(Steered { batch, changed }))
}

/// Where the batch is at rest and would be under way: whether the organization may have one more of them.
async fn make_room(conn: &mut Connection, tenant: Tenant, id: BatchId, from: &[&str]) -> Step<()> {
    rows::hold(conn, tenant).await?;
    let active: Count = diesel::sql_query(
        "SELECT count(*) AS count FROM batches
        WHERE organization_id = $1 AND state IN ('RUNNING', 'PAUSED', 'CANCELLING')
            AND EXISTS (SELECT FROM batches WHERE id = $2 AND organization_id = $1 AND state = ANY($3)
                AND state IN ('PLANNED', 'STOPPED', 'DONE'))",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<SqlUuid, _>(id.0)
    .bind::<Array<Text>, _>(from)
    .prepared()
    .get_result(conn)
    .await?;
    if active.count >= MAX_ACTIVE as i64 {
        let message = format!(
            "an organization has at most {MAX_ACTIVE} batches that run, are paused or are being cancelled; wait until one of them has ended, or cancel one"
        );
        return Err(Error::conflict(TOO_MANY, message).into());
    }
    Ok(())
}

/// Plans that nobody has started.
pub(super) async fn prune(conn: &mut Connection, before: Timestamp, limit: usize) -> Step<usize> {
    let sql = "DELETE FROM batches WHERE id IN (
        SELECT id FROM batches WHERE state = 'PLANNED' AND created_at < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)";
    let pruned = diesel::sql_query(sql)
        .bind::<Timestamptz, _>(before)
        .bind::<BigInt, _>(rows::limit(limit))
        .prepared();
    Ok(pruned.execute(conn).await?)
}

/// The batch as it is then, and whether that is different from before.
pub(crate) async fn steer(
    conn: &mut Connection,
    tenant: Tenant,
    id: BatchId,
    steering: Steering,
) -> Step<(Option<Batch>, bool)> {
    let (cap, per_minute) = match steering {
        Steering::Start { cap, per_minute } => (cap, per_minute),
        Steering::Resume { cap } | Steering::RetryFailures { cap } => (cap, None),
        Steering::Pause | Steering::Cancel => (None, None),
    };
    let begins = matches!(steering, Steering::Start { .. });
    let from: Vec<_> = steering.from().iter().map(|state| state.as_str()).collect();
    if steering.to() == BatchState::Running {
        make_room(conn, tenant, id, &from).await?;
    }
    let steered = diesel::sql_query(
        "UPDATE batches SET state = $3, cap = coalesce($5, cap), per_minute = coalesce($6, per_minute),
            retry_before = CASE WHEN $7 THEN now() ELSE retry_before END,
            started_at = CASE WHEN $3 = 'RUNNING' THEN coalesce(started_at, now()) ELSE started_at END,
            finished_at = NULL, report = NULL, reason = NULL, rate = 0, told_at = NULL
        WHERE id = $1 AND organization_id = $2 AND state = ANY($4) AND ($5 IS NULL OR spent + reserved <= $5)",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Text, _>(steering.to().as_str())
    .bind::<Array<Text>, _>(from)
    .bind::<Nullable<BigInt>, _>(cap.map(micros))
    .bind::<Nullable<Integer>, _>(per_minute.map(|rate| i32::try_from(rate).unwrap_or(i32::MAX)))
    .bind::<Bool, _>(matches!(steering, Steering::RetryFailures { .. }))
    .prepared()
    .execute(conn)
    .await?;
    let batch = find(conn, tenant, &[id]).await?.pop();
    if let Some(batch) = batch.as_ref().filter(|batch| steered > 0 && begins && batch.is_rebuild()) {
        generations::begin(conn, batch.id).await?;
    }
    Ok((batch, steered > 0))
}

pub(super) fn micros(amount: MicroDollars) -> i64 {
    i64::try_from(amount.0).unwrap_or(i64::MAX)
}

/// Changes the state of those jobs of a batch (`$1`) that are in one (`$2`), in the order of their ids, where the batch is
/// as `$while` has it. The state that is looked for is a parameter: so no index but the batch's own answers to it,
/// whatever the planner knew of the queue when it planned.
macro_rules! shift {
    ($to:literal, $which:literal, $while:literal) => {
        concat!(
            "WITH chosen AS MATERIALIZED (
                SELECT id FROM jobs WHERE batch_id = $1 AND state = $2",
            $which,
            " ORDER BY id FOR UPDATE
            ), shifted AS (
                UPDATE jobs SET state = '",
            $to,
            "' WHERE id = ANY(ARRAY(SELECT id FROM chosen)) AND state || '' = $2
                    AND EXISTS (SELECT FROM batches WHERE id = $1 AND state = '",
            $while,
            "')
                RETURNING id, organization_id, kind, conversation_id, state
            ) ",
            tell!("shifted")
        )
    };
}

/// What nobody has claimed goes where nobody can.
pub(super) async fn hold(conn: &mut Connection, batch: &Batch) -> Step<Raised> {
    let held = diesel::sql_query(shift!("WAITING", "", "PAUSED"))
        .bind::<SqlUuid, _>(batch.id.0)
        .bind::<Text, _>(JobState::Ready.as_str())
        .prepared()
        .execute(conn)
        .await?;
    Ok(Raised { jobs: false, events: held > 0 })
}

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = Bool)]
    held: bool,
}

/// What was held waits for nothing but its turn again. Almost always nothing is, which costs one look.
pub(super) async fn release(conn: &mut Connection, batch: &Batch) -> Step<Raised> {
    let sql = "SELECT EXISTS (SELECT FROM jobs WHERE batch_id = $1 AND state = $2 AND waits_for = 0) AS held";
    let waiting = JobState::Waiting.as_str();
    let look: Held = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(batch.id.0)
        .bind::<Text, _>(waiting)
        .prepared()
        .get_result(conn)
        .await?;
    if !look.held {
        return Ok(Raised::default());
    }
    let released = diesel::sql_query(shift!("READY", " AND waits_for = 0", "RUNNING"))
        .bind::<SqlUuid, _>(batch.id.0)
        .bind::<Text, _>(waiting)
        .prepared()
        .execute(conn)
        .await?;
    Ok(Raised { jobs: released > 0, events: released > 0 })
}

pub(super) async fn cancel(conn: &mut Connection, batch: &Batch) -> Step<Raised> {
    let tenant = Tenant(batch.organization_id);
    let (_, raised) = cancel_matching(conn, tenant, &unfinished(batch), CANCELLED).await?;
    Ok(raised)
}

#[derive(QueryableByName)]
struct Message {
    #[diesel(sql_type = Nullable<Text>)]
    message: Option<String>,
    #[diesel(sql_type = BigInt)]
    conversations: i64,
}

/// The most frequent last words of what failed.
async fn failures(conn: &mut Connection, batch: &Batch) -> Step<Vec<Failures>> {
    let found: Vec<Message> = diesel::sql_query(
        "SELECT errors->-1->>'message' AS message, count(*) AS conversations FROM (
            SELECT errors FROM jobs WHERE batch_id = $1 AND state = 'DEAD' ORDER BY id LIMIT $2
        ) AS failed GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $3",
    )
    .bind::<SqlUuid, _>(batch.id.0)
    .bind::<BigInt, _>(FAILURES)
    .bind::<BigInt, _>(MESSAGES)
    .prepared()
    .load(conn)
    .await?;
    let of = |row: Message| Failures {
        message: row.message.unwrap_or_default().chars().take(LONGEST_MESSAGE).collect(),
        conversations: row.conversations.unsigned_abs(),
    };
    Ok(found.into_iter().map(of).collect())
}

/// Only one that stands as it was read: nobody has steered it, and all that was fed has ended.
pub(super) async fn end(
    conn: &mut Connection,
    batch: &Batch,
    state: BatchState,
    reason: Option<&str>,
) -> Step<Raised> {
    let locked: Option<Row> = read_one(conn, batch).await?;
    let locked = locked.map(Row::batch).transpose()?.ok_or_else(moved)?;
    let same = (locked.state, locked.cursor, locked.fed_all, locked.retry_before)
        == (batch.state, batch.cursor, batch.fed_all, batch.retry_before);
    if !same || locked.cap != batch.cap || locked.counts.unfinished() > 0 {
        return Err(moved());
    }
    let duration = Report {
        counts: locked.counts,
        spent: locked.spent,
        duration_ms: 0,
        failures: failures(conn, batch).await?,
    };
    let ended: Row = diesel::sql_query(concat!(
        "WITH ended AS (
            UPDATE batches SET state = $2, reason = $3, finished_at = now(), rate = 0,
                report = $4 || jsonb_build_object('duration_ms',
                    greatest(round(extract(epoch FROM now() - coalesce(started_at, now())) * 1000), 0)::bigint)
            WHERE id = $1 RETURNING *
        ) SELECT ",
        columns!(),
        " FROM ended b"
    ))
    .bind::<SqlUuid, _>(batch.id.0)
    .bind::<Text, _>(state.as_str())
    .bind::<Nullable<Text>, _>(reason)
    .bind::<Jsonb, _>(rows::json(&duration)?)
    .prepared()
    .get_result(conn)
    .await?;
    follow::write(conn, &Follow { jobs: Vec::new(), events: vec![changed(&ended.batch()?)] }).await
}

async fn read_one(conn: &mut Connection, batch: &Batch) -> Step<Option<Row>> {
    let sql = concat!("SELECT ", columns!(), " FROM batches b WHERE id = $1 FOR UPDATE");
    let mut found: Vec<Row> =
        diesel::sql_query(sql).bind::<SqlUuid, _>(batch.id.0).prepared().load(conn).await?;
    Ok(found.pop())
}

fn changed(batch: &Batch) -> NewEvent {
    let kind = EventKind::BatchChanged { batch_id: batch.id, progress: Progress::from(batch) };
    NewEvent { organization_id: batch.organization_id, kind }
}

/// One event a batch that moved; the rate follows the last quarter of a minute or so. Rows that somebody else is
/// writing are told of next time, so that nobody waits in a circle.
pub(super) async fn tell(conn: &mut Connection) -> Step<(usize, Raised)> {
    let moved: Vec<Row> = diesel::sql_query(concat!(
        "WITH active AS MATERIALIZED (
            SELECT *, concat_ws(' ', state, fed, done, failed, skipped, cancelled, spent) AS now_told,
                done + failed + skipped + cancelled AS ended,
                extract(epoch FROM now() - told_at)::double precision AS seconds
            FROM batches WHERE state IN ('RUNNING', 'PAUSED', 'CANCELLING') ORDER BY id FOR UPDATE SKIP LOCKED
        ), due AS (
            SELECT * FROM active WHERE (told IS DISTINCT FROM now_told OR rate > 0.01)
                AND (seconds IS NULL OR seconds >= 0.9)
        ), told AS (
            UPDATE batches b SET told = d.now_told, told_at = now(), told_ended = d.ended,
                rate = CASE WHEN d.seconds IS NULL THEN 0 ELSE
                    b.rate + ((d.ended - b.told_ended) / d.seconds - b.rate) * (1 - exp(-d.seconds / 15)) END
            FROM due d WHERE b.id = d.id RETURNING b.*
        ) SELECT ",
        columns!(),
        " FROM told b ORDER BY id"
    ))
    .prepared()
    .load(conn)
    .await?;
    let events: Vec<_> = read(moved)?.iter().map(changed).collect();
    let told = events.len();
    Ok((told, follow::write(conn, &Follow { jobs: Vec::new(), events }).await?))
}
