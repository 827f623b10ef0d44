//! What feeds a batch: its conversations, and the jobs made of them.

use colloquy_domain::{
    accounts::Tenant,
    batches::Batch,
    ids::{ConversationId, JobId, OrganizationId},
    jobs::JobKind,
    money::MicroDollars,
    ports::{
        jobs::Follow,
        store::{
            batches::{FailedItem, Feeding, Item, Measured, Reach, Retrying, RunTime},
            conversations::ConversationFilter,
        },
    },
};
use diesel::{
    ExpressionMethods, QueryDsl, QueryableByName,
    dsl::{count_star, sql},
    sql_types::{Array, BigInt, Bool, Double, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{control::micros, moved};
use crate::{
    conversations::list::{Query, Tagged, filtered_in},
    errors::Step,
    follow::{self, Raised, tell},
    pool::Connection,
    rows::{self, Count},
    schema::conversations,
    statement::Prepare,
};

fn chosen(reach: Reach, filter: &ConversationFilter, tagged: Tagged) -> Query<'_> {
    let tenant = match reach {
        Reach::Of(tenant) => Some(tenant),
        Reach::Everywhere(_) => None,
    };
    filtered_in(tenant, filter, tagged)
}

pub(super) async fn items(
    conn: &mut Connection,
    reach: Reach,
    filter: &ConversationFilter,
    after: Option<ConversationId>,
    limit: usize,
) -> Step<Vec<Item>> {
    let found: Vec<(Uuid, Uuid, String, i64)> = chosen(reach, filter, Tagged::InTurn)
        .filter(conversations::id.gt(after.map_or(Uuid::nil(), Uuid::from)))
        .order(conversations::id)
        .limit(rows::limit(limit))
        .select((
            conversations::organization_id,
            conversations::id,
            conversations::object_key,
            conversations::characters,
        ))
        .load(conn)
        .await?;
    let item = |(organization, id, object_key, characters): (Uuid, Uuid, String, i64)| Item {
        organization_id: OrganizationId(organization),
        conversation_id: ConversationId(id),
        object_key,
        characters: characters.unsigned_abs(),
    };
    Ok(found.into_iter().map(item).collect())
}

/// The rule of tokens and prices stands in the domain, too; a test holds one to the other.
pub(super) async fn measure(
    conn: &mut Connection,
    reach: Reach,
    filter: &ConversationFilter,
    per_1000: MicroDollars,
) -> Step<Measured> {
    let sum = |what: &str| sql::<BigInt>(&format!("coalesce(sum({what}), 0)::bigint"));
    let price = sql::<BigInt>("least(coalesce(sum(ceil((characters + 3) / 4 * ")
        .bind::<BigInt, _>(micros(per_1000))
        .sql("::numeric / 1000)), 0), 9223372036854775807)::bigint");
    let sums = (count_star(), sum("segment_count"), sum("characters"), sum("(characters + 3) / 4"));
    let (conversations, segments, characters, tokens) =
        chosen(reach, filter, Tagged::Planned).select(sums).first::<(i64, i64, i64, i64)>(conn).await?;
    let price: i64 = match per_1000 {
        MicroDollars::ZERO => 0,
        _ => chosen(reach, filter, Tagged::Planned).select(price).first(conn).await?,
    };
    Ok(Measured {
        conversations: conversations.unsigned_abs(),
        segments: segments.unsigned_abs(),
        characters: characters.unsigned_abs(),
        tokens: tokens.unsigned_abs(),
        price: MicroDollars(price.unsigned_abs()),
    })
}

pub(super) async fn edited(conn: &mut Connection, reach: Reach, filter: &ConversationFilter) -> Step<u64> {
    let by_hand = sql::<Bool>(
        "EXISTS (SELECT FROM revisions r WHERE r.conversation_id = conversations.id
            AND r.number = conversations.revision AND r.edited)",
    );
    let count: i64 = chosen(reach, filter, Tagged::Planned).filter(by_hand).count().get_result(conn).await?;
    Ok(count.unsigned_abs())
}

#[derive(QueryableByName)]
struct Ran {
    #[diesel(sql_type = BigInt)]
    jobs: i64,
    #[diesel(sql_type = Nullable<Double>)]
    average_ms: Option<f64>,
}

pub(super) async fn run_time(conn: &mut Connection, tenant: Tenant, kind: JobKind) -> Step<Option<RunTime>> {
    let ran: Ran = diesel::sql_query(
        "SELECT count(*) AS jobs,
            (avg(extract(epoch FROM finished_at - started_at)) * 1000)::double precision AS average_ms
        FROM (
            SELECT started_at, finished_at FROM jobs
            WHERE organization_id = $1 AND kind = $2 AND state = 'DONE' ORDER BY id DESC LIMIT 1000
        ) AS last WHERE finished_at > now() - interval '1 hour'",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Text, _>(kind.as_str())
    .prepared()
    .get_result(conn)
    .await?;
    Ok(ran.average_ms.map(|average_ms| RunTime { jobs: ran.jobs.unsigned_abs(), average_ms }))
}

/// How far the pace is used up by `$2` jobs more. Of the time that nothing was fed in, two seconds count, beyond the one
/// job's time that a slow pace has to wait for: so a feeder that comes late loses nothing, and a pause makes no burst.
macro_rules! paced_to {
    () => {
        "CASE WHEN per_minute IS NOT NULL THEN
                greatest(coalesce(paced_to, now() - interval '1 minute' / per_minute),
                    now() - interval '2 seconds' - interval '1 minute' / per_minute)
                + $2 * interval '1 minute' / per_minute END"
    };
}

/// The batch's row first: where it has moved, or its cap is too small, nothing is written.
pub(super) async fn feed(conn: &mut Connection, batch: &Batch, feeding: &Feeding) -> Step<Raised> {
    let jobs = feeding.jobs.len() as i64;
    let advanced = diesel::sql_query(concat!(
        "UPDATE batches SET fed = fed + $2, reserved = reserved + $3, cursor = $4, fed_all = $5,
            paced_to = ",
        paced_to!(),
        "
        WHERE id = $1 AND state = 'RUNNING' AND NOT fed_all AND cursor IS NOT DISTINCT FROM $6
            AND (cap IS NULL OR spent + reserved + $3 <= cap)"
    ))
    .bind::<SqlUuid, _>(batch.id.0)
    .bind::<BigInt, _>(jobs)
    .bind::<BigInt, _>(micros(feeding.reserved))
    .bind::<Nullable<SqlUuid>, _>(feeding.cursor.map(Uuid::from))
    .bind::<Bool, _>(feeding.fed_all)
    .bind::<Nullable<SqlUuid>, _>(batch.cursor.map(Uuid::from))
    .prepared()
    .execute(conn)
    .await?;
    if advanced == 0 {
        return Err(moved());
    }
    follow::write(conn, &Follow { jobs: feeding.jobs.clone(), events: Vec::new() }).await
}

#[derive(QueryableByName)]
struct FailedRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = BigInt)]
    characters: i64,
}

pub(super) async fn failed(conn: &mut Connection, batch: &Batch, limit: usize) -> Step<Vec<FailedItem>> {
    let found: Vec<FailedRow> = diesel::sql_query(
        "SELECT j.id, coalesce(c.characters, 0) AS characters FROM (
            SELECT id, conversation_id FROM jobs
            WHERE batch_id = $1 AND state = 'DEAD' AND finished_at <= $2 ORDER BY id LIMIT $3
        ) AS j LEFT JOIN conversations c ON c.id = j.conversation_id ORDER BY j.id",
    )
    .bind::<SqlUuid, _>(batch.id.0)
    .bind::<Nullable<Timestamptz>, _>(batch.retry_before)
    .bind::<BigInt, _>(rows::limit(limit))
    .prepared()
    .load(conn)
    .await?;
    let item =
        |row: FailedRow| FailedItem { job_id: JobId(row.id), characters: row.characters.unsigned_abs() };
    Ok(found.into_iter().map(item).collect())
}

/// The jobs first, in the order of ids; then the batch, as completions do it. Failures of which no job is left, since
/// somebody discarded it, count as skipped once the rest has been brought back: no retry would ever find them.
pub(super) async fn retry(conn: &mut Connection, batch: &Batch, retrying: &Retrying) -> Step<Raised> {
    let revived: Count = diesel::sql_query(concat!(
        "WITH chosen AS MATERIALIZED (
            SELECT j.id, n.reserved FROM jobs j JOIN unnest($2, $3) AS n (id, reserved) ON j.id = n.id
            WHERE j.batch_id = $1 AND j.state = 'DEAD' ORDER BY j.id FOR UPDATE OF j
        ), revived AS (
            UPDATE jobs j SET state = 'READY', reserved = c.reserved, attempts = 0, suspect = false,
                cancel_requested_at = NULL, finished_at = NULL, run_at = now()
            FROM chosen c WHERE j.id = ANY(ARRAY(SELECT id FROM chosen)) AND j.id = c.id RETURNING j.*
        ), told AS (",
        tell!("revived"),
        ") SELECT count(*) AS count FROM revived"
    ))
    .bind::<SqlUuid, _>(batch.id.0)
    .bind::<Array<SqlUuid>, _>(retrying.jobs.iter().map(|(id, _)| id.0).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(retrying.jobs.iter().map(|(_, price)| micros(*price)).collect::<Vec<_>>())
    .prepared()
    .get_result(conn)
    .await?;
    if revived.count != retrying.jobs.len() as i64 {
        return Err(moved());
    }
    // Whoever ends a job of it now counts after this, so that no failure is missed below.
    diesel::sql_query("SELECT FROM batches WHERE id = $1 FOR NO KEY UPDATE")
        .bind::<SqlUuid, _>(batch.id.0)
        .prepared()
        .execute(conn)
        .await?;
    let reserved = retrying.jobs.iter().map(|(_, price)| *price).sum();
    let counted = diesel::sql_query(concat!(
        "UPDATE batches SET failed = CASE WHEN discarded THEN 0 ELSE failed - $2 END,
            skipped = CASE WHEN discarded THEN skipped + failed - $2 ELSE skipped END, reserved = reserved + $3,
            retry_before = CASE WHEN $4 THEN NULL ELSE retry_before END,
            paced_to = ",
        paced_to!(),
        "
        FROM (SELECT $4 AND NOT EXISTS (SELECT FROM jobs WHERE batch_id = $1 AND state = 'DEAD') AS discarded) AS left_over
        WHERE id = $1 AND state = 'RUNNING' AND retry_before = $5
            AND (cap IS NULL OR spent + reserved + $3 <= cap)"
    ))
    .bind::<SqlUuid, _>(batch.id.0)
    .bind::<BigInt, _>(revived.count)
    .bind::<BigInt, _>(micros(reserved))
    .bind::<Bool, _>(retrying.is_last)
    .bind::<Nullable<Timestamptz>, _>(batch.retry_before)
    .prepared()
    .execute(conn)
    .await?;
    if counted == 0 {
        return Err(moved());
    }
    Ok(Raised { jobs: revived.count > 0, events: revived.count > 0 })
}
