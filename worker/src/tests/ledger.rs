//! The ledger in memory, by the domain's own rules of a job's life, for interleavings that cannot be forced on
//! the real one.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::DateTime;
use colloquy_domain::{
    Error, Result,
    accounts::{SystemScope, Tenant},
    audit::NewAuditEntry,
    ids::{ClaimToken, JobId},
    jobs::{
        Claim, ClaimedJob, Job, JobKind, JobState, NewJob, Payload, Queue,
        limits::JobLimits,
        manage::{Changed, JobAction},
        state::{Change, Life},
    },
    ports::jobs::{
        Cancelled, ChangedPage, ClaimFrom, Completion, Dispatch, DispatchPlan, Dispatched, Ending, JobFilter,
        Lease, Ledger, Order, QueueStats, Reconciled, Signal, Signals, WorkerNode,
    },
    time::Timestamp,
};
use uuid::Uuid;

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) life: Life,
    pub(super) errors: Vec<String>,
}

pub(super) struct MemoryLedger {
    signals: Arc<dyn Signals>,
    rows: Mutex<BTreeMap<JobId, Row>>,
    /// What is on its way.
    dispatches: Mutex<BTreeMap<Uuid, Vec<JobId>>>,
    next: AtomicU64,
    /// Calls of `complete` that still fail.
    pub(super) outage: AtomicUsize,
    /// Claims that panic yet.
    pub(super) panics: AtomicUsize,
    /// Whether looks say that jobs have waited for long.
    pub(super) waits: AtomicBool,
    pub(super) completions: AtomicUsize,
    pub(super) beats: AtomicUsize,
    pub(super) left: AtomicUsize,
}

impl MemoryLedger {
    pub(super) fn new(signals: Arc<dyn Signals>) -> Self {
        Self {
            signals,
            rows: Mutex::default(),
            dispatches: Mutex::default(),
            next: AtomicU64::new(0),
            outage: AtomicUsize::new(0),
            panics: AtomicUsize::new(0),
            waits: AtomicBool::new(false),
            completions: AtomicUsize::new(0),
            beats: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
        }
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<JobId, Row>> {
        self.rows.lock().unwrap()
    }

    fn id(&self) -> Uuid {
        Uuid::from_u64_pair(self.next.fetch_add(1, Ordering::Relaxed) + 1, 1)
    }

    /// So many jobs that are due.
    pub(super) fn add(&self, jobs: usize) -> Vec<JobId> {
        let row = Row { life: Life::new(3), errors: Vec::new() };
        let ids: Vec<_> = (0..jobs).map(|_| JobId(self.id())).collect();
        self.rows().extend(ids.iter().map(|id| (*id, row.clone())));
        ids
    }

    /// Puts them on their way as one dispatch.
    pub(super) fn send(&self, jobs: &[JobId]) -> Uuid {
        let id = self.id();
        self.dispatches.lock().unwrap().insert(id, jobs.to_vec());
        id
    }

    /// The lease ran out while nobody looked.
    pub(super) fn expire(&self, job: JobId) {
        let mut rows = self.rows();
        let row = rows.get_mut(&job).unwrap();
        row.life = row.life.after(Change::Expire).unwrap();
    }

    pub(super) fn suspect(&self, job: JobId) {
        self.rows().get_mut(&job).unwrap().life.suspect = true;
    }

    pub(super) fn row(&self, job: JobId) -> Row {
        self.rows()[&job].clone()
    }

    pub(super) fn count(&self, state: JobState) -> usize {
        self.rows().values().filter(|row| row.life.state == state).count()
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn claim(
        &self,
        _: SystemScope,
        from: ClaimFrom,
        _: &str,
        _: Duration,
        _: &JobLimits,
    ) -> Result<Vec<ClaimedJob>> {
        let panics = self.panics.load(Ordering::Relaxed);
        if panics > 0 {
            self.panics.store(panics - 1, Ordering::Relaxed);
            panic!("as told");
        }
        let mut rows = self.rows();
        let (wanted, limit) = match &from {
            ClaimFrom::Dispatches(ids) => {
                let mut dispatches = self.dispatches.lock().unwrap();
                let taken = ids.iter().filter_map(|id| Some((*id, dispatches.remove(id)?)));
                (
                    taken.flat_map(|(id, jobs)| jobs.into_iter().map(move |job| (job, Some(id)))).collect(),
                    usize::MAX,
                )
            }
            ClaimFrom::Queue { limit, .. } => {
                (rows.keys().map(|job| (*job, None)).collect::<Vec<_>>(), *limit)
            }
        };
        let apart = wanted.iter().all(|(id, _)| rows[id].life.suspect);
        let mut claimed = Vec::new();
        for (id, dispatch_id) in wanted {
            let row = rows.get_mut(&id).unwrap();
            let token = ClaimToken(self.id());
            let Some(life) = row.life.after(Change::Claim { token, apart: apart || limit == 1 }) else {
                continue;
            };
            if claimed.len() == limit {
                break;
            }
            row.life = life;
            claimed.push(ClaimedJob {
                claim: Claim { job_id: id, token },
                dispatch_id,
                kind: JobKind::Probe,
                organization_id: None,
                payload: Payload::Nothing {},
                attempt: life.attempts + 1,
                max_attempts: life.max_attempts,
                is_suspect: life.suspect,
                batch: None,
                traceparent: None,
                created_at: DateTime::UNIX_EPOCH,
            });
        }
        self.signals.raise(Signal::Jobs);
        Ok(claimed)
    }

    async fn begin(&self, _: SystemScope, claim: Claim) -> Result<bool> {
        let mut rows = self.rows();
        let row = rows.get_mut(&claim.job_id).unwrap();
        let begun = row.life.after(Change::Begin { token: claim.token });
        row.life = begun.unwrap_or(row.life);
        Ok(begun.is_some())
    }

    async fn extend(&self, _: SystemScope, claims: &[Claim], _: Duration) -> Result<Vec<Lease>> {
        let rows = self.rows();
        let lease = |claim: &Claim| match rows[&claim.job_id].life.claim {
            Some(token) if token == claim.token && rows[&claim.job_id].life.unwanted => Lease::Unwanted,
            Some(token) if token == claim.token => Lease::Held,
            _ => Lease::Lost,
        };
        Ok(claims.iter().map(lease).collect())
    }

    async fn complete(&self, _: SystemScope, completions: Vec<Completion>) -> Result<Vec<bool>> {
        let outage = self.outage.load(Ordering::Relaxed);
        if outage > 0 {
            self.outage.store(outage - 1, Ordering::Relaxed);
            return Err(Error::unavailable("complete jobs", "an outage"));
        }
        self.completions.fetch_add(1, Ordering::Relaxed);
        let mut rows = self.rows();
        let mut write = |completion: Completion| {
            let token = completion.claim.token;
            let row = rows.get_mut(&completion.claim.job_id).unwrap();
            let (change, error) = match completion.ending {
                Ending::Done => (Change::Complete { token }, None),
                Ending::Retry { message, .. } => (Change::Fail { token, fatal: false }, Some(message)),
                Ending::Fail { message } => (Change::Fail { token, fatal: true }, Some(message)),
                Ending::HandedBack | Ending::PutOff { .. } => (Change::HandBack { token }, None),
                Ending::Cancelled => (Change::Cancelled { token }, None),
            };
            let Some(life) = row.life.after(change) else {
                return false;
            };
            row.life = life;
            row.errors.extend(error);
            true
        };
        Ok(completions.into_iter().map(&mut write).collect())
    }

    async fn beat(&self, _: SystemScope, _: &WorkerNode) -> Result<()> {
        self.beats.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn leave(&self, _: SystemScope, _: &str) -> Result<()> {
        self.left.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn queue_stats(&self, _: SystemScope) -> Result<Vec<QueueStats>> {
        Ok(Vec::new())
    }

    async fn waiting_since(&self, _: SystemScope, _: Duration) -> Result<Vec<Queue>> {
        Ok(if self.waits.load(Ordering::Relaxed) { vec![Queue::Default] } else { Vec::new() })
    }

    async fn enqueue(&self, _: SystemScope, _: Vec<NewJob>) -> Result<()> {
        unimplemented!("nothing here asks for it")
    }

    async fn dispatch(
        &self,
        _: SystemScope,
        plans: &[DispatchPlan],
        _: Duration,
        _: &JobLimits,
    ) -> Result<Dispatched> {
        let mut dispatched = Dispatched::default();
        for plan in plans {
            let sent: Vec<_> = self.dispatches.lock().unwrap().values().flatten().copied().collect();
            let room = plan.window.saturating_sub(sent.len());
            let due = |(id, row): &(&JobId, &Row)| row.life.state == JobState::Ready && !sent.contains(id);
            let ready: Vec<_> = self.rows().iter().filter(due).map(|(id, _)| *id).take(room).collect();
            let send = |jobs: &[JobId]| Dispatch { id: self.send(jobs), queue: plan.queue, jobs: jobs.len() };
            dispatched.dispatches.extend(ready.chunks(plan.chunk).map(send));
            dispatched.is_full |= ready.len() == room;
        }
        Ok(dispatched)
    }

    async fn recall(&self, _: SystemScope, dispatches: &[Uuid]) -> Result<()> {
        self.dispatches.lock().unwrap().retain(|id, _| !dispatches.contains(id));
        self.signals.raise(Signal::Jobs);
        Ok(())
    }

    async fn reconcile(&self, _: SystemScope) -> Result<Reconciled> {
        unimplemented!("nothing here asks for it")
    }

    /// That of the bench's worker.
    async fn capacity(&self, _: SystemScope) -> Result<Vec<(Queue, usize)>> {
        Ok(vec![(Queue::Default, 2), (Queue::Mail, 0)])
    }

    async fn counts(&self, _: SystemScope) -> Result<Vec<(Queue, JobState, u64)>> {
        unimplemented!("nothing here asks for it")
    }

    async fn list(&self, _: Tenant, _: &JobFilter, _: Option<JobId>, _: usize) -> Result<Vec<Job>> {
        unimplemented!("nothing here asks for it")
    }

    async fn find(&self, _: Tenant, _: &[JobId]) -> Result<Vec<Job>> {
        unimplemented!("nothing here asks for it")
    }

    async fn prune(&self, _: SystemScope, _: Timestamp, _: usize) -> Result<usize> {
        unimplemented!("nothing here asks for it")
    }

    async fn abandon(&self, _: SystemScope, _: &str) -> Result<usize> {
        unimplemented!("nothing here asks for it")
    }

    async fn cancel(&self, _: Tenant, _: &JobFilter, _: usize) -> Result<Cancelled> {
        unimplemented!("nothing here asks for it")
    }

    async fn revive(&self, _: Tenant, _: &JobFilter, _: usize) -> Result<usize> {
        unimplemented!("nothing here asks for it")
    }

    async fn change(&self, _: Tenant, _: Order<'_>, _: NewAuditEntry) -> Result<ChangedPage> {
        unimplemented!("nothing here asks for it")
    }

    async fn find_ids(&self, _: Tenant, _: Order<'_>) -> Result<Vec<JobId>> {
        unimplemented!("nothing here asks for it")
    }

    async fn count_changes(&self, _: Tenant, _: JobAction, _: &JobFilter) -> Result<Changed> {
        unimplemented!("nothing here asks for it")
    }

    async fn pause(&self, _: Queue, _: Option<Tenant>, _: NewAuditEntry) -> Result<bool> {
        unimplemented!("nothing here asks for it")
    }

    async fn resume(&self, _: Queue, _: Option<Tenant>, _: NewAuditEntry) -> Result<bool> {
        unimplemented!("nothing here asks for it")
    }

    async fn paused(&self, _: Tenant) -> Result<Vec<Queue>> {
        unimplemented!("nothing here asks for it")
    }

    async fn sample(&self, _: SystemScope) -> Result<()> {
        unimplemented!("nothing here asks for it")
    }
}
