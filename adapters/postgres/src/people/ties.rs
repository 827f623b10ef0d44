//! Which participants people are, and the end of that: whoever is deleted is nobody's participant, in no revision. Search sees
//! it, so that the versions of conversations change; their revisions do not.

use colloquy_domain::{
    Error,
    accounts::Tenant,
    audit::NewAuditEntry,
    ids::{ConversationId, PersonId},
    ports::jobs::Follow,
};
use diesel::{
    QueryableByName,
    sql_types::{Array, BigInt, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{
    audit,
    errors::Step,
    follow::{self, Raised},
    pool::Connection,
    rows,
    statement::Prepare,
};

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

pub(super) async fn conversations(
    conn: &mut Connection,
    tenant: Tenant,
    id: PersonId,
    limit: usize,
) -> Step<Vec<ConversationId>> {
    let found: Vec<IdRow> = diesel::sql_query(
        "SELECT DISTINCT conversation_id AS id FROM participants
        WHERE person_id = $1 AND organization_id = $2 ORDER BY conversation_id LIMIT $3",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<BigInt, _>(rows::limit(limit))
    .prepared()
    .load(conn)
    .await?;
    Ok(found.into_iter().map(|row| ConversationId(row.id)).collect())
}

/// Until the transaction ends nobody ties them.
async fn hold(conn: &mut Connection, tenant: Tenant, id: PersonId) -> Step<()> {
    let sql = "SELECT id FROM people WHERE id = $1 AND organization_id = $2 FOR UPDATE";
    let found: Vec<IdRow> = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(id.0)
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared()
        .load(conn)
        .await?;
    if found.is_empty() { Err(Error::not_found("person", id).into()) } else { Ok(()) }
}

/// Whether they are gone.
pub(super) async fn delete(
    conn: &mut Connection,
    tenant: Tenant,
    id: PersonId,
    untie: &[ConversationId],
    follow: &Follow,
    entry: &NewAuditEntry,
) -> Step<(bool, Raised)> {
    hold(conn, tenant, id).await?;
    let conversations: Vec<Uuid> = untie.iter().map(|id| id.0).collect();
    // In one order, as whoever else locks several.
    diesel::sql_query(
        "UPDATE conversations SET version = version + 1, updated_at = now()
        FROM (SELECT k.id FROM conversations k WHERE k.organization_id = $1 AND k.id = ANY($2)
            ORDER BY k.id FOR NO KEY UPDATE) held
        WHERE conversations.id = held.id",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Array<SqlUuid>, _>(&conversations)
    .prepared()
    .execute(conn)
    .await?;
    diesel::sql_query(
        "UPDATE participants SET person_id = NULL
        WHERE organization_id = $1 AND person_id = $2 AND conversation_id = ANY($3)",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<SqlUuid, _>(id.0)
    .bind::<Array<SqlUuid>, _>(&conversations)
    .prepared()
    .execute(conn)
    .await?;
    let deleted = diesel::sql_query(
        "DELETE FROM people p WHERE p.id = $1 AND p.organization_id = $2
            AND NOT EXISTS (SELECT FROM participants WHERE person_id = $1)",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .execute(conn)
    .await?;
    audit::insert(conn, entry).await?;
    Ok((deleted > 0, follow::write(conn, follow).await?))
}
