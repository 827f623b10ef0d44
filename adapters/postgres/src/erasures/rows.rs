//! Erasures as rows.

use chrono::{DateTime, Utc};
use colloquy_domain::{
    Error,
    accounts::Tenant,
    audit::NewAuditEntry,
    erasure::{Erasure, ErasureKind, ErasureState, NewErasure, Removed},
    ids::{ConversationId, ErasureId, OrganizationId, PersonId, UserId},
    ports::{
        jobs::Follow,
        store::{
            PageBy,
            erasures::{Due, Listed},
        },
    },
};
use diesel::{
    QueryableByName,
    sql_types::{Array, BigInt, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    audit,
    errors::{self, Step},
    follow::{self, Raised},
    pool::Connection,
    rows,
    statement::Prepare,
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    organization_id: Uuid,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = SqlUuid)]
    subject_id: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    actor_id: Option<Uuid>,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Jsonb)]
    report: Value,
    #[diesel(sql_type = Integer)]
    sweeps: i32,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_sweep_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Timestamptz)]
    requested_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    finished_at: Option<DateTime<Utc>>,
}

/// The columns of [`Row`].
macro_rules! columns {
    () => {
        "id, organization_id, kind, subject_id, actor_id, state, report, sweeps, last_sweep_at, requested_at,
        finished_at"
    };
}

impl Row {
    fn erasure(self) -> Step<Erasure> {
        Ok(Erasure {
            id: ErasureId(self.id),
            organization_id: OrganizationId(self.organization_id),
            kind: kind(&self.kind)?,
            subject_id: self.subject_id,
            actor_id: self.actor_id.map(UserId),
            state: state(&self.state)?,
            removed: rows::from_json(self.report)?,
            sweeps: self.sweeps.unsigned_abs(),
            last_sweep_at: self.last_sweep_at,
            requested_at: self.requested_at,
            finished_at: self.finished_at,
        })
    }
}

pub(super) fn kind(text: &str) -> Step<ErasureKind> {
    let found = ErasureKind::ALL.into_iter().find(|kind| kind.as_str() == text);
    Ok(found.ok_or_else(|| errors::unreadable("kind", text))?)
}

fn state(text: &str) -> Step<ErasureState> {
    let found = ErasureState::ALL.into_iter().find(|state| state.as_str() == text);
    Ok(found.ok_or_else(|| errors::unreadable("state", text))?)
}

#[derive(QueryableByName)]
struct NameRow {
    #[diesel(sql_type = Text)]
    name: String,
}

/// The person's row goes at once, and their name stays with the erasure until no conversation holds it.
pub(super) async fn begin(
    conn: &mut Connection,
    tenant: Tenant,
    new: NewErasure,
    person: PersonId,
    follow: &Follow,
    entry: &NewAuditEntry,
) -> Step<Raised> {
    let held: Vec<NameRow> =
        diesel::sql_query("SELECT name FROM people WHERE id = $1 AND organization_id = $2 FOR UPDATE")
            .bind::<SqlUuid, _>(person.0)
            .bind::<SqlUuid, _>(tenant.0.0)
            .prepared()
            .load(conn)
            .await?;
    let name = held.into_iter().next().ok_or_else(|| Error::not_found("person", person))?.name;
    insert(conn, tenant, new, ErasureState::Erasing, Some(vec![name]), Removed::default()).await?;
    diesel::sql_query(
        "INSERT INTO erasure_conversations (erasure_id, organization_id, conversation_id, participant_ids)
        SELECT $1, $2, conversation_id, array_agg(DISTINCT participant_id) FROM participant_states
        WHERE person_id = $3 AND organization_id = $2 GROUP BY conversation_id",
    )
    .bind::<SqlUuid, _>(new.id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<SqlUuid, _>(person.0)
    .prepared()
    .execute(conn)
    .await?;
    diesel::sql_query("DELETE FROM people WHERE id = $1 AND organization_id = $2")
        .bind::<SqlUuid, _>(person.0)
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared()
        .execute(conn)
        .await?;
    audit::insert(conn, &entry.clone().changed(true)).await?;
    follow::write(conn, follow).await
}

/// Looked after in ten minutes, unless its job has ended by then; what is swept only, at once.
pub(super) async fn insert(
    conn: &mut Connection,
    tenant: Tenant,
    new: NewErasure,
    state: ErasureState,
    names: Option<Vec<String>>,
    removed: Removed,
) -> Step<()> {
    diesel::sql_query(
        "INSERT INTO erasures (id, organization_id, kind, subject_id, actor_id, state, names, report, due_at, redacted_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8,
            now() + CASE WHEN $6 = 'ERASING' THEN interval '10 minutes' WHEN $5 IS NULL THEN interval '16 minutes'
                ELSE interval '0' END,
            CASE WHEN $6 <> 'ERASING' THEN now() END)",
    )
    .bind::<SqlUuid, _>(new.id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Text, _>(new.kind.as_str())
    .bind::<SqlUuid, _>(new.subject_id)
    .bind::<Nullable<SqlUuid>, _>(new.actor_id.map(Uuid::from))
    .bind::<Text, _>(state.as_str())
    .bind::<Nullable<Array<Text>>, _>(names)
    .bind::<Jsonb, _>(rows::json(&removed)?)
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

#[derive(QueryableByName)]
struct ReportRow {
    #[diesel(sql_type = Jsonb)]
    report: Value,
}

/// Adds to what the erasure says it has removed.
pub(super) async fn add(conn: &mut Connection, id: ErasureId, removed: Removed) -> Step<()> {
    let found: ReportRow = diesel::sql_query("SELECT report FROM erasures WHERE id = $1 FOR UPDATE")
        .bind::<SqlUuid, _>(id.0)
        .prepared()
        .get_result(conn)
        .await?;
    let before: Removed = rows::from_json(found.report)?;
    diesel::sql_query("UPDATE erasures SET report = $2 WHERE id = $1")
        .bind::<SqlUuid, _>(id.0)
        .bind::<Jsonb, _>(rows::json(&before.and(removed))?)
        .prepared()
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn find(conn: &mut Connection, tenant: Tenant, ids: &[ErasureId]) -> Step<Vec<Erasure>> {
    let sql = concat!("SELECT ", columns!(), " FROM erasures WHERE id = ANY($1) AND organization_id = $2");
    let found: Vec<Row> = diesel::sql_query(sql)
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared()
        .load(conn)
        .await?;
    found.into_iter().map(Row::erasure).collect()
}

pub(super) async fn find_of(
    conn: &mut Connection,
    tenant: Tenant,
    kind: ErasureKind,
    subject: Uuid,
) -> Step<Option<Erasure>> {
    let found: Vec<Row> = diesel::sql_query(concat!(
        "SELECT ",
        columns!(),
        " FROM erasures WHERE organization_id = $1 AND kind = $2 AND subject_id = $3 ORDER BY id DESC LIMIT 1"
    ))
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Text, _>(kind.as_str())
    .bind::<SqlUuid, _>(subject)
    .prepared()
    .load(conn)
    .await?;
    found.into_iter().next().map(Row::erasure).transpose()
}

pub(super) async fn list(
    conn: &mut Connection,
    tenant: Tenant,
    page: PageBy<ErasureId>,
) -> Step<Vec<Erasure>> {
    let found: Vec<Row> = rows::page(conn, tenant, page, rows::pages!(columns!(), "erasures")).await?;
    found.into_iter().map(Row::erasure).collect()
}

#[derive(QueryableByName)]
pub(super) struct IdRow {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: Uuid,
}

pub(super) async fn unredacted(
    conn: &mut Connection,
    tenant: Tenant,
    id: ErasureId,
    limit: usize,
) -> Step<Vec<ConversationId>> {
    let found: Vec<IdRow> = diesel::sql_query(
        "SELECT conversation_id AS id FROM erasure_conversations
        WHERE erasure_id = $1 AND organization_id = $2 AND redacted_at IS NULL
        ORDER BY conversation_id LIMIT $3",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<BigInt, _>(rows::limit(limit))
    .prepared()
    .load(conn)
    .await?;
    Ok(found.into_iter().map(|row| ConversationId(row.id)).collect())
}

pub(super) async fn conversations(
    conn: &mut Connection,
    tenant: Tenant,
    id: ErasureId,
    after: Option<ConversationId>,
    limit: usize,
) -> Step<Vec<ConversationId>> {
    let found: Vec<IdRow> = diesel::sql_query(
        "SELECT conversation_id AS id FROM erasure_conversations
        WHERE erasure_id = $1 AND organization_id = $2 AND conversation_id > $3
        ORDER BY conversation_id LIMIT $4",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<SqlUuid, _>(after.map_or(Uuid::nil(), Uuid::from))
    .bind::<BigInt, _>(rows::limit(limit))
    .prepared()
    .load(conn)
    .await?;
    Ok(found.into_iter().map(|row| ConversationId(row.id)).collect())
}

#[derive(QueryableByName)]
struct DueRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    organization_id: Uuid,
    #[diesel(sql_type = Text)]
    state: String,
}

/// A minute is enough for a sweep to begin, and another job of a redaction is of no use while one stands.
pub(super) async fn due(conn: &mut Connection, limit: usize) -> Step<Vec<Due>> {
    let found: Vec<DueRow> = diesel::sql_query(
        "UPDATE erasures e SET due_at = now() + CASE WHEN e.state = 'ERASING' THEN interval '10 minutes'
            ELSE interval '5 seconds' END
        WHERE e.id IN (SELECT id FROM erasures WHERE due_at <= now() ORDER BY due_at LIMIT $1
            FOR UPDATE SKIP LOCKED)
        RETURNING e.id, e.organization_id, e.state",
    )
    .bind::<BigInt, _>(rows::limit(limit))
    .prepared()
    .load(conn)
    .await?;
    let due = |row: DueRow| {
        let (erasure_id, organization_id) = (ErasureId(row.id), OrganizationId(row.organization_id));
        Ok(Due { erasure_id, organization_id, state: state(&row.state)? })
    };
    found.into_iter().map(due).collect()
}

#[derive(QueryableByName)]
struct ListedRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    organization_id: Uuid,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = SqlUuid)]
    subject_id: Uuid,
}

impl ListedRow {
    fn listed(self) -> Step<Listed> {
        Ok(Listed {
            erasure_id: ErasureId(self.id),
            organization_id: OrganizationId(self.organization_id),
            kind: kind(&self.kind)?,
            subject_id: self.subject_id,
        })
    }
}

pub(super) async fn unlisted(conn: &mut Connection, limit: usize) -> Step<Vec<Listed>> {
    let found: Vec<ListedRow> = diesel::sql_query(
        "SELECT id, organization_id, kind, subject_id FROM erasures WHERE listed_at IS NULL ORDER BY id LIMIT $1",
    )
    .bind::<BigInt, _>(rows::limit(limit))
    .prepared()
    .load(conn)
    .await?;
    found.into_iter().map(ListedRow::listed).collect()
}

pub(super) async fn listed(conn: &mut Connection, ids: &[ErasureId]) -> Step<()> {
    diesel::sql_query("UPDATE erasures SET listed_at = now() WHERE id = ANY($1) AND listed_at IS NULL")
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .prepared()
        .execute(conn)
        .await?;
    Ok(())
}

pub(super) async fn back(conn: &mut Connection, listed: &[Listed]) -> Step<Vec<Listed>> {
    let found: Vec<ListedRow> = diesel::sql_query(
        "SELECT l.id, l.organization_id, l.kind, l.subject_id
        FROM unnest($1, $2, $3, $4) AS l (id, organization_id, kind, subject_id)
        WHERE l.kind = 'PERSON' AND EXISTS (SELECT FROM people p
                WHERE p.id = l.subject_id AND p.organization_id = l.organization_id)
            OR l.kind = 'CONVERSATION' AND EXISTS (SELECT FROM conversations c
                WHERE c.id = l.subject_id AND c.organization_id = l.organization_id)",
    )
    .bind::<Array<SqlUuid>, _>(listed.iter().map(|one| one.erasure_id.0).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(listed.iter().map(|one| one.organization_id.0).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(listed.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>())
    .bind::<Array<SqlUuid>, _>(listed.iter().map(|one| one.subject_id).collect::<Vec<_>>())
    .prepared()
    .load(conn)
    .await?;
    found.into_iter().map(ListedRow::listed).collect()
}
