//! Schedules in the store: a run has one job whoever leads, and one batch however often its job runs.

use chrono::TimeDelta;
use colloquy_domain::{
    accounts::Tenant,
    audit::AuditFilter,
    batches::{Batch, BatchKind, BatchOptions, BatchState, MAX_ACTIVE, Steering, TOO_MANY},
    ids::ScheduleId,
    jobs::{ClaimedJob, JobKind, JobState, NewJob, Payload, Queue},
    money::MicroDollars,
    ports::{
        jobs::{Ending, JobFilter, Ledger},
        store::{
            PageBy,
            audit::AuditLog,
            batches::BatchStore,
            conversations::ConversationFilter,
            schedules::{DueSchedule, Move, RunEnd, ScheduleStore, Starting},
        },
    },
    schedules::{MissedRuns, RunOutcome, Schedule, Work},
    time::Timestamp,
};

use crate::{
    batches::planned,
    support::{
        Database,
        fixtures::{Org, SCOPE, claim, ended, entry, fail, id, now, organization},
    },
};

const LIMIT: usize = 3;

fn schedule(org: &Org, name: &str, missed: MissedRuns) -> Schedule {
    let at = now();
    Schedule {
        id: ScheduleId(id()),
        organization_id: org.tenant.0,
        name: name.to_owned(),
        cron: "@daily".to_owned(),
        time_zone: "UTC".to_owned(),
        missed,
        is_enabled: true,
        work: Work {
            kind: BatchKind::Export,
            filter: ConversationFilter::default(),
            all: true,
            created_within_days: None,
            created_older_than_days: None,
            options: BatchOptions::default(),
            cap: Some(MicroDollars(7)),
            accept_partial: false,
            per_minute: None,
        },
        next_run_at: Some(at - TimeDelta::seconds(1)),
        last: None,
        last_batch_id: None,
        version: 1,
        created_by: Some(org.owner),
        created_at: at,
        updated_at: at,
    }
}

async fn kept(db: &Database, org: &Org, schedule: &Schedule) {
    let insert = ScheduleStore::insert(&db.store, org.tenant, schedule, LIMIT, Some(entry(org.tenant)));
    insert.await.unwrap();
}

async fn now_as(db: &Database, tenant: Tenant, id: ScheduleId) -> Schedule {
    ScheduleStore::find(&db.store, tenant, &[id]).await.unwrap().remove(0)
}

async fn due(db: &Database) -> Vec<DueSchedule> {
    db.store.due(SCOPE, None, 100).await.unwrap()
}

fn job(schedule: &Schedule, due: Timestamp) -> NewJob {
    let payload = Payload::Run { schedule_id: schedule.id, due };
    NewJob {
        unique_key: Some(format!("schedule:{}:{}", schedule.id, due.timestamp_micros())),
        ..NewJob::new(id(), JobKind::StartBatch, Some(schedule.organization_id), payload)
    }
}

/// Its job, once it has been fired.
async fn fired(db: &Database, schedule: &Schedule) -> ClaimedJob {
    let read = now_as(db, Tenant(schedule.organization_id), schedule.id).await;
    let at = read.next_run_at.unwrap();
    let next = Some(at + TimeDelta::days(1));
    assert!(db.store.advance(SCOPE, &read, at, next, Move::Run(job(schedule, at))).await.unwrap());
    claim(&db.store, Queue::Batch, 10).await.pop().expect("a run has a job")
}

fn started(schedule: &Schedule, job: &ClaimedJob) -> RunEnd {
    let Payload::Run { schedule_id, due } = job.payload else { panic!("not a run: {job:?}") };
    let batch = Batch { schedule_id: Some(schedule_id), ..planned(Tenant(schedule.organization_id)) };
    let steering = Steering::Start { cap: schedule.work.cap, per_minute: None };
    let starting = Some(Starting { batch, steering });
    RunEnd { schedule_id, due, outcome: RunOutcome::Started, reason: None, starting }
}

async fn batches(db: &Database, tenant: Tenant) -> Vec<Batch> {
    let page = PageBy { after: None, before: None, limit: 10, backward: false };
    BatchStore::list(&db.store, tenant, page).await.unwrap()
}

#[tokio::test]
async fn what_a_newer_release_has_written_holds_up_no_schedule_and_no_batch_of_others() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let mut schedules = Vec::new();
    for name in ["one", "two", "three"] {
        let schedule = schedule(&org, name, MissedRuns::Skip);
        kept(&db, &org, &schedule).await;
        schedules.push(schedule.id);
    }
    let mut running = Vec::new();
    for _ in 0..3 {
        let batch = planned(org.tenant);
        BatchStore::insert(&db.store, org.tenant, &batch).await.unwrap();
        let steering = Steering::Start { cap: None, per_minute: None };
        db.store.steer(org.tenant, batch.id, steering, entry(org.tenant)).await.unwrap();
        running.push(batch.id);
    }
    let (newer, batch) = (schedules[0], running[1]);
    db.execute(&format!(
        "UPDATE schedules SET work = jsonb_set(work, '{{kind}}', '\"TRANSLATE\"') WHERE id = '{newer}';
        UPDATE batches SET options = '{{\"analyzer\": \"NEWER\"}}' WHERE id = '{batch}'"
    ))
    .await;
    let mut found = Vec::new();
    // Also where a page holds nothing that can be read.
    while let Some(last) = db.store.due(SCOPE, found.last().copied(), 1).await.unwrap().pop() {
        found.push(last.schedule.id);
    }
    assert_eq!(found, schedules[1..]);
    let active: Vec<_> = db.store.active(SCOPE).await.unwrap().into_iter().map(|batch| batch.id).collect();
    assert_eq!(active, [running[0], running[2]]);
}

#[tokio::test]
async fn a_schedule_comes_back_as_it_was_kept_within_its_bounds_and_its_tenant() {
    let Some(db) = Database::new().await else { return };
    let (ours, theirs) = (organization(&db.store).await, organization(&db.store).await);
    let one = schedule(&ours, "Nightly", MissedRuns::RunAll);
    kept(&db, &ours, &one).await;
    assert_eq!(now_as(&db, ours.tenant, one.id).await, one);
    let insert = async |org: &Org, name: &str, audit| {
        let new = schedule(org, name, MissedRuns::Skip);
        let inserted = ScheduleStore::insert(&db.store, org.tenant, &new, LIMIT, audit).await;
        inserted.err().map(|error| error.code())
    };
    assert_eq!(insert(&ours, "nightLY", Some(entry(ours.tenant))).await, Some("NAME_TAKEN"));
    assert_eq!(insert(&theirs, "nightly", Some(entry(theirs.tenant))).await, None, "theirs is another");
    assert_eq!(insert(&ours, "a trial", None).await, None);
    assert_eq!(db.number("SELECT count(*) FROM schedules").await, 2, "a trial keeps nothing");
    // Many at once do not pass the limit together.
    let many = (0..6).map(|number| {
        let name = format!("weekly {number}");
        let (audit, insert) = (Some(entry(ours.tenant)), &insert);
        let ours = &ours;
        async move { insert(ours, &name, audit).await }
    });
    let refused = futures::future::join_all(many).await;
    assert_eq!(refused.iter().filter(|code| code.is_none()).count(), LIMIT - 1, "{refused:?}");
    assert_eq!(insert(&ours, "one more", None).await, Some("TOO_MANY_SCHEDULES"));
    let entries = AuditLog::list(&db.store, ours.tenant, &AuditFilter::default(), None, 100).await.unwrap();
    assert_eq!(entries.len(), LIMIT, "one a schedule that was kept");

    // What is another tenant's is not there.
    assert!(ScheduleStore::find(&db.store, theirs.tenant, &[one.id]).await.unwrap().is_empty());
    let stolen = Schedule { name: "mine".to_owned(), ..one.clone() };
    let update = db.store.update(theirs.tenant, &stolen, true, Some(entry(theirs.tenant))).await;
    assert_eq!(update.unwrap_err().code(), "NOT_FOUND");
    assert!(!ScheduleStore::delete(&db.store, theirs.tenant, one.id, entry(theirs.tenant)).await.unwrap());
    let run = db.store.run_now(theirs.tenant, one.id, now(), job(&one, now()), entry(theirs.tenant)).await;
    assert_eq!(run.unwrap_err().code(), "NOT_FOUND");
    assert_eq!(now_as(&db, ours.tenant, one.id).await, one);

    // Of two changes of the same state the second is told so; what has gone on meanwhile is not set back.
    let read = now_as(&db, ours.tenant, one.id).await;
    let mut changed = Schedule { name: "Daily".to_owned(), next_run_at: None, ..read.clone() };
    db.store.update(ours.tenant, &changed, false, Some(entry(ours.tenant))).await.unwrap();
    let after = now_as(&db, ours.tenant, one.id).await;
    assert_eq!((after.name.as_str(), after.next_run_at, after.version), ("Daily", one.next_run_at, 2));
    let late = db.store.update(ours.tenant, &changed, true, Some(entry(ours.tenant))).await;
    assert_eq!(late.unwrap_err().code(), "SCHEDULE_CHANGED");
    changed.version = 2;
    db.store.update(ours.tenant, &changed, true, Some(entry(ours.tenant))).await.unwrap();
    assert_eq!(now_as(&db, ours.tenant, one.id).await.next_run_at, None);
    assert!(ScheduleStore::delete(&db.store, ours.tenant, one.id, entry(ours.tenant)).await.unwrap());
    let gone = db.store.update(ours.tenant, &changed, true, Some(entry(ours.tenant))).await;
    assert_eq!(gone.unwrap_err().code(), "NOT_FOUND");
}

#[tokio::test]
async fn a_run_has_one_job_however_many_lead_and_one_batch_however_often_its_job_runs() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let one = schedule(&org, "nightly", MissedRuns::RunOnce);
    kept(&db, &org, &one).await;
    kept(
        &db,
        &org,
        &Schedule {
            next_run_at: Some(now() + TimeDelta::hours(1)),
            ..schedule(&org, "later", MissedRuns::Skip)
        },
    )
    .await;
    kept(&db, &org, &Schedule { next_run_at: None, ..schedule(&org, "never", MissedRuns::Skip) }).await;
    let found = due(&db).await;
    assert_eq!(found.len(), 1, "what is later, or rests, is not due");
    let DueSchedule { schedule: read, is_busy, now } = found[0].clone();
    assert!(!is_busy && read == one && now >= one.next_run_at.unwrap());
    assert!(
        db.store.due(SCOPE, Some(one.id), 100).await.unwrap().is_empty(),
        "a page goes on after its last"
    );

    let at = one.next_run_at.unwrap();
    let next = Some(at + TimeDelta::days(1));
    let leaders = (0..4).map(|_| db.store.advance(SCOPE, &read, at, next, Move::Run(job(&one, at))));
    let advanced: Vec<_> = futures::future::join_all(leaders).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(advanced.iter().filter(|advanced| **advanced).count(), 1, "{advanced:?}");
    assert_eq!(db.number("SELECT count(*) FROM jobs").await, 1);
    let queued = now_as(&db, org.tenant, one.id).await;
    let last = queued.last.clone().expect("a last run");
    assert_eq!((queued.next_run_at, last.at, last.outcome), (next, at, RunOutcome::Queued));

    // Its first worker was thought dead: what it does counts for nothing.
    let first = claim(&db.store, Queue::Batch, 10).await.remove(0);
    db.execute("UPDATE jobs SET deadline = now() - interval '1 second'").await;
    db.store.reconcile(SCOPE).await.unwrap();
    db.execute("UPDATE jobs SET run_at = now() - interval '1 second'").await;
    let second = claim(&db.store, Queue::Batch, 10).await.remove(0);
    let lost = db.store.end_run(org.tenant, first.claim, started(&one, &first)).await;
    assert_eq!(lost.unwrap_err().code(), "CLAIM_LOST");
    assert!(batches(&db, org.tenant).await.is_empty());
    assert_eq!(now_as(&db, org.tenant, one.id).await, queued);
    db.store.end_run(org.tenant, second.claim, started(&one, &second)).await.unwrap();
    let twice = db.store.end_run(org.tenant, second.claim, started(&one, &second)).await;
    assert_eq!(twice.unwrap_err().code(), "CLAIM_LOST");
    let [batch] = &batches(&db, org.tenant).await[..] else { panic!("not one batch") };
    assert_eq!(
        (batch.state, batch.cap, batch.schedule_id),
        (BatchState::Running, one.work.cap, Some(one.id))
    );
    let after = now_as(&db, org.tenant, one.id).await;
    assert_eq!((after.last.unwrap().outcome, after.last_batch_id), (RunOutcome::Started, Some(batch.id)));

    // Its batches outlive it.
    assert!(ScheduleStore::delete(&db.store, org.tenant, one.id, entry(org.tenant)).await.unwrap());
    assert_eq!(batches(&db, org.tenant).await[0].schedule_id, None);
}

#[tokio::test]
async fn a_run_is_left_out_while_the_one_before_goes_and_says_so() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let one = schedule(&org, "nightly", MissedRuns::RunOnce);
    kept(&db, &org, &one).await;
    let again = async || {
        let read = now_as(&db, org.tenant, one.id).await;
        let at = read.next_run_at.unwrap();
        let next = Some(at + TimeDelta::minutes(1));
        assert!(db.store.advance(SCOPE, &read, at, next, Move::Run(job(&one, at))).await.unwrap());
        now_as(&db, org.tenant, one.id).await.last.unwrap()
    };
    let run_now = async || {
        let at = now();
        let run = db.store.run_now(org.tenant, one.id, at, job(&one, at), entry(org.tenant)).await;
        run.err().map(|error| error.code())
    };
    let first = fired(&db, &one).await;
    // While its job is there …
    let last = again().await;
    assert_eq!(
        (last.outcome, last.reason.as_deref()),
        (RunOutcome::Skipped, Some("the run before was still going"))
    );
    assert_eq!(last.job_id, Some(first.claim.job_id), "the job of the last run that had one");
    assert_eq!(run_now().await, Some("SCHEDULE_BUSY"));
    db.store.end_run(org.tenant, first.claim, started(&one, &first)).await.unwrap();
    let after = now_as(&db, org.tenant, one.id).await;
    assert_eq!(after.last.unwrap().outcome, RunOutcome::Skipped, "the later one has the last word");
    // … and while its batch is.
    let batch = after.last_batch_id.expect("a batch");
    for (state, is_busy) in [("RUNNING", true), ("PAUSED", true), ("CANCELLING", true)] {
        db.execute(&format!("UPDATE batches SET state = '{state}'; UPDATE schedules SET next_run_at = now() - interval '1 second'")).await;
        assert_eq!(due(&db).await[0].is_busy, is_busy, "{state}");
        assert_eq!(again().await.outcome, RunOutcome::Skipped, "{state}");
    }
    assert_eq!(db.number("SELECT count(*) FROM jobs").await, 1);
    for state in ["STOPPED", "DONE", "CANCELLED"] {
        db.execute(&format!("UPDATE batches SET state = '{state}'")).await;
        assert_eq!(run_now().await, None, "{state}");
        let job = claim(&db.store, Queue::Batch, 1).await.remove(0);
        let Payload::Run { schedule_id, due } = job.payload else { panic!("not a run") };
        let end = RunEnd { schedule_id, due, outcome: RunOutcome::NothingToDo, reason: None, starting: None };
        db.store.end_run(org.tenant, job.claim, end).await.unwrap();
        let after = now_as(&db, org.tenant, one.id).await;
        assert_eq!(
            (after.last.unwrap().outcome, after.last_batch_id),
            (RunOutcome::NothingToDo, Some(batch))
        );
    }

    // What becomes of a job that ends badly is told as well.
    assert_eq!(run_now().await, None);
    let job = claim(&db.store, Queue::Batch, 1).await.remove(0);
    db.store.complete(SCOPE, vec![ended(&job, fail())]).await.unwrap();
    assert_eq!(now_as(&db, org.tenant, one.id).await.last.unwrap().outcome, RunOutcome::Failed);
    assert_eq!(run_now().await, None, "a dead job holds nothing up");
    let filter = JobFilter { states: vec![JobState::Ready], ..JobFilter::default() };
    db.store.cancel(org.tenant, &filter, 10).await.unwrap();
    assert_eq!(now_as(&db, org.tenant, one.id).await.last.unwrap().outcome, RunOutcome::Cancelled);

    // What was missed is told, too; and a run whose schedule has gone starts nothing.
    let read = now_as(&db, org.tenant, one.id).await;
    let at = read.next_run_at.unwrap();
    let missed = Move::Pass { outcome: RunOutcome::Missed, reason: "nothing ran".to_owned() };
    assert!(db.store.advance(SCOPE, &read, at, None, missed).await.unwrap());
    let after = now_as(&db, org.tenant, one.id).await;
    assert_eq!((after.next_run_at, after.last.unwrap().outcome), (None, RunOutcome::Missed));
    assert_eq!(run_now().await, None);
    let job = claim(&db.store, Queue::Batch, 1).await.remove(0);
    let end = started(&one, &job);
    assert!(ScheduleStore::delete(&db.store, org.tenant, one.id, entry(org.tenant)).await.unwrap());
    db.store.end_run(org.tenant, job.claim, end).await.unwrap();
    assert_eq!(batches(&db, org.tenant).await.len(), 1, "the one from before");
    assert_eq!(db.number("SELECT count(*) FROM jobs WHERE state = 'DONE'").await, 5);
    let unheld = db.store.complete(SCOPE, vec![ended(&job, Ending::Done)]).await.unwrap();
    assert_eq!(unheld, [false], "it is completed");
}

#[tokio::test]
async fn a_run_beyond_the_batches_that_an_organization_may_have_starts_none_and_can_be_refused() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let one = schedule(&org, "nightly", MissedRuns::Skip);
    kept(&db, &org, &one).await;
    for _ in 0..MAX_ACTIVE {
        let batch = planned(org.tenant);
        BatchStore::insert(&db.store, org.tenant, &batch).await.unwrap();
        let steering = Steering::Start { cap: None, per_minute: None };
        db.store.steer(org.tenant, batch.id, steering, entry(org.tenant)).await.unwrap();
    }
    let job = fired(&db, &one).await;
    let end = started(&one, &job);
    let refused = db.store.end_run(org.tenant, job.claim, end.clone()).await.unwrap_err();
    assert_eq!(refused.code(), TOO_MANY);
    assert_eq!(db.number("SELECT count(*) FROM batches").await, MAX_ACTIVE as i64, "and no plan is left");
    // The claim stands.
    let end =
        RunEnd { outcome: RunOutcome::Refused, reason: Some("too many".to_owned()), starting: None, ..end };
    db.store.end_run(org.tenant, job.claim, end).await.unwrap();
    assert_eq!(now_as(&db, org.tenant, one.id).await.last.unwrap().outcome, RunOutcome::Refused);
}
