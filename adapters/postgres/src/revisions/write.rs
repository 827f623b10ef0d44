//! Writing a revision by hand: states that end, states that begin, and nothing of what stays.

use colloquy_domain::{
    Error,
    accounts::Tenant,
    audit::NewAuditEntry,
    ids::PersonId,
    ports::{
        jobs::Follow,
        store::revisions::{Memory, NewEdit},
    },
};
use diesel::{
    ExpressionMethods, QueryDsl, QueryableByName,
    dsl::{now, sql},
    expression::SqlLiteral,
    sql_types::{Array, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{
    audit,
    conversations::insert::{insert_participants, insert_segments},
    errors::Step,
    follow::{self, Raised},
    passages as cut,
    pool::Connection,
    schema::{conversations, passages, segments},
    statement::Prepare,
};

pub(super) async fn write(
    conn: &mut Connection,
    tenant: Tenant,
    edit: &NewEdit,
    follow: &Follow,
    entry: Option<&NewAuditEntry>,
) -> Step<Raised> {
    hold_people(conn, tenant, edit).await?;
    advance(conn, tenant, edit).await?;
    insert_revision(conn, tenant, edit).await?;
    end_segments(conn, tenant, edit).await?;
    insert_participants(conn, tenant, edit.number, &edit.added).await?;
    insert_segments(conn, tenant, edit.conversation_id, edit.number, &edit.segments).await?;
    change_participants(conn, tenant, edit).await?;
    remember(conn, tenant, edit).await?;
    match &edit.passages {
        Some(new) => cut::put(conn, tenant, edit.conversation_id, edit.number, new).await?,
        None => keep_passages(conn, tenant, edit).await?,
    }
    if let Some(entry) = entry {
        audit::insert(conn, entry).await?;
    }
    follow::write(conn, follow).await
}

async fn keep_passages(conn: &mut Connection, tenant: Tenant, edit: &NewEdit) -> Step<()> {
    diesel::update(passages::table)
        .filter(passages::conversation_id.eq(edit.conversation_id.0))
        .filter(passages::organization_id.eq(tenant.0.0))
        .filter(passages::revision.eq(edit.number - 1))
        .set(passages::revision.eq(edit.number))
        .execute(conn)
        .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Until the transaction ends nobody deletes them.
async fn hold_people(conn: &mut Connection, tenant: Tenant, edit: &NewEdit) -> Step<()> {
    let mut wanted: Vec<PersonId> = edit.changed.iter().filter_map(|one| one.person_id).collect();
    wanted.sort();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(());
    }
    let held: Vec<IdRow> = diesel::sql_query(
        "SELECT id FROM people WHERE id = ANY($1) AND organization_id = $2 ORDER BY id FOR KEY SHARE",
    )
    .bind::<Array<SqlUuid>, _>(wanted.iter().map(|id| id.0).collect::<Vec<_>>())
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .load(conn)
    .await?;
    match wanted.into_iter().find(|id| held.iter().all(|row| row.id != id.0)) {
        Some(missing) => Err(Error::not_found("person", missing).into()),
        None => Ok(()),
    }
}

/// Locks the conversation and makes the revision its current one, if it is the next.
async fn advance(conn: &mut Connection, tenant: Tenant, edit: &NewEdit) -> Step<()> {
    let id = edit.conversation_id;
    let grown = edit.segments.len() as i32 - edit.ended.len() as i32;
    let moved = diesel::update(conversations::table)
        .filter(conversations::id.eq(id.0))
        .filter(conversations::organization_id.eq(tenant.0.0))
        .filter(conversations::revision.eq(edit.number - 1))
        .filter(unerased())
        .set((
            conversations::revision.eq(edit.number),
            conversations::version.eq(conversations::version + 1),
            conversations::updated_at.eq(now),
            conversations::segment_count.eq(conversations::segment_count + grown),
            conversations::characters.eq(conversations::characters + edit.characters),
        ))
        .execute(conn)
        .await?;
    if moved > 0 { Ok(()) } else { Err(overtaken(conn, tenant, edit).await?.into()) }
}

/// For a minute after somebody was erased nothing is written that may have been read before.
fn unerased() -> SqlLiteral<Bool> {
    sql("(erased_at IS NULL OR erased_at < now() - interval '1 minute')")
}

async fn overtaken(conn: &mut Connection, tenant: Tenant, edit: &NewEdit) -> Step<Error> {
    let id = edit.conversation_id;
    let current: Vec<i32> = conversations::table
        .filter(conversations::id.eq(id.0))
        .filter(conversations::organization_id.eq(tenant.0.0))
        .select(conversations::revision)
        .load(conn)
        .await?;
    Ok(match current.as_slice() {
        [] => Error::not_found("conversation", id),
        [current, ..] if *current < edit.number => {
            let message = "somebody was erased from the conversation a moment ago; read it again in a minute";
            Error::conflict("ERASED_MEANWHILE", message)
        }
        [current, ..] => {
            Error::conflict("REVISION_CONFLICT", format!("the conversation is at {current} by now"))
        }
    })
}

/// Whether it has changes by hand it has from the revision that it is made of, unless it is one itself.
async fn insert_revision(conn: &mut Connection, tenant: Tenant, edit: &NewEdit) -> Step<()> {
    diesel::sql_query(
        "INSERT INTO revisions (conversation_id, number, organization_id, kind, reason, author_id, reverted_to,
            created_at, edited)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9 OR (SELECT edited FROM revisions
            WHERE conversation_id = $1 AND organization_id = $3 AND number = coalesce($7, $2 - 1)))",
    )
    .bind::<SqlUuid, _>(edit.conversation_id.0)
    .bind::<Integer, _>(edit.number)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Text, _>(edit.kind.as_str())
    .bind::<Nullable<Text>, _>(edit.reason.as_deref())
    .bind::<Nullable<SqlUuid>, _>(edit.author_id.map(Uuid::from))
    .bind::<Nullable<Integer>, _>(edit.reverted_to)
    .bind::<Timestamptz, _>(edit.created_at)
    .bind::<Bool, _>(edit.kind.edits())
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

async fn end_segments(conn: &mut Connection, tenant: Tenant, edit: &NewEdit) -> Step<()> {
    if edit.ended.is_empty() {
        return Ok(());
    }
    let ended = diesel::update(segments::table)
        .filter(segments::id.eq_any(edit.ended.iter().map(|id| id.0)))
        .filter(segments::conversation_id.eq(edit.conversation_id.0))
        .filter(segments::organization_id.eq(tenant.0.0))
        .filter(segments::valid_to.is_null())
        .set(segments::valid_to.eq(edit.number))
        .execute(conn)
        .await?;
    if ended == edit.ended.len() {
        return Ok(());
    }
    let reason = format!("{} segments were to end and {ended} did", edit.ended.len());
    Err(Error::internal("write a revision by hand", reason).into())
}

async fn change_participants(conn: &mut Connection, tenant: Tenant, edit: &NewEdit) -> Step<()> {
    if edit.changed.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = edit.changed.iter().map(|one| one.id.0).collect();
    diesel::sql_query(
        "INSERT INTO participant_history (participant_id, organization_id, conversation_id, label, person_id,
            valid_from, valid_to)
        SELECT id, organization_id, conversation_id, label, person_id, valid_from, $4 FROM participants
        WHERE id = ANY($1) AND organization_id = $2 AND conversation_id = $3",
    )
    .bind::<Array<SqlUuid>, _>(&ids)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<SqlUuid, _>(edit.conversation_id.0)
    .bind::<Integer, _>(edit.number)
    .prepared()
    .execute(conn)
    .await?;
    let changed = diesel::sql_query(
        "UPDATE participants p SET label = new.label, person_id = new.person_id, valid_from = $4
        FROM unnest($1, $5, $6) AS new (id, label, person_id)
        WHERE p.id = new.id AND p.organization_id = $2 AND p.conversation_id = $3",
    )
    .bind::<Array<SqlUuid>, _>(&ids)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<SqlUuid, _>(edit.conversation_id.0)
    .bind::<Integer, _>(edit.number)
    .bind::<Array<Text>, _>(edit.changed.iter().map(|one| one.label.as_str()).collect::<Vec<_>>())
    .bind::<Array<Nullable<SqlUuid>>, _>(
        edit.changed.iter().map(|one| one.person_id.map(Uuid::from)).collect::<Vec<_>>(),
    )
    .prepared()
    .execute(conn)
    .await?;
    if changed == ids.len() {
        return Ok(());
    }
    let reason = format!("{} participants were to change and {changed} did", ids.len());
    Err(Error::internal("write a revision by hand", reason).into())
}

async fn remember(conn: &mut Connection, tenant: Tenant, edit: &NewEdit) -> Step<()> {
    let (sql, key, person) = match &edit.memory {
        Some(Memory::Keep { key, person_id }) => (
            "INSERT INTO remembered_people (organization_id, label_key, person_id) VALUES ($1, $2, $3)
            ON CONFLICT (organization_id, label_key) DO UPDATE SET person_id = EXCLUDED.person_id, at = now()",
            key,
            person_id,
        ),
        Some(Memory::Drop { key, person_id }) => (
            "DELETE FROM remembered_people WHERE organization_id = $1 AND label_key = $2 AND person_id = $3",
            key,
            person_id,
        ),
        None => return Ok(()),
    };
    diesel::sql_query(sql)
        .bind::<SqlUuid, _>(tenant.0.0)
        .bind::<Text, _>(key)
        .bind::<SqlUuid, _>(person.0)
        .prepared()
        .execute(conn)
        .await?;
    Ok(())
}
