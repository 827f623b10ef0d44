//! Keeping a new conversation, once: of many who bring the same bytes at the same time one writes, and the
//! others are given what it wrote.

use colloquy_domain::{
    Error,
    accounts::Tenant,
    conversations::{
        ContentHash, Conversation, Participant, RevisionNumber, Segment, revisions::RevisionKind,
    },
    ids::ConversationId,
    ports::{
        jobs::Follow,
        store::conversations::{Inserted, NewConversation},
    },
};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper,
    dsl::Eq,
    sql_types::{Array, BigInt, Integer, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;

use super::{Row, tags};
use crate::{
    errors::Step,
    follow::{self, Raised},
    pool::Connection,
    rows,
    schema::{conversations, revisions},
    statement::Prepare,
};

/// Someone may delete what was in the way before we can look at it.
const TRIES: usize = 5;

pub(super) async fn insert(
    conn: &mut Connection,
    tenant: Tenant,
    new: &NewConversation,
    follow: &Follow,
) -> Step<(Inserted, Raised)> {
    let conversation = &new.conversation;
    for _ in 0..TRIES {
        // Waits for whoever writes the same bytes or external id at this moment.
        if insert_conversation(conn, tenant, conversation, &new.segments).await? {
            insert_revision(conn, tenant, conversation).await?;
            insert_participants(conn, tenant, conversation.revision, &new.participants).await?;
            insert_segments(conn, tenant, conversation.id, conversation.revision, &new.segments).await?;
            tags::add(conn, tenant, conversation.id, &new.tags).await?;
            return Ok((Inserted::New, follow::write(conn, follow).await?));
        }
        let external_id = conversation.external_id.as_deref();
        match find_same(conn, tenant, conversation.content_hash, external_id).await? {
            Inserted::New => continue,
            known => return Ok((known, Raised::default())),
        }
    }
    let reason = "its id or object key is taken by another one";
    Err(Error::internal("keep a conversation", reason).into())
}

/// An external id names its conversation, whatever else has the same bytes.
pub(super) async fn find_same(
    conn: &mut Connection,
    tenant: Tenant,
    hash: ContentHash,
    external_id: Option<&str>,
) -> Step<Inserted> {
    let of_tenant = conversations::table.filter(conversations::organization_id.eq(tenant.0.0));
    if let Some(external_id) = external_id {
        let named: Option<Row> = of_tenant
            .filter(conversations::external_id.eq(external_id))
            .select(Row::as_select())
            .first(conn)
            .await
            .optional()?;
        if let Some(row) = named {
            let conversation = Box::new(row.conversation()?);
            return Ok(if conversation.content_hash == hash {
                Inserted::Existing(conversation)
            } else {
                Inserted::ExternalIdTaken(conversation)
            });
        }
    }
    let same: Option<Row> = of_tenant
        .filter(conversations::content_hash.eq(hash.0.as_slice()))
        .select(Row::as_select())
        .first(conn)
        .await
        .optional()?;
    Ok(match same {
        Some(row) => Inserted::Existing(Box::new(row.conversation()?)),
        None => Inserted::New,
    })
}

async fn insert_conversation(
    conn: &mut Connection,
    tenant: Tenant,
    new: &Conversation,
    segments: &[Segment],
) -> Step<bool> {
    let written = diesel::insert_into(conversations::table)
        .values((
            conversations::id.eq(new.id.0),
            conversations::organization_id.eq(tenant.0.0),
            conversations::kind.eq(new.kind.as_str()),
            conversations::title.eq(&new.title),
            conversations::occurred_at.eq(new.occurred_at),
            conversations::external_id.eq(&new.external_id),
            conversations::file_name.eq(&new.file_name),
            conversations::content_hash.eq(new.content_hash.0.as_slice()),
            conversations::object_key.eq(&new.object_key),
            conversations::revision.eq(new.revision),
            conversations::language.eq(new.language.map(String::from)),
            conversations::report.eq(rows::json(&new.report)?),
            conversations::created_by.eq(new.created_by.map(|user| user.0)),
            conversations::created_at.eq(new.created_at),
            conversations::updated_at.eq(new.updated_at),
            size(segments),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(written == 1)
}

/// What planning knows of a text without reading it.
pub(super) fn size(
    segments: &[Segment],
) -> (Eq<conversations::segment_count, i32>, Eq<conversations::characters, i64>) {
    let characters = segments.iter().map(|segment| segment.text.chars().count() as i64).sum();
    (
        conversations::segment_count.eq(i32::try_from(segments.len()).unwrap_or(i32::MAX)),
        conversations::characters.eq::<i64>(characters),
    )
}

async fn insert_revision(conn: &mut Connection, tenant: Tenant, new: &Conversation) -> Step<()> {
    diesel::insert_into(revisions::table)
        .values((
            revisions::conversation_id.eq(new.id.0),
            revisions::number.eq(new.revision),
            revisions::organization_id.eq(tenant.0.0),
            revisions::author_id.eq(new.created_by.map(|user| user.0)),
            revisions::kind.eq(RevisionKind::Import.as_str()),
            revisions::created_at.eq(new.created_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn insert_participants(
    conn: &mut Connection,
    tenant: Tenant,
    revision: RevisionNumber,
    new: &[Participant],
) -> Step<()> {
    if new.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "INSERT INTO participants (organization_id, valid_from, id, conversation_id, label, ordinal)
        SELECT $1, $2, id, conversation_id, label, ordinal
        FROM unnest($3, $4, $5, $6) AS new (id, conversation_id, label, ordinal)",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Integer, _>(revision)
    .bind::<Array<SqlUuid>, _>(new.iter().map(|one| one.id.0).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(new.iter().map(|one| one.conversation_id.0).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(new.iter().map(|one| one.label.as_str()).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(new.iter().map(|one| one.ordinal).collect::<Vec<_>>())
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn insert_segments(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    revision: RevisionNumber,
    new: &[Segment],
) -> Step<()> {
    if new.is_empty() {
        return Ok(());
    }
    let participants: Vec<_> = new.iter().map(|one| one.participant_id.map(|id| id.0)).collect();
    diesel::sql_query(
        "INSERT INTO segments (organization_id, conversation_id, valid_from, id, participant_id, sequence,
            text, start_ms, end_ms)
        SELECT $1, $2, $3, id, participant_id, sequence, text, start_ms, end_ms
        FROM unnest($4, $5, $6, $7, $8, $9)
            AS new (id, participant_id, sequence, text, start_ms, end_ms)",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<SqlUuid, _>(id.0)
    .bind::<Integer, _>(revision)
    .bind::<Array<SqlUuid>, _>(new.iter().map(|one| one.id.0).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(participants)
    .bind::<Array<Integer>, _>(new.iter().map(|one| one.sequence).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(new.iter().map(|one| one.text.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(new.iter().map(|one| rows::to_ms(one.start_ms)).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(new.iter().map(|one| rows::to_ms(one.end_ms)).collect::<Vec<_>>())
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}
