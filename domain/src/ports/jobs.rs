//! The job ledger, the dispatch that carries hints of it to workers, and leadership among processes.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Result,
    accounts::{SystemScope, Tenant},
    audit::NewAuditEntry,
    events::NewEvent,
    ids::{BatchId, ConversationId, JobId},
    jobs::{
        Claim, ClaimedJob, Job, JobKind, JobState, NewJob, Queue,
        limits::JobLimits,
        manage::{Changed, JobAction},
    },
    money::MicroDollars,
    time::Timestamp,
};

/// A chunk of jobs on its way to one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dispatch {
    pub id: Uuid,
    pub queue: Queue,
    pub jobs: usize,
}

/// What a pass over the queues came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dispatched {
    /// By turn.
    pub dispatches: Vec<Dispatch>,
    /// A window has no room left, so more may wait.
    pub is_full: bool,
    /// When the next delayed job is due, from now; `None` where none waits.
    pub next_due: Option<Duration>,
}

/// How many jobs of a queue may be dispatched, and how.
#[derive(Debug, Clone, Copy)]
pub struct DispatchPlan {
    pub queue: Queue,
    /// Jobs that may be dispatched and unclaimed at the end; what is so already counts.
    pub window: usize,
    /// Jobs a dispatch at most.
    pub chunk: usize,
}

/// Which jobs a worker takes.
#[derive(Debug, Clone)]
pub enum ClaimFrom {
    Dispatches(Vec<Uuid>),
    /// Straight from the ledger, while dispatch does not serve. At most `limit` jobs, suspects apart from others.
    Queue {
        queue: Queue,
        limit: usize,
    },
}

/// How a handler ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// Its effects stand outside PostgreSQL or in `follow`.
    Done,
    /// Runs again after `delay`, or is dead when its attempts are spent.
    Retry { message: String, delay: Duration },
    /// Dead at once.
    Fail { message: String },
    /// Was not begun, or was interrupted by the worker's own end: goes back without counting.
    HandedBack,
    /// Is not for this release, or not now: goes back without counting, and waits.
    PutOff { delay: Duration },
    /// Was stopped, since somebody wanted it cancelled.
    Cancelled,
}

/// What is written when a job ends, in one transaction with the check of its claim.
#[derive(Debug, Clone)]
pub struct Completion {
    pub claim: Claim,
    pub ending: Ending,
    /// Written only when the ending is [`Ending::Done`].
    pub follow: Follow,
    /// What this run cost, however it ended. Its batch pays.
    pub spent: MicroDollars,
    /// There was nothing to do: its batch counts it as skipped.
    pub skipped: bool,
}

impl Completion {
    /// That cost nothing, and that nothing follows.
    pub fn new(claim: Claim, ending: Ending) -> Self {
        Self { claim, ending, follow: Follow::default(), spent: MicroDollars::ZERO, skipped: false }
    }
}

/// What follows a change, in the change's own transaction.
#[derive(Debug, Clone, Default)]
pub struct Follow {
    pub jobs: Vec<NewJob>,
    pub events: Vec<NewEvent>,
}

/// What became of a claim when its lease was to be extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    Held,
    /// Held still, but somebody wants the job cancelled: stop, and complete it as [`Ending::Cancelled`].
    Unwanted,
    /// Somebody else has the job, or it is gone: stop, nothing that is done now will count.
    Lost,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reconciled {
    /// Leases that ran out, whose jobs went back to READY or died.
    pub expired_leases: usize,
    /// Dispatches that nobody claimed in time.
    pub missed_dispatches: Vec<(Queue, Uuid)>,
}

/// One queue in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueStats {
    pub queue: Queue,
    /// Due and waiting, dispatched ones included.
    pub ready: u64,
    /// Waiting for their time.
    pub delayed: u64,
    pub running: u64,
    pub dead: u64,
    /// Age of the oldest job that is due and not running.
    pub oldest_ready_ms: Option<u64>,
    /// Waiting for other jobs.
    pub waiting: u64,
    /// Workers seen lately that serve it.
    pub workers: u64,
    /// For every organization.
    pub is_paused: bool,
    /// Jobs a second over the last minute, that came and that ended; `None` until they have been watched for
    /// some seconds.
    pub rate_in: Option<f64>,
    pub rate_out: Option<f64>,
}

impl QueueStats {
    /// When the backlog will be gone if rates stay; `None` where it does not shrink.
    pub fn drain_time(&self) -> Option<Duration> {
        let backlog = (self.ready + self.running) as f64;
        if backlog == 0.0 {
            return Some(Duration::ZERO);
        }
        let shrinks = self.rate_out? - self.rate_in?;
        let seconds = backlog / shrinks;
        (shrinks > 0.0 && seconds < 1e9).then(|| Duration::from_secs_f64(seconds))
    }
}

/// Within a list any value will do; between fields all must hold.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    pub ids: Vec<JobId>,
    pub kinds: Vec<JobKind>,
    pub queues: Vec<Queue>,
    pub states: Vec<JobState>,
    pub conversation_id: Option<ConversationId>,
    pub batch_id: Option<BatchId>,
    /// Words that stand next to each other in the message of one of its errors.
    pub error: Option<String>,
    pub created_from: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
}

impl JobFilter {
    /// It fits every job.
    pub fn is_empty(&self) -> bool {
        let Self {
            ids,
            kinds,
            queues,
            states,
            conversation_id,
            batch_id,
            error,
            created_from,
            created_before,
        } = self;
        ids.is_empty()
            && kinds.is_empty()
            && queues.is_empty()
            && states.is_empty()
            && conversation_id.is_none()
            && batch_id.is_none()
            && error.is_none()
            && created_from.is_none()
            && created_before.is_none()
    }
}

/// What to do to a page of the jobs that fit a filter, newest first.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    pub action: JobAction,
    pub filter: &'a JobFilter,
    /// The last job of the page before.
    pub after: Option<JobId>,
    pub limit: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChangedPage {
    pub changed: Changed,
    /// The last job of this page, where there may be another.
    pub next: Option<JobId>,
}

/// What happened to the jobs of a filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cancelled {
    pub cancelled: usize,
    /// Run still, and stop soon.
    pub asked: usize,
}

/// A worker process as the fleet knows it: it counts as alive for a few heartbeats after the last one.
#[derive(Debug, Clone)]
pub struct WorkerNode {
    /// Unique to one run of one process.
    pub name: String,
    /// Queues it serves and how many handlers it runs at once in each.
    pub queues: Vec<(Queue, usize)>,
    /// Jobs that have ended here since the last beat, however they ended.
    pub ended: Vec<(Queue, u64)>,
}

/// What writes here raises the [`Signal`]s of what it wrote, once that is committed.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Writes jobs that no other change causes, except those whose unique key an unfinished job has.
    async fn enqueue(&self, scope: SystemScope, jobs: Vec<NewJob>) -> Result<()>;

    /// Puts due jobs on their way, by priority, then fairly between organizations, then by age, until the
    /// plans' windows are full. Suspects have dispatches of their own. What nobody claimed within `deadline` is
    /// recalled.
    async fn dispatch(
        &self,
        scope: SystemScope,
        plans: &[DispatchPlan],
        deadline: Duration,
        limits: &JobLimits,
    ) -> Result<Dispatched>;

    /// Takes back dispatches that could not be pushed.
    async fn recall(&self, scope: SystemScope, dispatches: &[Uuid]) -> Result<()>;

    /// Moves jobs to RUNNING under a fresh token each; what cannot be claimed any more is left out.
    async fn claim(
        &self,
        scope: SystemScope,
        from: ClaimFrom,
        worker: &str,
        lease: Duration,
        limits: &JobLimits,
    ) -> Result<Vec<ClaimedJob>>;

    /// A suspect's handler begins, and the attempt counts from now on, whatever becomes of its worker. `false` where
    /// the claim is lost: it must not begin.
    async fn begin(&self, scope: SystemScope, claim: Claim) -> Result<bool>;

    /// Extends leases; the answer is in the order of `claims`.
    async fn extend(&self, scope: SystemScope, claims: &[Claim], lease: Duration) -> Result<Vec<Lease>>;

    /// Ends jobs, in one transaction for all. `true` where the claim still held and the ending was written.
    /// Dead jobs of a conversation leave a FAILED progress event.
    async fn complete(&self, scope: SystemScope, completions: Vec<Completion>) -> Result<Vec<bool>>;

    /// Gives back what leases and dispatch deadlines have run out on, and cancels what is of a retired kind.
    async fn reconcile(&self, scope: SystemScope) -> Result<Reconciled>;

    /// A worker has ended without a word, and its supervisor knows: its leases run out at once.
    async fn abandon(&self, scope: SystemScope, worker: &str) -> Result<usize>;

    /// Marks the worker as alive; forgets those silent for long.
    async fn beat(&self, scope: SystemScope, worker: &WorkerNode) -> Result<()>;

    /// The worker is leaving.
    async fn leave(&self, scope: SystemScope, worker: &str) -> Result<()>;

    /// Handlers that live workers run at once, by queue.
    async fn capacity(&self, scope: SystemScope) -> Result<Vec<(Queue, usize)>>;

    async fn queue_stats(&self, scope: SystemScope) -> Result<Vec<QueueStats>>;

    /// Queues in which a job has been due for so long; costs the same however many wait.
    async fn waiting_since(&self, scope: SystemScope, age: Duration) -> Result<Vec<Queue>>;

    /// Jobs by queue and state over all organizations, for metrics: those that wait, run or are dead. The
    /// others are only counted as they end.
    async fn counts(&self, scope: SystemScope) -> Result<Vec<(Queue, JobState, u64)>>;

    /// Newest first; `after` is the last id of the page before.
    async fn list(
        &self,
        tenant: Tenant,
        filter: &JobFilter,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Job>>;

    async fn find(&self, tenant: Tenant, ids: &[JobId]) -> Result<Vec<Job>>;

    /// Cancels at most `limit` unfinished jobs, and those that wait for them.
    async fn cancel(&self, tenant: Tenant, filter: &JobFilter, limit: usize) -> Result<Cancelled>;

    /// Gives at most `limit` dead or cancelled jobs all their attempts anew; what went wrong stays written.
    async fn revive(&self, tenant: Tenant, filter: &JobFilter, limit: usize) -> Result<usize>;

    /// What an administrator does to one page, noted with what came of it. A page beyond the first that has no
    /// job is not noted.
    async fn change(&self, tenant: Tenant, order: Order<'_>, audit: NewAuditEntry) -> Result<ChangedPage>;

    /// The jobs of one page of [`change`](Self::change), which may be a large one; nothing changes.
    async fn find_ids(&self, tenant: Tenant, order: Order<'_>) -> Result<Vec<JobId>>;

    /// What [`change`](Self::change) would do over all pages, at one moment; nothing changes.
    async fn count_changes(&self, tenant: Tenant, action: JobAction, filter: &JobFilter) -> Result<Changed>;

    /// Nothing of the queue begins any more, for one organization or for all, which is an operator's matter and
    /// in no organization's audit log. Whether it was not paused yet.
    async fn pause(&self, queue: Queue, whose: Option<Tenant>, audit: NewAuditEntry) -> Result<bool>;

    /// Whether it was paused.
    async fn resume(&self, queue: Queue, whose: Option<Tenant>, audit: NewAuditEntry) -> Result<bool>;

    /// Queues that this organization has paused for itself.
    async fn paused(&self, tenant: Tenant) -> Result<Vec<Queue>>;

    /// Notes how far each queue has come, for rates.
    async fn sample(&self, scope: SystemScope) -> Result<()>;

    /// Deletes finished jobs older than `before`, at most `limit`; dead ones are kept.
    async fn prune(&self, scope: SystemScope, before: Timestamp, limit: usize) -> Result<usize>;
}

/// Takes a dispatch that arrived. It returns when all its jobs have ended or been left.
#[async_trait]
pub trait OnDispatch: Send + Sync {
    async fn handle(&self, queue: Queue, dispatch: Uuid);
}

/// Carries dispatch ids to workers. Lossy: the ledger's deadlines make up for what is lost.
#[async_trait]
pub trait Dispatcher: Send + Sync {
    async fn push(&self, queue: Queue, dispatches: &[Uuid]) -> Result<()>;

    /// Takes back what nobody has received yet and would bring nothing any more, so that nobody works through it
    /// before what came later.
    async fn withdraw(&self, queue: Queue, dispatches: &[Uuid]) -> Result<()>;

    /// Receives until `stop` is cancelled, then until what was received has been handled. It never fails for
    /// good: it reconnects.
    async fn serve(
        &self,
        queue: Queue,
        concurrency: usize,
        handler: Arc<dyn OnDispatch>,
        stop: CancellationToken,
    );

    /// Whether messages can be sent and received now.
    async fn ping(&self) -> Result<()>;
}

/// What only one process does at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Office {
    /// Relay, reconciler, numbering of events.
    Steward,
    Migration,
}

/// Held until dropped, or until `lost` says that the lock's connection broke.
#[async_trait]
pub trait Leadership: Send + Sync {
    /// Fails when it is not held any more.
    async fn confirm(&mut self) -> Result<()>;
}

#[async_trait]
pub trait Leaders: Send + Sync {
    /// `None` while another process leads.
    async fn try_lead(&self, office: Office) -> Result<Option<Box<dyn Leadership>>>;
}

/// Something changed that another process may wait for. Coalesced; polling makes up for a lost one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Jobs became ready, or room for them did.
    Jobs,
    /// Events await their numbers.
    Events,
    /// Events have been numbered.
    Numbered,
}

#[async_trait]
pub trait Signals: Send + Sync {
    /// Wakes waiters in every process, soon; never waits and never fails the caller.
    fn raise(&self, signal: Signal);

    /// Ends at the next raise of the signal, in this process or another.
    fn subscribe(&self, signal: Signal) -> tokio::sync::watch::Receiver<u64>;
}
