//! The job ledger: the rules of `colloquy_domain::jobs::state` in SQL, over sets of rows. Due times, leases and
//! deadlines are PostgreSQL's clock. Whatever ends or begins is told in the event log by the same statement.

mod claim;
mod complete;
mod dispatch;
mod fleet;
mod query;
mod reconcile;

use std::time::Duration;

use async_trait::async_trait;
use colloquy_domain::{
    Result,
    accounts::{SystemScope, Tenant},
    ids::JobId,
    jobs::{Claim, ClaimedJob, Job, JobKind, JobState, NewJob, Queue},
    ports::jobs::{
        ClaimFrom, Completion, DispatchPlan, Dispatched, Follow, JobFilter, Lease, Ledger, QueueStats,
        Reconciled, WorkerNode,
    },
    time::Timestamp,
};
use uuid::Uuid;

use crate::{Postgres, follow};

pub(crate) use complete::complete_one;

/// Rows of other kinds are a later release's, and are left to it.
fn known_kinds() -> Vec<&'static str> {
    JobKind::ALL.into_iter().map(JobKind::as_str).collect()
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
    ) -> Result<Dispatched> {
        self.hasty("dispatch jobs", async |conn| dispatch::dispatch(conn, plans, deadline).await).await
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
    ) -> Result<Vec<ClaimedJob>> {
        let claimed = self.hasty("claim jobs", async |conn| claim::claim(conn, from, worker, lease).await);
        let claimed = claimed.await?;
        self.announce(claimed.raised);
        if !claimed.refused.is_empty() {
            self.complete(scope, claimed.refused).await?;
        }
        Ok(claimed.jobs)
    }

    async fn extend(&self, _scope: SystemScope, claims: &[Claim], lease: Duration) -> Result<Vec<Lease>> {
        self.hasty("extend leases", async |conn| claim::extend(conn, claims, lease).await).await
    }

    async fn complete(&self, _scope: SystemScope, completions: Vec<Completion>) -> Result<Vec<bool>> {
        const DOING: &str = "complete jobs";
        // Most completions are one statement, which needs no transaction around it.
        let ended = if complete::is_plain(&completions) {
            self.run(DOING, async |conn| complete::complete(conn, &completions).await).await?
        } else {
            self.transaction(DOING, async |conn| complete::complete(conn, &completions).await).await?
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
        let missed = self.run(DOING, async |conn| reconcile::missed_dispatches(conn).await).await?;
        all.missed_dispatches = missed.dispatches;
        self.announce(missed.raised);
        Ok(all)
    }

    async fn beat(&self, _scope: SystemScope, worker: &WorkerNode) -> Result<()> {
        self.run("note a heartbeat", async |conn| fleet::beat(conn, worker).await).await
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
