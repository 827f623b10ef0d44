//! Tags: a name an organization, whatever its case, as it was first written.

use colloquy_domain::{
    accounts::Tenant,
    conversations::Tag,
    ids::{ConversationId, OrganizationId, TagId},
};
use diesel::{
    ExpressionMethods, QueryDsl, QueryableByName,
    sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{
    errors::Step,
    pool::Connection,
    rows,
    schema::{conversation_tags, tags},
    statement::Prepare,
};

pub(super) async fn add(
    conn: &mut Connection,
    tenant: Tenant,
    conversation: ConversationId,
    add: &[Tag],
) -> Step<()> {
    if add.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = add.iter().map(|tag| tag.name.as_str()).collect();
    // In one order, so that two who make the same tags do not wait in a circle.
    diesel::sql_query(
        "INSERT INTO tags (id, organization_id, name)
        SELECT id, $1, name FROM unnest($2, $3) AS new (id, name) ORDER BY lower(name)
        ON CONFLICT (organization_id, lower(name)) DO NOTHING",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Array<SqlUuid>, _>(add.iter().map(|tag| tag.id.0).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(&names)
    .prepared()
    .execute(conn)
    .await?;
    diesel::sql_query(
        "INSERT INTO conversation_tags (conversation_id, tag_id)
        SELECT $1, id FROM tags
        WHERE organization_id = $2 AND lower(name) IN (SELECT lower(name) FROM unnest($3) AS name)
        ON CONFLICT DO NOTHING",
    )
    .bind::<SqlUuid, _>(conversation.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Array<Text>, _>(&names)
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn remove(
    conn: &mut Connection,
    tenant: Tenant,
    conversation: ConversationId,
    names: &[String],
) -> Step<()> {
    if names.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "DELETE FROM conversation_tags ct USING tags t
        WHERE ct.conversation_id = $1 AND t.id = ct.tag_id AND t.organization_id = $2
            AND lower(t.name) IN (SELECT lower(name) FROM unnest($3) AS name)",
    )
    .bind::<SqlUuid, _>(conversation.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Array<Text>, _>(names)
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

/// By name within each conversation.
pub(super) async fn find(
    conn: &mut Connection,
    tenant: Tenant,
    ids: &[ConversationId],
) -> Step<Vec<(ConversationId, Tag)>> {
    let found: Vec<(Uuid, Uuid, String)> = conversation_tags::table
        .inner_join(tags::table)
        .filter(tags::organization_id.eq(tenant.0.0))
        .filter(conversation_tags::conversation_id.eq_any(ids.iter().map(|id| id.0)))
        .order((conversation_tags::conversation_id, tags::name))
        .select((conversation_tags::conversation_id, tags::id, tags::name))
        .load(conn)
        .await?;
    let read = |(conversation, id, name)| {
        (ConversationId(conversation), Tag { id: TagId(id), organization_id: tenant.0, name })
    };
    Ok(found.into_iter().map(read).collect())
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    organization_id: Uuid,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    conversations: i64,
}

pub(super) async fn list(
    conn: &mut Connection,
    tenant: Tenant,
    after: Option<&str>,
    limit: usize,
) -> Step<Vec<(Tag, u64)>> {
    let found: Vec<Counted> = diesel::sql_query(
        "SELECT t.id, t.organization_id, t.name,
            (SELECT count(*) FROM conversation_tags ct WHERE ct.tag_id = t.id) AS conversations
        FROM tags t
        WHERE t.organization_id = $1 AND ($2 IS NULL OR lower(t.name) > lower($2))
        ORDER BY lower(t.name) LIMIT $3",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Nullable<Text>, _>(after)
    .bind::<BigInt, _>(rows::limit(limit))
    .prepared()
    .load(conn)
    .await?;
    let read = |row: Counted| {
        let organization_id = OrganizationId(row.organization_id);
        (Tag { id: TagId(row.id), organization_id, name: row.name }, row.conversations.unsigned_abs())
    };
    Ok(found.into_iter().map(read).collect())
}
