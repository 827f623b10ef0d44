//! Which participants people are. A tie is seen by search, so that it changes the version of its conversation.

use colloquy_domain::{
    Error,
    accounts::Tenant,
    audit::NewAuditEntry,
    conversations::Participant,
    ids::{ConversationId, PersonId},
    ports::{jobs::Follow, store::conversations::ConversationPatch},
};
use diesel::{
    QueryableByName,
    sql_types::{Array, BigInt, Nullable, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{
    audit, conversations,
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

/// Until the transaction ends nobody deletes them; with `alone` nobody ties them either.
async fn hold(conn: &mut Connection, tenant: Tenant, id: PersonId, alone: bool) -> Step<()> {
    let sql = match alone {
        true => "SELECT id FROM people WHERE id = $1 AND organization_id = $2 FOR UPDATE",
        false => "SELECT id FROM people WHERE id = $1 AND organization_id = $2 FOR KEY SHARE",
    };
    let found: Vec<IdRow> = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(id.0)
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared()
        .load(conn)
        .await?;
    if found.is_empty() { Err(Error::not_found("person", id).into()) } else { Ok(()) }
}

pub(super) async fn tie(
    conn: &mut Connection,
    tenant: Tenant,
    participant: &Participant,
    person: Option<PersonId>,
    follow: &Follow,
    entry: &NewAuditEntry,
) -> Step<(Participant, Raised)> {
    if let Some(person) = person {
        hold(conn, tenant, person, false).await?;
    }
    let missing = || Error::not_found("participant", participant.id);
    let stands: Vec<IdRow> = diesel::sql_query(
        "SELECT c.id FROM conversations c JOIN participants p ON p.conversation_id = c.id
        WHERE p.id = $1 AND p.organization_id = $2 AND c.organization_id = $2 FOR NO KEY UPDATE OF c",
    )
    .bind::<SqlUuid, _>(participant.id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .load(conn)
    .await?;
    let conversation = stands.into_iter().next().map(|row| ConversationId(row.id)).ok_or_else(missing)?;
    let changed = diesel::sql_query(
        "UPDATE participants SET person_id = $3
        WHERE id = $1 AND organization_id = $2 AND person_id IS DISTINCT FROM $3",
    )
    .bind::<SqlUuid, _>(participant.id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Nullable<SqlUuid>, _>(person.map(Uuid::from))
    .prepared()
    .execute(conn)
    .await?;
    let mut raised = Raised::default();
    if changed > 0 {
        conversations::touch(conn, tenant, conversation, &ConversationPatch::default()).await?;
        raised = follow::write(conn, follow).await?;
    }
    audit::insert(conn, &entry.clone().changed(changed > 0)).await?;
    Ok((Participant { person_id: person, ..participant.clone() }, raised))
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
    hold(conn, tenant, id, true).await?;
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
