//! Batches in the store: what is fed once, held back, spent and given back.

use colloquy_domain::{
    accounts::Tenant,
    batches::{Batch, BatchKind, BatchOptions, BatchState, Counts, Plan, Steering},
    ids::{BatchId, ConversationId},
    jobs::{BatchShare, JobKind, NewJob, Payload, Queue},
    money::MicroDollars,
    ports::{
        jobs::{Completion, Ending, Ledger},
        store::{
            batches::{BatchStore, Feeding, Retrying},
            conversations::ConversationFilter,
        },
    },
};

use crate::support::{
    Database,
    fixtures::{SCOPE, claim, ended, id, imported, now, organization},
};

pub fn planned(tenant: Tenant) -> Batch {
    Batch {
        id: BatchId(id()),
        organization_id: tenant.0,
        schedule_id: None,
        kind: BatchKind::Reanalyze,
        filter: ConversationFilter::default(),
        options: BatchOptions::default(),
        state: BatchState::Planned,
        plan: Plan::default(),
        cap: None,
        reserved: MicroDollars::ZERO,
        spent: MicroDollars::ZERO,
        per_minute: None,
        allowance: None,
        counts: Counts::default(),
        cursor: None,
        fed_all: false,
        retry_before: None,
        rate: 0.0,
        reason: None,
        report: None,
        created_by: None,
        created_at: now(),
        started_at: None,
        finished_at: None,
    }
}

async fn started(db: &Database, tenant: Tenant, cap: u64) -> Batch {
    let batch = planned(tenant);
    BatchStore::insert(&db.store, tenant, &batch).await.unwrap();
    let start = Steering::Start { cap: Some(MicroDollars(cap)), per_minute: None };
    db.store.steer(tenant, batch.id, start).await.unwrap().expect("the batch stands")
}

async fn now_as(db: &Database, batch: &Batch) -> Batch {
    BatchStore::find(&db.store, Tenant(batch.organization_id), &[batch.id]).await.unwrap().remove(0)
}

/// A job a conversation, at 10 each.
fn feeding(batch: &Batch, conversations: &[ConversationId]) -> Feeding {
    let job = |conversation_id: &ConversationId| NewJob {
        unique_key: Some(format!("batch:{}:{conversation_id}", batch.id)),
        batch: Some(BatchShare { batch_id: batch.id, reserved: MicroDollars(10) }),
        ..NewJob::new(
            id(),
            JobKind::ReanalyzeConversation,
            Some(batch.organization_id),
            Payload::Conversation { conversation_id: *conversation_id },
        )
    };
    Feeding {
        jobs: conversations.iter().map(job).collect(),
        cursor: conversations.last().copied(),
        fed_all: false,
        reserved: MicroDollars(10 * conversations.len() as u64),
    }
}

#[tokio::test]
async fn of_many_who_feed_the_same_page_one_does_and_the_cap_is_checked_where_it_is_written() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let batch = started(&db, org.tenant, 45).await;
    let ids: Vec<_> = (0..5).map(|_| ConversationId(id())).collect();
    let feeders = (0..6).map(|_| {
        let (store, batch, feeding) = (db.store.clone(), batch.clone(), feeding(&batch, &ids[..3]));
        tokio::spawn(async move { store.feed(SCOPE, &batch, feeding).await.unwrap() })
    });
    let fed =
        futures::future::join_all(feeders).await.into_iter().filter(|fed| *fed.as_ref().unwrap()).count();
    assert_eq!(fed, 1);
    assert_eq!(db.number("SELECT count(*) FROM jobs").await, 3);
    let batch = now_as(&db, &batch).await;
    assert_eq!((batch.counts.fed, batch.reserved, batch.cursor), (3, MicroDollars(30), Some(ids[2])));

    assert!(
        !db.store.feed(SCOPE, &batch, feeding(&batch, &ids[3..])).await.unwrap(),
        "20 more are beyond 45"
    );
    assert_eq!(db.number("SELECT count(*) FROM jobs").await, 3, "and nothing of it is written");
    assert!(db.store.feed(SCOPE, &batch, feeding(&batch, &ids[3..4])).await.unwrap());
    db.store.steer(org.tenant, batch.id, Steering::Pause).await.unwrap();
    let batch = now_as(&db, &batch).await;
    assert!(
        !db.store.feed(SCOPE, &batch, feeding(&batch, &ids[4..])).await.unwrap(),
        "not while it is paused"
    );
}

#[tokio::test]
async fn what_failed_runs_again_under_a_new_price_and_is_no_failure_of_its_conversation() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let new = imported(&db.store, org.tenant, 3).await;
    let batch = started(&db, org.tenant, 25).await;
    let conversation = new.conversation.id;
    let page = Feeding { fed_all: true, ..feeding(&batch, &[conversation]) };
    assert!(db.store.feed(SCOPE, &batch, page).await.unwrap());
    let job = claim(&db.store, Queue::Batch, 1).await.remove(0);
    assert_eq!(job.batch, Some(BatchShare { batch_id: batch.id, reserved: MicroDollars(10) }));
    let fail = ended(&job, Ending::Fail { message: "no".to_owned() });
    db.store.complete(SCOPE, vec![Completion { spent: MicroDollars(4), ..fail }]).await.unwrap();
    let failed = now_as(&db, &batch).await;
    assert_eq!(
        (failed.counts.failed, failed.spent, failed.reserved),
        (1, MicroDollars(4), MicroDollars::ZERO)
    );
    assert_eq!(db.number("SELECT count(*) FROM revisions WHERE failed_at IS NOT NULL").await, 0);
    assert!(db.store.end(SCOPE, &failed, BatchState::Done, None).await.unwrap());
    let done = now_as(&db, &batch).await;
    let report = done.report.expect("a report");
    assert_eq!((report.failures[0].message.as_str(), report.failures[0].conversations), ("no", 1));

    let again = Steering::RetryFailures { cap: None };
    let batch = db.store.steer(org.tenant, batch.id, again).await.unwrap().expect("the batch stands");
    let items = db.store.failed(SCOPE, &batch, 10).await.unwrap();
    let characters: usize = new.segments.iter().map(|segment| segment.text.chars().count()).sum();
    assert_eq!((items.len(), items[0].characters), (1, characters as u64));
    let at = |price| Retrying { jobs: vec![(items[0].job_id, MicroDollars(price))], is_last: true };
    assert!(!db.store.retry(SCOPE, &batch, at(22)).await.unwrap(), "4 and 22 are beyond 25");
    assert!(db.store.retry(SCOPE, &batch, at(21)).await.unwrap());
    let job = claim(&db.store, Queue::Batch, 1).await.remove(0);
    assert_eq!((job.attempt, job.batch.map(|share| share.reserved)), (1, Some(MicroDollars(21))));
    let well = ended(&job, Ending::Done);
    db.store.complete(SCOPE, vec![Completion { spent: MicroDollars(20), ..well }]).await.unwrap();
    let batch = now_as(&db, &batch).await;
    assert_eq!((batch.counts.done, batch.counts.failed, batch.counts.unfinished()), (1, 0, 0));
    assert_eq!(
        (batch.spent, batch.reserved, batch.retry_before),
        (MicroDollars(24), MicroDollars::ZERO, None)
    );
    assert!(db.store.end(SCOPE, &batch, BatchState::Done, None).await.unwrap());
}
