//! Which erasures are to be swept, and what a sweep does to the database.

use std::time::Duration;

use colloquy_domain::{
    accounts::Tenant,
    erasure::{ErasureKind, Removed},
    ids::{ConversationId, ErasureId},
    ports::{jobs::Follow, store::erasures::Sweep},
};
use diesel::{
    QueryableByName,
    sql_types::{Array, BigInt, Bool, Bytea, Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{
    conversation::{bump, derived, drop_vectors, hold, restart, speech},
    deleted::silence,
    rows::{add, kind},
};
use crate::{
    errors::Step,
    follow::{self, Raised},
    pool::Connection,
    rows,
    statement::Prepare,
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Bool)]
    is_last: bool,
    #[diesel(sql_type = BigInt)]
    age_ms: i64,
}

/// Whoever's engines are away for ten minutes is swept once nevertheless, and later for the last time. What nobody asked for
/// by itself, such as each conversation of a PURGE, has the last sweep alone.
pub(super) async fn to_sweep(
    conn: &mut Connection,
    tenant: Tenant,
    settled_ms: i64,
    limit: usize,
) -> Step<Vec<Sweep>> {
    let found: Vec<Row> = diesel::sql_query(
        "SELECT id, kind, age_ms >= $2 AS is_last, age_ms FROM (
            SELECT e.*, (extract(epoch FROM now() - e.redacted_at) * 1000)::bigint AS age_ms FROM erasures e
            WHERE e.organization_id = $1 AND e.state = 'SWEEPING'
        ) e
        WHERE age_ms >= $2 OR sweeps = 0 AND (kind = 'PERSON' OR actor_id IS NOT NULL) AND (age_ms >= 600000 OR NOT EXISTS (
            SELECT FROM erasure_conversations x JOIN jobs j ON j.conversation_id = x.conversation_id
            WHERE x.erasure_id = e.id AND j.state IN ('WAITING', 'READY', 'RUNNING')
                AND j.kind IN ('ingest_conversation', 'index_passages', 'embed_passages')))
        ORDER BY id LIMIT $3",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<BigInt, _>(settled_ms)
    .bind::<BigInt, _>(rows::limit(limit))
    .prepared()
    .load(conn)
    .await?;
    let sweep = |row: Row| {
        let age = Duration::from_millis(row.age_ms.unsigned_abs());
        Ok(Sweep { erasure_id: ErasureId(row.id), kind: kind(&row.kind)?, is_last: row.is_last, age })
    };
    found.into_iter().map(sweep).collect()
}

#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Array<SqlUuid>)]
    participant_ids: Vec<Uuid>,
    #[diesel(sql_type = Array<Bytea>)]
    text_hashes: Vec<Vec<u8>>,
}

pub(super) async fn redact_again(
    conn: &mut Connection,
    tenant: Tenant,
    erasure: ErasureId,
    id: ConversationId,
    follow: &Follow,
) -> Step<(bool, Raised)> {
    let stands = hold(conn, tenant, id).await?;
    let found: Vec<Known> = diesel::sql_query(
        "SELECT e.kind, x.participant_ids, x.text_hashes
        FROM erasure_conversations x JOIN erasures e ON e.id = x.erasure_id
        WHERE x.erasure_id = $1 AND x.organization_id = $2 AND x.conversation_id = $3",
    )
    .bind::<SqlUuid, _>(erasure.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<SqlUuid, _>(id.0)
    .prepared()
    .load(conn)
    .await?;
    let Some(known) = found.into_iter().next() else { return Ok((false, Raised::default())) };
    let vectors = drop_vectors(conn, tenant, &known.text_hashes).await?;
    let mut removed = Removed { vectors, ..Removed::default() };
    let mut raised = Raised::default();
    match kind(&known.kind)? {
        ErasureKind::Conversation => removed.jobs = silence(conn, tenant, id).await?,
        ErasureKind::Person if stands => {
            removed.segments = speech(conn, tenant, id, &known.participant_ids).await?;
            if removed.segments > 0 {
                removed.restarted = restart(conn, tenant, id).await?;
                removed = derived(conn, tenant, id, removed).await?.0;
                bump(conn, tenant, id).await?;
                raised = follow::write(conn, follow).await?;
            }
        }
        ErasureKind::Person => {}
    }
    let came_back = removed.segments + removed.vectors + removed.jobs;
    if came_back > 0 {
        add(conn, erasure, Removed { came_back, ..removed }).await?;
    }
    Ok((came_back > 0, raised))
}

pub(super) async fn swept(
    conn: &mut Connection,
    tenant: Tenant,
    sweeps: &[Sweep],
    settled_ms: i64,
) -> Step<()> {
    diesel::sql_query(
        "UPDATE erasures e SET sweeps = sweeps + 1, last_sweep_at = now(),
            state = CASE WHEN s.is_last THEN 'DONE' ELSE state END,
            finished_at = CASE WHEN s.is_last THEN now() END,
            due_at = CASE WHEN NOT s.is_last THEN redacted_at + $4 * interval '1 millisecond' END
        FROM unnest($2, $3) AS s (id, is_last)
        WHERE e.id = s.id AND e.organization_id = $1 AND e.state = 'SWEEPING'",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Array<SqlUuid>, _>(sweeps.iter().map(|sweep| sweep.erasure_id.0).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(sweeps.iter().map(|sweep| sweep.is_last).collect::<Vec<_>>())
    .bind::<BigInt, _>(settled_ms)
    .prepared()
    .execute(conn)
    .await?;
    let last = sweeps.iter().filter(|sweep| sweep.is_last).map(|sweep| sweep.erasure_id.0);
    diesel::sql_query("DELETE FROM erasure_conversations WHERE erasure_id = ANY($1)")
        .bind::<Array<SqlUuid>, _>(last.collect::<Vec<_>>())
        .prepared()
        .execute(conn)
        .await?;
    Ok(())
}
