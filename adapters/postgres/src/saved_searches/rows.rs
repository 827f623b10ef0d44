//! Saved searches as rows.

use chrono::{DateTime, Utc};
use colloquy_domain::{
    Error,
    accounts::Tenant,
    audit::NewAuditEntry,
    ids::{OrganizationId, SavedSearchId, UserId},
    ports::store::PageBy,
    search::saved::{Question, SavedSearch, SearchVersion, Watch},
    time::Timestamp,
};
use diesel::{
    OptionalExtension, QueryableByName,
    sql_types::{
        Array, BigInt, Bool, Bytea, Float, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid,
    },
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::missing;
use crate::{
    audit,
    errors::{self, Step},
    passages::{bytes, floats},
    pool::Connection,
    rows::{self, Count},
    statement::Prepare,
};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    organization_id: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    created_by: Option<Uuid>,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    query: String,
    #[diesel(sql_type = Jsonb)]
    filter: Value,
    #[diesel(sql_type = Text)]
    mode: String,
    #[diesel(sql_type = Nullable<Float>)]
    threshold: Option<f32>,
    #[diesel(sql_type = Integer)]
    version: i32,
    #[diesel(sql_type = Timestamptz)]
    since: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    updated_at: DateTime<Utc>,
}

/// The columns of [`Row`].
macro_rules! columns {
    () => {
        "id, organization_id, created_by, name, query, filter, mode, threshold, version, since, created_at, updated_at"
    };
}

impl Row {
    fn search(self) -> Step<SavedSearch> {
        let watch = match (self.mode.as_str(), self.threshold) {
            ("TEXT", _) => Watch::Text,
            ("SEMANTIC", Some(threshold)) => Watch::Semantic { threshold },
            _ => return Err(errors::unreadable("mode", &self.mode).into()),
        };
        Ok(SavedSearch {
            id: SavedSearchId(self.id),
            organization_id: OrganizationId(self.organization_id),
            created_by: self.created_by.map(UserId),
            name: self.name,
            question: Question { query: self.query, filter: rows::from_json(self.filter)?, watch },
            version: self.version,
            since: self.since,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

#[derive(QueryableByName)]
struct Now {
    #[diesel(sql_type = Timestamptz)]
    now: DateTime<Utc>,
}

pub(super) async fn now(conn: &mut Connection) -> Step<Timestamp> {
    let row: Now = diesel::sql_query("SELECT now() AS now").prepared().get_result(conn).await?;
    Ok(row.now)
}

async fn raise(conn: &mut Connection, tenant: Tenant) -> Step<()> {
    diesel::sql_query(
        "INSERT INTO saved_search_changes AS c (organization_id, number) VALUES ($1, 1)
        ON CONFLICT (organization_id) DO UPDATE SET number = c.number + 1",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

/// The organization's row is held, so that two at once do not pass the limit together.
pub(super) async fn insert(
    conn: &mut Connection,
    tenant: Tenant,
    search: &SavedSearch,
    at_most: usize,
    audit: &NewAuditEntry,
) -> Step<()> {
    rows::hold(conn, tenant).await?;
    let there: Count =
        diesel::sql_query("SELECT count(*) AS count FROM saved_searches WHERE organization_id = $1")
            .bind::<SqlUuid, _>(tenant.0.0)
            .prepared()
            .get_result(conn)
            .await?;
    if there.count >= at_most as i64 {
        let message = format!("an organization has at most {at_most} saved searches; delete one first");
        return Err(Error::conflict("TOO_MANY_SAVED_SEARCHES", message).into());
    }
    diesel::sql_query(
        "INSERT INTO saved_searches (id, organization_id, created_by, name, query, filter, mode, threshold)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind::<SqlUuid, _>(search.id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Nullable<SqlUuid>, _>(search.created_by.map(Uuid::from))
    .bind::<Text, _>(&search.name)
    .bind::<Text, _>(&search.question.query)
    .bind::<Jsonb, _>(rows::json(&search.question.filter)?)
    .bind::<Text, _>(search.question.watch.as_str())
    .bind::<Nullable<Float>, _>(search.question.watch.threshold())
    .prepared()
    .execute(conn)
    .await?;
    raise(conn, tenant).await?;
    audit::insert(conn, audit).await
}

pub(super) async fn update(
    conn: &mut Connection,
    tenant: Tenant,
    search: &SavedSearch,
    looks_anew: bool,
    audit: &NewAuditEntry,
) -> Step<()> {
    let updated = diesel::sql_query(
        "UPDATE saved_searches SET name = $4, query = $5, filter = $6, mode = $7, threshold = $8,
            version = version + $9::int, since = CASE WHEN $9 THEN now() ELSE since END,
            vector = CASE WHEN $9 THEN NULL ELSE vector END,
            vector_model = CASE WHEN $9 THEN NULL ELSE vector_model END, updated_at = clock_timestamp()
        WHERE id = $1 AND organization_id = $2 AND updated_at = $3",
    )
    .bind::<SqlUuid, _>(search.id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Timestamptz, _>(search.updated_at)
    .bind::<Text, _>(&search.name)
    .bind::<Text, _>(&search.question.query)
    .bind::<Jsonb, _>(rows::json(&search.question.filter)?)
    .bind::<Text, _>(search.question.watch.as_str())
    .bind::<Nullable<Float>, _>(search.question.watch.threshold())
    .bind::<Bool, _>(looks_anew)
    .prepared()
    .execute(conn)
    .await?;
    if updated == 0 {
        if find(conn, tenant, &[search.id]).await?.is_empty() {
            return Err(missing(search.id).into());
        }
        let message = "somebody else changed the search in the same moment; look at it and try again";
        return Err(Error::conflict("SAVED_SEARCH_CHANGED", message).into());
    }
    if looks_anew {
        diesel::sql_query("DELETE FROM search_matches WHERE saved_search_id = $1")
            .bind::<SqlUuid, _>(search.id.0)
            .prepared()
            .execute(conn)
            .await?;
    }
    raise(conn, tenant).await?;
    audit::insert(conn, audit).await
}

pub(super) async fn delete(
    conn: &mut Connection,
    tenant: Tenant,
    id: SavedSearchId,
    entry: &NewAuditEntry,
) -> Step<bool> {
    let deleted = diesel::sql_query("DELETE FROM saved_searches WHERE id = $1 AND organization_id = $2")
        .bind::<SqlUuid, _>(id.0)
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared()
        .execute(conn)
        .await?;
    if deleted > 0 {
        raise(conn, tenant).await?;
        audit::insert(conn, entry).await?;
    }
    Ok(deleted > 0)
}

/// Without a word in the audit log: what they look for is erased.
pub(crate) async fn drop_all(conn: &mut Connection, tenant: Tenant, ids: &[SavedSearchId]) -> Step<()> {
    if ids.is_empty() {
        return Ok(());
    }
    diesel::sql_query("DELETE FROM saved_searches WHERE id = ANY($1) AND organization_id = $2")
        .bind::<Array<SqlUuid>, _>(ids.iter().map(|id| id.0).collect::<Vec<_>>())
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared()
        .execute(conn)
        .await?;
    raise(conn, tenant).await
}

/// One that this release cannot read is left to one that can.
pub(super) async fn find(
    conn: &mut Connection,
    tenant: Tenant,
    ids: &[SavedSearchId],
) -> Step<Vec<SavedSearch>> {
    let sql =
        concat!("SELECT ", columns!(), " FROM saved_searches WHERE id = ANY($1) AND organization_id = $2");
    let found: Vec<Row> = diesel::sql_query(sql)
        .bind::<Array<SqlUuid>, _>(uuids(ids))
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared()
        .load(conn)
        .await?;
    Ok(rows::readable("a saved search", found, |row| row.id, Row::search))
}

pub(super) async fn list(
    conn: &mut Connection,
    tenant: Tenant,
    page: PageBy<SavedSearchId>,
) -> Step<Vec<SavedSearch>> {
    let found: Vec<Row> = rows::page(conn, tenant, page, rows::pages!(columns!(), "saved_searches")).await?;
    found.into_iter().map(Row::search).collect()
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

pub(super) async fn change(conn: &mut Connection, tenant: Tenant) -> Step<i64> {
    let row: Option<Number> =
        diesel::sql_query("SELECT number FROM saved_search_changes WHERE organization_id = $1")
            .bind::<SqlUuid, _>(tenant.0.0)
            .prepared()
            .get_result(conn)
            .await
            .optional()?;
    Ok(row.map_or(0, |row| row.number))
}

#[derive(QueryableByName)]
struct VersionRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Integer)]
    version: i32,
}

pub(super) async fn versions(
    conn: &mut Connection,
    tenant: Tenant,
    by_meaning: bool,
) -> Step<Vec<(SavedSearchId, SearchVersion)>> {
    let found: Vec<VersionRow> = diesel::sql_query(
        "SELECT id, version FROM saved_searches WHERE organization_id = $1 AND mode = $2 ORDER BY id",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Text, _>(if by_meaning { "SEMANTIC" } else { "TEXT" })
    .prepared()
    .load(conn)
    .await?;
    Ok(found.into_iter().map(|row| (SavedSearchId(row.id), row.version)).collect())
}

#[derive(QueryableByName)]
struct VectorRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Bytea)]
    vector: Vec<u8>,
}

pub(super) async fn vectors(
    conn: &mut Connection,
    tenant: Tenant,
    model: &str,
    ids: &[SavedSearchId],
) -> Step<Vec<(SavedSearchId, Vec<f32>)>> {
    let found: Vec<VectorRow> = diesel::sql_query(
        "SELECT id, vector FROM saved_searches WHERE id = ANY($1) AND organization_id = $2 AND vector_model = $3",
    )
    .bind::<Array<SqlUuid>, _>(uuids(ids))
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Text, _>(model)
    .prepared()
    .load(conn)
    .await?;
    Ok(found.into_iter().map(|row| (SavedSearchId(row.id), floats(&row.vector))).collect())
}

pub(super) async fn keep_vector(
    conn: &mut Connection,
    tenant: Tenant,
    (id, version): (SavedSearchId, SearchVersion),
    model: &str,
    vector: &[f32],
) -> Step<()> {
    diesel::sql_query(
        "UPDATE saved_searches SET vector_model = $4, vector = $5
        WHERE id = $1 AND organization_id = $2 AND version = $3",
    )
    .bind::<SqlUuid, _>(id.0)
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<Integer, _>(version)
    .bind::<Text, _>(model)
    .bind::<Bytea, _>(bytes(vector))
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

fn uuids(ids: &[SavedSearchId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.0).collect()
}
