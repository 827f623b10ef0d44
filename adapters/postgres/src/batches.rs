//! Batches. A batch's row is locked last, after its jobs: completions of many jobs add to it in the same order.

pub(crate) mod control;
mod feed;
pub(crate) mod rows;

use async_trait::async_trait;
use colloquy_domain::{
    Error, Result,
    accounts::{SystemScope, Tenant},
    audit::NewAuditEntry,
    batches::{Batch, BatchState, Steering},
    ids::{BatchId, ConversationId},
    jobs::{JobKind, JobState},
    money::MicroDollars,
    ports::{
        jobs::JobFilter,
        store::{
            PageBy,
            batches::{BatchStore, FailedItem, Feeding, Item, Measured, Reach, Retrying, RunTime, Steered},
            conversations::ConversationFilter,
        },
    },
    time::Timestamp,
};

use crate::{
    Postgres,
    errors::Failure,
    follow::Raised,
    pool::{self, Connection},
};

/// The batch was changed by somebody else, or its cap does not hold more: the transaction is rolled back.
const MOVED: &str = "BATCH_MOVED";

fn moved() -> Failure {
    Error::conflict(MOVED, "the batch does not stand as it was read").into()
}

#[async_trait]
impl BatchStore for Postgres {
    async fn insert(&self, tenant: Tenant, batch: &Batch) -> Result<()> {
        self.run("keep a plan", async |conn| rows::insert(conn, tenant, batch).await).await
    }

    async fn find(&self, tenant: Tenant, ids: &[BatchId]) -> Result<Vec<Batch>> {
        self.run("read batches", async |conn| rows::find(conn, tenant, ids).await).await
    }

    async fn list(&self, tenant: Tenant, page: PageBy<BatchId>) -> Result<Vec<Batch>> {
        self.run("list batches", async |conn| rows::list(conn, tenant, page).await).await
    }

    async fn items(
        &self,
        reach: Reach,
        filter: &ConversationFilter,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<Item>> {
        const DOING: &str = "read the conversations of a batch";
        self.run(DOING, async |conn| feed::items(conn, reach, filter, after, limit).await).await
    }

    async fn measure(
        &self,
        reach: Reach,
        filter: &ConversationFilter,
        per_1000: MicroDollars,
    ) -> Result<Measured> {
        const DOING: &str = "measure the conversations of a batch";
        self.run(DOING, async |conn| feed::measure(conn, reach, filter, per_1000).await).await
    }

    async fn edited(&self, reach: Reach, filter: &ConversationFilter) -> Result<u64> {
        self.run("count changes by hand", async |conn| feed::edited(conn, reach, filter).await).await
    }

    async fn run_time(&self, tenant: Tenant, kind: JobKind) -> Result<Option<RunTime>> {
        self.run("look how long jobs took", async |conn| feed::run_time(conn, tenant, kind).await).await
    }

    async fn steer(
        &self,
        tenant: Tenant,
        id: BatchId,
        steering: Steering,
        audit: NewAuditEntry,
    ) -> Result<Option<Steered>> {
        self.transaction("steer a batch", async |conn| {
            control::steer_and_note(conn, tenant, id, steering, &audit).await
        })
        .await
    }

    async fn active(&self, _scope: SystemScope) -> Result<Vec<Batch>> {
        self.run("read active batches", async |conn| rows::active(conn).await).await
    }

    async fn apply(&self, _scope: SystemScope, batch: &Batch) -> Result<()> {
        let raised = match batch.state {
            BatchState::Cancelling => {
                self.transaction("cancel a batch's jobs", async |conn| control::cancel(conn, batch).await)
                    .await?
            }
            BatchState::Paused => {
                let mut conn = pool::get(&self.ledger).await?;
                let held = control::hold(&mut conn, batch).await;
                held.map_err(|failure| failure.told("hold a batch's jobs"))?
            }
            BatchState::Running => {
                let mut conn = pool::get(&self.ledger).await?;
                let released = control::release(&mut conn, batch).await;
                released.map_err(|failure| failure.told("release a batch's jobs"))?
            }
            _ => Raised::default(),
        };
        self.announce(raised);
        Ok(())
    }

    async fn feed(&self, _scope: SystemScope, batch: &Batch, feeding: Feeding) -> Result<bool> {
        let fed =
            self.transaction("feed a batch", async |conn| feed::feed(conn, batch, &feeding).await).await;
        self.unless_moved(fed)
    }

    async fn failed(&self, _scope: SystemScope, batch: &Batch, limit: usize) -> Result<Vec<FailedItem>> {
        self.run("read a batch's failures", async |conn| feed::failed(conn, batch, limit).await).await
    }

    async fn retry(&self, _scope: SystemScope, batch: &Batch, retrying: Retrying) -> Result<bool> {
        let body = async |conn: &mut Connection| feed::retry(conn, batch, &retrying).await;
        let retried = self.transaction("retry a batch's failures", body).await;
        self.unless_moved(retried)
    }

    async fn end(
        &self,
        _scope: SystemScope,
        batch: &Batch,
        state: BatchState,
        reason: Option<String>,
    ) -> Result<bool> {
        let ended = self
            .transaction("end a batch", async |conn| {
                control::end(conn, batch, state, reason.as_deref()).await
            })
            .await;
        self.unless_moved(ended)
    }

    async fn prune(&self, _scope: SystemScope, before: Timestamp, limit: usize) -> Result<usize> {
        self.run("delete old plans", async |conn| control::prune(conn, before, limit).await).await
    }

    async fn tell(&self, _scope: SystemScope) -> Result<usize> {
        let (told, raised) =
            self.transaction("tell of batches", async |conn| control::tell(conn).await).await?;
        self.announce(raised);
        Ok(told)
    }
}

impl Postgres {
    fn unless_moved(&self, outcome: Result<Raised>) -> Result<bool> {
        match outcome {
            Ok(raised) => {
                self.announce(raised);
                Ok(true)
            }
            Err(Error::Conflict(problem)) if problem.code == MOVED => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A batch's unfinished jobs.
fn unfinished(batch: &Batch) -> JobFilter {
    let states = JobState::ALL.into_iter().filter(|state| !state.is_final()).collect();
    JobFilter { batch_id: Some(batch.id), states, ..JobFilter::default() }
}
