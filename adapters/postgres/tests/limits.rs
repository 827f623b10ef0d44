//! What may begin: limits, rates and paused queues.

use colloquy_domain::{
    jobs::{
        JobKind, JobState, NewJob, Queue,
        limits::{JobLimits, Limit},
    },
    ports::jobs::{ClaimFrom, Ledger},
};

use crate::support::{
    Database,
    fixtures::{FREE, LEASE, SCOPE, claim, dispatch, done, entry, job, organization, plan, probe},
};

fn limit(running: Option<u32>, per_minute: Option<u32>) -> Limit {
    Limit { running, per_minute }
}

async fn passed(db: &Database, limits: &JobLimits) -> usize {
    let plans = [plan(Queue::Default, 100, 10), plan(Queue::Mail, 100, 10)];
    let passed = db.store.dispatch(SCOPE, &plans, LEASE, limits).await.unwrap();
    passed.dispatches.iter().map(|one| one.jobs).sum()
}

#[tokio::test]
async fn limits_of_queue_organization_and_provider_hold_together() {
    let Some(db) = Database::new().await else { return };
    let (one, other) = (organization(&db.store).await, organization(&db.store).await);
    let of = |tenant, provider: &str| NewJob { provider: provider.to_owned(), ..probe(tenant) };
    let mut jobs: Vec<_> = (0..20).map(|_| of(Some(one.tenant), "")).collect();
    jobs.extend((0..20).map(|_| of(Some(other.tenant), "acme")));
    jobs.extend((0..20).map(|_| of(None, "")));
    jobs.extend((0..5).map(|_| NewJob { kind: JobKind::SendEmail, ..of(Some(one.tenant), "") }));
    db.store.enqueue(SCOPE, jobs).await.unwrap();
    let limits = JobLimits {
        queues: [(Queue::Default, limit(Some(14), None))].into(),
        organization: limit(Some(6), None),
        organizations: [(other.tenant.0, limit(Some(9), None))].into(),
        providers: [("acme".to_owned(), limit(Some(4), None))].into(),
    };
    // What one limit drops from a pass is another's to take in the next.
    while passed(&db, &limits).await > 0 {}
    let count = async |of: &str| {
        let sql = "SELECT count(*) FROM jobs WHERE (state = 'RUNNING' OR state = 'READY'
            AND id IN (SELECT unnest(job_ids) FROM dispatches)) AND";
        db.number(&format!("{sql} {of}")).await
    };
    let organization = |id: colloquy_domain::ids::OrganizationId| format!("organization_id = '{id}'");
    assert_eq!(count("queue = 'default'").await, 14);
    assert_eq!(count("provider = 'acme'").await, 4);
    assert_eq!(count(&organization(one.tenant.0)).await, 6, "over both queues");
    // What others leave of the queue's room is the system's, which no organization's limit binds.
    assert!(count("organization_id IS NULL").await >= 4);

    // Whoever takes from the queue itself keeps to them too.
    let rows = db.sql.query("SELECT id FROM dispatches", &[]).await.unwrap();
    let from = ClaimFrom::Dispatches(rows.iter().map(|row| row.get(0)).collect());
    let claimed = db.store.claim(SCOPE, from, "w", LEASE, &limits).await.unwrap();
    assert_eq!(count("queue = 'default'").await, 14);
    let of_acme = claimed.iter().filter(|job| job.organization_id == Some(other.tenant.0)).map(done);
    assert_eq!(db.store.complete(SCOPE, of_acme.collect()).await.unwrap(), [true; 4]);
    let from = ClaimFrom::Queue { queue: Queue::Default, limit: 50 };
    let claimed = db.store.claim(SCOPE, from, "w", LEASE, &limits).await.unwrap();
    assert_eq!(claimed.len(), 4);
    assert_eq!(count("queue = 'default'").await, 14);
    assert!(count("provider = 'acme'").await <= 4);
}

#[tokio::test]
async fn a_rate_lets_through_what_its_bucket_holds() {
    let Some(db) = Database::new().await else { return };
    db.store.enqueue(SCOPE, (0..50).map(|_| probe(None)).collect()).await.unwrap();
    let limits = JobLimits { queues: [(Queue::Default, limit(None, Some(300)))].into(), ..FREE };
    let plans = [plan(Queue::Default, 100, 10)];
    let first = db.store.dispatch(SCOPE, &plans, LEASE, &limits).await.unwrap();
    assert_eq!(first.dispatches.iter().map(|one| one.jobs).sum::<usize>(), 5, "a second's worth");
    assert!(first.is_full, "the rest waits for room, though the window has some");
    assert_eq!(passed(&db, &limits).await, 0);
    db.execute("UPDATE job_rates SET refilled_at = refilled_at - interval '600 ms'").await;
    assert_eq!(passed(&db, &limits).await, 3);
    db.execute("UPDATE job_rates SET refilled_at = refilled_at - interval '1 hour'").await;
    assert_eq!(passed(&db, &limits).await, 5, "a bucket does not overflow");
}

#[tokio::test]
async fn of_a_paused_queue_nothing_begins_and_what_was_on_its_way_comes_back() {
    let Some(db) = Database::new().await else { return };
    let (one, other) = (organization(&db.store).await, organization(&db.store).await);
    let jobs = [one.tenant, other.tenant].map(|tenant| probe(Some(tenant)));
    db.store.enqueue(SCOPE, jobs.to_vec()).await.unwrap();
    let sent = dispatch(&db.store, Queue::Default, 10, 10).await;
    assert!(db.store.pause(Queue::Default, Some(one.tenant), entry(one.tenant)).await.unwrap());
    assert!(
        !db.store.pause(Queue::Default, Some(one.tenant), entry(one.tenant)).await.unwrap(),
        "it is already"
    );
    assert_eq!(job(&db, one.tenant, jobs[0].id).await.state, JobState::Ready);
    let from = ClaimFrom::Dispatches(vec![sent[0].id]);
    let claimed = db.store.claim(SCOPE, from, "w", LEASE, &FREE).await.unwrap();
    assert_eq!(claimed.iter().map(|job| job.claim.job_id).collect::<Vec<_>>(), [jobs[1].id]);
    assert_eq!(passed(&db, &FREE).await, 0);
    assert!(claim(&db.store, Queue::Default, 5).await.is_empty());
    assert_eq!(db.store.paused(one.tenant).await.unwrap(), [Queue::Default]);
    assert!(db.store.paused(other.tenant).await.unwrap().is_empty());
    assert!(db.store.resume(Queue::Default, Some(one.tenant), entry(one.tenant)).await.unwrap());
    assert_eq!(claim(&db.store, Queue::Default, 5).await.len(), 1);

    // For all: only whoever runs the installation does that.
    db.store.enqueue(SCOPE, vec![probe(None), probe(Some(other.tenant))]).await.unwrap();
    db.store.pause(Queue::Default, None, entry(one.tenant)).await.unwrap();
    assert_eq!(passed(&db, &FREE).await, 0);
    let stats = db.store.queue_stats(SCOPE).await.unwrap();
    assert!(stats.iter().all(|of| of.is_paused == (of.queue == Queue::Default)));
    db.store.resume(Queue::Default, None, entry(one.tenant)).await.unwrap();
    assert_eq!(passed(&db, &FREE).await, 2);
}
