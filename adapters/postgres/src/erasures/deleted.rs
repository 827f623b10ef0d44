//! What goes with a deleted conversation that no key of its row reaches: vectors and tags that nothing else has, and what
//! its jobs had to say of errors.

use colloquy_domain::{
    accounts::Tenant,
    erasure::{ErasureState, MARK, NewErasure, Removed},
    ids::ConversationId,
};
use diesel::sql_types::{Array, BigInt, Bytea, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{
    conversation::{drop_tags, drop_vectors},
    rows::{IdRow, insert},
};
use crate::{errors::Step, pool::Connection, statement::Prepare};

#[derive(diesel::QueryableByName)]
struct HashRow {
    #[diesel(sql_type = Bytea)]
    text_hash: Vec<u8>,
}

#[derive(diesel::QueryableByName)]
struct Counts {
    #[diesel(sql_type = BigInt)]
    segments: i64,
    #[diesel(sql_type = BigInt)]
    labels: i64,
    #[diesel(sql_type = BigInt)]
    analyses: i64,
    #[diesel(sql_type = BigInt)]
    matches: i64,
}

/// In the transaction that deletes the conversation, and before it does.
pub(crate) async fn deleted(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    new: NewErasure,
) -> Step<()> {
    let counts = count(conn, tenant, id).await?;
    let gone: Vec<HashRow> = diesel::sql_query(
        "DELETE FROM passages WHERE conversation_id = $1 AND organization_id = $2 RETURNING text_hash",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .load(conn)
    .await?;
    let hashes: Vec<Vec<u8>> = gone.into_iter().map(|row| row.text_hash).collect();
    let tags: Vec<IdRow> =
        diesel::sql_query("DELETE FROM conversation_tags WHERE conversation_id = $1 RETURNING tag_id AS id")
            .bind::<SqlUuid, _>(id.0)
            .prepared()
            .load(conn)
            .await?;
    let tags: Vec<Uuid> = tags.into_iter().map(|row| row.id).collect();
    let removed = Removed {
        conversations: 1,
        segments: counts.segments as u64,
        labels: counts.labels as u64,
        passages: hashes.len() as u64,
        vectors: drop_vectors(conn, tenant, &hashes).await?,
        analyses: counts.analyses as u64,
        matches: counts.matches as u64,
        tags: drop_tags(conn, tenant, &tags).await?,
        jobs: silence(conn, tenant, id).await?,
        ..Removed::default()
    };
    insert(conn, tenant, new, ErasureState::Sweeping, None, removed).await?;
    diesel::sql_query(
        "INSERT INTO erasure_conversations (erasure_id, organization_id, conversation_id, text_hashes, redacted_at)
        VALUES ($1, $2, $3, $4, now())",
    )
    .bind::<SqlUuid, _>(new.id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<SqlUuid, _>(id.0)
    .bind::<Array<Bytea>, _>(hashes)
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

async fn count(conn: &mut Connection, tenant: Tenant, id: ConversationId) -> Step<Counts> {
    Ok(diesel::sql_query(
        "SELECT (SELECT count(*) FROM segments WHERE conversation_id = $1 AND organization_id = $2) AS segments,
            (SELECT count(*) FROM participant_states WHERE conversation_id = $1 AND organization_id = $2) AS labels,
            (SELECT count(*) FROM analyses WHERE conversation_id = $1 AND organization_id = $2) AS analyses,
            (SELECT count(*) FROM search_matches WHERE conversation_id = $1 AND organization_id = $2) AS matches",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .get_result(conn)
    .await?)
}

/// When a job failed stays, and how often. What it said may be of the conversation.
pub(super) async fn silence(conn: &mut Connection, tenant: Tenant, id: ConversationId) -> Step<u64> {
    let silenced = diesel::sql_query(
        "UPDATE jobs SET errors = (SELECT jsonb_agg(e || jsonb_build_object('message', $3) ORDER BY n)
            FROM jsonb_array_elements(errors) WITH ORDINALITY AS x (e, n))
        WHERE id = ANY(ARRAY(SELECT id FROM jobs WHERE conversation_id = $1 AND organization_id = $2
            AND errors <> '[]' AND EXISTS (SELECT FROM jsonb_array_elements(errors) AS e
                WHERE e->>'message' <> $3) ORDER BY id FOR UPDATE))",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Text, _>(MARK)
    .prepared()
    .execute(conn)
    .await?;
    Ok(silenced as u64)
}
