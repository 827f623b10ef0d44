//! The audit log. The table itself refuses to change or lose an entry.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use colloquy_domain::{
    Result,
    accounts::{SystemScope, Tenant},
    audit::{AuditEntry, AuditFilter, NewAuditEntry},
    ids::{ApiKeyId, AuditEntryId, UserId},
    ports::store::audit::AuditLog,
};
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::{Postgres, errors::Step, pool::Connection, rows, statement::Prepare};

/// In the transaction of what it tells of.
pub(crate) async fn insert(conn: &mut Connection, entry: &NewAuditEntry) -> Step<()> {
    diesel::sql_query(
        "INSERT INTO audit_entries
            (id, organization_id, user_id, api_key_id, action, subject, detail, remote_address, request_id, outcome)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind::<SqlUuid, _>(entry.id.0)
    .bind::<Nullable<SqlUuid>, _>(entry.organization_id.map(Uuid::from))
    .bind::<Nullable<SqlUuid>, _>(entry.user_id.map(Uuid::from))
    .bind::<Nullable<SqlUuid>, _>(entry.api_key_id.map(Uuid::from))
    .bind::<Text, _>(entry.action)
    .bind::<Nullable<Text>, _>(entry.subject.as_deref())
    .bind::<Jsonb, _>(Value::Object(entry.detail.clone()))
    .bind::<Nullable<Text>, _>(entry.origin.remote_address.map(|address| address.to_string()))
    .bind::<Nullable<Text>, _>(entry.origin.request_id.as_deref())
    .bind::<Text, _>(entry.outcome.as_str())
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    user_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    api_key_id: Option<Uuid>,
    #[diesel(sql_type = Text)]
    action: String,
    #[diesel(sql_type = Nullable<Text>)]
    subject: Option<String>,
    #[diesel(sql_type = Jsonb)]
    detail: Value,
    #[diesel(sql_type = Nullable<Text>)]
    remote_address: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    request_id: Option<String>,
    #[diesel(sql_type = Text)]
    outcome: String,
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
}

impl From<Row> for AuditEntry {
    fn from(row: Row) -> Self {
        Self {
            id: AuditEntryId(row.id),
            user_id: row.user_id.map(UserId),
            api_key_id: row.api_key_id.map(ApiKeyId),
            action: row.action,
            subject: row.subject,
            detail: row.detail,
            remote_address: row.remote_address,
            request_id: row.request_id,
            outcome: row.outcome,
            at: row.at,
        }
    }
}

async fn list(
    conn: &mut Connection,
    tenant: Tenant,
    filter: &AuditFilter,
    after: Option<AuditEntryId>,
    limit: usize,
) -> Step<Vec<AuditEntry>> {
    let actions = (!filter.actions.is_empty()).then_some(&filter.actions);
    let found: Vec<Row> = diesel::sql_query(
        "SELECT * FROM audit_entries
        WHERE organization_id = $1 AND id < $2
            AND ($3::text[] IS NULL OR action = ANY($3))
            AND ($4::uuid IS NULL OR user_id = $4)
            AND ($5::text IS NULL OR outcome = $5)
            AND ($6::timestamptz IS NULL OR at >= $6)
            AND ($7::timestamptz IS NULL OR at < $7)
        ORDER BY id DESC LIMIT $8",
    )
    .bind::<SqlUuid, _>(tenant.0.0)
    .bind::<SqlUuid, _>(after.map_or(Uuid::max(), Uuid::from))
    .bind::<Nullable<Array<Text>>, _>(actions)
    .bind::<Nullable<SqlUuid>, _>(filter.user_id.map(Uuid::from))
    .bind::<Nullable<Text>, _>(filter.outcome.map(|outcome| outcome.as_str()))
    .bind::<Nullable<Timestamptz>, _>(filter.from)
    .bind::<Nullable<Timestamptz>, _>(filter.before)
    .bind::<BigInt, _>(rows::limit(limit))
    .load(conn)
    .await?;
    Ok(found.into_iter().map(AuditEntry::from).collect())
}

async fn list_of_installation(
    conn: &mut Connection,
    after: Option<AuditEntryId>,
    limit: usize,
) -> Step<Vec<AuditEntry>> {
    let found: Vec<Row> = diesel::sql_query(
        "SELECT * FROM audit_entries WHERE organization_id IS NULL AND id < $1 ORDER BY id DESC LIMIT $2",
    )
    .bind::<SqlUuid, _>(after.map_or(Uuid::max(), Uuid::from))
    .bind::<BigInt, _>(rows::limit(limit))
    .load(conn)
    .await?;
    Ok(found.into_iter().map(AuditEntry::from).collect())
}

#[async_trait]
impl AuditLog for Postgres {
    async fn insert(&self, entry: NewAuditEntry) -> Result<()> {
        self.run("write the audit log", async |conn| insert(conn, &entry).await).await
    }

    async fn list(
        &self,
        tenant: Tenant,
        filter: &AuditFilter,
        after: Option<AuditEntryId>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>> {
        self.run("read the audit log", async |conn| list(conn, tenant, filter, after, limit).await).await
    }

    async fn list_of_installation(
        &self,
        _scope: SystemScope,
        after: Option<AuditEntryId>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>> {
        const DOING: &str = "read the installation's audit log";
        self.run(DOING, async |conn| list_of_installation(conn, after, limit).await).await
    }
}
