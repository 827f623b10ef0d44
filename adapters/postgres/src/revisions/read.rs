//! Revisions, and who said what in one.

use chrono::{DateTime, Utc};
use colloquy_domain::{
    accounts::Tenant,
    conversations::{Participant, RevisionNumber, SpokenSegment, Talk, revisions::Revision},
    ids::{ConversationId, ParticipantId, SegmentId, UserId},
    ports::store::PageBy,
};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Queryable, QueryableByName, Selectable, SelectableHelper,
    sql_types::{Array, BigInt, Integer, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::valid;
use crate::{
    conversations::transcript::{ParticipantRow, SegmentRow, StateRow},
    errors::Step,
    pool::Connection,
    rows,
    schema::{conversations, revisions},
    statement::Prepare,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = revisions, check_for_backend(diesel::pg::Pg))]
struct Row {
    conversation_id: Uuid,
    number: i32,
    kind: String,
    reason: Option<String>,
    author_id: Option<Uuid>,
    reverted_to: Option<i32>,
    created_at: DateTime<Utc>,
}

impl Row {
    fn revision(self) -> Step<Revision> {
        Ok(Revision {
            conversation_id: ConversationId(self.conversation_id),
            number: self.number,
            kind: rows::revision_kind(&self.kind)?,
            reason: self.reason,
            author_id: self.author_id.map(UserId),
            reverted_to: self.reverted_to,
            created_at: self.created_at,
        })
    }
}

pub(super) async fn list(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    page: PageBy<RevisionNumber>,
) -> Step<Vec<Revision>> {
    let mut query = revisions::table
        .filter(revisions::organization_id.eq(tenant.0.0))
        .filter(revisions::conversation_id.eq(id.0))
        .limit(rows::limit(page.limit))
        .into_boxed();
    // Later numbers come first.
    if let Some(after) = page.after {
        query = query.filter(revisions::number.lt(after));
    }
    if let Some(before) = page.before {
        query = query.filter(revisions::number.gt(before));
    }
    query = if page.backward {
        query.order(revisions::number.asc())
    } else {
        query.order(revisions::number.desc())
    };
    let mut found: Vec<Row> = query.select(Row::as_select()).load(conn).await?;
    if page.backward {
        found.reverse();
    }
    found.into_iter().map(Row::revision).collect()
}

pub(super) async fn find(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    number: RevisionNumber,
) -> Step<Option<Revision>> {
    let found: Option<Row> = revisions::table
        .find((id.0, number))
        .filter(revisions::organization_id.eq(tenant.0.0))
        .select(Row::as_select())
        .first(conn)
        .await
        .optional()?;
    found.map(Row::revision).transpose()
}

pub(super) async fn is_edited(conn: &mut Connection, tenant: Tenant, id: ConversationId) -> Step<bool> {
    let edited: Option<bool> = conversations::table
        .inner_join(revisions::table)
        .filter(conversations::id.eq(id.0))
        .filter(conversations::organization_id.eq(tenant.0.0))
        .filter(revisions::number.eq(conversations::revision))
        .select(revisions::edited)
        .first(conn)
        .await
        .optional()?;
    Ok(edited.unwrap_or(false))
}

/// Segments with their speakers, both at the revision that `$at` names.
macro_rules! spoken_at {
    ($at:literal) => {
        concat!(
            "SELECT s.id, s.conversation_id, s.sequence, s.participant_id, s.text, s.start_ms, s.end_ms,
                t.label, p.ordinal, t.person_id
            FROM segments s
            LEFT JOIN participants p ON p.id = s.participant_id AND p.organization_id = s.organization_id
            LEFT JOIN participant_states t ON t.participant_id = p.id AND ",
            valid!("t", $at),
            " WHERE ",
            valid!("s", $at)
        )
    };
}

const PAGE: &str = concat!(
    spoken_at!("$3"),
    " AND s.conversation_id = $1 AND s.organization_id = $2 AND s.sequence > $4 AND s.sequence < $5
    ORDER BY s.sequence LIMIT $6"
);
const LAST_PAGE: &str = concat!(
    spoken_at!("$3"),
    " AND s.conversation_id = $1 AND s.organization_id = $2 AND s.sequence > $4 AND s.sequence < $5
    ORDER BY s.sequence DESC LIMIT $6"
);

pub(super) async fn segments(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    number: RevisionNumber,
    page: PageBy<i32>,
) -> Step<Vec<SpokenSegment>> {
    let mut found: Vec<StateRow> = diesel::sql_query(if page.backward { LAST_PAGE } else { PAGE })
        .bind::<SqlUuid, _>(id.0)
        .bind::<SqlUuid, _>(tenant.0.0)
        .bind::<Integer, _>(number)
        .bind::<Integer, _>(page.after.unwrap_or(-1))
        .bind::<Integer, _>(page.before.unwrap_or(i32::MAX))
        .bind::<BigInt, _>(rows::limit(page.limit))
        .prepared()
        .load(conn)
        .await?;
    if page.backward {
        found.reverse();
    }
    Ok(found.into_iter().map(StateRow::spoken).collect())
}

pub(super) async fn participants(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    number: RevisionNumber,
) -> Step<Vec<Participant>> {
    let found: Vec<ParticipantRow> = diesel::sql_query(concat!(
        "SELECT p.id, p.conversation_id, t.label, p.ordinal, t.person_id
        FROM participants p JOIN participant_states t ON t.participant_id = p.id AND ",
        valid!("t", "$3"),
        " WHERE p.conversation_id = $1 AND p.organization_id = $2
            AND EXISTS (SELECT FROM segments s WHERE s.participant_id = p.id AND ",
        valid!("s", "$3"),
        ") ORDER BY p.ordinal"
    ))
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Integer, _>(number)
    .prepared()
    .load(conn)
    .await?;
    Ok(found.into_iter().map(ParticipantRow::participant).collect())
}

pub(super) async fn talk(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    number: RevisionNumber,
) -> Step<Option<Talk>> {
    if find(conn, tenant, id, number).await?.is_none() {
        return Ok(None);
    }
    let participants = participants(conn, tenant, id, number).await?;
    let found: Vec<SegmentRow> = diesel::sql_query(concat!(
        "SELECT s.id, s.conversation_id, s.sequence, s.participant_id, s.text, s.start_ms, s.end_ms
        FROM segments s WHERE s.conversation_id = $1 AND s.organization_id = $2 AND ",
        valid!("s", "$3"),
        " ORDER BY s.sequence"
    ))
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Integer, _>(number)
    .prepared()
    .load(conn)
    .await?;
    let segments = found.into_iter().map(SegmentRow::segment).collect();
    Ok(Some(Talk { conversation_id: id, revision: number, participants, segments }))
}

/// A row of what was asked for.
#[derive(QueryableByName)]
struct At<T> {
    #[diesel(sql_type = Integer)]
    revision: i32,
    #[diesel(embed)]
    row: T,
}

pub(super) async fn find_segments(
    conn: &mut Connection,
    tenant: Tenant,
    ids: &[(SegmentId, RevisionNumber)],
) -> Step<Vec<((SegmentId, RevisionNumber), SpokenSegment)>> {
    let found: Vec<At<StateRow>> = diesel::sql_query(concat!(
        "SELECT wanted.revision, found.* FROM unnest($1, $2) AS wanted (id, revision), LATERAL (",
        spoken_at!("wanted.revision"),
        " AND s.id = wanted.id AND s.organization_id = $3) found"
    ))
    .bind::<Array<SqlUuid>, _>(ids.iter().map(|(id, _)| id.0).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(ids.iter().map(|(_, number)| *number).collect::<Vec<_>>())
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .load(conn)
    .await?;
    let read = |At { revision, row }: At<StateRow>| {
        let spoken = row.spoken();
        ((spoken.segment.id, revision), spoken)
    };
    Ok(found.into_iter().map(read).collect())
}

pub(super) async fn find_participants(
    conn: &mut Connection,
    tenant: Tenant,
    ids: &[(ParticipantId, RevisionNumber)],
) -> Step<Vec<((ParticipantId, RevisionNumber), Participant)>> {
    let found: Vec<At<ParticipantRow>> = diesel::sql_query(concat!(
        "SELECT wanted.revision, p.id, p.conversation_id, t.label, p.ordinal, t.person_id
        FROM unnest($1, $2) AS wanted (id, revision)
        JOIN participants p ON p.id = wanted.id AND p.organization_id = $3
        JOIN participant_states t ON t.participant_id = p.id AND ",
        valid!("t", "wanted.revision")
    ))
    .bind::<Array<SqlUuid>, _>(ids.iter().map(|(id, _)| id.0).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(ids.iter().map(|(_, number)| *number).collect::<Vec<_>>())
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .load(conn)
    .await?;
    let read = |At { revision, row }: At<ParticipantRow>| {
        let participant = row.participant();
        ((participant.id, revision), participant)
    };
    Ok(found.into_iter().map(read).collect())
}
