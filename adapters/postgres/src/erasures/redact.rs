//! Taking names out of a column, wherever it is: pages of its rows are read, and those that hold one are written anew.

use colloquy_domain::{
    erasure::names::Names,
    ids::{ConversationId, OrganizationId},
};
use diesel::{
    QueryableByName,
    sql_types::{Array, BigInt, Text, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::{errors::Step, pool::Connection, rows};

/// Rows that are in memory at once.
const PAGE: usize = 5_000;

/// A column of words, and its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) table: &'static str,
    pub(super) column: &'static str,
    pub(super) is_json: bool,
    /// A condition, on `$1` (the organization) and `$2` (the conversation, where there is one).
    pub(super) rows: &'static str,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    place: String,
    #[diesel(sql_type = Text)]
    words: String,
}

/// How many rows were redacted. A row that is locked stays where it is until this transaction writes it.
pub(super) async fn redact(
    conn: &mut Connection,
    place: Place,
    organization: OrganizationId,
    conversation: Option<ConversationId>,
    names: &Names,
) -> Step<u64> {
    let (mut after, mut redacted) = ("(0,0)".to_owned(), 0);
    loop {
        let found = page(conn, place, organization, conversation, &after).await?;
        let Some(last) = found.last() else { return Ok(redacted) };
        after.clone_from(&last.place);
        let is_last = found.len() < PAGE;
        let changed: Vec<(String, String)> = found
            .into_iter()
            .filter_map(|row| Some((row.place, redact_one(&row.words, place.is_json, names)?)))
            .collect();
        redacted += changed.len() as u64;
        write(conn, place, changed).await?;
        if is_last {
            return Ok(redacted);
        }
    }
}

fn redact_one(words: &str, is_json: bool, names: &Names) -> Option<String> {
    if !is_json {
        return names.redact(words);
    }
    let mut value: Value = serde_json::from_str(words).ok()?;
    names.redact_json(&mut value).then(|| value.to_string())
}

async fn page(
    conn: &mut Connection,
    Place { table, column, rows: of, .. }: Place,
    organization: OrganizationId,
    conversation: Option<ConversationId>,
    after: &str,
) -> Step<Vec<Found>> {
    let sql = format!(
        "SELECT ctid::text AS place, {column}::text AS words FROM {table}
        WHERE {of} AND $2 IS NOT NULL AND {column} IS NOT NULL AND ctid > $3::tid ORDER BY ctid LIMIT $4 FOR UPDATE"
    );
    let found = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(conversation.map_or(Uuid::nil(), Uuid::from))
        .bind::<Text, _>(after)
        .bind::<BigInt, _>(rows::limit(PAGE))
        .load(conn)
        .await?;
    Ok(found)
}

async fn write(
    conn: &mut Connection,
    Place { table, column, is_json, .. }: Place,
    changed: Vec<(String, String)>,
) -> Step<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let cast = if is_json { "::jsonb" } else { "" };
    let sql = format!(
        "UPDATE {table} t SET {column} = n.words{cast}
        FROM unnest($1::text[], $2::text[]) AS n (place, words)
        WHERE t.ctid = ANY($1::text[]::tid[]) AND t.ctid = n.place::tid"
    );
    let (places, words): (Vec<_>, Vec<_>) = changed.into_iter().unzip();
    diesel::sql_query(sql).bind::<Array<Text>, _>(places).bind::<Array<Text>, _>(words).execute(conn).await?;
    Ok(())
}
