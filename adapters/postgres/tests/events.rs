//! The event log.

use chrono::TimeDelta;
use colloquy_domain::{
    events::{EventKind, Topic},
    ids::JobId,
    jobs::JobState,
    ports::{jobs::Ledger, store::events::EventLog},
};
use tokio_postgres::NoTls;

use crate::support::{
    Database,
    fixtures::{SCOPE, claim, done, imported, in_short, now, organization, probe},
};

const INSERT: &str = "INSERT INTO events (organization_id, kind, conversation_id, detail)
    VALUES ('00000000-0000-0000-0000-000000000001', 'CONVERSATION_UPDATED', $1, '{}')";

#[tokio::test]
async fn an_event_that_commits_late_is_numbered_late_and_never_skipped() {
    let Some(db) = Database::new().await else { return };
    let url = db.settings.url.as_deref().unwrap();
    let (mut late, driver) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(driver);
    let ids: Vec<_> = (1..=3).map(uuid::Uuid::from_u128).collect();

    // The first to insert is the last to commit.
    let open = late.transaction().await.unwrap();
    open.execute(INSERT, &[&ids[0]]).await.unwrap();
    db.sql.execute(INSERT, &[&ids[1]]).await.unwrap();
    assert_eq!(db.store.number(SCOPE, 10).await.unwrap(), 1);
    let before = db.store.bounds().await.unwrap();
    assert_eq!(before.head, 1);
    open.commit().await.unwrap();
    db.sql.execute(INSERT, &[&ids[2]]).await.unwrap();
    assert_eq!(db.store.number(SCOPE, 10).await.unwrap(), 2);

    let events = db.store.read(SCOPE, 0, 10).await.unwrap();
    let seen: Vec<_> = events.iter().map(|event| (event.position, event.kind.clone())).collect();
    let updated = |n: usize| EventKind::ConversationUpdated { conversation_id: ids[n].into() };
    assert_eq!(seen, [(1, updated(1)), (2, updated(0)), (3, updated(2))]);
    assert_eq!(db.store.read(SCOPE, before.head, 1).await.unwrap()[0].kind, updated(0));
}

#[tokio::test]
async fn stewards_who_number_at_once_leave_no_gap_and_number_nothing_twice() {
    let Some(db) = Database::new().await else { return };
    db.execute(
        "INSERT INTO events (organization_id, kind, detail)
        SELECT gen_random_uuid(), 'CONVERSATION_UPDATED', '{}' FROM generate_series(1, 500)",
    )
    .await;
    let stewards = (0..4).map(|_| {
        let store = db.store.clone();
        tokio::spawn(async move {
            let mut numbered = 0;
            loop {
                match store.number(SCOPE, 30).await.unwrap() {
                    0 => return numbered,
                    some => numbered += some,
                }
            }
        })
    });
    let numbered: usize =
        futures::future::join_all(stewards).await.into_iter().map(|steward| steward.unwrap()).sum();
    assert_eq!(numbered, 500);
    assert_eq!(db.number("SELECT max(position) FROM events").await, 500);
    assert_eq!(db.number("SELECT count(DISTINCT position) FROM events").await, 500);
    assert_eq!(
        db.number(
            "SELECT count(*) FROM events a JOIN events b ON b.position = a.position + 1
        WHERE b.sequence < a.sequence"
        )
        .await,
        0,
        "in insert order"
    );
    assert_eq!(db.store.bounds().await.unwrap().head, 500);
}

#[tokio::test]
async fn a_topic_is_replayed_within_its_tenant_and_between_positions() {
    let Some(db) = Database::new().await else { return };
    let (org, other) = (organization(&db.store).await, organization(&db.store).await);
    let one = imported(&db.store, org.tenant, 1).await.conversation.id;
    imported(&db.store, org.tenant, 1).await;
    imported(&db.store, other.tenant, 1).await;
    let job = probe(Some(org.tenant));
    db.store.enqueue(SCOPE, vec![job.clone()]).await.unwrap();
    let claimed = claim(&db.store, colloquy_domain::jobs::Queue::Default, 1).await;
    db.store.complete(SCOPE, vec![done(&claimed[0])]).await.unwrap();
    db.store.number(SCOPE, 100).await.unwrap();
    let head = db.store.bounds().await.unwrap().head;
    let replay = async |topic, from, until| -> Vec<(u64, String)> {
        let events = db.store.replay(org.tenant, topic, from, until, 100).await.unwrap();
        assert!(
            events.iter().all(|event| topic.covers(&event.kind) && event.organization_id == org.tenant.0)
        );
        events.iter().map(|event| (event.position, in_short(&event.kind))).collect()
    };
    assert_eq!(replay(Topic::Conversation(one), 0, head).await, [(2, "IMPORTED".to_owned())]);
    assert_eq!(replay(Topic::Conversations, 0, head).await.len(), 2);
    let of_job = replay(Topic::Job(job.id), 0, head).await;
    let states: Vec<_> = of_job.iter().map(|(_, short)| short.as_str()).collect();
    assert_eq!(states, ["probe READY", "probe RUNNING", "probe DONE"]);
    assert_eq!(replay(Topic::Job(job.id), of_job[0].0, of_job[1].0).await, of_job[1..2]);
    assert_eq!(replay(Topic::Jobs, 0, head).await.len(), 5);
    assert!(db.store.replay(other.tenant, Topic::Job(job.id), 0, head, 100).await.unwrap().is_empty());
    let last = db.store.read(SCOPE, head - 1, 10).await.unwrap();
    let EventKind::JobChanged { job_id, state, .. } = last[0].kind else { panic!("{last:?}") };
    assert_eq!((job_id, state), (JobId(job.id.0), JobState::Done));
}

#[tokio::test]
async fn old_events_go_from_the_front_and_the_bounds_say_so() {
    let Some(db) = Database::new().await else { return };
    db.execute(
        "INSERT INTO events (organization_id, kind, conversation_id, detail, at)
        SELECT gen_random_uuid(), 'CONVERSATION_UPDATED', gen_random_uuid(), '{}',
            now() - CASE WHEN n IN (1, 2, 3, 5) THEN interval '2 days' ELSE interval '1 hour' END
        FROM generate_series(1, 6) AS n ORDER BY n",
    )
    .await;
    db.store.number(SCOPE, 100).await.unwrap();
    let before = now() - TimeDelta::days(1);
    assert_eq!(db.store.trim(SCOPE, before, 2).await.unwrap(), 2);
    assert_eq!(db.store.trim(SCOPE, before, 100).await.unwrap(), 1, "the fourth is young");
    assert_eq!(db.store.trim(SCOPE, before, 100).await.unwrap(), 0);
    let bounds = db.store.bounds().await.unwrap();
    assert_eq!((bounds.trimmed, bounds.head), (3, 6));
    let left: Vec<_> =
        db.store.read(SCOPE, 0, 10).await.unwrap().iter().map(|event| event.position).collect();
    assert_eq!(left, [4, 5, 6]);
}

#[tokio::test]
async fn events_of_a_later_release_are_passed_over() {
    let Some(db) = Database::new().await else { return };
    db.execute(
        "INSERT INTO events (organization_id, kind, detail)
        SELECT gen_random_uuid(), 'PLANET_DISCOVERED', '{}' FROM generate_series(1, 5)",
    )
    .await;
    db.sql.execute(INSERT, &[&uuid::Uuid::from_u128(1)]).await.unwrap();
    db.store.number(SCOPE, 100).await.unwrap();
    let events = db.store.read(SCOPE, 0, 2).await.unwrap();
    assert_eq!(events.iter().map(|event| event.position).collect::<Vec<_>>(), [6]);
}
