//! Who speaks in which passage: whoever is tied to a participant of one of its segments.

use std::collections::HashMap;

use colloquy_domain::{
    accounts::Tenant,
    ids::{ConversationId, PersonId},
    people::Known,
};
use diesel::{
    QueryableByName,
    sql_types::{Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::{errors::Step, pool::Connection, rows, statement::Prepare};

/// Those of a passage `p`, to be read by [`read`]; NULL for nobody.
macro_rules! known {
    () => {
        "(SELECT jsonb_agg(jsonb_build_array(k.id, k.name_key) ORDER BY k.id) FROM people k WHERE k.id IN (
            SELECT t.person_id FROM participants t
            WHERE t.conversation_id = p.conversation_id AND t.person_id IS NOT NULL
                AND EXISTS (SELECT FROM segments s WHERE s.conversation_id = p.conversation_id
                    AND s.valid_to IS NULL AND s.sequence BETWEEN p.first_sequence AND p.last_sequence
                    AND s.participant_id = t.id)))"
    };
}
pub(crate) use known;

pub(crate) fn read(known: Option<Value>) -> Step<Vec<Known>> {
    let Some(known) = known else { return Ok(Vec::new()) };
    let known: Vec<(Uuid, String)> = rows::from_json(known)?;
    Ok(known.into_iter().map(|(id, key)| Known { id: PersonId(id), key }).collect())
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    passage: Uuid,
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    name_key: String,
}

/// Those of all passages of a conversation.
pub(crate) async fn by_passage(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
) -> Step<HashMap<Uuid, Vec<Known>>> {
    let found: Vec<Row> = diesel::sql_query(
        "SELECT p.id AS passage, k.id, k.name_key FROM passages p
        JOIN segments s ON s.conversation_id = p.conversation_id AND s.valid_to IS NULL
            AND s.sequence BETWEEN p.first_sequence AND p.last_sequence
        JOIN participants t ON t.id = s.participant_id
        JOIN people k ON k.id = t.person_id
        WHERE p.conversation_id = $1 AND p.organization_id = $2
            AND EXISTS (SELECT FROM participants WHERE conversation_id = $1 AND person_id IS NOT NULL)
        GROUP BY p.id, k.id ORDER BY p.id, k.id",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .load(conn)
    .await?;
    let mut known: HashMap<Uuid, Vec<Known>> = HashMap::new();
    for Row { passage, id, name_key } in found {
        known.entry(passage).or_default().push(Known { id: PersonId(id), key: name_key });
    }
    Ok(known)
}
