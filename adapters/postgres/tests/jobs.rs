//! What the ledger promises.

use std::time::Duration;

use chrono::TimeDelta;
use colloquy_domain::{
    Result,
    events::{EventKind, NewEvent, Stage},
    ids::{ClaimToken, JobId},
    jobs::{Claim, ClaimedJob, Job, JobKind, JobState, NewJob, Payload, Queue},
    ports::{
        jobs::{ClaimFrom, Completion, Ending, Follow, JobFilter, Lease, Ledger, WorkerNode},
        store::{conversations::ConversationStore, events::EventLog},
    },
};

use crate::support::{
    Database,
    fixtures::{
        FREE, LEASE, SCOPE, claim, dispatch, done, ended, fail, id, imported, imported_and_claimed, in_short,
        job, job_of, now, organization, plan, probe,
    },
};

const SOON: Duration = Duration::from_millis(50);

fn retry() -> Ending {
    Ending::Retry { message: "busy".to_owned(), delay: Duration::ZERO }
}

async fn log(db: &Database) -> Vec<String> {
    db.store.number(SCOPE, 10_000).await.unwrap();
    db.store.read(SCOPE, 0, 10_000).await.unwrap().iter().map(|event| in_short(&event.kind)).collect()
}

#[tokio::test]
async fn a_job_goes_from_ready_to_done_and_its_watchers_hear_of_each_step() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let new = probe(Some(org.tenant));
    db.store.enqueue(SCOPE, vec![new.clone()]).await.unwrap();

    let sent = dispatch(&db.store, Queue::Default, 10, 10).await;
    assert_eq!(sent.len(), 1);
    let from = ClaimFrom::Dispatches(vec![sent[0].id]);
    let claimed = db.store.claim(SCOPE, from.clone(), "w1", LEASE, &FREE).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(
        (claimed[0].claim.job_id, claimed[0].attempt, &claimed[0].payload),
        (new.id, 1, &Payload::Nothing {})
    );
    assert!(db.store.claim(SCOPE, from, "w2", LEASE, &FREE).await.unwrap().is_empty());
    assert_eq!(db.store.complete(SCOPE, vec![done(&claimed[0])]).await.unwrap(), [true]);

    let after = job(&db, org.tenant, new.id).await;
    assert_eq!((after.state, after.attempts, after.max_attempts), (JobState::Done, 1, 5));
    assert!(after.started_at.is_some() && after.finished_at.is_some() && after.errors.is_empty());
    assert_eq!(log(&db).await, ["probe READY", "probe RUNNING", "probe DONE"]);
}

#[tokio::test]
async fn of_many_who_claim_one_dispatch_each_job_goes_to_one() {
    let Some(db) = Database::new().await else { return };
    let jobs: Vec<_> = (0..40).map(|_| probe(None)).collect();
    db.store.enqueue(SCOPE, jobs).await.unwrap();
    let sent = dispatch(&db.store, Queue::Default, 100, 100).await;
    assert_eq!((sent.len(), sent[0].jobs), (1, 40));
    let claims = (0..8).map(|worker| {
        let (store, dispatch) = (db.store.clone(), sent[0].id);
        tokio::spawn(async move {
            let worker = format!("w{worker}");
            store.claim(SCOPE, ClaimFrom::Dispatches(vec![dispatch]), &worker, LEASE, &FREE).await.unwrap()
        })
    });
    let claimed = futures::future::join_all(claims).await;
    let mut ids: Vec<_> =
        claimed.into_iter().flat_map(|jobs| jobs.unwrap()).map(|job| job.claim.job_id).collect();
    assert_eq!(ids.len(), 40);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 40);
}

#[tokio::test]
async fn workers_that_take_from_the_queue_at_once_share_it_without_overlap() {
    let Some(db) = Database::new().await else { return };
    db.store.enqueue(SCOPE, (0..100).map(|_| probe(None)).collect()).await.unwrap();
    let workers = (0..6).map(|_| {
        let store = db.store.clone();
        tokio::spawn(async move {
            let mut ids = Vec::new();
            loop {
                let claimed = claim(&store, Queue::Default, 7).await;
                if claimed.is_empty() {
                    return ids;
                }
                ids.extend(claimed.iter().map(|job| job.claim.job_id));
                let held = store.complete(SCOPE, claimed.iter().map(done).collect()).await.unwrap();
                assert!(held.iter().all(|held| *held));
            }
        })
    });
    let mut ids: Vec<_> =
        futures::future::join_all(workers).await.into_iter().flat_map(|ids| ids.unwrap()).collect();
    ids.sort();
    ids.dedup();
    // A worker may find all that is left locked by others and leave; nothing is taken twice.
    let left = claim(&db.store, Queue::Default, 100).await.len();
    assert_eq!(ids.len() + left, 100);
}

#[tokio::test]
async fn the_window_counts_what_is_on_its_way_and_chunks_are_no_larger_than_asked() {
    let Some(db) = Database::new().await else { return };
    db.store.enqueue(SCOPE, (0..30).map(|_| probe(None)).collect()).await.unwrap();
    let sizes = |sent: Vec<colloquy_domain::ports::jobs::Dispatch>| -> Vec<usize> {
        sent.iter().map(|one| one.jobs).collect()
    };
    let first = dispatch(&db.store, Queue::Default, 10, 4).await;
    let taken = first[0].id;
    assert_eq!(sizes(first), [4, 4, 2]);
    assert!(dispatch(&db.store, Queue::Default, 10, 4).await.is_empty());
    db.store.claim(SCOPE, ClaimFrom::Dispatches(vec![taken]), "w", LEASE, &FREE).await.unwrap();
    assert_eq!(sizes(dispatch(&db.store, Queue::Default, 10, 100).await), [4]);
}

#[tokio::test]
async fn one_pass_serves_every_queue_and_says_whether_more_may_wait() {
    let Some(db) = Database::new().await else { return };
    let mails = (0..3).map(|_| NewJob { kind: JobKind::SendEmail, ..probe(None) });
    db.store.enqueue(SCOPE, mails.chain((0..5).map(|_| probe(None))).collect()).await.unwrap();
    let plans = [plan(Queue::Default, 10, 2), plan(Queue::Mail, 2, 1), plan(Queue::Index, 4, 4)];
    let passed = db.store.dispatch(SCOPE, &plans, LEASE, &FREE).await.unwrap();
    let of = |queue| passed.dispatches.iter().filter(move |one| one.queue == queue).map(|one| one.jobs);
    assert_eq!(of(Queue::Default).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(of(Queue::Mail).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(of(Queue::Index).count(), 0);
    assert!(passed.is_full, "mail had room for two of three");

    // Claimed together, each job is still known by its dispatch.
    let ids = passed.dispatches.iter().map(|one| one.id).collect();
    let claimed = db.store.claim(SCOPE, ClaimFrom::Dispatches(ids), "w", LEASE, &FREE).await.unwrap();
    assert_eq!(claimed.len(), 7);
    for dispatch in &passed.dispatches {
        let jobs = claimed.iter().filter(|job| job.dispatch_id == Some(dispatch.id));
        assert_eq!(jobs.count(), dispatch.jobs);
    }
    let passed = db.store.dispatch(SCOPE, &plans, LEASE, &FREE).await.unwrap();
    assert_eq!((passed.dispatches.len(), passed.is_full), (1, false));
}

#[tokio::test]
async fn a_small_tenant_does_not_wait_for_a_large_one() {
    let Some(db) = Database::new().await else { return };
    let (large, small) = (organization(&db.store).await, organization(&db.store).await);
    db.store.enqueue(SCOPE, (0..100).map(|_| probe(Some(large.tenant))).collect()).await.unwrap();
    db.store.enqueue(SCOPE, (0..2).map(|_| probe(Some(small.tenant))).collect()).await.unwrap();

    // In one go …
    let sent = dispatch(&db.store, Queue::Default, 4, 4).await;
    let dispatched =
        db.store.claim(SCOPE, ClaimFrom::Dispatches(vec![sent[0].id]), "w", LEASE, &FREE).await.unwrap();
    let of_small =
        |jobs: &[ClaimedJob]| jobs.iter().filter(|job| job.organization_id == Some(small.tenant.0)).count();
    assert_eq!((dispatched.len(), of_small(&dispatched)), (4, 2));
    db.store
        .complete(SCOPE, dispatched.iter().map(|job| ended(job, Ending::HandedBack)).collect())
        .await
        .unwrap();

    // … and one by one, where what is under way has to be remembered.
    let first = claim(&db.store, Queue::Default, 1).await;
    let second = claim(&db.store, Queue::Default, 1).await;
    assert_eq!(of_small(&first) + of_small(&second), 1);
}

#[tokio::test]
async fn priority_goes_before_fairness_and_age() {
    let Some(db) = Database::new().await else { return };
    let mut jobs: Vec<_> = (0..3).map(|_| probe(None)).collect();
    jobs[2].priority = 5;
    let (first, urgent) = (jobs[0].id, jobs[2].id);
    db.store.enqueue(SCOPE, jobs).await.unwrap();
    let order: Vec<_> =
        claim(&db.store, Queue::Default, 2).await.iter().map(|job| job.claim.job_id).collect();
    assert_eq!(order, [urgent, first]);
}

#[tokio::test]
async fn a_stale_token_ends_nothing_and_the_new_one_does() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let new = probe(Some(org.tenant));
    db.store.enqueue(SCOPE, vec![new.clone()]).await.unwrap();
    let old = claim(&db.store, Queue::Default, 1).await;
    db.execute("UPDATE jobs SET deadline = now() - interval '1 second'").await;
    assert_eq!(db.store.reconcile(SCOPE).await.unwrap().expired_leases, 1);
    let fresh = claim(&db.store, Queue::Default, 1).await;

    let forged = Claim { job_id: new.id, token: ClaimToken(id()) };
    let leases = db.store.extend(SCOPE, &[old[0].claim, fresh[0].claim, forged], LEASE).await.unwrap();
    assert_eq!(leases, [Lease::Lost, Lease::Held, Lease::Lost]);
    let follow = Follow { jobs: vec![probe(None)], events: Vec::new() };
    let late = Completion { follow, ..done(&old[0]) };
    assert_eq!(db.store.complete(SCOPE, vec![late]).await.unwrap(), [false]);
    assert_eq!(db.number("SELECT count(*) FROM jobs").await, 1, "what follows a lost claim is not written");
    let twice = vec![done(&fresh[0]), ended(&fresh[0], fail())];
    assert_eq!(db.store.complete(SCOPE, twice).await.unwrap(), [true, false]);
    assert_eq!(job(&db, org.tenant, new.id).await.state, JobState::Done);
}

#[tokio::test]
async fn an_extended_lease_does_not_run_out() {
    let Some(db) = Database::new().await else { return };
    db.store.enqueue(SCOPE, vec![probe(None), probe(None)]).await.unwrap();
    let from = ClaimFrom::Queue { queue: Queue::Default, limit: 2 };
    let claimed = db.store.claim(SCOPE, from, "w", SOON, &FREE).await.unwrap();
    db.store.extend(SCOPE, &[claimed[0].claim], LEASE).await.unwrap();
    tokio::time::sleep(SOON * 2).await;
    assert_eq!(db.store.reconcile(SCOPE).await.unwrap().expired_leases, 1);
    let claims = [claimed[0].claim, claimed[1].claim];
    assert_eq!(db.store.extend(SCOPE, &claims, LEASE).await.unwrap(), [Lease::Held, Lease::Lost]);
}

#[tokio::test]
async fn a_dispatch_that_nobody_claims_comes_back_without_counting() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let new = probe(Some(org.tenant));
    db.store.enqueue(SCOPE, vec![new.clone(), probe(None), probe(None)]).await.unwrap();
    let sent =
        db.store.dispatch(SCOPE, &[plan(Queue::Default, 10, 2)], SOON, &FREE).await.unwrap().dispatches;
    assert_eq!(sent.len(), 2);
    tokio::time::sleep(SOON * 2).await;
    assert_eq!(db.store.reconcile(SCOPE).await.unwrap().missed_dispatches.len(), 2);
    assert!(
        db.store
            .claim(SCOPE, ClaimFrom::Dispatches(vec![sent[0].id]), "w", LEASE, &FREE)
            .await
            .unwrap()
            .is_empty()
    );
    let after = job(&db, org.tenant, new.id).await;
    assert_eq!((after.state, after.attempts), (JobState::Ready, 0));

    let again = dispatch(&db.store, Queue::Default, 10, 10).await;
    db.store.recall(SCOPE, &[again[0].id]).await.unwrap();
    assert_eq!(job(&db, org.tenant, new.id).await.state, JobState::Ready);
    assert_eq!(log(&db).await, ["probe READY"], "nobody hears of a dispatch");
}

#[tokio::test]
async fn jobs_of_a_vanished_worker_run_alone_and_a_poison_job_dies_of_its_own_attempts() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let jobs: Vec<_> = (0..4).map(|_| probe(Some(org.tenant))).collect();
    db.store.enqueue(SCOPE, jobs.clone()).await.unwrap();
    assert_eq!(claim(&db.store, Queue::Default, 10).await.len(), 4);
    let vanish = "UPDATE jobs SET deadline = now() - interval '1 second' WHERE state = 'RUNNING'";
    db.execute(vanish).await;
    assert_eq!(db.store.reconcile(SCOPE).await.unwrap().expired_leases, 4);

    // Suspects have dispatches of their own, and are taken from the queue apart from others.
    let late = probe(Some(org.tenant));
    db.store.enqueue(SCOPE, vec![late.clone()]).await.unwrap();
    let sent = dispatch(&db.store, Queue::Default, 100, 100).await;
    assert_eq!(sent.iter().map(|one| one.jobs).collect::<Vec<_>>(), [4, 1]);
    for one in &sent {
        db.store.recall(SCOPE, &[one.id]).await.unwrap();
    }
    let poison = jobs[0].id;
    for attempt in 1..=5 {
        let taken = claim(&db.store, Queue::Default, 10).await;
        let pays = |job: &ClaimedJob| (job.claim.job_id, job.attempt);
        let as_expected = |n: usize| (jobs[n].id, if n == 0 { attempt } else { 1 });
        assert_eq!(taken.iter().map(pays).collect::<Vec<_>>(), (0..4).map(as_expected).collect::<Vec<_>>());
        // Its worker dies once before it begins it, which is nobody's fault, and then of it.
        if attempt == 3 {
            db.execute(vanish).await;
            assert_eq!(db.store.reconcile(SCOPE).await.unwrap().expired_leases, 4);
            let again = claim(&db.store, Queue::Default, 10).await;
            assert_eq!(pays(&again[0]), (poison, attempt));
            assert!(!db.store.begin(SCOPE, taken[0].claim).await.unwrap(), "that claim is lost");
            assert!(db.store.begin(SCOPE, again[0].claim).await.unwrap());
        } else {
            assert!(db.store.begin(SCOPE, taken[0].claim).await.unwrap());
        }
        db.execute(vanish).await;
        assert_eq!(db.store.reconcile(SCOPE).await.unwrap().expired_leases, 4);
    }
    let dead = job(&db, org.tenant, poison).await;
    assert_eq!((dead.state, dead.attempts, dead.errors.len()), (JobState::Dead, 5, 6));
    assert!(dead.errors.iter().all(|error| error.message.contains("vanished")));
    assert!(dead.finished_at.is_some());
    let next = claim(&db.store, Queue::Default, 10).await;
    assert_eq!(
        next.len(),
        3,
        "those that came with it have lost nothing, and the other does not come with them"
    );
    assert_eq!((next[0].claim.job_id, next[0].attempt), (jobs[1].id, 1));
    assert_eq!(db.store.complete(SCOPE, vec![done(&next[0])]).await.unwrap(), [true]);
    assert_eq!(job(&db, org.tenant, jobs[1].id).await.attempts, 1);
}

#[tokio::test]
async fn a_job_that_keeps_failing_is_dead_after_its_attempts_and_its_conversation_says_so() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let (new, first) = imported_and_claimed(&db.store, org.tenant).await;
    let mut running = first.clone();
    for attempt in 1..=5 {
        assert_eq!(running.attempt, attempt);
        assert_eq!(db.store.complete(SCOPE, vec![ended(&running, retry())]).await.unwrap(), [true]);
        match claim(&db.store, Queue::Ingest, 1).await.pop() {
            Some(next) => running = next,
            None => assert_eq!(attempt, 5),
        }
    }
    let dead = job(&db, org.tenant, first.claim.job_id).await;
    assert_eq!((dead.state, dead.attempts), (JobState::Dead, 5));
    let attempts: Vec<_> = dead.errors.iter().map(|error| (error.attempt, error.message.as_str())).collect();
    assert_eq!(attempts, (1..=5).map(|attempt| (attempt, "busy")).collect::<Vec<_>>());
    let progress = db.store.progress(org.tenant, &[new.conversation.id]).await.unwrap().pop().unwrap();
    assert_eq!(progress.failed_job, Some(dead.id));
    assert_eq!(
        progress.reached.iter().map(|(stage, _)| *stage).collect::<Vec<_>>(),
        [Stage::Imported, Stage::Failed]
    );
    db.store.number(SCOPE, 100).await.unwrap();
    let events = db.store.read(SCOPE, 0, 100).await.unwrap();
    let last = events.last().unwrap();
    let expected = EventKind::Progress {
        conversation_id: new.conversation.id,
        revision: 1,
        stage: Stage::Failed,
        job_id: Some(dead.id),
        analysis_id: None,
    };
    assert_eq!((last.organization_id, &last.kind), (org.tenant.0, &expected));
}

#[tokio::test]
async fn a_fatal_failure_needs_one_attempt_and_long_messages_are_cut() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let new = probe(Some(org.tenant));
    db.store.enqueue(SCOPE, vec![new.clone()]).await.unwrap();
    let claimed = claim(&db.store, Queue::Default, 1).await;
    let message = format!("\0{}", "ö".repeat(5_000));
    db.store.complete(SCOPE, vec![ended(&claimed[0], Ending::Fail { message })]).await.unwrap();
    let dead = job(&db, org.tenant, new.id).await;
    assert_eq!((dead.state, dead.attempts), (JobState::Dead, 1));
    assert_eq!(dead.errors[0].message, "ö".repeat(2_000));
}

#[tokio::test]
async fn what_is_handed_back_does_not_count_and_what_is_retried_waits() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let new = probe(Some(org.tenant));
    db.store.enqueue(SCOPE, vec![new.clone()]).await.unwrap();
    let claimed = claim(&db.store, Queue::Default, 1).await;
    db.store.complete(SCOPE, vec![ended(&claimed[0], Ending::HandedBack)]).await.unwrap();
    let claimed = claim(&db.store, Queue::Default, 1).await;
    assert_eq!(claimed[0].attempt, 1);
    let later = Ending::Retry { message: "busy".into(), delay: Duration::from_secs(60) };
    db.store.complete(SCOPE, vec![ended(&claimed[0], later)]).await.unwrap();
    assert!(claim(&db.store, Queue::Default, 1).await.is_empty());
    let passed = db.store.dispatch(SCOPE, &[plan(Queue::Default, 1, 1)], LEASE, &FREE).await.unwrap();
    assert!(passed.dispatches.is_empty() && !passed.is_full);
    let wait = passed.next_due.unwrap();
    assert!((55..=60).contains(&wait.as_secs()), "{wait:?}");
    let told = ["probe READY", "probe RUNNING", "probe READY", "probe RUNNING", "probe READY"];
    assert_eq!(log(&db).await, told);
}

#[tokio::test]
async fn what_follows_is_written_with_the_end_and_only_when_it_was_a_good_one() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let (new, first) = imported_and_claimed(&db.store, org.tenant).await;
    let conversation = new.conversation.id;
    let follow = Follow {
        jobs: vec![job_of(org.tenant, JobKind::IndexPassages, conversation)],
        events: vec![NewEvent::progress(org.tenant.0, conversation, 1, Stage::Indexed)],
    };
    let failed = Completion { follow: follow.clone(), ..Completion::new(first.claim, retry()) };
    assert_eq!(db.store.complete(SCOPE, vec![failed]).await.unwrap(), [true]);
    assert_eq!(db.number("SELECT count(*) FROM jobs").await, 1);

    let again = claim(&db.store, Queue::Ingest, 1).await;
    let well = Completion { follow, ..done(&again[0]) };
    assert_eq!(db.store.complete(SCOPE, vec![well]).await.unwrap(), [true]);
    let told = log(&db).await;
    assert_eq!(told[told.len() - 3..], ["ingest_conversation DONE", "index_passages READY", "INDEXED"]);
    let next = claim(&db.store, Queue::Index, 5).await;
    assert_eq!(next[0].payload, Payload::Revision { conversation_id: conversation, revision: 1 });
    let progress = db.store.progress(org.tenant, &[conversation]).await.unwrap().pop().unwrap();
    let stages: Vec<_> = progress.reached.iter().map(|(stage, _)| *stage).collect();
    assert_eq!((stages, progress.failed_job), (vec![Stage::Imported, Stage::Indexed], None));
}

#[tokio::test]
async fn kinds_and_payloads_of_a_later_release_are_left_to_it() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let insert = "INSERT INTO jobs (id, organization_id, queue, kind, payload, max_attempts)
        VALUES ($1, $2, 'default', $3, $4, 5)";
    let (unknown, strange) = (id(), id());
    let payload = serde_json::json!({ "planet": 3 }).to_string();
    let rows = [(unknown, "terraform", "{}"), (strange, "probe", payload.as_str())];
    for (id, kind, payload) in rows {
        let sql = insert.replace("$4", &format!("'{payload}'"));
        db.sql.execute(&sql, &[&id, &org.tenant.0.0, &kind]).await.unwrap();
    }
    assert!(claim(&db.store, Queue::Default, 5).await.is_empty());
    let listed = Ledger::list(&db.store, org.tenant, &JobFilter::default(), None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|job| job.id.0).collect::<Vec<_>>(), [strange]);
    assert_eq!((listed[0].state, listed[0].attempts), (JobState::Ready, 0), "it was put off");
    assert!(listed[0].run_at > now() + TimeDelta::seconds(30) && listed[0].errors.is_empty());
    let later =
        db.sql.execute("UPDATE jobs SET payload = '{}', payload_version = 9, run_at = now()", &[]).await;
    assert_eq!(later.unwrap(), 2);
    assert!(claim(&db.store, Queue::Default, 5).await.is_empty(), "the version is a later one");
    let state: String =
        db.sql.query_one("SELECT state FROM jobs WHERE id = $1", &[&unknown]).await.unwrap().get(0);
    assert_eq!(state, "READY");
}

#[tokio::test]
async fn lists_are_filtered_paged_and_newest_first() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let new = imported(&db.store, org.tenant, 2).await;
    let probes: Vec<_> = (0..5).map(|_| probe(Some(org.tenant))).collect();
    db.store.enqueue(SCOPE, probes.clone()).await.unwrap();
    let list = async |filter: JobFilter, after, limit| -> Vec<JobId> {
        let jobs: Result<Vec<Job>> = Ledger::list(&db.store, org.tenant, &filter, after, limit).await;
        jobs.unwrap().iter().map(|job| job.id).collect()
    };
    let only_probes = JobFilter { kinds: vec![JobKind::Probe], ..JobFilter::default() };
    let newest: Vec<_> = probes.iter().rev().map(|job| job.id).collect();
    assert_eq!(list(only_probes.clone(), None, 2).await, newest[..2]);
    assert_eq!(list(only_probes, Some(newest[1]), 10).await, newest[2..]);
    let ingest = JobFilter { queues: vec![Queue::Ingest], ..JobFilter::default() };
    assert_eq!(list(ingest, None, 10).await.len(), 1);
    let of_it = JobFilter { conversation_id: Some(new.conversation.id), ..JobFilter::default() };
    assert_eq!(list(of_it, None, 10).await.len(), 1);
    let running = JobFilter { states: vec![JobState::Running], ..JobFilter::default() };
    assert!(list(running, None, 10).await.is_empty());
}

#[tokio::test]
async fn queues_are_told_in_numbers() {
    let Some(db) = Database::new().await else { return };
    let mut jobs: Vec<_> = (0..6).map(|_| probe(None)).collect();
    jobs[5].delay = Duration::from_secs(600);
    db.store.enqueue(SCOPE, jobs).await.unwrap();
    let claimed = claim(&db.store, Queue::Default, 2).await;
    db.store.complete(SCOPE, vec![ended(&claimed[0], fail())]).await.unwrap();
    dispatch(&db.store, Queue::Default, 1, 1).await;
    let node = |name: &str, slots| WorkerNode {
        ended: vec![(Queue::Default, 3)],
        name: name.to_owned(),
        queues: vec![(Queue::Default, slots), (Queue::Index, 1)],
    };
    db.store.beat(SCOPE, &node("a", 3)).await.unwrap();
    db.store.beat(SCOPE, &node("b", 1)).await.unwrap();
    db.store.beat(SCOPE, &node("b", 4)).await.unwrap();
    db.store.beat(SCOPE, &node("gone", 9)).await.unwrap();
    db.execute("UPDATE workers SET seen_at = now() - interval '1 minute' WHERE name = 'gone'").await;

    assert_eq!(db.store.capacity(SCOPE).await.unwrap(), [(Queue::Default, 7), (Queue::Index, 2)]);
    let all = db.store.queue_stats(SCOPE).await.unwrap();
    assert_eq!(all.iter().map(|stats| stats.queue).collect::<Vec<_>>(), Queue::ALL);
    let stats = all.into_iter().find(|stats| stats.queue == Queue::Default).unwrap();
    assert_eq!((stats.ready, stats.delayed, stats.running, stats.dead, stats.workers), (3, 1, 1, 1, 2));
    assert!(stats.oldest_ready_ms.is_some());
    let mut counts = db.store.counts(SCOPE).await.unwrap();
    counts.sort();
    let of = |state, count| (Queue::Default, state, count);
    let expected = [of(JobState::Ready, 4), of(JobState::Running, 1), of(JobState::Dead, 1)];
    assert_eq!(counts, expected);

    db.store.leave(SCOPE, "a").await.unwrap();
    db.execute("UPDATE workers SET seen_at = now() - interval '11 minutes' WHERE name = 'gone'").await;
    db.store.beat(SCOPE, &node("b", 4)).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM workers").await, 1);
}

#[tokio::test]
async fn finished_jobs_are_pruned_and_dead_ones_kept() {
    let Some(db) = Database::new().await else { return };
    db.store.enqueue(SCOPE, (0..4).map(|_| probe(None)).collect()).await.unwrap();
    let claimed = claim(&db.store, Queue::Default, 3).await;
    let endings = vec![done(&claimed[0]), done(&claimed[1]), ended(&claimed[2], fail())];
    db.store.complete(SCOPE, endings).await.unwrap();
    assert_eq!(db.store.prune(SCOPE, now() - TimeDelta::minutes(5), 10).await.unwrap(), 0);
    let soon = now() + TimeDelta::minutes(5);
    assert_eq!(db.store.prune(SCOPE, soon, 1).await.unwrap(), 1);
    assert_eq!(db.store.prune(SCOPE, soon, 10).await.unwrap(), 1);
    assert_eq!(db.number("SELECT count(*) FROM jobs").await, 2);
}

/// A tenant's long queue costs dispatch no more than its head.
#[tokio::test]
async fn dispatch_reads_the_head_of_each_lane_only() {
    let Some(db) = Database::new().await else { return };
    db.execute(
        "INSERT INTO jobs (id, organization_id, queue, kind, payload, max_attempts)
        SELECT gen_random_uuid(), CASE WHEN n % 1000 = 0 THEN gen_random_uuid()
            ELSE '00000000-0000-0000-0000-000000000001'::uuid END, 'default', 'probe', '{}', 5
        FROM generate_series(1, 20000) AS n;
        ANALYZE jobs",
    )
    .await;
    let before = rows_read(&db).await;
    let sent = dispatch(&db.store, Queue::Default, 50, 10).await;
    assert_eq!(sent.iter().map(|one| one.jobs).sum::<usize>(), 50);
    let lanes = "SELECT count(DISTINCT lane) FROM dispatches CROSS JOIN LATERAL unnest(lanes) AS lane";
    assert_eq!(db.number(lanes).await, 21);
    let read = rows_read(&db).await - before - 20_000;
    assert!(read < 2_000, "{read} rows were read");
}

/// By all sessions, with the 20,000 that the count itself goes through. Sessions tell when they have been
/// idle for a moment.
async fn rows_read(db: &Database) -> i64 {
    db.execute("SET enable_seqscan = on; SELECT count(*) FROM jobs").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    db.execute("SELECT pg_stat_clear_snapshot()").await;
    db.number(
        "SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_user_tables
        WHERE relname = 'jobs'",
    )
    .await
}

/// Ten thousand of one kind and state, and next to none of another: both are a page away.
#[tokio::test]
async fn a_list_reads_pages_and_not_the_table() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    db.execute(&format!(
        "INSERT INTO jobs (id, organization_id, queue, kind, payload, max_attempts, state)
        SELECT gen_random_uuid(), '{}', 'default', 'probe', '{{}}', 5, CASE WHEN n = 77 THEN 'DEAD' ELSE 'DONE' END
        FROM generate_series(1, 20000) AS n;
        ANALYZE jobs",
        org.tenant.0
    ))
    .await;
    let before = rows_read(&db).await;
    let dead = JobFilter { states: vec![JobState::Dead], ..JobFilter::default() };
    assert_eq!(Ledger::list(&db.store, org.tenant, &dead, None, 50).await.unwrap().len(), 1);
    assert_eq!(Ledger::list(&db.store, org.tenant, &JobFilter::default(), None, 50).await.unwrap().len(), 50);
    let read = rows_read(&db).await - before - 20_000;
    assert!(read < 1_000, "{read} rows were read");
}

/// Plans are kept, and may be made while the planner takes the queue for empty.
#[tokio::test]
async fn a_queue_that_was_empty_a_moment_ago_costs_no_more() {
    let Some(db) = Database::new().await else { return };
    db.execute("VACUUM ANALYZE jobs").await;
    assert!(dispatch(&db.store, Queue::Default, 1, 1).await.is_empty());
    assert!(claim(&db.store, Queue::Default, 1).await.is_empty());
    db.execute(
        "INSERT INTO jobs (id, queue, kind, payload, max_attempts)
        SELECT gen_random_uuid(), 'default', 'probe', '{}', 5 FROM generate_series(1, 20000)",
    )
    .await;
    let before = rows_read(&db).await;
    let sent = dispatch(&db.store, Queue::Default, 200, 100).await;
    let from = ClaimFrom::Dispatches(sent.iter().map(|one| one.id).collect());
    let claimed = db.store.claim(SCOPE, from, "w", LEASE, &FREE).await.unwrap();
    assert_eq!(claimed.len(), 200);
    let claims: Vec<_> = claimed.iter().map(|job| job.claim).collect();
    assert_eq!(db.store.extend(SCOPE, &claims, LEASE).await.unwrap(), [Lease::Held; 200]);
    let (well, badly) = claimed.split_at(100);
    assert_eq!(db.store.complete(SCOPE, well.iter().map(done).collect()).await.unwrap(), [true; 100]);
    let failed = badly.iter().map(|job| ended(job, fail())).collect();
    assert_eq!(db.store.complete(SCOPE, failed).await.unwrap(), [true; 100]);
    assert_eq!(claim(&db.store, Queue::Default, 200).await.len(), 200);
    let read = rows_read(&db).await - before - 20_000;
    assert!(read < 6_000, "{read} rows were read");
}

#[tokio::test]
async fn who_waits_for_long_is_found_without_counting() {
    let Some(db) = Database::new().await else { return };
    db.store.enqueue(SCOPE, vec![probe(None)]).await.unwrap();
    let waiting = async |ms| db.store.waiting_since(SCOPE, Duration::from_millis(ms)).await.unwrap();
    assert!(waiting(60_000).await.is_empty());
    db.execute("UPDATE jobs SET run_at = now() - interval '61 s'").await;
    assert_eq!(waiting(60_000).await, [Queue::Default]);
    claim(&db.store, Queue::Default, 1).await;
    assert!(waiting(0).await.is_empty());
}
