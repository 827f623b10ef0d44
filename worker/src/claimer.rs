//! Gathers the claims of the whole process: while one statement is under way, the dispatches that arrive wait
//! for the next, which takes them all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use colloquy_domain::{
    jobs::{ClaimedJob, limits::JobLimits},
    ports::jobs::{ClaimFrom, Ledger},
};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::{
    lasting::{PATIENCE, safely},
    runner::SCOPE,
    trouble::Trouble,
};

/// Dispatches a statement: a thousand jobs at most, of the quickest kinds.
const BATCH: usize = 10;

type Wanted = (Uuid, oneshot::Sender<Vec<ClaimedJob>>);

pub(crate) struct Claimer {
    ledger: Arc<dyn Ledger>,
    worker: String,
    lease: Duration,
    limits: JobLimits,
    wanted: mpsc::UnboundedSender<Wanted>,
    trouble: Mutex<Trouble>,
}

impl Claimer {
    /// With the task that claims what dispatch brings, which ends with the last of its clones.
    pub(crate) fn new(
        ledger: Arc<dyn Ledger>,
        worker: String,
        lease: Duration,
        limits: JobLimits,
    ) -> Arc<Self> {
        let (wanted, wanting) = mpsc::unbounded_channel();
        let trouble = Mutex::new(Trouble::new("claim jobs"));
        let claimer = Arc::new(Self { ledger, worker, lease, limits, wanted, trouble });
        tokio::spawn(serve(Arc::downgrade(&claimer), wanting));
        claimer
    }

    /// The dispatch's jobs that could be claimed; nothing while PostgreSQL is away.
    pub(crate) async fn dispatch(&self, dispatch: Uuid) -> Vec<ClaimedJob> {
        let (answer, jobs) = oneshot::channel();
        // Neither fails while there is a task that gathers; without one each claims by itself.
        if self.wanted.send((dispatch, answer)).is_ok()
            && let Ok(jobs) = jobs.await
        {
            return jobs;
        }
        tracing::error!("nobody gathers claims");
        self.claim(ClaimFrom::Dispatches(vec![dispatch])).await
    }

    /// What could be claimed; nothing while PostgreSQL is away.
    pub(crate) async fn claim(&self, from: ClaimFrom) -> Vec<ClaimedJob> {
        let claim = self.ledger.claim(SCOPE, from, &self.worker, self.lease, &self.limits);
        let claimed = safely("claim jobs", PATIENCE, claim).await;
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).note(claimed).unwrap_or_default()
    }
}

async fn serve(claimer: Weak<Claimer>, mut wanting: mpsc::UnboundedReceiver<Wanted>) {
    let mut batch = Vec::with_capacity(BATCH);
    while wanting.recv_many(&mut batch, BATCH).await > 0 {
        let Some(claimer) = claimer.upgrade() else { return };
        let dispatches = batch.iter().map(|(dispatch, _)| *dispatch).collect();
        let mut claimed: HashMap<Option<Uuid>, Vec<ClaimedJob>> = HashMap::new();
        for job in claimer.claim(ClaimFrom::Dispatches(dispatches)).await {
            claimed.entry(job.dispatch_id).or_default().push(job);
        }
        for (dispatch, answer) in batch.drain(..) {
            // Who does not wait any more is being stopped; the lease gives the jobs back.
            drop(answer.send(claimed.remove(&Some(dispatch)).unwrap_or_default()));
        }
    }
}
