//! From the ledger into dispatch: of each queue as many jobs as its workers will take soon, and no more, so
//! that priority, pause and fairness hold for what comes next.

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use colloquy_domain::{
    Result,
    jobs::{Queue, limits::JobLimits},
    ports::jobs::{DispatchPlan, Dispatched, Dispatcher, Ledger, Signal, Signals},
};
use futures::future::join_all;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{steward::SCOPE, trouble::Trouble};

const POLL: Duration = Duration::from_millis(500);
/// While a window is full, the relay looks for room at first so often, then ever more seldom: quick jobs make
/// room at once, slow ones not for minutes.
const ROOM: Duration = Duration::from_millis(4);
const LONGEST_ROOM: Duration = Duration::from_millis(250);
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
    limits: &JobLimits,
) -> Infallible {
    let mut relay = Relay { ledger, dispatcher, deadline, limits, capacity: None, room: ROOM };
    let mut passing = Trouble::new("dispatch jobs");
    let mut pushing = Trouble::new("push dispatches");
    let mut ready = signals.subscribe(Signal::Jobs);
    loop {
        ready.mark_unchanged();
        let wait = match passing.note(relay.pass().await) {
            None => PAUSE,
            Some(pushed) => match pushing.note(pushed) {
                Some(wait) => wait,
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
    limits: &'a JobLimits,
    capacity: Option<(Instant, Vec<DispatchPlan>)>,
    /// Until the next look for room.
    room: Duration,
}

impl Relay<'_> {
    /// How long nothing can be expected to change by itself. The outer error is the ledger's, the inner one
    /// dispatch's.
    async fn pass(&mut self) -> Result<Result<Duration>> {
        let plans = self.plans().await?;
        let dispatched = self.ledger.dispatch(SCOPE, &plans, self.deadline, self.limits).await?;
        let wait = self.wait(&dispatched);
        let mut queues: BTreeMap<Queue, Vec<Uuid>> = BTreeMap::new();
        for dispatch in dispatched.dispatches {
            queues.entry(dispatch.queue).or_default().push(dispatch.id);
        }
        // Gathered first: an iterator with closures held over an await is not `Send`.
        let pushes: Vec<_> = queues.iter().map(|(queue, ids)| self.push(*queue, ids)).collect();
        let pushed: Result<Vec<Result<()>>> = join_all(pushes).await.into_iter().collect();
        Ok(pushed?.into_iter().collect::<Result<()>>().map(|()| wait))
    }

    fn wait(&mut self, dispatched: &Dispatched) -> Duration {
        self.room = match dispatched {
            Dispatched { is_full: true, dispatches, .. } if dispatches.is_empty() => {
                (self.room * 2).min(LONGEST_ROOM)
            }
            _ => ROOM,
        };
        let room = if dispatched.is_full { self.room } else { POLL };
        dispatched.next_due.map_or(room, |due| due.clamp(ROOM, room))
    }

    async fn push(&self, queue: Queue, dispatches: &[Uuid]) -> Result<Result<()>> {
        if let Err(error) = self.dispatcher.push(queue, dispatches).await {
            // Some may have arrived all the same: who claims what was recalled finds nothing.
            self.ledger.recall(SCOPE, dispatches).await?;
            return Ok(Err(error));
        }
        Ok(Ok(()))
    }

    async fn plans(&mut self) -> Result<Vec<DispatchPlan>> {
        if let Some((at, plans)) = &self.capacity
            && at.elapsed() < CAPACITY_KEEPS
        {
            return Ok(plans.clone());
        }
        let plan = |(queue, handlers): (Queue, usize)| {
            let chunk = queue.chunk();
            DispatchPlan { queue, window: AHEAD * handlers * chunk, chunk }
        };
        let capacity = self.ledger.capacity(SCOPE).await?.into_iter();
        let plans: Vec<_> = capacity.filter(|(_, handlers)| *handlers > 0).map(plan).collect();
        self.capacity = Some((Instant::now(), plans.clone()));
        Ok(plans)
    }

    async fn until_dispatch_answers(&self) {
        while self.dispatcher.ping().await.is_err() {
            sleep(PAUSE).await;
        }
    }
}
