//! Matches as rows. A row keeps the hash of the text that matched; where that stands now is looked for when it is read.

use chrono::{DateTime, Utc};
use colloquy_domain::{
    accounts::Tenant,
    ids::{ConversationId, SavedSearchId, SearchMatchId},
    ports::store::{PageBy, saved_searches::NewMatch},
};
use diesel::{
    QueryableByName,
    sql_types::{Array, BigInt, Bytea, Float, Integer, Nullable, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{errors::Step, pool::Connection, rows, statement::Prepare};

#[derive(QueryableByName)]
pub(super) struct Row {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: Uuid,
    #[diesel(sql_type = Bytea)]
    pub(super) text_hash: Vec<u8>,
    #[diesel(sql_type = Nullable<Float>)]
    pub(super) similarity: Option<f32>,
    #[diesel(sql_type = Timestamptz)]
    pub(super) created_at: DateTime<Utc>,
    /// Of the first passage that has the text.
    #[diesel(sql_type = SqlUuid)]
    pub(super) passage_id: Uuid,
}

/// Matches `m` whose text stands in the current revision of their conversation.
macro_rules! standing {
    ($and:literal) => {
        concat!(
            "SELECT m.id, m.text_hash, m.similarity, m.created_at, p.id AS passage_id
            FROM search_matches m CROSS JOIN LATERAL (
                SELECT p.id FROM passages p JOIN conversations c ON c.id = p.conversation_id AND c.revision = p.revision
                WHERE p.conversation_id = m.conversation_id AND p.organization_id = $1 AND p.text_hash = m.text_hash
                ORDER BY p.ordinal LIMIT 1
            ) p
            WHERE m.organization_id = $1 AND m.saved_search_id = $2 ",
            $and
        )
    };
}

/// How many are new. Searches are locked and rows written in one order, so that two who write the same do not wait in
/// a circle; events come last.
pub(super) async fn insert(
    conn: &mut Connection,
    tenant: Tenant,
    conversation_id: ConversationId,
    matches: &[NewMatch],
) -> Step<usize> {
    if matches.is_empty() {
        return Ok(0);
    }
    let there =
        diesel::sql_query("SELECT FROM conversations WHERE id = $1 AND organization_id = $2 FOR KEY SHARE")
            .bind::<SqlUuid, _>(conversation_id.0)
            .bind::<SqlUuid, _>(tenant.0.0)
            .prepared()
            .execute(conn)
            .await?;
    if there == 0 {
        return Ok(0);
    }
    let written = diesel::sql_query(
        "WITH came AS MATERIALIZED (
            SELECT p.text_hash, min(p.created_at) AS at
            FROM passages p JOIN conversations c ON c.id = p.conversation_id AND c.revision = p.revision
            WHERE p.conversation_id = $2 AND p.organization_id = $1
            GROUP BY p.text_hash
        ), held AS MATERIALIZED (
            SELECT id, version, since FROM saved_searches
            WHERE id = ANY($4) AND organization_id = $1 ORDER BY id FOR SHARE
        ), fired AS (
            INSERT INTO search_matches (saved_search_id, text_hash, id, organization_id, conversation_id, similarity)
            SELECT n.saved_search_id, n.text_hash, n.id, $1, $2, n.similarity
            FROM unnest($3, $4, $5, $6, $7) AS n (id, saved_search_id, version, text_hash, similarity)
            JOIN held h ON h.id = n.saved_search_id AND h.version = n.version
            JOIN came c ON c.text_hash = n.text_hash AND c.at > h.since
            ORDER BY n.saved_search_id, n.text_hash
            ON CONFLICT DO NOTHING
            RETURNING id, saved_search_id
        )
        INSERT INTO events (organization_id, kind, saved_search_id, detail)
        SELECT $1, 'SEARCH_MATCHED', saved_search_id, jsonb_build_object('match_id', id) FROM fired ORDER BY id",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<SqlUuid, _>(conversation_id.0)
    .bind::<Array<SqlUuid>, _>(matches.iter().map(|one| one.id.0).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(matches.iter().map(|one| one.saved_search_id.0).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(matches.iter().map(|one| one.version).collect::<Vec<_>>())
    .bind::<Array<Bytea>, _>(matches.iter().map(|one| one.text_hash.as_slice()).collect::<Vec<_>>())
    .bind::<Array<Nullable<Float>>, _>(matches.iter().map(|one| one.similarity).collect::<Vec<_>>())
    .prepared()
    .execute(conn)
    .await?;
    Ok(written)
}

pub(super) async fn find(
    conn: &mut Connection,
    tenant: Tenant,
    of: SavedSearchId,
    ids: &[SearchMatchId],
) -> Step<Vec<Row>> {
    Ok(diesel::sql_query(standing!("AND m.id = ANY($3)"))
        .bind::<SqlUuid, _>(tenant.0.0)
        .bind::<SqlUuid, _>(of.0)
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .prepared()
        .load(conn)
        .await?)
}

pub(super) async fn list(
    conn: &mut Connection,
    tenant: Tenant,
    of: SavedSearchId,
    page: PageBy<SearchMatchId>,
) -> Step<Vec<Row>> {
    let forward = standing!("AND m.id < $3 AND m.id > $4 ORDER BY m.id DESC LIMIT $5");
    let backward = standing!("AND m.id < $3 AND m.id > $4 ORDER BY m.id LIMIT $5");
    let mut found: Vec<Row> = diesel::sql_query(if page.backward { backward } else { forward })
        .bind::<SqlUuid, _>(tenant.0.0)
        .bind::<SqlUuid, _>(of.0)
        .bind::<SqlUuid, _>(page.after.map_or(Uuid::max(), Uuid::from))
        .bind::<SqlUuid, _>(page.before.map_or(Uuid::nil(), Uuid::from))
        .bind::<BigInt, _>(rows::limit(page.limit))
        .prepared()
        .load(conn)
        .await?;
    if page.backward {
        found.reverse();
    }
    Ok(found)
}
