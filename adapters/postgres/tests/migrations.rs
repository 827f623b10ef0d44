//! Migrations, settings, and the beginning of the log.

use colloquy_domain::{Error, ports::store::events::EventLog};
use colloquy_postgres::{DatabaseSettings, Postgres};

use crate::support::{Database, fixtures::organization};

const DOWN: [&str; 16] = [
    include_str!("../../../migrations/2026-11-21-000018_erasures/down.sql"),
    include_str!("../../../migrations/2026-11-21-000017_archives/down.sql"),
    include_str!("../../../migrations/2026-11-21-000016_revisions/down.sql"),
    include_str!("../../../migrations/2026-11-21-000015_dispatched_at/down.sql"),
    include_str!("../../../migrations/2026-11-21-000014_people/down.sql"),
    include_str!("../../../migrations/2026-11-21-000013_failed_jobs/down.sql"),
    include_str!("../../../migrations/2026-11-21-000012_suggestions/down.sql"),
    include_str!("../../../migrations/2026-11-21-000011_saved_searches/down.sql"),
    include_str!("../../../migrations/2026-11-21-000010_languages/down.sql"),
    include_str!("../../../migrations/2026-11-21-000007_audit/down.sql"),
    include_str!("../../../migrations/2026-11-21-000006_horizon/down.sql"),
    include_str!("../../../migrations/2026-11-21-000005_generations/down.sql"),
    include_str!("../../../migrations/2026-11-21-000004_schedules/down.sql"),
    include_str!("../../../migrations/2026-11-21-000003_dispatches/down.sql"),
    include_str!("../../../migrations/2026-11-21-000002_batches/down.sql"),
    include_str!("../../../migrations/2026-11-21-000001_begin/down.sql"),
];

#[tokio::test]
async fn migrations_go_up_down_and_up_again() {
    let Some(db) = Database::empty().await else { return };
    let pending = db.store.pending_migrations().await.unwrap();
    assert!(!pending.is_empty());
    let applied = db.store.migrate().await.unwrap();
    assert_eq!(applied.len(), pending.len());
    assert!(db.store.pending_migrations().await.unwrap().is_empty());
    assert!(db.store.migrate().await.unwrap().is_empty());
    organization(&db.store).await;

    db.execute(&format!("{}; DELETE FROM __diesel_schema_migrations", DOWN.join(";"))).await;
    let left = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'S', 'v') AND relname <> '__diesel_schema_migrations'";
    assert_eq!(db.number(left).await, 0);
    assert_eq!(db.store.migrate().await.unwrap(), applied);
    organization(&db.another().await).await;
}

#[tokio::test]
async fn processes_that_migrate_at_once_do_it_once() {
    let Some(db) = Database::empty().await else { return };
    let runs = (0..4).map(|_| {
        let store = db.store.clone();
        tokio::spawn(async move { store.migrate().await.unwrap().len() })
    });
    let applied: Vec<_> = futures::future::join_all(runs).await.into_iter().map(|run| run.unwrap()).collect();
    assert_eq!(applied.iter().filter(|applied| **applied > 0).count(), 1);
}

#[tokio::test]
async fn another_cluster_begins_another_life_of_the_log() {
    let Some(db) = Database::new().await else { return };
    let before = db.store.bounds().await.unwrap();
    assert_eq!(db.another().await.bounds().await.unwrap(), before);
    db.execute("UPDATE event_log SET trimmed = 7, cluster = 'another/1'").await;
    let after = db.another().await.bounds().await.unwrap();
    assert_ne!(after.log_id, before.log_id);
    assert_eq!((after.head, after.trimmed), (7, 7));
    db.execute("UPDATE event_log SET cluster = 'unknown'").await;
    assert_eq!(db.another().await.bounds().await.unwrap().log_id, after.log_id);
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_in_words_without_the_password() {
    let settings = |url: &str| DatabaseSettings { url: Some(url.to_owned()), ..DatabaseSettings::default() };
    for url in [
        "postgres://user:hunter2@127.0.0.1:1/db?sslmode=verify-nothing",
        "postgres://user:hunter2@127.0.0.1:1/db?nonsense=1",
        "postgres://user:hunter2@127.0.0.1:port/db",
    ] {
        let error = Postgres::connect(&settings(url)).await.err().unwrap();
        assert!(matches!(error, Error::Invalid(_)), "{url}: {error:?}");
        assert!(!error.chain().contains("hunter2"), "{}", error.chain());
    }
    assert!(matches!(Postgres::connect(&DatabaseSettings::default()).await, Err(Error::Invalid(_))));
    let nobody = settings("postgres://user:hunter2@127.0.0.1:1/db");
    assert!(!format!("{nobody:?}").contains("hunter2"));
    let error = Postgres::connect(&nobody).await.err().unwrap();
    let told = error.chain();
    assert!(error.retryable() && told.contains("refused") && !told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn connections_that_the_server_ended_are_not_given_out_again() {
    let Some(db) = Database::new().await else { return };
    assert!(db.store.ping().await.unwrap().starts_with(|c: char| c.is_ascii_digit()));
    db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'colloquy'",
    )
    .await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    db.store.ping().await.unwrap();
}
