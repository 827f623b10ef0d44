//! Synonyms, a row an organization: they are read and written as a whole.

use async_trait::async_trait;
use colloquy_domain::{
    Result, accounts::Tenant, audit::NewAuditEntry, ports::store::synonyms::SynonymStore,
    search::synonyms::Synonyms,
};
use diesel::{
    OptionalExtension, QueryableByName,
    sql_types::{Jsonb, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use crate::{Postgres, audit, errors::Step, pool::Connection, rows, statement::Prepare};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Jsonb)]
    groups: Value,
}

#[async_trait]
impl SynonymStore for Postgres {
    async fn find(&self, tenant: Tenant) -> Result<Synonyms> {
        self.run("read synonyms", async |conn| find(conn, tenant).await).await
    }

    async fn replace(&self, tenant: Tenant, synonyms: &Synonyms, entry: NewAuditEntry) -> Result<()> {
        self.transaction("set synonyms", async |conn| {
            // One after the other, also where there is no row yet.
            diesel::sql_query("SELECT id FROM organizations WHERE id = $1 FOR NO KEY UPDATE")
                .bind::<SqlUuid, _>(tenant.0.0)
                .prepared()
                .execute(conn)
                .await?;
            let before = find(conn, tenant).await?;
            diesel::sql_query(
                "INSERT INTO synonyms (organization_id, groups) VALUES ($1, $2)
                ON CONFLICT (organization_id) DO UPDATE SET groups = EXCLUDED.groups",
            )
            .bind::<SqlUuid, _>(tenant.0.0)
            .bind::<Jsonb, _>(rows::json(&synonyms.0)?)
            .prepared()
            .execute(conn)
            .await?;
            audit::insert(conn, &entry.clone().changed(before != *synonyms)).await
        })
        .await
    }
}

async fn find(conn: &mut Connection, tenant: Tenant) -> Step<Synonyms> {
    let found: Option<Row> = diesel::sql_query("SELECT groups FROM synonyms WHERE organization_id = $1")
        .bind::<SqlUuid, _>(tenant.0.0)
        .prepared()
        .get_result(conn)
        .await
        .optional()?;
    Ok(Synonyms(found.map(|row| rows::from_json(row.groups)).transpose()?.unwrap_or_default()))
}
