//! Jobs that wait for others, are unique, cancelled, found, and given back by name.

use chrono::TimeDelta;
use colloquy_domain::{
    ids::JobId,
    jobs::{JobState, NewJob, Queue},
    ports::jobs::{Cancelled, ClaimFrom, Ending, JobFilter, Lease, Ledger, WorkerNode},
};

use crate::support::{
    Database,
    fixtures::{FREE, LEASE, SCOPE, claim, done, ended, fail, id, job, now, organization, probe},
};

fn only(jobs: &[JobId]) -> JobFilter {
    JobFilter { ids: jobs.to_vec(), ..JobFilter::default() }
}

#[tokio::test]
async fn a_job_waits_until_all_that_it_waits_for_are_done() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let (first, second) = (probe(Some(org.tenant)), probe(Some(org.tenant)));
    let gone = JobId(id());
    let last = NewJob { waits_for: vec![first.id, second.id, gone], ..probe(Some(org.tenant)) };
    db.store.enqueue(SCOPE, vec![first.clone(), second.clone(), last.clone()]).await.unwrap();
    assert_eq!(job(&db, org.tenant, last.id).await.waits_for, 2, "what has gone is not waited for");
    let claimed = claim(&db.store, Queue::Default, 9).await;
    assert_eq!(claimed.len(), 2);
    db.store.complete(SCOPE, vec![done(&claimed[0])]).await.unwrap();
    assert_eq!(job(&db, org.tenant, last.id).await.state, JobState::Waiting);
    db.store.complete(SCOPE, vec![ended(&claimed[1], fail())]).await.unwrap();
    assert!(claim(&db.store, Queue::Default, 9).await.is_empty(), "a dead one holds it up");
    let failed = only(&[claimed[1].claim.job_id]);
    assert_eq!(db.store.revive(org.tenant, &failed, 10).await.unwrap(), 1);
    let claimed = claim(&db.store, Queue::Default, 9).await;
    db.store.complete(SCOPE, vec![done(&claimed[0])]).await.unwrap();
    let claimed = claim(&db.store, Queue::Default, 9).await;
    assert_eq!(claimed.iter().map(|job| job.claim.job_id).collect::<Vec<_>>(), [last.id]);

    // One that comes when all is done need not wait.
    let late = NewJob { waits_for: vec![first.id], ..probe(Some(org.tenant)) };
    db.store.enqueue(SCOPE, vec![late.clone()]).await.unwrap();
    assert_eq!(job(&db, org.tenant, late.id).await.state, JobState::Ready);
}

#[tokio::test]
async fn of_jobs_with_one_unique_key_one_is_unfinished_at_a_time() {
    let Some(db) = Database::new().await else { return };
    let (one, other) = (organization(&db.store).await, organization(&db.store).await);
    let keyed = |tenant| NewJob { unique_key: Some("nightly".to_owned()), ..probe(Some(tenant)) };
    let first = keyed(one.tenant);
    db.store.enqueue(SCOPE, vec![first.clone(), keyed(one.tenant), keyed(other.tenant)]).await.unwrap();
    db.store.enqueue(SCOPE, vec![keyed(one.tenant)]).await.unwrap();
    let claimed = claim(&db.store, Queue::Default, 9).await;
    assert_eq!(claimed.len(), 2, "one an organization");
    db.store.enqueue(SCOPE, vec![keyed(one.tenant)]).await.unwrap();
    assert!(claim(&db.store, Queue::Default, 9).await.is_empty(), "one runs");
    db.store.complete(SCOPE, claimed.iter().map(|job| ended(job, fail())).collect()).await.unwrap();
    db.store.enqueue(SCOPE, vec![keyed(one.tenant)]).await.unwrap();
    assert_eq!(
        db.store.revive(one.tenant, &only(&[first.id]), 9).await.unwrap(),
        0,
        "another has taken its place"
    );
    assert_eq!(claim(&db.store, Queue::Default, 9).await.len(), 1);
}

#[tokio::test]
async fn cancelling_reaches_what_waits_and_what_runs() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let jobs: Vec<_> = (0..4).map(|_| probe(Some(org.tenant))).collect();
    db.store.enqueue(SCOPE, jobs.clone()).await.unwrap();
    let running = claim(&db.store, Queue::Default, 2).await;
    let stranger = organization(&db.store).await;
    let all = JobFilter::default();
    assert_eq!(db.store.cancel(stranger.tenant, &all, 9).await.unwrap(), Cancelled::default());
    let cancelled = db.store.cancel(org.tenant, &all, 9).await.unwrap();
    assert_eq!(cancelled, Cancelled { cancelled: 2, asked: 2 });
    let claims: Vec<_> = running.iter().map(|job| job.claim).collect();
    assert_eq!(db.store.extend(SCOPE, &claims, LEASE).await.unwrap(), [Lease::Unwanted, Lease::Unwanted]);
    // One stops, the other was quicker.
    let ends = vec![ended(&running[0], Ending::Cancelled), done(&running[1])];
    assert_eq!(db.store.complete(SCOPE, ends).await.unwrap(), [true, true]);
    let states = async || {
        let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
        let found = Ledger::find(&db.store, org.tenant, &ids).await.unwrap();
        let mut states: Vec<_> = found.iter().map(|job| job.state.as_str()).collect();
        states.sort_unstable();
        states
    };
    assert_eq!(states().await, ["CANCELLED", "CANCELLED", "CANCELLED", "DONE"]);
    assert_eq!(db.store.revive(org.tenant, &all, 2).await.unwrap(), 2, "no more than asked");
    assert_eq!(db.store.revive(org.tenant, &all, 9).await.unwrap(), 1);
    assert_eq!(states().await, ["DONE", "READY", "READY", "READY"]);
}

#[tokio::test]
async fn a_worker_that_is_known_to_be_gone_loses_its_leases_at_once() {
    let Some(db) = Database::new().await else { return };
    db.store.enqueue(SCOPE, vec![probe(None)]).await.unwrap();
    let from = ClaimFrom::Queue { queue: Queue::Default, limit: 1 };
    db.store.claim(SCOPE, from, "gone", LEASE, &FREE).await.unwrap();
    assert_eq!(db.store.abandon(SCOPE, "another").await.unwrap(), 0);
    assert_eq!(db.store.abandon(SCOPE, "gone").await.unwrap(), 1);
    assert_eq!(db.store.reconcile(SCOPE).await.unwrap().expired_leases, 1);
    let again = claim(&db.store, Queue::Default, 1).await;
    assert!(again[0].is_suspect && again[0].attempt == 1);
}

#[tokio::test]
async fn jobs_are_found_by_their_errors_and_times() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    db.store.enqueue(SCOPE, (0..3).map(|_| probe(Some(org.tenant))).collect()).await.unwrap();
    let claimed = claim(&db.store, Queue::Default, 3).await;
    let fails = |job, message: &str| ended(job, Ending::Fail { message: message.to_owned() });
    let ends = vec![
        fails(&claimed[0], "could not reach api.example.com: connection refused"),
        fails(&claimed[1], "refused the connection"),
        done(&claimed[2]),
    ];
    db.store.complete(SCOPE, ends).await.unwrap();
    let found = async |filter: JobFilter| {
        let found = Ledger::list(&db.store, org.tenant, &filter, None, 10).await.unwrap();
        found.iter().map(|job| job.id).collect::<Vec<_>>()
    };
    let by_error = |text: &str| JobFilter { error: Some(text.to_owned()), ..JobFilter::default() };
    assert_eq!(found(by_error("Connection refused")).await, [claimed[0].claim.job_id]);
    assert_eq!(found(by_error("refused")).await.len(), 2);
    assert!(found(by_error("timed out")).await.is_empty());
    let now = now();
    let from = JobFilter { created_from: Some(now - TimeDelta::hours(1)), ..JobFilter::default() };
    assert_eq!(found(from).await.len(), 3);
    let before = JobFilter { created_before: Some(now - TimeDelta::hours(1)), ..JobFilter::default() };
    assert!(found(before).await.is_empty());
}

#[tokio::test]
async fn rates_are_told_by_samples() {
    let Some(db) = Database::new().await else { return };
    let node = |ended| WorkerNode { name: "w".to_owned(), queues: vec![(Queue::Default, 1)], ended };
    db.store.beat(SCOPE, &node(vec![(Queue::Default, 10)])).await.unwrap();
    db.store.sample(SCOPE).await.unwrap();
    db.execute("UPDATE queue_samples SET at = at - interval '10 s'").await;
    db.store.beat(SCOPE, &node(vec![(Queue::Default, 50)])).await.unwrap();
    db.store.enqueue(SCOPE, (0..20).map(|_| probe(None)).collect()).await.unwrap();
    db.store.sample(SCOPE).await.unwrap();
    let stats = db.store.queue_stats(SCOPE).await.unwrap();
    let stats = stats.iter().find(|of| of.queue == Queue::Default).unwrap();
    let (rate_in, rate_out) = (stats.rate_in.unwrap(), stats.rate_out.unwrap());
    assert!((4.8..5.1).contains(&rate_out) && (6.7..7.1).contains(&rate_in), "{rate_in} {rate_out}");
    assert_eq!(stats.drain_time(), None, "it grows");
}
