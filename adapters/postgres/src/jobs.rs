//! The job ledger: the rules of `colloquy_domain::jobs::state` in SQL, over sets of rows. Due times, leases and
//! deadlines are PostgreSQL's clock. Whatever ends or begins is told in the event log by the same statement.

mod claim;
mod complete;
mod dispatch;
mod fleet;
mod horizon;
mod limits;
mod manage;
mod query;
mod reconcile;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::{SystemScope, Tenant},
    audit::NewAuditEntry,
    ids::JobId,
    jobs::{
        Claim, ClaimedJob, Job, JobKind, JobState, NewJob, Queue,
        limits::JobLimits,
        manage::{Changed, JobAction},
    },
    ports::jobs::{
        Cancelled, ChangedPage, ClaimFrom, Completion, DispatchPlan, Dispatched, Follow, JobFilter, Lease,
        Ledger, Order, QueueStats, Reconciled, WorkerNode,
    },
    time::Timestamp,
};
use uuid::Uuid;

use crate::{
    Postgres,
    follow::{self, Raised},
    jobs::{horizon::Next, limits::Rooms},
    pool::{self, Connection},
};

pub use horizon::Remembering;
pub(crate) use {complete::complete_one, horizon::Horizon, manage::cancel as cancel_matching};

/// Rows of other kinds are a later release's, and are left to it.
fn known_kinds() -> Vec<&'static str> {
    JobKind::ALL.into_iter().map(JobKind::as_str).collect()
}

impl Postgres {
    /// Looks where jobs wait, for dispatch to go by.
    async fn look(&self) -> Result<()> {
        let looking = self.horizon.begin();
        let seen = self.run("look where jobs wait", async |conn| horizon::look(conn).await).await?;
        looking.learn(seen);
        Ok(())
    }

    /// Cancels what waits of kinds that nothing does any more; how many. [`Ledger::reconcile`] does it with
    /// [`JobKind::RETIRED`].
    pub async fn retire(&self, kinds: &[&str]) -> Result<usize> {
        let mut all = 0;
        loop {
            let retire = async |conn: &mut Connection| reconcile::retire(conn, kinds).await;
            let (retired, raised) = self.transaction("retire kinds of jobs", retire).await?;
            self.announce(raised);
            all += retired;
            if retired < reconcile::BATCH {
                return Ok(all);
            }
        }
    }
}

#[async_trait]
impl Ledger for Postgres {
    async fn enqueue(&self, _scope: SystemScope, jobs: Vec<NewJob>) -> Result<()> {
        let follow = Follow { jobs, events: Vec::new() };
        let raised = self.transaction("enqueue jobs", async |conn| follow::write(conn, &follow).await);
        self.announce(raised.await?);
        Ok(())
    }

    async fn dispatch(
        &self,
        _scope: SystemScope,
        plans: &[DispatchPlan],
        deadline: Duration,
        limits: &JobLimits,
    ) -> Result<Dispatched> {
        const DOING: &str = "dispatch jobs";
        match self.horizon.next() {
            Next::Go => {}
            Next::LookFirst => self.look().await?,
            Next::LookMeanwhile => {
                let beside = self.clone();
                tokio::spawn(async move {
                    if let Err(error) = beside.look().await {
                        tracing::debug!(error = error.chain(), "could not look where jobs wait");
                    }
                });
            }
        }
        let known = self.horizon.known();
        let begun = Instant::now();
        let dispatched = if limits.is_empty() {
            let all = Rooms::default();
            let dispatch =
                async |conn: &mut Connection| dispatch::dispatch(conn, plans, deadline, &all, &known).await;
            self.hasty(DOING, dispatch).await?
        } else {
            let within = async |conn: &mut Connection| {
                dispatch::dispatch_within(conn, plans, deadline, limits, &known).await
            };
            pool::transaction(&self.hasty, DOING, within).await?
        };
        self.horizon.took(begun);
        Ok(dispatched)
    }

    async fn recall(&self, _scope: SystemScope, dispatches: &[Uuid]) -> Result<()> {
        self.hasty("recall dispatches", async |conn| dispatch::recall(conn, dispatches).await).await
    }

    async fn claim(
        &self,
        scope: SystemScope,
        from: ClaimFrom,
        worker: &str,
        lease: Duration,
        limits: &JobLimits,
    ) -> Result<Vec<ClaimedJob>> {
        const DOING: &str = "claim jobs";
        let claimed = if limits.is_empty() || matches!(from, ClaimFrom::Dispatches(_)) {
            // Dispatch has kept to the limits already.
            let all = Rooms::default();
            self.hasty(DOING, async |conn| claim::claim(conn, &from, worker, lease, &all).await).await?
        } else {
            let within =
                async |conn: &mut Connection| claim::claim_within(conn, &from, worker, lease, limits).await;
            pool::transaction(&self.hasty, DOING, within).await?
        };
        self.announce(claimed.raised);
        if !claimed.refused.is_empty() {
            self.complete(scope, claimed.refused).await?;
        }
        Ok(claimed.jobs)
    }

    async fn begin(&self, _scope: SystemScope, claim: Claim) -> Result<bool> {
        self.run("begin a job", async |conn| claim::begin(conn, claim).await).await
    }

    async fn extend(&self, _scope: SystemScope, claims: &[Claim], lease: Duration) -> Result<Vec<Lease>> {
        self.hasty("extend leases", async |conn| claim::extend(conn, claims, lease).await).await
    }

    async fn complete(&self, _scope: SystemScope, completions: Vec<Completion>) -> Result<Vec<bool>> {
        const DOING: &str = "complete jobs";
        // Most completions are one statement, which needs no transaction around it.
        let ended = if complete::is_plain(&completions) {
            let mut conn = pool::get(&self.ledger).await?;
            let ended = complete::complete(&mut conn, &completions).await;
            ended.map_err(|failure| failure.told(DOING))?
        } else {
            let complete = async |conn: &mut Connection| complete::complete(conn, &completions).await;
            pool::transaction(&self.ledger, DOING, complete).await?
        };
        self.announce(ended.raised);
        Ok(ended.held)
    }

    async fn reconcile(&self, _scope: SystemScope) -> Result<Reconciled> {
        const DOING: &str = "reconcile jobs";
        let mut all = Reconciled::default();
        loop {
            let (expired, raised) =
                self.transaction(DOING, async |conn| reconcile::expired_leases(conn).await).await?;
            self.announce(raised);
            all.expired_leases += expired;
            if expired < reconcile::BATCH {
                break;
            }
        }
        self.retire(&JobKind::RETIRED).await?;
        let missed = self.run(DOING, async |conn| reconcile::missed_dispatches(conn).await).await?;
        self.announce(Raised { jobs: !missed.is_empty(), events: false });
        all.missed_dispatches = missed;
        Ok(all)
    }

    async fn abandon(&self, _scope: SystemScope, worker: &str) -> Result<usize> {
        self.run("give back a worker's jobs", async |conn| reconcile::abandon(conn, worker).await).await
    }

    async fn cancel(&self, tenant: Tenant, filter: &JobFilter, limit: usize) -> Result<Cancelled> {
        const DOING: &str = "cancel jobs";
        let (cancelled, raised) =
            self.transaction(DOING, async |conn| manage::cancel(conn, tenant, filter, limit).await).await?;
        self.announce(raised);
        Ok(cancelled)
    }

    async fn revive(&self, tenant: Tenant, filter: &JobFilter, limit: usize) -> Result<usize> {
        const DOING: &str = "retry jobs";
        let (revived, raised) =
            self.transaction(DOING, async |conn| manage::revive(conn, tenant, filter, limit).await).await?;
        self.announce(raised);
        Ok(revived)
    }

    async fn change(&self, tenant: Tenant, order: Order<'_>, audit: NewAuditEntry) -> Result<ChangedPage> {
        const DOING: &str = "change jobs";
        let change = async |conn: &mut Connection| manage::change(conn, tenant, order, &audit).await;
        let (page, raised) = self.transaction(DOING, change).await?;
        self.announce(raised);
        Ok(page)
    }

    async fn find_ids(&self, tenant: Tenant, order: Order<'_>) -> Result<Vec<JobId>> {
        let Order { action, filter, after, limit } = order;
        let can = |state| action.touches(state);
        let find =
            async |conn: &mut Connection| query::matching(conn, tenant, filter, can, after, limit).await;
        Ok(self.run("find jobs", find).await?.into_iter().map(JobId).collect())
    }

    async fn count_changes(&self, tenant: Tenant, action: JobAction, filter: &JobFilter) -> Result<Changed> {
        self.run("count jobs", async |conn| query::count_changes(conn, tenant, action, filter).await).await
    }

    async fn pause(&self, queue: Queue, whose: Option<Tenant>, audit: NewAuditEntry) -> Result<bool> {
        let pause = async |conn: &mut Connection| manage::pause(conn, queue, whose, &audit).await;
        self.transaction("pause a queue", pause).await
    }

    async fn resume(&self, queue: Queue, whose: Option<Tenant>, audit: NewAuditEntry) -> Result<bool> {
        let resume = async |conn: &mut Connection| manage::resume(conn, queue, whose, &audit).await;
        let resumed = self.transaction("resume a queue", resume).await?;
        self.announce(Raised { jobs: resumed, events: false });
        Ok(resumed)
    }

    async fn paused(&self, tenant: Tenant) -> Result<Vec<Queue>> {
        self.run("look which queues are paused", async |conn| manage::paused(conn, tenant).await).await
    }

    async fn sample(&self, _scope: SystemScope) -> Result<()> {
        self.run("sample queues", async |conn| query::sample(conn).await).await
    }

    async fn beat(&self, _scope: SystemScope, worker: &WorkerNode) -> Result<()> {
        self.hasty("note a heartbeat", async |conn| fleet::beat(conn, worker).await).await
    }

    async fn leave(&self, _scope: SystemScope, worker: &str) -> Result<()> {
        self.run("note that a worker leaves", async |conn| fleet::leave(conn, worker).await).await
    }

    async fn capacity(&self, _scope: SystemScope) -> Result<Vec<(Queue, usize)>> {
        self.run("add up the workers", async |conn| fleet::capacity(conn).await).await
    }

    async fn queue_stats(&self, _scope: SystemScope) -> Result<Vec<QueueStats>> {
        self.run("read the state of queues", async |conn| query::queue_stats(conn).await).await
    }

    async fn waiting_since(&self, _scope: SystemScope, age: Duration) -> Result<Vec<Queue>> {
        self.run("look for jobs that wait", async |conn| query::waiting_since(conn, age).await).await
    }

    async fn counts(&self, _scope: SystemScope) -> Result<Vec<(Queue, JobState, u64)>> {
        self.run("count jobs", async |conn| query::counts(conn).await).await
    }

    async fn list(
        &self,
        tenant: Tenant,
        filter: &JobFilter,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Job>> {
        self.run("list jobs", async |conn| query::list(conn, tenant, filter, after, limit).await).await
    }

    async fn find(&self, tenant: Tenant, ids: &[JobId]) -> Result<Vec<Job>> {
        self.run("read jobs", async |conn| query::find(conn, tenant, ids).await).await
    }

    async fn prune(&self, _scope: SystemScope, before: Timestamp, limit: usize) -> Result<usize> {
        self.run("prune finished jobs", async |conn| query::prune(conn, before, limit).await).await
    }
}
