//! A database of its own for each test, and the things that tests put into it.

pub mod fixtures;
pub mod server;

use std::{
    io::Write,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use colloquy_postgres::{DatabaseSettings, Postgres, Remembering};
use tokio_postgres::{Client, NoTls};

/// A migrated database and two ways into it: ours, and SQL as it is.
pub struct Database {
    pub store: Postgres,
    pub sql: Client,
    pub settings: DatabaseSettings,
    name: String,
}

impl Database {
    /// A migrated one; `None` where there is no PostgreSQL, which is told once.
    pub async fn new() -> Option<Self> {
        template().map(|template| Self::make(Some(template)))?.await
    }

    /// One without tables.
    pub async fn empty() -> Option<Self> {
        Self::make(None).await
    }

    async fn make(template: Option<&'static str>) -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let server = server()?;
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("colloquy_test_{}_{number}", std::process::id());
        let admin = connect(server).await;
        let from = template.unwrap_or("template1");
        admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {from}")).await.unwrap();
        let settings = settings(&name);
        let store = store(&settings).await;
        let sql = connect(settings.url.as_deref().unwrap()).await;
        Some(Self { store, sql, settings, name })
    }

    /// As another process would see it.
    pub async fn another(&self) -> Postgres {
        store(&self.settings).await
    }

    pub async fn execute(&self, sql: &str) {
        self.sql.batch_execute(sql).await.unwrap();
    }

    /// The first column of the only row.
    pub async fn number(&self, sql: &str) -> i64 {
        self.sql.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// As [`number`](Self::number).
    pub async fn text(&self, sql: &str) -> Option<String> {
        self.sql.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub async fn refuses(&self, sql: &str) -> bool {
        self.sql.batch_execute(sql).await.is_err()
    }
}

/// A server that is not ours keeps nothing of us but the template.
impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let Some(server) = server::url() else { return };
                let dropped = connect(server).await.batch_execute(&drop).await;
                if let Err(error) = dropped {
                    let _ = writeln!(std::io::stderr(), "{drop}: {error}");
                }
            });
        });
        let _ = dropping.join();
    }
}

/// What it sees does not hang on how busy the machine is.
async fn store(settings: &DatabaseSettings) -> Postgres {
    Postgres::connect(settings).await.unwrap().remembering(Remembering::Never)
}

pub async fn connect(url: &str) -> Client {
    let (client, driver) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL answers");
    tokio::spawn(driver);
    client
}

fn settings(database: &str) -> DatabaseSettings {
    let server = server().expect("there is a server");
    let (base, _) = server.rsplit_once('/').expect("the URL names a database");
    DatabaseSettings { url: Some(format!("{base}/{database}")), ..DatabaseSettings::default() }
}

fn server() -> Option<&'static str> {
    static TOLD: OnceLock<()> = OnceLock::new();
    let url = server::url();
    if url.is_none() {
        assert!(!server::strict(), "PostgreSQL was not found, and no test may be left out");
        TOLD.get_or_init(|| {
            let tests: usize = crate::SOURCES.iter().map(|text| text.matches("Database::").count()).sum();
            // Past the harness, which keeps what passing tests print.
            let _ = writeln!(std::io::stderr(), "left out: {tests} tests (PostgreSQL not found)");
        });
    }
    url
}

/// The migrated database that the others are copies of.
fn template() -> Option<&'static str> {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    server()?;
    let name = TEMPLATE.get_or_init(|| {
        let made = thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let name = format!("colloquy_template_{}", std::process::id());
                let admin = connect(server().expect("there is a server")).await;
                admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
                Postgres::connect(&settings(&name)).await.unwrap().migrate().await.unwrap();
                // A template must have no connections, and those of a dropped pool take a moment to end.
                let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
                while admin.query_one(busy, &[&name]).await.unwrap().get::<_, i64>(0) > 0 {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
                name
            })
        });
        made.join().expect("the template is made")
    });
    Some(name)
}
