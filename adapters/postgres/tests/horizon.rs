//! What dispatch and numbering remember where looking is dear: beside a transaction that somebody left open.

use std::time::Duration;

use colloquy_domain::{
    jobs::Queue,
    ports::{
        jobs::{ClaimFrom, Ledger},
        store::events::EventLog,
    },
};
use colloquy_postgres::{Postgres, Remembering};

use crate::support::{
    Database,
    fixtures::{FREE, LEASE, SCOPE, dispatch, done, organization, probe},
};

const LONG: Remembering = Remembering::For(Duration::from_secs(3600));

async fn dispatched(store: &Postgres) -> usize {
    dispatch(store, Queue::Default, 100, 100).await.iter().map(|one| one.jobs).sum()
}

/// Dispatches, claims and ends what waits.
async fn work_off(store: &Postgres) -> usize {
    let sent = dispatch(store, Queue::Default, 100, 100).await;
    let from = ClaimFrom::Dispatches(sent.iter().map(|one| one.id).collect());
    let claimed = store.claim(SCOPE, from, "w", LEASE, &FREE).await.unwrap();
    store.complete(SCOPE, claimed.iter().map(done).collect()).await.unwrap();
    claimed.len()
}

/// Entries that an index gave to whoever asked, with those of rows that are no more.
async fn entries(db: &Database, index: &str) -> i64 {
    // Idle connections tell what they have counted after ten seconds.
    db.execute("SELECT pg_sleep(10.5)").await;
    db.number(&format!("SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = '{index}'")).await
}

#[tokio::test]
async fn what_appears_before_the_remembered_beginning_waits_for_the_next_look() {
    let Some(db) = Database::new().await else { return };
    let store = db.another().await.remembering(LONG);
    let org = organization(&store).await;
    store.enqueue(SCOPE, vec![probe(None)]).await.unwrap();
    assert_eq!(work_off(&store).await, 1);
    store.enqueue(SCOPE, vec![probe(None), probe(None)]).await.unwrap();
    assert_eq!(dispatched(&store).await, 2, "a known stream needs no look");
    db.execute("TRUNCATE dispatches").await;
    assert_eq!(dispatched(&store).await, 2, "and what was lost on its way is there again");

    let old =
        "UPDATE jobs SET run_at = run_at - interval '1 hour' WHERE state = 'READY'; TRUNCATE dispatches";
    db.execute(old).await;
    store.enqueue(SCOPE, vec![probe(Some(org.tenant))]).await.unwrap();
    assert_eq!(dispatched(&store).await, 0, "neither an earlier job nor a stream that nobody knew");
    assert_eq!(dispatched(&store.remembering(Remembering::For(Duration::ZERO))).await, 3);
}

#[tokio::test]
async fn beside_an_open_transaction_dispatch_passes_little_of_what_is_done() {
    let Some(db) = Database::new().await else { return };
    let other = crate::support::connect(db.settings.url.as_deref().unwrap()).await;
    other.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM jobs").await.unwrap();
    db.execute(
        "INSERT INTO jobs (id, queue, kind, payload, max_attempts, run_at)
        SELECT gen_random_uuid(), 'default', 'probe', '{}', 5, now() - interval '1 minute' FROM generate_series(1, 5000)",
    )
    .await;
    // In a transaction of its own: what comes and goes within one nobody has ever seen.
    db.execute("UPDATE jobs SET state = 'DONE', finished_at = now()").await;
    db.execute("ANALYZE jobs").await;
    let pass = async |store: &Postgres| {
        for _ in 0..20 {
            store.enqueue(SCOPE, vec![probe(None)]).await.unwrap();
            assert_eq!(work_off(store).await, 1);
        }
        entries(&db, "jobs_ready").await
    };
    let remembering = db.another().await.remembering(LONG);
    // The first dispatch looks, and finds the stream.
    remembering.enqueue(SCOPE, vec![probe(None)]).await.unwrap();
    assert_eq!(work_off(&remembering).await, 1);
    let before = entries(&db, "jobs_ready").await;
    let between = pass(&db.store).await;
    let after = pass(&remembering).await;
    other.batch_execute("ROLLBACK").await.unwrap();
    let (looking, remembering) = (between - before, after - between);
    assert!(looking >= 50_000, "whoever looks passes what is done: {looking}");
    assert!(remembering < 5_000, "{remembering} entries were passed");
}

#[tokio::test]
async fn beside_an_open_transaction_numbering_passes_little_and_misses_nothing() {
    let Some(db) = Database::new().await else { return };
    let store = db.another().await.remembering(Remembering::WhereDear);
    let insert = |events: usize| {
        format!(
            "INSERT INTO events (organization_id, kind, conversation_id, detail)
            SELECT gen_random_uuid(), 'CONVERSATION_UPDATED', gen_random_uuid(), '{{}}' FROM generate_series(1, {events})"
        )
    };
    let late = crate::support::connect(db.settings.url.as_deref().unwrap()).await;
    late.batch_execute(&format!("BEGIN; {}", insert(1))).await.unwrap();
    db.execute(&insert(5000)).await;
    assert_eq!(store.number(SCOPE, 10_000).await.unwrap(), 5000);
    tokio::time::sleep(Duration::from_millis(600)).await;
    // Whole passes come back after a part of the time, so that some of these are, and some are not.
    let before = entries(&db, "events_unnumbered").await;
    for _ in 0..50 {
        db.execute(&insert(1)).await;
        assert_eq!(store.number(SCOPE, 10_000).await.unwrap(), 1);
    }
    let passed = entries(&db, "events_unnumbered").await - before;
    assert!(passed < 40 * 5000, "{passed} entries were passed");

    late.batch_execute("COMMIT").await.unwrap();
    let mut numbered = 0;
    for _ in 0..100 {
        numbered += store.number(SCOPE, 10_000).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        if numbered > 0 {
            break;
        }
    }
    assert_eq!((numbered, store.bounds().await.unwrap().head), (1, 5051));
}
