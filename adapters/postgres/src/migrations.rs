//! Migrations, built into the program and run by one process at a time under an advisory lock.

use std::collections::HashSet;

use colloquy_domain::{Error, Result, ports::jobs::Office};
use diesel::{
    migration::{Migration, MigrationSource},
    pg::Pg,
    sql_types::{BigInt, Bool, Text},
};
use diesel_async::{AsyncMigrationHarness, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::{Postgres, errors, events, leaders, pool::Connection};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations");

#[derive(diesel::QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    found: bool,
}

#[derive(diesel::QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

impl Postgres {
    /// Applies what is pending and says what that was. Waits while another process migrates.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        const DOING: &str = "migrate the database";
        let told = |error| errors::database(DOING, error);
        let mut conn = self.connector.connect().await?;
        conn.batch_execute("SET statement_timeout = 0").await.map_err(told)?;
        diesel::sql_query("SELECT pg_advisory_lock($1)")
            .bind::<BigInt, _>(leaders::key(Office::Migration))
            .execute(&mut conn)
            .await
            .map_err(told)?;
        // diesel's harness blocks its thread.
        let run = tokio::task::spawn_blocking(move || {
            let mut harness = AsyncMigrationHarness::new(conn);
            let applied = harness.run_pending_migrations(MIGRATIONS)?;
            let names = applied.iter().map(ToString::to_string).collect();
            diesel::migration::Result::Ok((names, harness.into_inner()))
        });
        let (applied, mut conn): (Vec<String>, Connection) = run
            .await
            .map_err(|source| Error::internal(DOING, source))?
            .map_err(|source| Error::internal(DOING, source))?;
        // The lock ends with the connection.
        events::begin_log(&mut conn).await.map_err(|failure| failure.told(DOING))?;
        Ok(applied)
    }

    /// Names of the migrations that this program has and the database has not.
    pub async fn pending_migrations(&self) -> Result<Vec<String>> {
        const DOING: &str = "compare migrations";
        let known = known().map_err(|source| Error::internal(DOING, source))?;
        let applied = self.run(DOING, async |conn| {
            let sql = "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS found";
            let table: Found = diesel::sql_query(sql).get_result(conn).await?;
            if !table.found {
                return Ok(HashSet::new());
            }
            let sql = "SELECT version::text AS version FROM __diesel_schema_migrations";
            let rows: Vec<Applied> = diesel::sql_query(sql).load(conn).await?;
            Ok(rows.into_iter().map(|row| row.version).collect())
        });
        let applied = applied.await?;
        let pending = known.into_iter().filter(|(version, _)| !applied.contains(version));
        Ok(pending.map(|(_, name)| name).collect())
    }
}

/// Version and name of every migration that this program has.
fn known() -> diesel::migration::Result<Vec<(String, String)>> {
    let known: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations()?;
    Ok(known.iter().map(|one| (one.name().version().to_string(), one.name().to_string())).collect())
}
