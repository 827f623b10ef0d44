//! Redacting one conversation in every revision: what the person said, how they are labelled, and where others name them.
//! Its passages are cut anew here, so that search knows the conversation at every moment.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use colloquy_domain::{
    Error,
    accounts::Tenant,
    erasure::{MARK, Removed, names::Names},
    ids::{ConversationId, ErasureId},
    passages::{cut, text_hash},
    people::key,
    ports::jobs::Follow,
};
use diesel::{
    QueryableByName,
    sql_types::{Array, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{
    redact::{Place, redact as redact_column},
    rows::{IdRow, add},
};
use crate::{
    conversations::transcript,
    errors::Step,
    follow::{self, Raised, tell},
    passages,
    pool::Connection,
    statement::Prepare,
};

macro_rules! place {
    ($table:literal, $column:literal, $is_json:literal, $rows:literal) => {
        Place { table: $table, column: $column, is_json: $is_json, rows: $rows }
    };
}

/// Where others may name somebody in a conversation.
const PLACES: [Place; 8] = [
    place!("archive_entries", "name", false, "organization_id = $1 AND conversation_id = $2"),
    place!("segments", "text", false, "organization_id = $1 AND conversation_id = $2"),
    place!("participants", "label", false, "organization_id = $1 AND conversation_id = $2"),
    place!("participant_history", "label", false, "organization_id = $1 AND conversation_id = $2"),
    place!("revisions", "reason", false, "organization_id = $1 AND conversation_id = $2"),
    place!("conversations", "title", false, "organization_id = $1 AND id = $2"),
    place!("conversations", "file_name", false, "organization_id = $1 AND id = $2"),
    place!("conversations", "report", true, "organization_id = $1 AND id = $2"),
];
/// Of jobs of the conversation itself; those of others that failed over it are found by their words.
const ERRORS: Place =
    place!("jobs", "errors", true, "organization_id = $1 AND conversation_id = $2 AND errors <> '[]'");

#[derive(QueryableByName)]
struct Task {
    #[diesel(sql_type = Array<SqlUuid>)]
    participant_ids: Vec<Uuid>,
    #[diesel(sql_type = Nullable<Array<Text>>)]
    names: Option<Vec<String>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    redacted_at: Option<DateTime<Utc>>,
}

async fn task(
    conn: &mut Connection,
    tenant: Tenant,
    id: ErasureId,
    conversation: ConversationId,
) -> Step<Option<Task>> {
    let found: Vec<Task> = diesel::sql_query(
        "SELECT x.participant_ids, e.names, x.redacted_at
        FROM erasure_conversations x JOIN erasures e ON e.id = x.erasure_id
        WHERE x.erasure_id = $1 AND x.organization_id = $2 AND x.conversation_id = $3 FOR UPDATE OF x",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<SqlUuid, _>(conversation.0)
    .prepared()
    .load(conn)
    .await?;
    Ok(found.into_iter().next())
}

/// Whether it is there. Whoever changes its text waits for the end of the transaction.
pub(super) async fn hold(conn: &mut Connection, tenant: Tenant, id: ConversationId) -> Step<bool> {
    let held: Vec<IdRow> = diesel::sql_query(
        "SELECT id FROM conversations WHERE id = $1 AND organization_id = $2 FOR NO KEY UPDATE",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .load(conn)
    .await?;
    Ok(!held.is_empty())
}

pub(super) async fn redact(
    conn: &mut Connection,
    tenant: Tenant,
    erasure: ErasureId,
    id: ConversationId,
    follow: &Follow,
) -> Step<Raised> {
    let stands = hold(conn, tenant, id).await?;
    let Some(task) = task(conn, tenant, erasure, id).await? else { return Ok(Raised::default()) };
    if task.redacted_at.is_some() {
        return Ok(Raised::default());
    }
    let (mut removed, mut hashes, mut raised) = (Removed::default(), Vec::new(), Raised::default());
    let mut who = task.participant_ids;
    if stands {
        // First: what is written under a claim from here on is written before, or not at all.
        let restarted = restart(conn, tenant, id).await?;
        let states = states(conn, tenant, id).await?;
        let names = task.names.unwrap_or_default();
        who = widen(&states, who, &names);
        removed = words(conn, tenant, id, &who, &states, &names).await?;
        (removed, hashes) = derived(conn, tenant, id, removed).await?;
        (removed.restarted, removed.conversations) = (restarted, 1);
        bump(conn, tenant, id).await?;
        raised = follow::write(conn, follow).await?;
        raised = raised.and(Raised { jobs: removed.restarted > 0, events: true });
    }
    diesel::sql_query(
        "UPDATE erasure_conversations SET redacted_at = now(), participant_ids = $3, text_hashes = $4
        WHERE erasure_id = $1 AND conversation_id = $2",
    )
    .bind::<SqlUuid, _>(erasure.0)
    .bind::<SqlUuid, _>(id.0)
    .bind::<Array<SqlUuid>, _>(who)
    .bind::<Array<Bytea>, _>(hashes)
    .prepared()
    .execute(conn)
    .await?;
    add(conn, erasure, removed).await?;
    Ok(raised)
}

#[derive(QueryableByName)]
pub(super) struct State {
    #[diesel(sql_type = SqlUuid)]
    participant_id: Uuid,
    #[diesel(sql_type = Text)]
    label: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    person_id: Option<Uuid>,
}

/// What participants are and were labelled.
async fn states(conn: &mut Connection, tenant: Tenant, id: ConversationId) -> Step<Vec<State>> {
    Ok(diesel::sql_query(
        "SELECT s.participant_id, s.label, s.person_id FROM participant_states s JOIN participants p ON p.id = s.participant_id
        WHERE s.conversation_id = $1 AND s.organization_id = $2 ORDER BY p.ordinal, s.valid_from",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .load(conn)
    .await?)
}

/// With those who have, or once had, one of their labels or names, and are nobody else: a text that was read again may have
/// made a second one.
fn widen(states: &[State], who: Vec<Uuid>, names: &[String]) -> Vec<Uuid> {
    let mut theirs: HashSet<String> = names.iter().map(|name| key(name)).collect();
    theirs.extend(states.iter().filter(|one| who.contains(&one.participant_id)).map(|one| key(&one.label)));
    theirs.retain(|key| !key.is_empty() && !key.starts_with(&MARK[..MARK.len() - 1]));
    let others: HashSet<Uuid> =
        states.iter().filter(|one| one.person_id.is_some()).map(|one| one.participant_id).collect();
    let alike = states.iter().filter(|one| theirs.contains(&key(&one.label)));
    let alike = alike.filter(|one| !others.contains(&one.participant_id));
    let mut widened = who.clone();
    widened.extend(alike.map(|one| one.participant_id));
    widened.sort();
    widened.dedup();
    widened
}

/// Own speech, labels, and names in what others said.
async fn words(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    who: &[Uuid],
    states: &[State],
    names: &[String],
) -> Step<Removed> {
    let labels = states.iter().filter(|one| who.contains(&one.participant_id)).map(|one| one.label.as_str());
    let names = Names::new(names.iter().map(String::as_str), labels);
    let mut removed = Removed {
        segments: speech(conn, tenant, id, who).await?,
        labels: relabel(conn, tenant, id, who, states).await?,
        ..Removed::default()
    };
    for place in PLACES {
        removed.texts += redact_column(conn, place, tenant.0, Some(id), &names).await?;
    }
    removed.texts += unname(conn, tenant, id, &names).await?;
    removed.jobs = redact_column(conn, ERRORS, tenant.0, Some(id), &names).await?;
    removed.tags = untag(conn, tenant, id, &names).await?;
    Ok(removed)
}

/// Every state of every segment that one of them ever spoke.
pub(super) async fn speech(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    who: &[Uuid],
) -> Step<u64> {
    let redacted = diesel::sql_query(
        "UPDATE segments SET text = $4
        WHERE conversation_id = $1 AND organization_id = $2 AND text <> $4 AND id IN (
            SELECT id FROM segments WHERE conversation_id = $1 AND participant_id = ANY($3))",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Array<SqlUuid>, _>(who)
    .bind::<Text, _>(MARK)
    .prepared()
    .execute(conn)
    .await?;
    Ok(redacted as u64)
}

/// Each of them has one label in all revisions; of several each has a number.
async fn relabel(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    who: &[Uuid],
    states: &[State],
) -> Step<u64> {
    let is_mark = |label: &str| label.starts_with(&MARK[..MARK.len() - 1]);
    let mut taken: HashSet<String> =
        states.iter().map(|one| one.label.clone()).filter(|label| is_mark(label)).collect();
    let mut theirs: Vec<Uuid> = states
        .iter()
        .filter(|one| who.contains(&one.participant_id) && !is_mark(&one.label))
        .map(|one| one.participant_id)
        .collect();
    let mut seen = HashSet::new();
    theirs.retain(|participant| seen.insert(*participant));
    let alone = theirs.len() == 1 && taken.is_empty();
    let labels: Vec<String> =
        theirs.iter().map(|_| if alone { MARK.to_owned() } else { next_mark(&mut taken) }).collect();
    set_labels(conn, tenant, id, &theirs, &labels).await
}

fn next_mark(taken: &mut HashSet<String>) -> String {
    let mut number = 1;
    loop {
        let mark = format!("{} {number}]", &MARK[..MARK.len() - 1]);
        if taken.insert(mark.clone()) {
            return mark;
        }
        number += 1;
    }
}

async fn set_labels(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    who: &[Uuid],
    labels: &[String],
) -> Step<u64> {
    let mut changed = 0;
    for sql in [
        "UPDATE participants p SET label = n.label, person_id = NULL FROM unnest($3, $4) AS n (id, label)
        WHERE p.conversation_id = $1 AND p.organization_id = $2 AND p.id = n.id",
        "UPDATE participant_history p SET label = n.label, person_id = NULL FROM unnest($3, $4) AS n (id, label)
        WHERE p.conversation_id = $1 AND p.organization_id = $2 AND p.participant_id = n.id",
    ] {
        changed += diesel::sql_query(sql)
            .bind::<SqlUuid, _>(id.0)
            .bind::<SqlUuid, _>(tenant.0.0)
            .bind::<Array<SqlUuid>, _>(who)
            .bind::<Array<Text>, _>(labels)
            .prepared()
            .execute(conn)
            .await? as u64;
    }
    Ok(changed)
}

#[derive(QueryableByName)]
struct ExternalRow {
    #[diesel(sql_type = Nullable<Text>)]
    external_id: Option<String>,
}

/// A key of the caller's own that names them goes: what is left of it would be no key.
async fn unname(conn: &mut Connection, tenant: Tenant, id: ConversationId, names: &Names) -> Step<u64> {
    let found: Vec<ExternalRow> =
        diesel::sql_query("SELECT external_id FROM conversations WHERE id = $1 AND organization_id = $2")
            .bind::<SqlUuid, _>(id.0)
            .bind::<SqlUuid, _>(tenant.0.0)
            .prepared()
            .load(conn)
            .await?;
    let named = found.into_iter().filter_map(|row| row.external_id).any(|external| names.stand_in(&external));
    if named {
        delete_of(
            conn,
            tenant,
            id,
            "UPDATE conversations SET external_id = NULL
            WHERE id = $1 AND organization_id = $2",
        )
        .await?;
    }
    Ok(u64::from(named))
}

#[derive(QueryableByName)]
struct TagRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    name: String,
}

/// A tag that names them is taken off, and goes where nothing else bears it.
async fn untag(conn: &mut Connection, tenant: Tenant, id: ConversationId, names: &Names) -> Step<u64> {
    let tags: Vec<TagRow> = diesel::sql_query(
        "SELECT t.id, t.name FROM tags t JOIN conversation_tags ct ON ct.tag_id = t.id
        WHERE ct.conversation_id = $1 AND t.organization_id = $2 ORDER BY t.id",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .load(conn)
    .await?;
    let named: Vec<Uuid> =
        tags.into_iter().filter(|tag| names.stand_in(&tag.name)).map(|tag| tag.id).collect();
    if named.is_empty() {
        return Ok(0);
    }
    diesel::sql_query("DELETE FROM conversation_tags WHERE conversation_id = $1 AND tag_id = ANY($2)")
        .bind::<SqlUuid, _>(id.0)
        .bind::<Array<SqlUuid>, _>(&named)
        .prepared()
        .execute(conn)
        .await?;
    drop_tags(conn, tenant, &named).await?;
    Ok(named.len() as u64)
}

/// Those of them that no conversation bears.
pub(super) async fn drop_tags(conn: &mut Connection, tenant: Tenant, tags: &[Uuid]) -> Step<u64> {
    let dropped = diesel::sql_query(
        "DELETE FROM tags t WHERE t.id = ANY($1) AND t.organization_id = $2
            AND NOT EXISTS (SELECT FROM conversation_tags ct WHERE ct.tag_id = t.id)",
    )
    .bind::<Array<SqlUuid>, _>(tags)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .execute(conn)
    .await?;
    Ok(dropped as u64)
}

#[derive(QueryableByName)]
pub(super) struct CutRow {
    #[diesel(sql_type = Bytea)]
    pub(super) text_hash: Vec<u8>,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
}

/// What is made of the text goes; passages are made anew. What they say that they did not say before counts as old, so
/// that no saved search fires for it.
pub(super) async fn derived(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    mut removed: Removed,
) -> Step<(Removed, Vec<Vec<u8>>)> {
    let gone: Vec<CutRow> = diesel::sql_query(
        "DELETE FROM passages WHERE conversation_id = $1 AND organization_id = $2
        RETURNING text_hash, created_at",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .load(conn)
    .await?;
    let hashes: Vec<Vec<u8>> = gone.iter().map(|row| row.text_hash.clone()).collect();
    removed.passages += gone.len() as u64;
    if !gone.is_empty() {
        recut(conn, tenant, id, gone).await?;
    }
    removed.vectors += drop_vectors(conn, tenant, &hashes).await?;
    removed.analyses += delete_of(
        conn,
        tenant,
        id,
        "DELETE FROM analyses a
        WHERE a.conversation_id = $1 AND a.organization_id = $2",
    )
    .await?;
    removed.matches += delete_of(
        conn,
        tenant,
        id,
        "DELETE FROM search_matches m
        WHERE m.conversation_id = $1 AND m.organization_id = $2 AND NOT EXISTS (SELECT FROM passages p
            WHERE p.conversation_id = $1 AND p.text_hash = m.text_hash)",
    )
    .await?;
    Ok((removed, hashes))
}

async fn delete_of(
    conn: &mut Connection,
    tenant: Tenant,
    id: ConversationId,
    sql: &'static str,
) -> Step<u64> {
    let deleted = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(id.0)
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared()
        .execute(conn)
        .await?;
    Ok(deleted as u64)
}

async fn recut(conn: &mut Connection, tenant: Tenant, id: ConversationId, gone: Vec<CutRow>) -> Step<()> {
    let Some(talk) = transcript::talk(conn, tenant, id).await? else { return Ok(()) };
    let revision = talk.revision;
    let passages = tokio::task::spawn_blocking(move || cut(&talk)).await;
    let passages = passages.map_err(|error| Error::internal("cut passages", error))?;
    let first = gone.iter().map(|row| row.created_at).min();
    let mut came: Vec<_> = gone.into_iter().map(|row| (row.text_hash, row.created_at)).collect();
    let known: HashSet<_> = came.iter().map(|(hash, _)| hash.clone()).collect();
    let new = passages.iter().map(|passage| text_hash(&passage.text).to_vec());
    came.extend(new.filter(|hash| !known.contains(hash)).zip(first.into_iter().cycle()));
    passages::insert(conn, tenant, id, revision, &passages, came).await
}

/// Of texts that stand nowhere in the organization any more.
pub(super) async fn drop_vectors(conn: &mut Connection, tenant: Tenant, hashes: &[Vec<u8>]) -> Step<u64> {
    let dropped = diesel::sql_query(
        "DELETE FROM vectors v WHERE v.organization_id = $1 AND v.text_hash = ANY($2)
            AND NOT EXISTS (SELECT FROM passages p
                WHERE p.organization_id = v.organization_id AND p.text_hash = v.text_hash)",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Array<Bytea>, _>(hashes)
    .prepared()
    .execute(conn)
    .await?;
    Ok(dropped as u64)
}

/// Whoever works on it with the text of before loses the claim, and with it the right to write.
pub(super) async fn restart(conn: &mut Connection, tenant: Tenant, id: ConversationId) -> Step<u64> {
    let restarted = diesel::sql_query(concat!(
        "WITH restarted AS (
            UPDATE jobs SET state = 'READY', attempts = attempts - paid::int, paid = false, claim_token = NULL,
                worker = NULL, deadline = NULL
            WHERE id = ANY(ARRAY(SELECT id FROM jobs WHERE conversation_id = $1 AND organization_id = $2
                    AND state || '' = 'RUNNING' ORDER BY id FOR UPDATE))
            RETURNING *
        ) ",
        tell!("restarted")
    ))
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .execute(conn)
    .await?;
    Ok(restarted as u64)
}

pub(super) async fn bump(conn: &mut Connection, tenant: Tenant, id: ConversationId) -> Step<()> {
    diesel::sql_query(
        "UPDATE conversations SET version = version + 1, updated_at = now(), erased_at = now(),
            characters = (SELECT coalesce(sum(char_length(text)), 0) FROM segments
                WHERE conversation_id = $1 AND valid_to IS NULL)
        WHERE id = $1 AND organization_id = $2",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}
