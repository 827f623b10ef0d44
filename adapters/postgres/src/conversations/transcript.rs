//! What was said and by whom, at the current revision, and how far its processing has come.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use colloquy_domain::{
    accounts::Tenant,
    conversations::{Participant, Segment, SpokenSegment, Talk},
    events::Stage,
    ids::{ConversationId, JobId, ParticipantId, PersonId, SegmentId},
    ports::store::{PageBy, conversations::Progress},
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension,
    QueryDsl, Queryable, QueryableByName, Selectable, SelectableHelper,
    dsl::{count_star, exists},
    sql_types::{Array, BigInt, Integer, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{
    errors::Step,
    pool::Connection,
    rows,
    schema::{conversations, participants, revisions, segments},
    statement::Prepare,
};

#[derive(Queryable, Selectable, QueryableByName)]
#[diesel(table_name = participants, check_for_backend(diesel::pg::Pg))]
pub(crate) struct ParticipantRow {
    id: Uuid,
    conversation_id: Uuid,
    label: String,
    ordinal: i32,
    person_id: Option<Uuid>,
}

impl ParticipantRow {
    pub(crate) fn participant(self) -> Participant {
        Participant {
            id: ParticipantId(self.id),
            conversation_id: ConversationId(self.conversation_id),
            label: self.label,
            ordinal: self.ordinal,
            person_id: self.person_id.map(PersonId),
        }
    }
}

#[derive(Queryable, Selectable, QueryableByName)]
#[diesel(table_name = segments, check_for_backend(diesel::pg::Pg))]
pub(crate) struct SegmentRow {
    id: Uuid,
    conversation_id: Uuid,
    sequence: i32,
    participant_id: Option<Uuid>,
    text: String,
    start_ms: Option<i64>,
    end_ms: Option<i64>,
}

impl SegmentRow {
    pub(crate) fn segment(self) -> Segment {
        Segment {
            id: SegmentId(self.id),
            conversation_id: ConversationId(self.conversation_id),
            sequence: self.sequence,
            participant_id: self.participant_id.map(ParticipantId),
            text: self.text,
            start_ms: rows::from_ms(self.start_ms),
            end_ms: rows::from_ms(self.end_ms),
        }
    }
}

pub(super) async fn participants(
    conn: &mut Connection,
    tenant: Tenant,
    ids: &[ConversationId],
) -> Step<Vec<Participant>> {
    let speaks = segments::table
        .filter(segments::participant_id.eq(participants::id.nullable()))
        .filter(segments::organization_id.eq(tenant.0.0))
        .filter(segments::valid_to.is_null());
    let found: Vec<ParticipantRow> = participants::table
        .filter(participants::organization_id.eq(tenant.0.0))
        .filter(participants::conversation_id.eq_any(ids.iter().map(|id| id.0)))
        .filter(exists(speaks))
        .order((participants::conversation_id, participants::ordinal))
        .select(ParticipantRow::as_select())
        .load(conn)
        .await?;
    Ok(found.into_iter().map(ParticipantRow::participant).collect())
}

pub(super) async fn known_participants(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
) -> Step<Vec<Participant>> {
    let found: Vec<ParticipantRow> = participants::table
        .filter(participants::organization_id.eq(tenant.0.0))
        .filter(participants::conversation_id.eq(id.0))
        .order(participants::ordinal)
        .select(ParticipantRow::as_select())
        .load(conn)
        .await?;
    Ok(found.into_iter().map(ParticipantRow::participant).collect())
}

pub(super) async fn find_participants(
    conn: &mut Connection,
    tenant: Tenant,
    ids: &[ParticipantId],
) -> Step<Vec<Participant>> {
    let found: Vec<ParticipantRow> = participants::table
        .filter(participants::organization_id.eq(tenant.0.0))
        .filter(participants::id.eq_any(ids.iter().map(|id| id.0)))
        .select(ParticipantRow::as_select())
        .load(conn)
        .await?;
    Ok(found.into_iter().map(ParticipantRow::participant).collect())
}

type SpokenRow = (SegmentRow, Option<ParticipantRow>);

fn spoken((row, participant): SpokenRow) -> SpokenSegment {
    SpokenSegment { segment: row.segment(), participant: participant.map(ParticipantRow::participant) }
}

/// Segments with their participants, in one statement.
macro_rules! spoken_segments {
    () => {
        segments::table
            .left_join(
                participants::table.on(segments::participant_id
                    .eq(participants::id.nullable())
                    .and(segments::organization_id.eq(participants::organization_id))),
            )
            .select((SegmentRow::as_select(), Option::<ParticipantRow>::as_select()))
    };
}

pub(super) async fn segments(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    page: PageBy<i32>,
) -> Step<Vec<SpokenSegment>> {
    let mut query = spoken_segments!()
        .filter(segments::organization_id.eq(tenant.0.0))
        .filter(segments::conversation_id.eq(id.0))
        .filter(segments::valid_to.is_null())
        .limit(rows::limit(page.limit))
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(segments::sequence.gt(after));
    }
    if let Some(before) = page.before {
        query = query.filter(segments::sequence.lt(before));
    }
    query = if page.backward {
        query.order(segments::sequence.desc())
    } else {
        query.order(segments::sequence.asc())
    };
    let found: Vec<SpokenRow> = query.load(conn).await?;
    let mut segments: Vec<_> = found.into_iter().map(spoken).collect();
    if page.backward {
        segments.reverse();
    }
    Ok(segments)
}

pub(super) async fn find_segments(
    conn: &mut Connection,
    tenant: Tenant,
    ids: &[SegmentId],
) -> Step<Vec<SpokenSegment>> {
    let found: Vec<SpokenRow> = spoken_segments!()
        .filter(segments::organization_id.eq(tenant.0.0))
        .filter(segments::id.eq_any(ids.iter().map(|id| id.0)))
        .distinct_on(segments::id)
        .order((segments::id, segments::valid_from.desc()))
        .load(conn)
        .await?;
    Ok(found.into_iter().map(spoken).collect())
}

/// A segment with who speaks, as a statement of our own gives it.
#[derive(QueryableByName)]
pub(crate) struct StateRow {
    #[diesel(embed)]
    segment: SegmentRow,
    #[diesel(sql_type = Nullable<Text>)]
    label: Option<String>,
    #[diesel(sql_type = Nullable<Integer>)]
    ordinal: Option<i32>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    person_id: Option<Uuid>,
}

impl StateRow {
    pub(crate) fn spoken(self) -> SpokenSegment {
        let segment = self.segment.segment();
        let speaks = segment.participant_id.zip(self.label).zip(self.ordinal);
        let participant = speaks.map(|((id, label), ordinal)| Participant {
            id,
            conversation_id: segment.conversation_id,
            label,
            ordinal,
            person_id: self.person_id.map(PersonId),
        });
        SpokenSegment { segment, participant }
    }
}

#[derive(QueryableByName)]
struct RunRow {
    #[diesel(sql_type = BigInt)]
    place: i64,
    #[diesel(embed)]
    state: StateRow,
}

pub(super) async fn segment_runs(
    conn: &mut Connection,
    tenant: Tenant,
    runs: &[(ConversationId, i32, i32)],
) -> Step<Vec<Vec<SpokenSegment>>> {
    let found: Vec<RunRow> = diesel::sql_query(
        "SELECT run.place, s.id, s.conversation_id, s.sequence, s.participant_id, s.text, s.start_ms, s.end_ms,
            p.label, p.ordinal, p.person_id
        FROM unnest($1, $2, $3) WITH ORDINALITY AS run (conversation_id, first, last, place)
        JOIN segments s ON s.conversation_id = run.conversation_id AND s.valid_to IS NULL
            AND s.sequence BETWEEN run.first AND run.last
        LEFT JOIN participants p ON p.id = s.participant_id AND p.organization_id = s.organization_id
        WHERE s.organization_id = $4
        ORDER BY run.place, s.sequence",
    )
    .bind::<Array<SqlUuid>, _>(runs.iter().map(|(id, _, _)| id.0).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(runs.iter().map(|(_, first, _)| *first).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(runs.iter().map(|(_, _, last)| *last).collect::<Vec<_>>())
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .load(conn)
    .await?;
    let mut answer = vec![Vec::new(); runs.len()];
    for row in found {
        // Places count from 1.
        answer[row.place as usize - 1].push(row.state.spoken());
    }
    Ok(answer)
}

pub(super) async fn count_segments(
    conn: &mut Connection,
    tenant: Tenant,
    ids: &[ConversationId],
) -> Step<Vec<(ConversationId, u64)>> {
    let found: Vec<(Uuid, i64)> = segments::table
        .filter(segments::organization_id.eq(tenant.0.0))
        .filter(segments::conversation_id.eq_any(ids.iter().map(|id| id.0)))
        .filter(segments::valid_to.is_null())
        .group_by(segments::conversation_id)
        .select((segments::conversation_id, count_star()))
        .load(conn)
        .await?;
    Ok(found.into_iter().map(|(id, count)| (ConversationId(id), count.unsigned_abs())).collect())
}

pub(crate) async fn talk(conn: &mut Connection, tenant: Tenant, id: ConversationId) -> Step<Option<Talk>> {
    let revision: Option<i32> = conversations::table
        .filter(conversations::id.eq(id.0))
        .filter(conversations::organization_id.eq(tenant.0.0))
        .select(conversations::revision)
        .first(conn)
        .await
        .optional()?;
    let Some(revision) = revision else { return Ok(None) };
    let mut participants = known_participants(conn, tenant, id).await?;
    let segments: Vec<SegmentRow> = segments::table
        .filter(segments::organization_id.eq(tenant.0.0))
        .filter(segments::conversation_id.eq(id.0))
        .filter(segments::valid_to.is_null())
        .order(segments::sequence)
        .select(SegmentRow::as_select())
        .load(conn)
        .await?;
    let segments: Vec<_> = segments.into_iter().map(SegmentRow::segment).collect();
    let speaking: HashSet<_> = segments.iter().filter_map(|segment| segment.participant_id).collect();
    participants.retain(|participant| speaking.contains(&participant.id));
    Ok(Some(Talk { conversation_id: id, revision, participants, segments }))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = revisions, check_for_backend(diesel::pg::Pg))]
struct RevisionRow {
    conversation_id: Uuid,
    number: i32,
    imported_at: Option<DateTime<Utc>>,
    indexed_at: Option<DateTime<Utc>>,
    embedded_at: Option<DateTime<Utc>>,
    analyzed_at: Option<DateTime<Utc>>,
    failed_at: Option<DateTime<Utc>>,
    failed_job_id: Option<Uuid>,
}

impl RevisionRow {
    /// Stages by the time that they were reached.
    fn progress(self) -> Progress {
        let stages = [
            (Stage::Imported, self.imported_at),
            (Stage::Indexed, self.indexed_at),
            (Stage::Embedded, self.embedded_at),
            (Stage::Analyzed, self.analyzed_at),
            (Stage::Failed, self.failed_at),
        ];
        let mut reached: Vec<_> =
            stages.into_iter().filter_map(|(stage, at)| at.map(|at| (stage, at))).collect();
        reached.sort_by_key(|(_, at)| *at);
        Progress {
            conversation_id: ConversationId(self.conversation_id),
            revision: self.number,
            reached,
            failed_job: self.failed_job_id.map(JobId),
        }
    }
}

pub(super) async fn progress(
    conn: &mut Connection,
    tenant: Tenant,
    ids: &[ConversationId],
) -> Step<Vec<Progress>> {
    let current =
        conversations::id.eq(revisions::conversation_id).and(conversations::revision.eq(revisions::number));
    let found: Vec<RevisionRow> = revisions::table
        .inner_join(conversations::table.on(current))
        .filter(revisions::organization_id.eq(tenant.0.0))
        .filter(conversations::organization_id.eq(tenant.0.0))
        .filter(revisions::conversation_id.eq_any(ids.iter().map(|id| id.0)))
        .select(RevisionRow::as_select())
        .load(conn)
        .await?;
    Ok(found.into_iter().map(RevisionRow::progress).collect())
}
