//! The store over PostgreSQL, the only source of truth: accounts, conversations, passages, analyses, the event
//! log and the job ledger, with leadership by advisory locks and signals by NOTIFY.
//!
//! A method that writes is one transaction. Statements on tenant data name the organization. Sets of rows go
//! in one statement (UNNEST), never one a row; values are bound, never written into SQL text.

mod accounts;
mod analyses;
mod archives;
mod audit;
mod batches;
mod conversations;
mod erasures;
mod errors;
mod events;
mod follow;
mod generations;
mod jobs;
mod leaders;
mod migrations;
mod passages;
mod people;
mod pool;
mod revisions;
mod rows;
mod saved_searches;
mod schedules;
mod schema;
mod signals;
mod statement;
mod suggestions;
mod synonyms;
mod tls;

use std::sync::Arc;

use colloquy_domain::{Result, ports::jobs::Signal};
use diesel::sql_types::Text;
use diesel_async::{
    RunQueryDsl,
    pooled_connection::bb8::{Pool, PooledConnection},
};

pub use erasures::words::{COLUMNS, Fate};
pub use jobs::Remembering;
pub use pool::DatabaseSettings;

use crate::{
    errors::Step,
    events::number::Numbering,
    follow::Raised,
    jobs::Horizon,
    pool::{Body, Connection, Connector},
    signals::Bells,
};

/// Ends are gathered, so one writes at a time, beside the reconciler.
const LEDGER_CONNECTIONS: u32 = 2;
/// One passes jobs on, the others take them and keep them.
const HASTY_CONNECTIONS: u32 = 3;

/// All store ports, the ledger, leadership and signals over one database. Clones share the connections.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool<Connection>,
    /// For the ends of jobs.
    ledger: Pool<Connection>,
    /// For dispatch and claims.
    hasty: Pool<Connection>,
    connector: Arc<Connector>,
    bells: Arc<Bells>,
    horizon: Arc<Horizon>,
    numbering: Arc<Numbering>,
}

#[derive(diesel::QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Tells this process from others for as long as it runs.
#[derive(diesel::QueryableByName)]
struct Process {
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    process: uuid::Uuid,
}

impl Postgres {
    /// Checks the settings and that the database answers. It does not migrate.
    pub async fn connect(settings: &DatabaseSettings) -> Result<Self> {
        let connector = Arc::new(Connector::new(settings)?);
        // The pool would only say that it waited in vain; a connection of its own says why.
        let drawn: Process = diesel::sql_query("SELECT gen_random_uuid() AS process")
            .get_result(&mut connector.connect().await?)
            .await
            .map_err(|error| errors::database("reach PostgreSQL", error))?;
        let pool = connector.pool(settings.max_connections);
        let ledger = connector.ledger().pool(LEDGER_CONNECTIONS);
        let hasty = connector.hasty().pool(HASTY_CONNECTIONS);
        let bells = Bells::hang(drawn.process, pool.clone(), connector.clone());
        let postgres = Self {
            pool,
            ledger,
            hasty,
            connector,
            bells,
            horizon: Arc::default(),
            numbering: Arc::default(),
        };
        postgres.prepare().await?;
        Ok(postgres)
    }

    /// How this process finds what waits from now on.
    pub fn remembering(self, remembering: Remembering) -> Self {
        let horizon = Arc::new(Horizon::new(remembering));
        Self { horizon, numbering: Arc::new(Numbering::new(remembering)), ..self }
    }

    /// Names of the migrations that are missing; where none is, the database is ready to be used.
    pub async fn prepare(&self) -> Result<Vec<String>> {
        let pending = self.pending_migrations().await?;
        if pending.is_empty() {
            self.begin_log().await?;
        }
        Ok(pending)
    }

    /// The server's version: `15.14`.
    pub async fn ping(&self) -> Result<String> {
        let row: Version = self
            .run("ask PostgreSQL for its version", async |conn| {
                let sql = "SELECT split_part(current_setting('server_version'), ' ', 1) AS version";
                Ok(diesel::sql_query(sql).get_result(conn).await?)
            })
            .await?;
        Ok(row.version)
    }

    async fn connection(&self) -> Result<PooledConnection<'_, Connection>> {
        pool::get(&self.pool).await
    }

    /// Statements that need no transaction around them.
    async fn run<T, F>(&self, doing: &'static str, body: F) -> Result<T>
    where
        F: AsyncFnOnce(&mut Connection) -> Step<T>,
    {
        let mut conn = self.connection().await?;
        body(&mut conn).await.map_err(|failure| failure.told(doing))
    }

    /// One statement of the ledger that may be lost in a crash, and is done again then.
    async fn hasty<T, F>(&self, doing: &'static str, body: F) -> Result<T>
    where
        F: AsyncFnOnce(&mut Connection) -> Step<T>,
    {
        let mut conn = pool::get(&self.hasty).await?;
        body(&mut conn).await.map_err(|failure| failure.told(doing))
    }

    async fn transaction<T, F>(&self, doing: &'static str, body: F) -> Result<T>
    where
        for<'c> F: AsyncFn(&'c mut Connection) -> Step<T>
            + Body<&'c mut Connection, Step<T>, Fut: Send>
            + Send
            + Sync,
        T: Send,
    {
        pool::transaction(&self.pool, doing, body).await
    }

    async fn snapshot<T, F>(&self, doing: &'static str, body: F) -> Result<T>
    where
        for<'c> F: AsyncFn(&'c mut Connection) -> Step<T>
            + Body<&'c mut Connection, Step<T>, Fut: Send>
            + Send
            + Sync,
        T: Send,
    {
        pool::snapshot(&self.pool, doing, body).await
    }

    /// Tells who waits what a committed transaction left for them.
    fn announce(&self, raised: Raised) {
        if raised.jobs {
            self.bells.ring(Signal::Jobs);
        }
        if raised.events {
            self.bells.ring(Signal::Events);
        }
    }
}
