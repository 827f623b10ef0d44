//! Passages, what search needs of them, and their vectors by text.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use colloquy_domain::{
    Error, Result,
    accounts::Tenant,
    conversations::RevisionNumber,
    ids::{ConversationId, PassageId},
    jobs::Claim,
    money::MicroDollars,
    passages::{Passage, text_hash},
    ports::{
        jobs::Follow,
        search::{ConversationFacets, Standing},
        store::passages::{FoundPassage, Indexable, PassageStore},
    },
    search::within::{Outline, Outlined},
};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Queryable, QueryableByName, Selectable, SelectableHelper,
    sql_types::{Array, BigInt, Bytea, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Postgres,
    errors::Step,
    generations,
    jobs::complete_one,
    people::known::{self, known},
    pool::Connection,
    rows,
    schema::{conversation_tags, conversations, passages, tags, vectors},
    statement::Prepare,
};

#[derive(Queryable, Selectable, QueryableByName)]
#[diesel(table_name = passages, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    conversation_id: Uuid,
    ordinal: i32,
    first_sequence: i32,
    last_sequence: i32,
    text: String,
    start_ms: Option<i64>,
    end_ms: Option<i64>,
    speakers: Vec<String>,
}

impl Row {
    fn passage(self) -> Passage {
        Passage {
            id: PassageId(self.id),
            conversation_id: ConversationId(self.conversation_id),
            ordinal: self.ordinal as u32,
            first_sequence: self.first_sequence,
            last_sequence: self.last_sequence,
            text: self.text,
            start_ms: rows::from_ms(self.start_ms),
            end_ms: rows::from_ms(self.end_ms),
            speakers: self.speakers,
            people: Vec::new(),
        }
    }
}

/// A passage with what filters look at.
#[derive(QueryableByName)]
struct FoundRow {
    #[diesel(embed)]
    passage: Row,
    #[diesel(sql_type = Integer)]
    revision: i32,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    occurred_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Array<Text>)]
    tags: Vec<String>,
    #[diesel(sql_type = Nullable<Text>)]
    language: Option<String>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    people: Option<Value>,
    #[diesel(sql_type = Nullable<Text>)]
    embedding_model: Option<String>,
}

#[async_trait]
impl PassageStore for Postgres {
    async fn replace(
        &self,
        tenant: Tenant,
        claim: Claim,
        conversation_id: ConversationId,
        revision: RevisionNumber,
        passages: &[Passage],
        follow: Follow,
    ) -> Result<()> {
        let raised = self.transaction("replace passages", async |conn| {
            let current: Option<i32> = conversations::table
                .filter(conversations::id.eq(conversation_id.0))
                .filter(conversations::organization_id.eq(tenant.0.0))
                .select(conversations::revision)
                .for_no_key_update()
                .first(conn)
                .await
                .optional()?;
            match current {
                None => return Err(Error::not_found("conversation", conversation_id).into()),
                Some(current) if current != revision => {
                    let message =
                        format!("revision {revision} is not the current one any more: {current} is");
                    return Err(Error::conflict("REVISION_SUPERSEDED", message).into());
                }
                Some(_) => {}
            }
            put(conn, tenant, conversation_id, revision, passages).await?;
            // A job that read the conversation without them must not write after one that read it with them.
            diesel::update(conversations::table.find(conversation_id.0))
                .set(conversations::version.eq(conversations::version + 1))
                .execute(conn)
                .await?;
            complete_one(conn, tenant, claim, &follow, MicroDollars::ZERO).await
        });
        self.announce(raised.await?);
        Ok(())
    }

    async fn find_indexable(
        &self,
        tenant: Tenant,
        id: ConversationId,
    ) -> Result<(Standing, Option<Indexable>)> {
        type Facts = (i64, i32, String, Option<DateTime<Utc>>, Option<String>);
        self.snapshot("read a conversation for search", async |conn| {
            let standing = generations::standing(conn).await?;
            let facts: Option<Facts> = conversations::table
                .filter(conversations::id.eq(id.0))
                .filter(conversations::organization_id.eq(tenant.0.0))
                .select((
                    conversations::version,
                    conversations::revision,
                    conversations::kind,
                    conversations::occurred_at,
                    conversations::language,
                ))
                .first(conn)
                .await
                .optional()?;
            let Some((version, revision, kind, occurred_at, language)) = facts else {
                return Ok((standing, None));
            };
            let tags: Vec<String> = tags::table
                .inner_join(conversation_tags::table)
                .filter(conversation_tags::conversation_id.eq(id.0))
                .order(tags::name)
                .select(tags::name)
                .load(conn)
                .await?;
            let found: Vec<(Row, DateTime<Utc>)> = passages::table
                .filter(passages::conversation_id.eq(id.0))
                .filter(passages::organization_id.eq(tenant.0.0))
                .filter(passages::revision.eq(revision))
                .order(passages::ordinal)
                .select((Row::as_select(), passages::created_at))
                .load(conn)
                .await?;
            let is_cut = !found.is_empty() || !has_passages(conn, tenant, id).await?;
            let kind = rows::conversation_kind(&kind)?;
            let language = rows::language(language)?;
            let facets =
                ConversationFacets { conversation_id: id, revision, kind, tags, occurred_at, language };
            let mut known = known::by_passage(conn, tenant, id).await?;
            let mut passage = |row: Row| {
                let people = known.remove(&row.id).unwrap_or_default();
                Passage { people, ..row.passage() }
            };
            let (passages, created_at) =
                found.into_iter().map(|(row, created_at)| (passage(row), created_at)).unzip();
            Ok((standing, Some(Indexable { version, facets, passages, created_at, is_cut })))
        })
        .await
    }

    async fn of_revision(
        &self,
        tenant: Tenant,
        id: ConversationId,
        revision: RevisionNumber,
    ) -> Result<Vec<Passage>> {
        self.run("read the passages of a revision", async |conn| {
            let found: Vec<Row> = passages::table
                .filter(passages::conversation_id.eq(id.0))
                .filter(passages::organization_id.eq(tenant.0.0))
                .filter(passages::revision.eq(revision))
                .order(passages::ordinal)
                .select(Row::as_select())
                .load(conn)
                .await?;
            Ok(found.into_iter().map(Row::passage).collect())
        })
        .await
    }

    async fn find(&self, tenant: Tenant, ids: &[PassageId]) -> Result<Vec<FoundPassage>> {
        self.run("read passages", async |conn| {
            let found: Vec<FoundRow> = diesel::sql_query(concat!(
                "SELECT p.id, p.conversation_id, p.ordinal, p.first_sequence, p.last_sequence, p.text,
                    p.start_ms, p.end_ms, p.speakers, c.revision, c.kind, c.occurred_at, c.language,
                    ARRAY(SELECT t.name FROM conversation_tags ct JOIN tags t ON t.id = ct.tag_id
                        WHERE ct.conversation_id = c.id ORDER BY t.name) AS tags, ",
                known!(),
                " AS people,
                    (SELECT min(v.model) FROM vectors v WHERE v.organization_id = p.organization_id
                        AND v.text_hash = p.text_hash) AS embedding_model
                FROM passages p JOIN conversations c ON c.id = p.conversation_id AND c.revision = p.revision
                WHERE p.id = ANY($1) AND p.organization_id = $2 AND c.organization_id = $2"
            ))
            .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
            .bind::<SqlUuid, _>(tenant.0.0)
            .prepared()
            .load(conn)
            .await?;
            found.into_iter().map(found_passage).collect()
        })
        .await
    }

    async fn outline(&self, tenant: Tenant, id: ConversationId) -> Result<Outline> {
        self.run("read who speaks where", async |conn| {
            let found: Vec<(Uuid, Vec<String>)> = passages::table
                .inner_join(conversations::table)
                .filter(passages::conversation_id.eq(id.0))
                .filter(passages::organization_id.eq(tenant.0.0))
                .filter(passages::revision.eq(conversations::revision))
                .order(passages::ordinal)
                .select((passages::id, passages::speakers))
                .load(conn)
                .await?;
            let outlined = |(id, speakers)| Outlined { id: PassageId(id), speakers };
            Ok(Outline { passages: found.into_iter().map(outlined).collect() })
        })
        .await
    }

    async fn vectors(
        &self,
        tenant: Tenant,
        model: &str,
        hashes: &[[u8; 32]],
    ) -> Result<Vec<Option<Vec<f32>>>> {
        self.run("read vectors", async |conn| {
            let found: Vec<(Vec<u8>, Vec<u8>)> = vectors::table
                .filter(vectors::organization_id.eq(tenant.0.0))
                .filter(vectors::model.eq(model))
                .filter(vectors::text_hash.eq_any(hashes.iter().map(<[u8; 32]>::as_slice)))
                .select((vectors::text_hash, vectors::vector))
                .load(conn)
                .await?;
            let found: HashMap<_, _> = found.into_iter().collect();
            Ok(hashes.iter().map(|hash| found.get(hash.as_slice()).map(|bytes| floats(bytes))).collect())
        })
        .await
    }

    async fn insert_vectors(
        &self,
        tenant: Tenant,
        model: &str,
        vectors: &[([u8; 32], Vec<f32>)],
    ) -> Result<()> {
        self.run("keep vectors", async |conn| put_vectors(conn, tenant, model, vectors, KEEP).await).await
    }

    async fn replace_vectors(
        &self,
        tenant: Tenant,
        model: &str,
        vectors: &[([u8; 32], Vec<f32>)],
    ) -> Result<()> {
        self.run("replace vectors", async |conn| put_vectors(conn, tenant, model, vectors, REPLACE).await)
            .await
    }
}

/// Of any revision: of one at a time.
async fn has_passages(conn: &mut Connection, tenant: Tenant, id: ConversationId) -> Step<bool> {
    let some = passages::table
        .filter(passages::conversation_id.eq(id.0))
        .filter(passages::organization_id.eq(tenant.0.0));
    Ok(diesel::select(diesel::dsl::exists(some)).get_result(conn).await?)
}

const KEEP: &str = "INSERT INTO vectors (organization_id, model, text_hash, vector)
    SELECT $1, $2, text_hash, vector FROM unnest($3, $4) AS new (text_hash, vector)
    ON CONFLICT DO NOTHING";
const REPLACE: &str = "INSERT INTO vectors (organization_id, model, text_hash, vector)
    SELECT $1, $2, text_hash, vector FROM unnest($3, $4) AS new (text_hash, vector)
    ON CONFLICT (organization_id, text_hash, model) DO UPDATE SET vector = EXCLUDED.vector";

/// In one order, so that two who write the same texts do not wait in a circle.
async fn put_vectors(
    conn: &mut Connection,
    tenant: Tenant,
    model: &str,
    vectors: &[([u8; 32], Vec<f32>)],
    sql: &'static str,
) -> Step<()> {
    let sorted: BTreeMap<&[u8; 32], &Vec<f32>> =
        vectors.iter().map(|(hash, vector)| (hash, vector)).collect();
    diesel::sql_query(sql)
        .bind::<SqlUuid, _>(tenant.0.0)
        .bind::<Text, _>(model)
        .bind::<Array<Bytea>, _>(sorted.keys().map(|hash| hash.as_slice()).collect::<Vec<_>>())
        .bind::<Array<Bytea>, _>(sorted.values().map(|vector| bytes(vector)).collect::<Vec<_>>())
        .prepared()
        .execute(conn)
        .await?;
    Ok(())
}

fn found_passage(row: FoundRow) -> Step<FoundPassage> {
    let people = known::read(row.people)?;
    let passage = Passage { people, ..row.passage.passage() };
    let facets = ConversationFacets {
        conversation_id: passage.conversation_id,
        revision: row.revision,
        kind: rows::conversation_kind(&row.kind)?,
        tags: row.tags,
        occurred_at: row.occurred_at,
        language: rows::language(row.language)?,
    };
    Ok(FoundPassage { passage, facets, embedding_model: row.embedding_model })
}

/// Makes these the conversation's passages, those of the revision. Whoever calls holds the conversation's row. A passage
/// that is as it was stays where it is.
pub(crate) async fn put(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    revision: RevisionNumber,
    new: &[Passage],
) -> Step<()> {
    let stand: Vec<(Row, Vec<u8>, DateTime<Utc>)> = passages::table
        .filter(passages::conversation_id.eq(id.0))
        .filter(passages::organization_id.eq(tenant.0.0))
        .select((Row::as_select(), passages::text_hash, passages::created_at))
        .load(conn)
        .await?;
    let came = stand.iter().map(|(_, hash, at)| (hash.clone(), *at)).collect();
    let stand: HashMap<Uuid, Passage> = stand.into_iter().map(|(row, ..)| (row.id, row.passage())).collect();
    let (stay, fresh): (Vec<&Passage>, Vec<&Passage>) =
        new.iter().partition(|passage| stand.get(&passage.id.0) == Some(*passage));
    let stay: Vec<Uuid> = stay.into_iter().map(|passage| passage.id.0).collect();
    diesel::sql_query(
        "DELETE FROM passages WHERE conversation_id = $1 AND organization_id = $2 AND id <> ALL($3)",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Array<SqlUuid>, _>(stay)
    .prepared()
    .execute(conn)
    .await?;
    diesel::update(passages::table)
        .filter(passages::conversation_id.eq(id.0))
        .filter(passages::organization_id.eq(tenant.0.0))
        .set(passages::revision.eq(revision))
        .execute(conn)
        .await?;
    let fresh: Vec<Passage> = fresh.into_iter().cloned().collect();
    insert(conn, tenant, id, revision, &fresh, came).await
}

pub(crate) async fn insert(
    conn: &mut Connection,
    tenant: Tenant,
    conversation_id: ConversationId,
    revision: RevisionNumber,
    passages: &[Passage],
    before: Vec<(Vec<u8>, DateTime<Utc>)>,
) -> Step<()> {
    if passages.is_empty() {
        return Ok(());
    }
    let numbers = |of: fn(&Passage) -> i32| passages.iter().map(of).collect::<Vec<_>>();
    let times = |of: fn(&Passage) -> Option<i64>| passages.iter().map(of).collect::<Vec<_>>();
    let hashes: Vec<_> = passages.iter().map(|passage| text_hash(&passage.text)).collect();
    let came = first_times(before);
    let came = hashes.iter().map(|hash| came.get(hash.as_slice()).copied()).collect::<Vec<_>>();
    // UNNEST would flatten an array of arrays: speakers go as JSON.
    let speakers: Vec<_> = passages.iter().map(|passage| Value::from(passage.speakers.clone())).collect();
    diesel::sql_query(
        "INSERT INTO passages (organization_id, conversation_id, revision, id, ordinal, first_sequence,
            last_sequence, text, text_hash, start_ms, end_ms, speakers, created_at)
        SELECT $1, $2, $3, id, ordinal, first_sequence, last_sequence, text, text_hash, start_ms, end_ms,
            ARRAY(SELECT label FROM jsonb_array_elements_text(speakers) WITH ORDINALITY AS s (label, place)
                ORDER BY place), coalesce(came, now())
        FROM unnest($4, $5, $6, $7, $8, $9, $10, $11, $12, $13) AS new (id, ordinal, first_sequence,
            last_sequence, text, text_hash, start_ms, end_ms, speakers, came)",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<SqlUuid, _>(conversation_id.0)
    .bind::<Integer, _>(revision)
    .bind::<Array<SqlUuid>, _>(passages.iter().map(|passage| passage.id.0).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(numbers(|passage| passage.ordinal as i32))
    .bind::<Array<Integer>, _>(numbers(|passage| passage.first_sequence))
    .bind::<Array<Integer>, _>(numbers(|passage| passage.last_sequence))
    .bind::<Array<Text>, _>(passages.iter().map(|passage| passage.text.as_str()).collect::<Vec<_>>())
    .bind::<Array<Bytea>, _>(hashes.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>())
    .bind::<Array<Nullable<BigInt>>, _>(times(|passage| rows::to_ms(passage.start_ms)))
    .bind::<Array<Nullable<BigInt>>, _>(times(|passage| rows::to_ms(passage.end_ms)))
    .bind::<Array<Jsonb>, _>(speakers)
    .bind::<Array<Nullable<Timestamptz>>, _>(came)
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

/// By text: it may stand in several places.
fn first_times(came: Vec<(Vec<u8>, DateTime<Utc>)>) -> HashMap<Vec<u8>, DateTime<Utc>> {
    let mut first = HashMap::with_capacity(came.len());
    for (hash, at) in came {
        first.entry(hash).and_modify(|first: &mut DateTime<Utc>| *first = at.min(*first)).or_insert(at);
    }
    first
}

pub(crate) fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}

pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_comes_back_to_the_bit() {
        let vector = [0.0, -0.0, 1.0, f32::MIN_POSITIVE, -0.123_456_79];
        let back = floats(&bytes(&vector));
        let bits = |vector: &[f32]| vector.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(&vector));
    }
}
