//! Batches in the store: what is fed once, held back, spent and given back.

use colloquy_domain::{
    accounts::Tenant,
    batches::{Batch, BatchKind, BatchOptions, BatchState, Counts, MAX_ACTIVE, Plan, Steering, TOO_MANY},
    ids::{BatchId, ClaimToken, ConversationId},
    jobs::{BatchShare, Claim, JobKind, NewJob, Payload, Queue},
    money::MicroDollars,
    ports::{
        jobs::{Completion, Ending, Ledger},
        store::{
            batches::{BatchStore, Feeding, Measured, Reach, Retrying},
            conversations::ConversationFilter,
            generations::GenerationStore,
        },
    },
};

use crate::support::{
    Database,
    fixtures::{SCOPE, claim, ended, entry, id, imported, now, organization},
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

pub async fn started(db: &Database, tenant: Tenant, cap: u64) -> Batch {
    let batch = planned(tenant);
    BatchStore::insert(&db.store, tenant, &batch).await.unwrap();
    let start = Steering::Start { cap: Some(MicroDollars(cap)), per_minute: None };
    db.store.steer(tenant, batch.id, start, entry(tenant)).await.unwrap().expect("the batch stands").batch
}

pub async fn now_as(db: &Database, batch: &Batch) -> Batch {
    BatchStore::find(&db.store, Tenant(batch.organization_id), &[batch.id]).await.unwrap().remove(0)
}

/// A job a conversation, at 10 each.
pub fn feeding(batch: &Batch, conversations: &[ConversationId]) -> Feeding {
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
    db.store.steer(org.tenant, batch.id, Steering::Pause, entry(org.tenant)).await.unwrap();
    let batch = now_as(&db, &batch).await;
    assert!(
        !db.store.feed(SCOPE, &batch, feeding(&batch, &ids[4..])).await.unwrap(),
        "not while it is paused"
    );
}

#[tokio::test]
async fn a_slow_pace_is_kept_also_where_the_feeder_comes_late_and_a_pause_makes_no_burst() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let batch = planned(org.tenant);
    BatchStore::insert(&db.store, org.tenant, &batch).await.unwrap();
    let start = Steering::Start { cap: None, per_minute: Some(10) };
    db.store.steer(org.tenant, batch.id, start, entry(org.tenant)).await.unwrap();
    let feed = async || {
        let batch = now_as(&db, &batch).await;
        let allowance = batch.allowance.expect("it has a pace");
        if allowance > 0 {
            let page = feeding(&batch, &[ConversationId(id())]);
            assert!(db.store.feed(SCOPE, &batch, page).await.unwrap());
        }
        allowance
    };
    let pass = async |seconds: f64| {
        let sql = format!("UPDATE batches SET paced_to = paced_to - {seconds} * interval '1 second'");
        db.execute(&sql).await;
    };
    assert_eq!(feed().await, 1, "the first at once");
    // One in six seconds, and what came late by less than two is made up for.
    for (after, fed) in [(5.0, 0), (1.0, 1), (7.5, 1), (4.5, 1), (5.0, 0), (1.0, 1)] {
        pass(after).await;
        assert_eq!(feed().await, fed, "after {after} s more");
    }
    pass(3600.0).await;
    assert_eq!((feed().await, feed().await), (1, 0), "after a pause");
    let active = db.store.active(SCOPE).await.unwrap();
    assert_eq!(active, [now_as(&db, &batch).await], "read column by column it is the same");
}

#[tokio::test]
async fn a_new_cap_is_refused_where_more_was_held_back_since_it_was_checked() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let batch = started(&db, org.tenant, 100).await;
    assert!(db.store.feed(SCOPE, &batch, feeding(&batch, &[ConversationId(id())])).await.unwrap());
    let fed = now_as(&db, &batch).await;
    let steer = async |steering: Steering| {
        db.store.steer(org.tenant, batch.id, steering, entry(org.tenant)).await.unwrap().unwrap()
    };
    let retry = |cap| Steering::RetryFailures { cap: Some(MicroDollars(cap)) };
    // The feeder holds the row while it holds back 30 more.
    db.execute("BEGIN; UPDATE batches SET reserved = reserved + 30").await;
    let commit = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        db.execute("COMMIT").await;
    };
    let (steered, ()) = tokio::join!(steer(retry(20)), commit);
    assert!(!steered.changed);
    assert_eq!(steered.batch, Batch { reserved: MicroDollars(40), ..fed });
    let steered = steer(retry(40)).await;
    assert!(steered.changed && steered.batch.cap == Some(MicroDollars(40)));
    db.store.steer(org.tenant, batch.id, Steering::Pause, entry(org.tenant)).await.unwrap();
    assert!(!steer(Steering::Resume { cap: Some(MicroDollars(39)) }).await.changed);
    assert!(steer(Steering::Resume { cap: Some(MicroDollars(50)) }).await.changed);
    let noted = db.number("SELECT count(*) FROM audit_entries WHERE detail->'changed' = 'true'").await;
    assert_eq!(noted, 4, "start, retry, pause, resume");
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
    let batch = db
        .store
        .steer(org.tenant, batch.id, again, entry(org.tenant))
        .await
        .unwrap()
        .expect("the batch stands")
        .batch;
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

#[tokio::test]
async fn failures_whose_jobs_were_discarded_are_no_more_once_the_rest_was_retried() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let batch = started(&db, org.tenant, 100).await;
    let ids: Vec<_> = (0..4).map(|_| ConversationId(id())).collect();
    let page = Feeding { fed_all: true, ..feeding(&batch, &ids) };
    assert!(db.store.feed(SCOPE, &batch, page).await.unwrap());
    let jobs = claim(&db.store, Queue::Batch, 4).await;
    let fail = || Ending::Fail { message: "no".to_owned() };
    db.store.complete(SCOPE, jobs.iter().map(|job| ended(job, fail())).collect()).await.unwrap();
    let gone =
        format!("DELETE FROM jobs WHERE id IN ('{}', '{}')", jobs[1].claim.job_id, jobs[3].claim.job_id);
    db.execute(&gone).await;
    assert_eq!(now_as(&db, &batch).await.counts.failed, 4);

    let again = Steering::RetryFailures { cap: None };
    db.store.steer(org.tenant, batch.id, again, entry(org.tenant)).await.unwrap();
    let batch = now_as(&db, &batch).await;
    let dead = db.store.failed(SCOPE, &batch, 10).await.unwrap();
    assert_eq!(dead.len(), 2);
    let retry = |at: usize| vec![(dead[at].job_id, MicroDollars(10))];
    assert!(db.store.retry(SCOPE, &batch, Retrying { jobs: retry(0), is_last: false }).await.unwrap());
    let counts = now_as(&db, &batch).await.counts;
    assert_eq!((counts.failed, counts.skipped), (3, 0), "more may follow");
    assert!(db.store.retry(SCOPE, &batch, Retrying { jobs: retry(1), is_last: true }).await.unwrap());
    let counts = now_as(&db, &batch).await.counts;
    assert_eq!((counts.failed, counts.skipped, counts.unfinished()), (0, 2, 2));
    let jobs = claim(&db.store, Queue::Batch, 4).await;
    db.store.complete(SCOPE, jobs.iter().map(|job| ended(job, Ending::Done)).collect()).await.unwrap();
    let batch = now_as(&db, &batch).await;
    assert_eq!((batch.counts.done, batch.counts.unfinished()), (2, 0));
    assert!(db.store.end(SCOPE, &batch, BatchState::Done, None).await.unwrap());
}

#[tokio::test]
async fn what_waits_is_held_while_a_batch_is_paused_and_nothing_else_of_it_is_touched() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let (batch, other) = (started(&db, org.tenant, 100).await, started(&db, org.tenant, 100).await);
    let ids: Vec<_> = (0..4).map(|_| ConversationId(id())).collect();
    for batch in [&batch, &other] {
        assert!(db.store.feed(SCOPE, batch, feeding(batch, &ids)).await.unwrap());
    }
    // One runs, and one waits for another.
    let of_it = format!("SELECT id FROM jobs WHERE batch_id = '{}' ORDER BY id", batch.id);
    db.execute(&format!(
        "UPDATE jobs SET state = 'RUNNING', deadline = now() + interval '1 hour' WHERE id = ({of_it} LIMIT 1);
        UPDATE jobs SET state = 'WAITING', waits_for = 1 WHERE id = ({of_it} OFFSET 1 LIMIT 1)"
    ))
    .await;
    let states = async |batch: &Batch| {
        let sql =
            format!("SELECT string_agg(state, ' ' ORDER BY id) FROM jobs WHERE batch_id = '{}'", batch.id);
        db.text(&sql).await.unwrap()
    };
    let steer = async |steering| {
        db.store.steer(org.tenant, batch.id, steering, entry(org.tenant)).await.unwrap().unwrap().batch
    };
    let paused = steer(Steering::Pause).await;
    db.store.apply(SCOPE, &paused).await.unwrap();
    assert_eq!(states(&batch).await, "RUNNING WAITING WAITING WAITING");
    assert_eq!(states(&other).await, "READY READY READY READY");
    let running = steer(Steering::Resume { cap: None }).await;
    db.store.apply(SCOPE, &paused).await.unwrap();
    db.store.apply(SCOPE, &running).await.unwrap();
    assert_eq!(states(&batch).await, "RUNNING WAITING READY READY");
    db.store.apply(SCOPE, &paused).await.unwrap();
    assert_eq!(states(&batch).await, "RUNNING WAITING READY READY", "read before it went on");
    let told = "SELECT count(*) FROM events WHERE detail->>'state' = 'WAITING'";
    assert_eq!(db.number(told).await, 2, "each is told once");
}

#[tokio::test]
async fn an_organization_has_so_many_batches_under_way_and_plans_that_nobody_starts_go() {
    let Some(db) = Database::new().await else { return };
    let (org, other) = (organization(&db.store).await, organization(&db.store).await);
    let plans: Vec<_> = (0..MAX_ACTIVE + 2).map(|_| planned(org.tenant)).collect();
    for plan in &plans {
        BatchStore::insert(&db.store, org.tenant, plan).await.unwrap();
    }
    let steer = async |id: BatchId, steering| {
        let steered = db.store.steer(org.tenant, id, steering, entry(org.tenant)).await;
        steered.err().map(|error| error.code())
    };
    let start = Steering::Start { cap: None, per_minute: None };
    let starting = plans.iter().map(|plan| {
        let steer = &steer;
        async move { steer(plan.id, start).await }
    });
    let refused = futures::future::join_all(starting).await;
    assert_eq!(refused.iter().filter(|code| code.is_none()).count(), MAX_ACTIVE, "{refused:?}");
    assert!(refused.iter().flatten().all(|code| *code == TOO_MANY), "{refused:?}");
    started(&db, other.tenant, 0).await;

    // Nor does one that was at rest go on beyond it; what is under way is steered as before.
    let active = plans.iter().zip(&refused).filter(|(_, code)| code.is_none());
    let active: Vec<_> = active.map(|(plan, _)| plan.id).collect();
    let left = plans.iter().zip(&refused).find(|(_, code)| code.is_some()).map(|(plan, _)| plan.id).unwrap();
    assert_eq!(steer(active[0], Steering::Pause).await, None);
    assert_eq!(steer(active[0], Steering::Resume { cap: None }).await, None);
    db.execute(&format!("UPDATE batches SET state = 'STOPPED' WHERE id = '{}'", active[0])).await;
    assert_eq!(steer(left, start).await, None, "room again");
    assert_eq!(steer(active[0], Steering::Resume { cap: None }).await, Some(TOO_MANY));
    assert_eq!(steer(active[0], Steering::RetryFailures { cap: None }).await, Some(TOO_MANY));
    assert_eq!(steer(active[0], Steering::Cancel).await, None);

    let new = planned(other.tenant);
    BatchStore::insert(&db.store, other.tenant, &new).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM batches WHERE state = 'PLANNED'").await, 2);
    db.execute(&format!(
        "UPDATE batches SET created_at = now() - interval '40 days' WHERE id <> '{}'",
        new.id
    ))
    .await;
    let before = now() - chrono::TimeDelta::days(30);
    assert_eq!(BatchStore::prune(&db.store, SCOPE, before, 100).await.unwrap(), 1);
    assert_eq!(now_as(&db, &new).await.state, BatchState::Planned);
    assert_eq!(db.number("SELECT count(*) FROM batches").await, MAX_ACTIVE as i64 + 3);
}

#[tokio::test]
async fn what_is_measured_is_what_the_texts_add_up_to_at_the_price_of_each() {
    let Some(db) = Database::new().await else { return };
    let (org, other) = (organization(&db.store).await, organization(&db.store).await);
    for (tenant, segments) in [(org.tenant, 3), (org.tenant, 40), (other.tenant, 7)] {
        imported(&db.store, tenant, segments).await;
    }
    let kept = "SELECT count(*) FROM conversations c WHERE (segment_count, characters) = (
        SELECT count(*), sum(char_length(text)) FROM segments WHERE conversation_id = c.id)";
    assert_eq!(db.number(kept).await, 3, "they are counted when they are written");
    let everything = ConversationFilter::default();
    for (reach, conversations) in [(Reach::Of(org.tenant), 2), (Reach::Everywhere(SCOPE), 3)] {
        let items = db.store.items(reach, &everything, None, 10).await.unwrap();
        for per_1000 in [0, 1, 999, 15_000_000] {
            let found = db.store.measure(reach, &everything, MicroDollars(per_1000)).await.unwrap();
            let tokens = |characters: u64| characters.div_ceil(4);
            let price = |characters: u64| MicroDollars((tokens(characters) * per_1000).div_ceil(1000));
            assert_eq!(found.conversations, conversations);
            assert_eq!(found.characters, items.iter().map(|item| item.characters).sum::<u64>());
            assert_eq!(found.tokens, items.iter().map(|item| tokens(item.characters)).sum::<u64>());
            assert_eq!(found.price, items.iter().map(|item| price(item.characters)).sum());
        }
    }
    let nobody = ConversationFilter { ids: Some(Vec::new()), ..ConversationFilter::default() };
    let found = db.store.measure(Reach::Of(org.tenant), &nobody, MicroDollars(5)).await.unwrap();
    assert_eq!(found, Measured::default());
}

fn rebuild(tenant: Tenant) -> Batch {
    let options = BatchOptions { everywhere: true, ..BatchOptions::default() };
    Batch { kind: BatchKind::Reindex, options, ..planned(tenant) }
}

#[tokio::test]
async fn one_generation_is_built_at_a_time_switched_under_its_claim_and_gone_back_from() {
    let Some(db) = Database::new().await else { return };
    let org = organization(&db.store).await;
    let store = &db.store;
    let (first, second) = (rebuild(org.tenant), rebuild(org.tenant));
    let start = Steering::Start { cap: None, per_minute: None };
    let begin = async |batch: &Batch| store.steer(org.tenant, batch.id, start, entry(org.tenant)).await;
    for batch in [&first, &second] {
        BatchStore::insert(store, org.tenant, batch).await.unwrap();
    }
    let begun = [begin(&first).await, begin(&first).await];
    assert!(begun.iter().all(Result::is_ok), "started twice: {begun:?}");
    let refused = begin(&second).await.unwrap_err();
    assert_eq!(refused.code(), "REBUILD_RUNNING");
    assert!(refused.to_string().contains(&first.id.to_string()), "{refused}");
    assert_eq!(now_as(&db, &second).await.state, BatchState::Planned, "nothing of it is written");
    let found = GenerationStore::find(store, SCOPE).await.unwrap();
    assert_eq!((found.standing.live, found.standing.building), (1, Some(2)));
    assert_eq!(found.building_batch, Some(first.id));

    let job = NewJob::new(
        id(),
        JobKind::SwitchGeneration,
        Some(org.tenant.0),
        Payload::Batch { batch_id: first.id },
    );
    store.enqueue(SCOPE, vec![job]).await.unwrap();
    let claimed = claim(store, Queue::Index, 10).await;
    let lost = Claim { token: ClaimToken(id()), ..claimed[0].claim };
    let refused = store.switch(SCOPE, org.tenant, lost, first.id, true).await.unwrap_err();
    assert_eq!(refused.code(), "CLAIM_LOST");
    assert_eq!(GenerationStore::find(store, SCOPE).await.unwrap(), found, "and nothing is switched");
    let standing = store.switch(SCOPE, org.tenant, claimed[0].claim, first.id, true).await.unwrap();
    assert_eq!((standing.live, standing.building, standing.previous), (2, None, Some(1)));
    assert!(standing.change > found.standing.change);
    assert_eq!(GenerationStore::find(store, SCOPE).await.unwrap().switched_batch, Some(first.id));

    assert_eq!(store.roll_back(SCOPE, 2, entry(org.tenant)).await.unwrap(), None);
    let back = store.roll_back(SCOPE, 1, entry(org.tenant)).await.unwrap().unwrap();
    assert_eq!((back.live, back.previous), (1, Some(2)));
    // The next one has a number of its own, and takes the way back.
    begin(&second).await.unwrap();
    let found = GenerationStore::find(store, SCOPE).await.unwrap().standing;
    assert_eq!((found.live, found.building, found.previous), (1, Some(3), None));
    assert!(
        !GenerationStore::abandon(store, SCOPE, first.id, None).await.unwrap(),
        "it builds none any more"
    );
    assert!(GenerationStore::abandon(store, SCOPE, second.id, Some("of no use")).await.unwrap());
    let found = GenerationStore::find(store, SCOPE).await.unwrap();
    assert_eq!((found.standing.live, found.standing.building), (1, None));
    assert_eq!(found.abandoned_because, Some((second.id, "of no use".to_owned())));
}
