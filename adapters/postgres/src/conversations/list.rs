//! Lists of conversations, newest import first, read by key.

use colloquy_domain::{
    accounts::Tenant,
    conversations::Conversation,
    ids::ConversationId,
    ports::store::{PageBy, conversations::ConversationFilter},
};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper,
    dsl::{IntoBoxed, sql},
    pg::Pg,
    sql_types::{Array, Bool, Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::Row;
use crate::{errors::Step, pool::Connection, rows, schema::conversations};

pub(crate) type Query<'a> = IntoBoxed<'a, conversations::table, Pg>;

/// How conversations with a tag are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tagged {
    /// As the planner likes: mostly from the tag.
    Planned,
    /// Conversation by conversation, in their order. Where many bear the tag the planner would read and sort all of
    /// them for each page of a long way.
    InTurn,
}

fn filtered(tenant: Tenant, filter: &ConversationFilter) -> Query<'_> {
    filtered_in(Some(tenant), filter, Tagged::Planned)
}

/// Of every organization without a tenant: for the system's own work.
pub(crate) fn filtered_in(tenant: Option<Tenant>, filter: &ConversationFilter, tagged: Tagged) -> Query<'_> {
    let mut query = conversations::table.into_boxed();
    if let Some(tenant) = tenant {
        query = query.filter(conversations::organization_id.eq(tenant.0.0));
    }
    if let Some(ids) = &filter.ids {
        query = query.filter(conversations::id.eq_any(ids.iter().map(|id| id.0)));
    }
    if !filter.kinds.is_empty() {
        query = query.filter(conversations::kind.eq_any(filter.kinds.iter().map(|kind| kind.as_str())));
    }
    if !filter.tags.is_empty() {
        query = query.filter(
            sql::<Bool>(
                "EXISTS (SELECT 1 FROM conversation_tags ct JOIN tags t ON t.id = ct.tag_id
                WHERE ct.conversation_id = conversations.id
                    AND lower(t.name) IN (SELECT lower(name) FROM unnest(",
            )
            .bind::<Array<Text>, _>(&filter.tags)
            // An OFFSET keeps the planner from making a join of it.
            .sql(match tagged {
                Tagged::Planned => ") AS name))",
                Tagged::InTurn => ") AS name) OFFSET 0)",
            }),
        );
    }
    if let Some(from) = filter.occurred_from {
        query = query.filter(conversations::occurred_at.ge(from));
    }
    if let Some(before) = filter.occurred_before {
        query = query.filter(conversations::occurred_at.lt(before));
    }
    if let Some(from) = filter.created_from {
        query = query.filter(conversations::created_at.ge(from));
    }
    if let Some(before) = filter.created_before {
        query = query.filter(conversations::created_at.lt(before));
    }
    if let Some(part) = &filter.title_contains {
        query = query.filter(
            sql::<Bool>("position(lower(").bind::<Text, _>(part).sql(") IN lower(conversations.title)) > 0"),
        );
    }
    if !filter.person_ids.is_empty() {
        query = query.filter(
            sql::<Bool>(
                "EXISTS (SELECT 1 FROM participants p WHERE p.conversation_id = conversations.id
                    AND EXISTS (SELECT 1 FROM segments s WHERE s.participant_id = p.id AND s.valid_to IS NULL)
                    AND p.person_id = ANY(",
            )
            .bind::<Array<SqlUuid>, _>(filter.person_ids.iter().map(|id| id.0).collect::<Vec<_>>())
            .sql(match tagged {
                Tagged::Planned => "))",
                Tagged::InTurn => ") OFFSET 0)",
            }),
        );
    }
    query
}

pub(super) async fn list(
    conn: &mut Connection,
    tenant: Tenant,
    filter: &ConversationFilter,
    page: PageBy<ConversationId>,
) -> Step<Vec<Conversation>> {
    let mut query = filtered(tenant, filter).limit(rows::limit(page.limit));
    // Later ids come first.
    if let Some(after) = page.after {
        query = query.filter(conversations::id.lt(after.0));
    }
    if let Some(before) = page.before {
        query = query.filter(conversations::id.gt(before.0));
    }
    query = if page.backward {
        query.order(conversations::id.asc())
    } else {
        query.order(conversations::id.desc())
    };
    let mut found: Vec<Row> = query.select(Row::as_select()).load(conn).await?;
    if page.backward {
        found.reverse();
    }
    found.into_iter().map(Row::conversation).collect()
}

/// Whether the conversation fits the filter. It is locked first, as everything locks it that could change that.
pub(super) async fn holds(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    filter: &ConversationFilter,
) -> Step<bool> {
    let locked: Option<Uuid> = conversations::table
        .filter(conversations::id.eq(id.0))
        .filter(conversations::organization_id.eq(tenant.0.0))
        .select(conversations::id)
        .for_update()
        .first(conn)
        .await
        .optional()?;
    if locked.is_none() {
        return Ok(false);
    }
    let fitting: i64 =
        filtered(tenant, filter).filter(conversations::id.eq(id.0)).count().get_result(conn).await?;
    Ok(fitting > 0)
}

pub(super) async fn count(conn: &mut Connection, tenant: Tenant, filter: &ConversationFilter) -> Step<u64> {
    let count: i64 = filtered(tenant, filter).count().get_result(conn).await?;
    Ok(count.unsigned_abs())
}
