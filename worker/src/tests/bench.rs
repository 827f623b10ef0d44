//! A worker on a test bench: a ledger and a dispatch in memory, and handlers that do as they are told.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use chrono::DateTime;
use colloquy_domain::{
    Error, Result,
    ids::JobId,
    jobs::{
        ClaimedJob, JobKind, Queue,
        limits::JobLimits,
        retry::JobError,
        rules::{JobRules, KindRules},
    },
    ports::jobs::{Dispatcher, OnDispatch, Signal, Signals},
    time::{Clock, Timestamp},
};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::ledger::MemoryLedger;
use crate::{Worker, execute::Work, handler::Outcome, relay, settings::WorkerSettings};

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Panic,
    Retry,
    Fail,
    /// The store completed the claim with the effect.
    Commit,
    Take(Duration),
    /// Until it is stopped.
    Hang,
}

/// Does what is written for a job, and nothing for others.
#[derive(Default)]
pub(super) struct Script {
    acts: Mutex<HashMap<JobId, Act>>,
    pub(super) begun: Mutex<Vec<JobId>>,
    pub(super) cancels: Mutex<HashMap<JobId, CancellationToken>>,
    running: AtomicUsize,
    /// How many ran when a job began.
    pub(super) beside: Mutex<HashMap<JobId, usize>>,
}

impl Script {
    pub(super) fn tell(&self, job: JobId, act: Act) {
        self.acts.lock().unwrap().insert(job, act);
    }

    pub(super) fn has_begun(&self, job: JobId) -> bool {
        self.begun.lock().unwrap().contains(&job)
    }
}

#[async_trait]
impl Work for Script {
    async fn run(&self, job: &ClaimedJob, cancel: CancellationToken) -> Result<Outcome, JobError> {
        let id = job.claim.job_id;
        self.begun.lock().unwrap().push(id);
        self.cancels.lock().unwrap().insert(id, cancel);
        let beside = self.running.fetch_add(1, Ordering::SeqCst);
        self.beside.lock().unwrap().insert(id, beside);
        let act = self.acts.lock().unwrap().get(&id).copied();
        let done = self.act(act).await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        done
    }

    fn rules(&self, kind: JobKind) -> KindRules {
        KindRules { timeout: Duration::from_secs(5), ..JobRules::default().of(kind) }
    }
}

impl Script {
    async fn act(&self, act: Option<Act>) -> Result<Outcome, JobError> {
        let failure = || Error::unavailable("reach the moon", "no signal");
        match act {
            Some(Act::Panic) => panic!("as told"),
            Some(Act::Retry) => Err(JobError::retry(failure())),
            Some(Act::Fail) => Err(JobError::fail(failure())),
            Some(Act::Commit) => Ok(Outcome::Committed),
            Some(Act::Take(time)) => {
                sleep(time).await;
                Ok(Outcome::nothing())
            }
            Some(Act::Hang) => std::future::pending().await,
            None => Ok(Outcome::nothing()),
        }
    }
}

/// Hands over what is pushed, unless it is broken.
pub(super) struct Line {
    pushed: mpsc::UnboundedSender<Uuid>,
    received: tokio::sync::Mutex<mpsc::UnboundedReceiver<Uuid>>,
    pub(super) is_broken: AtomicBool,
    /// Dispatches in one push at most.
    pub(super) longest: AtomicUsize,
}

#[async_trait]
impl Dispatcher for Line {
    async fn push(&self, _: Queue, dispatches: &[Uuid]) -> Result<()> {
        self.ping().await?;
        self.longest.fetch_max(dispatches.len(), Ordering::Relaxed);
        dispatches.iter().for_each(|id| self.pushed.send(*id).unwrap());
        Ok(())
    }

    async fn withdraw(&self, _: Queue, _: &[Uuid]) -> Result<()> {
        Ok(())
    }

    async fn serve(&self, queue: Queue, _: usize, handler: Arc<dyn OnDispatch>, stop: CancellationToken) {
        let mut received = self.received.lock().await;
        let mut handling = JoinSet::new();
        while let Some(Some(id)) = stop.run_until_cancelled(received.recv()).await {
            let handler = handler.clone();
            handling.spawn(async move { handler.handle(queue, id).await });
        }
        while handling.join_next().await.is_some() {}
    }

    async fn ping(&self) -> Result<()> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(Error::unavailable("ping", "broken"));
        }
        Ok(())
    }
}

pub(super) struct Shouts([watch::Sender<u64>; 3]);

impl Shouts {
    fn of(&self, signal: Signal) -> &watch::Sender<u64> {
        match signal {
            Signal::Jobs => &self.0[0],
            Signal::Events => &self.0[1],
            Signal::Numbered => &self.0[2],
        }
    }
}

impl Signals for Shouts {
    fn raise(&self, signal: Signal) {
        self.of(signal).send_modify(|count| *count += 1);
    }

    fn subscribe(&self, signal: Signal) -> watch::Receiver<u64> {
        self.of(signal).subscribe()
    }
}

struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        DateTime::UNIX_EPOCH
    }
}

pub(super) struct Bench {
    pub(super) ledger: Arc<MemoryLedger>,
    pub(super) script: Arc<Script>,
    pub(super) line: Arc<Line>,
    pub(super) signals: Arc<Shouts>,
    stop: CancellationToken,
    working: JoinHandle<()>,
}

impl Bench {
    /// A worker with two handlers and leases of a second.
    pub(super) fn begin(grace: Duration) -> Self {
        let signals = Arc::new(Shouts(std::array::from_fn(|_| watch::Sender::new(0))));
        let ledger = Arc::new(MemoryLedger::new(signals.clone()));
        let script = Arc::new(Script::default());
        let (pushed, received) = mpsc::unbounded_channel();
        let line = Arc::new(Line {
            pushed,
            received: received.into(),
            is_broken: AtomicBool::new(false),
            longest: AtomicUsize::new(0),
        });
        let mut settings =
            WorkerSettings { lease_ms: 1000, stuck_after_ms: 1000, ..WorkerSettings::default() };
        settings.concurrency.default = 2;
        let worker = Worker::with_work(
            script.clone(),
            ledger.clone(),
            signals.clone(),
            Arc::new(Epoch),
            line.clone(),
            settings,
            JobLimits::default(),
            &[Queue::Default],
            "bench".to_owned(),
        );
        let stop = CancellationToken::new();
        let working = tokio::spawn(worker.run(stop.clone(), grace));
        Self { ledger, script, line, signals, stop, working }
    }

    /// A steward's relay for the worker; aborted when dropped.
    pub(super) fn relay(&self) -> JoinSet<Infallible> {
        let (ledger, signals, line) = (self.ledger.clone(), self.signals.clone(), self.line.clone());
        let mut relay = JoinSet::new();
        relay.spawn(async move {
            relay::run(
                ledger.as_ref(),
                signals.as_ref(),
                line.as_ref(),
                Duration::from_secs(15),
                &JobLimits::default(),
            )
            .await
        });
        relay
    }

    /// Adds jobs and puts them on their way as one chunk.
    pub(super) async fn send(&self, acts: &[Option<Act>]) -> Vec<JobId> {
        let jobs = self.ledger.add(acts.len());
        self.push(&jobs, acts).await;
        jobs
    }

    pub(super) async fn send_suspects(&self, acts: &[Option<Act>]) -> Vec<JobId> {
        let jobs = self.ledger.add(acts.len());
        jobs.iter().for_each(|job| self.ledger.suspect(*job));
        self.push(&jobs, acts).await;
        jobs
    }

    async fn push(&self, jobs: &[JobId], acts: &[Option<Act>]) {
        for (job, act) in jobs.iter().zip(acts) {
            if let Some(act) = act {
                self.script.tell(*job, *act);
            }
        }
        let dispatch = self.ledger.send(jobs);
        self.line.push(Queue::Default, &[dispatch]).await.unwrap();
    }

    pub(super) async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "never: {what}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) async fn end(self) -> Arc<MemoryLedger> {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.working).await.expect("the worker ends").unwrap();
        self.ledger
    }
}
