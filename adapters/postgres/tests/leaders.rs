//! Leadership and signals, between what would be two processes.

use std::time::Duration;

use colloquy_domain::ports::jobs::{Leaders, Ledger, Office, Signal, Signals};

use crate::support::{
    Database,
    fixtures::{SCOPE, organization, probe},
};

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn one_process_leads_an_office_until_it_lets_go_or_loses_its_connection() {
    let Some(db) = Database::new().await else { return };
    let other = db.another().await;
    let mut first = db.store.try_lead(Office::Steward).await.unwrap().expect("nobody leads yet");
    first.confirm().await.unwrap();
    assert!(other.try_lead(Office::Steward).await.unwrap().is_none());
    assert!(other.try_lead(Office::Migration).await.unwrap().is_some(), "another office is free");
    drop(first);
    let mut second = lead_soon(&other).await;

    let holder = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    db.execute(holder).await;
    second.confirm().await.unwrap_err();
    lead_soon(&db.store).await.confirm().await.unwrap();
}

async fn lead_soon(store: &colloquy_postgres::Postgres) -> Box<dyn colloquy_domain::ports::jobs::Leadership> {
    let trying = async {
        loop {
            if let Some(leadership) = store.try_lead(Office::Steward).await.unwrap() {
                return leadership;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, trying).await.expect("the lock is freed with its connection")
}

#[tokio::test]
async fn a_raise_wakes_this_process_and_the_others() {
    let Some(db) = Database::new().await else { return };
    let other = db.another().await;
    let (mut here, mut there) = (db.store.subscribe(Signal::Jobs), other.subscribe(Signal::Jobs));
    let mut unconcerned = other.subscribe(Signal::Numbered);
    listening(&db, 2).await;
    for receiver in [&mut here, &mut there, &mut unconcerned] {
        receiver.borrow_and_update();
    }
    db.store.raise(Signal::Jobs);
    assert!(here.has_changed().unwrap(), "at once");
    tokio::time::timeout(SOON, there.changed()).await.expect("soon").unwrap();
    assert!(!unconcerned.has_changed().unwrap());

    // Our own notification does not wake us again.
    here.borrow_and_update();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!here.has_changed().unwrap());
}

#[tokio::test]
async fn many_raises_are_few_notifications_and_a_lost_listener_comes_back() {
    let Some(db) = Database::new().await else { return };
    let other = db.another().await;
    let mut there = other.subscribe(Signal::Events);
    listening(&db, 1).await;
    let before = *there.borrow_and_update();
    (0..10_000).for_each(|_| db.store.raise(Signal::Events));
    tokio::time::timeout(SOON, there.changed()).await.expect("soon").unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let told = *there.borrow_and_update() - before;
    assert!(told < 100, "{told} notifications");

    let listener = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE query LIKE 'LISTEN%' AND datname = current_database()";
    db.execute(listener).await;
    // It tells that something may have been missed.
    tokio::time::timeout(SOON, there.changed()).await.expect("it listens again").unwrap();
}

#[tokio::test]
async fn what_is_committed_is_told() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let (mut jobs, mut events) = (db.store.subscribe(Signal::Jobs), db.store.subscribe(Signal::Events));
    listening(&db, 1).await;
    jobs.borrow_and_update();
    events.borrow_and_update();
    db.store.enqueue(SCOPE, vec![probe(None)]).await.unwrap();
    assert!(jobs.has_changed().unwrap() && !events.has_changed().unwrap());
    db.store.enqueue(SCOPE, vec![probe(Some(org.tenant))]).await.unwrap();
    assert!(events.has_changed().unwrap());
}

/// Until so many processes listen, and the wake of their beginning has passed.
async fn listening(db: &Database, processes: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND state = 'idle'
        AND datname = current_database()";
    let waiting = async {
        while db.number(sql).await < processes {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.expect("they listen");
    tokio::time::sleep(Duration::from_millis(50)).await;
}
