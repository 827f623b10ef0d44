//! What administrators do to jobs: what is counted is what happens, page by page, and each page is noted.

use colloquy_domain::{
    accounts::Tenant,
    audit::{AuditEntry, AuditFilter, AuditOutcome, NewAuditEntry, Origin},
    batches::{Batch, Plan},
    ids::JobId,
    jobs::{
        BatchShare, JobState, NewJob, Queue,
        manage::{Changed, JobAction},
    },
    money::MicroDollars,
    ports::{
        jobs::{ChangedPage, Ending, JobFilter, Ledger, Order},
        store::{audit::AuditLog, batches::BatchStore},
    },
};
use serde_json::json;

use crate::{
    batches::planned,
    support::{
        Database,
        fixtures::{self, Org, SCOPE, claim, ended, id, organization, probe},
    },
};

fn entry(org: &Org) -> NewAuditEntry {
    NewAuditEntry {
        user_id: Some(org.owner),
        action: "jobs.test",
        origin: Origin { remote_address: "2001:db8::1".parse().ok(), request_id: Some("r-1".to_owned()) },
        ..fixtures::entry(org.tenant)
    }
}

async fn log(db: &Database, tenant: Tenant) -> Vec<AuditEntry> {
    AuditLog::list(&db.store, tenant, &AuditFilter::default(), None, 100).await.unwrap()
}

async fn change(
    db: &Database,
    org: &Org,
    action: JobAction,
    filter: &JobFilter,
    after: Option<JobId>,
) -> ChangedPage {
    let order = Order { action, filter, after, limit: 2 };
    db.store.change(org.tenant, order, entry(org)).await.unwrap()
}

/// Counts, does, and compares. Pages are of two jobs.
async fn all(db: &Database, org: &Org, action: JobAction, filter: &JobFilter) -> Changed {
    let dump = "SELECT md5(string_agg(j::text, '' ORDER BY id)) FROM jobs j";
    let before = db.text(dump).await;
    let counted = db.store.count_changes(org.tenant, action, filter).await.unwrap();
    assert_eq!(db.text(dump).await, before, "counting changes nothing");
    let mut done = Changed::default();
    let mut after = None;
    loop {
        let page = change(db, org, action, filter, after).await;
        done += page.changed;
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(counted, done, "{action:?} {filter:?}");
    done
}

async fn states(db: &Database, org: &Org, ids: &[JobId]) -> Vec<Option<JobState>> {
    let found = Ledger::find(&db.store, org.tenant, ids).await.unwrap();
    ids.iter().map(|id| found.iter().find(|job| job.id == *id).map(|job| job.state)).collect()
}

#[tokio::test]
async fn what_is_counted_is_what_happens_over_all_pages() {
    use JobState::{Cancelled, Dead, Ready, Running};
    let Some(db) = Database::new().await else { return };
    let (org, stranger) = (organization(&db.store).await, organization(&db.store).await);
    let everything = JobFilter::default();

    let waiting: Vec<_> = (0..3).map(|_| probe(Some(org.tenant))).collect();
    db.store.enqueue(SCOPE, vec![probe(Some(stranger.tenant))]).await.unwrap();
    let theirs = claim(&db.store, Queue::Default, 9).await;
    assert_eq!(theirs.len(), 1);
    let running: Vec<_> = (0..3).map(|_| probe(Some(org.tenant))).collect();
    db.store.enqueue(SCOPE, running.clone()).await.unwrap();
    let claimed = claim(&db.store, Queue::Default, 9).await;
    assert_eq!(claimed.len(), 3);
    let chained = NewJob { waits_for: vec![waiting[0].id], ..probe(Some(org.tenant)) };
    let further = NewJob { waits_for: vec![chained.id, running[0].id], ..probe(Some(org.tenant)) };
    db.store.enqueue(SCOPE, waiting.clone()).await.unwrap();
    db.store.enqueue(SCOPE, vec![chained.clone()]).await.unwrap();
    db.store.enqueue(SCOPE, vec![further.clone()]).await.unwrap();

    // One job, with what waits for it.
    let one = JobFilter { ids: vec![waiting[0].id, theirs[0].claim.job_id], ..JobFilter::default() };
    let done = all(&db, &org, JobAction::Cancel, &one).await;
    assert_eq!(done, Changed { matched: 1, cancelled: 3, ..Changed::default() });
    // The rest: those that run match on every page and hold up none.
    let done = all(&db, &org, JobAction::Cancel, &everything).await;
    assert_eq!(done, Changed { matched: 5, cancelled: 2, asked: 3, ..Changed::default() });
    let done = all(&db, &org, JobAction::Cancel, &everything).await;
    assert_eq!(done, Changed { matched: 3, ..Changed::default() }, "they have been asked");
    let running_ids: Vec<_> = running.iter().map(|job| job.id).collect();
    let only_running = JobFilter { ids: running_ids.clone(), ..JobFilter::default() };
    for action in [JobAction::Retry, JobAction::Discard] {
        assert_eq!(all(&db, &org, action, &only_running).await, Changed::default(), "what runs is left");
    }
    assert_eq!(states(&db, &org, &running_ids).await, [Some(Running); 3]);

    // Those that were asked end as cancelled, and come back when they are named.
    let fail = || Ending::Fail { message: "no such host".to_owned() };
    db.store.complete(SCOPE, claimed.iter().map(|job| ended(job, fail())).collect()).await.unwrap();
    assert_eq!(states(&db, &org, &running_ids).await, [Some(Cancelled); 3]);
    let done = all(&db, &org, JobAction::Retry, &only_running).await;
    assert_eq!(done, Changed { matched: 3, retried: 3, ..Changed::default() });

    // Dead ones come back as well, or go for good with what waits for them.
    let claimed = claim(&db.store, Queue::Default, 9).await;
    db.store.complete(SCOPE, claimed.iter().map(|job| ended(job, fail())).collect()).await.unwrap();
    assert_eq!(states(&db, &org, &running_ids).await, [Some(Dead); 3]);
    let orphan = NewJob { waits_for: vec![running_ids[0]], ..probe(Some(org.tenant)) };
    db.store.enqueue(SCOPE, vec![orphan.clone()]).await.unwrap();
    let by_error = JobFilter {
        error: Some("such host".to_owned()),
        ids: running_ids[..1].to_vec(),
        ..JobFilter::default()
    };
    let done = all(&db, &org, JobAction::Discard, &by_error).await;
    assert_eq!(done, Changed { matched: 1, discarded: 1, cancelled: 1, ..Changed::default() });
    let done = all(&db, &org, JobAction::Retry, &everything).await;
    assert_eq!(done, Changed { matched: 8, retried: 8, ..Changed::default() });
    let now = states(&db, &org, &[running_ids[0], running_ids[1], waiting[0].id]).await;
    assert_eq!(now, [None, Some(Ready), Some(Ready)]);

    // Nothing of all this was the other organization's.
    assert!(log(&db, stranger.tenant).await.is_empty());
    assert_eq!(states(&db, &stranger, &[theirs[0].claim.job_id]).await, [Some(Running)]);
}

#[tokio::test]
async fn of_jobs_that_stand_for_the_same_work_one_is_counted_and_comes_back() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let keyed = |key: &str| NewJob { unique_key: Some(key.to_owned()), ..probe(Some(org.tenant)) };
    for _ in 0..3 {
        db.store.enqueue(SCOPE, vec![keyed("nightly"), keyed("weekly")]).await.unwrap();
        let claimed = claim(&db.store, Queue::Default, 9).await;
        let fail = || Ending::Fail { message: "gone".to_owned() };
        db.store.complete(SCOPE, claimed.iter().map(|job| ended(job, fail())).collect()).await.unwrap();
    }
    db.store.enqueue(SCOPE, vec![keyed("weekly")]).await.unwrap();
    let done = all(&db, &org, JobAction::Retry, &JobFilter::default()).await;
    assert_eq!(done, Changed { matched: 6, retried: 1, ..Changed::default() });
}

#[tokio::test]
async fn a_job_that_costs_money_of_a_batch_is_left_to_it_also_once_that_is_spent() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let mut share = Vec::new();
    for (price, reserved) in [(5, 10), (5, 0), (0, 0)] {
        let plan = Plan { price_per_1000_tokens: MicroDollars(price), ..Plan::default() };
        let batch = Batch { plan, ..planned(org.tenant) };
        BatchStore::insert(&db.store, org.tenant, &batch).await.unwrap();
        share.push(BatchShare { batch_id: batch.id, reserved: MicroDollars(reserved) });
    }
    let of_batch = |share: &BatchShare| NewJob { batch: Some(*share), ..probe(Some(org.tenant)) };
    let mut jobs: Vec<_> = share.iter().map(of_batch).collect();
    jobs.push(probe(Some(org.tenant)));
    db.store.enqueue(SCOPE, jobs.clone()).await.unwrap();
    db.execute(
        "UPDATE batches SET fed = 1, reserved = (SELECT sum(reserved) FROM jobs WHERE batch_id = batches.id)",
    )
    .await;
    let claimed = claim(&db.store, Queue::Default, 9).await;
    let fail = || Ending::Fail { message: "gone".to_owned() };
    db.store.complete(SCOPE, claimed.iter().map(|job| ended(job, fail())).collect()).await.unwrap();
    let done = all(&db, &org, JobAction::Retry, &JobFilter::default()).await;
    assert_eq!(done, Changed { matched: 4, retried: 2, left_to_batches: 2, ..Changed::default() });
    let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
    let [dead, ready] = [JobState::Dead, JobState::Ready].map(Some);
    assert_eq!(states(&db, &org, &ids).await, [dead, dead, ready, ready]);
    assert_eq!(db.number("SELECT sum(failed)::bigint FROM batches").await, 2);
}

#[tokio::test]
async fn what_is_left_of_a_cancelled_batch_does_not_come_back() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let mut jobs = Vec::new();
    for _ in ["RUNNING", "CANCELLING", "CANCELLED"] {
        let batch = planned(org.tenant);
        BatchStore::insert(&db.store, org.tenant, &batch).await.unwrap();
        let share = BatchShare { batch_id: batch.id, reserved: MicroDollars::ZERO };
        jobs.extend((0..2).map(|_| NewJob { batch: Some(share), ..probe(Some(org.tenant)) }));
    }
    db.store.enqueue(SCOPE, jobs.clone()).await.unwrap();
    db.execute(
        "UPDATE batches b SET fed = 2, state = (ARRAY['RUNNING', 'CANCELLING', 'CANCELLED'])[o.turn]
        FROM (SELECT id, row_number() OVER (ORDER BY id) AS turn FROM batches) o WHERE o.id = b.id",
    )
    .await;
    let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
    let cancelled = JobFilter { ids: ids.iter().copied().step_by(2).collect(), ..JobFilter::default() };
    all(&db, &org, JobAction::Cancel, &cancelled).await;
    let claimed = claim(&db.store, Queue::Default, 9).await;
    let fail = || Ending::Fail { message: "gone".to_owned() };
    db.store.complete(SCOPE, claimed.iter().map(|job| ended(job, fail())).collect()).await.unwrap();

    let named = JobFilter { ids: ids.clone(), ..JobFilter::default() };
    let done = all(&db, &org, JobAction::Retry, &named).await;
    assert_eq!(done, Changed { matched: 6, retried: 2, left_to_batches: 4, ..Changed::default() });
    let [dead, stopped, ready] = [JobState::Dead, JobState::Cancelled, JobState::Ready].map(Some);
    assert_eq!(states(&db, &org, &ids).await, [ready, ready, stopped, dead, stopped, dead]);
}

#[tokio::test]
async fn every_page_is_noted_with_what_came_of_it_and_entries_are_final() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    db.store.enqueue(SCOPE, (0..4).map(|_| probe(Some(org.tenant))).collect()).await.unwrap();
    all(&db, &org, JobAction::Cancel, &JobFilter::default()).await;
    let entries = log(&db, org.tenant).await;
    let done: Vec<_> = entries.iter().map(|entry| &entry.detail["done"]["cancelled"]).collect();
    assert_eq!(done, [&json!(2), &json!(2)], "the empty page at the end is none");
    let first = &entries[0];
    assert_eq!(
        (first.user_id, first.action.as_str(), first.outcome.as_str()),
        (Some(org.owner), "jobs.test", "DONE")
    );
    assert_eq!(
        (first.remote_address.as_deref(), first.request_id.as_deref()),
        (Some("2001:db8::1"), Some("r-1"))
    );

    // Nothing is done without its entry: an id that is taken fails both.
    db.store.enqueue(SCOPE, vec![probe(Some(org.tenant))]).await.unwrap();
    let taken = NewAuditEntry { id: first.id, ..entry(&org) };
    let filter = JobFilter::default();
    let order = Order { action: JobAction::Cancel, filter: &filter, after: None, limit: 9 };
    assert!(db.store.change(org.tenant, order, taken.clone()).await.is_err());
    assert!(db.store.pause(Queue::Default, Some(org.tenant), taken).await.is_err());
    assert!(db.store.paused(org.tenant).await.unwrap().is_empty());
    assert_eq!(db.store.count_changes(org.tenant, JobAction::Cancel, &filter).await.unwrap().cancelled, 1);

    assert!(db.store.pause(Queue::Default, Some(org.tenant), entry(&org)).await.unwrap());
    assert!(!db.store.pause(Queue::Default, Some(org.tenant), entry(&org)).await.unwrap());
    let entries = log(&db, org.tenant).await;
    assert_eq!((&entries[0].detail["changed"], &entries[1].detail["changed"]), (&json!(false), &json!(true)));

    // By key, a page at a time; and by what the filter says.
    let page =
        AuditLog::list(&db.store, org.tenant, &AuditFilter::default(), Some(entries[1].id), 1).await.unwrap();
    assert_eq!(page, entries[2..3]);
    for nothing in [
        AuditFilter { actions: vec!["jobs.cancel".to_owned()], ..AuditFilter::default() },
        AuditFilter { outcome: Some(AuditOutcome::Refused), ..AuditFilter::default() },
        AuditFilter { user_id: Some(colloquy_domain::ids::UserId(id())), ..AuditFilter::default() },
        AuditFilter { before: Some(entries[3].at), ..AuditFilter::default() },
    ] {
        assert!(
            AuditLog::list(&db.store, org.tenant, &nothing, None, 9).await.unwrap().is_empty(),
            "{nothing:?}"
        );
    }
    for sql in
        ["UPDATE audit_entries SET action = 'x'", "DELETE FROM audit_entries", "TRUNCATE audit_entries"]
    {
        assert!(db.refuses(sql).await, "{sql}");
    }
}
