//! From the ledger into dispatch: of each queue as many jobs as its workers will take soon, and no more, so
//! that priority, pause and fairness hold for what comes next.

use std::{convert::Infallible, time::Duration};

use colloquy_domain::{
    Result,
    jobs::Queue,
    ports::jobs::{DispatchPlan, Dispatcher, Ledger, Signal, Signals},
};
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use crate::{steward::SCOPE, trouble::Trouble};

const POLL: Duration = Duration::from_millis(500);
/// After PostgreSQL failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a count of handlers is good for.
const CAPACITY_KEEPS: Duration = Duration::from_secs(1);
/// Chunks on their way a handler.
const AHEAD: usize = 2;

pub(crate) async fn run(
    ledger: &dyn Ledger,
    signals: &dyn Signals,
    dispatcher: &dyn Dispatcher,
    deadline: Duration,
) -> Infallible {
    let mut relay = Relay { ledger, dispatcher, deadline, capacity: None };
    let mut passing = Trouble::new("dispatch jobs");
    let mut pushing = Trouble::new("push dispatches");
    let mut ready = signals.subscribe(Signal::Jobs);
    loop {
        ready.mark_unchanged();
        let wait = match passing.note(relay.pass().await) {
            None => PAUSE,
            Some(pushed) => match pushing.note(pushed) {
                // A full window has no room, and a claim that makes some raises the signal.
                Some(()) => relay.until_due().await,
                // Jobs stay READY, for workers to claim directly.
                None => {
                    relay.until_dispatch_answers().await;
                    Duration::ZERO
                }
            },
        };
        tokio::select! {
            _ = ready.changed() => {}
            () = sleep(wait) => {}
        }
    }
}

struct Relay<'a> {
    ledger: &'a dyn Ledger,
    dispatcher: &'a dyn Dispatcher,
    deadline: Duration,
    capacity: Option<(Instant, Vec<(Queue, usize)>)>,
}

impl Relay<'_> {
    /// The outer error is the ledger's, the inner one dispatch's.
    async fn pass(&mut self) -> Result<Result<()>> {
        let waiting = self.ledger.waiting_queues(SCOPE).await?;
        if waiting.is_empty() {
            return Ok(Ok(()));
        }
        let capacity = self.capacity().await?;
        let queues =
            capacity.into_iter().filter(|(queue, handlers)| *handlers > 0 && waiting.contains(queue));
        // Gathered first: an iterator with closures held over an await is not `Send`.
        let passes: Vec<_> = queues.map(|(queue, handlers)| self.queue(queue, handlers)).collect();
        let passed = join_all(passes).await;
        let pushed: Result<Vec<Result<()>>> = passed.into_iter().collect();
        Ok(pushed?.into_iter().collect())
    }

    async fn queue(&self, queue: Queue, handlers: usize) -> Result<Result<()>> {
        let chunk = queue.chunk();
        let plan = DispatchPlan { queue, window: AHEAD * handlers * chunk, chunk, deadline: self.deadline };
        let dispatches = self.ledger.dispatch(SCOPE, plan).await?;
        if dispatches.is_empty() {
            return Ok(Ok(()));
        }
        let ids: Vec<_> = dispatches.iter().map(|dispatch| dispatch.id).collect();
        if let Err(error) = self.dispatcher.push(queue, &ids).await {
            // Some may have arrived all the same: who claims what was recalled finds nothing.
            self.ledger.recall(SCOPE, &ids).await?;
            return Ok(Err(error));
        }
        Ok(Ok(()))
    }

    async fn capacity(&mut self) -> Result<Vec<(Queue, usize)>> {
        if let Some((at, capacity)) = &self.capacity
            && at.elapsed() < CAPACITY_KEEPS
        {
            return Ok(capacity.clone());
        }
        let capacity = self.ledger.capacity(SCOPE).await?;
        self.capacity = Some((Instant::now(), capacity.clone()));
        Ok(capacity)
    }

    async fn until_due(&self) -> Duration {
        match self.ledger.next_due(SCOPE).await {
            Ok(Some(due)) => due.clamp(Duration::from_millis(5), POLL),
            Ok(None) | Err(_) => POLL,
        }
    }

    async fn until_dispatch_answers(&self) {
        while self.dispatcher.ping().await.is_err() {
            sleep(PAUSE).await;
        }
    }
}
