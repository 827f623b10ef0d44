//! What differs between two revisions. A state that is of both is passed over, so that what is looked at grows with what was
//! changed between them.

use std::collections::HashMap;

use colloquy_domain::{
    accounts::Tenant,
    conversations::{
        RevisionNumber,
        revisions::{ChangePlace, SegmentChange},
    },
    ids::{ConversationId, SegmentId},
};
use diesel::{
    QueryableByName,
    sql_types::{BigInt, Integer, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{read, valid};
use crate::{errors::Step, pool::Connection, rows, statement::Prepare};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// States of the first of two revisions that are not of the second.
macro_rules! states {
    ($of:literal, $not_of:literal) => {
        concat!(
            "SELECT s.* FROM segments s WHERE s.conversation_id = $1 AND s.organization_id = $2 AND ",
            valid!("s", $of),
            " AND NOT (",
            valid!("s", $not_of),
            ")"
        )
    };
}

pub(super) async fn compare(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    from: RevisionNumber,
    to: RevisionNumber,
    after: Option<ChangePlace>,
    limit: usize,
) -> Step<Vec<SegmentChange>> {
    // No sequence number is negative.
    let after = after.unwrap_or(ChangePlace { sequence: -1, id: SegmentId(Uuid::nil()) });
    let found: Vec<Row> = diesel::sql_query(concat!(
        "WITH a AS (",
        states!("$3", "$4"),
        "), b AS (",
        states!("$4", "$3"),
        ") SELECT id FROM a FULL JOIN b USING (id)
        WHERE (a.conversation_id IS NULL OR b.conversation_id IS NULL
                OR (a.participant_id, a.text, a.start_ms, a.end_ms)
                    IS DISTINCT FROM (b.participant_id, b.text, b.start_ms, b.end_ms))
            AND (coalesce(b.sequence, a.sequence), id) > ($5, $6)
        ORDER BY coalesce(b.sequence, a.sequence), id LIMIT $7"
    ))
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Integer, _>(from)
    .bind::<Integer, _>(to)
    .bind::<Integer, _>(after.sequence)
    .bind::<SqlUuid, _>(after.id.0)
    .bind::<BigInt, _>(rows::limit(limit))
    .prepared()
    .load(conn)
    .await?;
    let ids: Vec<SegmentId> = found.into_iter().map(|row| SegmentId(row.id)).collect();
    let keys = |number| ids.iter().map(|id| (*id, number)).collect::<Vec<_>>();
    let mut before: HashMap<_, _> =
        read::find_segments(conn, tenant, &keys(from)).await?.into_iter().collect();
    let mut now: HashMap<_, _> = read::find_segments(conn, tenant, &keys(to)).await?.into_iter().collect();
    let change =
        |id: SegmentId| SegmentChange { before: before.remove(&(id, from)), after: now.remove(&(id, to)) };
    Ok(ids.into_iter().map(change).collect())
}
