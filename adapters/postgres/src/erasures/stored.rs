//! The end of a person's redaction: what the organization keeps beside conversations, such as saved searches, may name them
//! too. Where somebody else has the same name it is theirs, and stays.

use std::time::Duration;

use colloquy_domain::{
    Error,
    accounts::Tenant,
    erasure::{Removed, names::Names},
    ids::{ErasureId, SavedSearchId},
    jobs::Claim,
    money::MicroDollars,
    people::key,
    ports::jobs::Follow,
};
use diesel::{
    QueryableByName,
    sql_types::{Array, BigInt, Jsonb, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::{
    redact::{Place, redact},
    rows::{IdRow, add},
};
use crate::{
    errors::Step,
    follow::{Raised, milliseconds},
    jobs::complete_one,
    pool::Connection,
    rows, saved_searches,
    statement::Prepare,
};

const OF_THE_ORGANIZATION: &str = "organization_id = $1";
/// What is left of them in a filter fits nothing: no title holds a mark with a word in it.
const PLACES: [(&str, &str, bool); 13] = [
    ("archive_entries", "name", false),
    ("archive_entries", "report", true),
    ("archive_entries", "problem", true),
    ("archive_imports", "file_name", false),
    ("archive_imports", "options", true),
    ("archive_imports", "problem", true),
    ("batches", "filter", true),
    ("batches", "options", true),
    ("batches", "reason", false),
    ("batches", "report", true),
    ("batches", "plan", true),
    ("schedules", "work", true),
    ("schedules", "last_reason", false),
];

#[derive(QueryableByName)]
struct Stands {
    #[diesel(sql_type = Nullable<Array<Text>>)]
    names: Option<Vec<String>>,
    #[diesel(sql_type = BigInt)]
    left: i64,
}

pub(super) async fn settle(
    conn: &mut Connection,
    tenant: Tenant,
    id: ErasureId,
    claim: Claim,
    settled_after: Duration,
) -> Step<Raised> {
    let found: Vec<Stands> = diesel::sql_query(
        "SELECT names, (SELECT count(*) FROM erasure_conversations
            WHERE erasure_id = $1 AND redacted_at IS NULL) AS left
        FROM erasures WHERE id = $1 AND organization_id = $2 FOR UPDATE",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .load(conn)
    .await?;
    let stands = found.into_iter().next();
    if stands.as_ref().is_some_and(|stands| stands.left > 0) {
        return Err(Error::unavailable("end an erasure", "a conversation is yet to be redacted").into());
    }
    if let Some(names) = stands.and_then(|stands| stands.names) {
        let removed = forget(conn, tenant, &names).await?;
        add(conn, id, removed).await?;
        diesel::sql_query(
            "UPDATE erasures SET names = NULL, state = 'SWEEPING', redacted_at = now(), due_at = now()
            WHERE id = $1",
        )
        .bind::<SqlUuid, _>(id.0)
        .prepared()
        .execute(conn)
        .await?;
    }
    tracing::debug!(settled_after_ms = milliseconds(settled_after), "somebody was erased");
    complete_one(conn, tenant, claim, &Follow::default(), MicroDollars::ZERO).await
}

async fn forget(conn: &mut Connection, tenant: Tenant, names: &[String]) -> Step<Removed> {
    let whole = Names::new([], names.iter().map(String::as_str));
    let mut removed = Removed { jobs: errors(conn, tenant, names, &whole).await?, ..Removed::default() };
    if is_anothers(conn, tenant, names).await? {
        return Ok(removed);
    }
    for (table, column, is_json) in PLACES {
        let place = Place { table, column, is_json, rows: OF_THE_ORGANIZATION };
        removed.settings += redact(conn, place, tenant.0, None, &whole).await?;
    }
    removed.settings += schedules(conn, tenant, &whole).await?;
    removed.settings += searches(conn, tenant, &whole).await? + synonyms(conn, tenant, &whole).await?;
    removed.tags = tags(conn, tenant, &whole).await?;
    Ok(removed)
}

async fn is_anothers(conn: &mut Connection, tenant: Tenant, names: &[String]) -> Step<bool> {
    let keys: Vec<String> = names.iter().map(|name| key(name)).collect();
    let found: Vec<IdRow> =
        diesel::sql_query("SELECT id FROM people WHERE organization_id = $1 AND name_key = ANY($2) LIMIT 1")
            .bind::<SqlUuid, _>(tenant.0.0)
            .bind::<Array<Text>, _>(keys)
            .prepared()
            .load(conn)
            .await?;
    Ok(!found.is_empty())
}

#[derive(QueryableByName)]
struct ErrorsRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Jsonb)]
    errors: Value,
}

/// Of jobs that are of no conversation, or of another's conversation, found by their words.
async fn errors(conn: &mut Connection, tenant: Tenant, names: &[String], whole: &Names) -> Step<u64> {
    let mut redacted = 0;
    for name in names {
        let found: Vec<ErrorsRow> = diesel::sql_query(
            "SELECT id, errors FROM jobs WHERE errors <> '[]'
                AND to_tsvector('simple', errors) @@ phraseto_tsquery('simple', $2)
                AND (organization_id = $1 OR payload->>'organization_id' = $1::text) ORDER BY id FOR UPDATE",
        )
        .bind::<SqlUuid, _>(tenant.0.0)
        .bind::<Text, _>(name)
        .prepared()
        .load(conn)
        .await?;
        for ErrorsRow { id, mut errors } in found {
            if !whole.redact_json(&mut errors) {
                continue;
            }
            diesel::sql_query("UPDATE jobs SET errors = $2 WHERE id = $1")
                .bind::<SqlUuid, _>(id)
                .bind::<Jsonb, _>(errors)
                .prepared()
                .execute(conn)
                .await?;
            redacted += 1;
        }
    }
    Ok(redacted)
}

#[derive(QueryableByName)]
struct SearchRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    words: String,
}

/// A name is no other schedule's, also without the person's.
async fn schedules(conn: &mut Connection, tenant: Tenant, whole: &Names) -> Step<u64> {
    let found: Vec<SearchRow> = diesel::sql_query(
        "SELECT id, name AS words FROM schedules WHERE organization_id = $1 ORDER BY id FOR NO KEY UPDATE",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .load(conn)
    .await?;
    let mut renamed = 0;
    for SearchRow { id, words } in found {
        let Some(name) = whole.redact(&words) else { continue };
        diesel::sql_query("UPDATE schedules SET name = $2 WHERE id = $1")
            .bind::<SqlUuid, _>(id)
            .bind::<Text, _>(format!("{name} {id}"))
            .prepared()
            .execute(conn)
            .await?;
        renamed += 1;
    }
    Ok(renamed)
}

/// One that looks for somebody who is gone finds nothing any more, and goes with its matches.
async fn searches(conn: &mut Connection, tenant: Tenant, whole: &Names) -> Step<u64> {
    let found: Vec<SearchRow> = diesel::sql_query(
        "SELECT id, name || E'\\n' || query || E'\\n' || filter::text AS words FROM saved_searches
        WHERE organization_id = $1 ORDER BY id",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .load(conn)
    .await?;
    let named = found.into_iter().filter(|row| whole.stand_in(&row.words)).map(|row| SavedSearchId(row.id));
    let named: Vec<_> = named.collect();
    saved_searches::drop_all(conn, tenant, &named).await?;
    Ok(named.len() as u64)
}

#[derive(QueryableByName)]
struct GroupsRow {
    #[diesel(sql_type = Jsonb)]
    groups: Value,
}

async fn synonyms(conn: &mut Connection, tenant: Tenant, whole: &Names) -> Step<u64> {
    let found: Vec<GroupsRow> =
        diesel::sql_query("SELECT groups FROM synonyms WHERE organization_id = $1 FOR UPDATE")
            .bind::<SqlUuid, _>(tenant.0.0)
            .prepared()
            .load(conn)
            .await?;
    let Some(row) = found.into_iter().next() else { return Ok(0) };
    let groups: Vec<Vec<String>> = rows::from_json(row.groups)?;
    let left: Vec<Vec<String>> = groups
        .iter()
        .map(|group| group.iter().filter(|one| !whole.stand_in(one)).cloned().collect::<Vec<_>>())
        .filter(|group| group.len() > 1)
        .collect();
    if left == groups {
        return Ok(0);
    }
    diesel::sql_query("UPDATE synonyms SET groups = $2 WHERE organization_id = $1")
        .bind::<SqlUuid, _>(tenant.0.0)
        .bind::<Jsonb, _>(rows::json(&left)?)
        .prepared()
        .execute(conn)
        .await?;
    Ok(1)
}

/// That nothing bears any more.
async fn tags(conn: &mut Connection, tenant: Tenant, whole: &Names) -> Step<u64> {
    let found: Vec<SearchRow> = diesel::sql_query(
        "SELECT t.id, t.name AS words FROM tags t WHERE t.organization_id = $1
            AND NOT EXISTS (SELECT FROM conversation_tags ct WHERE ct.tag_id = t.id) ORDER BY t.id",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .load(conn)
    .await?;
    let named = found.into_iter().filter(|row| whole.stand_in(&row.words)).map(|row| row.id);
    super::conversation::drop_tags(conn, tenant, &named.collect::<Vec<_>>()).await
}
