//! The ledger beside its model: random histories run on PostgreSQL and on `Life`, and both must agree after
//! each step.

use std::{collections::HashMap, time::Duration};

use colloquy_domain::{
    accounts::Tenant,
    ids::JobId,
    jobs::{
        Claim, ClaimedJob, JobState, NewJob, Queue,
        state::{Change, Life},
    },
    ports::jobs::{ClaimFrom, Completion, Ending, JobFilter, Lease, Ledger},
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use uuid::Uuid;

use crate::support::{
    Database,
    fixtures::{FREE, LEASE, SCOPE, dispatch, organization, probe},
};

#[derive(Debug, Clone)]
enum Step {
    Dispatch {
        window: usize,
        chunk: usize,
    },
    ClaimDispatch {
        which: usize,
    },
    ClaimQueue {
        limit: usize,
    },
    Recall {
        which: usize,
    },
    /// Of any claim that was ever given, so that stale ones are tried too.
    Begin {
        which: usize,
    },
    /// Likewise.
    End {
        claims: Vec<(usize, How)>,
    },
    /// The leases of these running jobs run out, and the reconciler comes.
    Expire {
        which: Vec<usize>,
    },
    /// All dispatches miss their deadline, and the reconciler comes.
    Miss,
    /// The leases of all running jobs are extended, as a worker does that hears of cancellations so.
    Extend,
    Cancel {
        which: usize,
    },
    Revive {
        which: usize,
    },
}

#[derive(Debug, Clone, Copy)]
enum How {
    Done,
    Retry,
    Fail,
    HandBack,
    PutOff,
    Cancelled,
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![
        1 => Just(How::Done),
        3 => Just(How::Retry),
        1 => Just(How::Fail),
        1 => Just(How::HandBack),
        1 => Just(How::PutOff),
        2 => Just(How::Cancelled),
    ];
    prop_oneof![
        3 => (1..6_usize, 1..4_usize).prop_map(|(window, chunk)| Step::Dispatch { window, chunk }),
        4 => any::<usize>().prop_map(|which| Step::ClaimDispatch { which }),
        2 => (1..4_usize).prop_map(|limit| Step::ClaimQueue { limit }),
        1 => any::<usize>().prop_map(|which| Step::Recall { which }),
        3 => any::<usize>().prop_map(|which| Step::Begin { which }),
        5 => vec((any::<usize>(), how), 1..4).prop_map(|claims| Step::End { claims }),
        2 => vec(any::<usize>(), 1..3).prop_map(|which| Step::Expire { which }),
        1 => Just(Step::Miss),
        1 => Just(Step::Extend),
        2 => any::<usize>().prop_map(|which| Step::Cancel { which }),
        2 => any::<usize>().prop_map(|which| Step::Revive { which }),
    ]
}

struct Model<'a> {
    db: &'a Database,
    lives: HashMap<JobId, Life>,
    /// What is on its way.
    dispatched: HashMap<Uuid, Vec<JobId>>,
    /// All that ever were.
    dispatches: Vec<Uuid>,
    of_suspects: Vec<Uuid>,
    claims: Vec<Claim>,
    tenant: Tenant,
    jobs: Vec<JobId>,
    /// The jobs that each of these waits for.
    waits: HashMap<JobId, Vec<JobId>>,
}

const JOBS: usize = 5;
const ATTEMPTS: i32 = 2;

impl<'a> Model<'a> {
    async fn new(db: &'a Database) -> Self {
        db.execute("TRUNCATE jobs, dispatches CASCADE").await;
        let tenant = organization(&db.store).await.tenant;
        let mut jobs: Vec<_> = (0..JOBS).map(|_| probe(Some(tenant))).collect();
        // Of the five, the fourth waits for the first and the second, the last for the fourth.
        jobs[3].waits_for = vec![jobs[0].id, jobs[1].id];
        jobs[4].waits_for = vec![jobs[3].id];
        db.store.enqueue(SCOPE, jobs.clone()).await.unwrap();
        db.execute(&format!("UPDATE jobs SET max_attempts = {ATTEMPTS}")).await;
        let life = |job: &NewJob| (job.id, Life::waiting_for(job.waits_for.len() as u32, ATTEMPTS as u32));
        Self {
            db,
            lives: jobs.iter().map(life).collect(),
            dispatched: HashMap::new(),
            dispatches: Vec::new(),
            of_suspects: Vec::new(),
            claims: Vec::new(),
            tenant,
            jobs: jobs.iter().map(|job| job.id).collect(),
            waits: jobs.iter().map(|job| (job.id, job.waits_for.clone())).collect(),
        }
    }

    fn waiting_on(&self, job: JobId) -> Vec<JobId> {
        self.waits.iter().filter(|(_, others)| others.contains(&job)).map(|(id, _)| *id).collect()
    }

    /// With all that wait for it.
    fn cancel(&mut self, job: JobId) {
        self.change(job, Change::Cancel);
        self.waiting_on(job).into_iter().for_each(|other| self.cancel(other));
    }

    fn change(&mut self, job: JobId, change: Change) -> bool {
        let life = self.lives.get_mut(&job).expect("a job of ours");
        let after = life.after(change);
        if let Some(after) = after {
            *life = after;
            if after.state == JobState::Done {
                for other in self.waiting_on(job) {
                    self.change(other, Change::Release);
                }
            }
        }
        after.is_some()
    }

    fn claimed(&mut self, jobs: &[ClaimedJob], apart: bool) {
        for job in jobs {
            let change = Change::Claim { token: job.claim.token, apart };
            assert!(self.change(job.claim.job_id, change), "{job:?} could not be claimed");
            let life = self.lives[&job.claim.job_id];
            assert_eq!(job.attempt, life.attempts + 1);
            self.claims.push(job.claim);
        }
    }

    async fn run(&mut self, step: Step) {
        let store = &self.db.store;
        match step {
            Step::Dispatch { window, chunk } => {
                let before: Vec<_> = self.dispatched.values().flatten().copied().collect();
                let waits =
                    |(job, life): &(&JobId, &Life)| life.state == JobState::Ready && !before.contains(job);
                let ready = self.lives.iter().filter(waits).count();
                let sent = dispatch(store, Queue::Default, window, chunk).await;
                let number: usize = sent.iter().map(|one| one.jobs).sum();
                assert_eq!(number, ready.min(window.saturating_sub(before.len())));
                for one in sent {
                    let sql = "SELECT unnest(job_ids) FROM dispatches WHERE id = $1";
                    let rows = self.db.sql.query(sql, &[&one.id]).await.unwrap();
                    let jobs: Vec<_> = rows.iter().map(|row| JobId(row.get(0))).collect();
                    assert!(jobs.len() == one.jobs && jobs.len() <= chunk);
                    let suspects = jobs.iter().filter(|job| self.lives[job].suspect).count();
                    assert!(suspects == 0 || suspects == jobs.len(), "suspects go apart");
                    for job in &jobs {
                        assert!(self.lives[job].state == JobState::Ready && !before.contains(job));
                    }
                    if suspects > 0 {
                        self.of_suspects.push(one.id);
                    }
                    self.dispatched.insert(one.id, jobs);
                    self.dispatches.push(one.id);
                }
            }
            Step::ClaimDispatch { which } => {
                let Some(id) = pick(&self.dispatches, which) else { return };
                let brought = self.dispatched.remove(&id).unwrap_or_default();
                // What has become a suspect since does not run with the others.
                let apart = brought.len() == 1 || self.of_suspects.contains(&id);
                let can = |life: Life| life.state == JobState::Ready && (apart || !life.suspect);
                let waiting = brought.iter().filter(|job| can(self.lives[job])).count();
                let from = ClaimFrom::Dispatches(vec![id]);
                let jobs = store.claim(SCOPE, from, "w", LEASE, &FREE).await.unwrap();
                assert_eq!(jobs.len(), waiting);
                self.claimed(&jobs, apart);
            }
            Step::ClaimQueue { limit } => {
                let ready = self.count(JobState::Ready);
                let from = ClaimFrom::Queue { queue: Queue::Default, limit };
                let jobs = store.claim(SCOPE, from, "w", LEASE, &FREE).await.unwrap();
                assert!(jobs.len() <= limit && (ready == 0) == jobs.is_empty());
                let suspects = jobs.iter().filter(|job| job.is_suspect).count();
                assert!(suspects == 0 || suspects == jobs.len(), "suspects are taken apart");
                self.claimed(&jobs, suspects > 0);
            }
            Step::Recall { which } => {
                let Some(id) = pick(&self.dispatches, which) else { return };
                store.recall(SCOPE, &[id]).await.unwrap();
                self.dispatched.remove(&id);
            }
            Step::Begin { which } => {
                let Some(claim) = pick(&self.claims, which) else { return };
                let begun = store.begin(SCOPE, claim).await.unwrap();
                assert_eq!(self.change(claim.job_id, Change::Begin { token: claim.token }), begun);
            }
            Step::End { claims } => {
                let chosen: Vec<_> = claims
                    .into_iter()
                    .filter_map(|(which, how)| Some((pick(&self.claims, which)?, how)))
                    .collect();
                let completions = chosen.iter().map(|(claim, how)| completion(*claim, *how)).collect();
                let held = store.complete(SCOPE, completions).await.unwrap();
                for ((claim, how), held) in chosen.into_iter().zip(held) {
                    let token = claim.token;
                    let change = match how {
                        How::Done => Change::Complete { token },
                        How::Retry => Change::Fail { token, fatal: false },
                        How::Fail => Change::Fail { token, fatal: true },
                        How::HandBack | How::PutOff => Change::HandBack { token },
                        How::Cancelled => Change::Cancelled { token },
                    };
                    assert_eq!(self.change(claim.job_id, change), held);
                }
            }
            Step::Expire { which } => {
                let running: Vec<_> = self.claims.iter().filter(|claim| self.holds(claim)).copied().collect();
                let mut expired: Vec<_> = which
                    .into_iter()
                    .filter_map(|one| pick(&running, one))
                    .map(|claim| claim.job_id.0)
                    .collect();
                expired.sort();
                expired.dedup();
                let sql = "UPDATE jobs SET deadline = now() - interval '1 s' WHERE id = ANY($1)";
                self.db.sql.execute(sql, &[&expired]).await.unwrap();
                let reconciled = store.reconcile(SCOPE).await.unwrap();
                assert_eq!(reconciled.expired_leases, expired.len());
                expired.into_iter().for_each(|job| assert!(self.change(JobId(job), Change::Expire)));
            }
            Step::Miss => {
                self.db.execute("UPDATE dispatches SET deadline = now() - interval '1 s'").await;
                let reconciled = store.reconcile(SCOPE).await.unwrap();
                assert_eq!(reconciled.missed_dispatches.len(), self.dispatched.len());
                self.dispatched.clear();
            }
            Step::Extend => {
                let leases = store.extend(SCOPE, &self.claims, LEASE).await.unwrap();
                for (claim, lease) in self.claims.iter().zip(leases) {
                    let expected = match self.holds(claim) {
                        true if self.lives[&claim.job_id].unwanted => Lease::Unwanted,
                        true => Lease::Held,
                        false => Lease::Lost,
                    };
                    assert_eq!(lease, expected);
                }
            }
            Step::Cancel { which } => {
                let job = self.jobs[which % JOBS];
                let is_final = self.lives[&job].state.is_final();
                store.cancel(self.tenant, &only(job), 10).await.unwrap();
                if !is_final {
                    self.cancel(job);
                }
            }
            Step::Revive { which } => {
                let job = self.jobs[which % JOBS];
                let revived = store.revive(self.tenant, &only(job), 10).await.unwrap();
                assert_eq!(self.change(job, Change::Revive), revived == 1);
            }
        }
    }

    fn holds(&self, claim: &Claim) -> bool {
        let life = self.lives[&claim.job_id];
        life.state == JobState::Running && life.claim == Some(claim.token)
    }

    fn count(&self, state: JobState) -> usize {
        self.lives.values().filter(|life| life.state == state).count()
    }

    async fn agrees(&self) {
        let sql =
            "SELECT id, state, attempts, claim_token, suspect, waits_for, cancel_requested_at IS NOT NULL
            FROM jobs";
        let rows = self.db.sql.query(sql, &[]).await.unwrap();
        assert_eq!(rows.len(), self.lives.len());
        for row in rows {
            let life = self.lives[&JobId(row.get(0))];
            let token: Option<Uuid> = row.get(3);
            let (state, attempts, suspect): (String, i32, bool) = (row.get(1), row.get(2), row.get(4));
            assert_eq!(state, life.state.as_str());
            assert_eq!((attempts as u32, suspect), (life.attempts, life.suspect));
            assert_eq!(token, life.claim.map(|token| token.0));
            let (waits_for, unwanted): (i32, bool) = (row.get(5), row.get(6));
            assert_eq!((waits_for as u32, unwanted), (life.waits_for, life.unwanted));
        }
    }
}

fn only(job: JobId) -> JobFilter {
    JobFilter { ids: vec![job], ..JobFilter::default() }
}

fn pick<T: Copy>(from: &[T], which: usize) -> Option<T> {
    (!from.is_empty()).then(|| from[which % from.len()])
}

fn completion(claim: Claim, how: How) -> Completion {
    let message = "it did not work".to_owned();
    let ending = match how {
        How::Done => Ending::Done,
        How::Retry => Ending::Retry { message, delay: Duration::ZERO },
        How::Fail => Ending::Fail { message },
        How::HandBack => Ending::HandedBack,
        How::PutOff => Ending::PutOff { delay: Duration::ZERO },
        How::Cancelled => Ending::Cancelled,
    };
    Completion::new(claim, ending)
}

#[test]
fn the_ledger_and_its_model_agree_on_every_history() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let Some(db) = runtime.block_on(Database::new()) else { return };
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&vec(step(), 1..40), |steps| {
        runtime.block_on(async {
            let mut model = Model::new(&db).await;
            for step in steps {
                model.run(step).await;
                model.agrees().await;
            }
        });
        Ok(())
    });
    outcome.unwrap();
}
