//! Connections: settings, the pool, and transactions that run again when they lose a race.

use std::{fmt, path::PathBuf, time::Duration};

use bb8::ErrorSink;
use colloquy_domain::{Error, Problem, Result};
use diesel::ConnectionError;
use diesel_async::{
    AsyncConnection, AsyncPgConnection, SimpleAsyncConnection, TransactionManager,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, PoolError, PoolableConnection, RecyclingMethod,
        bb8::{Pool, PooledConnection},
    },
};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    errors::{self, Step},
    tls,
};

/// How many times a transaction runs that loses against others.
const RUNS: u32 = 4;

/// `[database]`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `postgres://user:password@host:port/database`; without one, standalone starts its own server. `sslmode`
    /// is as libpq has it.
    pub url: Option<String>,
    /// The CA that issued the server's certificate, in PEM; without one, those that this machine trusts.
    pub ca_file: Option<PathBuf>,
    pub max_connections: u32,
    /// For a new connection, and for one from the pool.
    pub connect_timeout_ms: u64,
    /// PostgreSQL ends a statement that takes longer.
    pub statement_timeout_ms: u64,
    /// PostgreSQL ends a session that sits idle in an open transaction for longer.
    pub idle_in_transaction_timeout_ms: u64,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            url: None,
            ca_file: None,
            max_connections: 16,
            connect_timeout_ms: 5_000,
            statement_timeout_ms: 30_000,
            idle_in_transaction_timeout_ms: 60_000,
        }
    }
}

/// Without the URL: it may hold a password.
impl fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseSettings")
            .field("url", &self.url.as_ref().map(|_| "***"))
            .field("ca_file", &self.ca_file)
            .field("max_connections", &self.max_connections)
            .field("connect_timeout_ms", &self.connect_timeout_ms)
            .field("statement_timeout_ms", &self.statement_timeout_ms)
            .field("idle_in_transaction_timeout_ms", &self.idle_in_transaction_timeout_ms)
            .finish()
    }
}

/// How connections are made, in the pool and beside it.
#[derive(Clone)]
pub(crate) struct Connector {
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    timeout: Duration,
    on_connect: String,
}

impl Connector {
    pub(crate) fn new(settings: &DatabaseSettings) -> Result<Self> {
        let (mut config, tls) = tls::configure(settings)?;
        let timeout = Duration::from_millis(settings.connect_timeout_ms);
        config.application_name("colloquy").connect_timeout(timeout);
        let on_connect = format!(
            "SET statement_timeout = {}; SET idle_in_transaction_session_timeout = {}",
            settings.statement_timeout_ms, settings.idle_in_transaction_timeout_ms,
        );
        Ok(Self { config, tls, timeout, on_connect })
    }

    /// A connection of its own, outside the pool.
    pub(crate) async fn connect(&self) -> Result<AsyncPgConnection> {
        self.establish().await.map_err(|source| Error::unavailable("connect to PostgreSQL", source))
    }

    async fn establish(&self) -> Result<AsyncPgConnection, ConnectionError> {
        let connecting = async {
            let bad = |error: tokio_postgres::Error| ConnectionError::BadConnection(chain(&error));
            let (client, driver) = self.config.connect(self.tls.clone()).await.map_err(bad)?;
            let mut conn = AsyncPgConnection::try_from_client_and_connection(client, driver).await?;
            let ready = conn.batch_execute(&self.on_connect).await;
            ready.map_err(ConnectionError::CouldntSetupConfiguration)?;
            Ok(conn)
        };
        match tokio::time::timeout(self.timeout, connecting).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => {
                let message = format!("no connection within {} ms", self.timeout.as_millis());
                Err(ConnectionError::BadConnection(message))
            }
        }
    }

    /// For statements of the ledger, which are meant for their indexes whatever the statistics say of a queue that was
    /// empty a moment ago: a plan is kept as long as its connection.
    pub(crate) fn ledger(&self) -> Self {
        let mut ledger = self.clone();
        ledger
            .on_connect
            .push_str("; SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off");
        ledger
    }

    /// Likewise, for what may be lost in a crash of PostgreSQL, since it is done again then: it does not wait for the
    /// disk.
    pub(crate) fn hasty(&self) -> Self {
        let mut hasty = self.ledger();
        hasty.on_connect.push_str("; SET synchronous_commit = off");
        hasty
    }

    pub(crate) fn pool(&self, max_connections: u32) -> Pool<AsyncPgConnection> {
        let connector = self.clone();
        let mut config = ManagerConfig::<AsyncPgConnection>::default();
        config.custom_setup = Box::new(move |_url| {
            let connector = connector.clone();
            async move { connector.establish().await }.boxed()
        });
        // Looks at the socket without a round trip.
        config.recycling_method = RecyclingMethod::CustomFunction(Box::new(|conn| {
            let outcome =
                if conn.is_broken() { Err(diesel::result::Error::BrokenTransactionManager) } else { Ok(()) };
            std::future::ready(outcome).boxed()
        }));
        Pool::builder()
            .max_size(max_connections.max(2))
            .connection_timeout(self.timeout)
            .error_sink(Box::new(Quiet))
            .build_unchecked(AsyncDieselConnectionManager::new_with_config("", config))
    }
}

pub(crate) fn invalid(what: &str) -> Error {
    Error::Invalid(Problem::new("DATABASE_URL", format!("database.url {what}")))
}

/// tokio-postgres says what it tried and keeps the reason in the source.
fn chain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    if let Some(advice) = tls::advice(error) {
        text.push_str(": ");
        text.push_str(advice);
    }
    text
}

/// Whoever asked for the connection gets the error; the pool need not print it too.
#[derive(Debug, Clone, Copy)]
struct Quiet;

impl ErrorSink<PoolError> for Quiet {
    fn sink(&self, error: PoolError) {
        tracing::debug!(%error, "the connection pool failed");
    }

    fn boxed_clone(&self) -> Box<dyn ErrorSink<PoolError>> {
        Box::new(*self)
    }
}

pub(crate) type Connection = AsyncPgConnection;

type Transactions = <AsyncPgConnection as AsyncConnection>::TransactionManager;

/// What runs in a transaction, perhaps more than once. Async closures that capture by reference are this; the
/// trait exists to say that their futures can be sent.
pub(crate) trait Body<C, R>: AsyncFn(C) -> R + Fn(C) -> <Self as Body<C, R>>::Fut {
    type Fut: Future<Output = R>;
}

impl<F, C, R, Fut> Body<C, R> for F
where
    F: AsyncFn(C) -> R + Fn(C) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

pub(crate) async fn get(pool: &Pool<Connection>) -> Result<PooledConnection<'_, Connection>> {
    pool.get().await.map_err(errors::pool)
}

/// Commits what `body` did when it ends well. When it loses a race (serialization, deadlock) it runs again.
/// A caller that drops the future leaves an open transaction behind, and the pool drops that connection.
pub(crate) async fn transaction<T, F>(pool: &Pool<Connection>, doing: &'static str, body: F) -> Result<T>
where
    for<'c> F:
        AsyncFn(&'c mut Connection) -> Step<T> + Body<&'c mut Connection, Step<T>, Fut: Send> + Send + Sync,
    T: Send,
{
    let mut conn = get(pool).await?;
    let mut run = 1;
    loop {
        match attempt(&mut conn, "BEGIN", &body).await {
            Err(failure) if failure.lost_a_race() && run < RUNS => run += 1,
            outcome => return outcome.map_err(|failure| failure.told(doing)),
        }
    }
}

async fn attempt<T, F>(conn: &mut Connection, begin: &str, body: &F) -> Step<T>
where
    for<'c> F:
        AsyncFn(&'c mut Connection) -> Step<T> + Body<&'c mut Connection, Step<T>, Fut: Send> + Send + Sync,
    T: Send,
{
    Transactions::begin_transaction_sql(conn, begin).await?;
    match body(conn).await {
        Ok(value) => {
            Transactions::commit_transaction(conn).await?;
            Ok(value)
        }
        Err(failure) => {
            // A connection that cannot roll back is broken, and the pool sees that.
            if let Err(error) = Transactions::rollback_transaction(conn).await {
                tracing::debug!(%error, "could not roll back");
            }
            Err(failure)
        }
    }
}

/// Reads that must fit together see one state of the database.
pub(crate) async fn snapshot<T, F>(pool: &Pool<Connection>, doing: &'static str, body: F) -> Result<T>
where
    for<'c> F:
        AsyncFn(&'c mut Connection) -> Step<T> + Body<&'c mut Connection, Step<T>, Fut: Send> + Send + Sync,
    T: Send,
{
    const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let mut conn = get(pool).await?;
    attempt(&mut conn, BEGIN, &body).await.map_err(|failure| failure.told(doing))
}
