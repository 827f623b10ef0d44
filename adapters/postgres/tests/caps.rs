//! Money of a batch over random histories: attempts that cost something and fail, workers that vanish, retries of what
//! failed. PostgreSQL itself refuses any write that goes beyond the cap.

use std::time::Duration;

use colloquy_domain::{
    accounts::Tenant,
    batches::{Batch, Steering},
    ids::ConversationId,
    jobs::{ClaimedJob, NewJob, Queue},
    money::MicroDollars,
    ports::{
        jobs::{Completion, Ending, JobFilter, Ledger},
        store::batches::{BatchStore, Feeding, Retrying},
    },
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};

use crate::{
    batches::{feeding, now_as, started},
    support::{
        Database,
        fixtures::{self, SCOPE, claim, ended, id, organization},
    },
};

/// Of a conversation; the cap holds three of them and a half.
const PRICE: u64 = 10;
const CAP: u64 = 35;

#[derive(Debug, Clone)]
enum Step {
    Feed {
        jobs: usize,
    },
    Claim {
        limit: usize,
    },
    /// In one transaction: of any claim that was ever given, how it ends, and at which part of what is held back for
    /// it, in tenths.
    End {
        ends: Vec<(usize, How, u64)>,
    },
    /// All leases run out.
    Expire,
    Cancel,
    RetryFailures,
}

#[derive(Debug, Clone, Copy)]
enum How {
    Done,
    Retry,
    Fail,
    HandBack,
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![
        1 => Just(How::Done),
        4 => Just(How::Retry),
        1 => Just(How::Fail),
        1 => Just(How::HandBack),
    ];
    prop_oneof![
        3 => (1..4_usize).prop_map(|jobs| Step::Feed { jobs }),
        4 => (1..4_usize).prop_map(|limit| Step::Claim { limit }),
        6 => vec((any::<usize>(), how, 0..=10_u64), 1..4).prop_map(|ends| Step::End { ends }),
        1 => Just(Step::Expire),
        1 => Just(Step::Cancel),
        2 => Just(Step::RetryFailures),
    ]
}

struct History<'a> {
    db: &'a Database,
    tenant: Tenant,
    batch: Batch,
    claims: Vec<ClaimedJob>,
    /// By endings that were written.
    cost: u64,
}

impl<'a> History<'a> {
    async fn new(db: &'a Database) -> Self {
        db.execute("TRUNCATE jobs, batches, dispatches CASCADE").await;
        let tenant = organization(&db.store).await.tenant;
        let batch = started(db, tenant, CAP).await;
        Self { db, tenant, batch, claims: Vec::new(), cost: 0 }
    }

    async fn run(&mut self, step: Step) {
        let store = &self.db.store;
        match step {
            Step::Feed { jobs } => {
                let batch = now_as(self.db, &self.batch).await;
                let ids: Vec<_> = (0..jobs).map(|_| ConversationId(id())).collect();
                let page = feeding(&batch, &ids);
                let twice = |job: NewJob| NewJob { max_attempts: 2, ..job };
                let page = Feeding { jobs: page.jobs.into_iter().map(twice).collect(), ..page };
                let fits = batch.left() >= Some(page.reserved);
                assert_eq!(store.feed(SCOPE, &batch, page).await.unwrap(), fits);
            }
            Step::Claim { limit } => self.claims.extend(claim(store, Queue::Batch, limit).await),
            Step::End { ends } => {
                let pick = |which: usize| (!self.claims.is_empty()).then(|| which % self.claims.len());
                let chosen: Vec<_> = ends
                    .into_iter()
                    .filter_map(|(which, how, tenths)| Some((&self.claims[pick(which)?], how, tenths)))
                    .map(|(job, how, tenths)| completion(job, how, tenths))
                    .collect();
                self.end(chosen).await;
            }
            Step::Expire => {
                self.db
                    .execute("UPDATE jobs SET deadline = now() - interval '1 s' WHERE state = 'RUNNING'")
                    .await;
                store.reconcile(SCOPE).await.unwrap();
            }
            Step::Cancel => {
                store.cancel(self.tenant, &JobFilter::default(), 1).await.unwrap();
            }
            Step::RetryFailures => {
                let again = Steering::RetryFailures { cap: None };
                let batch = store
                    .steer(self.tenant, self.batch.id, again, fixtures::entry(self.tenant))
                    .await
                    .unwrap()
                    .expect("it stands")
                    .batch;
                let failed = store.failed(SCOPE, &batch, 10).await.unwrap();
                let jobs: Vec<_> = failed.iter().map(|item| (item.job_id, MicroDollars(PRICE))).collect();
                let fits = batch.left() >= Some(jobs.iter().map(|(_, price)| *price).sum());
                let retrying = Retrying { jobs, is_last: true };
                assert_eq!(store.retry(SCOPE, &batch, retrying).await.unwrap(), fits);
            }
        }
    }

    async fn end(&mut self, completions: Vec<Completion>) {
        let held = self.db.store.complete(SCOPE, completions.clone()).await.unwrap();
        let written = completions.iter().zip(held).filter(|(_, held)| *held);
        self.cost += written.map(|(one, _)| one.spent.0).sum::<u64>();
    }

    async fn holds(&self) {
        let batch = now_as(self.db, &self.batch).await;
        assert_eq!(batch.spent, MicroDollars(self.cost));
        assert!(batch.spent + batch.reserved <= MicroDollars(CAP), "{batch:?}");
        let unfinished = "SELECT coalesce(sum(reserved), 0)::bigint FROM jobs
            WHERE state IN ('WAITING', 'READY', 'RUNNING')";
        assert_eq!(batch.reserved.0 as i64, self.db.number(unfinished).await);
    }

    /// Everything that is left ends well, at all that is held back for it.
    async fn finish(&mut self) {
        self.run(Step::Expire).await;
        loop {
            let jobs = claim(&self.db.store, Queue::Batch, 10).await;
            if jobs.is_empty() {
                break;
            }
            self.end(jobs.iter().map(|job| completion(job, How::Done, 10)).collect()).await;
            self.holds().await;
        }
        let batch = now_as(self.db, &self.batch).await;
        assert_eq!((batch.reserved, batch.counts.unfinished()), (MicroDollars::ZERO, 0), "{batch:?}");
    }
}

fn completion(job: &ClaimedJob, how: How, tenths: u64) -> Completion {
    let message = "it did not work".to_owned();
    let ending = match how {
        How::Done => Ending::Done,
        How::Retry => Ending::Retry { message, delay: Duration::ZERO },
        How::Fail => Ending::Fail { message },
        How::HandBack => Ending::HandedBack,
    };
    let reserved = job.batch.expect("it is of a batch").reserved;
    Completion { spent: MicroDollars(reserved.0 * tenths / 10), ..ended(job, ending) }
}

#[tokio::test]
async fn what_a_failed_attempt_cost_comes_out_of_what_is_held_back_for_its_own_job() {
    let Some(db) = Database::new().await else { return };
    let tenant = organization(&db.store).await.tenant;
    let batch = started(&db, tenant, CAP).await;
    let ids: Vec<_> = (0..3).map(|_| ConversationId(id())).collect();
    assert!(db.store.feed(SCOPE, &batch, feeding(&batch, &ids)).await.unwrap());
    let jobs = claim(&db.store, Queue::Batch, 3).await;
    let retry = |job: &ClaimedJob, spent| {
        let ending = Ending::Retry { message: "no".to_owned(), delay: Duration::ZERO };
        Completion { spent: MicroDollars(spent), ..ended(job, ending) }
    };
    let state = async || {
        let batch = now_as(&db, &batch).await;
        (batch.spent.0, batch.reserved.0)
    };
    // By itself, and together with one that had more than was held back for it and one that ends.
    db.store.complete(SCOPE, vec![retry(&jobs[0], 4)]).await.unwrap();
    assert_eq!(state().await, (4, 26));
    let done = Completion { spent: MicroDollars(1), ..ended(&jobs[2], Ending::Done) };
    db.store.complete(SCOPE, vec![retry(&jobs[1], 12), done]).await.unwrap();
    assert_eq!(state().await, (17, 6));
    let again = claim(&db.store, Queue::Batch, 3).await;
    let mut left: Vec<_> = again.iter().map(|job| job.batch.unwrap().reserved.0).collect();
    left.sort();
    assert_eq!(left, [0, 6]);
    db.store.complete(SCOPE, again.iter().map(|job| ended(job, Ending::Done)).collect()).await.unwrap();
    assert_eq!(state().await, (17, 0));
}

#[test]
fn no_history_spends_beyond_the_cap_or_leaves_anything_held_back() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let Some(db) = runtime.block_on(Database::new()) else { return };
    let guard = "ALTER TABLE batches ADD CHECK (cap IS NULL OR spent + reserved <= cap)";
    runtime.block_on(db.execute(guard));
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&vec(step(), 1..40), |steps| {
        runtime.block_on(async {
            let mut history = History::new(&db).await;
            for step in steps {
                history.run(step).await;
                history.holds().await;
            }
            history.finish().await;
        });
        Ok(())
    });
    outcome.unwrap();
}
